package sarama_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/IBM/sarama"
	"github.com/IBM/sarama/fakekafka"
	"github.com/IBM/sarama/internal/bridge"
)

// bench is a cluster in memory with a consumer, in a synctest bubble. It keeps
// what it was asked.
type bench struct {
	*fakekafka.Cluster
	t    *testing.T
	conf *sarama.Config
	cons sarama.Consumer

	mu    sync.Mutex
	asked []string // one for each request but ApiVersions
}

// newBench starts a cluster of three brokers in racks a, b and c, with topic t
// of three replicas and three partitions, the first led by broker 1.
func newBench(t *testing.T, opts fakekafka.Options, version sarama.KafkaVersion) *bench {
	t.Helper()
	opts.Brokers, opts.InMemory, opts.Racks = 3, true, []string{"a", "b", "c"}
	opts.Topics = []fakekafka.Topic{{Name: "t", Partitions: 3, ReplicationFactor: 3}}
	b := &bench{Cluster: fakekafka.New(t, opts), t: t, conf: sarama.NewConfig()}
	b.conf.Version, b.conf.MetricRegistry, b.conf.ClientID = version, nil, "test"
	b.conf.Consumer.Return.Errors = true
	b.Configure(b.conf)
	b.Handle(b.see)
	return b
}

// see notes a request: its name, the broker, and of a fetch the session's epoch
// and the partitions that are named and forgotten.
func (b *bench) see(r *fakekafka.Request) *fakekafka.Reply {
	what := fmt.Sprintf("%v@%d", r.API, r.Broker)
	switch req := r.Body.(type) {
	case *sarama.ApiVersionsRequest:
		return nil
	case *sarama.FetchRequest:
		what += fmt.Sprintf(" %d", req.SessionEpoch)
		for _, p := range r.Partitions() {
			what += fmt.Sprintf(" +%s%d", p.Topic, p.Partition)
		}
		_, forgotten := bridge.FetchPartitions(req)
		for _, p := range forgotten {
			what += fmt.Sprintf(" -%d", p.Partition)
		}
		if req.SessionEpoch <= 0 != (req.SessionID == 0) && req.SessionEpoch != 0 {
			b.t.Errorf("session %d with epoch %d", req.SessionID, req.SessionEpoch)
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.asked = append(b.asked, what)
	return nil
}

// since returns what was asked since the last call.
func (b *bench) since() (list []string) {
	synctest.Wait()
	b.mu.Lock()
	defer b.mu.Unlock()
	list, b.asked = b.asked, nil
	return list
}

// consume starts to consume a partition of topic t.
func (b *bench) consume(partition int32, offset int64) sarama.PartitionConsumer {
	b.t.Helper()
	if b.cons == nil {
		var err error
		if b.cons, err = sarama.NewConsumer(b.Addrs(), b.conf); err != nil {
			b.t.Fatal(err)
		}
		b.t.Cleanup(func() { _ = b.cons.Close() })
	}
	pc, err := b.cons.ConsumePartition("t", partition, offset)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(pc.AsyncClose)
	return pc
}

// write appends single records with values that count up from from.
func (b *bench) write(partition int32, from, n int) {
	b.t.Helper()
	for i := range n {
		if _, err := b.Append("t", partition, fakekafka.Record{Value: fmt.Append(nil, from+i)}); err != nil {
			b.t.Fatal(err)
		}
	}
}

// read reads messages, whose values are to count up from first.
func (b *bench) read(pc sarama.PartitionConsumer, offset int64, first, n int) {
	b.t.Helper()
	for i := range n {
		m, open := <-pc.Messages()
		if !open {
			b.t.Fatalf("messages end before offset %d: %v", offset, <-pc.Errors())
		}
		if m.Offset != offset+int64(i) || string(m.Value) != fmt.Sprint(first+i) {
			b.t.Fatalf("got offset %d with %q, want %d with %d", m.Offset, m.Value, offset+int64(i), first+i)
		}
	}
}

// calm wants nothing on Errors and Messages.
func (b *bench) calm(pcs ...sarama.PartitionConsumer) {
	b.t.Helper()
	synctest.Wait()
	for _, pc := range pcs {
		select {
		case e := <-pc.Errors():
			b.t.Errorf("error: %v", e)
		case m := <-pc.Messages():
			b.t.Errorf("message: %+v", m)
		default:
		}
	}
}

// ends wants a partition consumer to end with an error.
func (b *bench) ends(pc sarama.PartitionConsumer) error {
	b.t.Helper()
	if m, open := <-pc.Messages(); open {
		b.t.Fatalf("message: %+v", m)
	}
	e := <-pc.Errors()
	if e == nil {
		b.t.Fatal("no error")
	}
	if err := pc.Close(); err != nil {
		b.t.Error(err)
	}
	return e.Err
}

func (b *bench) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

// polls lets so many long polls end.
func (b *bench) polls(n int) {
	time.Sleep(time.Duration(n)*b.conf.Consumer.MaxWaitTime + time.Millisecond)
}

// onOne moves all partitions to broker 1.
func (b *bench) onOne() {
	for p := range int32(3) {
		b.must(b.MoveLeader("t", p, 1))
	}
}

func TestFetchSessionNamesWhatChanges(t *testing.T) {
	for _, version := range []sarama.KafkaVersion{sarama.V1_1_0_0, sarama.V2_8_0_0, sarama.MaxVersion} {
		t.Run(version.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, fakekafka.Options{}, version)
				b.onOne()
				b.conf.Consumer.MaxProcessingTime = 10 * time.Millisecond
				p0, p1, p2 := b.consume(0, sarama.OffsetOldest), b.consume(1, sarama.OffsetOldest), b.consume(2, sarama.OffsetOldest)
				b.polls(2)
				fetches := slices.DeleteFunc(b.since(), func(s string) bool { return !strings.HasPrefix(s, "Fetch") })
				for epoch, f := range fetches { // the partitions come in one after another
					if !strings.HasPrefix(f+" ", fmt.Sprintf("Fetch@1 %d ", epoch)) {
						t.Errorf("fetch %d: %q", epoch, f)
					}
				}
				for _, name := range []string{"+t0", "+t1", "+t2"} {
					if got := strings.Join(fetches, ", "); strings.Count(got, name) != 1 {
						t.Errorf("%s is not named once: %s", name, got)
					}
				}
				b.polls(2)
				for _, r := range b.since() {
					if len(strings.Fields(r)) != 2 {
						t.Errorf("named without need: %q", r)
					}
				}
				last := func() (what string) { // without the epoch
					list := b.since()
					_, what, _ = strings.Cut(list[len(list)-1], " ")
					_, what, _ = strings.Cut(what, " ")
					return what
				}
				b.write(1, 0, 1)
				b.read(p1, 0, 0, 1)
				if got := last(); got != "+t1" {
					t.Errorf("after a message: %q", got)
				}
				p0.Pause()
				b.polls(1)
				if got := last(); got != "-0" {
					t.Errorf("after a pause: %q", got)
				}
				p0.Resume()
				b.polls(1)
				if got := last(); got != "+t0" {
					t.Errorf("after its end: %q", got)
				}
				b.must(p2.Close())
				b.polls(1)
				if got := last(); got != "-2" {
					t.Errorf("after a close: %q", got)
				}
				p2 = b.consume(2, 0)
				b.polls(1)
				if got := last(); got != "+t2" {
					t.Errorf("consumed again: %q", got)
				}
				b.must(p2.Close())
				p2 = b.consume(2, 0) // before the next request leaves
				b.polls(2)
				for p, pc := range []sarama.PartitionConsumer{p0, p1, p2} {
					b.write(int32(p), 7, 1)
					b.read(pc, int64(p%2), 7, 1)
				}
				b.calm(p0, p1, p2)
			})
		})
	}
}

