package sarama

import (
	"math"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/rcrowley/go-metrics"
)

// The metrics of this package are of its own make. Those of go-metrics take a
// lock for every update of a histogram, and the meters need a goroutine. These
// are updated with atomics alone and follow the clock when they are touched.
// All of them satisfy the interfaces of go-metrics, so that its exporters, and
// those built on it, read them like any other.

// metricEpoch is where metricNow counts from. What it is does not matter.
var metricEpoch = time.Now()

// metricNow is the monotonic time in nanoseconds, for the …At methods. A
// caller that updates several metrics at once asks for it once.
func metricNow() int64 { return int64(time.Since(metricEpoch)) }

// metricTick is the grain of the moving averages and of the decay, as in
// go-metrics.
const metricTick = int64(5 * time.Second)

// meterState is what a meter knew at the end of a tick. It is immutable.
type meterState struct {
	tick    int64 // number of the tick that runs, from 0
	counted int64 // events in all ticks before it
	rates   [3]float64
}

// meter is a metrics.Meter: a count of events and its moving averages over 1,
// 5 and 15 minutes, in events per second. The averages move on at the first
// touch after each tick of 5 seconds. As every Mark is such a touch, the events
// that are uncounted then all belong to one tick, and the ticks since had none:
// the result is the same as if a goroutine had ticked, without one.
type meter struct {
	metricOwners

	// Constant after newMeter.
	start int64

	// Atomic, any goroutine.
	count atomic.Int64
	state atomic.Pointer[meterState]
}

var _ metrics.Meter = (*meter)(nil)

// meterDecay is how much of an average is left after a tick, for 1, 5 and 15
// minutes.
var meterDecay = func() (decay [3]float64) {
	for i, minutes := range []float64{1, 5, 15} {
		decay[i] = math.Exp(-5 / (60 * minutes))
	}
	return decay
}()

func newMeter() *meter {
	m := &meter{start: metricNow()}
	m.metricOwners.init()
	m.state.Store(&meterState{})
	return m
}

// Mark counts n events.
func (m *meter) Mark(n int64) { m.markAt(n, metricNow()) }

func (m *meter) markAt(n int64, now int64) {
	m.settle(now)
	m.count.Add(n)
}

// settle brings the averages up to the last tick that ended before now.
func (m *meter) settle(now int64) *meterState {
	old := m.state.Load()
	tick := (now - m.start) / metricTick
	if tick <= old.tick {
		return old
	}
	count := m.count.Load()
	perSecond := float64(count-old.counted) / time.Duration(metricTick).Seconds()
	next := &meterState{tick: tick, counted: count}
	idle := float64(tick - old.tick - 1)
	for i, decay := range meterDecay {
		rate := perSecond // the first tick sets the average
		if old.tick > 0 {
			rate += decay * (old.rates[i] - perSecond)
		}
		next.rates[i] = rate * math.Pow(decay, idle)
	}
	if m.state.CompareAndSwap(old, next) {
		return next
	}
	return m.state.Load() // another goroutine settled the same tick
}

// Count returns the number of events.
func (m *meter) Count() int64 { return m.count.Load() }

// Rate1 returns the moving average over one minute.
func (m *meter) Rate1() float64 { return m.settle(metricNow()).rates[0] }

// Rate5 returns the moving average over 5 minutes.
func (m *meter) Rate5() float64 { return m.settle(metricNow()).rates[1] }

// Rate15 returns the moving average over 15 minutes.
func (m *meter) Rate15() float64 { return m.settle(metricNow()).rates[2] }

// RateMean returns the events per second since the meter was made.
func (m *meter) RateMean() float64 { return m.meanAt(metricNow()) }

func (m *meter) meanAt(now int64) float64 {
	count := m.count.Load()
	if count == 0 || now <= m.start {
		return 0
	}
	return float64(count) / time.Duration(now-m.start).Seconds()
}

