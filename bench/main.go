// Command bench runs one workload through the Sarama API and prints what it
// cost as a line of JSON. It uses only what upstream exports, so that it builds
// against upstream and, with a replace, against this module.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/IBM/sarama"
)

// result is what a run cost.
type result struct {
	Mode           string  `json:"mode"`
	Messages       int     `json:"messages"`
	CPUSecondsPerM float64 `json:"cpu_s_per_million"`
	AllocsPerMsg   float64 `json:"allocs_per_message"`
	BytesPerMsg    float64 `json:"bytes_per_message"`
	WallSeconds    float64 `json:"wall_s"`
	P50Micros      float64 `json:"p50_us,omitempty"`
	P99Micros      float64 `json:"p99_us,omitempty"`

	CPUMillisPerSecond float64 `json:"cpu_ms_per_s,omitempty"`
	BytesOutPerSecond  float64 `json:"bytes_out_per_s,omitempty"`
	BytesInPerSecond   float64 `json:"bytes_in_per_s,omitempty"`
}

type params struct {
	brokers    []string
	topic      string
	partitions int
	n, warm    int
	size       int
	linger     time.Duration
	codec      sarama.CompressionCodec
	idempotent bool
	duration   time.Duration
}

func main() {
	var p params
	mode := flag.String("mode", "produce", "produce, consume, sync or idle")
	brokers := flag.String("brokers", "127.0.0.1:9092", "addresses")
	flag.StringVar(&p.topic, "topic", "bench", "topic")
	flag.IntVar(&p.partitions, "partitions", 6, "partitions of the topic")
	flag.IntVar(&p.n, "n", 500_000, "messages measured")
	flag.IntVar(&p.warm, "warm", 100_000, "messages before that")
	flag.IntVar(&p.size, "size", 100, "bytes of a value")
	flag.DurationVar(&p.linger, "linger", 5*time.Millisecond, "Producer.Flush.Frequency")
	flag.TextVar(&p.codec, "compression", sarama.CompressionNone, "codec")
	flag.BoolVar(&p.idempotent, "idempotent", false, "idempotent producer")
	flag.DurationVar(&p.duration, "for", 20*time.Second, "how long idle measures")
	flag.Parse()
	p.brokers = strings.Split(*brokers, ",")
	run, ok := map[string]func(*params) (*result, error){"produce": produce, "consume": consume, "sync": syncProduce, "idle": idle}[*mode]
	if !ok {
		fmt.Fprintf(os.Stderr, "bench: no mode %q\n", *mode)
		os.Exit(2)
	}
	r, err := run(&p)
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	r.Mode = *mode
	_ = json.NewEncoder(os.Stdout).Encode(r)
}

