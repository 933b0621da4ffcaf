package fakekafka

import (
	"crypto/tls"
	"fmt"
	"maps"
	"time"

	"github.com/IBM/sarama"
)

// Options say what a cluster is to be. The zero value is one broker without
// topics.
type Options struct {
	// Brokers is how many there are, 1 by default. Their ids count from 1.
	Brokers int
	// Racks of the brokers, in the order of their ids; a broker without one is
	// in no rack.
	Racks []string
	// ReadFromRack has leaders name a replica in the client's rack, where they
	// are not in it themselves, as Kafka does with RackAwareReplicaSelector for
	// its replica.selector.class (KIP-392). PreferReplica goes before it.
	ReadFromRack bool
	// Topics that exist before the first connection is accepted.
	Topics []Topic
	// InMemory makes connections in this process's memory, which are had from
	// Cluster.Dialer; nothing is opened on the network. Under testing/synctest,
	// goroutines that wait on such a connection count as durably blocked.
	InMemory bool

	// Version is the Kafka release whose versions of each API are offered, 0.8.2
	// or later. The zero value offers all that this module has. Releases before
	// 4.0 take topics to create and delete on the controller alone, and message
	// sets. Those before 0.10 do not know ApiVersions: they close a connection
	// on which they are asked, so that clients need ApiVersionsRequest off.
	Version sarama.KafkaVersion
	// TransactionVersion is the finalized level of transaction.version (KIP-890):
	// by default 2 from Kafka 4.0 on and 0 before; a negative one is 0.
	TransactionVersion int

	// MaxVersions lowers the highest version offered of single APIs; a negative
	// one takes the API away.
	MaxVersions map[API]int16

	// AutoCreateTopics creates topics that metadata is asked for, where the
	// request allows it, with DefaultPartitions and DefaultReplicationFactor,
	// which both are 1 by default.
	AutoCreateTopics         bool
	DefaultPartitions        int
	DefaultReplicationFactor int

	// RetentionBytes is how much of each partition is kept, in bytes; 0 keeps
	// all. Whole segments are dropped, as by Kafka, so that up to a quarter
	// more is kept. A topic's retention.bytes goes before it.
	RetentionBytes int64
	// MessageMaxBytes is the largest record batch taken, 1048588 by default. A
	// topic's max.message.bytes goes before it.
	MessageMaxBytes int
	// RequestMaxBytes is the largest request taken, 100 MiB by default; a
	// connection that announces more is closed.
	RequestMaxBytes int
	// FetchSessions is how many fetch sessions (KIP-227) each broker keeps, 1000
	// by default; a negative number means none.
	FetchSessions int

	// Groups says how consumer groups are coordinated.
	Groups GroupOptions

	// Users with their passwords, for PLAIN, SCRAM-SHA-256 and SCRAM-SHA-512.
	// Where there are any, every connection has to authenticate.
	Users map[string]string
	// SessionLifetime is how long an authentication is good for, by default as
	// long as the connection: after it clients have to authenticate again
	// (KIP-368, connections.max.reauth.ms).
	SessionLifetime time.Duration
	// TLS, where it is set, is what connections are encrypted with.
	TLS *tls.Config

	// HistoryMax is how many of the last requests Cluster.History returns, 1000
	// by default.
	HistoryMax int
	// Logf, where it is set, is told why connections were closed. It is called
	// from many goroutines.
	Logf func(format string, args ...any)
}

// Topic describes a topic to create.
type Topic struct {
	Name string
	// Partitions and ReplicationFactor: 0 means the cluster's defaults.
	Partitions        int
	ReplicationFactor int
	// Assignment lists the brokers of each partition, the leader first, in
	// place of Partitions and ReplicationFactor.
	Assignment [][]int32
	// Config has the topic's settings by Kafka's names. Those with an effect
	// are max.message.bytes, message.timestamp.type, min.insync.replicas,
	// retention.bytes, and cleanup.policy, without "delete" in which records are
	// not deleted on request.
	Config map[string]string
}

const (
	defaultMessageMaxBytes = 1048588
	defaultRequestMaxBytes = 100 << 20
	defaultFetchSessions   = 1000
	defaultHistoryMax      = 1000

	// brokersMax and partitionsMax bound what one call creates; Kafka has the
	// same bound for the partitions of one CreateTopics request.
	brokersMax    = 1000
	partitionsMax = 10_000
)

// withDefaults returns o with everything filled in, sharing nothing that the
// caller may change, or what is wrong with it.
func (o Options) withDefaults() (Options, error) {
	set := func(p *int, to int) {
		if *p == 0 {
			*p = to
		}
	}
	set(&o.Brokers, 1)
	set(&o.DefaultPartitions, 1)
	set(&o.DefaultReplicationFactor, 1)
	set(&o.MessageMaxBytes, defaultMessageMaxBytes)
	set(&o.RequestMaxBytes, defaultRequestMaxBytes)
	set(&o.FetchSessions, defaultFetchSessions)
	set(&o.HistoryMax, defaultHistoryMax)
	if o.Version == (sarama.KafkaVersion{}) {
		o.Version = sarama.MaxVersion
	}
	if err := o.Groups.withDefaults(); err != nil {
		return o, err
	}
	o.MaxVersions, o.Users = maps.Clone(o.MaxVersions), maps.Clone(o.Users)
	switch {
	case o.Brokers < 0 || o.Brokers > brokersMax:
		return o, fmt.Errorf("fakekafka: Options.Brokers is %d, must be 1 to %d", o.Brokers, brokersMax)
	case len(o.Racks) > o.Brokers:
		return o, fmt.Errorf("fakekafka: Options.Racks has %d entries for %d brokers", len(o.Racks), o.Brokers)
	case !o.Version.IsAtLeast(sarama.V0_8_2_0):
		return o, fmt.Errorf("fakekafka: Options.Version is %v, must be 0.8.2.0 or later", o.Version)
	case o.DefaultPartitions < 0 || o.DefaultPartitions > partitionsMax:
		return o, fmt.Errorf("fakekafka: Options.DefaultPartitions is %d, must be 1 to %d", o.DefaultPartitions, partitionsMax)
	case o.DefaultReplicationFactor < 0 || o.DefaultReplicationFactor > o.Brokers:
		return o, fmt.Errorf("fakekafka: Options.DefaultReplicationFactor is %d, must be 1 to %d", o.DefaultReplicationFactor, o.Brokers)
	case o.RetentionBytes < 0:
		return o, fmt.Errorf("fakekafka: Options.RetentionBytes is %d, must not be negative", o.RetentionBytes)
	case o.MessageMaxBytes < 0:
		return o, fmt.Errorf("fakekafka: Options.MessageMaxBytes is %d, must not be negative", o.MessageMaxBytes)
	case o.RequestMaxBytes < 0 || o.RequestMaxBytes > 1<<31-1:
		return o, fmt.Errorf("fakekafka: Options.RequestMaxBytes is %d, must be a positive 32 bit number", o.RequestMaxBytes)
	case o.HistoryMax < 0:
		return o, fmt.Errorf("fakekafka: Options.HistoryMax is %d, must not be negative", o.HistoryMax)
	}
	return o, nil
}