func TestFetchSessionLossGoesUnseen(t *testing.T) {
	for _, code := range []sarama.KError{
		sarama.ErrFetchSessionIDNotFound, sarama.ErrInvalidFetchSessionEpoch, sarama.ErrFetchSessionTopicIDError, sarama.ErrInconsistentTopicID,
	} {
		t.Run(fmt.Sprint(int(code)), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, fakekafka.Options{}, sarama.MaxVersion)
				b.onOne()
				p0, p1 := b.consume(0, sarama.OffsetOldest), b.consume(1, sarama.OffsetOldest)
				b.polls(3)
				b.since()
				for round := range 3 {
					if code == sarama.ErrFetchSessionIDNotFound {
						b.DropFetchSessions(1)
					} else {
						b.FailRequest(fakekafka.Fetch, code, 1)
					}
					b.polls(1)
					if got := b.since(); len(got) != 2 || len(strings.Fields(got[0])) != 2 || len(got[1]) != len("Fetch@1 0 +t0 +t1") || got[1][:9] != "Fetch@1 0" {
						t.Errorf("requests: %q", got)
					}
					b.write(0, round, 1)
					b.read(p0, int64(round), round, 1)
					b.polls(2)
					b.since()
				}
				b.calm(p0, p1)
			})
		})
	}
	t.Run("no session is kept for long", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t, fakekafka.Options{}, sarama.MaxVersion)
			b.Handle(func(r *fakekafka.Request) *fakekafka.Reply {
				if r.API == fakekafka.Fetch {
					b.DropFetchSessions(r.Broker)
				}
				return nil
			})
			pc := b.consume(0, sarama.OffsetOldest)
			b.since()
			time.Sleep(time.Minute)
			if n := len(b.since()); n > 245 {
				t.Errorf("%d requests in a minute", n)
			}
			b.write(0, 0, 3)
			b.read(pc, 0, 0, 3)
			b.calm(pc)
		})
	})
}

