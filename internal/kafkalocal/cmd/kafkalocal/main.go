// Command kafkalocal runs a Kafka cluster on 127.0.0.1 until it gets SIGINT or
// SIGTERM. It prints the brokers' addresses, joined by commas, on one line when
// they are ready.
//
// A script that sends SIGTERM should build it first: "go run" does not pass that
// signal on to what it runs.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/IBM/sarama/internal/kafkalocal"
)

func main() {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	cancel()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	o := kafkalocal.Options{Properties: map[string]string{}}
	flags := flag.NewFlagSet("kafkalocal", flag.ContinueOnError)
	flags.IntVar(&o.Brokers, "brokers", 1, "how many `brokers` to run, 1 to 3")
	flags.StringVar(&o.Version, "version", kafkalocal.DefaultVersion, "`version` of Apache Kafka")
	flags.StringVar(&o.Dir, "dir", "", "`folder` that the cluster's own temporary folder is made in")
	advertised := flags.String("advertise", "", "`addresses`, one for each broker, that clients are told in place of the real ones")
	libs := flags.Bool("libs", false, "only fetch Kafka and print the folder of its jars")
	flags.Func("set", "a server setting `name=value`; may be repeated", func(s string) error {
		name, value, ok := strings.Cut(s, "=")
		if !ok {
			return fmt.Errorf("no = in it")
		}
		o.Properties[name] = value
		return nil
	})
	flags.Func("jvm", "an `argument` of the brokers' JVM; may be repeated", func(s string) error {
		o.JVMArgs = append(o.JVMArgs, s)
		return nil
	})
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *libs {
		dir, err := kafkalocal.Install(ctx, o.Version)
		if err == nil {
			fmt.Println(dir)
		}
		return err
	}
	if *advertised != "" {
		addrs := strings.Split(*advertised, ",")
		if len(addrs) != o.Brokers {
			return fmt.Errorf("kafkalocal: -advertise has %d addresses for %d brokers", len(addrs), o.Brokers)
		}
		o.Advertise = func(i int, _, _ string) string { return addrs[i] }
	}
	c, err := kafkalocal.Start(ctx, o)
	if err != nil {
		return err
	}
	fmt.Println(strings.Join(c.Addrs(), ","))
	<-ctx.Done()
	return c.Close()
}
