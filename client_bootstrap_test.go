package sarama

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/IBM/sarama/internal/bridge"
)

// sites are brokers at addresses, each of which says something of its own about
// its cluster.
type sites struct {
	*script
	mu struct {
		sync.Mutex
		says  map[string]site
		asked []string // "addr API vN", without handshakes
	}
}

// site is what a broker says. The zero value never answers.
type site struct {
	id      string // of the cluster
	brokers []string
	code    KError
	epoch   int32
	rest    func(req any) any
}

func newSites(t *testing.T) *sites {
	s := &sites{}
	s.mu.says = make(map[string]site)
	s.script = newScript(t, s.answerAt)
	return s
}

func (s *sites) answerAt(addr string, h bridge.Header, req any) (any, error) {
	if _, ok := req.(*ApiVersionsRequest); ok {
		r := new(ApiVersionsResponse)
		for _, v := range bridge.Versions() {
			r.ApiKeys = append(r.ApiKeys, ApiVersionsResponseKey{ApiKey: v.Key, MaxVersion: v.Max})
		}
		return r, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.asked = append(s.mu.asked, fmt.Sprintf("%s %s v%d", addr, h.Name, h.Version))
	at := s.mu.says[addr]
	if at.brokers == nil {
		return nil, nil
	}
	if m, ok := req.(*MetadataRequest); ok {
		return at.metadata(m), nil
	}
	return at.rest(req), nil
}

func (at site) metadata(req *MetadataRequest) *MetadataResponse {
	r := &MetadataResponse{ControllerID: 1, ErrorCode: at.code}
	if at.id != "" {
		r.ClusterID = &at.id
	}
	if at.code != ErrNoError {
		return r
	}
	for i, addr := range at.brokers {
		r.AddBroker(addr, int32(i+1))
	}
	topics := req.Topics
	if topics == nil {
		topics = []string{"t"}
	}
	for _, topic := range topics {
		if topic != "t" {
			r.AddTopic(topic, ErrUnknownTopicOrPartition)
			continue
		}
		for p := range int32(3) {
			r.AddTopicPartition(topic, p, p%int32(len(at.brokers))+1, nil, nil, nil, ErrNoError)
			r.topic(topic).Partitions[p].LeaderEpoch = at.epoch
		}
	}
	return r
}

// say has brokers at addresses say something; the others there are fall silent.
func (s *sites) say(what site, addrs ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range addrs {
		s.mu.says[a] = what
	}
}

// took returns what was asked since the last time.
func (s *sites) took() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := s.mu.asked
	s.mu.asked = nil
	return list
}

func addrsOf(c *client) (list []string) {
	for _, b := range c.Brokers() {
		list = append(list, b.Addr())
	}
	slices.Sort(list)
	return list
}

func wantAddrs(t *testing.T, c *client, want ...string) {
	t.Helper()
	if got := addrsOf(c); !slices.Equal(got, want) {
		t.Errorf("brokers %v, want %v", got, want)
	}
}

var (
	oldBrokers = []string{"b1:9092", "b2:9092", "b3:9092"}
	newBrokers = []string{"c1:9092", "c2:9092", "c3:9092"}
)

// startSites is a client of a cluster at oldBrokers behind the seed s:9092.
func startSites(t *testing.T, set func(*Config), seeds ...string) (*sites, *client) {
	t.Helper()
	s := newSites(t)
	if seeds == nil {
		seeds = []string{"s:9092"}
	}
	s.say(site{id: "A", brokers: oldBrokers, epoch: 5}, append(slices.Clone(oldBrokers), seeds...)...)
	conf := s.config()
	conf.Version = MaxVersion
	if set != nil {
		set(conf)
	}
	c, err := newClient(seeds, conf)
	if err != nil {
		t.Fatal(err)
	}
	wantAddrs(t, c, oldBrokers...)
	s.took()
	return s, c
}

