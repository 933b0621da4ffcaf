package fakekafka_test

import (
	"fmt"

	"github.com/IBM/sarama"
	"github.com/IBM/sarama/fakekafka"
)

// A cluster whose broker is asked for its topics, and refuses a batch once.
func Example() {
	cluster, err := fakekafka.Start(fakekafka.Options{
		Topics: []fakekafka.Topic{{Name: "orders", Partitions: 2}},
	})
	if err != nil {
		panic(err)
	}
	defer cluster.Close()
	client, err := sarama.NewClient(cluster.Addrs(), nil)
	if err != nil {
		panic(err)
	}
	defer client.Close()
	partitions, err := client.Partitions("orders")
	fmt.Println(partitions, err)

	cluster.FailProduce("orders", 1, sarama.ErrNotEnoughReplicas, 1)
	leader, err := client.Leader("orders", 1)
	if err != nil {
		panic(err)
	}
	for range 2 {
		request := &sarama.ProduceRequest{Version: 7, RequiredAcks: sarama.WaitForAll, Timeout: 1000}
		request.AddBatch("orders", 1, &sarama.RecordBatch{
			Version: 2, ProducerID: -1, ProducerEpoch: -1, Records: []*sarama.Record{{Value: []byte("tea")}},
		})
		response, err := leader.Produce(request)
		if err != nil {
			panic(err)
		}
		fmt.Println(response.GetBlock("orders", 1).Err == sarama.ErrNoError)
	}
	records, err := cluster.Records("orders", 1)
	fmt.Println(len(records), string(records[0].Value), err)
	// Output:
	// [0 1] <nil>
	// false
	// true
	// 1 tea <nil>
}

// A group whose coordinator another broker takes over.
func ExampleCluster_MoveCoordinator() {
	cluster, err := fakekafka.Start(fakekafka.Options{Brokers: 2, Topics: []fakekafka.Topic{{Name: "orders"}}})
	if err != nil {
		panic(err)
	}
	defer cluster.Close()
	if err := cluster.SetOffset("billing", "orders", 0, 42); err != nil {
		panic(err)
	}
	home := cluster.Coordinator(sarama.CoordinatorGroup, "billing")
	fmt.Println(cluster.MoveCoordinator("billing", 3-home))
	client, err := sarama.NewClient(cluster.Addrs(), nil)
	if err != nil {
		panic(err)
	}
	defer client.Close()
	coordinator, err := client.Coordinator("billing")
	if err != nil {
		panic(err)
	}
	request := sarama.NewOffsetFetchRequest(sarama.V2_8_0_0, "billing", nil)
	response, err := coordinator.FetchOffset(request)
	if err != nil {
		panic(err)
	}
	fmt.Println(coordinator.ID() == 3-home, response.GetBlock("orders", 0).Offset)
	// Output:
	// <nil>
	// true 42
}

// What a coordinator knows of a group.
func ExampleCluster_Group() {
	cluster, err := fakekafka.Start(fakekafka.Options{Topics: []fakekafka.Topic{{Name: "orders"}}})
	if err != nil {
		panic(err)
	}
	defer cluster.Close()
	client, err := sarama.NewClient(cluster.Addrs(), nil)
	if err != nil {
		panic(err)
	}
	defer client.Close()
	coordinator, err := client.Coordinator("billing")
	if err != nil {
		panic(err)
	}
	join := &sarama.JoinGroupRequest{GroupId: "billing", SessionTimeout: 10_000, ProtocolType: "consumer"}
	join.AddGroupProtocol("range", []byte("\x00\x00\x00\x00\x00\x01\x00\x06orders\xff\xff\xff\xff"))
	joined, err := coordinator.JoinGroup(join)
	if err != nil {
		panic(err)
	}
	group, ok := cluster.Group("billing")
	fmt.Println(ok, group.State, group.Generation, group.Protocol)
	fmt.Println(group.Leader == joined.MemberId, group.Members[0].Topics)
	// Output:
	// true CompletingRebalance 1 range
	// true [orders]
}

// A broker that answers late, as a slow one does.
func ExampleCluster_Handle() {
	cluster, err := fakekafka.Start(fakekafka.Options{InMemory: true})
	if err != nil {
		panic(err)
	}
	defer cluster.Close()
	remove := cluster.Handle(func(r *fakekafka.Request) *fakekafka.Reply {
		if r.API != fakekafka.Metadata {
			return nil
		}
		fmt.Println("broker", r.Broker, "is asked for", r.API)
		return &fakekafka.Reply{Delay: 1}
	})
	defer remove()
	conf := sarama.NewConfig()
	cluster.Configure(conf)
	client, err := sarama.NewClient(cluster.Addrs(), conf)
	if err != nil {
		panic(err)
	}
	fmt.Println(client.Close())
	// Output:
	// broker 1 is asked for Metadata
	// <nil>
}
