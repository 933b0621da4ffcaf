package mocks

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/IBM/sarama"
)

var errYielded = errors.New("yielded")

// consume consumes partition t/0 of a mock from an offset on.
func consume(t *testing.T, c *Consumer, offset int64) sarama.PartitionConsumer {
	t.Helper()
	pc, err := c.ConsumePartition("t", 0, offset)
	if err != nil {
		t.Fatal(err)
	}
	return pc
}

func message() *sarama.ConsumerMessage { return &sarama.ConsumerMessage{Topic: "other", Offset: 99} }

func TestConsumerStartsWhatIsExpected(t *testing.T) {
	for _, tc := range []struct {
		name   string
		expect int64
		offset int64
		report []string
	}{
		{"an offset", 7, 7, nil},
		{"any offset", AnyOffset, 7, nil},
		{"the oldest", sarama.OffsetOldest, sarama.OffsetOldest, nil},
		{"another offset", 7, 8, []string{"Unexpected offset when calling ConsumePartition for t/0. Expected 7, got 8."}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := &reports{}
			c := NewConsumer(r, nil)
			expected := c.ExpectConsumePartition("t", 0, tc.expect)
			if again := c.ExpectConsumePartition("t", 0, 99); again != expected {
				t.Error("another PartitionConsumer for the same partition")
			}
			if pc := consume(t, c, tc.offset); pc != expected {
				t.Errorf("got %v", pc)
			}
			if _, err := c.ConsumePartition("t", 0, tc.expect); !errors.As(err, new(sarama.ConfigurationError)) {
				t.Errorf("the second time: %v", err)
			}
			if err := c.Close(); err != nil {
				t.Error(err)
			}
			r.want(t, tc.report...)
		})
	}
}

func TestConsumerReportsWhatWasNeverStarted(t *testing.T) {
	r := &reports{}
	c := NewConsumer(r, nil)
	pc := c.ExpectConsumePartition("t", 0, 0)
	const text = "Expectations set on t/0, but no partition consumer was started."
	if err := pc.Close(); err != errNeverStarted {
		t.Errorf("got %v", err)
	}
	r.want(t, text)
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	r.want(t, text)
	if _, err := c.ConsumePartition("t", 1, 0); err != errOutOfExpectations {
		t.Errorf("got %v", err)
	}
	r.want(t, "No expectations set for t/1")
}

func TestConsumerMetadata(t *testing.T) {
	r := &reports{}
	c := NewConsumer(r, nil)
	if topics, err := c.Topics(); topics != nil || err != sarama.ErrOutOfBrokers {
		t.Errorf("topics %v, %v", topics, err)
	}
	if partitions, err := c.Partitions("t"); partitions != nil || err != sarama.ErrOutOfBrokers {
		t.Errorf("partitions %v, %v", partitions, err)
	}
	const text = "Unexpected call to %s. Initialize the mock's topic metadata with SetTopicMetadata."
	r.want(t, fmt.Sprintf(text, "Topics"), fmt.Sprintf(text, "Partitions"))
	own := map[string][]int32{"u": {0}, "t": {3, 1}}
	c.SetTopicMetadata(own)
	own["t"][0] = 9
	if topics, err := c.Topics(); !slices.Equal(topics, []string{"t", "u"}) || err != nil {
		t.Errorf("topics %v, %v", topics, err)
	}
	for range 2 {
		partitions, err := c.Partitions("t")
		if !slices.Equal(partitions, []int32{3, 1}) || err != nil {
			t.Errorf("partitions %v, %v", partitions, err)
			continue
		}
		partitions[0] = 9
	}
	if _, err := c.Partitions("none"); err != sarama.ErrUnknownTopicOrPartition {
		t.Errorf("got %v", err)
	}
	c.SetTopicMetadata(nil)
	if topics, err := c.Topics(); len(topics) != 0 || err != nil {
		t.Errorf("topics %v, %v", topics, err)
	}
	r.want(t)
}

