package sarama

import (
	"errors"
	"net"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/IBM/sarama/internal/bridge"
)

func TestRetryBackoffs(t *testing.T) {
	const ms = time.Millisecond
	seen := [2]int{-1, -1}
	own := func(retries, maxRetries int) time.Duration {
		seen = [2]int{retries, maxRetries}
		return 7 * ms
	}
	for name, test := range map[string]struct {
		enable         bool
		max, fixed     time.Duration
		f              func(int, int) time.Duration
		attempt, first int
		least, most    time.Duration
	}{
		"fixed":                 {fixed: 100 * ms, attempt: 9, first: 1, least: 100 * ms, most: 100 * ms},
		"a function of its own": {enable: true, fixed: 100 * ms, f: own, attempt: 9, first: 1, least: 7 * ms, most: 7 * ms},
		"first, from 1":         {enable: true, fixed: 100 * ms, attempt: 1, first: 1, least: 80 * ms, most: 120 * ms},
		"first, from 0":         {enable: true, fixed: 100 * ms, attempt: 0, first: 0, least: 80 * ms, most: 120 * ms},
		"third":                 {enable: true, fixed: 100 * ms, attempt: 3, first: 1, least: 320 * ms, most: 480 * ms},
		"at the limit":          {enable: true, fixed: 100 * ms, attempt: 30, first: 1, least: time.Second, most: time.Second},
		"another limit":         {enable: true, max: time.Minute, fixed: 100 * ms, attempt: 30, first: 1, least: time.Minute, most: time.Minute},
		"no lower than it was":  {enable: true, fixed: 2 * time.Second, attempt: 5, first: 1, least: 2 * time.Second, most: 2 * time.Second},
		"none":                  {enable: true, attempt: 5, first: 1},
	} {
		conf := NewConfig()
		conf.ExponentialBackoff.Enable, conf.ExponentialBackoff.Max = test.enable, test.max
		for range 100 {
			if d := retryBackoff(conf, test.fixed, test.f, test.attempt, test.first, 11); d < test.least || d > test.most {
				t.Errorf("%s: %v, want %v to %v", name, d, test.least, test.most)
			}
		}
	}
	if seen != [2]int{9, 11} {
		t.Errorf("the function got %v", seen)
	}
	if withoutMax(nil) != nil {
		t.Error("no function became one")
	}
	if d := withoutMax(func(n int) time.Duration { return time.Duration(n) })(5, 9); d != 5 {
		t.Errorf("%v", d)
	}
}

// The setting reaches metadata, producers and consumers.
func TestExponentialBackoffIsUsedEverywhere(t *testing.T) {
	// What retries 1 to 5 of 100 ms have waited together, at least and at most:
	// 100, 200, 400, 800 ms and a limit of 1 s.
	const least, most = (80 + 160 + 320 + 640 + 1000) * time.Millisecond, (120 + 240 + 480 + 960 + 1000) * time.Millisecond
	for name, run := range map[string]func(s *script, conf *Config) error{
		"metadata": func(s *script, conf *Config) error {
			conf.Metadata.Retry.Max, conf.Metadata.Retry.Backoff = 5, 100*time.Millisecond
			c, err := NewClient([]string{"b1:9092"}, conf)
			if err != nil {
				return err
			}
			defer c.Close()
			return c.RefreshMetadata("gone")
		},
		"coordinator": func(s *script, conf *Config) error {
			conf.Metadata.Retry.Max, conf.Metadata.Retry.Backoff = 5, 100*time.Millisecond
			c, err := NewClient([]string{"b1:9092"}, conf)
			if err != nil {
				return err
			}
			defer c.Close()
			return c.RefreshCoordinator("g")
		},
		"producer": func(s *script, conf *Config) error {
			conf.Producer.Retry.Max, conf.Producer.Retry.Backoff = 5, 100*time.Millisecond
			conf.Metadata.RefreshFrequency = time.Millisecond // so that asking for the leader takes no time of its own
			p, err := NewSyncProducer([]string{"b1:9092"}, conf)
			if err != nil {
				return err
			}
			defer p.Close()
			_, _, err = p.SendMessage(&ProducerMessage{Topic: "t"})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newScript(t, nil)
				s.answer = func(addr string, h bridge.Header, req any) (any, error) {
					m, ok := req.(*MetadataRequest)
					if ok && slices.Contains(m.Topics, "gone") {
						r := simpleMetadata(1, "t", 1)
						r.AddTopic("gone", ErrUnknownTopicOrPartition)
						return r, nil
					}
					return standard(1, "t", 1, func(_ string, _ bridge.Header, req any) (any, error) {
						if _, ok := req.(*FindCoordinatorRequest); ok {
							return &FindCoordinatorResponse{}, nil // nobody
						}
						return produceAnswer(req, ErrNotEnoughReplicas), nil
					})(addr, h, req)
				}
				conf := s.config()
				conf.ExponentialBackoff.Enable = true
				start := time.Now()
				err := run(s, conf)
				// A producer asks for the leader after each, at most every 100 ms.
				if took := time.Since(start); err == nil || took < least || took > most+500*time.Millisecond {
					t.Errorf("took %v, %v", took, err)
				}
				s.close()
			})
		})
	}
	t.Run("consumer", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			c := newFakeTopics(1)
			c.create("t", 0, 1)
			var asked []time.Time
			c.intercept = func(r *fakeRequest) (any, bool) {
				if _, ok := r.body.(*FetchRequest); !ok {
					return nil, false
				}
				asked = append(asked, time.Now())
				return bridge.FetchResponse(0, 0, 0, []bridge.FetchedPartition{{Topic: "t", Err: int16(ErrNotLeaderForPartition)}}, nil), true
			}
			conf := c.config()
			conf.Consumer.Retry.Backoff, conf.Consumer.Retry.Max = 100*time.Millisecond, 5
			conf.ExponentialBackoff.Enable = true
			cons, err := NewConsumer([]string{c.brokers[0].addr}, conf)
			if err != nil {
				t.Fatal(err)
			}
			pc, err := cons.ConsumePartition("t", 0, OffsetNewest)
			if err != nil {
				t.Fatal(err)
			}
			for range pc.Messages() {
			}
			if len(asked) != 6 {
				t.Fatalf("%d fetches", len(asked))
			}
			if took := asked[5].Sub(asked[0]); took < least || took > most+500*time.Millisecond {
				t.Errorf("took %v", took)
			}
			_ = pc.Close()
			_ = cons.Close()
			c.hangUp()
		})
	})
}

