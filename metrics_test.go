package sarama

import (
	"bytes"
	"encoding/json"
	"log"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rcrowley/go-metrics"
)

// The averages of go-metrics itself, ticked by hand, are the oracle.
func TestMeterRatesAreThoseOfGoMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		random := rand.New(rand.NewPCG(3, 4))
		m, start := newMeter(), time.Now()
		want := []metrics.EWMA{metrics.NewEWMA1(), metrics.NewEWMA5(), metrics.NewEWMA15()}
		ticks, total := 0, int64(0)
		for step := range 400 {
			// From many events within a tick to pauses of several ticks.
			time.Sleep(time.Duration(random.Int64N(int64(12*time.Second))) >> random.IntN(6))
			for ; ticks < int(time.Since(start)/(5*time.Second)); ticks++ {
				for _, ewma := range want {
					ewma.Tick()
				}
			}
			if random.IntN(3) > 0 { // otherwise it is read only
				n := random.Int64N(1000)
				m.Mark(n)
				total += n
				for _, ewma := range want {
					ewma.Update(n)
				}
			}
			if step%3 != 0 {
				continue // reading must not make a difference
			}
			for i, got := range []float64{m.Rate1(), m.Rate5(), m.Rate15()} {
				if rate := want[i].Rate(); math.Abs(got-rate) > 1e-6*(1+rate) {
					t.Fatalf("after %v: average %d is %v, want %v", time.Since(start), i, got, rate)
				}
			}
			if mean := float64(total) / time.Since(start).Seconds(); m.Count() != total || math.Abs(m.RateMean()-mean) > 1e-6 {
				t.Fatalf("count %d, mean %v, want %d, %v", m.Count(), m.RateMean(), total, mean)
			}
		}
		s := m.Snapshot()
		time.Sleep(time.Hour)
		if s.Count() != total || s.Rate1() == 0 || s.Snapshot().Rate15() != s.Rate15() || s.RateMean() == m.RateMean() {
			t.Error("the snapshot moves")
		}
		if m.Rate1() > 1e-6 {
			t.Errorf("an hour later the rate still is %v", m.Rate1())
		}
	})
}

func TestMeterIsSilentBeforeItsFirstTick(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMeter()
		if m.RateMean() != 0 || m.Rate1() != 0 {
			t.Error("there is a rate before any event")
		}
		m.Mark(10)
		time.Sleep(5*time.Second - 1)
		if m.Rate1() != 0 {
			t.Error("there is an average before a tick")
		}
		time.Sleep(time.Nanosecond)
		if m.Rate1() != 2 || m.Rate5() != 2 || m.Rate15() != 2 {
			t.Errorf("10 events in 5 seconds give %v a second", m.Rate1())
		}
	})
}

func TestHistogramIsExactUntilItsSampleIsFull(t *testing.T) {
	h, exact := newHistogram(), metrics.NewHistogram(metrics.NewUniformSample(sampleSize))
	for i := range int64(sampleSize) {
		v := (i*i*7919)%100_000 - 500
		if i == 9 {
			v = math.MaxInt64
		}
		h.Update(v)
		exact.Update(v)
		if i%100 != 1 && i != sampleSize-1 {
			continue
		}
		ps := []float64{0, 0.5, 0.75, 0.95, 0.99, 0.999, 1}
		if !slices.Equal(h.Percentiles(ps), exact.Percentiles(ps)) || h.Percentile(0.5) != exact.Percentile(0.5) {
			t.Fatalf("after %d values: percentiles %v, want %v", i+1, h.Percentiles(ps), exact.Percentiles(ps))
		}
		if h.Count() != exact.Count() || h.Min() != exact.Min() || h.Max() != exact.Max() || h.Sum() != exact.Sum() {
			t.Fatalf("after %d values: %d from %d to %d", i+1, h.Count(), h.Min(), h.Max())
		}
		// The sums are of floats in another order.
		for _, x := range [][2]float64{{h.Mean(), exact.Mean()}, {h.StdDev(), exact.StdDev()}, {h.Variance(), exact.Variance()}} {
			if math.Abs(x[0]-x[1]) > 1e-9*math.Abs(x[1]) {
				t.Fatalf("after %d values: got %v, want %v", i+1, x[0], x[1])
			}
		}
	}
	if h.Sample().Size() != sampleSize || h.Snapshot().Sample().Size() != sampleSize {
		t.Errorf("the sample has %d values", h.Sample().Size())
	}
	s := h.Snapshot()
	h.Clear()
	if h.Count() != 0 || h.Max() != 0 || h.Sample().Size() != 0 || s.Count() != sampleSize || s.Snapshot().Max() != math.MaxInt64 {
		t.Error("Clear leaves something, or reaches the snapshot")
	}
	h.Update(5)
	if h.Count() != 1 || h.Min() != 5 || h.Max() != 5 {
		t.Error("it does not work after Clear")
	}
}