func TestPartitionConsumerNumbersMessages(t *testing.T) {
	for _, tc := range []struct{ expect, first int64 }{{0, 0}, {7, 7}, {sarama.OffsetOldest, 0}, {sarama.OffsetNewest, 0}, {AnyOffset, 0}} {
		c := NewConsumer(t, nil)
		e := c.ExpectConsumePartition("t", 0, tc.expect)
		e.YieldMessage(message()).YieldMessage(message())
		pc := consume(t, c, tc.expect)
		e.YieldMessage(message())
		for i := range int64(3) {
			if m := <-pc.Messages(); m.Topic != "t" || m.Partition != 0 || m.Offset != tc.first+i {
				t.Errorf("from %d: message %d is %s/%d at %d", tc.expect, i, m.Topic, m.Partition, m.Offset)
			}
		}
		if got, want := c.HighWaterMarks(), tc.first+3; got["t"][0] != want || pc.HighWaterMarkOffset() != want {
			t.Errorf("from %d: high watermarks %v and %d", tc.expect, got, pc.HighWaterMarkOffset())
		}
		offsets := pc.(sarama.PartitionOffsets)
		if offsets.LogStartOffset() != tc.first || offsets.LastStableOffset() != tc.first+3 {
			t.Errorf("from %d: log from %d to %d", tc.expect, offsets.LogStartOffset(), offsets.LastStableOffset())
		}
		_ = c.Close()
	}
}

func TestPartitionConsumerCloseReturnsErrorsAndReportsTheUnread(t *testing.T) {
	const unreadErrors, unreadMessages = "Expected the errors channel for t/0 to be drained on close, but found 1 errors.",
		"Expected the messages channel for t/0 to be drained on close, but found 2 messages."
	yield := func(e *PartitionConsumer) {
		e.YieldMessage(message()).YieldMessage(message()).YieldError(errYielded)
	}
	for _, tc := range []struct {
		name   string
		do     func(e *PartitionConsumer)
		errs   int
		report []string
	}{
		{"nothing", func(*PartitionConsumer) {}, 0, nil},
		{"unread", yield, 1, nil},
		{"to be read", func(e *PartitionConsumer) {
			yield(e.ExpectErrorsDrainedOnClose().ExpectMessagesDrainedOnClose())
		}, 1, []string{unreadErrors, unreadMessages}},
		{"to be read and read", func(e *PartitionConsumer) {
			yield(e.ExpectErrorsDrainedOnClose().ExpectMessagesDrainedOnClose())
			<-e.Messages()
			<-e.Messages()
			<-e.Errors()
		}, 0, nil},
		{"closed already", func(e *PartitionConsumer) {
			yield(e.ExpectErrorsDrainedOnClose().ExpectMessagesDrainedOnClose())
			e.AsyncClose()
			e.AsyncClose()
		}, 1, []string{unreadErrors, unreadMessages}},
		{"held", func(e *PartitionConsumer) {
			e.Pause()
			e.ExpectMessagesDrainedOnClose().YieldMessage(message())
		}, 0, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := &reports{}
			c := NewConsumer(r, nil)
			e := c.ExpectConsumePartition("t", 0, 0)
			pc := consume(t, c, 0)
			tc.do(e)
			err := pc.Close()
			errs, _ := err.(sarama.ConsumerErrors)
			if len(errs) != tc.errs || (err != nil) != (tc.errs > 0) {
				t.Errorf("got %v", err)
			}
			if tc.errs > 0 && (errs[0].Topic != "t" || errs[0].Partition != 0 || errs[0].Err != errYielded) {
				t.Errorf("got %v", errs[0])
			}
			r.want(t, tc.report...)
			e.YieldMessage(message()).YieldError(errYielded)
			if err := pc.Close(); err != nil {
				t.Errorf("the second time: %v", err)
			}
			_ = c.Close()
			r.want(t)
		})
	}
}

func TestPartitionConsumerAsyncCloseLeavesWhatIsThere(t *testing.T) {
	c := NewConsumer(t, nil)
	c.ExpectConsumePartition("t", 0, 0).YieldMessage(message()).YieldError(errYielded)
	pc := consume(t, c, 0)
	pc.AsyncClose()
	messages, failures := 0, 0
	for range pc.Messages() {
		messages++
	}
	for range pc.Errors() {
		failures++
	}
	if messages != 1 || failures != 1 {
		t.Errorf("%d messages, %d errors", messages, failures)
	}
}

