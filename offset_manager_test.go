package sarama

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/IBM/sarama/internal/bridge"
)

func TestOffsetMarksMoveForwardAndBack(t *testing.T) {
	type step struct {
		back     bool
		offset   int64
		metadata string
		want     bool
	}
	for _, test := range []struct {
		name  string
		begin offsetPair
		steps []step
		want  offsetPair
	}{
		{"forward", offsetPair{-1, ""}, []step{{false, 0, "", true}, {false, 5, "", true}}, offsetPair{5, ""}},
		{"not forward to the same or a lower one", offsetPair{5, "m"}, []step{{false, 5, "n", false}, {false, 4, "m", false}}, offsetPair{5, "m"}},
		{"back", offsetPair{5, "m"}, []step{{true, 3, "m", true}, {true, 3, "n", true}}, offsetPair{3, "n"}},
		{"not back to a higher one", offsetPair{5, "m"}, []step{{true, 6, "", false}}, offsetPair{5, "m"}},
		{"metadata change with the offset", offsetPair{5, "m"}, []step{{false, 6, "", true}, {false, 7, "n", true}, {false, 8, "n", true}}, offsetPair{8, "n"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var m offsetMarks
			m.init(test.begin)
			for i, s := range test.steps {
				move := m.forward
				if s.back {
					move = m.back
				}
				if got := move(s.offset, s.metadata); got != s.want {
					t.Errorf("step %d: %v", i, got)
				}
			}
			if got := m.load(); got != test.want {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

// TestOffsetMarksOfManyGoroutines has marks with and without changing metadata
// come in any order: the highest wins, with the metadata that belong to it.
func TestOffsetMarksOfManyGoroutines(t *testing.T) {
	var m offsetMarks
	m.init(offsetPair{-1, ""})
	metadataOf := func(offset int64) string { return []string{"", "a", "a", "b"}[offset%4] }
	const marks = 2000
	var wg sync.WaitGroup
	stop := make(chan struct{})
	for range 2 {
		wg.Go(func() {
			last := int64(-1)
			for !isClosed(stop) {
				p := m.load()
				if p.offset < last || p.offset >= 0 && p.metadata != metadataOf(p.offset) {
					t.Errorf("read %v after %d", p, last)
					return
				}
				last = p.offset
			}
		})
	}
	var markers sync.WaitGroup
	for g := range 8 {
		markers.Go(func() {
			for i := range int64(marks) {
				offset := (i*7+int64(g)*13)%marks + i/2
				m.forward(offset, metadataOf(offset))
			}
		})
	}
	markers.Wait()
	close(stop)
	wg.Wait()
	highest := int64(0)
	for g := range 8 {
		for i := range int64(marks) {
			highest = max(highest, (i*7+int64(g)*13)%marks+i/2)
		}
	}
	if got, want := m.load(), (offsetPair{highest, metadataOf(highest)}); got != want {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestMarkingAllocatesNothing(t *testing.T) {
	p := &partitionOffsetManager{parent: &offsetManager{mail: newMailbox()}}
	p.marks.init(offsetPair{-1, ""})
	offset := int64(0)
	if n := testing.AllocsPerRun(1000, func() { offset++; p.MarkOffset(offset, "") }); n != 0 {
		t.Errorf("%v allocations for a mark", n)
	}
}

// offsetsOf makes an offset manager of the script's, and its client.
func (g *groupScript) offsetsOf(t *testing.T, conf *Config) (OffsetManager, Client) {
	t.Helper()
	client, err := NewClient([]string{"b1:9092"}, conf)
	if err != nil {
		t.Fatal(err)
	}
	m, err := NewOffsetManagerFromClient("group", client)
	if err != nil {
		t.Fatal(err)
	}
	return m, client
}

func manage(t *testing.T, m OffsetManager, partition int32) PartitionOffsetManager {
	t.Helper()
	p, err := m.ManagePartition("t", partition)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestOffsetManagerStoresMarks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroupScript(t, 2)
		g.mu.stored[0], g.mu.metadata = 10, "before"
		m, client := g.offsetsOf(t, g.groupConf())
		p, q := manage(t, m, 0), manage(t, m, 1)
		if offset, metadata := p.NextOffset(); offset != 10 || metadata != "before" {
			t.Errorf("stored: %d, %q", offset, metadata)
		}
		if offset, metadata := q.NextOffset(); offset != OffsetNewest || metadata != "" {
			t.Errorf("nothing stored: %d, %q", offset, metadata)
		}
		if _, err := m.ManagePartition("t", 0); !errors.As(err, new(ConfigurationError)) {
			t.Errorf("a partition managed twice: %v", err)
		}
		time.Sleep(time.Hour)
		if n := len(g.times("OffsetCommit")); n != 0 {
			t.Errorf("%d commits without a mark", n)
		}
		p.MarkOffset(15, "m")
		p.MarkOffset(12, "no")
		q.MarkOffset(3, "")
		if offset, metadata := p.NextOffset(); offset != 15 || metadata != "m" {
			t.Errorf("marked: %d, %q", offset, metadata)
		}
		marked := time.Since(g.mu.begin)
		time.Sleep(time.Hour)
		p.ResetOffset(11, "back")
		time.Sleep(time.Hour)
		p.ResetOffset(20, "no")
		if err := p.Close(); err != nil {
			t.Error(err)
		}
		p.MarkOffset(100, "")
		q.MarkOffset(4, "")
		if err := m.Close(); err != nil {
			t.Error(err)
		}
		if got, want := g.requests("ApiVersions", "Metadata", "FindCoordinator", "OffsetFetch"),
			[]string{"OffsetCommit 0:15 1:3", "OffsetCommit 0:11", "OffsetCommit 1:4"}; !slices.Equal(got, want) {
			t.Errorf("asked %v, want %v", got, want)
		}
		if at := g.times("OffsetCommit")[0]; at != marked+time.Second {
			t.Errorf("the first commit came %v after the mark", at-marked)
		}
		_ = m.Close()
		_ = p.Close()
		m.Commit()
		_ = client.Close()
		if _, err := m.ManagePartition("t", 0); !errors.Is(err, ErrClosedClient) {
			t.Errorf("a closed manager: %v", err)
		}
	})
}

func TestOffsetManagerByHand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroupScript(t, 2)
		conf := g.groupConf()
		conf.Consumer.Offsets.AutoCommit.Enable = false
		m, client := g.offsetsOf(t, conf)
		p, q := manage(t, m, 0), manage(t, m, 1)
		p.MarkOffset(5, "")
		time.Sleep(time.Hour)
		m.Commit()
		q.MarkOffset(6, "")
		if err := q.Close(); err != nil { // what is marked waits for Commit
			t.Error(err)
		}
		m.Commit()
		q = manage(t, m, 1)
		if offset, _ := q.NextOffset(); offset != 6 {
			t.Errorf("taken up again at %d", offset)
		}
		m.Commit()
		q.MarkOffset(7, "")
		_ = m.Close()
		_ = client.Close()
		if got, want := g.requests("ApiVersions", "Metadata", "FindCoordinator", "OffsetFetch"),
			[]string{"OffsetCommit 0:5", "OffsetCommit 1:6"}; !slices.Equal(got, want) {
			t.Errorf("asked %v, want %v", got, want)
		}
	})
}

// TestCommitsDoNotOvertake has commits that take long, with marks and calls of
// Commit meanwhile: one is under way at a time, and Commit waits for one that
// has begun after its call.
func TestCommitsDoNotOvertake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroupScript(t, 1)
		m, client := g.offsetsOf(t, g.groupConf())
		p := manage(t, m, 0)
		underWay, most := 0, 0
		g.on("OffsetCommit", func(string, bridge.Header, any) (any, error) {
			underWay++
			most = max(most, underWay)
			time.Sleep(2500 * time.Millisecond)
			underWay--
			return nil, nil
		})
		var wg sync.WaitGroup
		for i := range int64(20) {
			wg.Go(func() {
				time.Sleep(time.Duration(i) * 300 * time.Millisecond)
				p.MarkOffset(i, "")
				m.Commit()
				if stored := g.storedOffset(0); stored < i {
					t.Errorf("Commit has returned with %d stored, %d was marked before it", stored, i)
				}
			})
		}
		wg.Wait()
		if most != 1 {
			t.Errorf("%d commits at a time", most)
		}
		_ = m.Close()
		_ = client.Close()
	})
}

