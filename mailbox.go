package sarama

import "sync/atomic"

// mailbox is a queue that many goroutines put letters into, without a lock and
// without ever waiting, and that one goroutine empties. Its letters are nodes
// that their senders own until they are posted, so nothing is allocated. What
// bounds it is the number of letters that there are: each mailbox says what
// its letters are.
type mailbox struct {
	head atomic.Pointer[letter] // the newest
	wake chan struct{}          // of capacity 1: something may be there
}

// letter is one thing to post. The poster sets item first, and may not touch
// the letter again until its receiver has handed it back some other way.
type letter struct {
	next *letter
	item any
}

func newMailbox() mailbox { return mailbox{wake: make(chan struct{}, 1)} }

// post queues a letter and wakes the receiver.
func (m *mailbox) post(l *letter) {
	for {
		old := m.head.Load()
		l.next = old
		if m.head.CompareAndSwap(old, l) {
			break
		}
	}
	m.nudge()
}

// send posts something in a letter of its own.
func (m *mailbox) send(item any) { m.post(&letter{item: item}) }

// nudge wakes the receiver; one wake-up is pending at most.
func (m *mailbox) nudge() {
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

// take empties the mailbox: the oldest letter first, linked by next.
func (m *mailbox) take() *letter {
	l := m.head.Swap(nil)
	var first *letter
	for l != nil {
		l.next, first, l = first, l, l.next
	}
	return first
}

// letterChain is several letters that are posted together, the newest first.
type letterChain struct{ newest, oldest *letter }

func (c *letterChain) add(l *letter) {
	if l.next, c.newest = c.newest, l; c.oldest == nil {
		c.oldest = l
	}
}

// postChain queues the letters of a chain in the order in which they were
// added.
func (m *mailbox) postChain(c letterChain) {
	for {
		old := m.head.Load()
		c.oldest.next = old
		if m.head.CompareAndSwap(old, c.newest) {
			break
		}
	}
	m.nudge()
}
