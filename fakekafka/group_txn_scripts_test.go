package fakekafka_test

import (
	"time"

	"github.com/IBM/sarama"
)

// producing is a transactional producer, as a test plays it.
type producing struct {
	s     *script
	b     *sarama.Broker
	name  string
	id    int64
	epoch int16
}

func (s *script) producer(name string) *producing {
	s.t.Helper()
	p := &producing{s: s, b: s.conn(), name: name + s.group}
	s.await("a producer id", func() bool {
		_, err := p.b.FindCoordinator(&sarama.FindCoordinatorRequest{Version: 3, CoordinatorKey: p.name, CoordinatorType: sarama.CoordinatorTransaction})
		must(s.t, err)
		r, err := p.b.InitProducerID(&sarama.InitProducerIDRequest{Version: 4, TransactionalID: &p.name, TransactionTimeout: 10 * time.Minute, ProducerID: -1, ProducerEpoch: -1})
		must(s.t, err)
		p.id, p.epoch = r.ProducerID, r.ProducerEpoch
		return r.Err == sarama.ErrNoError
	})
	return p
}

func (p *producing) add() {
	p.s.t.Helper()
	r, err := p.b.AddOffsetsToTxn(&sarama.AddOffsetsToTxnRequest{Version: 3, TransactionalID: p.name, ProducerID: p.id, ProducerEpoch: p.epoch, GroupID: p.s.group})
	must(p.s.t, err)
	p.s.say("add: %s", code(r.Err))
}

func (p *producing) commit(what string, version int16, m *member, topic string, offset int64) {
	p.s.t.Helper()
	req := &sarama.TxnOffsetCommitRequest{
		Version: version, TransactionalID: p.name, GroupID: p.s.group, ProducerID: p.id, ProducerEpoch: p.epoch, GenerationID: -1,
		Topics: map[string][]*sarama.PartitionOffsetMetadata{topic: {{Partition: 0, Offset: offset, LeaderEpoch: 2, Metadata: new("txn")}}},
	}
	if m != nil {
		req.GenerationID, req.MemberID, req.GroupInstanceID = m.generation, m.id, m.instance
	}
	r, err := p.b.TxnOffsetCommit(req)
	must(p.s.t, err)
	p.s.say("%s: %s", what, code(r.Topics[topic][0].Err))
}

// end ends the transaction, and waits until its offsets are settled: who asks
// for the same end again is told to wait until then.
func (p *producing) end(commit bool) {
	p.s.t.Helper()
	ask := func() sarama.KError {
		r, err := p.b.EndTxn(&sarama.EndTxnRequest{Version: 3, TransactionalID: p.name, ProducerID: p.id, ProducerEpoch: p.epoch, TransactionResult: commit})
		must(p.s.t, err)
		return r.Err
	}
	p.s.say("end %v: %s", commit, code(ask()))
	p.s.await("the transaction's end", func() bool { return ask() != sarama.ErrConcurrentTransactions })
}

func (s *script) fetchStable(b *sarama.Broker, stable bool) {
	s.t.Helper()
	req := &sarama.OffsetFetchRequest{Version: 7, ConsumerGroup: s.group, RequireStable: stable}
	req.AddPartition("t", 0)
	req.AddPartition("t", 1)
	s.fetch(b, req)
	s.fetch(b, &sarama.OffsetFetchRequest{Version: 7, ConsumerGroup: s.group, RequireStable: stable})
}

func init() {
	groupScripts = append(groupScripts, groupScript{"transactions", false, func(s *script) {
		p, m := s.producer("p"), s.member("m", 9)
		p.add()
		p.commit("no group, no member", 3, nil, "t", 1)
		p.commit("unknown topic", 3, nil, "none", 1)
		p.commit("unknown member", 3, &member{generation: 3, id: "x"}, "t", 1)
		s.fetchStable(m.b, false)
		s.fetchStable(m.b, true)
		s.describe(m.b)
		p.end(true)
		s.fetchStable(m.b, true)
		m.enter()
		p.add()
		p.commit("completing", 3, m, "t", 2)
		p.commit("no member", 3, nil, "t", 3)
		p.commit("old version", 2, nil, "t", 4)
		m.sync()
		m.generation++
		p.commit("generation", 3, m, "t", 5)
		m.generation--
		m.instance = new("i")
		p.commit("instance", 3, m, "t", 5)
		m.instance = nil
		m.commit(8, 6) // outside
		s.fetchStable(m.b, false)
		s.fetchStable(m.b, true)
		p.end(false)
		s.fetchStable(m.b, true)
		p.add()
		p.commit("good", 3, m, "t", 7)
		m.leave()
		p.end(true)
		s.fetchStable(m.b, true)
		p.add()
		p.commit("good", 3, nil, "t", 10)
		none := s.member("none", 9)
		none.commit(8, 11) // which goes before it
		p.end(true)
		s.fetchStable(m.b, true)
		q := s.producer("q")
		p.add()
		q.add()
		p.commit("one", 3, nil, "t", 12)
		q.commit("another", 3, nil, "t", 13)
		q.end(true)
		s.fetchStable(m.b, false)
		s.fetchStable(m.b, true)
		p.end(true)
		s.fetchStable(m.b, true)
		p.commit("not added", 3, nil, "t", 14)
		if !s.old {
			a := s.beater("a")
			a.send("joins", a.full("t"))
			a.settle()
			p.add()
			p.commit("member", 3, &member{generation: a.epoch, id: a.id}, "t", 8)
			p.commit("stale member", 3, &member{generation: a.epoch - 1, id: a.id}, "t", 9)
			p.commit("unknown member", 3, &member{generation: a.epoch, id: "x"}, "t", 9)
			p.commit("no member", 3, nil, "t", 9)
			p.end(true)
			s.fetchStable(m.b, true)
		}
	}})
}
