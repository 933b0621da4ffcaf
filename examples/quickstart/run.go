package main

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"math/bits"
	"sync"
	"sync/atomic"
	"text/tabwriter"
	"time"

	"github.com/IBM/sarama"
	"github.com/IBM/sarama/examples/internal/example"
	"github.com/IBM/sarama/fakekafka"
)

// job is one run: a topic, what went in and what came out.
type job struct {
	o      *options
	in     *input
	topic  string
	client sarama.Client
	start  time.Time

	produced, consumed atomic.Int64 // messages acknowledged, and read
	bytesIn, bytesOut  atomic.Int64
	failed             atomic.Int64
	latency            latencies

	sent []chain // by key, of the producing goroutine

	mu struct {
		sync.Mutex
		received []chain // by key
		first    error   // the first error
	}
}

// chain condenses a key's messages so that two chains are equal only if the
// messages are, in the same order.
type chain struct {
	n   int64
	sum uint64
}

func (c *chain) add(value []byte) {
	h := fnv.New64a()
	_, _ = h.Write(value)
	c.n++
	c.sum = bits.RotateLeft64(c.sum, 7)*0x9E3779B97F4A7C15 + h.Sum64()
}

// latencies counts times in buckets that grow by an eighth.
type latencies struct{ buckets [512]atomic.Int64 }

func (l *latencies) add(d time.Duration) {
	us := uint64(max(1, d.Microseconds()))
	exp := bits.Len64(us) - 1
	frac := us << (63 - exp) << 1 >> 61
	l.buckets[min(exp*8+int(frac), len(l.buckets)-1)].Add(1)
}

// quantile is the upper end of the bucket in which the quantile lies.
func (l *latencies) quantile(q float64) time.Duration {
	var total int64
	for i := range l.buckets {
		total += l.buckets[i].Load()
	}
	rank := int64(q * float64(total))
	for i := range l.buckets {
		if rank -= l.buckets[i].Load(); rank < 0 {
			exp, frac := i/8, i%8
			return time.Duration(float64(uint64(1)<<exp)*(1+float64(frac+1)/8)) * time.Microsecond
		}
	}
	return 0
}

// run does the job and prints its table.
func run(ctx context.Context, o *options, out, progress io.Writer) error {
	in, err := readInput(o.files)
	if err != nil {
		return err
	}
	if o.messages == 0 {
		o.messages = len(in.lines)
	}
	j := &job{o: o, in: in, topic: fmt.Sprintf("quickstart-%d", time.Now().UnixNano()), sent: make([]chain, len(in.keys))}
	j.mu.received = make([]chain, len(in.keys))
	stop, err := j.connect()
	if err != nil {
		return err
	}
	defer stop()
	if err := j.work(ctx, progress); err != nil {
		return err
	}
	if err := j.check(); err != nil {
		return err
	}
	j.table(out)
	return nil
}

func (j *job) config() *sarama.Config {
	conf := sarama.NewConfig()
	conf.ClientID = "quickstart"
	conf.Producer.Return.Successes = true
	conf.Producer.Compression = j.o.codec
	conf.Producer.RequiredAcks = j.o.acks
	conf.Producer.Idempotent = j.o.idempotent
	conf.Consumer.Return.Errors = true
	conf.Net.DialTimeout = 10 * time.Second
	return conf
}

// connect finds or starts a cluster and makes the topic.
func (j *job) connect() (stop func(), err error) {
	if len(j.o.brokers) == 0 {
		cluster, err := fakekafka.Start(fakekafka.Options{
			Topics: []fakekafka.Topic{{Name: j.topic, Partitions: j.o.partitions}},
		})
		if err != nil {
			return nil, err
		}
		if j.client, err = sarama.NewClient(cluster.Addrs(), j.config()); err != nil {
			_ = cluster.Close()
			return nil, err
		}
		return func() { _ = j.client.Close(); _ = cluster.Close() }, nil
	}
	if j.client, err = sarama.NewClient(j.o.brokers, j.config()); err != nil {
		return nil, err
	}
	if err := example.CreateTopics(j.client, j.o.partitions, j.topic); err != nil {
		_ = j.client.Close()
		return nil, err
	}
	return func() { example.DeleteTopics(j.client, j.topic); _ = j.client.Close() }, nil
}

// work produces and consumes at the same time, until all is read, something
// fails, or ctx ends.
func (j *job) work(ctx context.Context, progress io.Writer) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	producer, err := sarama.NewAsyncProducerFromClient(j.client)
	if err != nil {
		return err
	}
	consumer, err := sarama.NewConsumerFromClient(j.client)
	if err != nil {
		return errors.Join(err, producer.Close())
	}
	j.start = time.Now()
	var wg sync.WaitGroup
	for id := range j.o.partitions {
		pc, err := consumer.ConsumePartition(j.topic, int32(id), sarama.OffsetOldest)
		if err != nil {
			cancel(fmt.Errorf("consuming %s/%d: %w", j.topic, id, err))
			break
		}
		wg.Go(func() { j.consume(ctx, pc, cancel) })
	}
	wg.Go(func() { j.results(producer, cancel) })
	wg.Go(func() { j.progress(ctx, progress) })
	j.produce(ctx, producer)
	producer.AsyncClose()
	wg.Wait()
	if err := consumer.Close(); err != nil {
		return err
	}
	if cause := context.Cause(ctx); !errors.Is(cause, errAllRead) {
		return cause
	}
	return nil
}

