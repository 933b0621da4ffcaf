package mocks_test

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/IBM/sarama"
	"github.com/IBM/sarama/mocks"
)

// console stands for the *testing.T of a test.
type console struct{}

func (console) Errorf(format string, args ...any) { fmt.Printf("test fails: "+format+"\n", args...) }

// The test says what becomes of each message.
func ExampleSyncProducer() {
	producer := mocks.NewSyncProducer(console{}, nil)
	producer.ExpectSendMessageWithCheckerFunctionAndSucceed(func(value []byte) error {
		if string(value) != "paid" {
			return fmt.Errorf("unexpected value %q", value)
		}
		return nil
	})
	producer.ExpectSendMessageAndFail(sarama.ErrNotEnoughReplicas)
	producer.ExpectSendMessageAndSucceed()

	for range 2 {
		_, offset, err := producer.SendMessage(&sarama.ProducerMessage{Topic: "orders", Value: sarama.StringEncoder("paid")})
		fmt.Println(offset, errors.Is(err, sarama.ErrNotEnoughReplicas))
	}
	_ = producer.Close()
	// Output:
	// 1 false
	// -1 true
	// test fails: Expected to exhaust all expectations, but 1 are left.
}

func ExampleAsyncProducer() {
	config := mocks.NewTestConfig()
	config.Producer.Return.Successes = true
	producer := mocks.NewAsyncProducer(console{}, config)
	producer.ExpectInputAndSucceed().ExpectInputAndFail(sarama.ErrMessageSizeTooLarge)

	producer.Input() <- &sarama.ProducerMessage{Topic: "orders", Value: sarama.StringEncoder("small")}
	producer.Input() <- &sarama.ProducerMessage{Topic: "orders", Value: sarama.StringEncoder("large")}
	producer.AsyncClose()
	for message := range producer.Successes() {
		fmt.Println("written:", message.Value)
	}
	for failure := range producer.Errors() {
		fmt.Println("not written:", failure.Msg.Value)
	}
	// Output:
	// written: small
	// not written: large
}

// The number of partitions is what the program's partitioner chooses from.
func ExampleTopicConfig() {
	config := sarama.NewConfig()
	config.Producer.Partitioner = sarama.NewRoundRobinPartitioner
	producer := mocks.NewSyncProducer(console{}, config)
	producer.SetPartitions(map[string]int32{"orders": 2})
	for range 3 {
		producer.ExpectSendMessageAndSucceed()
		partition, _, _ := producer.SendMessage(&sarama.ProducerMessage{Topic: "orders"})
		fmt.Println(partition)
	}
	// Output:
	// 0
	// 1
	// 0
}

func ExampleConsumer() {
	consumer := mocks.NewConsumer(console{}, nil)
	consumer.SetTopicMetadata(map[string][]int32{"orders": {0, 1}})
	consumer.ExpectConsumePartition("orders", 0, sarama.OffsetOldest).
		YieldMessage(&sarama.ConsumerMessage{Value: []byte("first")}).
		YieldMessage(&sarama.ConsumerMessage{Value: []byte("second")}).
		ExpectMessagesDrainedOnClose()

	partition, err := consumer.ConsumePartition("orders", 0, sarama.OffsetOldest)
	if err != nil {
		fmt.Println(err)
		return
	}
	message := <-partition.Messages()
	fmt.Printf("%d: %s\n", message.Offset, message.Value)
	_ = consumer.Close()
	// Output:
	// 0: first
	// test fails: Expected the messages channel for orders/0 to be drained on close, but found 1 messages.
}

// printer is the handler of a program.
type printer struct{}

func (printer) Setup(sarama.ConsumerGroupSession) error { return nil }

func (printer) Cleanup(sarama.ConsumerGroupSession) error { return nil }

func (printer) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	for message := range claim.Messages() {
		fmt.Printf("%s/%d at %d: %s\n", message.Topic, message.Partition, message.Offset, message.Value)
		session.MarkMessage(message, "")
	}
	return nil
}

// The program calls Consume in a loop; the test waits for marks, and has the
// group rebalance.
func ExampleConsumerGroup() {
	ctx := context.Background()
	group := mocks.NewConsumerGroup(console{}, nil)
	group.SetClaims(map[string][]int32{"orders": {0}})
	group.YieldMessage("orders", 0, &sarama.ConsumerMessage{Value: []byte("first")})

	done := make(chan error)
	go func() {
		for {
			if err := group.Consume(ctx, []string{"orders"}, printer{}); err != nil {
				done <- err
				return
			}
		}
	}()
	_ = group.WaitMarked(ctx, "orders", 0, 1)
	group.Rebalance(map[string][]int32{"orders": {1}})
	group.YieldMessage("orders", 1, &sarama.ConsumerMessage{Value: []byte("second")})
	_ = group.WaitMarked(ctx, "orders", 1, 1)
	_ = group.Close()
	fmt.Println(<-done)
	fmt.Println(group.CommittedOffset("orders", 0), group.CommittedOffset("orders", 1))
	// Output:
	// orders/0 at 0: first
	// orders/1 at 0: second
	// kafka: tried to use a consumer group that was closed
	// 1 1
}

// A handler can be tested without a group.
func ExampleConsumerGroupSession() {
	session := mocks.NewConsumerGroupSession(context.Background(), map[string][]int32{"orders": {0}})
	claim := mocks.NewConsumerGroupClaim("orders", 0, 40)
	claim.YieldMessage(&sarama.ConsumerMessage{Value: []byte("first")})
	claim.YieldMessage(&sarama.ConsumerMessage{Value: []byte("second")})
	claim.Close() // so that ConsumeClaim returns

	fmt.Println(printer{}.ConsumeClaim(session, claim))
	fmt.Println(session.MarkedOffset("orders", 0), len(session.Calls()))
	session.End(nil)
	// Output:
	// orders/0 at 40: first
	// orders/0 at 41: second
	// <nil>
	// 42 2
}

func ExampleConsumerGroupClaim() {
	claim := mocks.NewConsumerGroupClaim("orders", 3, sarama.OffsetOldest)
	claim.YieldMessage(&sarama.ConsumerMessage{Value: []byte("only")})
	claim.Close()
	for message := range claim.Messages() {
		fmt.Printf("%s/%d at %d of %d\n", message.Topic, message.Partition, message.Offset, claim.HighWaterMarkOffset())
	}
	// Output:
	// orders/3 at 0 of 1
}

// A func for each method that the program may call.
func ExampleClusterAdmin() {
	admin := mocks.NewClusterAdmin(console{}, mocks.ClusterAdminFuncs{
		CreateTopic: func(topic string, detail *sarama.TopicDetail, validateOnly bool) error {
			if strings.HasPrefix(topic, "_") {
				return sarama.ErrInvalidTopic
			}
			return nil
		},
	})
	for _, topic := range []string{"orders", "_orders"} {
		fmt.Println(admin.CreateTopic(topic, &sarama.TopicDetail{NumPartitions: 3}, false) != nil)
	}
	_ = admin.DeleteTopic("orders")
	for _, args := range admin.CallsOf("CreateTopic") {
		fmt.Println(args[0], args[1].(*sarama.TopicDetail).NumPartitions)
	}
	// Output:
	// false
	// true
	// test fails: unexpected call of mock: ClusterAdmin.DeleteTopic with [orders]: ClusterAdminFuncs.DeleteTopic is nil
	// orders 3
	// _orders 3
}
