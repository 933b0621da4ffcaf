// Command dropin is a program written for upstream Sarama: its go.mod and
// go.sum know nothing of this module.
package main

import (
	"fmt"
	"os"

	"github.com/IBM/sarama"
)

func main() {
	conf := sarama.NewConfig()
	conf.Producer.Return.Successes = true
	var _ sarama.SyncProducer
	if len(os.Args) < 2 {
		fmt.Println(conf.Version, sarama.ErrOutOfBrokers)
		return
	}
	producer, err := sarama.NewSyncProducer(os.Args[1:], conf)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer producer.Close()
	fmt.Println(producer.SendMessage(&sarama.ProducerMessage{Topic: "t", Value: sarama.StringEncoder("v")}))
}
