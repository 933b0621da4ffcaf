package sarama

import (
	"slices"
	"sync"
)

// Helpers that make the responses to questions about producers and transactions
// (KIP-664).

// MockDescribeProducersResponse makes responses about the producers that write
// to partitions.
type MockDescribeProducersResponse struct {
	t          TestReporter
	mu         sync.Mutex
	partitions map[topicPartition]DescribeProducersResponsePartition
}

// NewMockDescribeProducersResponse makes a helper that knows of no producer yet.
func NewMockDescribeProducersResponse(t TestReporter) *MockDescribeProducersResponse {
	return &MockDescribeProducersResponse{t: t}
}

// AddProducer adds a producer to a partition.
func (m *MockDescribeProducersResponse) AddProducer(topic string, partition int32, producer ProducerState) *MockDescribeProducersResponse {
	return mockWith(m, &m.mu, func() {
		at := topicPartition{topic, partition}
		p := m.partitions[at]
		p.ActiveProducers = append(slices.Clip(p.ActiveProducers), producer)
		mockSet(&m.partitions, at, p)
	})
}

// SetError sets the error of a partition.
func (m *MockDescribeProducersResponse) SetError(topic string, partition int32, kerror KError) *MockDescribeProducersResponse {
	return mockWith(m, &m.mu, func() {
		at := topicPartition{topic, partition}
		p := m.partitions[at]
		p.ErrorCode = kerror
		mockSet(&m.partitions, at, p)
	})
}

// For answers for each partition of the request.
func (m *MockDescribeProducersResponse) For(reqBody body) body {
	return mockAnswer(m.t, m, &m.mu, reqBody, func(req *DescribeProducersRequest) body {
		resp := &DescribeProducersResponse{Version: req.Version}
		for _, asked := range req.Topics {
			t := DescribeProducersResponseTopic{Name: asked.Name}
			for _, id := range asked.PartitionIndexes {
				p := m.partitions[topicPartition{asked.Name, id}]
				p.PartitionIndex = id
				t.Partitions = append(t.Partitions, p)
			}
			resp.Topics = append(resp.Topics, t)
		}
		return resp
	})
}

// MockDescribeTransactionsResponse makes responses that describe transactions.
type MockDescribeTransactionsResponse struct {
	t      TestReporter
	mu     sync.Mutex
	states map[string]TransactionState
}

// NewMockDescribeTransactionsResponse makes a helper that knows of no
// transaction yet.
func NewMockDescribeTransactionsResponse(t TestReporter) *MockDescribeTransactionsResponse {
	return &MockDescribeTransactionsResponse{t: t}
}

// AddTransaction sets what is said of a transactional id.
func (m *MockDescribeTransactionsResponse) AddTransaction(transactionalID string, state TransactionState) *MockDescribeTransactionsResponse {
	return mockWith(m, &m.mu, func() { mockSet(&m.states, transactionalID, state) })
}

// SetError sets the error of a transactional id.
func (m *MockDescribeTransactionsResponse) SetError(transactionalID string, kerror KError) *MockDescribeTransactionsResponse {
	return mockWith(m, &m.mu, func() {
		state := m.states[transactionalID]
		state.ErrorCode = kerror
		mockSet(&m.states, transactionalID, state)
	})
}

// For describes the transactional ids asked for. Of one that was not added
// nothing is said but the id.
func (m *MockDescribeTransactionsResponse) For(reqBody body) body {
	return mockAnswer(m.t, m, &m.mu, reqBody, func(req *DescribeTransactionsRequest) body {
		resp := &DescribeTransactionsResponse{Version: req.Version}
		for _, id := range req.TransactionalIDs {
			state := m.states[id]
			state.TransactionalID = id
			resp.TransactionStates = append(resp.TransactionStates, state)
		}
		return resp
	})
}

// MockListTransactionsResponse makes responses that list transactions.
type MockListTransactionsResponse struct {
	t    TestReporter
	mu   sync.Mutex
	resp ListTransactionsResponse
	last ListTransactionsRequest
}

// NewMockListTransactionsResponse makes a helper that knows of no transaction
// yet.
func NewMockListTransactionsResponse(t TestReporter) *MockListTransactionsResponse {
	return &MockListTransactionsResponse{t: t}
}

// AddTransaction adds a transaction.
func (m *MockListTransactionsResponse) AddTransaction(transactionalID string, producerID int64, state string) *MockListTransactionsResponse {
	return mockWith(m, &m.mu, func() {
		m.resp.TransactionStates = append(m.resp.TransactionStates, ListTransactionsResponseTransactionState{
			TransactionalID: transactionalID, ProducerID: producerID, TransactionState: state,
		})
	})
}

// SetError sets the error.
func (m *MockListTransactionsResponse) SetError(kerror KError) *MockListTransactionsResponse {
	return mockWith(m, &m.mu, func() { m.resp.ErrorCode = kerror })
}

// LastRequest returns the last request that was answered, the zero value where
// there was none.
func (m *MockListTransactionsResponse) LastRequest() ListTransactionsRequest {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.last
}

// For lists the transactions, whatever filter the request has.
func (m *MockListTransactionsResponse) For(reqBody body) body {
	return mockAnswer(m.t, m, &m.mu, reqBody, func(req *ListTransactionsRequest) body {
		m.last = *req
		resp := m.resp
		resp.Version, resp.TransactionStates = req.Version, slices.Clone(resp.TransactionStates)
		return &resp
	})
}
