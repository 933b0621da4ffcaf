package sarama

import (
	"errors"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/IBM/sarama/internal/bridge"
)

// openBroker connects a Broker to a script, with what conf says.
func openBroker(t *testing.T, s *script, set func(*Config)) *Broker {
	t.Helper()
	conf := s.config()
	if set != nil {
		set(conf)
	}
	b := NewBroker("b1:9092")
	if err := b.Open(conf); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return b
}

func TestBrokerSlowReplyBlocksNobodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript(t, standard(1, "t", 1, func(string, bridge.Header, any) (any, error) { return nil, nil }))
		b := openBroker(t, s, nil)
		go func() { _, _ = b.FindCoordinator(&FindCoordinatorRequest{Version: 3, CoordinatorKey: "g"}) }() // never answered
		synctest.Wait()
		start := time.Now()
		if ok, err := b.Connected(); !ok {
			t.Error(err)
		}
		if n := b.ResponseSize(); n != 0 {
			t.Errorf("ResponseSize is %d", n)
		}
		if took := time.Since(start); took != 0 {
			t.Errorf("reading the broker's state took %v", took)
		}
		_ = b.Close()
	})
}

func TestBrokerRequestsAreMatchedInOrderWithinTheWindow(t *testing.T) {
	var most atomic.Int32
	release := make(chan struct{})
	s := newScript(t, standard(1, "t", 1, func(_ string, _ bridge.Header, req any) (any, error) {
		<-release
		return &FindCoordinatorResponse{Coordinator: &Broker{id: 1, addr: req.(*FindCoordinatorRequest).CoordinatorKey + ":1"}}, nil
	}))
	b := openBroker(t, s, func(c *Config) { c.Net.MaxOpenRequests = 3 })
	if ok, err := b.Connected(); !ok {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for _, key := range []string{"a", "b", "c", "d", "e", "f", "g"} {
		wg.Go(func() {
			resp, err := b.FindCoordinator(&FindCoordinatorRequest{Version: 3, CoordinatorKey: key})
			if err != nil || resp.Coordinator.Addr() != key+":1" {
				t.Errorf("asked for %s: %+v, %v", key, resp, err)
			}
		})
	}
	for range 1000 {
		most.Store(max(most.Load(), int32(b.load())))
	}
	close(release)
	wg.Wait()
	if n := most.Load(); n > 3 {
		t.Errorf("%d requests under way, MaxOpenRequests is 3", n)
	}
}

func TestBrokerEachRequestHasItsDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript(t, standard(1, "t", 1, func(string, bridge.Header, any) (any, error) { return nil, nil }))
		b := openBroker(t, s, func(c *Config) { c.Net.ReadTimeout = 2 * time.Second })
		start := time.Now()
		_, err := b.Fetch(&FetchRequest{Version: 11, MaxWaitTime: 500})
		if took := time.Since(start); took != 2500*time.Millisecond {
			t.Errorf("a fetch that may wait 500 ms failed after %v", took)
		}
		netErr := net.Error(nil)
		if !errors.As(err, &netErr) || !netErr.Timeout() || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%v is no timeout", err)
		}
		if ok, again := b.Connected(); ok || again != err {
			t.Errorf("after it: connected %v, %v", ok, again)
		}
		if _, again := b.GetMetadata(&MetadataRequest{Version: 9}); again != err {
			t.Errorf("the next request: %v", again)
		}
		if err := b.Open(s.config()); err != nil {
			t.Errorf("opening it again: %v", err)
		}
		if _, err := b.GetMetadata(&MetadataRequest{Version: 9}); err != nil {
			t.Errorf("after that: %v", err)
		}
		_ = b.Close()
	})
}