func TestHistogramTakesTheLowestValue(t *testing.T) {
	h := newHistogram()
	h.Update(math.MinInt64)
	if h.Sample().Size() != 1 || h.Min() != math.MinInt64+1 {
		t.Errorf("%d values, the least %d", h.Sample().Size(), h.Min())
	}
}

// In a sample whose weights fall by exp(-0.015) a second the mean age of values
// that came at a steady rate is known.
func TestHistogramForgetsWithTime(t *testing.T) {
	for _, c := range []struct {
		name      string
		perSecond int // in the first and in the second half
		then      int
		seconds   int
		want      float64
		tolerance float64
	}{
		// The limit of 1/0.015, for any rate.
		{"steady", 100, 100, 600, 66.7, 14},
		// 66.7 - 60·exp(-0.9)/(1-exp(-0.9)): no value counts for more since
		// it came early.
		{"young", 200, 200, 60, 25.6, 4},
		// Of 300 s at 200 and 300 s at 20 a second: the first half has
		// exp(-4.5)·10 of the weight of the second, which has an age of 63.4 on
		// average, and the first 363.3. The tolerances are some seven standard
		// deviations of a mean over the sample.
		{"falling", 200, 20, 600, 93.3, 24},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHistogram()
				for second := range c.seconds {
					n := c.perSecond
					if second >= c.seconds/2 {
						n = c.then
					}
					for range n {
						h.Update(int64(second))
					}
					time.Sleep(time.Second)
				}
				if age := float64(c.seconds) - h.Mean(); math.Abs(age-c.want) > c.tolerance {
					t.Errorf("the mean age is %.1f s, want %.1f", age, c.want)
				}
				if h.Sample().Size() != sampleSize {
					t.Errorf("the sample has %d values", h.Sample().Size())
				}
			})
		})
	}
}

func TestMetricsAreUpdatedFromManyGoroutines(t *testing.T) {
	m, h, c := newMeter(), newHistogram(), newCounter()
	const goroutines, updates = 8, 2000
	var wait sync.WaitGroup
	for g := range goroutines {
		wait.Go(func() {
			for i := range updates {
				// Ticks pass, and not in order.
				now := m.start + int64(i+g)*metricTick/10
				m.markAt(2, now)
				h.updateAt(int64(i), now)
				c.Inc(3)
				c.Dec(1)
				if i%100 == 0 {
					m.Snapshot()
					h.Snapshot().Percentile(0.5)
					c.Snapshot()
				}
			}
		})
	}
	wait.Wait()
	if m.Count() != goroutines*updates*2 || h.Count() != goroutines*updates || c.Count() != goroutines*updates*2 {
		t.Errorf("got %d, %d, %d", m.Count(), h.Count(), c.Count())
	}
	if h.Sample().Size() != sampleSize || h.Min() < 0 || h.Max() >= updates {
		t.Errorf("%d values from %d to %d", h.Sample().Size(), h.Min(), h.Max())
	}
	c.Clear()
	if c.Count() != 0 || c.Snapshot().Count() != 0 {
		t.Error("Clear leaves something")
	}
}