func TestOffsetManagerErrors(t *testing.T) {
	for _, test := range []struct {
		name    string
		codes   []KError
		commits int // until it is stored, or given up
		stored  bool
		told    int
	}{
		{"the coordinator has moved", []KError{ErrNotCoordinatorForConsumer}, 2, true, 0},
		{"it is loading", []KError{ErrOffsetsLoadInProgress}, 2, true, 0},
		{"the group rebalances", []KError{ErrRebalanceInProgress}, 2, true, 0},
		{"the metadata are too large", []KError{ErrOffsetMetadataTooLarge}, 1, false, 1},
		{"no right to", []KError{ErrGroupAuthorizationFailed}, 1, false, 1},
		{"anything else", []KError{ErrUnknown}, 2, true, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newGroupScript(t, 1)
				codes := slices.Clone(test.codes)
				g.on("OffsetCommit", fails(&codes, func(e KError) *OffsetCommitResponse {
					r := new(OffsetCommitResponse)
					r.AddError("t", 0, e)
					return r
				}))
				m, client := g.offsetsOf(t, g.groupConf())
				p := manage(t, m, 0)
				p.MarkOffset(5, "")
				time.Sleep(time.Minute)
				if n := len(g.times("OffsetCommit")); n != test.commits {
					t.Errorf("%d commits, want %d", n, test.commits)
				}
				if stored := g.storedOffset(0) == 5; stored != test.stored {
					t.Errorf("stored: %v", stored)
				}
				err := p.Close()
				var errs ConsumerErrors
				if errors.As(err, &errs); len(errs) != test.told {
					t.Errorf("Errors had %v", err)
				}
				for _, e := range errs {
					if !errors.Is(e, test.codes[0]) || e.Topic != "t" || e.Partition != 0 {
						t.Errorf("Errors had %v", e)
					}
				}
				_ = m.Close()
				_ = client.Close()
			})
		})
	}
}

