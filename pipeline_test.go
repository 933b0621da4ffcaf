package sarama_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/IBM/sarama"
	"github.com/IBM/sarama/fakekafka"
)

// eachPipelineKind runs a test in a bubble for each kind of group.
func eachPipelineKind(t *testing.T, test func(t *testing.T, b *pipelineBench)) {
	for _, kind := range pipelineKinds {
		t.Run(kind.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { test(t, newPipelineBench(t, kind, fakekafka.Options{})) })
		})
	}
}

func TestPipelineCopiesOverRebalances(t *testing.T) {
	eachPipelineKind(t, func(t *testing.T, b *pipelineBench) {
		b.append(50)
		first := b.start(copyMessages, nil)
		time.Sleep(time.Second)
		second := b.start(copyMessages, nil)
		b.append(50)
		time.Sleep(time.Second)
		third := b.start(copyMessages, nil)
		b.append(50)
		time.Sleep(time.Second)
		first.stop()
		b.append(50)
		time.Sleep(time.Second)
		second.stop()
		b.append(50)
		b.wantCommitted()
		third.stop()
		for _, r := range []*pipelineRunner{first, second, third} {
			for _, err := range r.seen() {
				if !errors.Is(err, sarama.ErrIllegalGeneration) { // of a rebalance during a transaction
					t.Errorf("OnError was told: %v", err)
				}
			}
		}
	})
}

func TestPipelineRetriesTransform(t *testing.T) {
	eachPipelineKind(t, func(t *testing.T, b *pipelineBench) {
		b.append(20)
		refuses := errors.New("not today")
		calls := 0
		r := b.start(func(ctx context.Context, batch []*sarama.ConsumerMessage) ([]*sarama.ProducerMessage, error) {
			if calls++; calls%4 != 0 { // three times in a row, then not
				return nil, refuses
			}
			return copyMessages(ctx, batch)
		}, func(_ *sarama.Config, o *sarama.PipelineOptions) {
			o.Retry.Max, o.BatchMaxMessages = 3, 7
		})
		b.wantCommitted()
		joins := b.cluster.Requests(fakekafka.JoinGroup)
		if r.stop(); joins > 2 {
			t.Errorf("JoinGroup was sent %d times: failures have ended sessions", joins)
		}
		if len(r.seen()) == 0 || !errors.Is(r.seen()[0], refuses) {
			t.Errorf("OnError was told %v", r.seen())
		}
	})
}

func TestPipelineGivesUpOnTransform(t *testing.T) {
	for _, test := range []struct{ max, calls int }{{-1, 1}, {0, 6}, {2, 3}} {
		t.Run(fmt.Sprint(test.max), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newPipelineBench(t, pipelineKinds[0], fakekafka.Options{})
				b.append(1)
				refuses := errors.New("never")
				calls := 0
				r := b.start(sarama.TransformEach(func(context.Context, *sarama.ConsumerMessage) ([]*sarama.ProducerMessage, error) {
					calls++
					return nil, refuses
				}), func(_ *sarama.Config, o *sarama.PipelineOptions) { o.Retry.Max = test.max })
				<-r.done
				var failed *sarama.TransformError
				if !errors.As(r.err, &failed) || !errors.Is(r.err, refuses) || failed.Attempts != test.calls || calls != test.calls {
					t.Errorf("Run: %v after %d calls, want %d", r.err, calls, test.calls)
				}
				if !strings.Contains(r.err.Error(), "pipeline of group group") || !strings.Contains(r.err.Error(), "offset 0") {
					t.Errorf("the error does not say where: %v", r.err)
				}
				b.wantNothingConsumed()
				_ = r.Close()
			})
		})
	}
}

