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
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

// Exit codes.
const (
	exitOK          = 0
	exitFailed      = 1
	exitUsage       = 2
	exitInterrupted = 130
)

// options are what the command line asks for.
type options struct {
	brokers    []string
	lines      int
	partitions int
	restarts   int
}

func main() {
	o, err := parse(os.Args[1:], os.Stderr)
	if errors.Is(err, flag.ErrHelp) {
		os.Exit(exitOK)
	}
	if err != nil {
		os.Exit(exitUsage)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err = run(ctx, o, os.Stdout)
	interrupted := ctx.Err() != nil
	stop()
	switch {
	case interrupted:
		fmt.Fprintln(os.Stderr, "exactly-once: interrupted")
		os.Exit(exitInterrupted)
	case err != nil:
		fmt.Fprintln(os.Stderr, "exactly-once:", err)
		os.Exit(exitFailed)
	}
}

// parse reads the command line; what is wrong with it is written to w.
func parse(args []string, w io.Writer) (*options, error) {
	o := &options{}
	flags := flag.NewFlagSet("exactly-once", flag.ContinueOnError)
	flags.SetOutput(w)
	brokers := flags.String("brokers", "", "addresses host:port,… of a Kafka cluster; without them one runs inside the program")
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
	if *brokers != "" {
		o.brokers = strings.Split(*brokers, ",")
	}
	return o, nil
}
