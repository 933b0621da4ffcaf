// Command broker is the embedded cluster as a process of its own, for the
// benchmarks. It prints its address and runs until it is told to end.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/IBM/sarama/fakekafka"
)

func main() {
	brokers := flag.Int("brokers", 1, "brokers")
	partitions := flag.Int("partitions", 6, "partitions of the topic")
	sessions := flag.Int("fetch-sessions", 0, "fetch sessions that each broker keeps; 0 the usual number, negative none")
	flag.Parse()
	cluster, err := fakekafka.Start(fakekafka.Options{
		Brokers: *brokers, Topics: []fakekafka.Topic{{Name: "bench", Partitions: *partitions}},
		FetchSessions: *sessions,
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, "broker:", err)
		os.Exit(1)
	}
	fmt.Println(strings.Join(cluster.Addrs(), ","))
	ends := make(chan os.Signal, 1)
	signal.Notify(ends, os.Interrupt, syscall.SIGTERM)
	<-ends
	_ = cluster.Close()
}