func registered(r metrics.Registry) []string {
	names := slices.Collect(maps.Keys(r.GetAll()))
	slices.Sort(names)
	return names
}

var (
	connectionNames = []string{
		"consumer-fetch-rate", "incoming-byte-rate", "outgoing-byte-rate", "request-latency-in-ms", "request-rate", "request-size",
		"requests-in-flight", "response-rate", "response-size",
	}
	producerNames = []string{"batch-size", "compression-ratio", "record-send-rate", "records-per-request"}
)

// forBroker returns names and, for the broker, the same and the throttle time.
func forBroker(suffix string, names ...string) []string {
	all := slices.Clone(names)
	for _, name := range append(names, "throttle-time-in-ms") {
		all = append(all, name+suffix)
	}
	slices.Sort(all)
	return all
}

func TestMetricNames(t *testing.T) {
	for _, c := range []struct {
		name     string
		register func(r metrics.Registry) (release func())
		want     []string
	}{
		{"seed", func(r metrics.Registry) func() { return newBrokerMetrics(r, -1).release }, connectionNames},
		{"broker", func(r metrics.Registry) func() { return newBrokerMetrics(r, 7).release }, forBroker("-for-broker-7", slices.Clone(connectionNames)...)},
		{"broker after a request", func(r metrics.Registry) func() {
			b := newBrokerMetrics(r, 0)
			b.requestSent(18, 20)
			return b.release
		}, forBroker("-for-broker-0", append(slices.Clone(connectionNames), "protocol-requests-rate-18")...)},
		{"producer", func(r metrics.Registry) func() {
			p := newProducerMetrics(r)
			p.forTopic("a.b.c")
			return p.release
		}, []string{
			"batch-size", "batch-size-for-topic-a_b_c", "compression-ratio", "compression-ratio-for-topic-a_b_c", "record-send-rate",
			"record-send-rate-for-topic-a_b_c", "records-per-request", "records-per-request-for-topic-a_b_c",
		}},
		{"producer without topics", func(r metrics.Registry) func() { return newProducerMetrics(r).release }, producerNames},
		{"consumer", func(r metrics.Registry) func() {
			c := newConsumerMetrics(r)
			c.fetchRate("a.b")
			return c.release
		}, []string{"consumer-batch-size", "consumer-fetch-rate-for-topic-a_b", "consumer-fetch-response-size"}},
		{"group", func(r metrics.Registry) func() { return newGroupMetrics(r, "my.group").release }, []string{
			"consumer-group-join-failed-my.group", "consumer-group-join-total-my.group",
			"consumer-group-sync-failed-my.group", "consumer-group-sync-total-my.group",
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := metrics.NewRegistry()
			release := c.register(r)
			if got := registered(r); !slices.Equal(got, c.want) {
				t.Errorf("registered\n%v, want\n%v", got, c.want)
			}
			again := c.register(r)
			release()
			if got := registered(r); !slices.Equal(got, c.want) {
				t.Errorf("while another owner is there: %v", got)
			}
			again()
			again()
			if got := registered(r); len(got) != 0 {
				t.Errorf("after the last owner: %v", got)
			}
		})
	}
}

func countOf(t *testing.T, r metrics.Registry, name string) int64 {
	t.Helper()
	switch m := r.Get(name).(type) {
	case metrics.Meter:
		return m.Count()
	case metrics.Histogram:
		return m.Count()
	case metrics.Counter:
		return m.Count()
	}
	t.Fatalf("%s is a %T", name, r.Get(name))
	return 0
}

func wantCounts(t *testing.T, r metrics.Registry, want map[string]int64) {
	t.Helper()
	for name, n := range want {
		if got := countOf(t, r, name); got != n {
			t.Errorf("%s counts %d, want %d", name, got, n)
		}
	}
}