// TestPipelineIsFenced has a second pipeline take the transactional id, while
// the first is in the middle of a batch.
func TestPipelineIsFenced(t *testing.T) {
	eachPipelineKind(t, func(t *testing.T, b *pipelineBench) {
		b.append(30)
		mine := func(conf *sarama.Config, _ *sarama.PipelineOptions) { conf.Producer.Transaction.ID = "mine" }
		in, goOn := make(chan struct{}, 100), make(chan struct{})
		first := b.start(func(ctx context.Context, batch []*sarama.ConsumerMessage) ([]*sarama.ProducerMessage, error) {
			in <- struct{}{}
			<-goOn
			return copyMessages(ctx, batch)
		}, mine)
		<-in
		second := b.start(copyMessages, mine)
		close(goOn)
		<-first.done
		if !errors.Is(first.err, sarama.ErrProducerFenced) {
			t.Errorf("the first one's Run: %v", first.err)
		}
		_ = first.Close()
		b.wantCommitted()
		second.stop()
	})
}

// TestPipelineThatWasReplacedCommitsNothing keeps a member in its Transform,
// which does not look at its context, while heartbeats are lost and another
// member gets its partitions.
func TestPipelineThatWasReplacedCommitsNothing(t *testing.T) {
	eachPipelineKind(t, func(t *testing.T, b *pipelineBench) {
		b.append(30)
		undo := b.cluster.Handle(func(r *fakekafka.Request) *fakekafka.Reply {
			if r.ClientID == "zombie" && (r.API == fakekafka.Heartbeat || r.API == fakekafka.ConsumerGroupHeartbeat && b.cluster.Requests(fakekafka.Fetch) > 0) {
				return &fakekafka.Reply{Action: fakekafka.CutBefore}
			}
			return nil
		})
		first := true
		var ended error
		zombie := b.start(func(ctx context.Context, batch []*sarama.ConsumerMessage) ([]*sarama.ProducerMessage, error) {
			if first {
				first = false
				time.Sleep(20 * time.Second)
				ended = ctx.Err()
			}
			return copyMessages(ctx, batch)
		}, func(conf *sarama.Config, _ *sarama.PipelineOptions) { conf.ClientID = "zombie" })
		time.Sleep(time.Second)
		successor := b.start(copyMessages, nil)
		b.wantCommitted()
		undo()
		time.Sleep(30 * time.Second)
		b.append(10)
		b.wantCommitted()
		if ended == nil {
			t.Error("Transform's context had not ended")
		}
		fenced := false
		for _, err := range zombie.seen() {
			fenced = fenced || errors.Is(err, sarama.ErrUnknownMemberId) || errors.Is(err, sarama.ErrIllegalGeneration) || errors.Is(err, sarama.ErrFencedMemberEpoch)
		}
		if !fenced {
			t.Errorf("the member was told %v", zombie.seen())
		}
		zombie.stop()
		successor.stop()
	})
}

// TestPipelineHoldsItsPartitions has a rebalance come while Transform is at
// work: nobody else gets the messages before they are committed.
func TestPipelineHoldsItsPartitions(t *testing.T) {
	eachPipelineKind(t, func(t *testing.T, b *pipelineBench) {
		b.append(10)
		busy := make(chan struct{})
		var slow atomic.Bool
		slow.Store(true)
		held := make(map[string]bool) // constant once busy is closed
		first := b.start(func(ctx context.Context, batch []*sarama.ConsumerMessage) ([]*sarama.ProducerMessage, error) {
			if slow.Swap(false) {
				for _, m := range batch {
					held[fmt.Sprint(m.Partition, m.Offset)] = true
				}
				close(busy)
				time.Sleep(7 * time.Second) // less than Rebalance.Timeout
				if ctx.Err() != nil {
					t.Errorf("Transform's context has ended: %v", context.Cause(ctx))
				}
			}
			return copyMessages(ctx, batch)
		}, nil)
		<-busy
		var stolen atomic.Bool
		second := b.start(func(ctx context.Context, batch []*sarama.ConsumerMessage) ([]*sarama.ProducerMessage, error) {
			for _, m := range batch {
				stolen.Store(stolen.Load() || held[fmt.Sprint(m.Partition, m.Offset)])
			}
			return copyMessages(ctx, batch)
		}, nil)
		time.Sleep(9 * time.Second)
		b.append(10)
		b.wantCommitted()
		if stolen.Load() {
			t.Error("the second member got messages that the first was at work on")
		}
		first.stop()
		second.stop()
	})
}

