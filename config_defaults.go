package sarama

import (
	"time"

	"github.com/rcrowley/go-metrics"
)

const (
	defaultMaxBufferedBytes int64 = 64 * 1024 * 1024
	minRetryBufferLength          = 4 * 1024
	minRetryBufferBytes     int64 = 32 * 1024 * 1024
)

// NewConfig returns a Config with the default of every field.
func NewConfig() *Config {
	c := &Config{}

	c.Admin.Retry.Max = 5
	c.Admin.Retry.Backoff = 100 * time.Millisecond
	c.Admin.Timeout = 3 * time.Second

	c.Net.MaxOpenRequests = 5
	c.Net.DialTimeout = 30 * time.Second
	c.Net.ReadTimeout = 30 * time.Second
	c.Net.WriteTimeout = 30 * time.Second
	c.Net.SASL.Handshake = true
	c.Net.SASL.Version = SASLHandshakeV1

	c.Metadata.Retry.Max = 3
	c.Metadata.Retry.Backoff = 250 * time.Millisecond
	c.Metadata.RefreshFrequency = 10 * time.Minute
	c.Metadata.Full = true
	c.Metadata.AllowAutoTopicCreation = true
	c.Metadata.SingleFlight = true
	c.Metadata.RebootstrapTrigger = 5 * time.Minute

	c.setProducerDefaults()
	c.setConsumerDefaults()

	c.ExponentialBackoff.Max = defaultBackoffMax

	c.ClientID = defaultClientID
	c.ChannelBufferSize = 256
	c.ApiVersionsRequest = true
	c.Version = DefaultVersion
	c.MetricRegistry = metrics.NewRegistry()
	return c
}

func (c *Config) setProducerDefaults() {
	c.Producer.MaxMessageBytes = 1024 * 1024
	c.Producer.RequiredAcks = WaitForLocal
	c.Producer.Timeout = 10 * time.Second
	c.Producer.CompressionLevel = CompressionLevelDefault
	c.Producer.Partitioner = NewHashPartitioner
	c.Producer.Transaction.Timeout = time.Minute
	c.Producer.Transaction.Retry.Max = 50
	c.Producer.Transaction.Retry.Backoff = 100 * time.Millisecond
	c.Producer.Return.Errors = true
	c.Producer.Retry.Max = 3
	c.Producer.Retry.Backoff = 100 * time.Millisecond
	c.Producer.MaxBufferedBytes = defaultMaxBufferedBytes
}

func (c *Config) setConsumerDefaults() {
	c.Consumer.Group.Protocol = ConsumerGroupProtocolClassic
	c.Consumer.Group.Session.Timeout = 10 * time.Second
	c.Consumer.Group.Heartbeat.Interval = 3 * time.Second
	c.Consumer.Group.Rebalance.GroupStrategies = []BalanceStrategy{NewBalanceStrategyRange()}
	c.Consumer.Group.Rebalance.Timeout = time.Minute
	c.Consumer.Group.Rebalance.Retry.Max = 4
	c.Consumer.Group.Rebalance.Retry.Backoff = 2 * time.Second
	c.Consumer.Group.ResetInvalidOffsets = true
	c.Consumer.Retry.Backoff = 2 * time.Second
	c.Consumer.Fetch.Min = 1
	c.Consumer.Fetch.Default = 1024 * 1024
	c.Consumer.Fetch.MaxBytes = 50 * 1024 * 1024
	c.Consumer.MaxWaitTime = 500 * time.Millisecond
	c.Consumer.MaxProcessingTime = 100 * time.Millisecond
	c.Consumer.Offsets.AutoCommit.Enable = true
	c.Consumer.Offsets.AutoCommit.Interval = time.Second
	c.Consumer.Offsets.Initial = OffsetNewest
	c.Consumer.Offsets.Retry.Max = 3
}

// producerBudgetBytes is how many bytes of messages a producer may hold.
// It never is less than two of the largest messages, so that one of them can
// be accepted while another is under way.
func (c *Config) producerBudgetBytes() int64 {
	budget := c.Producer.MaxBufferedBytes
	if budget == 0 {
		budget = defaultMaxBufferedBytes
	}
	return max(budget, 2*int64(c.Producer.MaxMessageBytes))
}

// retryBufferLimits are how many messages and bytes may wait to be sent again;
// 0 stands for no limit. Low limits are raised: they would drop messages in
// any retry at all.
func (c *Config) retryBufferLimits() (messages int, bytes int64) {
	messages, bytes = c.Producer.Retry.MaxBufferLength, c.Producer.Retry.MaxBufferBytes
	if messages > 0 {
		messages = max(messages, minRetryBufferLength)
	}
	if bytes > 0 {
		bytes = max(bytes, minRetryBufferBytes)
	}
	return max(messages, 0), max(bytes, 0)
}
