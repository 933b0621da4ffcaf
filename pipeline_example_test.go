package sarama_test

import (
	"bytes"
	"context"
	"errors"
	"log"

	"github.com/IBM/sarama"
)

// A Pipeline upper-cases what is in the topic "in".
func ExampleNewPipeline() {
	conf := sarama.NewConfig()
	conf.Consumer.Offsets.Initial = sarama.OffsetOldest
	p, err := sarama.NewPipeline([]string{"localhost:9092"}, "upper-case", conf, sarama.PipelineOptions{
		OnError: func(err error) { log.Println("goes on after:", err) },
	})
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()
	err = p.Run(context.Background(), []string{"in"}, sarama.TransformEach(
		func(_ context.Context, msg *sarama.ConsumerMessage) ([]*sarama.ProducerMessage, error) {
			return []*sarama.ProducerMessage{{
				Topic: "out", Key: sarama.ByteEncoder(msg.Key), Value: sarama.ByteEncoder(bytes.ToUpper(msg.Value)),
			}}, nil
		}))
	if errors.Is(err, sarama.ErrProducerFenced) {
		log.Fatal("another process has taken over: ", err)
	}
}