func TestClientFindsBrokersThatWereAllReplaced(t *testing.T) {
	for name, gone := range map[string]func(*sites){
		"refused": func(s *sites) { s.refuse(true, oldBrokers...); s.hangUp() },
		"silent":  func(s *sites) { s.say(site{}, oldBrokers...) },
		"hanging up": func(s *sites) {
			s.say(site{brokers: []string{}, rest: func(any) any { return nil }, code: ErrUnknown}, oldBrokers...)
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, c := startSites(t, func(conf *Config) { conf.Metadata.Retry.Max = 0 })
				s.say(site{id: "A", brokers: newBrokers, epoch: 6}, append(slices.Clone(newBrokers), "s:9092")...)
				gone(s)
				synctest.Wait()
				if err := c.RefreshMetadata("t"); err != nil {
					t.Fatal(err)
				}
				wantAddrs(t, c, newBrokers...)
				if b, err := c.Leader("t", 1); err != nil || b.Addr() != "c2:9092" {
					t.Errorf("leader %v, %v", b, err)
				}
				// Also those that were given later are begun at again.
				s.say(site{id: "A", brokers: oldBrokers, epoch: 7}, append(slices.Clone(oldBrokers), "r:9092")...)
				s.refuse(false, oldBrokers...)
				if err := c.RefreshBrokers([]string{"r:9092"}); err != nil {
					t.Fatal(err)
				}
				if err := c.RefreshMetadata("t"); err != nil {
					t.Fatal(err)
				}
				wantAddrs(t, c, oldBrokers...)
				s.say(site{id: "A", brokers: newBrokers, epoch: 8}, "r:9092")
				s.refuse(true, append(slices.Clone(oldBrokers), "s:9092")...)
				s.hangUp()
				synctest.Wait()
				if err := c.RefreshMetadata("t"); err != nil {
					t.Fatal(err)
				}
				wantAddrs(t, c, newBrokers...)
				_ = c.Close()
				s.close()
			})
		})
	}
}

func TestClientStartsWithADeadSeedAmongLiveOnes(t *testing.T) {
	for range 10 { // seeds are in no order
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			s := newSites(t)
			s.say(site{id: "A", brokers: oldBrokers}, append(slices.Clone(oldBrokers), "live:9092")...)
			s.refuse(true, "dead1:9092", "dead2:9092")
			conf := s.config()
			conf.Metadata.Retry.Max = 0
			c, err := newClient([]string{"dead1:9092", "live:9092", "dead2:9092"}, conf)
			if err != nil {
				t.Fatal(err)
			}
			if took := time.Since(start); took != 0 {
				t.Errorf("took %v", took)
			}
			wantAddrs(t, c, oldBrokers...)
			_ = c.Close()
			s.close()
		})
	}
}

func TestClientBeginsAgainWhenABrokerSaysSo(t *testing.T) {
	for name, test := range map[string]struct {
		version  KafkaVersion
		recovery MetadataRecovery
		want     []string
		err      error
	}{
		"rebootstrap":       {version: V4_0_0_0, want: []string{"b Metadata v13", "s:9092 Metadata v13"}},
		"none":              {version: V4_0_0_0, recovery: MetadataRecoveryNone, want: []string{"b Metadata v13", "b Metadata v13", "b Metadata v13", "s:9092 Metadata v13"}},
		"an older protocol": {version: V3_9_0_0, want: []string{"b Metadata v11"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, c := startSites(t, func(conf *Config) {
					conf.Version, conf.Metadata.RecoveryStrategy = test.version, test.recovery
					conf.Metadata.Retry.Max = 0
				})
				if err := c.RefreshMetadata("t"); err != nil { // connects to one of them
					t.Fatal(err)
				}
				s.took()
				s.say(site{id: "A", brokers: newBrokers, epoch: 1}, append(slices.Clone(newBrokers), "s:9092")...)
				if test.version.IsAtLeast(V4_0_0_0) {
					s.say(site{id: "A", brokers: oldBrokers, code: ErrRebootstrapRequired}, oldBrokers...)
				}
				time.Sleep(time.Minute)
				if err := c.RefreshMetadata("t"); err != nil {
					t.Fatal(err)
				}
				got := s.took()
				for i := range got {
					if strings.HasPrefix(got[i], "b") {
						got[i] = "b" + strings.TrimPrefix(got[i], got[i][:7])
					}
				}
				if !slices.Equal(got, test.want) {
					t.Errorf("asked %v, want %v", got, test.want)
				}
				if !test.version.IsAtLeast(V4_0_0_0) {
					wantAddrs(t, c, oldBrokers...)
				} else {
					wantAddrs(t, c, newBrokers...)
				}
				// After a rebootstrap a lower epoch is not an older answer; else it is.
				_, epoch, err := c.LeaderAndEpoch("t", 0)
				want := int32(5)
				if name == "rebootstrap" {
					want = 1
				}
				if err != nil || epoch != want {
					t.Errorf("epoch %d, %v; want %d", epoch, err, want)
				}
				_ = c.Close()
				s.close()
			})
		})
	}
}

