package sarama

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
)

// The helpers of this file and of those that begin with mock_ make responses
// for a MockBroker. Their setters return the helper, so that calls may be
// chained, and may be called from any goroutine, also while a broker asks. A
// request of another type than a helper is for is an error of the test, and
// gets no answer. Responses have the version of the request.

// mockAnswer answers a request of the type that a helper is for, under the
// helper's lock, where it has one.
func mockAnswer[R body](t TestReporter, maker MockResponse, mu *sync.Mutex, req body, answer func(R) body) body {
	asked, ok := req.(R)
	if !ok {
		t.Errorf("%s is asked to answer %s", strings.TrimPrefix(fmt.Sprintf("%T", maker), "*sarama."), mockName(req))
		return nil
	}
	if mu != nil {
		mu.Lock()
		defer mu.Unlock()
	}
	return answer(asked)
}

// mockSet puts a value into a map that is made when it is first needed.
func mockSet[K comparable, V any](m *map[K]V, k K, v V) {
	if *m == nil {
		*m = make(map[K]V)
	}
	(*m)[k] = v
}

// mockWith changes a helper under its lock and returns it.
func mockWith[M any](maker M, mu *sync.Mutex, change func()) M {
	mu.Lock()
	defer mu.Unlock()
	change()
	return maker
}

// MockWrapper answers every request with the same response, which is sent at
// the version that it has.
type MockWrapper struct{ res body }

// NewMockWrapper wraps a response.
func NewMockWrapper(res body) *MockWrapper { return &MockWrapper{res} }

// For returns the response.
func (m *MockWrapper) For(body) body { return m.res }

// MockSequence answers with one of several responses after the other, and then
// always with the last.
type MockSequence struct {
	mu        sync.Mutex
	responses []MockResponse
}

// NewMockSequence makes a sequence of MockResponses and of responses, which are
// sent at the version that they have. It panics on anything else.
func NewMockSequence(responses ...any) *MockSequence {
	m := new(MockSequence)
	for i, r := range responses {
		switch r := r.(type) {
		case MockResponse:
			m.responses = append(m.responses, r)
		case body:
			m.responses = append(m.responses, NewMockWrapper(r))
		default:
			panic(fmt.Sprintf("sarama: element %d of a MockSequence is %T, neither a MockResponse nor a response", i, r))
		}
	}
	return m
}

// For returns what the next one in turn answers.
func (m *MockSequence) For(reqBody body) body {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.responses) == 0 {
		return nil
	}
	r := m.responses[0]
	if len(m.responses) > 1 {
		m.responses = m.responses[1:]
	}
	return r.For(reqBody)
}

// MockApiVersionsResponse makes responses that list the broker's versions.
type MockApiVersionsResponse struct {
	t    TestReporter
	mu   sync.Mutex
	keys []ApiVersionsResponseKey
}

// NewMockApiVersionsResponse makes a helper that lists, unless SetApiKeys says
// something else, the versions that this package sends of its own accord.
func NewMockApiVersionsResponse(t TestReporter) *MockApiVersionsResponse {
	return &MockApiVersionsResponse{t: t, keys: versionsOfMock(0).ApiKeys}
}

// SetApiKeys sets the list.
func (m *MockApiVersionsResponse) SetApiKeys(apiKeys []ApiVersionsResponseKey) *MockApiVersionsResponse {
	return mockWith(m, &m.mu, func() { m.keys = slices.Clone(apiKeys) })
}

// For lists the versions.
func (m *MockApiVersionsResponse) For(reqBody body) body {
	return mockAnswer(m.t, m, &m.mu, reqBody, func(req *ApiVersionsRequest) body {
		return &ApiVersionsResponse{Version: req.Version, ApiKeys: m.keys}
	})
}

// MockMetadataResponse makes responses that describe a cluster. All brokers are
// replicas of all partitions, and in sync.
type MockMetadataResponse struct {
	t  TestReporter
	mu sync.Mutex

	// mu guards
	controller int32
	brokers    map[int32]string
	leaders    map[string]map[int32]int32
	errors     map[string]KError
}

// NewMockMetadataResponse makes a helper that knows of nothing yet.
func NewMockMetadataResponse(t TestReporter) *MockMetadataResponse {
	return &MockMetadataResponse{t: t}
}

// SetBroker adds a broker.
func (m *MockMetadataResponse) SetBroker(addr string, brokerID int32) *MockMetadataResponse {
	return mockWith(m, &m.mu, func() { mockSet(&m.brokers, brokerID, addr) })
}