// TestCommitTriesAgainWhatWasRefused has the right to a group given only after an
// offset was refused.
func TestCommitTriesAgainWhatWasRefused(t *testing.T) {
	for _, auto := range []bool{true, false} {
		t.Run(fmt.Sprintf("auto-commit %v", auto), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newGroupScript(t, 1)
				codes := []KError{ErrGroupAuthorizationFailed, ErrGroupAuthorizationFailed}
				g.on("OffsetCommit", fails(&codes, func(e KError) *OffsetCommitResponse {
					r := new(OffsetCommitResponse)
					r.AddError("t", 0, e)
					return r
				}))
				conf := g.groupConf()
				conf.Consumer.Offsets.AutoCommit.Enable = auto
				m, client := g.offsetsOf(t, conf)
				p := manage(t, m, 0)
				p.MarkOffset(5, "")
				for i, want := range []int64{0, 0, 5, 5} {
					m.Commit()
					time.Sleep(time.Minute)
					if got := g.storedOffset(0); got != want {
						t.Errorf("after Commit %d the offset %d is stored, want %d", i, got, want)
					}
				}
				if n := len(g.times("OffsetCommit")); n != 3 {
					t.Errorf("%d commits, want 3: what is stored, and what nobody asks for again, is left alone", n)
				}
				go func() {
					for range p.Errors() {
					}
				}()
				_ = m.Close()
				_ = client.Close()
			})
		})
	}
}

// TestOffsetManagerCloses in any order with its partitions and its client, with
// brokers that are dead, and errors that nobody reads.
func TestOffsetManagerCloses(t *testing.T) {
	for _, answer := range []error{nil, errNoAnswer, errHangUp} {
		for order := range 6 {
			t.Run(fmt.Sprintf("%v, order %d", answer, order), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					g := newGroupScript(t, 3)
					conf := g.groupConf()
					conf.ChannelBufferSize = 0
					m, client := g.offsetsOf(t, conf)
					parts := []PartitionOffsetManager{manage(t, m, 0), manage(t, m, 1), manage(t, m, 2)}
					if answer != nil {
						for _, name := range []string{"OffsetCommit", "FindCoordinator"} {
							g.on(name, func(string, bridge.Header, any) (any, error) { return nil, answer })
						}
					}
					for i, p := range parts {
						p.MarkOffset(int64(i), "")
					}
					time.Sleep(10 * time.Second)
					begun := time.Now()
					steps := []func(){
						func() { _ = m.Close() },
						func() { _ = client.Close() },
						func() {
							parts[0].AsyncClose()
							for _, p := range parts {
								_ = p.Close()
							}
						},
					}
					for _, i := range [][]int{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}}[order] {
						steps[i]()
					}
					if took := time.Since(begun); took > 4*5*time.Second {
						t.Errorf("it took %v", took)
					}
					if answer == nil && order != 2 && order != 3 && g.storedOffset(2) != 2 {
						t.Errorf("stored: %d", g.storedOffset(2))
					}
				})
			})
		}
	}
}

