package sarama_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/IBM/sarama"
	"github.com/IBM/sarama/fakekafka"
)

// count is how many requests of an API were made since the last call.
func (b *bench) count(name string) (n int) {
	for _, r := range b.since() {
		if strings.HasPrefix(r, name+"@") {
			n++
		}
	}
	return n
}

var resetPolicies = []sarama.OffsetReset{
	sarama.OffsetResetNone, sarama.OffsetResetOldest, sarama.OffsetResetNewest, sarama.OffsetResetByAge,
}

// writeAged appends records of which the first are a day old.
func (b *bench) writeAged(partition int32, from, n, old int) {
	b.t.Helper()
	for i := range n {
		at := time.Now()
		if i < old {
			at = at.Add(-24 * time.Hour)
		}
		if _, err := b.Append("t", partition, fakekafka.Record{Value: fmt.Append(nil, from+i), Timestamp: at}); err != nil {
			b.t.Fatal(err)
		}
	}
}

func TestConsumePartitionOutOfRangeFollowsThePolicy(t *testing.T) {
	for _, policy := range resetPolicies {
		t.Run(policy.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, fakekafka.Options{}, sarama.V2_8_0_0)
				b.writeAged(0, 0, 10, 6)
				b.must(b.TrimLog("t", 0, 3))
				b.conf.Consumer.Offsets.Reset, b.conf.Consumer.Offsets.ResetAge = policy, time.Hour
				b.must(b.consume(1, 0).Close())
				for _, offset := range []int64{2, 11, 1 << 40} {
					pc, err := b.cons.ConsumePartition("t", 0, offset)
					if policy == sarama.OffsetResetNone {
						if err != sarama.ErrOffsetOutOfRange {
							t.Errorf("offset %d: %v", offset, err)
						}
						continue
					}
					b.must(err)
					from := map[sarama.OffsetReset]int{sarama.OffsetResetOldest: 3, sarama.OffsetResetNewest: 10, sarama.OffsetResetByAge: 6}[policy]
					b.read(pc, int64(from), from, 10-from)
					b.calm(pc)
					b.must(pc.Close())
				}
				if _, err := b.cons.ConsumePartition("t", 0, -7); err != sarama.ErrOffsetOutOfRange {
					t.Errorf("what is no offset: %v", err)
				}
			})
		})
	}
}

func TestOutOfRangeWhileRunningFollowsThePolicy(t *testing.T) {
	for _, policy := range resetPolicies {
		t.Run(policy.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, fakekafka.Options{}, sarama.MaxVersion)
				b.conf.Consumer.Offsets.Reset, b.conf.Consumer.Offsets.ResetAge = policy, time.Hour
				b.conf.Consumer.Fetch.Default, b.conf.ChannelBufferSize = 200, 1 // little at a time
				b.writeAged(0, 0, 60, 50)
				pc := b.consume(0, sarama.OffsetOldest)
				b.read(pc, 0, 0, 1)
				synctest.Wait() // some are here, but not all
				b.must(b.TrimLog("t", 0, 40))
				b.since()
				if policy == sarama.OffsetResetNewest {
					time.AfterFunc(time.Minute, func() { b.write(0, 60, 1) })
				}
				next := int64(1)
				m, open := <-pc.Messages()
				for ; open && m.Offset == next; m, open = <-pc.Messages() {
					next++
				}
				if next > 20 {
					t.Fatalf("all was read up to %d before the log was trimmed", next)
				}
				switch policy {
				case sarama.OffsetResetNone:
					if e := <-pc.Errors(); open || e.Err != sarama.ErrOffsetOutOfRange {
						t.Errorf("%+v, %v", m, e)
					}
					return
				case sarama.OffsetResetOldest:
					if m.Offset != 40 {
						t.Errorf("goes on at %d", m.Offset)
					}
				case sarama.OffsetResetByAge:
					if m.Offset != 50 {
						t.Errorf("goes on at %d", m.Offset)
					}
				case sarama.OffsetResetNewest:
					if m.Offset != 60 {
						t.Errorf("goes on at %d", m.Offset)
					}
				}
				b.read(pc, m.Offset+1, int(m.Offset)+1, max(0, 59-int(m.Offset)))
				if n := b.count("ListOffsets"); n != 1 {
					t.Errorf("%d requests for offsets", n)
				}
				b.calm(pc)
			})
		})
	}
}

