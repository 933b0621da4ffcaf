package sarama

import (
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rcrowley/go-metrics"
)

// metricOwners counts who shares a registered metric. Whoever looks up a name
// joins, so all connections to a broker share one metric; who leaves last
// unregisters it.
type metricOwners struct {
	// Atomic. -1 from when the last owner left.
	n atomic.Int64
	// Closed when the last owner has unregistered the metric.
	gone chan struct{}
}

func (o *metricOwners) init() { o.gone = make(chan struct{}) }

func (o *metricOwners) owners() *metricOwners { return o }

// join adds an owner, unless the last one has left.
func (o *metricOwners) join() bool {
	for {
		n := o.n.Load()
		if n < 0 {
			return false
		}
		if o.n.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// leave takes an owner away and reports whether it was the last.
func (o *metricOwners) leave() bool {
	for {
		n := o.n.Load()
		if n == 1 {
			if o.n.CompareAndSwap(1, -1) {
				return true
			}
		} else if o.n.CompareAndSwap(n, n-1) {
			return false
		}
	}
}

// ownedMetric is a metric of this package, as against one that somebody else
// put into the registry.
type ownedMetric interface {
	owners() *metricOwners
}

// metricSet is the metrics that one owner uses: a connection, a producer, a
// consumer, a group. No lock is held while the user's registry is called.
type metricSet struct {
	// Constant after newMetricSet. Nil: no metrics.
	registry metrics.Registry

	// mu guards.
	mu struct {
		sync.Mutex
		released bool
		held     []heldMetric
	}
}

type heldMetric struct {
	name   string
	metric ownedMetric
}

// newMetricSet returns an empty set on registry. If registry is nil, or
// metrics.UseNilMetrics is set, all metrics of the set do nothing.
func newMetricSet(registry metrics.Registry) *metricSet {
	s := &metricSet{}
	if !metrics.UseNilMetrics {
		s.registry = registry
	}
	return s
}

// share returns what the registry has under name, made by fresh if it has
// nothing. It returns nil once the set was released. A metric that is not of
// this package, because a user registered it, is returned as it is, and stays
// when the set is released.
func (s *metricSet) share(name string, fresh func() ownedMetric) any {
	var left ownedMetric
	for {
		found := s.registry.GetOrRegister(name, fresh())
		metric, ok := found.(ownedMetric)
		if !ok {
			return found
		}
		if metric == left { // it does not unregister, so there is none to share
			return fresh()
		}
		if metric.owners().join() {
			if !s.hold(heldMetric{name, metric}) {
				return nil
			}
			return metric
		}
		// The last owner is about to unregister it.
		<-metric.owners().gone
		left = metric
	}
}

// hold keeps the metric for release, or gives it up if that was called.
func (s *metricSet) hold(h heldMetric) bool {
	s.mu.Lock()
	released := s.mu.released
	if !released {
		s.mu.held = append(s.mu.held, h)
	}
	s.mu.Unlock()
	if released {
		s.letGo(h)
	}
	return !released
}

// release gives all metrics of the set up; those that no other set has are
// unregistered. Afterwards the set registers nothing. What was looked up
// before can still be updated, unseen. Releasing again does nothing.
func (s *metricSet) release() {
	s.mu.Lock()
	held := s.mu.held
	s.mu.held = nil
	s.mu.released = true
	s.mu.Unlock()
	for _, h := range held {
		s.letGo(h)
	}
}

func (s *metricSet) letGo(h heldMetric) {
	owners := h.metric.owners()
	if !owners.leave() {
		return
	}
	defer close(owners.gone)
	// A user may have unregistered it, and another may have the name by now.
	if s.registry.Get(h.name) == any(h.metric) {
		s.registry.Unregister(h.name)
	}
}

// marker is a meter, of this package or not.
type marker interface {
	markAt(n int64, now int64)
}

// updater is a histogram, of this package or not.
type updater interface {
	updateAt(v int64, now int64)
}

// adder is a counter, of this package or not.
type adder interface {
	Inc(n int64)
}

type foreignMeter struct{ metrics.Meter }

func (m foreignMeter) markAt(n int64, _ int64) { m.Mark(n) }

type foreignHistogram struct{ metrics.Histogram }

func (h foreignHistogram) updateAt(v int64, _ int64) { h.Update(v) }

func (s *metricSet) meter(name string) marker {
	if s.registry == nil {
		return nil
	}
	switch m := s.share(name, func() ownedMetric { return newMeter() }).(type) {
	case *meter:
		return m
	case metrics.Meter:
		return foreignMeter{m}
	}
	return nil // the user has something else there
}

func (s *metricSet) histogram(name string) updater {
	if s.registry == nil {
		return nil
	}
	switch h := s.share(name, func() ownedMetric { return newHistogram() }).(type) {
	case *histogram:
		return h
	case metrics.Histogram:
		return foreignHistogram{h}
	}
	return nil
}

func (s *metricSet) counter(name string) adder {
	if s.registry == nil {
		return nil
	}
	if c, ok := s.share(name, func() ownedMetric { return newCounter() }).(metrics.Counter); ok {
		return c
	}
	return nil
}

// meterPair is a meter for everything and one for a broker or topic. Either
// may be nil; the zero value does nothing and costs nothing.
type meterPair struct{ all, one marker }

func (p meterPair) mark(n int64) {
	if p.all != nil || p.one != nil {
		p.markAt(n, metricNow())
	}
}

func (p meterPair) markAt(n int64, now int64) {
	if p.all != nil {
		p.all.markAt(n, now)
	}
	if p.one != nil {
		p.one.markAt(n, now)
	}
}

// histogramPair is a histogram for everything and one for a broker or topic,
// either of which may be nil.
type histogramPair struct{ all, one updater }

func (p histogramPair) update(v int64) {
	if p.all != nil || p.one != nil {
		p.updateAt(v, metricNow())
	}
}

func (p histogramPair) updateAt(v int64, now int64) {
	if p.all != nil {
		p.all.updateAt(v, now)
	}
	if p.one != nil {
		p.one.updateAt(v, now)
	}
}

// counterPair is a counter for everything and one for a broker, either of which
// may be nil.
type counterPair struct{ all, one adder }

func (p counterPair) add(n int64) {
	if p.all != nil {
		p.all.Inc(n)
	}
	if p.one != nil {
		p.one.Inc(n)
	}
}

func brokerMetricName(name string, id int32) string {
	return name + "-for-broker-" + strconv.Itoa(int(id))
}

// topicMetricName leaves no dots in the topic, since they separate the parts of
// a name in graphite and others.
func topicMetricName(name, topic string) string {
	return name + "-for-topic-" + strings.ReplaceAll(topic, ".", "_")
}

// maxMetricAPIKey bounds the API keys that have a meter of their own.
const maxMetricAPIKey = 127

// brokerMetrics are those of one connection. The ones for its broker are shared
// with all other connections to that broker, the ones without a broker with all
// connections. All methods may be called from any goroutine.
type brokerMetrics struct {
	set *metricSet
	id  int32 // negative: a seed, which has no metrics for its broker

	incomingByteRate meterPair
	requestRate      meterPair
	outgoingByteRate meterPair
	responseRate     meterPair
	fetchRate        meterPair // Fetch requests

	requestSize    histogramPair // bytes
	requestLatency histogramPair // ms, from the write to the response
	responseSize   histogramPair // bytes
	throttleTime   histogramPair // ms, for the broker only

	// requestsInFlight is requests sent and not answered. Who gives a
	// connection up subtracts what it added.
	requestsInFlight counterPair

	// Atomic, any goroutine: made at the first request of a kind.
	protocolRequests [maxMetricAPIKey + 1]atomic.Pointer[meterPair]
}

// newBrokerMetrics registers what a connection to broker id measures.
func newBrokerMetrics(registry metrics.Registry, id int32) *brokerMetrics {
	b := &brokerMetrics{set: newMetricSet(registry), id: id}
	b.incomingByteRate = b.meters("incoming-byte-rate")
	b.requestRate = b.meters("request-rate")
	b.outgoingByteRate = b.meters("outgoing-byte-rate")
	b.responseRate = b.meters("response-rate")
	b.fetchRate = b.meters("consumer-fetch-rate")
	b.requestSize = b.histograms("request-size")
	b.requestLatency = b.histograms("request-latency-in-ms")
	b.responseSize = b.histograms("response-size")
	b.requestsInFlight.all = b.set.counter("requests-in-flight")
	if id >= 0 {
		b.requestsInFlight.one = b.set.counter(brokerMetricName("requests-in-flight", id))
		b.throttleTime.one = b.set.histogram(brokerMetricName("throttle-time-in-ms", id))
	}
	return b
}

func (b *brokerMetrics) meters(name string) meterPair {
	pair := meterPair{all: b.set.meter(name)}
	if b.id >= 0 {
		pair.one = b.set.meter(brokerMetricName(name, b.id))
	}
	return pair
}

func (b *brokerMetrics) histograms(name string) histogramPair {
	pair := histogramPair{all: b.set.histogram(name)}
	if b.id >= 0 {
		pair.one = b.set.histogram(brokerMetricName(name, b.id))
	}
	return pair
}

// protocolRequestsRate returns the meter of the requests with an API key.
func (b *brokerMetrics) protocolRequestsRate(key int16) meterPair {
	if b.set.registry == nil || key < 0 || key > maxMetricAPIKey {
		return meterPair{}
	}
	slot := &b.protocolRequests[key]
	if pair := slot.Load(); pair != nil {
		return *pair
	}
	pair := b.meters("protocol-requests-rate-" + strconv.Itoa(int(key)))
	slot.Store(&pair) // of two at a time both count, for the same meters
	return pair
}

// requestSent measures a request of sizeBytes that was written.
func (b *brokerMetrics) requestSent(key int16, sizeBytes int) {
	if b.set.registry == nil {
		return
	}
	now, size := metricNow(), int64(sizeBytes)
	b.outgoingByteRate.markAt(size, now)
	b.requestRate.markAt(1, now)
	b.requestSize.updateAt(size, now)
	b.protocolRequestsRate(key).markAt(1, now)
}

// responseReceived measures a response of sizeBytes that came latency after its
// request was written.
func (b *brokerMetrics) responseReceived(sizeBytes int, latency time.Duration) {
	if b.set.registry == nil {
		return
	}
	now, size := metricNow(), int64(sizeBytes)
	b.incomingByteRate.markAt(size, now)
	b.responseRate.markAt(1, now)
	b.responseSize.updateAt(size, now)
	b.requestLatency.updateAt(latency.Milliseconds(), now)
}

// release gives the metrics up, when the connection has ended.
func (b *brokerMetrics) release() { b.set.release() }

// producerMetrics are those of one producer.
type producerMetrics struct {
	set *metricSet

	recordsPerRequest histogramPair // of all topics of a request together

	// The parts of topicMetrics that are for all topics.
	recordSendRate   marker
	batchSize        updater
	compressionRatio updater

	// Any goroutine: topic name to *topicMetrics.
	topics sync.Map
}

// topicMetrics are those of one topic of a producer, updated for each batch.
type topicMetrics struct {
	recordSendRate    meterPair
	batchSize         histogramPair // bytes of a batch as it is sent
	compressionRatio  histogramPair // per cent: bytes before to after
	recordsPerRequest histogramPair // of this topic only
}

func newProducerMetrics(registry metrics.Registry) *producerMetrics {
	s := newMetricSet(registry)
	return &producerMetrics{
		set:               s,
		recordsPerRequest: histogramPair{all: s.histogram("records-per-request")},
		recordSendRate:    s.meter("record-send-rate"),
		batchSize:         s.histogram("batch-size"),
		compressionRatio:  s.histogram("compression-ratio"),
	}
}

// forTopic returns the metrics of a topic; keep them where there is a place to.
func (p *producerMetrics) forTopic(topic string) *topicMetrics {
	if t, ok := p.topics.Load(topic); ok {
		return t.(*topicMetrics)
	}
	s := p.set
	t, _ := p.topics.LoadOrStore(topic, &topicMetrics{
		recordSendRate:    meterPair{p.recordSendRate, s.meter(topicMetricName("record-send-rate", topic))},
		batchSize:         histogramPair{p.batchSize, s.histogram(topicMetricName("batch-size", topic))},
		compressionRatio:  histogramPair{p.compressionRatio, s.histogram(topicMetricName("compression-ratio", topic))},
		recordsPerRequest: histogramPair{one: s.histogram(topicMetricName("records-per-request", topic))},
	})
	return t.(*topicMetrics)
}

func (p *producerMetrics) release() { p.set.release() }

// consumerMetrics are those of one consumer.
type consumerMetrics struct {
	set *metricSet

	batchSize         histogramPair // messages of a partition in a response
	fetchResponseSize histogramPair // bytes

	// Any goroutine: topic name to meterPair.
	topics sync.Map
}

func newConsumerMetrics(registry metrics.Registry) *consumerMetrics {
	s := newMetricSet(registry)
	return &consumerMetrics{
		set:               s,
		batchSize:         histogramPair{all: s.histogram("consumer-batch-size")},
		fetchResponseSize: histogramPair{all: s.histogram("consumer-fetch-response-size")},
	}
}

// fetchRate returns the meter of the fetches that ask for a topic. Those of a
// broker, and all of them, are measured by brokerMetrics.
func (c *consumerMetrics) fetchRate(topic string) meterPair {
	if pair, ok := c.topics.Load(topic); ok {
		return pair.(meterPair)
	}
	pair, _ := c.topics.LoadOrStore(topic, meterPair{one: c.set.meter(topicMetricName("consumer-fetch-rate", topic))})
	return pair.(meterPair)
}

func (c *consumerMetrics) release() { c.set.release() }

// groupMetrics are those of one member of a consumer group.
type groupMetrics struct {
	set *metricSet

	joinTotal, joinFailed counterPair // JoinGroup requests
	syncTotal, syncFailed counterPair // SyncGroup requests
}

func newGroupMetrics(registry metrics.Registry, groupID string) *groupMetrics {
	s := newMetricSet(registry)
	return &groupMetrics{
		set:        s,
		joinTotal:  counterPair{all: s.counter("consumer-group-join-total-" + groupID)},
		joinFailed: counterPair{all: s.counter("consumer-group-join-failed-" + groupID)},
		syncTotal:  counterPair{all: s.counter("consumer-group-sync-total-" + groupID)},
		syncFailed: counterPair{all: s.counter("consumer-group-sync-failed-" + groupID)},
	}
}

func (g *groupMetrics) release() { g.set.release() }