// Seeds that want a rebootstrap, too, do not keep the client going round.
func TestClientDoesNotBeginAgainForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, c := startSites(t, nil)
		s.say(site{id: "A", brokers: oldBrokers, code: ErrRebootstrapRequired}, append(slices.Clone(oldBrokers), "s:9092")...)
		err := c.RefreshMetadata("t")
		if !errors.Is(err, ErrOutOfBrokers) || !errors.Is(err, ErrRebootstrapRequired) {
			t.Error(err)
		}
		if got := s.took(); len(got) != 1+4 { // a broker, then the seed with each attempt
			t.Errorf("asked %v", got)
		}
		_ = c.Close()
		s.close()
	})
}

// Brokers that take connections and say nothing use up Metadata.Timeout each
// time, before the seeds are asked; until they are forgotten.
func TestClientBeginsAgainWithoutMetadataForTooLong(t *testing.T) {
	for name, test := range map[string]struct {
		set  func(*Config)
		want time.Duration // until there is metadata; 0: never
	}{
		"default":    {func(*Config) {}, 5 * time.Minute},
		"a minute":   {func(c *Config) { c.Metadata.RebootstrapTrigger = time.Minute }, time.Minute},
		"in a round": {func(c *Config) { c.Metadata.Timeout, c.Metadata.RebootstrapTrigger = 0, 20*time.Second }, 20 * time.Second},
		"off":        {func(c *Config) { c.Metadata.RebootstrapTrigger = 0 }, 0},
		"none":       {func(c *Config) { c.Metadata.RecoveryStrategy = MetadataRecoveryNone }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, c := startSites(t, func(conf *Config) {
					conf.Metadata.Timeout = 10 * time.Second
					test.set(conf)
				})
				s.say(site{id: "A", brokers: newBrokers, epoch: 6}, append(slices.Clone(newBrokers), "s:9092")...)
				s.say(site{}, oldBrokers...)
				start := time.Now()
				var took time.Duration
				for range 60 {
					if err := c.RefreshMetadata("t"); err == nil {
						took = time.Since(start)
						break
					}
				}
				if took != test.want {
					t.Errorf("took %v, want %v", took, test.want)
				}
				if test.want != 0 {
					wantAddrs(t, c, newBrokers...)
				}
				_ = c.Close()
				s.close()
			})
		})
	}
}

func TestClientRefusesBrokersOfAnotherCluster(t *testing.T) {
	stranger := site{id: "B", brokers: []string{"x1:9092", "x2:9092"}, rest: func(req any) any {
		switch req.(type) {
		case *FindCoordinatorRequest:
			return &FindCoordinatorResponse{Coordinator: &Broker{id: 1, addr: "x1:9092"}}
		case *InitProducerIDRequest:
			return &InitProducerIDResponse{ProducerID: 666}
		}
		return nil
	}}
	known := site{id: "A", brokers: oldBrokers, epoch: 6}
	for name, test := range map[string]struct {
		seeds []string
		set   func(*sites)
		ok    bool     // there is metadata
		want  []string // brokers afterwards
	}{
		"one of several": {
			set:  func(s *sites) { s.say(stranger, "b1:9092") },
			ok:   true,
			want: oldBrokers,
		},
		"all brokers, not the seed": {
			set:  func(s *sites) { s.say(stranger, oldBrokers...) },
			ok:   true,
			want: oldBrokers,
		},
		"the seed, others are out of reach": {
			set: func(s *sites) { s.say(stranger, "s:9092"); s.refuse(true, oldBrokers...); s.hangUp() },
			// out of reach is not replaced
			want: oldBrokers,
		},
		"all of them": {
			set:  func(s *sites) { s.say(stranger, append(slices.Clone(oldBrokers), "s:9092")...) },
			ok:   true,
			want: stranger.brokers,
		},
		"all of them, several clusters": {
			seeds: []string{"s:9092", "s2:9092"},
			set: func(s *sites) {
				s.say(stranger, append(slices.Clone(oldBrokers), "s:9092")...)
				s.say(site{id: "C", brokers: newBrokers}, "s2:9092")
			},
			want: oldBrokers,
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, c := startSites(t, func(conf *Config) { conf.Metadata.Retry.Max = 1 }, test.seeds...)
				s.say(known, "s:9092")
				test.set(s)
				synctest.Wait()
				for range 5 {
					err := c.RefreshMetadata("t")
					if test.ok != (err == nil) {
						t.Errorf("%v", err)
					}
					if err == nil {
						continue
					}
					mismatch := (*ClusterIDError)(nil)
					if !errors.Is(err, ErrOutOfBrokers) || !errors.Is(err, ErrClusterIDMismatch) || !errors.As(err, &mismatch) {
						t.Errorf("%v", err)
					} else if mismatch.Known != "A" || mismatch.Got == "A" || mismatch.Addr == "" {
						t.Errorf("%+v", mismatch)
					}
				}
				wantAddrs(t, c, test.want...)
				if test.ok {
					_ = c.Close()
					s.close()
					return
				}
				// Nor is a stranger asked for anything else.
				if b, err := c.Coordinator("g"); err == nil {
					t.Errorf("coordinator at %s", b.Addr())
				}
				if id, err := c.InitProducerID(); err == nil {
					t.Errorf("producer id %d", id.ProducerID)
				}
				for _, q := range s.took() {
					if !strings.Contains(q, "Metadata") {
						t.Errorf("asked %s", q)
					}
				}
				_ = c.Close()
				s.close()
			})
		})
	}
}

