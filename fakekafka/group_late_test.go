package fakekafka

import (
	"testing"

	"github.com/IBM/sarama"
)

// Offsets that come to the group's coordinator when their transaction has ended
// already would never be settled.
func TestGroupRefusesOffsetsOfAnEndedTransaction(t *testing.T) {
	cluster := New(t, Options{InMemory: true, Topics: []Topic{{Name: "t"}}})
	c := newConn(cluster.brokers[0], &scriptedConn{}, 1)
	r := &Request{conn: c, Version: 3}
	for _, test := range []struct {
		ends bool
		want sarama.KError
	}{{true, sarama.ErrOffsetsLoadInProgress}, {false, sarama.ErrNoError}} {
		s := c.storing(r, "g")
		s.who.producerID = 1
		s.ended = cluster.groups.endedTxns(groupProducer{"g", 1})
		s.add(r, r.resolve("t", 0, false, true), 5, -1, nil)
		if test.ends {
			cluster.endGroupTxn("g", 1, false)
		}
		s.run(c, sarama.ErrIllegalGeneration)
		if got := s.partitions[0].err; got != test.want {
			t.Fatalf("offset of a transaction, ended %v: %v, want %v", test.ends, got, test.want)
		}
	}
	if g, _ := cluster.Group("g"); len(g.PendingOffsets) != 1 {
		t.Fatalf("pending offsets %v", g.PendingOffsets)
	}
}
