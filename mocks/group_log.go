package mocks

import (
	"sync"

	"github.com/IBM/sarama"
)

// partitionLog is what a test has yielded to a partition of a group. It outlives
// sessions, so that messages that were not committed are delivered again.
type partitionLog struct {
	// constant
	place topicPartition

	// mu guards
	mu struct {
		sync.Mutex
		start    int64 // the first message's offset
		messages []*sarama.ConsumerMessage
		more     chan struct{} // closed, and replaced, when a message is added
	}
}

func newPartitionLog(at topicPartition) *partitionLog {
	l := &partitionLog{place: at}
	l.mu.more = make(chan struct{})
	return l
}

// add appends a message, which the log keeps a copy of.
func (l *partitionLog) add(msg sarama.ConsumerMessage) {
	l.mu.Lock()
	defer l.mu.Unlock()
	msg.Topic, msg.Partition, msg.Offset = l.place.topic, l.place.partition, l.mu.start+int64(len(l.mu.messages))
	l.mu.messages = append(l.mu.messages, &msg)
	close(l.mu.more)
	l.mu.more = make(chan struct{})
}

// at is a copy of the message at an offset; if there is none yet, it is nil, and
// the channel is closed when there may be one.
func (l *partitionLog) at(offset int64) (*sarama.ConsumerMessage, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if i := offset - l.mu.start; i < int64(len(l.mu.messages)) {
		msg := *l.mu.messages[i]
		return &msg, nil
	}
	return nil, l.mu.more
}

// begin is where a claim begins that has committed an offset, or none (-1).
func (l *partitionLog) begin(committed int64) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return min(max(committed, l.mu.start), l.mu.start+int64(len(l.mu.messages)))
}

// startAt is where the first message will be, if there is none yet.
func (l *partitionLog) startAt(offset int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.mu.messages) == 0 {
		l.mu.start = offset
	}
}

func (l *partitionLog) end() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.mu.start + int64(len(l.mu.messages))
}