// meter measures from its making to its stop.
type meter struct {
	cpu   time.Duration
	mem   runtime.MemStats
	start time.Time
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func startMeter() *meter {
	m := new(meter)
	runtime.GC()
	runtime.ReadMemStats(&m.mem)
	m.cpu, m.start = cpuTime(), time.Now()
	return m
}

func (m *meter) stop(n int) *result {
	cpu, wall := cpuTime()-m.cpu, time.Since(m.start)
	var now runtime.MemStats
	runtime.ReadMemStats(&now)
	return &result{
		Messages: n, CPUSecondsPerM: cpu.Seconds() * 1e6 / float64(n), WallSeconds: wall.Seconds(),
		AllocsPerMsg: float64(now.Mallocs-m.mem.Mallocs) / float64(n),
		BytesPerMsg:  float64(now.TotalAlloc-m.mem.TotalAlloc) / float64(n),
	}
}

func (p *params) config() *sarama.Config {
	c := sarama.NewConfig()
	c.ClientID = "bench"
	c.Producer.Return.Successes = true
	c.Producer.Flush.Frequency = p.linger
	c.Producer.Compression = p.codec
	c.Producer.Partitioner = sarama.NewRoundRobinPartitioner
	if p.idempotent {
		c.Producer.Idempotent, c.Producer.RequiredAcks, c.Net.MaxOpenRequests = true, sarama.WaitForAll, 1
	}
	return c
}

// values are boxed once, so that the one allocation that the application makes
// for a message is the message.
func (p *params) values() []sarama.Encoder {
	list := make([]sarama.Encoder, 1024)
	for i := range list {
		b := make([]byte, p.size)
		for j := range b {
			b[j] = byte('a' + (i*31+j*7)%26)
		}
		list[i] = sarama.ByteEncoder(b)
	}
	return list
}

func produce(p *params) (*result, error) {
	prod, err := sarama.NewAsyncProducer(p.brokers, p.config())
	if err != nil {
		return nil, err
	}
	values := p.values()
	marks := make(chan struct{}, 2)
	go func() {
		n := 0
		for range prod.Successes() {
			if n++; n == p.warm || n == p.warm+p.n {
				marks <- struct{}{}
			}
		}
	}()
	failed := make(chan error, 1)
	go func() {
		for e := range prod.Errors() {
			select {
			case failed <- e:
			default:
			}
		}
	}()
	var m *meter
	for _, n := range []int{p.warm, p.n} {
		m = startMeter()
		for i := range n {
			prod.Input() <- &sarama.ProducerMessage{Topic: p.topic, Value: values[i&1023]}
		}
		select {
		case <-marks:
		case err := <-failed:
			return nil, err
		}
	}
	return m.stop(p.n), prod.Close()
}

func syncProduce(p *params) (*result, error) {
	p.linger = 0
	prod, err := sarama.NewSyncProducer(p.brokers, p.config())
	if err != nil {
		return nil, err
	}
	values := p.values()
	took := make([]float64, p.n)
	var m *meter
	for _, n := range []int{p.warm, p.n} {
		m = startMeter()
		for i := range n {
			start := time.Now()
			if _, _, err := prod.SendMessage(&sarama.ProducerMessage{Topic: p.topic, Value: values[i&1023]}); err != nil {
				return nil, err
			}
			if n == p.n {
				took[i] = float64(time.Since(start).Nanoseconds()) / 1e3
			}
		}
	}
	r := m.stop(p.n)
	slices.Sort(took)
	r.P50Micros, r.P99Micros = took[p.n/2], took[p.n*99/100]
	return r, prod.Close()
}

// consume reads what a produce run has left in the topic.
func consume(p *params) (*result, error) {
	cons, err := sarama.NewConsumer(p.brokers, p.config())
	if err != nil {
		return nil, err
	}
	counts := make(chan int, p.partitions)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for id := range p.partitions {
		pc, err := cons.ConsumePartition(p.topic, int32(id), sarama.OffsetOldest)
		if err != nil {
			return nil, err
		}
		wg.Go(func() {
			n := 0
			for {
				select {
				case <-pc.Messages():
					if n++; n == 128 {
						counts <- n
						n = 0
					}
				case <-stop:
					_ = pc.Close()
					return
				}
			}
		})
	}
	for n := 0; n < p.warm; {
		n += <-counts
	}
	m := startMeter()
	n := 0
	for n < p.n {
		n += <-counts
	}
	r := m.stop(n)
	close(stop)
	go func() {
		for range counts { // let those go on who are about to report
			continue
		}
	}()
	wg.Wait()
	return r, cons.Close()
}

// idle consumes all partitions of a topic that nobody writes to.
func idle(p *params) (*result, error) {
	conf := p.config()
	cons, err := sarama.NewConsumer(p.brokers, conf)
	if err != nil {
		return nil, err
	}
	var pcs []sarama.PartitionConsumer
	for partition := range int32(p.partitions) {
		pc, err := cons.ConsumePartition(p.topic, partition, sarama.OffsetNewest)
		if err != nil {
			return nil, err
		}
		pcs = append(pcs, pc)
	}
	awaitIdle(conf)
	out, in := bytesMoved(conf)
	m := startMeter()
	cpu := m.cpu
	<-time.After(p.duration)
	r := m.stop(1)
	outNow, inNow := bytesMoved(conf)
	seconds := r.WallSeconds
	r = &result{
		WallSeconds:        seconds,
		CPUMillisPerSecond: float64((cpuTime() - cpu).Microseconds()) / 1000 / seconds,
		BytesOutPerSecond:  float64(outNow-out) / seconds, BytesInPerSecond: float64(inNow-in) / seconds,
	}
	for _, pc := range pcs {
		pc.AsyncClose()
	}
	return r, cons.Close()
}

// awaitIdle returns when a second has gone by like the one before: all that has
// to be said once has been said then.
func awaitIdle(conf *sarama.Config) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	last, lastSecond := int64(0), int64(-1)
	for range tick.C {
		out, in := bytesMoved(conf)
		second := out + in - last
		if last += second; lastSecond >= 0 && second*10 < lastSecond*11+1000 && lastSecond*10 < second*11+1000 {
			return
		}
		lastSecond = second
	}
}

// bytesMoved is how many bytes all connections have sent and received.
func bytesMoved(conf *sarama.Config) (out, in int64) {
	count := func(name string) int64 {
		if m, ok := conf.MetricRegistry.Get(name).(interface{ Count() int64 }); ok {
			return m.Count()
		}
		return 0
	}
	return count("outgoing-byte-rate"), count("incoming-byte-rate")
}
