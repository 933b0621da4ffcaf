package sarama

import (
	"sync"
	"testing"
)

// TestMailboxKeepsEachSendersOrder posts from many goroutines while one reads.
func TestMailboxKeepsEachSendersOrder(t *testing.T) {
	const senders, each = 8, 20000
	type item struct{ sender, n int }
	m := newMailbox()
	var wg sync.WaitGroup
	for s := range senders {
		wg.Go(func() {
			for n := 0; n < each; {
				if n%3 == 0 && n+2 <= each {
					var c letterChain
					c.add(&letter{item: item{s, n}})
					c.add(&letter{item: item{s, n + 1}})
					m.postChain(c)
					n += 2
					continue
				}
				m.send(item{s, n})
				n++
			}
		})
	}
	next := [senders]int{}
	for got := 0; got < senders*each; {
		<-m.wake
		for l := m.take(); l != nil; l = l.next {
			i := l.item.(item)
			if i.n != next[i.sender] {
				t.Fatalf("sender %d: got %d, want %d", i.sender, i.n, next[i.sender])
			}
			next[i.sender]++
			got++
		}
	}
	wg.Wait()
	if m.take() != nil {
		t.Error("more came out than went in")
	}
}
