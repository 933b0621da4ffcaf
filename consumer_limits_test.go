package sarama

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/IBM/sarama/internal/bridge"
)

// quietly fails the test for what is on Errors.
func quietly(t *testing.T, pc PartitionConsumer) {
	t.Helper()
	synctest.Wait()
	select {
	case e := <-pc.Errors():
		t.Errorf("error: %v", e)
	default:
	}
}

// answerFetches answers fetches of one partition in the cluster's place, where
// answer changes something. Those that have no end are slowed down.
func (c *fakeTopics) answerFetches(answer func(r *fakeRequest, p *bridge.FetchedPartition) bool) {
	n := 0
	c.intercept = func(r *fakeRequest) (any, bool) {
		if r.Name != "Fetch" {
			return nil, false
		}
		if n++; n > 1000 {
			time.Sleep(time.Second)
		}
		p := bridge.FetchedPartition{Topic: "t", PreferredReadReplica: -1, HighWatermark: 3, LastStableOffset: -1, LogStartOffset: -1}
		if !answer(r, &p) {
			return nil, false
		}
		return bridge.FetchResponse(0, 0, 0, []bridge.FetchedPartition{p}, nil), true
	}
}

// A broker that throttles answers a request that is not part of a session with
// nothing at all (KIP-219).
func TestFetchThatIsThrottledIsNotIncomplete(t *testing.T) {
	for _, version := range []KafkaVersion{V0_11_0_0, V2_3_0_0, MaxVersion} {
		t.Run(version.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cluster := newFakeTopics(1)
				cluster.create("t", 0, 1)
				cluster.writeValues("t", 0, values(0, 3)...)
				left := 3
				cluster.intercept = func(r *fakeRequest) (any, bool) {
					if r.Name != "Fetch" || left == 0 {
						return nil, false
					}
					left--
					if left == 1 {
						return bridge.FetchResponse(time.Second, 0, 0, nil, nil), true
					}
					return bridge.FetchResponse(300*time.Millisecond, 0, 0, nil, nil), true
				}
				conf := cluster.config()
				conf.Version, conf.Consumer.Return.Errors, conf.Consumer.Retry.Max = version, true, 1
				c := cluster.consumer(t, conf)
				start := time.Now()
				pc := consume(t, c, "t", 0, OffsetOldest)
				expectOffsets(t, pc, 0, 3)
				if took := time.Since(start); took >= conf.Consumer.Retry.Backoff {
					t.Errorf("took %v", took)
				}
				quietly(t, pc)
				closeAll(t, pc)
			})
		})
	}
}

// A message of an old version whose offset is none neither hides those before
// it nor ends the partition in silence.
func TestOldMessagesBeforeAnInvalidOffset(t *testing.T) {
	for _, offset := range []int64{-3, 1<<63 - 1} {
		t.Run(fmt.Sprint(offset), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cluster := newFakeTopics(1)
				cluster.create("t", 0, 1)
				cluster.writeValues("t", 0, "value-0")
				cluster.writeValues("t", 0, values(1, 4)...)
				broken := true
				cluster.amend = func(_ *fakeRequest, p *bridge.FetchedPartition) {
					if len(p.Records) == 0 || !broken {
						return
					}
					broken = false
					p.Records = slices.Concat(oldMessage(t, 0, "value-0"), oldMessage(t, offset, "no"), oldMessage(t, 2, "no"))
				}
				conf := cluster.config()
				conf.Consumer.Return.Errors = true
				c := cluster.consumer(t, conf)
				pc := consume(t, c, "t", 0, OffsetOldest)
				expectOffsets(t, pc, 0, 1)
				time.Sleep(time.Second)
				select {
				case e := <-pc.Errors():
					t.Log(e)
				default:
					t.Fatal("no error")
				}
				expectOffsets(t, pc, 1, 4)
				closeAll(t, pc)
			})
		})
	}
}

