package sarama

import (
	"crypto/tls"
	"net"
	"regexp"
	"time"

	"github.com/rcrowley/go-metrics"
	"golang.org/x/net/proxy"
)

const defaultClientID = "sarama"

// MAX_GROUP_INSTANCE_ID_LENGTH is the longest Consumer.Group.InstanceId that
// brokers take, in bytes.
const MAX_GROUP_INSTANCE_ID_LENGTH = 249

// GROUP_INSTANCE_ID_REGEXP matches what Consumer.Group.InstanceId may be made
// of.
var GROUP_INSTANCE_ID_REGEXP = regexp.MustCompile(`^[0-9a-zA-Z\._\-]+$`)

// Limits for all connections of the program. Set them before the first client
// is made: they are read without synchronisation.
var (
	// MaxRequestSize is the largest request sent, in bytes. Larger ones fail
	// with a PacketEncodingError.
	MaxRequestSize int32 = 100 * 1024 * 1024
	// MaxResponseSize is the largest response read, in bytes. A larger one
	// ends the connection with a PacketDecodingError.
	MaxResponseSize int32 = 100 * 1024 * 1024
	// MaxDecompressedBatchSize is how large a batch may become when it is
	// decompressed, in bytes; a larger one fails with
	// ErrDecompressedBatchTooLarge. 0 means no limit.
	MaxDecompressedBatchSize int32
)

// Offsets that stand for a place in a partition, as ListOffsets defines them.
const (
	// OffsetNewest is the offset that the next message will get.
	OffsetNewest int64 = -1
	// OffsetOldest is the offset of the oldest message there still is.
	OffsetOldest int64 = -2
)

// RequiredAcks says when a broker answers a Produce request. Values above 1
// are sent as they are, though brokers from 0.9 on refuse them.
type RequiredAcks int16

const (
	// NoResponse means no answer at all: messages count as delivered when they
	// are written to the connection, and get no offset.
	NoResponse RequiredAcks = 0
	// WaitForLocal waits until the leader has the messages.
	WaitForLocal RequiredAcks = 1
	// WaitForAll waits until all in-sync replicas have the messages. How many
	// there must be is min.insync.replicas of the topic.
	WaitForAll RequiredAcks = -1
)

// IsolationLevel says which messages of transactions a consumer sees (KIP-98).
type IsolationLevel int8

const (
	// ReadUncommitted delivers everything, aborted or still open.
	ReadUncommitted IsolationLevel = 0
	// ReadCommitted delivers the messages of committed transactions and those
	// outside of any, up to the first transaction still open.
	ReadCommitted IsolationLevel = 1
)