func TestResetGoesOnOverFailuresAndDoesNotRunHot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, fakekafka.Options{}, sarama.MaxVersion)
		b.conf.Consumer.Offsets.Reset, b.conf.Consumer.Retry.Max = sarama.OffsetResetOldest, 5
		b.write(0, 0, 10)
		pc := b.consume(0, sarama.OffsetOldest)
		b.read(pc, 0, 0, 10)
		b.Fail(fakekafka.ListOffsets, "t", 0, sarama.ErrKafkaStorageError, 4)
		undo := b.Fail(fakekafka.Fetch, "t", 0, sarama.ErrOffsetOutOfRange, 2)
		b.polls(1)
		for range 2 { // each after a second try of the client's own
			if e := <-pc.Errors(); !errors.Is(e, sarama.ErrKafkaStorageError) {
				t.Error(e)
			}
		}
		b.read(pc, 0, 0, 10)
		undo()
		b.polls(2)
		b.since()
		b.Fail(fakekafka.Fetch, "t", 0, sarama.ErrOffsetOutOfRange, -1)
		start := time.Now()
		if err := b.ends(pc); err != sarama.ErrConsumerRetriesExhausted {
			t.Error(err)
		}
		if n, took := len(b.since()), time.Since(start); n > 40 || took < 8*time.Second {
			t.Errorf("%d requests in %v", n, took)
		}
	})
}

// Brokers that check epochs in Fetch, and those that have to be asked.
var truncationVersions = map[string]struct {
	version sarama.KafkaVersion
	opts    fakekafka.Options
	asks    bool
}{
	"fetch by id":      {sarama.MaxVersion, fakekafka.Options{}, false},
	"fetch 12":         {sarama.V2_8_0_0, fakekafka.Options{}, false},
	"epochs":           {sarama.V2_3_0_0, fakekafka.Options{}, true},
	"epochs, 2.1":      {sarama.V2_1_0_0, fakekafka.Options{}, true},
	"epochs by clamp":  {sarama.MaxVersion, fakekafka.Options{MaxVersions: map[fakekafka.API]int16{fakekafka.Fetch: 11}}, true},
	"without sessions": {sarama.V2_8_0_0, fakekafka.Options{FetchSessions: -1}, false},
}

func TestTruncationIsReportedWithoutPolicy(t *testing.T) {
	for name, tc := range truncationVersions {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, tc.opts, tc.version)
				b.must(b.MoveLeader("t", 0, 2)) // epoch 1
				b.write(0, 0, 5)
				b.must(b.MoveLeader("t", 0, 1)) // epoch 2
				b.write(0, 5, 5)
				pc := b.consume(0, sarama.OffsetOldest)
				b.read(pc, 0, 0, 10)
				b.polls(1)
				if n := b.count("OffsetForLeaderEpoch"); n != 0 {
					t.Errorf("epochs were asked for %d times before any change", n)
				}
				b.must(b.TruncateLog("t", 0, 7))
				b.write(0, 100, 9) // the log is longer than before
				err := b.ends(pc)
				var truncated *sarama.LogTruncationError
				if !errors.As(err, &truncated) || !errors.Is(err, sarama.ErrOffsetOutOfRange) {
					t.Fatal(err)
				}
				want := sarama.LogTruncationError{Topic: "t", Offset: 10, LeaderEpoch: 2, TruncationOffset: 7, TruncationEpoch: 2}
				if *truncated != want {
					t.Errorf("got %+v", *truncated)
				}
				for _, s := range []string{"t/0", "offset 7", "offset 10"} {
					if !strings.Contains(err.Error(), s) {
						t.Errorf("%q does not say %q", err, s)
					}
				}
				if n := b.count("OffsetForLeaderEpoch"); (n == 1) != tc.asks || n > 1 {
					t.Errorf("epochs were asked for %d times", n)
				}
			})
		})
	}
}