var errAllRead = errors.New("all messages were read")

// produce sends the lines, again and again until there are enough.
func (j *job) produce(ctx context.Context, producer sarama.AsyncProducer) {
	keys := make([]sarama.Encoder, len(j.in.keys))
	for i, name := range j.in.keys {
		keys[i] = sarama.StringEncoder(name)
	}
	for n := range j.o.messages {
		l := j.in.lines[n%len(j.in.lines)]
		j.sent[l.key].add([]byte(l.text))
		msg := &sarama.ProducerMessage{Topic: j.topic, Key: keys[l.key], Value: sarama.StringEncoder(l.text), Metadata: time.Now()}
		select {
		case producer.Input() <- msg:
		case <-ctx.Done():
			return
		}
	}
}

// results counts what became of the messages.
func (j *job) results(producer sarama.AsyncProducer, cancel context.CancelCauseFunc) {
	successes, failures := producer.Successes(), producer.Errors()
	for successes != nil || failures != nil {
		select {
		case msg, ok := <-successes:
			if !ok {
				successes = nil
				continue
			}
			j.latency.add(time.Since(msg.Metadata.(time.Time)))
			j.bytesIn.Add(int64(msg.Key.Length() + msg.Value.Length()))
			j.produced.Add(1)
		case e, ok := <-failures:
			if !ok {
				failures = nil
				continue
			}
			j.failed.Add(1)
			cancel(e)
		}
	}
}

// consume reads one partition until everything was read from all of them.
func (j *job) consume(ctx context.Context, pc sarama.PartitionConsumer, cancel context.CancelCauseFunc) {
	defer func() { _ = pc.Close() }()
	key := make(map[string]int, len(j.in.keys))
	for i, name := range j.in.keys {
		key[name] = i
	}
	received := make([]chain, len(j.in.keys)) // of this partition; a key is in one partition only
	defer func() {
		j.mu.Lock()
		defer j.mu.Unlock()
		for i, c := range received {
			if c.n > 0 {
				j.mu.received[i] = c
			}
		}
	}()
	for {
		select {
		case msg := <-pc.Messages():
			i, ok := key[string(msg.Key)]
			if !ok {
				cancel(fmt.Errorf("partition %d, offset %d: key %q was never sent", msg.Partition, msg.Offset, msg.Key))
				return
			}
			received[i].add(msg.Value)
			j.bytesOut.Add(int64(len(msg.Key) + len(msg.Value)))
			if j.consumed.Add(1) == int64(j.o.messages) {
				cancel(errAllRead)
			}
		case e := <-pc.Errors():
			j.failed.Add(1)
			cancel(e)
			return
		case <-ctx.Done():
			return
		}
	}
}

// progress prints a line that renews itself.
func (j *job) progress(ctx context.Context, w io.Writer) {
	ticker := time.NewTicker(200 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			fmt.Fprintln(w)
			return
		}
		seconds := time.Since(j.start).Seconds()
		fmt.Fprintf(w, "\rproduced %d, consumed %d of %d messages, %.1f MB/s, %d errors ",
			j.produced.Load(), j.consumed.Load(), j.o.messages, float64(j.bytesOut.Load())/1e6/seconds, j.failed.Load())
	}
}

// check compares, key by key, what was sent to what was read.
func (j *job) check() error {
	for i, name := range j.in.keys {
		sent, got := j.sent[i], j.mu.received[i]
		switch {
		case sent.n != got.n:
			return fmt.Errorf("key %s: %d messages were sent, %d read", name, sent.n, got.n)
		case sent.sum != got.sum:
			return fmt.Errorf("key %s: the %d messages were not read as they were sent, or not in that order", name, sent.n)
		}
	}
	return nil
}

func (j *job) table(w io.Writer) {
	took := time.Since(j.start)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "\tmessages\tMB\tmessages/s\tMB/s\tp50\tp99\t")
	row := func(name string, n, size int64, p50, p99 string) {
		fmt.Fprintf(t, "%s\t%d\t%.1f\t%.0f\t%.1f\t%s\t%s\t\n", name, n, float64(size)/1e6,
			float64(n)/took.Seconds(), float64(size)/1e6/took.Seconds(), p50, p99)
	}
	row("produced", j.produced.Load(), j.bytesIn.Load(), j.latency.quantile(0.5).String(), j.latency.quantile(0.99).String())
	row("consumed", j.consumed.Load(), j.bytesOut.Load(), "", "")
	_ = t.Flush()
	fmt.Fprintf(w, "count, order per key (%d keys) and contents agree; codec %v, acks %d, idempotent %v\n",
		len(j.in.keys), j.o.codec, j.o.acks, j.o.idempotent)
}