// dialCounts counts dials by address. All fail, after a time.
type dialCounts struct {
	after time.Duration

	mu     sync.Mutex
	counts map[string]int
}

func (d *dialCounts) Dial(_, addr string) (net.Conn, error) {
	d.mu.Lock()
	d.counts[addr]++
	d.mu.Unlock()
	time.Sleep(d.after)
	return nil, errors.New("connection refused")
}

// With all brokers dead, however many ask for whatever they like, each address
// is dialled about once a second and no more.
func TestClientWithDeadBrokersDoesNotStormDials(t *testing.T) {
	for name, after := range map[string]time.Duration{"refused at once": 0, "refused late": 300 * time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newScript(t, nil)
				s.answer = func(addr string, h bridge.Header, req any) (any, error) { return answerAll(addr, h, req) }
				dead := &dialCounts{after: after, counts: make(map[string]int)}
				var down atomic.Bool
				conf := s.config()
				conf.Net.Proxy.Dialer = addrDialer(func(addr string) (net.Conn, error) {
					if down.Load() {
						return dead.Dial("tcp", addr)
					}
					return s.Dial("tcp", addr)
				})
				s.answer = func(addr string, h bridge.Header, req any) (any, error) {
					if _, ok := req.(*MetadataRequest); ok {
						return simpleMetadata(3, "t", 3), nil
					}
					return answerAll(addr, h, req)
				}
				c, err := newClient([]string{"s1:9092", "s2:9092"}, conf)
				if err != nil {
					t.Fatal(err)
				}
				down.Store(true)
				s.hangUp()
				synctest.Wait()

				var calls atomic.Int64
				end := time.Now().Add(time.Minute)
				var wg sync.WaitGroup
				for range 20 {
					for _, call := range []func() error{
						func() error { return c.RefreshMetadata() },
						func() error { return c.RefreshMetadata("t") },
						func() error { return c.RefreshCoordinator("g") },
						func() error { _, err := c.InitProducerID(); return err },
						func() error { _, err := c.GetOffset("t", 0, OffsetNewest); return err },
						func() error {
							b, err := c.Leader("t", 1)
							if err == nil {
								_, err = b.Connected()
							}
							return err
						},
						func() error { _, err := c.LeastLoadedBroker().Connected(); return err },
					} {
						wg.Go(func() {
							for time.Now().Before(end) {
								if call() == nil {
									t.Error("it worked")
								}
								calls.Add(1)
							}
						})
					}
				}
				wg.Wait()
				// 50, 100, 200, 400 ms and then 1 s, less 20 %: at most 5 + 60/0.8
				// in a minute, and the last calls go on for a little longer.
				for addr, n := range dead.counts {
					if n > 85 || n < 20 {
						t.Errorf("%s was dialled %d times in a minute", addr, n)
					}
				}
				if len(dead.counts) != 5 {
					t.Errorf("dialled %v", dead.counts)
				}
				t.Logf("%d calls dialled %v", calls.Load(), dead.counts)
				// It goes on when brokers are back, and dials are not put off for long.
				down.Store(false)
				start := time.Now()
				if err := c.RefreshMetadata(); err != nil {
					t.Error(err)
				}
				if took := time.Since(start); took > 1200*time.Millisecond {
					t.Errorf("took %v", took)
				}
				_ = c.Close()
				s.close()
			})
		})
	}
}