func TestBrokerVersionsAreNegotiated(t *testing.T) {
	for _, c := range []struct {
		name       string
		offer      func(h bridge.Header, req *ApiVersionsRequest) (any, error)
		conf       KafkaVersion
		want       int16 // of the Metadata request that is sent
		wantErr    error
		wantRounds int32
	}{
		{"lowered to the broker's", func(bridge.Header, *ApiVersionsRequest) (any, error) {
			return &ApiVersionsResponse{ApiKeys: []ApiVersionsResponseKey{{ApiKey: keyMetadata, MinVersion: 1, MaxVersion: 5}}}, nil
		}, V2_8_0_0, 5, nil, 1},
		{"never raised", func(bridge.Header, *ApiVersionsRequest) (any, error) {
			return &ApiVersionsResponse{ApiKeys: []ApiVersionsResponseKey{{ApiKey: keyMetadata, MinVersion: 0, MaxVersion: 13}}}, nil
		}, V1_0_0_0, 5, nil, 1},
		{"none in common", func(bridge.Header, *ApiVersionsRequest) (any, error) {
			return &ApiVersionsResponse{ApiKeys: []ApiVersionsResponseKey{{ApiKey: keyMetadata, MinVersion: 7, MaxVersion: 13}}}, nil
		}, V1_0_0_0, 0, ErrUnsupportedVersion, 1},
		{"an API the broker does not have", func(bridge.Header, *ApiVersionsRequest) (any, error) {
			return &ApiVersionsResponse{ApiKeys: []ApiVersionsResponseKey{{ApiKey: keyProduce, MaxVersion: 9}}}, nil
		}, V2_8_0_0, 0, ErrUnsupportedVersion, 1},
		{"an older ApiVersions is asked when the broker names it", func(h bridge.Header, req *ApiVersionsRequest) (any, error) {
			if h.Version > 1 {
				return &ApiVersionsResponse{ErrorCode: int16(ErrUnsupportedVersion), ApiKeys: []ApiVersionsResponseKey{{ApiKey: keyApiVersions, MaxVersion: 1}}}, nil
			}
			return &ApiVersionsResponse{ApiKeys: []ApiVersionsResponseKey{{ApiKey: keyMetadata, MaxVersion: 4}}}, nil
		}, V2_8_0_0, 4, nil, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			var sent, rounds atomic.Int32
			s := newScript(t, nil)
			s.answer = func(_ string, h bridge.Header, req any) (any, error) {
				switch req := req.(type) {
				case *ApiVersionsRequest:
					rounds.Add(1)
					resp, err := c.offer(h, req)
					if r := resp.(*ApiVersionsResponse); r.ErrorCode != 0 {
						// Refusals come in the form of version 0.
						return &versionZero{*r}, err
					}
					return resp, err
				case *MetadataRequest:
					sent.Store(int32(h.Version))
					return simpleMetadata(1, "t", 1), nil
				}
				return nil, errHangUp
			}
			b := openBroker(t, s, func(conf *Config) { conf.Version = c.conf })
			req := NewMetadataRequest(c.conf, nil)
			_, err := b.GetMetadata(req)
			if !errors.Is(err, c.wantErr) {
				t.Fatalf("%v, want %v", err, c.wantErr)
			}
			if err == nil && (int16(sent.Load()) != c.want || req.Version != c.want) {
				t.Errorf("sent version %d, request says %d, want %d", sent.Load(), req.Version, c.want)
			}
			if rounds.Load() != c.wantRounds {
				t.Errorf("%d ApiVersions requests", rounds.Load())
			}
		})
	}
}

// versionZero is an ApiVersionsResponse that goes out as version 0 whatever
// was asked.
type versionZero struct{ ApiVersionsResponse }

func (r *versionZero) meta() (*api, *int16) {
	version := int16(0)
	return apiApiVersions, &version
}

func TestBrokerRefusesWhatConfigVersionDoesNotAllow(t *testing.T) {
	s := newScript(t, standard(1, "t", 1, nil))
	b := openBroker(t, s, func(c *Config) { c.Version = V1_0_0_0; c.ApiVersionsRequest = false })
	for _, version := range []int16{6, 99, -1} {
		_, err := b.GetMetadata(&MetadataRequest{Version: version})
		if !errors.Is(err, ErrUnsupportedVersion) {
			t.Errorf("version %d: %v", version, err)
		}
	}
}