func TestFetchSessionOfAnotherConnectionIsAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, fakekafka.Options{}, sarama.MaxVersion)
		b.onOne()
		b.conf.Consumer.Retry.Backoff = time.Millisecond
		p0, p1 := b.consume(0, sarama.OffsetOldest), b.consume(1, sarama.OffsetOldest)
		b.polls(3)
		b.since()
		b.CutConnections(1)
		b.polls(2)
		fetches := slices.DeleteFunc(b.since(), func(s string) bool { return !strings.HasPrefix(s, "Fetch") })
		if len(fetches) < 2 || fetches[0] != "Fetch@1 0 +t0 +t1" || fetches[1] != "Fetch@1 1" {
			t.Errorf("fetches: %q", fetches)
		}
		for _, pc := range []sarama.PartitionConsumer{p0, p1} {
			if e := <-pc.Errors(); e == nil {
				t.Error("no error")
			}
		}
		b.write(1, 0, 1)
		b.read(p1, 0, 0, 1)
	})
}

func TestFetchWithoutSession(t *testing.T) {
	for name, prepare := range map[string]func(*fakekafka.Options, *sarama.Config) (first int){
		"the broker keeps none": func(o *fakekafka.Options, _ *sarama.Config) int { o.FetchSessions = -1; return 0 },
		"versions not known":    func(_ *fakekafka.Options, c *sarama.Config) int { c.ApiVersionsRequest = false; return -1 },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var opts fakekafka.Options
				prepare(&opts, sarama.NewConfig())
				b := newBench(t, opts, sarama.V2_8_0_0)
				first := prepare(&opts, b.conf)
				b.onOne()
				p0, p1 := b.consume(0, sarama.OffsetOldest), b.consume(1, sarama.OffsetOldest)
				b.polls(5)
				fetches := slices.DeleteFunc(b.since(), func(s string) bool { return !strings.HasPrefix(s, "Fetch") })
				if !strings.HasPrefix(fetches[0], fmt.Sprintf("Fetch@1 %d +t0", first)) {
					t.Errorf("the first fetch is %q", fetches[0])
				}
				for _, f := range fetches[2:] {
					if f != "Fetch@1 -1 +t0 +t1" {
						t.Errorf("fetch %q", f)
					}
				}
				b.write(1, 0, 1)
				b.read(p1, 0, 0, 1)
				b.calm(p0, p1)
			})
		})
	}
}

// fetched are the fetches that were asked for, by broker, since the last call.
func (b *bench) fetched() map[string]int {
	brokers := make(map[string]int)
	for _, r := range b.since() {
		if what, _, _ := strings.Cut(r, " "); strings.HasPrefix(what, "Fetch@") {
			brokers[what]++
		}
	}
	return brokers
}