// SetController says which broker is the controller; 0 where it is not said.
func (m *MockMetadataResponse) SetController(brokerID int32) *MockMetadataResponse {
	return mockWith(m, &m.mu, func() { m.controller = brokerID })
}

// SetLeader adds a partition, with its leader.
func (m *MockMetadataResponse) SetLeader(topic string, partition, brokerID int32) *MockMetadataResponse {
	return mockWith(m, &m.mu, func() {
		partitions := m.leaders[topic]
		mockSet(&partitions, partition, brokerID)
		mockSet(&m.leaders, topic, partitions)
	})
}

// SetError sets the error of a topic. Where the topic has leaders, only requests
// for all topics get it.
func (m *MockMetadataResponse) SetError(topic string, kerror KError) *MockMetadataResponse {
	return mockWith(m, &m.mu, func() { mockSet(&m.errors, topic, kerror) })
}

// For describes the topics asked for, or all. One that was not set has
// ErrUnknownTopicOrPartition.
func (m *MockMetadataResponse) For(reqBody body) body {
	return mockAnswer(m.t, m, &m.mu, reqBody, func(req *MetadataRequest) body {
		resp := &MetadataResponse{Version: req.Version, ControllerID: m.controller}
		replicas := sortedKeys(m.brokers)
		for _, id := range replicas {
			resp.AddBroker(m.brokers[id], id)
		}
		add := func(topic string) {
			for _, partition := range sortedKeys(m.leaders[topic]) {
				resp.AddTopicPartition(topic, partition, m.leaders[topic][partition], replicas, replicas, []int32{}, ErrNoError)
			}
		}
		if len(req.Topics) == 0 && (req.Version == 0 || req.Topics == nil) {
			for _, topic := range sortedKeys(m.leaders) {
				add(topic)
			}
			for _, topic := range sortedKeys(m.errors) {
				resp.AddTopic(topic, m.errors[topic])
			}
			return resp
		}
		for _, topic := range req.Topics {
			if _, ok := m.leaders[topic]; ok {
				add(topic)
			} else if err, ok := m.errors[topic]; ok {
				resp.AddTopic(topic, err)
			} else {
				resp.AddTopic(topic, ErrUnknownTopicOrPartition)
			}
		}
		return resp
	})
}

// MockOffsetResponse makes responses to questions after offsets by time.
type MockOffsetResponse struct {
	t       TestReporter
	mu      sync.Mutex
	offsets map[topicPartition]map[int64]int64
}

// NewMockOffsetResponse makes a helper that knows of no offset yet.
func NewMockOffsetResponse(t TestReporter) *MockOffsetResponse { return &MockOffsetResponse{t: t} }

// SetOffset sets the offset of a partition at a time in milliseconds, or at
// OffsetNewest or OffsetOldest.
func (m *MockOffsetResponse) SetOffset(topic string, partition int32, time, offset int64) *MockOffsetResponse {
	return mockWith(m, &m.mu, func() {
		at := topicPartition{topic, partition}
		times := m.offsets[at]
		mockSet(&times, time, offset)
		mockSet(&m.offsets, at, times)
	})
}

// For returns the offsets asked for. One that was not set is an error of the
// test, and 0.
func (m *MockOffsetResponse) For(reqBody body) body {
	return mockAnswer(m.t, m, &m.mu, reqBody, func(req *OffsetRequest) body {
		resp := &OffsetResponse{Version: req.Version}
		for _, topic := range sortedKeys(req.blocks) {
			for _, partition := range sortedKeys(req.blocks[topic]) {
				time := req.blocks[topic][partition].timestamp
				offset, ok := m.offsets[topicPartition{topic, partition}][time]
				if !ok {
					m.t.Errorf("MockOffsetResponse has no offset for %s/%d at time %d", topic, partition, time)
				}
				resp.AddTopicPartition(topic, partition, offset)
			}
		}
		return resp
	})
}

// MockFetchResponse makes responses with messages, which have the format from
// before Kafka 0.10: no timestamp, no headers.
type MockFetchResponse struct {
	t         TestReporter
	batchSize int

	mu         sync.Mutex
	messages   map[topicPartition]map[int64]mockMessage
	highWaters map[topicPartition]int64
}

type mockMessage struct{ key, value Encoder }

// NewMockFetchResponse makes a helper that gives at most batchSize messages of a
// partition at a time.
func NewMockFetchResponse(t TestReporter, batchSize int) *MockFetchResponse {
	return &MockFetchResponse{t: t, batchSize: batchSize}
}

// SetMessage sets the message at an offset.
func (m *MockFetchResponse) SetMessage(topic string, partition int32, offset int64, msg Encoder) *MockFetchResponse {
	return m.SetMessageWithKey(topic, partition, offset, nil, msg)
}

