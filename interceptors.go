package sarama

// ProducerInterceptor sees, and may change, the messages of a producer
// (KIP-42), for example to add headers for tracing.
type ProducerInterceptor interface {
	// OnSend is called once for each message, on the goroutine that takes
	// messages from Input(), before the message is given a partition. While it
	// runs no other message is taken. A panic is logged, and the message goes
	// on as it is.
	OnSend(*ProducerMessage)
}

// ConsumerInterceptor sees, and may change, the messages of a consumer
// (KIP-42).
type ConsumerInterceptor interface {
	// OnConsume is called for each message before it is put on Messages(),
	// never twice at a time for one partition. A panic is logged, and the
	// message is delivered as it is.
	OnConsume(*ConsumerMessage)
}

// safelyOnSend runs the interceptor and turns a panic of it into a log line.
func (msg *ProducerMessage) safelyOnSend(interceptor ProducerInterceptor) {
	defer func() {
		if r := recover(); r != nil {
			Logger.Printf("producer/interceptor: %T panicked in OnSend, the message to %s goes on: %v\n", interceptor, msg.Topic, r)
		}
	}()
	interceptor.OnSend(msg)
}

// safelyOnConsume runs the interceptor and turns a panic of it into a log line.
func (msg *ConsumerMessage) safelyOnConsume(interceptor ConsumerInterceptor) {
	defer func() {
		if r := recover(); r != nil {
			Logger.Printf("consumer/interceptor: %T panicked in OnConsume, the message at %s/%d offset %d is delivered: %v\n",
				interceptor, msg.Topic, msg.Partition, msg.Offset, r)
		}
	}()
	interceptor.OnConsume(msg)
}
