package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/IBM/sarama"
	"github.com/IBM/sarama/examples/internal/example"
	"github.com/IBM/sarama/fakekafka"
)

// job is one run.
type job struct {
	o       *options
	addrs   []string
	in, out string // topics
	group   string

	batches atomic.Int64 // that were transformed
	again   atomic.Int64 // what failed and was tried again
}

// words are what lines are made of.
var words = strings.Fields("the quick brown fox jumps over a lazy dog and runs away")

// run has two pipelines split lines, and checks the result.
func run(ctx context.Context, o *options, w io.Writer) error {
	name := fmt.Sprintf("exactly-once-%d", time.Now().UnixNano())
	j := &job{o: o, addrs: o.brokers, in: name + "-in", out: name + "-out", group: name}
	if len(o.brokers) == 0 {
		cluster, err := fakekafka.Start(fakekafka.Options{Brokers: 3})
		if err != nil {
			return err
		}
		defer func() { _ = cluster.Close() }()
		j.addrs = cluster.Addrs()
	}
	client, err := sarama.NewClient(j.addrs, j.config())
	if err != nil {
		return err
	}
	defer func() { _ = client.Close() }()
	if err := example.CreateTopics(client, o.partitions, j.in, j.out); err != nil {
		return err
	}
	defer example.DeleteTopics(client, j.in, j.out)
	begun := time.Now()
	sent, err := j.produce(ctx)
	if err != nil {
		return err
	}
	if err := j.work(ctx, w, sent); err != nil {
		return err
	}
	total := 0
	for _, n := range sent {
		total += n
	}
	fmt.Fprintf(w, "%d lines in %d batches, %d failures: each of the %d words is there once and in order (%v)\n",
		o.lines, j.batches.Load(), j.again.Load(), total, time.Since(begun).Round(time.Millisecond))
	return nil
}

func (j *job) config() *sarama.Config {
	conf := sarama.NewConfig()
	conf.ClientID = "exactly-once"
	conf.Consumer.Offsets.Initial = sarama.OffsetOldest
	conf.Producer.Return.Successes = true
	conf.Net.DialTimeout = 10 * time.Second
	conf.Metadata.Retry.Max = 20
	conf.Consumer.Group.Heartbeat.Interval = 100 * time.Millisecond // to hear of rebalances soon
	conf.Consumer.Group.Rebalance.GroupStrategies = []sarama.BalanceStrategy{sarama.NewBalanceStrategyCooperativeSticky()}
	return conf
}

// produce writes the lines, and returns how many words each has.
func (j *job) produce(ctx context.Context) (sent []int, err error) {
	p, err := sarama.NewSyncProducer(j.addrs, j.config())
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	var msgs []*sarama.ProducerMessage
	for i := range j.o.lines {
		n := 1 + rand.IntN(len(words))
		sent = append(sent, n)
		msgs = append(msgs, &sarama.ProducerMessage{
			Topic: j.in, Key: sarama.StringEncoder(strconv.Itoa(i)), Value: sarama.StringEncoder(strings.Join(words[:n], " ")),
		})
		if len(msgs) < 1000 && i < j.o.lines-1 {
			continue
		}
		if err := p.(sarama.ContextSyncProducer).SendMessagesContext(ctx, msgs); err != nil {
			return nil, err
		}
		msgs = nil
	}
	return sent, nil
}

// work runs the pipelines until the output has a message for each word.
func (j *job) work(ctx context.Context, w io.Writer, sent []int) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var members sync.WaitGroup
	members.Go(func() {
		if err := j.member(ctx); err != nil {
			cancel(err)
		}
	})
	members.Go(func() { // comes and goes
		for range j.o.restarts {
			some, stop := context.WithTimeout(ctx, time.Second)
			if err := j.member(some); err != nil {
				cancel(err)
			}
			if stop(); ctx.Err() != nil {
				return
			}
			fmt.Fprintf(w, "the second pipeline leaves, after %d batches of both\n", j.batches.Load())
		}
	})
	err := j.check(ctx, sent)
	cancel(errDone)
	members.Wait()
	return err
}

var (
	errDone  = errors.New("all is there")
	errFails = errors.New("the transformation fails now and then")
)

// member is one pipeline; it ends with ctx.
func (j *job) member(ctx context.Context) (err error) {
	p, err := sarama.NewPipeline(j.addrs, j.group, j.config(), sarama.PipelineOptions{
		BatchMaxMessages: 50, BatchMaxWait: 20 * time.Millisecond,
		OnError: func(error) { j.again.Add(1) },
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	err = p.Run(ctx, []string{j.in}, func(ctx context.Context, batch []*sarama.ConsumerMessage) ([]*sarama.ProducerMessage, error) {
		out, err := sarama.TransformEach(j.split)(ctx, batch)
		if rand.IntN(5) == 0 {
			return nil, errFails
		}
		j.batches.Add(1)
		return out, err
	})
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// split makes a message of each word of a line: the line's key and the word's
// number, so that the check knows both.
func (j *job) split(_ context.Context, line *sarama.ConsumerMessage) (out []*sarama.ProducerMessage, _ error) {
	for i, word := range strings.Fields(string(line.Value)) {
		out = append(out, &sarama.ProducerMessage{
			Topic: j.out, Key: sarama.ByteEncoder(line.Key), Value: sarama.StringEncoder(fmt.Sprintf("%d %s", i, word)),
		})
	}
	return out, nil
}

// check reads what is committed until each word of each line has come, and a
// little longer, to see that nothing comes twice.
func (j *job) check(ctx context.Context, sent []int) error {
	conf := j.config()
	conf.Consumer.IsolationLevel = sarama.ReadCommitted
	client, err := sarama.NewClient(j.addrs, conf)
	if err != nil {
		return err
	}
	defer func() { _ = client.Close() }()
	consumer, err := sarama.NewConsumerFromClient(client)
	if err != nil {
		return err
	}
	defer func() { _ = consumer.Close() }()
	msgs := make(chan *sarama.ConsumerMessage)
	ctx, stop := context.WithCancel(ctx)
	var readers sync.WaitGroup
	defer readers.Wait()
	defer stop()
	for id := range int32(j.o.partitions) {
		pc, err := consumer.ConsumePartition(j.out, id, sarama.OffsetOldest)
		if err != nil {
			return err
		}
		readers.Go(func() {
			defer func() { _ = pc.Close() }()
			for {
				select {
				case m := <-pc.Messages():
					select {
					case msgs <- m:
					case <-ctx.Done():
						return
					}
				case <-ctx.Done():
					return
				}
			}
		})
	}
	return compare(ctx, msgs, sent)
}

// compare wants the words of each line once and in order.
func compare(ctx context.Context, msgs <-chan *sarama.ConsumerMessage, sent []int) error {
	missing := 0
	for _, n := range sent {
		missing += n
	}
	came := make([]int, len(sent)) // words, by line
	for {
		var quiet <-chan time.Time
		if missing == 0 {
			quiet = time.After(time.Second)
		}
		select {
		case m := <-msgs:
			line, err := strconv.Atoi(string(m.Key))
			if err != nil || line < 0 || line >= len(sent) {
				return fmt.Errorf("key %q was never sent", m.Key)
			}
			i := came[line]
			if want := fmt.Sprintf("%d %s", i, words[i%len(words)]); i >= sent[line] || string(m.Value) != want {
				return fmt.Errorf("line %d has %q after %d of %d words", line, m.Value, i, sent[line])
			}
			came[line]++
			missing--
		case <-quiet:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