func (b *bench) fetchedFrom(want ...string) {
	b.t.Helper()
	got := b.fetched()
	for _, w := range want {
		if got[w] == 0 {
			b.t.Errorf("fetches %v, want some of %q", got, want)
		}
		delete(got, w)
	}
	if len(got) > 0 {
		b.t.Errorf("fetches of %v, too, want %q", got, want)
	}
}

func TestFetchFromTheClosestReplica(t *testing.T) {
	for _, version := range []sarama.KafkaVersion{sarama.V2_3_0_0, sarama.V2_8_0_0, sarama.MaxVersion} {
		t.Run(version.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, fakekafka.Options{ReadFromRack: true}, version)
				b.onOne()
				b.conf.RackID, b.conf.Metadata.RefreshFrequency, b.conf.Consumer.Retry.Max = "b", 10*time.Minute, 1
				pc := b.consume(0, sarama.OffsetOldest)
				start := time.Now()
				b.write(0, 0, 3)
				b.read(pc, 0, 0, 3)
				b.polls(2)
				b.since()
				if took := time.Since(start); took > 2*time.Second {
					t.Errorf("the switch took %v", took)
				}
				b.polls(10)
				b.fetchedFrom("Fetch@2")
				// The lease ends: the leader is asked, and names the replica again.
				time.Sleep(10 * time.Minute)
				got := b.fetched()
				if got["Fetch@1"] != 1 || got["Fetch@2"] < 1000 {
					t.Errorf("fetches during a lease: %v", got)
				}
				b.write(0, 3, 3)
				b.read(pc, 3, 3, 3)
				// It goes out of sync: its error leads back to the leader, at once.
				b.must(b.StopBroker(2))
				start = time.Now()
				b.write(0, 6, 3)
				b.read(pc, 6, 6, 3)
				if took := time.Since(start); took > time.Second {
					t.Errorf("the way back took %v", took)
				}
				b.fetched()
				b.polls(5)
				b.fetchedFrom("Fetch@1")
				// And when it is back, the leader may name it again.
				b.must(b.RestartBroker(2))
				time.Sleep(time.Minute)
				b.fetched()
				b.polls(5)
				b.fetchedFrom("Fetch@2")
				// A new leader is asked first.
				b.must(b.MoveLeader("t", 0, 3))
				b.write(0, 9, 1)
				b.read(pc, 9, 9, 1)
				b.calm(pc)
			})
		})
	}
}

func TestFetchFromAReplicaThatIsBehindOrUnknown(t *testing.T) {
	for name, tc := range map[string]struct {
		rack   string
		harm   func(*bench)
		leader string
	}{
		"behind":        {"b", func(b *bench) { b.must(b.PreferReplica("t", 0, 2)); b.must(b.SetReplicaEnd("t", 0, 2, 1)) }, "Fetch@1"},
		"unknown":       {"b", func(b *bench) { b.must(b.PreferReplica("t", 0, 77)) }, "Fetch@1"},
		"fine":          {"b", func(b *bench) { b.must(b.PreferReplica("t", 0, 2)) }, "Fetch@2"},
		"without rack":  {"", func(b *bench) { b.must(b.PreferReplica("t", 0, 2)) }, "Fetch@1"},
		"broken":        {"b", func(b *bench) { b.must(b.PreferReplica("t", 0, 2)); b.breakFetch(2) }, "Fetch@1"},
		"of no address": {"b", func(b *bench) { b.must(b.SetNetwork(2, fakekafka.NetworkRefuse)); b.must(b.PreferReplica("t", 0, 2)) }, "Fetch@1"},
	} {
		for _, version := range []sarama.KafkaVersion{sarama.V2_3_0_0, sarama.MaxVersion} {
			t.Run(name+" "+version.String(), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					b := newBench(t, fakekafka.Options{}, version)
					b.conf.RackID, b.conf.Consumer.Retry.Max = tc.rack, 1
					b.write(0, 0, 3)
					pc := b.consume(0, sarama.OffsetOldest)
					b.read(pc, 0, 0, 3)
					tc.harm(b)
					b.polls(2)
					b.write(0, 3, 3)
					b.read(pc, 3, 3, 3)
					b.polls(1)
					b.fetched()
					b.polls(3)
					b.fetchedFrom(tc.leader)
					time.Sleep(5 * time.Minute)
					if n := len(b.since()); n > 5*60*2+50 {
						t.Errorf("%d requests in five minutes", n)
					}
					b.write(0, 6, 3)
					b.read(pc, 6, 6, 3)
					b.calm(pc)
				})
			})
		}
	}
}