func TestConsumerPauses(t *testing.T) {
	c := NewConsumer(t, nil)
	e, other := c.ExpectConsumePartition("t", 0, 0), c.ExpectConsumePartition("t", 1, 0)
	pc := consume(t, c, 0)
	want := func(what string, paused, otherPaused bool, messages int, mark int64) {
		t.Helper()
		if pc.IsPaused() != paused || other.IsPaused() != otherPaused || len(pc.Messages()) != messages || pc.HighWaterMarkOffset() != mark {
			t.Errorf("%s: paused %v and %v, %d messages, high watermark %d", what, pc.IsPaused(), other.IsPaused(), len(pc.Messages()), pc.HighWaterMarkOffset())
		}
	}
	c.PauseAll()
	e.YieldMessage(message())
	want("all paused", true, true, 0, 0)
	c.Resume(map[string][]int32{"t": {0, 5}, "none": {0}})
	want("one resumed", false, true, 1, 1)
	e.YieldMessage(message())
	c.ResumeAll()
	want("all resumed", false, false, 2, 2)
	c.Pause(map[string][]int32{"t": {1, 5}, "none": {0}})
	want("the other paused", false, true, 2, 2)
	pc.Pause()
	e.YieldMessage(message()).YieldMessage(message())
	want("paused", true, true, 2, 2)
	pc.Resume()
	pc.Resume()
	want("resumed", false, true, 4, 4)
	for i := range int64(4) {
		if m := <-pc.Messages(); m.Offset != i {
			t.Errorf("message %d at %d", i, m.Offset)
		}
	}
	_, _ = c.ConsumePartition("t", 1, 0)
	_ = c.Close()
}

// pausedConsumer consumes t/0, with a buffer of this size, and is paused.
func pausedConsumer(t *testing.T, bufferSize int) (*Consumer, *PartitionConsumer, sarama.PartitionConsumer) {
	t.Helper()
	conf := sarama.NewConfig()
	conf.ChannelBufferSize = bufferSize
	c := NewConsumer(t, conf)
	e := c.ExpectConsumePartition("t", 0, 0)
	pc := consume(t, c, 0)
	pc.Pause()
	return c, e, pc
}

// Resume does not wait for readers, and keeps the order of what is yielded
// meanwhile.
func TestPartitionConsumerResumesMoreThanFits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, e, pc := pausedConsumer(t, 2)
		for range 10 {
			e.YieldMessage(message())
		}
		pc.Resume()
		pc.Pause()
		e.YieldMessage(message()) // does not wait for those before it
		pc.Resume()
		var yielder sync.WaitGroup
		yielder.Go(func() { e.YieldMessage(message()) })
		synctest.Wait()
		for i := range int64(12) {
			if m := <-pc.Messages(); m.Offset != i {
				t.Errorf("message %d at %d", i, m.Offset)
			}
		}
		yielder.Wait()
		_ = c.Close()
	})
}

func TestPartitionConsumerCloseFreesWhoYields(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, e, pc := pausedConsumer(t, 0)
		e.YieldMessage(message())
		pc.Resume() // a goroutine waits with the message
		var yielders sync.WaitGroup
		for range 3 {
			yielders.Go(func() { e.YieldMessage(message()) })
			yielders.Go(func() { e.YieldError(errYielded) })
		}
		synctest.Wait()
		if err := pc.Close(); err != nil {
			t.Error(err)
		}
		yielders.Wait()
		_ = c.Close()
	})
}

func TestConsumerOfManyGoroutines(t *testing.T) {
	c := NewConsumer(t, nil)
	var all sync.WaitGroup
	for p := range int32(4) {
		e := c.ExpectConsumePartition("t", p, 0)
		e.ExpectMessagesDrainedOnClose()
		for range 3 {
			all.Go(func() {
				for range 200 {
					e.YieldMessage(message())
				}
			})
		}
		all.Go(func() {
			pc, err := c.ConsumePartition("t", p, 0)
			if err != nil {
				t.Error(err)
				return
			}
			for i := range int64(600) {
				if m := <-pc.Messages(); m.Offset != i {
					t.Errorf("partition %d: message %d at %d", p, i, m.Offset)
				}
			}
		})
	}
	all.Go(func() {
		for range 100 {
			c.PauseAll()
			_ = c.HighWaterMarks()
			c.ResumeAll()
		}
	})
	all.Wait()
	if marks := slices.Collect(maps.Values(c.HighWaterMarks()["t"])); !slices.Equal(marks, []int64{600, 600, 600, 600}) {
		t.Errorf("high watermarks %v", marks)
	}
	_ = c.Close()
}