func TestStoredOffsetsAreAskedForAgain(t *testing.T) {
	for _, test := range []struct {
		name  string
		codes []KError
		want  error
		asked int
	}{
		{"loading", []KError{ErrOffsetsLoadInProgress}, nil, 2},
		{"moved", []KError{ErrNotCoordinatorForConsumer, ErrNotCoordinatorForConsumer}, nil, 3},
		{"a transaction is open", []KError{ErrUnstableOffsetCommit}, nil, 2},
		{"too often", slices.Repeat([]KError{ErrOffsetsLoadInProgress}, 10), ErrOffsetsLoadInProgress, 4},
		{"no right to", []KError{ErrGroupAuthorizationFailed}, ErrGroupAuthorizationFailed, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newGroupScript(t, 1)
				codes := slices.Clone(test.codes)
				g.on("OffsetFetch", func(_ string, _ bridge.Header, req any) (any, error) {
					if len(codes) == 0 {
						return nil, nil
					}
					r := &OffsetFetchResponse{Version: req.(*OffsetFetchRequest).Version, Groups: []OffsetFetchResponseGroup{{GroupId: "group", Err: codes[0]}}}
					codes = codes[1:]
					return r, nil
				})
				conf := g.groupConf()
				conf.Consumer.IsolationLevel = ReadCommitted
				m, client := g.offsetsOf(t, conf)
				_, err := m.ManagePartition("t", 0)
				if !errors.Is(err, test.want) || (err == nil) != (test.want == nil) {
					t.Errorf("got %v, want %v", err, test.want)
				}
				if n := len(g.times("OffsetFetch")); n != test.asked {
					t.Errorf("asked %d times, want %d", n, test.asked)
				}
				_ = m.Close()
				_ = client.Close()
			})
		})
	}
}

// TestCommitContextTellsWhatWentWrong is about the session's commit.
func TestCommitContextTellsWhatWentWrong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroupScript(t, 1)
		conf := g.groupConf()
		conf.Consumer.Offsets.AutoCommit.Enable = false
		group := g.scriptGroup(t, conf)
		c := consumeInBackground(group, &scriptHandler{claim: func(s ConsumerGroupSession, c ConsumerGroupClaim) error {
			commit := s.(ConsumerGroupSessionCommitter).CommitContext
			s.MarkOffset("t", 0, 5, "")
			if err := commit(s.Context()); err != nil || g.storedOffset(0) != 5 {
				t.Errorf("CommitContext: %v, stored %d", err, g.storedOffset(0))
			}
			g.on("OffsetCommit", func(string, bridge.Header, any) (any, error) {
				r := new(OffsetCommitResponse)
				r.AddError("t", 0, ErrOffsetMetadataTooLarge)
				return r, nil
			})
			s.MarkOffset("t", 0, 6, "long")
			if err := commit(s.Context()); !errors.Is(err, ErrOffsetMetadataTooLarge) {
				t.Errorf("CommitContext: %v", err)
			}
			g.on("OffsetCommit", func(string, bridge.Header, any) (any, error) { return nil, errNoAnswer })
			s.MarkOffset("t", 0, 7, "")
			ctx, cancel := context.WithTimeout(s.Context(), time.Second)
			defer cancel()
			if err := commit(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("CommitContext: %v", err)
			}
			return nil
		}})
		if err := <-c.result; err != nil {
			t.Error(err)
		}
		c.cancel()
		_ = group.Close()
	})
}