// Snapshot returns the present values.
func (m *meter) Snapshot() metrics.Meter {
	now := metricNow()
	return &meterSnapshot{count: m.count.Load(), rates: m.settle(now).rates, mean: m.meanAt(now)}
}

// Stop does nothing: there is nothing that runs.
func (m *meter) Stop() {}

// meterSnapshot is a meter that stands still.
type meterSnapshot struct {
	count int64
	rates [3]float64
	mean  float64
}

func (s *meterSnapshot) Count() int64            { return s.count }
func (s *meterSnapshot) Mark(int64)              {}
func (s *meterSnapshot) Rate1() float64          { return s.rates[0] }
func (s *meterSnapshot) Rate5() float64          { return s.rates[1] }
func (s *meterSnapshot) Rate15() float64         { return s.rates[2] }
func (s *meterSnapshot) RateMean() float64       { return s.mean }
func (s *meterSnapshot) Snapshot() metrics.Meter { return s }
func (s *meterSnapshot) Stop()                   {}

const (
	sampleChunks     = 16
	sampleChunkSize  = 64
	sampleSize       = sampleChunks * sampleChunkSize
	sampleDecayPerS  = 0.015
	sampleEmptySlot  = 0
	sampleSignOffset = 1 << 63
)

// sampleState is how many values a histogram had seen when a tick began. It is
// immutable.
type sampleState struct {
	tick    int64   // number of the tick that runs, from 0
	counted int64   // values in all ticks before it
	decayed float64 // the same, each weighing exp(-0.015) less for a second
}

// histogram is a metrics.Histogram over a sample of 1024 values, in which a
// value of 5 minutes ago stands for about a hundredth of a new one: a share
// that falls by exp(-0.015) a second, as in the histograms that Sarama used.
//
// The first 1024 values all go in, so up to there every figure is exact. After
// that a value goes in with the probability 1024/D, into a slot drawn at
// random, where D is the decayed number of values seen. One value then is
// lost with the probability 1/D for each that comes, so its chance to be in
// the sample is 1024·exp(-0.015·age)/D at any rate of values, steady or not.
// D moves on at the first touch after each tick of 5 seconds.
//
// Count is that of all values; Min, Max, Mean, Sum and the percentiles are of
// the sample.
type histogram struct {
	metricOwners

	// Constant after newHistogram.
	start int64

	// Atomic, any goroutine. Slots hold the values with the sign bit turned
	// over, so that 0 stands for an empty one.
	count  atomic.Int64
	state  atomic.Pointer[sampleState]
	chunks [sampleChunks]atomic.Pointer[[sampleChunkSize]atomic.Uint64]
}

var _ metrics.Histogram = (*histogram)(nil)

func newHistogram() *histogram {
	h := &histogram{start: metricNow()}
	h.metricOwners.init()
	h.state.Store(&sampleState{})
	return h
}

// Update adds a value.
func (h *histogram) Update(v int64) { h.updateAt(v, metricNow()) }

func (h *histogram) updateAt(v int64, now int64) {
	state := h.settle(now)
	n := h.count.Add(1)
	if n <= sampleSize {
		h.store(int(n-1), v)
		return
	}
	decayed := state.decayed + float64(n-state.counted)
	if rand.Float64()*decayed < sampleSize {
		h.store(rand.IntN(sampleSize), v)
	}
}

func (h *histogram) settle(now int64) *sampleState {
	old := h.state.Load()
	tick := (now - h.start) / metricTick
	if tick <= old.tick {
		return old
	}
	count := h.count.Load()
	elapsed := time.Duration((tick - old.tick) * metricTick).Seconds()
	next := &sampleState{
		tick:    tick,
		counted: count,
		decayed: (old.decayed + float64(count-old.counted)) * math.Exp(-sampleDecayPerS*elapsed),
	}
	if h.state.CompareAndSwap(old, next) {
		return next
	}
	return h.state.Load()
}

