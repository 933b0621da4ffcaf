package fakekafka_test

import (
	"net"
	"slices"
	"strconv"
	"testing"

	"github.com/IBM/sarama"
	"github.com/IBM/sarama/fakekafka"
)

// endpoint is where a broker is, as responses have it.
func endpoint(t testing.TB, cluster *fakekafka.Cluster, id int32) sarama.ProduceResponseNodeEndpoint {
	t.Helper()
	host, port, err := net.SplitHostPort(cluster.Addrs()[id-1])
	must(t, err)
	n, err := strconv.Atoi(port)
	must(t, err)
	return sarama.ProduceResponseNodeEndpoint{NodeID: id, Host: host, Port: int32(n)}
}

// Refusals name the leader from the versions of Kafka 3.7 on (KIP-951): in each
// block, and once for each leader where that is.
func TestRefusalsNameTheLeader(t *testing.T) {
	for name, test := range map[string]struct {
		api     fakekafka.API
		version int16
		fenced  bool // the client's epoch is old, at the leader itself
		off     bool
		want    bool
	}{
		"produce before":    {api: fakekafka.Produce, version: 9},
		"produce":           {api: fakekafka.Produce, version: 10, want: true},
		"produce by id":     {api: fakekafka.Produce, version: 13, want: true},
		"produce off":       {api: fakekafka.Produce, version: 13, off: true},
		"fetch before":      {api: fakekafka.Fetch, version: 12},
		"fetch by id":       {api: fakekafka.Fetch, version: 15},
		"fetch":             {api: fakekafka.Fetch, version: 16, want: true},
		"fetch newest":      {api: fakekafka.Fetch, version: 18, want: true},
		"fetch off":         {api: fakekafka.Fetch, version: 18, off: true},
		"fetch fenced":      {api: fakekafka.Fetch, version: 16, fenced: true, want: true},
		"fetch fenced old":  {api: fakekafka.Fetch, version: 12, fenced: true},
		"fetch fenced, off": {api: fakekafka.Fetch, version: 16, fenced: true, off: true},
	} {
		t.Run(name, func(t *testing.T) {
			cluster := fakekafka.New(t, fakekafka.Options{
				Brokers: 4, InMemory: true,
				Topics: []fakekafka.Topic{{Name: "t", Assignment: [][]int32{{1}, {1}, {1}, {2}}}},
			})
			// Partitions 0 and 1 go to broker 3, 2 to broker 4; broker 2 keeps 3.
			for p, to := range []int32{3, 3, 4} {
				must(t, cluster.MoveLeader("t", int32(p), to))
			}
			cluster.SetLeaderHints(!test.off)
			asked := int32(1)
			if test.fenced {
				asked = 3
			}
			b := dial(t, cluster, asked)
			topic := "t"
			if test.version >= 13 {
				meta, err := b.GetMetadata(&sarama.MetadataRequest{Version: 12, Topics: []string{"t"}})
				must(t, err)
				topic = meta.Topics[0].Uuid.String()
			}
			leaders, endpoints := askForLeaders(t, b, test.api, test.version, topic, test.fenced)
			if !test.want {
				if len(leaders) > 0 || len(endpoints) > 0 {
					t.Fatalf("leaders %v, endpoints %+v", leaders, endpoints)
				}
				return
			}
			want := map[int32][2]int32{0: {3, 1}, 1: {3, 1}, 2: {4, 1}}
			at := []sarama.ProduceResponseNodeEndpoint{endpoint(t, cluster, 3), endpoint(t, cluster, 4)}
			if test.fenced {
				want, at = map[int32][2]int32{0: {3, 1}, 1: {3, 1}}, at[:1]
			}
			for p, l := range want {
				if leaders[p] != l {
					t.Errorf("partition %d: leader and epoch %v, want %v", p, leaders[p], l)
				}
			}
			if len(leaders) != len(want) || !slices.Equal(endpoints, at) {
				t.Errorf("leaders %v, endpoints %+v, want %+v", leaders, endpoints, at)
			}
		})
	}
}

// askForLeaders asks for partitions 0 to 2, or for 0 and 1 with a leader epoch
// that is old, and returns what the refusals say.
func askForLeaders(t testing.TB, b *sarama.Broker, api fakekafka.API, version int16, topic string, fenced bool) (map[int32][2]int32, []sarama.ProduceResponseNodeEndpoint) {
	t.Helper()
	leaders := make(map[int32][2]int32)
	var nodes []*sarama.ProduceResponseNodeEndpoint
	switch api {
	case fakekafka.Produce:
		req := &sarama.ProduceRequest{Version: version, RequiredAcks: sarama.WaitForAll, Timeout: 1000}
		for p := range int32(3) {
			req.AddBatch(topic, p, batch("v"))
		}
		resp, err := b.Produce(req)
		must(t, err)
		for p := range int32(3) {
			block := resp.GetBlock(topic, p)
			wantErr(t, block.Err, sarama.ErrNotLeaderForPartition)
			if l := block.CurrentLeader; l != nil {
				leaders[p] = [2]int32{l.LeaderID, l.LeaderEpoch}
			}
		}
		nodes = resp.NodeEndpoints
	case fakekafka.Fetch:
		req := &sarama.FetchRequest{Version: version, MaxBytes: 1 << 20, SessionEpoch: -1}
		want, epoch, last := sarama.ErrNotLeaderForPartition, int32(-1), int32(2)
		if fenced {
			want, epoch, last = sarama.ErrFencedLeaderEpoch, 0, 1
		}
		for p := range last + 1 {
			req.AddBlock(topic, p, 0, 1<<20, epoch)
		}
		resp := fetch(t, b, req)
		for p := range last + 1 {
			block := resp.GetBlock(topic, p)
			wantErr(t, block.Err, want)
			if l := block.CurrentLeader; l != nil {
				leaders[p] = [2]int32{l.LeaderID, l.LeaderEpoch}
			}
		}
		nodes = resp.NodeEndpoints
	}
	var list []sarama.ProduceResponseNodeEndpoint
	for _, n := range nodes {
		list = append(list, *n)
	}
	slices.SortFunc(list, func(a, b sarama.ProduceResponseNodeEndpoint) int { return int(a.NodeID - b.NodeID) })
	return leaders, list
}
