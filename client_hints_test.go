package sarama

import (
	"testing"
	"time"
)

func TestLeaderHintsAreTakenWhenTheyAreNewerAndOfUse(t *testing.T) {
	node := func(id, port int32) *ProduceResponseNodeEndpoint {
		return &ProduceResponseNodeEndpoint{NodeID: id, Host: "h", Port: port}
	}
	one, two := &Broker{id: 1, addr: "h:1"}, &Broker{id: 2, addr: "h:2"}
	topic := &topicInfo{
		name: "t", dense: true, all: []int32{0, 1}, writable: []int32{0},
		partitions: []partitionInfo{{id: 0, leader: 1, epoch: 5}, {id: 1, leader: -1, epoch: 3, err: ErrLeaderNotAvailable}},
	}
	start := &cluster{brokers: map[int32]*Broker{1: one, 2: two}, topics: map[string]*topicInfo{"t": topic}}
	for name, c := range map[string]struct {
		hint   leaderHint
		leader int32 // 0: nothing changes
		addr   string
	}{
		"newer":                          {leaderHint{"t", 0, 2, 6, nil}, 2, "h:2"},
		"with the address that is known": {leaderHint{"t", 0, 2, 6, node(2, 2)}, 2, "h:2"},
		"with another address":           {leaderHint{"t", 0, 2, 6, node(2, 9)}, 2, "h:9"},
		"of a broker not known yet":      {leaderHint{"t", 0, 3, 6, node(3, 3)}, 3, "h:3"},
		"where there was none":           {leaderHint{"t", 1, 2, 4, nil}, 2, "h:2"},
		"a broker without an address":    {leaderHint{"t", 0, 3, 6, nil}, 0, ""},
		"somebody else's address":        {leaderHint{"t", 0, 3, 6, node(2, 2)}, 0, ""},
		"the same epoch":                 {leaderHint{"t", 0, 2, 5, nil}, 0, ""},
		"older":                          {leaderHint{"t", 0, 2, 4, nil}, 0, ""},
		"no leader":                      {leaderHint{"t", 0, -1, 9, nil}, 0, ""},
		"unknown partition":              {leaderHint{"t", 2, 2, 6, nil}, 0, ""},
		"unknown topic":                  {leaderHint{"u", 0, 2, 6, nil}, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			next := start.withLeaders([]leaderHint{c.hint})
			if c.leader == 0 {
				if next != start {
					t.Fatalf("changed to %+v", next)
				}
				return
			}
			b, epoch, err := next.leader(c.hint.topic, c.hint.partition)
			if err != nil || b.id != c.leader || b.addr != c.addr || epoch != c.hint.epoch {
				t.Fatalf("leader %v, epoch %d, %v", b, epoch, err)
			}
			if c.addr == "h:2" && b != two {
				t.Error("the known broker was replaced")
			}
			if w := next.topics["t"].writable; len(w) != 1+int(c.hint.partition) {
				t.Errorf("writable partitions %v", w)
			}
			if topic.partitions[0].leader != 1 || topic.partitions[1].leader != -1 || start.brokers[2] != two || len(topic.writable) != 1 {
				t.Error("the snapshot before was written to")
			}
		})
	}
}

// A client that has begun again knows topics, but no brokers until metadata has
// come; a hint may come before that.
func TestLeaderHintWhileNoBrokerIsKnown(t *testing.T) {
	known := &cluster{
		brokers: map[int32]*Broker{1: {id: 1, addr: "b1:9092"}},
		topics: map[string]*topicInfo{"t": newTopicInfo(&TopicMetadata{
			Name: "t", Partitions: []*PartitionMetadata{{ID: 0, Leader: 1, LeaderEpoch: 4}},
		}, nil)},
	}
	anew := known.atSeeds([]string{"b1:9092"}, nil, time.Time{})
	next := anew.withLeaders([]leaderHint{{topic: "t", leader: 2, epoch: 5, node: &ProduceResponseNodeEndpoint{NodeID: 2, Host: "b2", Port: 9092}}})
	b, epoch, err := next.leader("t", 0)
	if err != nil || b.addr != "b2:9092" || epoch != 5 {
		t.Errorf("got %v, epoch %d, %v", b, epoch, err)
	}
	if len(anew.brokers) != 0 {
		t.Error("the cluster of before has changed")
	}
}
