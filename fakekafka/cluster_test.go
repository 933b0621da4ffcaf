package fakekafka_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"syscall"
	"testing"

	"github.com/IBM/sarama"
	"github.com/IBM/sarama/fakekafka"
)

// Everything is there for who asks first: nobody is told that a topic or a
// leader is not known yet.
func TestFirstInstantSeesWholeCluster(t *testing.T) {
	cluster := fakekafka.New(t, fakekafka.Options{Brokers: 2, Topics: []fakekafka.Topic{{Name: "t", Partitions: 4}}})
	var wg sync.WaitGroup
	defer wg.Wait()
	for i, addr := range cluster.Addrs() {
		wg.Go(func() {
			b := sarama.NewBroker(addr)
			if err := b.Open(config(cluster)); err != nil {
				t.Error(err)
			}
			defer b.Close()
			resp, err := b.GetMetadata(&sarama.MetadataRequest{Version: 7, Topics: []string{"t"}})
			if err != nil {
				t.Error(err)
				return
			}
			if len(resp.Brokers) != 2 || len(resp.Topics) != 1 || len(resp.Topics[0].Partitions) != 4 {
				t.Errorf("broker %d knows %d brokers and topics %v", i+1, len(resp.Brokers), resp.Topics)
				return
			}
			for j, known := range resp.Brokers {
				if known.Addr() != cluster.Addrs()[j] || known.ID() != int32(j+1) {
					t.Errorf("broker %d is said to be at %s", known.ID(), known.Addr())
				}
			}
			for _, p := range resp.Topics[0].Partitions {
				if p.Err != sarama.ErrNoError || p.Leader < 1 || p.Leader > 2 {
					t.Errorf("partition %d: leader %d, %v", p.ID, p.Leader, p.Err)
				}
			}
		})
	}
}

func TestClientWorksAgainstCluster(t *testing.T) {
	for _, inMemory := range []bool{false, true} {
		t.Run(fmt.Sprintf("inMemory=%v", inMemory), func(t *testing.T) {
			opts := three()
			opts.InMemory = inMemory
			cluster := fakekafka.New(t, opts)
			client, err := sarama.NewClient(cluster.Addrs()[:1], config(cluster))
			must(t, err)
			defer client.Close()
			if got := len(client.Brokers()); got != 3 {
				t.Fatalf("client knows %d brokers", got)
			}
			for p := range int32(3) {
				leader, err := client.Leader("t", p)
				must(t, err)
				wantErr(t, produce(t, leader, "t", p, batch("a", "b")).Err, sarama.ErrNoError)
				offset, err := client.GetOffset("t", p, sarama.OffsetNewest)
				must(t, err)
				if offset != 2 {
					t.Fatalf("newest offset of t/%d is %d", p, offset)
				}
				wantValues(t, stored(t, cluster, "t", p), "a", "b")
			}
			controller, err := client.Controller()
			must(t, err)
			if controller.ID() != cluster.Controller() {
				t.Fatalf("controller is %d", controller.ID())
			}
			coordinator, err := client.Coordinator("group")
			must(t, err)
			if want := cluster.Coordinator(sarama.CoordinatorGroup, "group"); coordinator.ID() != want {
				t.Fatalf("coordinator is %d, want %d", coordinator.ID(), want)
			}
			if id, err := client.InitProducerID(); err != nil || id.Err != sarama.ErrNoError || id.ProducerID < 1 {
				t.Fatalf("InitProducerID: %+v, %v", id, err)
			}
		})
	}
}