// A cluster that was set up anew under its old name is taken for a new one once
// nothing can be had of the old one for long enough; of the old one nothing is
// kept.
func TestClientAcceptsARestoredClusterAfterARebootstrap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, c := startSites(t, nil, "s:9092", "dead:9092")
		c.mu.Lock()
		c.mu.coordinators[coordinatorKey{CoordinatorGroup, "g"}] = 1
		c.mu.Unlock()
		s.refuse(true, append(slices.Clone(oldBrokers), "dead:9092")...)
		s.hangUp()
		s.say(site{id: "B", brokers: newBrokers}, append(slices.Clone(newBrokers), "s:9092")...)
		synctest.Wait()
		start := time.Now()
		for {
			err := c.RefreshMetadata("other")
			if errors.Is(err, ErrUnknownTopicOrPartition) {
				break
			}
			if !errors.Is(err, ErrClusterIDMismatch) {
				t.Fatalf("after %v: %v", time.Since(start), err)
			}
		}
		if took := time.Since(start); took < 5*time.Minute || took > 5*time.Minute+10*time.Second {
			t.Errorf("accepted after %v", took)
		}
		wantAddrs(t, c, newBrokers...)
		if n := len(c.mu.coordinators); n != 0 {
			t.Errorf("%d coordinators are left", n)
		}
		time.Sleep(time.Second) // all topics are asked for again
		if b, epoch, err := c.LeaderAndEpoch("t", 0); err != nil || b.Addr() != "c1:9092" || epoch != 0 {
			t.Errorf("%v, epoch %d, %v", b, epoch, err)
		}
		_ = c.Close()
		s.close()
	})
}

// The addresses of RefreshBrokers may be another cluster's: the user says so.
func TestClientRefreshBrokersMayChangeTheCluster(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, c := startSites(t, nil)
		s.say(site{id: "B", brokers: newBrokers}, append(slices.Clone(newBrokers), "r1:9092", "r2:9092")...)
		if err := c.RefreshBrokers([]string{"r1:9092", "r2:9092"}); err != nil {
			t.Fatal(err)
		}
		if ids, err := c.Partitions("t"); err != nil || len(ids) != 3 {
			t.Errorf("topics do not stay: %v, %v", ids, err)
		}
		if err := c.RefreshMetadata("t"); err != nil {
			t.Fatal(err)
		}
		if got := s.took(); len(got) != 1 {
			t.Errorf("asked %v", got)
		}
		wantAddrs(t, c, newBrokers...)
		_ = c.Close()
		s.close()
	})
}

// What was asked of the brokers before a RefreshBrokers does not bring them
// back.
func TestClientRefreshBrokersDuringARefresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, c := startSites(t, nil)
		slow := make(chan struct{})
		answer := s.answer
		s.answer = func(addr string, h bridge.Header, req any) (any, error) {
			if _, ok := req.(*MetadataRequest); ok && addr[0] == 'b' {
				<-slow
			}
			return answer(addr, h, req)
		}
		done := make(chan error, 1)
		go func() { done <- c.RefreshMetadata("t") }()
		synctest.Wait()
		s.say(site{id: "A", brokers: newBrokers, epoch: 6}, append(slices.Clone(newBrokers), "r:9092")...)
		if err := c.RefreshBrokers([]string{"r:9092"}); err != nil {
			t.Fatal(err)
		}
		close(slow)
		if err := <-done; err != nil {
			t.Error(err)
		}
		wantAddrs(t, c, newBrokers...)
		_ = c.Close()
		s.close()
	})
}
