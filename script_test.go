package sarama

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/IBM/sarama/internal/bridge"
)

// script is a cluster of a few lines: a function answers each request. It is
// for tests of what happens on one connection; the embedded cluster is for all
// that wants a Kafka.
type script struct {
	t *testing.T
	// answer returns the response, nil for none, or closes the connection by
	// returning errHangUp.
	answer func(addr string, h bridge.Header, req any) (any, error)
	// wrap, where set, wraps the client's end of a connection.
	wrap func(addr string, c net.Conn) net.Conn

	mu struct {
		sync.Mutex
		conns   []net.Conn
		refused map[string]bool
		dials   int
		closed  bool
	}
	wg sync.WaitGroup
}

// scriptConn is the script's end of a connection.
type scriptConn struct{ net.Conn }

var errHangUp = errors.New("hang up")

// newScript returns a script whose end is the test's.
func newScript(t *testing.T, answer func(addr string, h bridge.Header, req any) (any, error)) *script {
	s := &script{t: t, answer: answer}
	s.mu.refused = make(map[string]bool)
	t.Cleanup(s.close)
	return s
}

func (s *script) close() {
	s.mu.Lock()
	conns := s.mu.conns
	s.mu.closed = true // a dialer like this one cannot be stopped by who no longer wants the connection
	s.mu.Unlock()
	for _, c := range conns {
		_ = c.Close()
	}
	s.wg.Wait()
}

// Dial is the client's dialer.
func (s *script) Dial(_, addr string) (net.Conn, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.dials++
	if s.mu.refused[addr] || s.mu.closed {
		return nil, fmt.Errorf("dial %s: refused", addr)
	}
	client, theirs := net.Pipe()
	server := &scriptConn{theirs}
	s.mu.conns = append(s.mu.conns, server, client)
	s.wg.Go(func() { s.serve(addr, server) })
	if s.wrap != nil {
		return s.wrap(addr, client), nil
	}
	return client, nil
}

func (s *script) serve(addr string, conn net.Conn) {
	defer conn.Close()
	replies := make(chan []byte, 1024)
	defer close(replies)
	s.wg.Go(func() { // a reader that answers must not wait for a client that writes
		for raw := range replies {
			if _, err := conn.Write(raw); err != nil {
				_ = conn.Close()
				return
			}
		}
	})
	for {
		var size [4]byte
		if _, err := io.ReadFull(conn, size[:]); err != nil {
			return
		}
		frame := make([]byte, binary.BigEndian.Uint32(size[:]))
		if _, err := io.ReadFull(conn, frame); err != nil {
			return
		}
		h, req, err := bridge.ReadRequest(frame)
		if err != nil {
			s.t.Errorf("%s: %v", addr, err)
			return
		}
		resp, err := s.answer(addr, h, req)
		if err != nil {
			return
		}
		if resp == nil {
			continue
		}
		raw, err := bridge.AppendResponse(nil, h, resp)
		if err != nil {
			s.t.Errorf("%s: answering %s: %v", addr, h.Name, err)
			return
		}
		replies <- raw
	}
}

// config is a configuration whose connections lead to the script.
func (s *script) config() *Config {
	conf := NewConfig()
	conf.ClientID = "script"
	conf.Net.Proxy.Enable, conf.Net.Proxy.Dialer = true, s
	conf.Producer.Return.Successes = true
	conf.Metadata.RefreshFrequency = 0
	conf.MetricRegistry = nil
	return conf
}

// allVersions is the answer of a broker that takes all that the codec has, up
// to what this package sends.
func allVersions() *ApiVersionsResponse {
	r := new(ApiVersionsResponse)
	for _, a := range apis {
		if a != nil {
			r.ApiKeys = append(r.ApiKeys, ApiVersionsResponseKey{ApiKey: a.key, MaxVersion: a.sentMax})
		}
	}
	return r
}

// simpleMetadata answers for brokers 1 to n at "b1:9092" …, with a topic whose
// partitions they lead in turn.
func simpleMetadata(brokers int32, topic string, partitions int32) *MetadataResponse {
	r := &MetadataResponse{ControllerID: 1}
	for id := int32(1); id <= brokers; id++ {
		r.AddBroker(fmt.Sprintf("b%d:9092", id), id)
	}
	for p := range partitions {
		r.AddTopicPartition(topic, p, p%brokers+1, nil, nil, nil, ErrNoError)
	}
	return r
}

// produceAnswer acknowledges all of a Produce request with an error code.
func produceAnswer(req any, code KError) *ProduceResponse {
	r := &ProduceResponse{}
	for _, p := range bridge.ProduceRecords(req) {
		r.AddTopicPartition(p.Topic, p.Partition, code)
	}
	return r
}

// standard answers what every client asks first.
func standard(brokers int32, topic string, partitions int32, rest answerFunc) answerFunc {
	return answering(func(*MetadataRequest) *MetadataResponse { return simpleMetadata(brokers, topic, partitions) }, rest)
}

type answerFunc = func(addr string, h bridge.Header, req any) (any, error)

// answering is standard with metadata of the test's own; where that is nil
// there is no answer.
func answering(metadata func(*MetadataRequest) *MetadataResponse, rest answerFunc) answerFunc {
	return func(addr string, h bridge.Header, req any) (any, error) {
		switch r := req.(type) {
		case *ApiVersionsRequest:
			return allVersions(), nil
		case *MetadataRequest:
			if resp := metadata(r); resp != nil {
				return resp, nil
			}
			return nil, nil
		case *InitProducerIDRequest:
			return &InitProducerIDResponse{ProducerID: 7, ProducerEpoch: 0}, nil
		}
		return rest(addr, h, req)
	}
}

// byName is the metadata of broker 1 with topic "t"; asked for topics by name,
// it says after hear that "gone" is unknown, or nothing where hear says no.
func byName(hear func() bool) func(*MetadataRequest) *MetadataResponse {
	return func(r *MetadataRequest) *MetadataResponse {
		resp := simpleMetadata(1, "t", 1)
		if len(r.Topics) > 0 {
			if !hear() {
				return nil
			}
			resp.AddTopic("gone", ErrUnknownTopicOrPartition)
		}
		return resp
	}
}

// slowMetadata counts the requests for metadata, each of which takes a second.
func slowMetadata(asked *atomic.Int32) func(*MetadataRequest) *MetadataResponse {
	return func(*MetadataRequest) *MetadataResponse {
		asked.Add(1)
		time.Sleep(time.Second)
		return simpleMetadata(1, "t", 3)
	}
}

// unless answers until silent says no.
func unless(silent *atomic.Bool, answer answerFunc) answerFunc {
	return func(addr string, h bridge.Header, req any) (any, error) {
		if silent.Load() {
			return nil, nil
		}
		return answer(addr, h, req)
	}
}

// within fails the test when f has not returned after a time that no machine
// is too slow for.
func within(t *testing.T, what string, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	select {
	case <-done:
	case <-time.After(60 * time.Second):
		t.Fatalf("%s did not return", what)
	}
}