func TestConnectionsShareTheMetricsOfTheirBroker(t *testing.T) {
	r := metrics.NewRegistry()
	first, second, other, seed := newBrokerMetrics(r, 1), newBrokerMetrics(r, 1), newBrokerMetrics(r, 2), newBrokerMetrics(r, -1)
	for i, b := range []*brokerMetrics{first, second, other, seed} {
		b.requestsInFlight.add(1)
		b.requestSent(0, 100+i)
		b.responseReceived(1000, 3*time.Millisecond)
		b.throttleTime.update(5)
		b.fetchRate.mark(1)
	}
	first.requestsInFlight.add(-1)
	wantCounts(t, r, map[string]int64{
		"request-rate": 4, "request-rate-for-broker-1": 2, "request-rate-for-broker-2": 1,
		"outgoing-byte-rate": 406, "outgoing-byte-rate-for-broker-1": 201, "outgoing-byte-rate-for-broker-2": 102,
		"incoming-byte-rate": 4000, "incoming-byte-rate-for-broker-1": 2000,
		"protocol-requests-rate-0": 4, "protocol-requests-rate-0-for-broker-1": 2,
		"request-size": 4, "response-size-for-broker-1": 2, "response-rate-for-broker-2": 1,
		"request-latency-in-ms": 4, "throttle-time-in-ms-for-broker-1": 2, "consumer-fetch-rate": 4, "consumer-fetch-rate-for-broker-1": 2,
		"requests-in-flight": 3, "requests-in-flight-for-broker-1": 1, "requests-in-flight-for-broker-2": 1,
	})
	h := r.Get("request-latency-in-ms").(metrics.Histogram)
	if h.Min() != 3 || h.Max() != 3 || r.Get("request-size").(metrics.Histogram).Max() != 103 {
		t.Error("the values are not those measured")
	}

	first.release()
	second.requestSent(0, 1)
	wantCounts(t, r, map[string]int64{"request-rate": 5, "request-rate-for-broker-1": 3})
	second.release()
	first.requestSent(0, 1) // unseen, and no harm
	first.requestSent(3, 1)
	for _, name := range registered(r) {
		if strings.HasSuffix(name, "-for-broker-1") || strings.HasPrefix(name, "protocol-requests-rate-3") {
			t.Errorf("%s is left", name)
		}
	}
	other.release()
	seed.release()
	if names := registered(r); len(names) > 0 {
		t.Errorf("%v are left", names)
	}
	// A broker that comes back counts from 0.
	newBrokerMetrics(r, 1)
	wantCounts(t, r, map[string]int64{"request-rate": 0, "requests-in-flight-for-broker-1": 0})
}

func TestProducerMetricsCountForTopicAndAll(t *testing.T) {
	r := metrics.NewRegistry()
	p := newProducerMetrics(r)
	if first := p.forTopic("a"); first != p.forTopic("a") {
		t.Error("a topic has two sets of metrics")
	}
	for _, topic := range []string{"a", "b"} {
		m := p.forTopic(topic)
		m.recordSendRate.mark(10)
		m.batchSize.update(100)
		m.compressionRatio.update(150)
		m.recordsPerRequest.update(10)
	}
	p.recordsPerRequest.update(20)
	wantCounts(t, r, map[string]int64{
		"record-send-rate": 20, "record-send-rate-for-topic-a": 10, "batch-size": 2, "batch-size-for-topic-b": 1,
		"compression-ratio": 2, "compression-ratio-for-topic-a": 1, "records-per-request": 1, "records-per-request-for-topic-a": 1,
	})
	c := newConsumerMetrics(r)
	c.fetchRate("a").mark(2)
	c.batchSize.update(5)
	c.fetchResponseSize.update(6)
	wantCounts(t, r, map[string]int64{"consumer-fetch-rate-for-topic-a": 2, "consumer-batch-size": 1, "consumer-fetch-response-size": 1})
	g := newGroupMetrics(r, "g")
	g.joinTotal.add(1)
	g.syncFailed.add(2)
	wantCounts(t, r, map[string]int64{"consumer-group-join-total-g": 1, "consumer-group-sync-failed-g": 2, "consumer-group-join-failed-g": 0})
}