// TestPipelineAsksWhenTheOutcomeIsUnknown loses the answers to the end of a
// transaction that was committed.
func TestPipelineAsksWhenTheOutcomeIsUnknown(t *testing.T) {
	for _, done := range []bool{true, false} {
		t.Run(fmt.Sprint("it was carried out: ", done), func(t *testing.T) {
			eachPipelineKind(t, func(t *testing.T, b *pipelineBench) {
				b.append(10)
				var lost atomic.Int32
				b.cluster.Handle(func(r *fakekafka.Request) *fakekafka.Reply {
					end, ok := r.Body.(*sarama.EndTxnRequest)
					if !ok || !end.TransactionResult || lost.Add(1) > 6 {
						return nil
					}
					if done {
						return &fakekafka.Reply{Action: fakekafka.CutAfter}
					}
					return &fakekafka.Reply{Action: fakekafka.CutBefore}
				})
				r := b.start(copyMessages, func(conf *sarama.Config, o *sarama.PipelineOptions) {
					conf.Producer.Transaction.Retry.Max, o.BatchMaxMessages = 1, 5
				})
				b.wantCommitted()
				unknown := 0
				for _, err := range r.seen() {
					if errors.Is(err, sarama.ErrTransactionOutcomeUnknown) {
						unknown++
					}
				}
				if r.stop(); unknown == 0 {
					t.Errorf("OnError was told %v", r.seen())
				}
			})
		})
	}
}

// TestPipelineStopsSoon ends Run at bad moments.
func TestPipelineStopsSoon(t *testing.T) {
	for _, test := range []struct {
		name   string
		silent fakekafka.API // never answered; -1: all are
		wait   bool          // Transform waits for its context
		most   time.Duration
	}{
		{"while nothing is under way", -1, false, time.Second},
		{"in Transform", -1, true, time.Second},
		{"while the leader is silent", fakekafka.Produce, false, 10 * time.Second},
		{"while the group's coordinator is silent", fakekafka.TxnOffsetCommit, false, 10 * time.Second},
		{"while the transaction's coordinator is silent", fakekafka.EndTxn, false, 10 * time.Second},
	} {
		for _, closes := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, Close %v", test.name, closes), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					b := newPipelineBench(t, pipelineKinds[0], fakekafka.Options{})
					if test.wait || test.silent >= 0 {
						b.append(10)
					}
					if test.silent >= 0 {
						b.cluster.Handle(func(r *fakekafka.Request) *fakekafka.Reply {
							if r.API == test.silent {
								return &fakekafka.Reply{Action: fakekafka.Drop}
							}
							return nil
						})
					}
					r := b.start(func(ctx context.Context, batch []*sarama.ConsumerMessage) ([]*sarama.ProducerMessage, error) {
						if test.wait {
							<-ctx.Done()
							return nil, ctx.Err()
						}
						return copyMessages(ctx, batch)
					}, nil)
					time.Sleep(3 * time.Second)
					begun := time.Now()
					if closes {
						_ = r.Close()
						if <-r.done; r.err != nil {
							t.Errorf("Run: %v", r.err)
						}
					} else {
						r.cancel()
						if <-r.done; !errors.Is(r.err, context.Canceled) {
							t.Errorf("Run: %v", r.err)
						}
					}
					if took := time.Since(begun); took > test.most {
						t.Errorf("it took %v", took)
					}
					if err := r.Run(t.Context(), []string{"in"}, copyMessages); err == nil {
						t.Error("a second Run works")
					}
					_ = r.Close()
					if state, _ := b.cluster.Group("group"); len(state.Members) > 0 {
						t.Errorf("the member has not left: %v", state.Members)
					}
					if test.wait || test.silent >= 0 {
						b.wantNothingConsumed()
					}
				})
			})
		}
	}
}

