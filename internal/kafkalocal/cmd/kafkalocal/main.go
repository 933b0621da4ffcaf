// Command kafkalocal runs a Kafka cluster on 127.0.0.1 until it gets SIGINT or
// SIGTERM. It prints the brokers' addresses, joined by commas, on one line when
// they are ready; with -sasl, those of the SASL listener on a second line.
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

const saslListener = "SASL_PLAINTEXT"

func run(ctx context.Context, args []string) error {
	o := kafkalocal.Options{Properties: map[string]string{}}
	flags := flag.NewFlagSet("kafkalocal", flag.ContinueOnError)
	flags.IntVar(&o.Brokers, "brokers", 1, "how many `brokers` to run, 1 to 3")
	flags.StringVar(&o.Version, "version", kafkalocal.DefaultVersion, "`version` of Apache Kafka")
	flags.StringVar(&o.Dir, "dir", "", "`folder` that the cluster's own temporary folder is made in")
	advertised := flags.String("advertise", "", "`addresses`, one for each broker, that clients are told in place of the real ones")
	libs := flags.Bool("libs", false, "only fetch Kafka and print the folder of its jars")
	flags.Func("sasl", "add a SASL_PLAINTEXT listener with PLAIN for this `user:password`", func(s string) error {
		user, password, ok := strings.Cut(s, ":")
		if !ok || user == "" || strings.ContainsAny(s, `"\;`) {
			return fmt.Errorf("not of the form user:password, or with a quote, backslash or semicolon")
		}
		o.Listeners = []kafkalocal.Listener{{Name: saslListener, Properties: map[string]string{
			"sasl.enabled.mechanisms": "PLAIN",
			"plain.sasl.jaas.config":  fmt.Sprintf(`org.apache.kafka.common.security.plain.PlainLoginModule required user_%s="%s";`, user, password),
		}}}
		return nil
	})
	flags.Func("set", "a server setting `name=value`; may be repeated", func(s string) error {
		name, value, ok := strings.Cut(s, "=")
		if !ok {
			return fmt.Errorf("no = in %q", s)
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
		o.Advertise = func(i int, listener, addr string) string {
			if listener == saslListener {
				return addr
			}
			return addrs[i]
		}
	}
	c, err := kafkalocal.Start(ctx, o)
	if err != nil {
		return err
	}
	fmt.Println(strings.Join(c.Addrs(), ","))
	if len(o.Listeners) > 0 {
		fmt.Println(strings.Join(c.ListenerAddrs(saslListener), ","))
	}
	<-ctx.Done()
	return c.Close()
}