func TestExportersOfGoMetricsReadTheMetrics(t *testing.T) {
	r := metrics.NewRegistry()
	b := newBrokerMetrics(r, 1)
	b.requestSent(0, 1234)
	b.responseReceived(77, time.Second)
	b.requestsInFlight.add(42)

	var text, logged bytes.Buffer
	metrics.WriteOnce(r, &text)
	cue := make(chan any, 1)
	cue <- nil
	close(cue)
	metrics.LogOnCue(r, cue, log.New(&logged, "", 0))
	for _, output := range []string{text.String(), logged.String()} {
		for _, want := range []string{"meter request-rate-for-broker-1\n", "histogram request-size\n", "counter requests-in-flight\n", "1234.00\n", "42\n"} {
			if !strings.Contains(output, want) {
				t.Errorf("%q is not in\n%s", want, output)
			}
		}
	}

	data, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]map[string]float64
	if err := json.Unmarshal(data, &all); err != nil {
		t.Fatal(err)
	}
	if all["request-size"]["median"] != 1234 || all["request-rate"]["count"] != 1 || all["requests-in-flight"]["count"] != 42 || all["request-latency-in-ms"]["99.9%"] != 1000 {
		t.Errorf("JSON: %s", data)
	}
	r.Each(func(name string, v any) {
		switch v.(type) {
		case metrics.Meter, metrics.Histogram, metrics.Counter:
		default:
			t.Errorf("%s is a %T", name, v)
		}
	})
}

func TestNoMetricsCostNothing(t *testing.T) {
	check := func(t *testing.T, r metrics.Registry) {
		b, p, c, g := newBrokerMetrics(r, 1), newProducerMetrics(r), newConsumerMetrics(r), newGroupMetrics(r, "g")
		topic, fetches := p.forTopic("t"), c.fetchRate("t")
		if allocs := testing.AllocsPerRun(100, func() {
			b.requestsInFlight.add(1)
			b.requestSent(0, 1)
			b.responseReceived(1, 1)
			b.protocolRequestsRate(3).mark(1)
			b.throttleTime.update(1)
			topic.recordSendRate.mark(1)
			topic.batchSize.update(1)
			fetches.mark(1)
			g.joinTotal.add(1)
		}); allocs > 0 {
			t.Errorf("%v allocations", allocs)
		}
		for _, release := range []func(){b.release, p.release, c.release, g.release} {
			release()
		}
	}
	check(t, nil)

	metrics.UseNilMetrics = true
	defer func() { metrics.UseNilMetrics = false }()
	r := metrics.NewRegistry()
	check(t, r)
	if names := registered(r); len(names) > 0 {
		t.Errorf("registered %v", names)
	}
}

func TestUpdatesDoNotAllocate(t *testing.T) {
	b := newBrokerMetrics(metrics.NewRegistry(), 1)
	for range 2 * sampleSize { // fill the samples
		b.requestSent(0, 1)
		b.responseReceived(1, 1)
	}
	if allocs := testing.AllocsPerRun(1000, func() {
		b.requestsInFlight.add(1)
		b.requestSent(0, 1)
		b.responseReceived(1, 1)
		b.requestsInFlight.add(-1)
	}); allocs >= 1 { // a tick allocates, once in 5 seconds
		t.Errorf("%v allocations a request", allocs)
	}
}

func TestMetricsThatUsersRegisteredAreUsedAndLeft(t *testing.T) {
	r := metrics.NewRegistry()
	m, h, c := metrics.NewMeter(), metrics.NewHistogram(metrics.NewUniformSample(10)), metrics.NewCounter()
	defer m.Stop()
	for name, metric := range map[string]any{
		"request-rate": m, "request-size": h, "requests-in-flight": c,
		"response-rate": metrics.NewCounter(), "response-size": metrics.NewCounter(), "requests-in-flight-for-broker-1": metrics.NewGauge(),
	} {
		if err := r.Register(name, metric); err != nil {
			t.Fatal(err)
		}
	}
	b := newBrokerMetrics(r, 1)
	b.requestSent(0, 50)
	b.responseReceived(1, 1) // into nothing, as the types do not fit
	b.requestsInFlight.add(1)
	if m.Count() != 1 || h.Max() != 50 || c.Count() != 1 {
		t.Errorf("got %d, %d, %d", m.Count(), h.Max(), c.Count())
	}
	wantCounts(t, r, map[string]int64{"response-rate": 0, "response-rate-for-broker-1": 1, "request-rate-for-broker-1": 1})
	b.release()
	want := []string{"request-rate", "request-size", "requests-in-flight", "requests-in-flight-for-broker-1", "response-rate", "response-size"}
	if got := registered(r); !slices.Equal(got, want) {
		t.Errorf("left %v, want %v", got, want)
	}
}