func TestBrokerCallbacksMayCallTheBroker(t *testing.T) {
	for _, callback := range []string{"request", "produce", "close"} {
		t.Run(callback, func(t *testing.T) {
			s := newScript(t, standard(1, "t", 1, func(_ string, _ bridge.Header, req any) (any, error) { return produceAnswer(req, ErrNoError), nil }))
			b := openBroker(t, s, func(c *Config) { c.Net.MaxOpenRequests = 1 })
			request := func() *ProduceRequest {
				r := &ProduceRequest{Version: 8, RequiredAcks: WaitForLocal}
				r.AddBatch("t", 0, &RecordBatch{Version: 2, Records: []*Record{{Value: []byte("v")}}})
				return r
			}
			var order []int
			done := make(chan struct{})
			for i := range 5 {
				err := b.AsyncProduce(request(), func(resp *ProduceResponse, err error) {
					order = append(order, i)
					switch {
					case i < 4:
						return
					case callback == "request":
						_, err = b.GetMetadata(&MetadataRequest{Version: 9})
					case callback == "produce":
						_, err = b.Produce(request())
					case callback == "close":
						err = b.Close()
					}
					if err != nil {
						t.Error(err)
					}
					close(done)
				})
				if err != nil {
					t.Fatal(err)
				}
			}
			within(t, "the callback", func() { <-done })
			for i, n := range order {
				if i != n {
					t.Errorf("callbacks came in the order %v", order)
				}
			}
		})
	}
}

func TestBrokerCloseFailsWhatIsUnderWay(t *testing.T) {
	s := newScript(t, standard(1, "t", 1, func(string, bridge.Header, any) (any, error) { return nil, nil }))
	b := openBroker(t, s, nil)
	var wg sync.WaitGroup
	for range 20 { // some in flight, the others waiting for a place
		wg.Go(func() {
			if _, err := b.FindCoordinator(&FindCoordinatorRequest{Version: 3}); !errors.Is(err, ErrNotConnected) {
				t.Error(err)
			}
		})
	}
	for b.load() < 5 {
		time.Sleep(time.Millisecond)
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	within(t, "a request of a closed broker", wg.Wait)
	if err := b.Close(); !errors.Is(err, ErrNotConnected) {
		t.Errorf("second Close: %v", err)
	}
	if _, err := b.GetMetadata(&MetadataRequest{}); !errors.Is(err, ErrNotConnected) {
		t.Errorf("request after Close: %v", err)
	}
}

func TestBrokerCloseEndsADialAndAThrottle(t *testing.T) {
	t.Run("dial", func(t *testing.T) {
		block := make(chan struct{})
		defer close(block)
		conf := NewConfig()
		conf.Net.Proxy.Enable, conf.Net.Proxy.Dialer = true, dialFunc(func() (net.Conn, error) {
			<-block
			return nil, errHangUp
		})
		b := NewBroker("b1:9092")
		if err := b.Open(conf); err != nil {
			t.Fatal(err)
		}
		if err := b.Open(conf); !errors.Is(err, ErrAlreadyConnected) {
			t.Errorf("opening twice: %v", err)
		}
		within(t, "Close during a dial", func() { _ = b.Close() })
	})
	t.Run("throttle", func(t *testing.T) {
		s := newScript(t, standard(1, "t", 1, nil))
		b := openBroker(t, s, nil)
		if ok, err := b.Connected(); !ok {
			t.Fatal(err)
		}
		b.link.Load().throttle.extend(time.Hour)
		failed := make(chan error)
		go func() {
			_, err := b.GetMetadata(&MetadataRequest{})
			failed <- err
		}()
		_ = b.Close()
		within(t, "a request that was throttled", func() {
			if err := <-failed; !errors.Is(err, ErrNotConnected) {
				t.Error(err)
			}
		})
	})
}

type dialFunc func() (net.Conn, error)

func (f dialFunc) Dial(string, string) (net.Conn, error) { return f() }

func TestBrokerHeedsThrottleTimesAsTheDefinitionsSay(t *testing.T) {
	for _, c := range []struct {
		version int16
		want    time.Duration
	}{{5, 0}, {6, 3 * time.Second}} { // from version 6 on, Metadata answers come before the throttle
		synctest.Test(t, func(t *testing.T) {
			s := newScript(t, nil)
			s.answer = func(string, bridge.Header, any) (any, error) {
				r := simpleMetadata(1, "t", 1)
				r.ThrottleTimeMs = 3000
				return r, nil
			}
			b := openBroker(t, s, func(c *Config) { c.ApiVersionsRequest = false })
			for range 2 {
				start := time.Now()
				if _, err := b.GetMetadata(&MetadataRequest{Version: c.version}); err != nil {
					t.Fatal(err)
				}
				_ = start
			}
			if got := b.link.Load().throttle.remaining(); got != c.want {
				t.Errorf("version %d: throttled for %v, want %v", c.version, got, c.want)
			}
			_ = b.Close()
		})
	}
}