// TestPipelineBatches looks at the bounds of batches.
func TestPipelineBatches(t *testing.T) {
	for _, test := range []struct {
		name  string
		set   func(*sarama.PipelineOptions)
		most  int // messages
		least int // batches of 120 messages of 1 or 2 bytes
	}{
		{"by messages", func(o *sarama.PipelineOptions) { o.BatchMaxMessages = 7 }, 7, 18},
		{"by bytes", func(o *sarama.PipelineOptions) { o.BatchMaxBytes = 20 }, 20, 9},
		{"smaller than a message", func(o *sarama.PipelineOptions) { o.BatchMaxBytes = 1 }, 1, 120},
		{"at once", func(o *sarama.PipelineOptions) { o.BatchMaxWait = -1 }, 1000, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newPipelineBench(t, pipelineKinds[0], fakekafka.Options{})
				b.append(20)
				batches := 0
				r := b.start(func(ctx context.Context, batch []*sarama.ConsumerMessage) ([]*sarama.ProducerMessage, error) {
					if batches++; len(batch) > test.most || len(batch) == 0 {
						t.Errorf("a batch of %d messages", len(batch))
					}
					return copyMessages(ctx, batch)
				}, func(_ *sarama.Config, o *sarama.PipelineOptions) { test.set(o) })
				b.wantCommitted()
				if r.stop(); batches < test.least {
					t.Errorf("%d batches, want %d or more", batches, test.least)
				}
			})
		})
	}
}

// TestPipelineBeginsAtNewestOnce ends sessions before anything is committed:
// the group goes on where it began, not where the partition ends by then.
func TestPipelineBeginsAtNewestOnce(t *testing.T) {
	eachPipelineKind(t, func(t *testing.T, b *pipelineBench) {
		for id := range int32(pipelinePartitions) {
			if _, err := b.cluster.Append("in", id, fakekafka.Record{Value: []byte("from before")}); err != nil {
				t.Fatal(err)
			}
		}
		newest := func(conf *sarama.Config, _ *sarama.PipelineOptions) {
			conf.Consumer.Offsets.Initial = sarama.OffsetNewest
		}
		stuck := b.start(func(ctx context.Context, _ []*sarama.ConsumerMessage) ([]*sarama.ProducerMessage, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}, newest)
		time.Sleep(5 * time.Second)
		b.append(10)
		time.Sleep(time.Second)
		stuck.stop()
		r := b.start(copyMessages, newest)
		b.wantCommitted()
		r.stop()
	})
}

func TestPipelineReturnsWhatBrokersRefuse(t *testing.T) {
	for _, test := range []struct {
		name string
		do   func(b *pipelineBench, conf *sarama.Config)
		want error
	}{
		{"a message", func(b *pipelineBench, conf *sarama.Config) {
			b.cluster.FailProduce("out", -1, sarama.ErrInvalidTimestamp, -1)
		}, sarama.ErrInvalidTimestamp},
		{"the group", func(b *pipelineBench, conf *sarama.Config) {
			b.cluster.FailGroup(fakekafka.JoinGroup, "group", sarama.ErrGroupAuthorizationFailed, -1)
		}, sarama.ErrGroupAuthorizationFailed},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newPipelineBench(t, pipelineKinds[0], fakekafka.Options{})
				b.append(1)
				r := b.start(copyMessages, func(conf *sarama.Config, _ *sarama.PipelineOptions) { test.do(b, conf) })
				if <-r.done; !errors.Is(r.err, test.want) {
					t.Errorf("Run: %v", r.err)
				}
				_ = r.Close()
			})
		})
	}
}

func TestPipelineConfig(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newPipelineBench(t, pipelineKinds[0], fakekafka.Options{})
		for name, set := range map[string]func(*sarama.Config){
			"Version":                func(c *sarama.Config) { c.Version = sarama.V2_4_0_0 },
			"Producer.RequiredAcks":  func(c *sarama.Config) { c.Producer.RequiredAcks = sarama.NoResponse },
			"Producer.Retry.Max":     func(c *sarama.Config) { c.Producer.Retry.Max = 0 },
			"Net.MaxOpenRequests":    func(c *sarama.Config) { c.Net.MaxOpenRequests = 6 },
			"Consumer.Offsets.Initi": func(c *sarama.Config) { c.Consumer.Offsets.Initial = 5 },
		} {
			conf := b.config()
			set(conf)
			var wrong sarama.ConfigurationError
			if _, err := sarama.NewPipeline(b.cluster.Addrs(), "group", conf, sarama.PipelineOptions{}); !errors.As(err, &wrong) || !strings.Contains(string(wrong), name) {
				t.Errorf("%s: %v", name, err)
			}
		}
		conf := b.config()
		before := *conf
		p, err := sarama.NewPipeline(b.cluster.Addrs(), "group", conf, sarama.PipelineOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if conf.Producer.Idempotent != before.Producer.Idempotent || conf.Producer.Transaction.ID != "" {
			t.Error("the user's Config was changed")
		}
		_ = p.Close()
		var wrong sarama.ConfigurationError
		if _, err := sarama.NewPipeline(b.cluster.Addrs(), "group", conf, sarama.PipelineOptions{BatchMaxBytes: -1}); !errors.As(err, &wrong) {
			t.Errorf("BatchMaxBytes -1: %v", err)
		}
		client, err := sarama.NewClient(b.cluster.Addrs(), conf)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := sarama.NewPipelineFromClient("group", client, sarama.PipelineOptions{}); !errors.As(err, &wrong) {
			t.Errorf("a client that is not set up for it: %v", err)
		}
		_ = client.Close()
	})
}