// breakFetch has a broker refuse all fetches with an error that is nobody's
// fault.
func (b *bench) breakFetch(broker int32) {
	b.Handle(func(r *fakekafka.Request) *fakekafka.Reply {
		if r.API != fakekafka.Fetch || r.Broker != broker {
			return nil
		}
		return &fakekafka.Reply{Errors: map[fakekafka.TopicPartition]sarama.KError{{Topic: "t", Partition: 0}: sarama.ErrKafkaStorageError}}
	})
}

func TestLeaderHintsSpareTheBackoff(t *testing.T) {
	for version, backoff := range map[sarama.KafkaVersion]bool{sarama.V2_8_0_0: true, sarama.MaxVersion: false} {
		t.Run(version.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, fakekafka.Options{}, version)
				b.conf.Consumer.Retry.Max = 1
				pc := b.consume(0, sarama.OffsetOldest)
				b.polls(1)
				b.since()
				for i := range 6 {
					start := time.Now()
					b.must(b.MoveLeader("t", 0, int32(2+i%2)))
					b.write(0, i, 1)
					b.read(pc, int64(i), i, 1)
					took := time.Since(start)
					if backoff != (took >= b.conf.Consumer.Retry.Backoff) || !backoff && took > 0 {
						t.Errorf("took %v", took)
					}
					for _, r := range b.since() {
						if strings.HasPrefix(r, "Metadata") != backoff && strings.HasPrefix(r, "Metadata") {
							t.Errorf("request %q", r)
						}
					}
				}
				b.calm(pc)
			})
		})
	}
}

func TestPartitionOffsetsAreKnown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, fakekafka.Options{}, sarama.MaxVersion)
		b.write(0, 0, 9)
		b.must(b.TrimLog("t", 0, 2))
		pc := b.consume(0, sarama.OffsetOldest)
		offsets := pc.(sarama.PartitionOffsets)
		if offsets.LogStartOffset() != 2 {
			t.Error(offsets.LogStartOffset())
		}
		b.read(pc, 2, 2, 7)
		b.must(b.TrimLog("t", 0, 5))
		b.write(0, 9, 1)
		b.read(pc, 9, 9, 1)
		if offsets.LogStartOffset() != 5 || offsets.LastStableOffset() != 10 {
			t.Error(offsets.LogStartOffset(), offsets.LastStableOffset())
		}
		pc = b.consume(1, sarama.OffsetOldest)
		pc.Pause()
		if offsets = pc.(sarama.PartitionOffsets); offsets.LastStableOffset() != -1 {
			t.Log("fetched already")
		}
	})
}

// embedding is a Client as users write them.
type embedding struct{ sarama.Client }

func TestFetchFromTheClosestReplicaByAClientOfTheUsers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, fakekafka.Options{ReadFromRack: true}, sarama.MaxVersion)
		b.onOne()
		b.conf.RackID = "c"
		own, err := sarama.NewClient(b.Addrs(), b.conf)
		b.must(err)
		defer func() { b.must(own.Close()) }()
		b.cons, err = sarama.NewConsumerFromClient(embedding{own})
		b.must(err)
		b.write(0, 0, 3)
		pc := b.consume(0, sarama.OffsetOldest)
		b.read(pc, 0, 0, 3)
		b.polls(2)
		b.fetched()
		b.polls(2)
		b.fetchedFrom("Fetch@3")
		b.must(b.MoveLeader("t", 0, 2))
		b.write(0, 3, 3)
		b.read(pc, 3, 3, 3)
		b.polls(2)
		b.calm(pc)
		b.must(pc.Close())
		b.must(b.cons.Close()) // which is not told of its client's end
	})
}