// A broker that takes connections and hangs up at once is no better than one
// that refuses them.
func TestClientWithBrokersThatHangUpDoesNotStormDials(t *testing.T) {
	for _, handshake := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			s := newScript(t, func(string, bridge.Header, any) (any, error) { return nil, errHangUp })
			conf := s.config()
			conf.ApiVersionsRequest, conf.Metadata.Full = handshake, false
			c, err := newClient([]string{"s1:9092"}, conf)
			if err != nil {
				t.Fatal(err)
			}
			end := time.Now().Add(time.Minute)
			var wg sync.WaitGroup
			for range 20 {
				wg.Go(func() {
					for time.Now().Before(end) {
						if err := c.RefreshMetadata("t"); !errors.Is(err, ErrOutOfBrokers) {
							t.Error(err)
						}
					}
				})
			}
			wg.Wait()
			if n := s.dialled(); n > 85 || n < 20 {
				t.Errorf("handshake %v: dialled %d times in a minute", handshake, n)
			}
			_ = c.Close()
			s.close()
		})
	}
}

// A broker that did not answer the first question on its connection is asked
// last.
func TestClientAsksSilentBrokersLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSites(t)
		s.say(site{id: "A", brokers: []string{"b1:9092"}}, "b1:9092", "s2:9092")
		answer := s.answer
		s.answer = func(addr string, h bridge.Header, req any) (any, error) {
			if addr == "s1:9092" {
				return nil, nil
			}
			return answer(addr, h, req)
		}
		start := time.Now()
		conf := s.config()
		conf.Net.ReadTimeout = 10 * time.Second
		var dialled atomic.Bool
		conf.Net.Proxy.Dialer = addrDialer(func(addr string) (net.Conn, error) {
			if !dialled.Swap(true) && addr == "s2:9092" { // whichever is dialled first, the silent one is connected first
				time.Sleep(time.Second)
			}
			return s.Dial("tcp", addr)
		})
		c, err := newClient([]string{"s1:9092", "s2:9092"}, conf)
		if err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took < 10*time.Second || took > 12*time.Second {
			t.Errorf("took %v, the silent broker was waited for once at most", took)
		}
		_ = c.Close()
		s.close()
	})
}

func TestSoftwareVersions(t *testing.T) {
	for version, want := range map[string]string{
		"v1.61.1":                            "v1.61.1",
		"v2.0.0-20260102030405-0123456789ab": "v2.0.0-20260102030405-0123456789ab",
		"v1.61.1+incompatible":               "v1.61.1-incompatible",
		"v0.0.0+dirty":                       "v0.0.0-dirty",
		"(devel)":                            "dev",
		"":                                   "dev",
		"+":                                  "dev",
		"v1.0.0-é":                           "v1.0.0",
	} {
		info := &debug.BuildInfo{Deps: []*debug.Module{{Path: "example.com/other", Version: "v9"}, {Path: "github.com/IBM/sarama", Version: version}}}
		if got := softwareVersion(info); got != want || !clientSoftwarePattern.MatchString(got) {
			t.Errorf("%q: %q, want %q", version, got, want)
		}
	}
	if got := softwareVersion(new(debug.BuildInfo)); got != "dev" {
		t.Errorf("built without it: %q", got)
	}
	replaced := &debug.Module{Path: "github.com/IBM/sarama", Version: "v1.0.0", Replace: &debug.Module{Path: "../fork"}}
	if got := softwareVersion(&debug.BuildInfo{Deps: []*debug.Module{replaced}}); got != "dev" {
		t.Errorf("replaced: %q", got)
	}
}

func TestBrokersAreToldTheSoftware(t *testing.T) {
	for _, test := range []struct{ name, version, wantName, wantVersion string }{
		{"", "", "sarama", moduleVersion()},
		{"", "2", "sarama", moduleVersion()}, // a version of nothing
		{"my-library", "", "my-library", moduleVersion()},
		{"my-library", "2.1", "my-library", "2.1"},
	} {
		var told [2]string
		s := newScript(t, nil)
		s.answer = func(addr string, h bridge.Header, req any) (any, error) {
			if v, ok := req.(*ApiVersionsRequest); ok {
				told = [2]string{v.ClientSoftwareName, v.ClientSoftwareVersion}
			}
			return answerAll(addr, h, req)
		}
		b := openBroker(t, s, func(c *Config) { c.ClientSoftwareName, c.ClientSoftwareVersion = test.name, test.version })
		if ok, err := b.Connected(); !ok {
			t.Error(err)
		}
		if told != [2]string{test.wantName, test.wantVersion} {
			t.Errorf("%q, %q: told %q", test.name, test.version, told)
		}
	}
}