// SetMessageWithKey sets the message at an offset, with a key.
func (m *MockFetchResponse) SetMessageWithKey(topic string, partition int32, offset int64, key, msg Encoder) *MockFetchResponse {
	return mockWith(m, &m.mu, func() {
		at := topicPartition{topic, partition}
		messages := m.messages[at]
		mockSet(&messages, offset, mockMessage{key, msg})
		mockSet(&m.messages, at, messages)
	})
}

// SetHighWaterMark sets the high watermark of a partition, which is 0 otherwise.
func (m *MockFetchResponse) SetHighWaterMark(topic string, partition int32, offset int64) *MockFetchResponse {
	return mockWith(m, &m.mu, func() { mockSet(&m.highWaters, topicPartition{topic, partition}, offset) })
}

// For returns the first messages from the offsets on that are asked for.
func (m *MockFetchResponse) For(reqBody body) body {
	return mockAnswer(m.t, m, &m.mu, reqBody, func(req *FetchRequest) body {
		resp := &FetchResponse{Version: req.Version}
		for _, t := range req.topics {
			for _, p := range t.partitions {
				at := topicPartition{t.name, p.id}
				offsets := slices.DeleteFunc(slices.Sorted(maps.Keys(m.messages[at])), func(o int64) bool { return o < p.fetchOffset })
				for _, offset := range offsets[:min(len(offsets), max(m.batchSize, 0))] {
					msg := m.messages[at][offset]
					resp.AddMessage(t.name, p.id, msg.key, msg.value, offset)
				}
				resp.block(t.name, p.id).HighWaterMarkOffset = m.highWaters[at]
			}
		}
		return resp
	})
}

// MockProduceResponse makes responses to messages that were produced. The
// offsets in them are 0; from version 2 on they say that the broker has given
// the messages its own time.
type MockProduceResponse struct {
	t       TestReporter
	mu      sync.Mutex
	version int16
	errors  map[topicPartition]KError
}

// NewMockProduceResponse makes a helper that takes all messages.
func NewMockProduceResponse(t TestReporter) *MockProduceResponse { return &MockProduceResponse{t: t} }

// SetVersion has responses sent at a version other than the request's; 0 ends
// that.
func (m *MockProduceResponse) SetVersion(version int16) *MockProduceResponse {
	return mockWith(m, &m.mu, func() { m.version = version })
}

// SetError sets the error of a partition.
func (m *MockProduceResponse) SetError(topic string, partition int32, kerror KError) *MockProduceResponse {
	return mockWith(m, &m.mu, func() { mockSet(&m.errors, topicPartition{topic, partition}, kerror) })
}

// For answers for each partition of the request.
func (m *MockProduceResponse) For(reqBody body) body {
	return mockAnswer(m.t, m, &m.mu, reqBody, func(req *ProduceRequest) body {
		resp := &ProduceResponse{Version: req.Version}
		if m.version > 0 {
			resp.Version = m.version
		}
		for _, t := range req.topics {
			for _, p := range t.partitions {
				resp.AddTopicPartition(t.name, p.id, m.errors[topicPartition{t.name, p.id}])
			}
		}
		return resp
	})
}

// MockInitProducerIDResponse makes responses that give a producer its id.
type MockInitProducerIDResponse struct {
	t    TestReporter
	mu   sync.Mutex
	resp InitProducerIDResponse
}

// NewMockInitProducerIDResponse makes a helper that gives id 0 with epoch 0.
func NewMockInitProducerIDResponse(t TestReporter) *MockInitProducerIDResponse {
	return &MockInitProducerIDResponse{t: t}
}

// SetProducerID sets the id.
func (m *MockInitProducerIDResponse) SetProducerID(id int) *MockInitProducerIDResponse {
	return mockWith(m, &m.mu, func() { m.resp.ProducerID = int64(id) })
}

// SetProducerEpoch sets the epoch, of 16 bits.
func (m *MockInitProducerIDResponse) SetProducerEpoch(epoch int) *MockInitProducerIDResponse {
	return mockWith(m, &m.mu, func() { m.resp.ProducerEpoch = int16(epoch) })
}

// SetError sets the error.
func (m *MockInitProducerIDResponse) SetError(kerr KError) *MockInitProducerIDResponse {
	return mockWith(m, &m.mu, func() { m.resp.Err = kerr })
}

// For returns id and epoch.
func (m *MockInitProducerIDResponse) For(reqBody body) body {
	return mockAnswer(m.t, m, &m.mu, reqBody, func(req *InitProducerIDRequest) body {
		resp := m.resp
		resp.Version = req.Version
		return &resp
	})
}