// store puts a value into a slot. Most histograms never see many values, so
// slots are allocated by the chunk.
func (h *histogram) store(slot int, v int64) {
	pointer := &h.chunks[slot/sampleChunkSize]
	chunk := pointer.Load()
	if chunk == nil {
		pointer.CompareAndSwap(nil, new([sampleChunkSize]atomic.Uint64))
		chunk = pointer.Load()
		if chunk == nil {
			return // cleared in between
		}
	}
	chunk[slot%sampleChunkSize].Store(uint64(max(v, math.MinInt64+1)) ^ sampleSignOffset)
}

// sample returns the values, in no order.
func (h *histogram) sample() *metrics.SampleSnapshot {
	count := h.count.Load()
	values := make([]int64, 0, max(0, min(count, sampleSize)))
	for i := range h.chunks {
		chunk := h.chunks[i].Load()
		if chunk == nil {
			continue
		}
		for j := range chunk {
			if slot := chunk[j].Load(); slot != sampleEmptySlot {
				values = append(values, int64(slot^sampleSignOffset))
			}
		}
	}
	return metrics.NewSampleSnapshot(count, values)
}

// Clear forgets all values.
func (h *histogram) Clear() {
	for i := range h.chunks {
		h.chunks[i].Store(nil)
	}
	h.state.Store(&sampleState{tick: h.state.Load().tick})
	h.count.Store(0)
}

// Count returns the number of all values.
func (h *histogram) Count() int64 { return h.count.Load() }

// Max returns the highest value of the sample.
func (h *histogram) Max() int64 { return h.sample().Max() }

// Mean returns the mean of the sample.
func (h *histogram) Mean() float64 { return h.sample().Mean() }

// Min returns the lowest value of the sample.
func (h *histogram) Min() int64 { return h.sample().Min() }

// Percentile returns the value below which the share p of the sample lies, with
// p from 0 to 1.
func (h *histogram) Percentile(p float64) float64 { return h.sample().Percentile(p) }

// Percentiles returns Percentile of each of ps, all of one moment.
func (h *histogram) Percentiles(ps []float64) []float64 { return h.sample().Percentiles(ps) }

// Sample returns the present sample. Unlike the histogram it stands still.
func (h *histogram) Sample() metrics.Sample { return h.sample() }

// Snapshot returns the present values.
func (h *histogram) Snapshot() metrics.Histogram { return histogramSnapshot{h.sample()} }

// StdDev returns the standard deviation of the sample.
func (h *histogram) StdDev() float64 { return h.sample().StdDev() }

// Sum returns the sum of the sample.
func (h *histogram) Sum() int64 { return h.sample().Sum() }

// Variance returns the variance of the sample.
func (h *histogram) Variance() float64 { return h.sample().Variance() }

// histogramSnapshot is a histogram that stands still. Like the snapshots of
// go-metrics it panics when it is updated or cleared.
type histogramSnapshot struct {
	*metrics.SampleSnapshot
}

func (s histogramSnapshot) Sample() metrics.Sample      { return s.SampleSnapshot }
func (s histogramSnapshot) Snapshot() metrics.Histogram { return s }

// counter is a metrics.Counter: a number that goes up and down.
type counter struct {
	metricOwners

	// Atomic, any goroutine.
	n atomic.Int64
}

var _ metrics.Counter = (*counter)(nil)

func newCounter() *counter {
	c := &counter{}
	c.metricOwners.init()
	return c
}

// Clear sets the counter to 0.
func (c *counter) Clear() { c.n.Store(0) }

// Count returns the number.
func (c *counter) Count() int64 { return c.n.Load() }

// Dec subtracts n.
func (c *counter) Dec(n int64) { c.n.Add(-n) }

// Inc adds n.
func (c *counter) Inc(n int64) { c.n.Add(n) }

// Snapshot returns the present number.
func (c *counter) Snapshot() metrics.Counter { return metrics.CounterSnapshot(c.n.Load()) }