// Config holds the settings of a client and of all that is built on it. Start
// from NewConfig and change fields; nothing may change them any more once a
// client, producer, consumer or admin was made with it, and each of those
// validates it first.
type Config struct {
	// Admin is for a ClusterAdmin.
	Admin struct {
		Retry struct {
			// Max is how often a request is sent again after the controller or
			// coordinator moved. Default 5.
			Max int
			// Backoff is the wait before each. Default 100 ms.
			Backoff time.Duration
		}
		// Timeout is how long brokers may take to carry a request out. Default
		// 3 s.
		Timeout time.Duration
	}

	// Net is for the connections to brokers.
	Net struct {
		// MaxOpenRequests is how many requests may wait for their response on a
		// connection. Default 5. An idempotent producer takes 1 to 5: it keeps
		// the order of messages with all of them.
		MaxOpenRequests int

		// DialTimeout bounds connecting, each. Default 30 s.
		DialTimeout time.Duration
		// ReadTimeout bounds the wait for a response. Default 30 s.
		ReadTimeout time.Duration
		// WriteTimeout bounds the writing of a request. Default 30 s.
		WriteTimeout time.Duration

		// ResolveCanonicalBootstrapServers replaces each bootstrap address by
		// the canonical names of the hosts behind it (KIP-235), as Kerberos may
		// need it. NewClient and RefreshBrokers then fail where none of the
		// names can be resolved. Default false.
		ResolveCanonicalBootstrapServers bool

		TLS struct {
			// Enable turns TLS on. Default false.
			Enable bool
			// Config is used for all connections. Nil means TLS 1.2 at least
			// and the system's roots; an empty ServerName is set to the host of
			// each address.
			Config *tls.Config
		}

		// SASL is for authentication.
		SASL struct {
			// Enable turns authentication on. Default false.
			Enable bool
			// Mechanism defaults to PLAIN, which Validate writes here.
			Mechanism SASLMechanism
			// Version is SASLHandshakeV1 by default. SASLHandshakeV0 is for
			// brokers before 1.0. Where brokers limit how long an
			// authentication is good for, Config.Version has to be 2.2 or
			// later: only then do they say so, and is it renewed in time.
			Version int16
			// Handshake is false for the few servers that want the SASL tokens
			// without a Kafka handshake first. Default true.
			Handshake bool
			// AuthIdentity is the identity to act as, if it is not User
			// (PLAIN).
			AuthIdentity string
			// User is the name for PLAIN and SCRAM.
			User string
			// Password is the password for PLAIN and SCRAM.
			Password string
			// SCRAMAuthzID is the identity to act as, if it is not User
			// (SCRAM).
			SCRAMAuthzID string
			// SCRAMTokenAuth says that User and Password are the id and the
			// HMAC of a delegation token (KIP-48). Not with a
			// SCRAMClientGeneratorFunc. Default false.
			SCRAMTokenAuth bool
			// SCRAMClientGeneratorFunc makes a client for each SCRAM
			// authentication. Nil means the one built in.
			SCRAMClientGeneratorFunc func() SCRAMClient
			// TokenProvider gives the tokens for OAUTHBEARER; see also
			// ContextAccessTokenProvider.
			TokenProvider AccessTokenProvider

			// GSSAPI is for Kerberos.
			GSSAPI GSSAPIConfig
		}

		// KeepAlive is the interval of TCP keep-alive probes. 0, the default,
		// leaves it to Go; negative turns them off.
		KeepAlive time.Duration

		// LocalAddr is the address to connect from. Nil lets the system choose.
		LocalAddr net.Addr

		// Proxy connects through another dialer.
		Proxy struct {
			// Enable uses Dialer. Default false.
			Enable bool
			// Dialer is used in place of the client's own, so that KeepAlive,
			// LocalAddr and DialTimeout are up to it.
			Dialer proxy.Dialer
		}
	}

	// Metadata is for what the client knows of the cluster.
	Metadata struct {
		Retry struct {
			// Max is how often a failed request is sent again. Default 3.
			Max int
			// Backoff is the wait before each. Default 250 ms.
			Backoff time.Duration
			// BackoffFunc replaces Backoff, if set: it gets how many retries
			// there were and Max.
			BackoffFunc func(retries, maxRetries int) time.Duration
		}
		// RefreshFrequency is the interval of the refresh in the background,
		// which is also how new partitions come to be known. Default 10 min; 0
		// turns it off.
		RefreshFrequency time.Duration

		// Full keeps metadata of all topics of the cluster. If it is false, only
		// of those that were asked for. Default true.
		Full bool

		// Timeout bounds one refresh with all its retries. 0, the default,
		// means no bound.
		Timeout time.Duration

		// AllowAutoTopicCreation lets the broker create an unknown topic that
		// is asked for by name, if its auto.create.topics.enable says so.
		// Default true.
		AllowAutoTopicCreation bool

		// SingleFlight lets refreshes that are asked for at the same time share
		// one request. Default true.
		SingleFlight bool

		// RecoveryStrategy says whether brokers that are of no use any more are
		// forgotten (KIP-899). Default MetadataRecoveryRebootstrap.
		RecoveryStrategy MetadataRecovery
		// RebootstrapTrigger is for how long no metadata could be had until
		// they are forgotten (KIP-1102). Default 5 min; 0 turns it off.
		RebootstrapTrigger time.Duration
	}

	// Producer is for async and sync producers.
	Producer struct {
		// MaxMessageBytes is how large one message may be, and a batch, before
		// compression. It should not be above message.max.bytes of the broker.
		// Default 1 MiB.
		MaxMessageBytes int
		// RequiredAcks says when a message counts as delivered. Default
		// WaitForLocal.
		RequiredAcks RequiredAcks
		// Timeout is how long the broker may wait for replicas. It has
		// millisecond precision. Default 10 s.
		Timeout time.Duration
		// Compression is the codec for batches. Default none.
		Compression CompressionCodec
		// CompressionLevel is a level of the codec's own scale. Default
		// CompressionLevelDefault; snappy and lz4 have none.
		CompressionLevel int
		// Partitioner makes a partitioner for each topic. Default
		// NewHashPartitioner.
		Partitioner PartitionerConstructor
		// Idempotent lets brokers drop what they have already (KIP-98), so that
		// retries make no duplicates. It needs Version 0.11, WaitForAll, at
		// least one retry and Net.MaxOpenRequests of at most 5. Default false.
		Idempotent bool
		// Transaction is for messages and offsets that become visible together.
		Transaction struct {
			// ID names the producer over restarts and fences an older one with
			// the same name. It needs Idempotent. Empty, the default, means no
			// transactions.
			ID string
			// Timeout is when the broker aborts a transaction by itself.
			// Default 1 min.
			Timeout time.Duration

			Retry struct {
				// Max is how often a transaction request is sent again.
				// Default 50.
				Max int
				// Backoff is the wait before each. Default 100 ms.
				Backoff time.Duration
				// BackoffFunc replaces Backoff, if set: it gets how many
				// retries there were and Max.
				BackoffFunc func(retries, maxRetries int) time.Duration
			}
		}

		// Return says which results an AsyncProducer hands back. Channels that
		// are on must be read.
		Return struct {
			// Successes puts delivered messages on Successes(). Default false.
			Successes bool
			// Errors puts failed messages on Errors(). If it is off they are
			// logged. Default true.
			Errors bool
		}

		// Flush says when a batch is sent. With none of Bytes, Messages and
		// Frequency set it is sent as soon as the broker can take a request.
		Flush struct {
			// Bytes sends when that many bytes wait for a broker. 0: off.
			Bytes int
			// Messages sends when that many messages wait for a broker. 0: off.
			Messages int
			// Frequency sends when the first message of a batch is that old.
			// 0: off.
			Frequency time.Duration
			// MaxMessages is the most that goes into one request. 0: no limit.
			MaxMessages int
		}

		Retry struct {
			// Max is how often a message is sent again. Default 3.
			Max int
			// Backoff is the wait before each. Default 100 ms.
			Backoff time.Duration
			// BackoffFunc replaces Backoff, if set: it gets the number of the
			// retry, from 1, and Max.
			BackoffFunc func(retries, maxRetries int) time.Duration
			// MaxBufferLength is how many messages may wait to be sent again;
			// more fail with ErrProducerRetryBufferOverflow. 0, the default,
			// means no limit; the least is 4096.
			MaxBufferLength int
			// MaxBufferBytes is how many bytes of messages may wait to be sent
			// again; more fail with ErrProducerRetryBufferOverflow. 0, the
			// default, means no limit; the least is 32 MiB.
			MaxBufferBytes int64
		}

		// Interceptors are called for every message, in this order, before it
		// is given a partition.
		Interceptors []ProducerInterceptor

		// DeliveryTimeout is how long a message may take from its acceptance to
		// its result, all retries included: what is not sent by then fails with
		// ErrDeliveryTimeout. A message that is part of a request waits for that
		// request's end. Default 0: no limit but Retry.Max.
		DeliveryTimeout time.Duration

		// MaxBufferedBytes is how many bytes of messages a producer holds, each
		// from its acceptance until its result was received by the user. At the
		// limit no message is taken from Input() until there is room. Default
		// 64 MiB, which 0 stands for as well; the least is twice
		// MaxMessageBytes, to which a lower value is raised.
		MaxBufferedBytes int64
	}

	// Consumer is for consumers and consumer groups.
	Consumer struct {
		// Group is for consumer groups.
		Group struct {
			Session struct {
				// Timeout is after how long without a heartbeat the coordinator
				// takes a member for dead. The broker's
				// group.min.session.timeout.ms and group.max.session.timeout.ms
				// bound it. Default 10 s.
				Timeout time.Duration
			}
			Heartbeat struct {
				// Interval is how often a member tells that it is alive. It
				// should be a third of Session.Timeout. Default 3 s.
				Interval time.Duration
			}
			Rebalance struct {
				// Strategy is the only strategy of the group, if set.
				//
				// Deprecated: use GroupStrategies.
				Strategy BalanceStrategy

				// GroupStrategies are offered to the coordinator in this order;
				// it chooses one that all members have. Default range.
				GroupStrategies []BalanceStrategy

				// Timeout is how long members may take to join once a rebalance
				// began, and so how long ConsumeClaim may take to return.
				// Default 60 s.
				Timeout time.Duration

				Retry struct {
					// Max is how often joining is tried again. Default 4.
					Max int
					// Backoff is the wait before each. Default 2 s.
					Backoff time.Duration
				}
			}
			Member struct {
				// UserData is sent along when joining, for strategies that use
				// it.
				UserData []byte
			}

			// Protocol is how the group agrees on who consumes what. Default, and
			// what an empty one stands for: ConsumerGroupProtocolClassic. With
			// ConsumerGroupProtocolConsumer (KIP-848), which needs Version 4.0,
			// the coordinator makes the plan, the strategies are not used, and
			// brokers say how long sessions last and how often heartbeats come;
			// a session goes on over rebalances.
			Protocol ConsumerGroupProtocol

			// ServerAssignor is how a coordinator divides the partitions where
			// Protocol leaves that to it: "uniform" or "range", or what else its
			// brokers are set up with. Default "", the coordinator's choice.
			ServerAssignor string

			// HandlerTimeout is for how long a ConsumeClaim may read nothing while
			// there are messages for it. Then the session ends, with a
			// *HandlerError as its cause, and the member leaves the group, so
			// that others take its partitions over; Consume returns when the
			// handler does. It is looked at with each heartbeat. Default 0: a
			// handler may take as long as it likes.
			HandlerTimeout time.Duration

			// InstanceId makes the member a static one (KIP-345), which keeps
			// its partitions over a restart of less than Session.Timeout. It
			// needs Version 2.3.
			InstanceId string

			// ResetInvalidOffsets starts at Offsets.Initial where the committed
			// offset does not exist any more. If it is off, the claim fails.
			// Default true.
			ResetInvalidOffsets bool
		}

		Retry struct {
			// Backoff is the wait after a partition failed. Default 2 s.
			Backoff time.Duration
			// BackoffFunc replaces Backoff, if set: it gets the number of
			// failures in a row, from 1.
			BackoffFunc func(retries int) time.Duration
			// Max is how many failures in a row a partition consumer survives;
			// the next closes it with ErrConsumerRetriesExhausted. 0, the
			// default, means no limit.
			Max int
		}

		// Fetch is for the requests that get messages.
		Fetch struct {
			// Min is how many bytes a broker waits for, at most MaxWaitTime.
			// Default 1.
			Min int32
			// Default is how many bytes of a partition are asked for at once.
			// Default 1 MiB.
			Default int32
			// Max bounds what is asked for where a message is larger than
			// Default; a message that is larger still is skipped with
			// ErrMessageTooLarge. 0, the default, means no bound.
			Max int32
			// MaxBytes bounds the whole response (KIP-74). Default 50 MiB.
			MaxBytes int32
		}
		// MaxWaitTime is how long a broker waits for Fetch.Min bytes. It has
		// millisecond precision. Default 500 ms.
		MaxWaitTime time.Duration

		// MaxProcessingTime is how long the user may take for a message before
		// the partition counts as slow and others go on without it. Default
		// 100 ms.
		MaxProcessingTime time.Duration

		// Return says what a consumer hands back. Channels that are on must be
		// read.
		Return struct {
			// Errors puts errors on Errors(). If it is off they are logged.
			// Default false.
			Errors bool
		}

		// Offsets is for the committed offsets of a group.
		Offsets struct {
			// CommitInterval has no effect.
			//
			// Deprecated: use AutoCommit.
			CommitInterval time.Duration

			AutoCommit struct {
				// Enable commits marked offsets in the background. Default
				// true.
				Enable bool
				// Interval is how often. Default 1 s.
				Interval time.Duration
			}

			// Initial is where to start when no offset was committed:
			// OffsetNewest, the default, or OffsetOldest.
			Initial int64

			// Reset is where a partition goes on whose offset is not there
			// any more: because its messages were deleted, or records were
			// lost with a leader (KIP-320), or the topic is another one of the
			// same name. After a loss of records it goes back to where that
			// begins, whatever Reset is, and then gets what has taken their
			// place. It is also where ConsumePartition starts if its offset is
			// not there. Default OffsetResetNone: an error, which ends the
			// partition consumer.
			Reset OffsetReset
			// ResetAge is how old messages may be with OffsetResetByAge.
			ResetAge time.Duration

			// Retention is how long brokers keep a committed offset. It has
			// millisecond precision, and effect with Version 0.9 to 2.0 only. 0,
			// the default, leaves it to the broker.
			Retention time.Duration

			Retry struct {
				// Max is how often a commit is tried again at the end of a
				// session. Default 3.
				Max int
			}
		}

		// IsolationLevel says which messages of transactions are delivered.
		// Default ReadUncommitted.
		IsolationLevel IsolationLevel

		// Interceptors are called for every message, in this order, before it
		// is put on Messages().
		Interceptors []ConsumerInterceptor
	}

	// ExponentialBackoff lets the waits between retries grow (KIP-580).
	ExponentialBackoff struct {
		// Enable doubles the wait with each retry in a row, off by up to 20 % at
		// random, wherever there is a Retry.Backoff and no BackoffFunc. Default
		// false.
		Enable bool
		// Max is the longest wait; a Backoff above it stays as it is. Default
		// 1 s, which 0 stands for as well.
		Max time.Duration
	}

	// ClientID names the program in logs, quotas and metrics of the brokers.
	// Default "sarama"; set it to something better.
	ClientID string
	// ClientSoftwareName and ClientSoftwareVersion are what brokers are told of
	// the library that is built on this one (KIP-511): letters, digits, dots and
	// hyphens, the first and the last no dot or hyphen. By default, when the
	// name is empty, they are "sarama" and the version of this module; with a
	// name alone, that version.
	ClientSoftwareName    string
	ClientSoftwareVersion string
	// RackID is where the client runs. Brokers from 2.3 on may then name a
	// replica nearby to fetch from (KIP-392).
	RackID string
	// ChannelBufferSize is the capacity of the channels that carry messages and
	// errors. Default 256.
	ChannelBufferSize int
	// ApiVersionsRequest asks each broker at connecting what it understands,
	// and keeps the versions of requests to that (KIP-35). Default true.
	ApiVersionsRequest bool
	// Version is the release of Kafka whose features and requests are used. It
	// must not be newer than the oldest broker, unless ApiVersionsRequest is
	// on. Default DefaultVersion.
	Version KafkaVersion
	// MetricRegistry is where metrics are registered. NewConfig makes one for
	// each Config; nil means no metrics.
	MetricRegistry metrics.Registry
}