// TestPipelineFromClient uses a client of the user's own.
func TestPipelineFromClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newPipelineBench(t, pipelineKinds[0], fakekafka.Options{})
		b.append(10)
		conf := b.config()
		conf.Producer.Idempotent, conf.Producer.RequiredAcks, conf.Producer.Transaction.ID = true, sarama.WaitForAll, "mine"
		conf.Consumer.IsolationLevel, conf.Consumer.Offsets.AutoCommit.Enable = sarama.ReadCommitted, false
		client, err := sarama.NewClient(b.cluster.Addrs(), conf)
		if err != nil {
			t.Fatal(err)
		}
		p, err := sarama.NewPipelineFromClient("group", client, sarama.PipelineOptions{})
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		go func() { done <- p.Run(t.Context(), []string{"in"}, copyMessages) }()
		b.wantCommitted()
		_ = p.Close()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
		if client.Closed() {
			t.Error("Close has closed the user's client")
		}
		_ = client.Close()
	})
}

// TestPipelineOfStaticMember gives a static member's place to another process,
// which needs nothing but the instance id to fence the one before.
func TestPipelineOfStaticMember(t *testing.T) {
	eachPipelineKind(t, func(t *testing.T, b *pipelineBench) {
		b.append(20)
		static := func(conf *sarama.Config, _ *sarama.PipelineOptions) { conf.Consumer.Group.InstanceId = "one" }
		first := b.start(copyMessages, static)
		b.wantCommitted()
		if _, ok := b.cluster.Transaction("group-one"); !ok {
			t.Error("the transactional id is not that of the instance")
		}
		first.stop()
		b.append(20)
		second := b.start(copyMessages, static)
		b.wantCommitted()
		second.stop()
	})
}

// refusingEncoder is a value that cannot be encoded.
type refusingEncoder struct{ err error }

func (e refusingEncoder) Encode() ([]byte, error) { return nil, e.err }
func (e refusingEncoder) Length() int             { return 1 }

// refusingPartitioner places no message.
type refusingPartitioner struct{ err error }

func (p refusingPartitioner) Partition(*sarama.ProducerMessage, int32) (int32, error) {
	return 0, p.err
}
func (p refusingPartitioner) RequiresConsistency() bool { return true }

// TestPipelineGivesUpOnMessagesThatCannotBeSent: what is wrong is in them, and
// time does not help.
func TestPipelineGivesUpOnMessagesThatCannotBeSent(t *testing.T) {
	refuses := errors.New("not this one")
	for _, test := range []struct {
		name string
		out  sarama.ProducerMessage
		set  func(*sarama.Config)
		want error
	}{
		{"the value cannot be encoded", sarama.ProducerMessage{Value: refusingEncoder{refuses}}, nil, refuses},
		{"the key cannot be encoded", sarama.ProducerMessage{Key: refusingEncoder{refuses}}, nil, refuses},
		{"the partition is none", sarama.ProducerMessage{Partition: 100}, nil, sarama.ErrInvalidPartition},
		{"the partitioner does not want it", sarama.ProducerMessage{}, func(conf *sarama.Config) {
			conf.Producer.Partitioner = func(string) sarama.Partitioner { return refusingPartitioner{refuses} }
		}, refuses},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newPipelineBench(t, pipelineKinds[0], fakekafka.Options{})
				b.append(1)
				calls := 0
				r := b.start(func(context.Context, []*sarama.ConsumerMessage) ([]*sarama.ProducerMessage, error) {
					calls++
					good, bad := sarama.ProducerMessage{Topic: "out"}, test.out
					bad.Topic = "out"
					return []*sarama.ProducerMessage{&good, &bad}, nil
				}, func(conf *sarama.Config, o *sarama.PipelineOptions) {
					if o.Retry.Max = 2; test.set != nil {
						test.set(conf)
					}
				})
				select {
				case <-r.done:
				case <-time.After(time.Hour):
					t.Errorf("Run goes on after %d calls of Transform", calls)
					r.cancel()
				}
				if <-r.done; !errors.Is(r.err, test.want) || calls != 3 {
					t.Errorf("Run: %v after %d calls", r.err, calls)
				}
				_ = r.Close()
			})
		})
	}
}