func TestTruncationWithPolicyGoesBackToWhereItBegins(t *testing.T) {
	for name, tc := range truncationVersions {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, tc.opts, tc.version)
				b.conf.Consumer.Offsets.Reset = sarama.OffsetResetNewest
				b.conf.Consumer.Retry.Max = 2
				b.write(0, 0, 5)
				b.must(b.MoveLeader("t", 0, 1)) // the same: no other epoch
				b.must(b.MoveLeader("t", 0, 2)) // epoch 1
				b.write(0, 5, 5)
				pc := b.consume(0, sarama.OffsetOldest)
				b.read(pc, 0, 0, 10)
				b.polls(1)
				b.must(b.TruncateLog("t", 0, 7)) // epoch 2
				b.write(0, 100, 9)
				b.read(pc, 7, 100, 9)
				b.must(b.TruncateLog("t", 0, 3)) // epoch 3: below what epochs 1 and 2 wrote
				b.polls(1)
				b.write(0, 200, 1)
				b.read(pc, 3, 200, 1)
				b.must(b.MoveLeader("t", 0, 3)) // nothing is lost
				b.write(0, 201, 2)
				b.read(pc, 4, 201, 2)
				b.calm(pc)
			})
		})
	}
}

// A user who is slow gets everything that was fetched before a truncation, and
// then what has come in its place.
func TestTruncationWaitsForASlowUser(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, fakekafka.Options{}, sarama.MaxVersion)
		b.conf.Consumer.Offsets.Reset = sarama.OffsetResetOldest
		b.conf.ChannelBufferSize = 0
		b.write(0, 0, 10)
		pc := b.consume(0, sarama.OffsetOldest)
		b.read(pc, 0, 0, 2)
		b.polls(2)
		b.must(b.TruncateLog("t", 0, 1))
		b.write(0, 100, 5)
		time.Sleep(time.Minute)
		b.read(pc, 2, 2, 8)
		b.read(pc, 1, 100, 5)
		b.calm(pc)
	})
}

func TestTruncationThatBrokersDoNotLetCheck(t *testing.T) {
	for _, code := range []sarama.KError{sarama.ErrClusterAuthorizationFailed, sarama.ErrTopicAuthorizationFailed} {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t, fakekafka.Options{}, sarama.V2_1_0_0)
			b.Fail(fakekafka.OffsetForLeaderEpoch, "t", 0, code, -1)
			b.write(0, 0, 5)
			pc := b.consume(0, sarama.OffsetOldest)
			b.read(pc, 0, 0, 5)
			b.since()
			b.must(b.MoveLeader("t", 0, 2))
			b.write(0, 5, 5)
			b.read(pc, 5, 5, 5)
			b.polls(5)
			if n := b.count("OffsetForLeaderEpoch"); n != 1 {
				t.Errorf("asked %d times", n)
			}
			b.calm(pc)
		})
	}
}

func TestEpochsThatCannotBeCheckedNowAreCheckedLater(t *testing.T) {
	for code, told := range map[sarama.KError]bool{sarama.ErrNotLeaderForPartition: false, sarama.ErrKafkaStorageError: true} {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t, fakekafka.Options{}, sarama.V2_3_0_0)
			b.write(0, 0, 5)
			pc := b.consume(0, sarama.OffsetOldest)
			b.read(pc, 0, 0, 5)
			b.Fail(fakekafka.OffsetForLeaderEpoch, "t", 0, code, 1)
			b.must(b.TruncateLog("t", 0, 2))
			b.write(0, 5, 5)
			var truncated *sarama.LogTruncationError
			if told {
				if e := <-pc.Errors(); !errors.Is(e, code) {
					t.Error(e)
				}
			}
			if err := b.ends(pc); !errors.As(err, &truncated) || truncated.TruncationOffset != 2 {
				t.Error(err)
			}
		})
	}
}