func TestClusterCloseFreesPortsAndConnections(t *testing.T) {
	cluster, err := fakekafka.Start(fakekafka.Options{Brokers: 3})
	must(t, err)
	var conns []net.Conn
	for _, addr := range cluster.Addrs() {
		c, err := net.Dial("tcp", addr)
		must(t, err)
		defer c.Close()
		exchange(t, c, frame(18, 0, 1))
		conns = append(conns, c)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if err := cluster.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	must(t, cluster.Close())
	for i, addr := range cluster.Addrs() {
		wantClosed(t, conns[i])
		must(t, conns[i].Close())
		if _, err := net.Dial("tcp", addr); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Fatalf("dialing %s after Close: %v", addr, err)
		}
		l, err := net.Listen("tcp", addr)
		if err != nil {
			t.Fatalf("port is not free after Close: %v", err)
		}
		_ = l.Close()
	}
	if err := cluster.RestartBroker(1); err == nil {
		t.Fatal("a broker of a closed cluster was restarted")
	}
}

func TestClusterCloseEndsWaitingRequests(t *testing.T) {
	cluster, err := fakekafka.Start(one())
	must(t, err)
	b := dial(t, cluster, 1)
	waits := make(chan struct{})
	cluster.Handle(func(r *fakekafka.Request) *fakekafka.Reply {
		if r.API == fakekafka.Fetch {
			close(waits)
		}
		return nil
	})
	failed := make(chan error)
	go func() {
		req := fetchRequest("t", 0, 0)
		req.MinBytes, req.MaxWaitTime = 1, 3_600_000
		_, err := b.Fetch(req)
		failed <- err
	}()
	<-waits
	must(t, cluster.Close())
	if err := <-failed; err == nil {
		t.Fatal("fetch was answered by a closed cluster")
	}
}

func TestClustersShareNothing(t *testing.T) {
	for i := range 4 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			opts := three()
			opts.InMemory = i%2 == 0
			cluster := fakekafka.New(t, opts)
			other := fakekafka.New(t, opts)
			if cluster.ID() == other.ID() {
				t.Fatal("two clusters have one id")
			}
			b := dial(t, cluster, 1)
			wantErr(t, produce(t, b, "t", 0, batch("x")).Err, sarama.ErrNoError)
			must(t, cluster.CreateTopic(fakekafka.Topic{Name: "mine"}))
			must(t, cluster.StopBroker(2))
			if len(stored(t, other, "t", 0)) != 0 || slices.Contains(other.Topics(), "mine") || other.Requests(fakekafka.Produce) != 0 {
				t.Fatal("a cluster has seen what happened to another")
			}
			dial(t, other, 2)
		})
	}
}

func TestStartRefusesBadOptions(t *testing.T) {
	for name, opts := range map[string]fakekafka.Options{
		"negative brokers":   {Brokers: -1},
		"old release":        {Version: mustParse("0.8.1.1")},
		"racks":              {Racks: []string{"a", "b"}},
		"topic twice":        {Topics: []fakekafka.Topic{{Name: "a"}, {Name: "a"}}},
		"topic name":         {Topics: []fakekafka.Topic{{Name: "a b"}}},
		"replication factor": {Topics: []fakekafka.Topic{{Name: "a", ReplicationFactor: 2}}},
		"assignment":         {Topics: []fakekafka.Topic{{Name: "a", Assignment: [][]int32{{2}}}}},
		"setting":            {Topics: []fakekafka.Topic{{Name: "a", Config: map[string]string{"retention.bytes": "many"}}}},
		"unknown setting":    {Topics: []fakekafka.Topic{{Name: "a", Config: map[string]string{"colour": "red"}}}},
		"unknown API":        {MaxVersions: map[fakekafka.API]int16{99: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			cluster, err := fakekafka.Start(opts)
			if err == nil {
				_ = cluster.Close()
				t.Fatal("started")
			}
		})
	}
}

