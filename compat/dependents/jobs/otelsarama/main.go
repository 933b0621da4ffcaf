// One message is produced and consumed with OpenTelemetry's wrappers; the span of
// the consumer is a child of the producer's.
package main

import (
	"context"
	"log"
	"os"
	"time"

	"github.com/IBM/sarama"
	"github.com/dnwe/otelsarama"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
)

func main() {
	log.SetFlags(0)
	brokers, topic := os.Args[1:2], "otelsarama-job"
	spans := tracetest.NewSpanRecorder()
	provider := trace.NewTracerProvider(trace.WithSpanProcessor(spans))
	options := []otelsarama.Option{otelsarama.WithTracerProvider(provider), otelsarama.WithPropagators(propagation.TraceContext{})}
	conf := sarama.NewConfig()
	conf.Version = sarama.V2_5_0_0
	conf.Producer.Return.Successes = true
	conf.Consumer.Offsets.Initial = sarama.OffsetOldest

	p, err := sarama.NewSyncProducer(brokers, conf)
	must(err)
	p = otelsarama.WrapSyncProducer(conf, p, options...)
	_, _, err = p.SendMessage(&sarama.ProducerMessage{Topic: topic, Value: sarama.StringEncoder("v")})
	must(err)
	must(p.Close())

	g, err := sarama.NewConsumerGroup(brokers, "otelsarama-job", conf)
	must(err)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	h := &handler{done: cancel}
	must(g.Consume(ctx, []string{topic}, otelsarama.WrapConsumerGroupHandler(h, options...)))
	must(g.Close())
	if h.got != "v" {
		log.Fatalf("got %q", h.got)
	}
	ended := spans.Ended()
	if len(ended) != 2 || ended[1].Parent().SpanID() != ended[0].SpanContext().SpanID() {
		log.Fatalf("%d spans, or not parent and child", len(ended))
	}
	log.Print("otelsarama: one message produced and consumed, two spans in one trace")
}

type handler struct {
	done func()
	got  string
}

func (*handler) Setup(sarama.ConsumerGroupSession) error   { return nil }
func (*handler) Cleanup(sarama.ConsumerGroupSession) error { return nil }
func (h *handler) ConsumeClaim(s sarama.ConsumerGroupSession, c sarama.ConsumerGroupClaim) error {
	for m := range c.Messages() {
		h.got = string(m.Value)
		s.MarkMessage(m, "")
		h.done()
	}
	return nil
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