func TestReleaseLeavesAMetricThatTookTheName(t *testing.T) {
	r := metrics.NewRegistry()
	old := newProducerMetrics(r)
	r.UnregisterAll()
	current := newProducerMetrics(r)
	old.release()
	current.recordsPerRequest.update(1)
	wantCounts(t, r, map[string]int64{"records-per-request": 1, "batch-size": 0})
	current.release()
	if names := registered(r); len(names) > 0 {
		t.Errorf("left %v", names)
	}
}

// stickyRegistry keeps what was registered for ever.
type stickyRegistry struct{ metrics.Registry }

func (stickyRegistry) Unregister(string) {}

func TestARegistryThatKeepsMetricsBlocksNobody(t *testing.T) {
	r := stickyRegistry{metrics.NewRegistry()}
	newProducerMetrics(r).release()
	p := newProducerMetrics(r)
	p.forTopic("t").recordSendRate.mark(1)
	p.release()
}

func TestMetricsWorkThroughAPrefix(t *testing.T) {
	r := metrics.NewRegistry()
	prefixed := metrics.NewPrefixedChildRegistry(r, "app.")
	a, b := newProducerMetrics(prefixed), newProducerMetrics(prefixed)
	a.release()
	want := []string{"app.batch-size", "app.compression-ratio", "app.record-send-rate", "app.records-per-request"}
	if got := registered(r); !slices.Equal(got, want) {
		t.Errorf("registered %v", got)
	}
	b.release()
	if got := registered(r); len(got) > 0 {
		t.Errorf("left %v", got)
	}
}

// Connections to one broker open and close all the time: while any is open its
// metrics are registered, and what it measures is seen.
func TestOwnersComeAndGoFromManyGoroutines(t *testing.T) {
	r := metrics.NewRegistry()
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			for range 200 {
				b := newBrokerMetrics(r, 1)
				b.requestSent(0, 1)
				for _, name := range []string{"request-rate", "request-rate-for-broker-1", "protocol-requests-rate-0"} {
					if m, ok := r.Get(name).(metrics.Meter); !ok || m.Count() == 0 {
						t.Errorf("%s is a %T while it is measured", name, r.Get(name))
						return
					}
				}
				b.release()
			}
		})
	}
	wait.Wait()
	if names := registered(r); len(names) > 0 {
		t.Errorf("left %v", names)
	}
}

func TestReleaseWhileMetricsAreLookedUpLeavesNothing(t *testing.T) {
	r := metrics.NewRegistry()
	for range 100 {
		b := newBrokerMetrics(r, 1)
		var wait sync.WaitGroup
		for range 4 {
			wait.Go(func() {
				for key := range int16(20) {
					b.requestSent(key, 1)
				}
			})
		}
		b.release()
		wait.Wait()
	}
	if names := registered(r); len(names) > 0 {
		t.Errorf("left %v", names)
	}
}

func TestUnknownAPIKeysHaveNoMeter(t *testing.T) {
	b := newBrokerMetrics(metrics.NewRegistry(), 1)
	for _, key := range []int16{-1, maxMetricAPIKey + 1, math.MaxInt16} {
		if b.protocolRequestsRate(key) != (meterPair{}) {
			t.Errorf("key %d has one", key)
		}
	}
	if b.protocolRequestsRate(maxMetricAPIKey) == (meterPair{}) {
		t.Error("the last key has none")
	}
}
