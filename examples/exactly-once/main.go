// Command exactly-once splits lines into words: it consumes lines and produces a
// message for each of their words. Two pipelines share the work, of which one
// comes and goes all the time, and a fifth of all batches fails at first. In the
// end it checks that every word of every line is there once, in order.
//
//	go run ./examples/exactly-once [flags]
//
// Without -brokers it uses a cluster inside the program.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/IBM/sarama/examples/internal/example"
)

// options are what the command line asks for.
type options struct {
	brokers    []string
	lines      int
	partitions int
	restarts   int
}

func main() {
	example.Main("exactly-once", parse, func(ctx context.Context, o *options) error { return run(ctx, o, os.Stdout) })
}

// parse reads the command line; what is wrong with it is written to w.
func parse(args []string, w io.Writer) (*options, error) {
	o := &options{}
	flags := flag.NewFlagSet("exactly-once", flag.ContinueOnError)
	flags.SetOutput(w)
	brokers := example.Brokers(flags)
	flags.IntVar(&o.lines, "n", 20_000, "lines to split")
	flags.IntVar(&o.partitions, "partitions", 6, "partitions of the topics")
	flags.IntVar(&o.restarts, "restarts", 3, "how often the second pipeline is started again")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	fail := func(err error) (*options, error) {
		fmt.Fprintln(w, "exactly-once:", err)
		return nil, err
	}
	switch {
	case o.lines < 1:
		return fail(fmt.Errorf("-n is %d, less than 1", o.lines))
	case o.partitions < 1:
		return fail(fmt.Errorf("-partitions is %d, less than 1", o.partitions))
	case o.restarts < 0:
		return fail(fmt.Errorf("-restarts is %d, less than 0", o.restarts))
	case flags.NArg() > 0:
		return fail(fmt.Errorf("%q is not a flag", flags.Arg(0)))
	}
	o.brokers = brokers()
	return o, nil
}