func TestRecreatedTopicIsToldApart(t *testing.T) {
	for _, policy := range []sarama.OffsetReset{sarama.OffsetResetNone, sarama.OffsetResetOldest, sarama.OffsetResetNewest} {
		for _, version := range []sarama.KafkaVersion{sarama.V2_8_0_0, sarama.V3_1_0_0, sarama.MaxVersion} {
			t.Run(fmt.Sprintf("%v %v", policy, version), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					b := newBench(t, fakekafka.Options{}, version)
					b.conf.Consumer.Offsets.Reset = policy
					b.write(0, 0, 10)
					pc := b.consume(0, sarama.OffsetOldest)
					b.read(pc, 0, 0, 10)
					b.must(b.DeleteTopic("t"))
					if version == sarama.V2_8_0_0 { // else the broker takes the one for the other, by its name
						b.polls(1)
					}
					b.must(b.CreateTopic(fakekafka.Topic{Name: "t", Partitions: 1}))
					b.write(0, 100, 30) // more than there was
					switch policy {
					case sarama.OffsetResetNone:
						err := b.ends(pc)
						var again *sarama.TopicRecreatedError
						if !errors.As(err, &again) || !errors.Is(err, sarama.ErrUnknownTopicOrPartition) {
							t.Fatal(err)
						}
						if again.Topic != "t" || again.Offset != 10 || again.OldID == again.NewID || again.NewID == (sarama.Uuid{}) {
							t.Errorf("%+v", again)
						}
						if !strings.Contains(err.Error(), again.NewID.String()) {
							t.Error(err)
						}
						return
					case sarama.OffsetResetOldest:
						b.read(pc, 0, 100, 30)
					case sarama.OffsetResetNewest:
						time.Sleep(10 * time.Second)
						b.calm(pc)
						b.write(0, 130, 1)
						b.read(pc, 30, 130, 1)
					}
					b.write(0, 131, 3)
					b.read(pc, int64(31-boolInt(policy == sarama.OffsetResetOldest)), 131, 3)
					b.calm(pc)
				})
			})
		}
	}
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

func TestRecreatedTopicWithFewerPartitions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, fakekafka.Options{}, sarama.MaxVersion)
		b.write(2, 0, 10)
		pc := b.consume(2, sarama.OffsetOldest)
		b.read(pc, 0, 0, 10)
		b.must(b.DeleteTopic("t"))
		b.must(b.CreateTopic(fakekafka.Topic{Name: "t", Partitions: 1}))
		var again *sarama.TopicRecreatedError
		if err := b.ends(pc); !errors.As(err, &again) || again.Partition != 2 {
			t.Error(err)
		}
	})
}

// A topic may be created again between two looks at metadata, and the broker
// answer for the new one by its name.
func TestRecreatedTopicIsSeenInMetadata(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, fakekafka.Options{}, sarama.V2_8_0_0)
		b.conf.Metadata.RefreshFrequency = time.Minute
		b.write(0, 0, 10)
		pc := b.consume(0, sarama.OffsetOldest)
		b.read(pc, 0, 0, 10)
		pc.Pause() // so that no fetch is under way
		b.polls(1)
		b.must(b.DeleteTopic("t"))
		b.must(b.CreateTopic(fakekafka.Topic{Name: "t", Partitions: 1}))
		b.write(0, 100, 10)
		time.Sleep(2 * time.Minute)
		pc.Resume()
		b.write(0, 110, 1)
		var again *sarama.TopicRecreatedError
		if err := b.ends(pc); !errors.As(err, &again) {
			t.Error(err)
		}
	})
}

func TestFetchVersionsByTopicID(t *testing.T) {
	for _, tc := range []struct {
		version sarama.KafkaVersion
		highest map[fakekafka.API]int16
		want    int16
	}{
		{sarama.MaxVersion, nil, 18}, {sarama.V3_5_0_0, nil, 15}, {sarama.V3_1_0_0, nil, 13}, {sarama.V3_0_0_0, nil, 12},
		{sarama.MaxVersion, map[fakekafka.API]int16{fakekafka.Fetch: 14}, 14},
		{sarama.MaxVersion, map[fakekafka.API]int16{fakekafka.Metadata: 9}, 12}, // so that there are no ids
	} {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t, fakekafka.Options{MaxVersions: tc.highest}, tc.version)
			b.write(0, 0, 10)
			pc := b.consume(0, sarama.OffsetOldest)
			b.read(pc, 0, 0, 10)
			for _, e := range b.History() {
				if e.API == fakekafka.Fetch && e.Version != tc.want {
					t.Errorf("%v: version %d, want %d", tc, e.Version, tc.want)
				}
			}
			b.calm(pc)
		})
	}
}
