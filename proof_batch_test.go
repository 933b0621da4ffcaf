package sarama

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/IBM/sarama/internal/bridge"
	"github.com/IBM/sarama/internal/record"
)

// The first of the five failures: a batch's fields change while another
// goroutine writes it to a request.

// slowConn is a connection whose writes stop in the middle until they are let
// go. It takes its bytes from the caller's memory as late as it can, as a
// kernel might, and Close does not make it let go of them.
type slowConn struct {
	net.Conn
	stalls func() <-chan struct{} // nil: this write does not stall
	writes *writeLog
}

// writeLog has the Produce frames that left connections, as they were read
// after the stall.
type writeLog struct {
	mu     sync.Mutex
	frames [][]byte
}

func (c *slowConn) Write(b []byte) (int, error) {
	if gate := c.stalls(); gate != nil && len(b) > 200 {
		half := len(b) / 2
		n, err := c.Conn.Write(b[:half])
		before := bytes.Clone(b)
		<-gate
		if !bytes.Equal(before, b) {
			c.writes.add(nil) // changed under the writer's hands
		}
		if err != nil {
			return n, err
		}
		m, err := c.Conn.Write(b[half:])
		return n + m, err
	}
	return c.Conn.Write(b)
}

func (l *writeLog) add(frame []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.frames = append(l.frames, bytes.Clone(frame))
}

// TestProofBatchIsNotTouchedWhileItIsWritten stalls writes while their request
// runs out of time, its connection ends, its batch is due for a retry and the
// epoch is bumped by other failures. What a batch's memory holds must not
// change until the write has returned, and what brokers get of it always has
// one consistent stamp and checksum.
func TestProofBatchIsNotTouchedWhileItIsWritten(t *testing.T) {
	rounds := 1000
	if testing.Short() {
		rounds = 200
	}
	var log writeLog
	var n, torn atomic.Int32
	rnd := rand.New(rand.NewPCG(1, 2))
	var mu sync.Mutex // of rnd
	chance := func(of int) bool {
		mu.Lock()
		defer mu.Unlock()
		return rnd.IntN(of) == 0
	}
	s := newScript(t, standard(3, "t", 6, func(_ string, _ bridge.Header, req any) (any, error) {
		r := &ProduceResponse{}
		for _, p := range bridge.ProduceRecords(req) {
			if err := checkStamp(p.Records); err != nil {
				torn.Add(1)
				t.Errorf("%s/%d: %v", p.Topic, p.Partition, err)
			}
			code := ErrNoError
			if chance(3) {
				code = []KError{ErrNotLeaderForPartition, ErrRequestTimedOut, ErrMessageSizeTooLarge, ErrNotEnoughReplicas}[n.Add(1)%4]
			}
			r.AddTopicPartition(p.Topic, p.Partition, code)
		}
		switch {
		case chance(10):
			return nil, errHangUp
		case chance(10):
			return nil, nil // never answered
		}
		return r, nil
	}))
	s.wrap = func(_ string, c net.Conn) net.Conn {
		return &slowConn{Conn: c, writes: &log, stalls: func() <-chan struct{} {
			if !chance(4) {
				return nil
			}
			gate := make(chan struct{})
			time.AfterFunc(time.Duration(1+n.Load()%7)*time.Millisecond, func() { close(gate) })
			return gate
		}}
	}
	p := newTestProducer(t, s, func(c *Config) {
		c.Producer.Idempotent, c.Producer.RequiredAcks = true, WaitForAll
		c.Producer.Retry.Max, c.Producer.Retry.Backoff = 3, time.Millisecond
		c.Producer.Partitioner = NewRoundRobinPartitioner
		c.Net.ReadTimeout, c.Net.WriteTimeout = 5*time.Millisecond, 3*time.Millisecond
		c.Producer.Timeout = time.Millisecond
		c.Metadata.Retry.Max, c.Metadata.Retry.Backoff = 50, time.Millisecond
	})
	var settled sync.WaitGroup
	settled.Go(func() {
		for range p.Successes() {
			continue
		}
	})
	settled.Go(func() {
		for range p.Errors() {
			continue
		}
	})
	value := ByteEncoder(bytes.Repeat([]byte("x"), 300))
	for i := range rounds {
		p.Input() <- &ProducerMessage{Topic: "t", Value: value}
		if i%10 == 0 {
			time.Sleep(time.Millisecond)
		}
	}
	within(t, "Close", func() { p.AsyncClose(); settled.Wait() })
	if slices.ContainsFunc(log.frames, func(f []byte) bool { return f == nil }) {
		t.Error("a batch was changed while it was being written")
	}
}

// checkStamp says whether a batch's checksum is that of its bytes, and its
// numbers go together.
func checkStamp(raw []byte) error {
	b, _, err := record.Next(raw)
	if err != nil {
		return err
	}
	if err := b.CheckCRC(); err != nil {
		return err
	}
	if b.ProducerID != 7 || b.ProducerEpoch < 0 || b.BaseSequence < 0 {
		return fmt.Errorf("producer id %d, epoch %d, sequence %d", b.ProducerID, b.ProducerEpoch, b.BaseSequence)
	}
	if size := int(binary.BigEndian.Uint32(raw[8:])) + 12; size != len(raw) {
		return fmt.Errorf("%d bytes, the batch says %d", len(raw), size)
	}
	return nil
}
