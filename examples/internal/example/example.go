// Package example is what the example programs have in common.
package example

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
	"time"

	"github.com/IBM/sarama"
)

// Exit codes.
const (
	exitOK          = 0
	exitFailed      = 1
	exitUsage       = 2
	exitInterrupted = 130
)

// Main parses the command line, runs the program until it ends or is
// interrupted, and exits.
func Main[O any](name string, parse func(args []string, w io.Writer) (O, error), run func(ctx context.Context, o O) error) {
	o, err := parse(os.Args[1:], os.Stderr)
	if errors.Is(err, flag.ErrHelp) {
		os.Exit(exitOK)
	}
	if err != nil {
		os.Exit(exitUsage)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err = run(ctx, o)
	interrupted := ctx.Err() != nil
	stop()
	switch {
	case interrupted:
		fmt.Fprintf(os.Stderr, "%s: interrupted\n", name)
		os.Exit(exitInterrupted)
	case err != nil:
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		os.Exit(exitFailed)
	}
}

// Brokers adds the flag -brokers; what it returns has its addresses once flags
// are parsed, nil for none.
func Brokers(flags *flag.FlagSet) func() []string {
	list := flags.String("brokers", "", "addresses host:port,… of a Kafka cluster; without them one runs inside the program")
	return func() []string {
		if *list == "" {
			return nil
		}
		return strings.Split(*list, ",")
	}
}

// CreateTopics makes topics of so many partitions, on three brokers where there
// are as many, and waits until they can be used.
func CreateTopics(client sarama.Client, partitions int, topics ...string) error {
	b, err := client.Controller()
	if err != nil {
		return err
	}
	details := make(map[string]*sarama.TopicDetail)
	for _, topic := range topics {
		details[topic] = &sarama.TopicDetail{NumPartitions: int32(partitions), ReplicationFactor: int16(min(3, len(client.Brokers())))}
	}
	resp, err := b.CreateTopics(sarama.NewCreateTopicsRequest(client.Config().Version, details, 10*time.Second, false))
	if err != nil {
		return fmt.Errorf("creating topics %s: %w", strings.Join(topics, ", "), err)
	}
	for _, topic := range topics {
		if e := resp.TopicErrors[topic]; e != nil && e.Err != sarama.ErrNoError {
			return fmt.Errorf("creating topic %s: %w", topic, e)
		}
		if err := await(client, topic, partitions); err != nil {
			return err
		}
	}
	return nil
}

// await waits until each partition's leader knows that it is: a broker answers
// for a new topic a moment after the controller has made it.
func await(client sarama.Client, topic string, partitions int) error {
	deadline := time.Now().Add(10 * time.Second)
	for id := range int32(partitions) {
		for {
			_, err := client.GetOffset(topic, id, sarama.OffsetNewest)
			if err == nil {
				break
			}
			if time.Now().After(deadline) {
				return fmt.Errorf("waiting for topic %s: %w", topic, err)
			}
			<-time.After(50 * time.Millisecond)
		}
	}
	return nil
}

// DeleteTopics deletes topics, if it can.
func DeleteTopics(client sarama.Client, topics ...string) {
	if b, err := client.Controller(); err == nil {
		_, _ = b.DeleteTopics(sarama.NewDeleteTopicsRequest(client.Config().Version, topics, 10*time.Second))
	}
}