// TestPipelineCommitsWhereItBeginsFirst: what comes right after a group has
// begun at OffsetNewest is not lost when it cannot be transformed before the
// session ends.
func TestPipelineCommitsWhereItBeginsFirst(t *testing.T) {
	eachPipelineKind(t, func(t *testing.T, b *pipelineBench) {
		for id := range int32(pipelinePartitions) {
			if _, err := b.cluster.Append("in", id, fakekafka.Record{Value: []byte("from before")}); err != nil {
				t.Fatal(err)
			}
		}
		newest := func(conf *sarama.Config, o *sarama.PipelineOptions) {
			conf.Consumer.Offsets.Initial, o.BatchMaxWait = sarama.OffsetNewest, 10*time.Second
		}
		stuck := b.start(func(ctx context.Context, _ []*sarama.ConsumerMessage) ([]*sarama.ProducerMessage, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}, newest)
		time.Sleep(5 * time.Second)
		b.append(10)
		time.Sleep(10 * time.Second)
		stuck.stop()
		r := b.start(copyMessages, newest)
		b.wantCommitted()
		r.stop()
	})
}

// TestPipelineNeedsTopics and a Transform; nothing begins without.
func TestPipelineNeedsTopics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newPipelineBench(t, pipelineKinds[0], fakekafka.Options{})
		p, err := sarama.NewPipeline(b.cluster.Addrs(), "group", b.config(), sarama.PipelineOptions{})
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		var wrong sarama.ConfigurationError
		if err := p.Run(ctx, nil, copyMessages); !errors.As(err, &wrong) {
			t.Errorf("Run without topics: %v", err)
		}
		if err := p.Run(ctx, []string{"in"}, nil); !errors.As(err, &wrong) {
			t.Errorf("Run without a Transform: %v", err)
		}
	})
}

// TestPipelineSaysWhyAPartitionCannotBeConsumed, and which one.
func TestPipelineSaysWhyAPartitionCannotBeConsumed(t *testing.T) {
	for _, test := range []struct {
		name string
		do   func(b *pipelineBench, conf *sarama.Config)
		want error
		told int // before Run ends
	}{
		{"rights are missing", func(b *pipelineBench, _ *sarama.Config) {
			b.cluster.Fail(fakekafka.ListOffsets, "in", 3, sarama.ErrTopicAuthorizationFailed, -1)
		}, sarama.ErrTopicAuthorizationFailed, 0},
		{"the offset is gone", func(b *pipelineBench, conf *sarama.Config) {
			conf.Consumer.Group.ResetInvalidOffsets = false
			mustTxn(b.t, "SetOffset", b.cluster.SetOffset("group", "in", 3, 1000))
		}, sarama.ErrOffsetOutOfRange, 5},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newPipelineBench(t, pipelineKinds[0], fakekafka.Options{})
				r := b.start(copyMessages, func(conf *sarama.Config, _ *sarama.PipelineOptions) { test.do(b, conf) })
				<-r.done
				if !errors.Is(r.err, test.want) || !strings.Contains(r.err.Error(), "in/3") || len(r.seen()) != test.told {
					t.Errorf("Run: %v, OnError was told %v", r.err, r.seen())
				}
				_ = r.Close()
			})
		})
	}
}
