// One event is sent with CloudEvents' Kafka protocol and received with it.
package main

import (
	"context"
	"log"
	"os"
	"time"

	"github.com/IBM/sarama"
	"github.com/cloudevents/sdk-go/protocol/kafka_sarama/v2"
	cloudevents "github.com/cloudevents/sdk-go/v2"
)

func main() {
	log.SetFlags(0)
	brokers, topic := os.Args[1:2], "cloudevents-job"
	conf := sarama.NewConfig()
	conf.Version = sarama.V2_0_0_0
	conf.Consumer.Offsets.Initial = sarama.OffsetOldest
	sender, err := kafka_sarama.NewSender(brokers, conf, topic)
	must(err)
	out, err := cloudevents.NewClient(sender, cloudevents.WithTimeNow(), cloudevents.WithUUIDs())
	must(err)
	event := cloudevents.NewEvent()
	event.SetID("1")
	event.SetType("job")
	event.SetSource("dependents")
	must(event.SetData(cloudevents.ApplicationJSON, map[string]string{"hello": "world"}))
	if result := out.Send(kafka_sarama.WithMessageKey(context.Background(), sarama.StringEncoder("key")), event); cloudevents.IsUndelivered(result) {
		log.Fatal(result)
	}
	must(sender.Close(context.Background()))

	receiver, err := kafka_sarama.NewConsumer(brokers, conf, "cloudevents-job", topic)
	must(err)
	in, err := cloudevents.NewClient(receiver)
	must(err)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var got string
	err = in.StartReceiver(ctx, func(_ context.Context, e cloudevents.Event) {
		got = e.Type() + " " + string(e.Data())
		cancel()
	})
	if err != nil && ctx.Err() == nil {
		log.Fatal(err)
	}
	must(receiver.Close(context.Background()))
	if want := `job {"hello":"world"}`; got != want {
		log.Fatalf("got %q, want %q", got, want)
	}
	log.Print("cloudevents: one event sent and received")
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