func TestStoppedBrokerKeepsItsAddress(t *testing.T) {
	for _, inMemory := range []bool{false, true} {
		t.Run(fmt.Sprintf("inMemory=%v", inMemory), func(t *testing.T) {
			opts := three()
			opts.InMemory = inMemory
			cluster := fakekafka.New(t, opts)
			addr := cluster.Addrs()[0]
			old := rawConn(t, cluster, 1)
			exchange(t, old, frame(18, 0, 1))
			for range 3 {
				must(t, cluster.StopBroker(1))
				must(t, cluster.StopBroker(1))
				if _, err := cluster.Dialer().Dial("tcp", addr); !errors.Is(err, syscall.ECONNREFUSED) {
					t.Fatalf("dialing a stopped broker: %v", err)
				}
				must(t, cluster.RestartBroker(1))
				must(t, cluster.RestartBroker(1))
				exchange(t, rawConn(t, cluster, 1), frame(18, 0, 1))
			}
			if n, err := old.Read(make([]byte, 1)); n != 0 || err == nil {
				t.Fatalf("connection has outlived its broker: %d, %v", n, err)
			}
		})
	}
}

func TestStoppedBrokerHandsOverLeadership(t *testing.T) {
	cluster := fakekafka.New(t, three())
	must(t, cluster.StopBroker(1))
	if leader, epoch, _ := cluster.Leader("r", 0); leader != 2 || epoch != 1 {
		t.Fatalf("r/0 is led by %d in epoch %d", leader, epoch)
	}
	if leader, _, _ := cluster.Leader("t", 0); leader != -1 {
		t.Fatalf("t/0 is led by %d", leader)
	}
	if got := cluster.Controller(); got == 1 {
		t.Fatal("a stopped broker is controller")
	}
	b := dial(t, cluster, 2)
	resp, err := b.GetMetadata(&sarama.MetadataRequest{Version: 9, Topics: []string{"t", "r"}})
	must(t, err)
	p := resp.Topics[0].Partitions[0]
	if p.Err != sarama.ErrLeaderNotAvailable || p.Leader != -1 || !slices.Equal(p.OfflineReplicas, []int32{1}) {
		t.Fatalf("metadata of t/0: %+v", p)
	}
	if p = resp.Topics[1].Partitions[0]; p.Leader != 2 || !slices.Equal(p.Isr, []int32{2, 3}) || !slices.Equal(p.Replicas, []int32{1, 2, 3}) {
		t.Fatalf("metadata of r/0: %+v", p)
	}
	if len(resp.Brokers) != 2 {
		t.Fatalf("metadata has %d brokers", len(resp.Brokers))
	}
	must(t, cluster.RestartBroker(1))
	if leader, epoch, _ := cluster.Leader("t", 0); leader != 1 || epoch != 2 {
		t.Fatalf("t/0 is led by %d in epoch %d", leader, epoch)
	}
	if leader, _, _ := cluster.Leader("r", 0); leader != 2 {
		t.Fatalf("r/0 is led by %d", leader)
	}
}

func TestDialerRefusesForeignAddresses(t *testing.T) {
	cluster := fakekafka.New(t, one())
	if _, err := cluster.Dialer().Dial("tcp", "127.0.0.1:9092"); err == nil {
		t.Fatal("dialled")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := cluster.Dialer().DialContext(ctx, "tcp", cluster.Addrs()[0]); !errors.Is(err, context.Canceled) {
		t.Fatalf("dialled with a context that is done: %v", err)
	}
}

func TestConnectionsAreCounted(t *testing.T) {
	cluster := fakekafka.New(t, one())
	a, b := rawConn(t, cluster, 1), rawConn(t, cluster, 1)
	if got := cluster.Connections(1); got != 2 {
		t.Fatalf("%d connections", got)
	}
	if got := cluster.CutConnections(1); got != 2 {
		t.Fatalf("%d connections cut", got)
	}
	for _, c := range []net.Conn{a, b} {
		if _, err := io.ReadAll(c); err != nil {
			t.Fatal(err)
		}
	}
}

// mustParse reads a release.
func mustParse(version string) sarama.KafkaVersion {
	v, err := sarama.ParseKafkaVersion(version)
	if err != nil {
		panic(err)
	}
	return v
}