// oldMessage is a message of version 1.
func oldMessage(t *testing.T, offset int64, value string) []byte {
	t.Helper()
	set := &MessageSet{Messages: []*MessageBlock{{Msg: &Message{Version: 1, Value: []byte(value)}}}}
	raw, err := set.append(nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	binary.BigEndian.PutUint64(raw, uint64(offset)) // which is not part of what the checksum is of
	return raw
}

// A replica that refuses and names the leader, who names the replica: the
// leader serves for a while.
func TestReplicaThatNamesTheLeaderIsAvoided(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cluster := newFakeTopics(2)
		cluster.create("t", 0, 1)
		cluster.answerFetches(func(r *fakeRequest, p *bridge.FetchedPartition) bool {
			switch {
			case r.broker.id == 2:
				p.Err, p.HasLeader, p.CurrentLeaderID = int16(ErrNotLeaderForPartition), true, 1
			case r.body.(*FetchRequest).RackID != "":
				p.PreferredReadReplica = 2
			default:
				return false
			}
			return true
		})
		conf := cluster.config()
		conf.Version, conf.RackID, conf.Consumer.Return.Errors = V2_8_0_0, "b", true
		c := cluster.consumer(t, conf)
		cluster.writeValues("t", 0, values(0, 3)...)
		pc := consume(t, c, "t", 0, OffsetOldest)
		expectOffsets(t, pc, 0, 3)
		time.Sleep(20 * time.Second)
		if n := len(cluster.fetches()); n > 200 {
			t.Errorf("%d fetches in 20 s", n)
		}
		quietly(t, pc)
		closeAll(t, pc)
	})
}

// A broker that finds every log truncated, always where it is fetched, is not
// asked without a pause.
func TestTruncationWithoutProgressBacksOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cluster := newFakeTopics(1)
		cluster.create("t", 0, 1)
		var right atomic.Bool
		cluster.answerFetches(func(r *fakeRequest, p *bridge.FetchedPartition) bool {
			p.HasDiverging, p.DivergingEpoch, p.DivergingOffset = true, 0, 7
			return !right.Load()
		})
		conf := cluster.config()
		conf.Version, conf.Consumer.Offsets.Reset = MaxVersion, OffsetResetOldest
		c := cluster.consumer(t, conf)
		cluster.writeValues("t", 0, values(0, 3)...)
		pc := consume(t, c, "t", 0, OffsetOldest)
		time.Sleep(20 * time.Second)
		if n := len(cluster.fetches()); n < 5 || n > 20 {
			t.Errorf("%d fetches in 20 s", n)
		}
		right.Store(true)
		expectOffsets(t, pc, 0, 3)
		closeAll(t, pc)
	})
}

// While a request was under way that the leader answers with a replica's name,
// the partition got another leader: that is asked first.
func TestNewLeaderIsAskedBeforeAReplica(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cluster := newFakeTopics(3)
		cluster.create("t", 0, 1)
		cluster.writeValues("t", 0, values(0, 3)...)
		conf := cluster.config()
		conf.Version, conf.RackID = V2_8_0_0, "b"
		own, err := NewClient([]string{"broker-1:9092"}, conf)
		if err != nil {
			t.Fatal(err)
		}
		c, err := NewConsumerFromClient(own)
		if err != nil {
			t.Fatal(err)
		}
		var asked []int32
		cluster.answerFetches(func(r *fakeRequest, p *bridge.FetchedPartition) bool {
			cluster.with(func() { asked = append(asked, r.broker.id) })
			if r.broker.id != 1 {
				return false
			}
			cluster.move("t", 0, 3)
			if err := own.RefreshMetadata("t"); err != nil {
				t.Error(err)
			}
			p.PreferredReadReplica = 2
			return true
		})
		pc := consume(t, c, "t", 0, OffsetOldest)
		expectOffsets(t, pc, 0, 3)
		cluster.with(func() {
			if len(asked) < 2 || asked[0] != 1 || asked[1] != 3 {
				t.Errorf("fetches of brokers %v, want 1 and then 3", asked)
			}
		})
		closeAll(t, pc, c, own)
	})
}

// What the broker has of a session is uncertain after an exchange that failed,
// be it that the connection lives on.
func TestFetchSessionBeginsAnewAfterAFailedExchange(t *testing.T) {
	conf := NewConfig()
	conf.MetricRegistry = nil
	f := testFetcher(t, conf)
	c := f.add(t, "t", 0)
	f.session = fetchSession{link: &link{}, id: 7, epoch: 3, serial: 1}
	at := fetchPartition{id: 0, fetchOffset: 5}
	if !f.session.enter(c, at) || f.session.enter(c, at) {
		t.Fatal("the session does not know its partition")
	}
	f.session.forgotten = append(f.session.forgotten, forgottenPartition{"t", 9})
	f.failed(errors.New("no answer that could be read"))
	if f.session.incremental() || f.session.epoch != sessionAsked || f.session.id != 7 {
		t.Errorf("session %d goes on with epoch %d", f.session.id, f.session.epoch)
	}
	if len(f.session.forgotten) != 0 {
		t.Errorf("a request that names everything forgets %v", f.session.forgotten)
	}
	if len(f.cursors) != 0 {
		t.Errorf("cursors are left: %v", f.cursors)
	}
	if !f.session.enter(c, at) {
		t.Error("a partition is taken for known")
	}
	closeAll(t, c.pc)
}
