package mocks

import (
	"sync"

	"github.com/IBM/sarama"
)

// stream is the messages of a partition on their way to a channel, in the order
// in which they were yielded. What is yielded while it is paused, or before the
// channel is asked for, is held.
type stream struct {
	// constant
	at      topicPartition
	size    int           // of the channel, or what is held if that is more
	closing chan struct{} // closed before the channel is

	// turn is held by who sends on the channel. close keeps it.
	turn chan struct{}

	// mu guards
	mu struct {
		sync.Mutex
		out    chan *sarama.ConsumerMessage // nil until open
		held   []*sarama.ConsumerMessage
		next   int64 // the offset of the next message to leave held
		paused bool
		closed bool
	}
}

func newStream(at topicPartition, offset int64, size int) *stream {
	s := &stream{at: at, size: size, closing: make(chan struct{}), turn: make(chan struct{}, 1)}
	s.mu.next = offset
	return s
}

// open makes the channel, and has it filled with what is held, for which there
// is room.
func (s *stream) open() <-chan *sarama.ConsumerMessage {
	s.mu.Lock()
	fresh := s.mu.out == nil
	if fresh {
		s.mu.out = make(chan *sarama.ConsumerMessage, max(s.size, len(s.mu.held)))
	}
	out := s.mu.out
	s.mu.Unlock()
	if fresh {
		s.flush()
	}
	return out
}

// yield waits until a message is in the channel, or held. It reports whether the
// stream is still open.
func (s *stream) yield(msg *sarama.ConsumerMessage) bool {
	s.mu.Lock()
	closed, holds := s.mu.closed, s.mu.paused || s.mu.out == nil
	if !closed {
		s.mu.held = append(s.mu.held, msg)
	}
	s.mu.Unlock()
	if closed || holds {
		return !closed
	}
	select {
	case s.turn <- struct{}{}:
		return s.pass(true)
	case <-s.closing:
		return false
	}
}

// flush sends what is held, without waiting: what does not fit is left to a
// goroutine, which ends when that is read or the stream is closed.
func (s *stream) flush() {
	select {
	case s.turn <- struct{}{}:
		s.pass(false)
	default: // who has the turn looks again when he gives it back
	}
}

// pass sends what is held. The caller has the turn, which is given back. It
// reports whether the stream is still open.
func (s *stream) pass(wait bool) bool {
	for {
		for msg, out := s.take(); msg != nil; msg, out = s.take() {
			select {
			case out <- msg:
				continue
			default:
			}
			if !wait {
				go s.passOn(msg, out)
				return true
			}
			if !s.send(msg, out) {
				return false
			}
		}
		<-s.turn
		if !s.ready() {
			return true
		}
		select {
		case s.turn <- struct{}{}:
		default:
			return true
		}
	}
}

// passOn sends a message, then what is held, then gives the turn back.
func (s *stream) passOn(msg *sarama.ConsumerMessage, out chan<- *sarama.ConsumerMessage) {
	if s.send(msg, out) {
		s.pass(true)
	}
}

// send waits until a message is in the channel. If the stream is closed first,
// it gives the turn back.
func (s *stream) send(msg *sarama.ConsumerMessage, out chan<- *sarama.ConsumerMessage) bool {
	select {
	case out <- msg:
		return true
	case <-s.closing:
		<-s.turn
		return false
	}
}

// take is the next message to send, nil if there is none now.
func (s *stream) take() (*sarama.ConsumerMessage, chan<- *sarama.ConsumerMessage) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.readyLocked() {
		return nil, nil
	}
	msg := s.mu.held[0]
	s.mu.held[0] = nil
	s.mu.held = s.mu.held[1:]
	msg.Topic, msg.Partition, msg.Offset = s.at.topic, s.at.partition, s.mu.next
	s.mu.next++
	return msg, s.mu.out
}

func (s *stream) ready() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.readyLocked()
}

func (s *stream) readyLocked() bool {
	return len(s.mu.held) > 0 && s.mu.out != nil && !s.mu.paused && !s.mu.closed
}

// close drops what is held and closes the channel, in which the rest can be read.
func (s *stream) close() {
	s.mu.Lock()
	first := !s.mu.closed
	s.mu.closed = true
	s.mu.held = nil
	if s.mu.out == nil {
		s.mu.out = make(chan *sarama.ConsumerMessage)
	}
	out := s.mu.out
	s.mu.Unlock()
	if first {
		close(s.closing)
		s.turn <- struct{}{} // whoever sends has noticed; nobody does from now on
		close(out)
	}
}

func (s *stream) pause() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.paused = true
}

func (s *stream) resume() {
	s.mu.Lock()
	s.mu.paused = false
	s.mu.Unlock()
	s.flush()
}

func (s *stream) isPaused() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mu.paused
}

// sent is the offset behind the last message that has left.
func (s *stream) sent() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mu.next
}

// end is the offset behind the last message that was yielded.
func (s *stream) end() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mu.next + int64(len(s.mu.held))
}
