// Command quickstart produces every line of some files to a topic with six
// partitions, keyed by file, consumes them back at the same time, and checks
// that nothing was lost, changed or reordered.
//
//	go run ./examples/quickstart [flags] [file ...]
//
// Without files it takes the Go files of the folder that it runs in, without
// -brokers a cluster inside the program.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/IBM/sarama"
	"github.com/IBM/sarama/examples/internal/example"
)

// options are what the command line asks for.
type options struct {
	brokers    []string
	codec      sarama.CompressionCodec
	acks       sarama.RequiredAcks
	idempotent bool
	messages   int // 0: each line once
	partitions int
	files      []string
}

func main() {
	example.Main("quickstart", parse, func(ctx context.Context, o *options) error { return run(ctx, o, os.Stdout, os.Stderr) })
}

// parse reads the command line; what is wrong with it is written to w.
func parse(args []string, w io.Writer) (*options, error) {
	o := &options{}
	flags := flag.NewFlagSet("quickstart", flag.ContinueOnError)
	flags.SetOutput(w)
	brokers := example.Brokers(flags)
	flags.TextVar(&o.codec, "compression", sarama.CompressionNone, "none, gzip, snappy, lz4 or zstd")
	acks := flags.String("acks", "1", "0, 1 or all")
	flags.BoolVar(&o.idempotent, "idempotent", false, "write each message exactly once (needs acks all, which it sets)")
	flags.IntVar(&o.messages, "n", 0, "repeat the lines until there are this many messages")
	flags.IntVar(&o.partitions, "partitions", 6, "partitions of the topic")
	flags.Usage = func() {
		fmt.Fprintln(w, "usage: quickstart [flags] [file ...]")
		flags.PrintDefaults()
	}
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	fail := func(format string, args ...any) (*options, error) {
		err := fmt.Errorf(format, args...)
		fmt.Fprintln(w, "quickstart:", err)
		return nil, err
	}
	switch *acks {
	case "0":
		o.acks = sarama.NoResponse
	case "1":
		o.acks = sarama.WaitForLocal
	case "all", "-1":
		o.acks = sarama.WaitForAll
	default:
		return fail("-acks is %q, not 0, 1 or all", *acks)
	}
	if o.idempotent {
		o.acks = sarama.WaitForAll
	}
	if o.messages < 0 {
		return fail("-n is %d, less than 0", o.messages)
	}
	if o.partitions < 1 {
		return fail("-partitions is %d, less than 1", o.partitions)
	}
	o.brokers = brokers()
	o.files = flags.Args()
	return o, nil
}

// line is one message to produce.
type line struct {
	key  int // index of the file
	text string
}

// input is all lines of some files.
type input struct {
	keys  []string // the files' names
	lines []line
}

// readInput reads the files, or the folder's Go files where none is named.
func readInput(files []string) (*input, error) {
	if len(files) == 0 {
		var err error
		if files, err = filepath.Glob("*.go"); err != nil || len(files) == 0 {
			return nil, errors.New("there are no Go files here; name some files")
		}
	}
	in := &input{}
	for _, name := range files {
		raw, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		key := len(in.keys)
		in.keys = append(in.keys, name)
		for text := range strings.Lines(string(raw)) {
			in.lines = append(in.lines, line{key, strings.TrimSuffix(text, "\n")})
		}
	}
	if len(in.lines) == 0 {
		return nil, fmt.Errorf("%s: no lines", strings.Join(files, ", "))
	}
	return in, nil
}
