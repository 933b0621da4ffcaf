package fakekafka

import "github.com/IBM/sarama"

const largest = "9223372036854775807" // of 64 bits

// settingsOf are the settings of topics and of brokers that a release has, by
// their names.
func settingsOf(release sarama.KafkaVersion) (topics, brokers map[string]*setting) {
	topics, brokers = make(map[string]*setting), make(map[string]*setting)
	for i := range topicSettings {
		s := &topicSettings[i]
		if !s.has(release) {
			continue
		}
		topics[s.name] = s
		if s.broker != "" {
			of := *s
			of.name, of.broker = s.broker, ""
			brokers[of.name] = &of
		}
	}
	for i := range brokerSettings {
		brokers[brokerSettings[i].name] = &brokerSettings[i]
	}
	return topics, brokers
}

// topicSettings are those that a topic may have, with the defaults of Kafka.
var topicSettings = []setting{
	{name: "cleanup.policy", kind: sarama.ListConfigType, value: "delete", broker: "log.cleanup.policy", oneOf: []string{"compact", "delete"},
		doc: "What happens to old records: delete removes them, compact keeps the last one of each key."},
	{name: "compression.gzip.level", kind: sarama.IntConfigType, value: "-1", broker: "compression.gzip.level", least: "1", most: "9", or: "-1",
		since: sarama.V3_8_0_0, doc: "Level of the brokers' own compression with gzip."},
	{name: "compression.lz4.level", kind: sarama.IntConfigType, value: "9", broker: "compression.lz4.level", least: "1", most: "17",
		since: sarama.V3_8_0_0, doc: "Level of the brokers' own compression with lz4."},
	{name: "compression.type", kind: sarama.StringConfigType, value: "producer", broker: "compression.type",
		oneOf: []string{"uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"}, doc: "How records are compressed where they are stored."},
	{name: "compression.zstd.level", kind: sarama.IntConfigType, value: "3", broker: "compression.zstd.level", least: "-131072", most: "22",
		since: sarama.V3_8_0_0, doc: "Level of the brokers' own compression with zstd."},
	{name: "delete.retention.ms", kind: sarama.LongConfigType, value: "86400000", broker: "log.cleaner.delete.retention.ms", least: "0",
		doc: "For how long a compacted topic keeps tombstones."},
	{name: "file.delete.delay.ms", kind: sarama.LongConfigType, value: "60000", broker: "log.segment.delete.delay.ms", least: "0",
		doc: "Wait before the files of a segment are removed."},
	{name: "flush.messages", kind: sarama.LongConfigType, value: largest, broker: "log.flush.interval.messages", least: "1",
		doc: "After how many records they are written to the disk."},
	{name: "flush.ms", kind: sarama.LongConfigType, value: largest, least: "0", doc: "After how long records are written to the disk."},
	{name: "follower.replication.throttled.replicas", kind: sarama.ListConfigType, throttled: true, doc: "Followers whose replication is throttled."},
	{name: "index.interval.bytes", kind: sarama.IntConfigType, value: "4096", broker: "log.index.interval.bytes", least: "0",
		doc: "Distance of two entries of the index."},
	{name: "leader.replication.throttled.replicas", kind: sarama.ListConfigType, throttled: true, doc: "Leaders whose replication is throttled."},
	{name: "local.retention.bytes", kind: sarama.LongConfigType, value: "-2", broker: "log.local.retention.bytes", least: "-2",
		since: sarama.V3_6_0_0, doc: "How much stays on the brokers of what is in remote storage; -2: retention.bytes."},
	{name: "local.retention.ms", kind: sarama.LongConfigType, value: "-2", broker: "log.local.retention.ms", least: "-2",
		since: sarama.V3_6_0_0, doc: "How long stays on the brokers what is in remote storage; -2: retention.ms."},
	{name: "max.compaction.lag.ms", kind: sarama.LongConfigType, value: largest, broker: "log.cleaner.max.compaction.lag.ms", least: "1",
		doc: "After how long at the latest a record is compacted."},
	{name: "max.message.bytes", kind: sarama.IntConfigType, value: "1048588", broker: "message.max.bytes", least: "0",
		doc: "The largest record batch that is taken."},
	{name: "message.downconversion.enable", kind: sarama.BooleanConfigType, value: "true", broker: "log.message.downconversion.enable",
		until: sarama.V4_0_0_0, doc: "Whether batches are converted for old consumers."},
	{name: "message.format.version", kind: sarama.StringConfigType, value: "3.0-IV1", broker: "log.message.format.version",
		until: sarama.V4_0_0_0, doc: "The form in which records are stored."},
	{name: "message.timestamp.after.max.ms", kind: sarama.LongConfigType, value: largest, broker: "log.message.timestamp.after.max.ms",
		least: "0", since: sarama.V3_6_0_0, until: sarama.V4_0_0_0, doc: "How far in the future a record's time may be."},
	{name: "message.timestamp.after.max.ms", kind: sarama.LongConfigType, value: "3600000", broker: "log.message.timestamp.after.max.ms",
		least: "0", since: sarama.V4_0_0_0, doc: "How far in the future a record's time may be."},
	{name: "message.timestamp.before.max.ms", kind: sarama.LongConfigType, value: largest, broker: "log.message.timestamp.before.max.ms",
		least: "0", since: sarama.V3_6_0_0, doc: "How far in the past a record's time may be."},
	{name: "message.timestamp.difference.max.ms", kind: sarama.LongConfigType, value: largest, broker: "log.message.timestamp.difference.max.ms",
		least: "0", until: sarama.V4_0_0_0, doc: "How far from now a record's time may be."},
	{name: "message.timestamp.type", kind: sarama.StringConfigType, value: "CreateTime", broker: "log.message.timestamp.type",
		oneOf: []string{"CreateTime", "LogAppendTime"}, doc: "Whether records keep their time or get the leader's."},
	{name: "min.cleanable.dirty.ratio", kind: sarama.DoubleConfigType, value: "0.5", broker: "log.cleaner.min.cleanable.ratio", least: "0", most: "1",
		doc: "Share of a log that has to be new before it is compacted."},
	{name: "min.compaction.lag.ms", kind: sarama.LongConfigType, value: "0", broker: "log.cleaner.min.compaction.lag.ms", least: "0",
		doc: "After how long at the earliest a record is compacted."},
	{name: "min.insync.replicas", kind: sarama.IntConfigType, value: "1", broker: "min.insync.replicas", least: "1",
		doc: "How many replicas have to be in sync for a record that all are to have."},
	{name: "preallocate", kind: sarama.BooleanConfigType, value: "false", broker: "log.preallocate", doc: "Whether a segment's file is made in full size."},
	{name: "remote.log.copy.disable", kind: sarama.BooleanConfigType, value: "false", since: sarama.V3_9_0_0,
		doc: "Whether nothing more goes to remote storage."},
	{name: "remote.log.delete.on.disable", kind: sarama.BooleanConfigType, value: "false", since: sarama.V3_9_0_0,
		doc: "Whether what is in remote storage is deleted with the end of its use."},
	{name: "remote.storage.enable", kind: sarama.BooleanConfigType, value: "false", since: sarama.V3_6_0_0, doc: "Whether segments go to remote storage."},
	{name: "retention.bytes", kind: sarama.LongConfigType, value: "-1", broker: "log.retention.bytes", doc: "How much of a partition is kept; -1: all."},
	{name: "retention.ms", kind: sarama.LongConfigType, value: "604800000", broker: "log.retention.ms", least: "-1",
		doc: "For how long records are kept; -1: for ever."},
	{name: "segment.bytes", kind: sarama.IntConfigType, value: "1073741824", broker: "log.segment.bytes", least: "14", until: sarama.V4_0_0_0,
		doc: "Size of a segment."},
	{name: "segment.bytes", kind: sarama.IntConfigType, value: "1073741824", broker: "log.segment.bytes", least: "1048576", since: sarama.V4_0_0_0,
		doc: "Size of a segment."},
	{name: "segment.index.bytes", kind: sarama.IntConfigType, value: "10485760", broker: "log.index.size.max.bytes", least: "4",
		doc: "Size of a segment's index."},
	{name: "segment.jitter.ms", kind: sarama.LongConfigType, value: "0", least: "0", doc: "By how much at most segments begin sooner than after segment.ms."},
	{name: "segment.ms", kind: sarama.LongConfigType, value: "604800000", least: "1", doc: "After how long another segment begins."},
	{name: "unclean.leader.election.enable", kind: sarama.BooleanConfigType, value: "false", broker: "unclean.leader.election.enable",
		doc: "Whether a replica that is not in sync may become the leader."},
}

// brokerSettings are those that brokers show beside what topics take their
// defaults from: what Options say, and a few more of each kind.
var brokerSettings = []setting{
	{name: "advertised.listeners", kind: sarama.ListConfigType, fixed: true, doc: "Where clients find the broker."},
	{name: "auto.create.topics.enable", kind: sarama.BooleanConfigType, value: "true", fixed: true, doc: "Whether topics are created when they are asked for."},
	{name: "background.threads", kind: sarama.IntConfigType, value: "10", least: "1", doc: "Threads for what is done beside requests."},
	{name: "broker.id", kind: sarama.IntConfigType, value: "-1", fixed: true, doc: "The broker's id."},
	{name: "broker.rack", kind: sarama.StringConfigType, fixed: true, doc: "The rack that the broker is in."},
	{name: "default.replication.factor", kind: sarama.IntConfigType, value: "1", fixed: true, doc: "Replicas of topics that do not say how many."},
	{name: "delete.topic.enable", kind: sarama.BooleanConfigType, value: "true", fixed: true, doc: "Whether topics can be deleted."},
	{name: "group.initial.rebalance.delay.ms", kind: sarama.IntConfigType, value: "3000", fixed: true, doc: "How long an empty group waits for more members."},
	{name: "group.max.session.timeout.ms", kind: sarama.IntConfigType, value: "1800000", fixed: true, doc: "The longest session of a group's member."},
	{name: "group.max.size", kind: sarama.IntConfigType, value: "2147483647", fixed: true, doc: "The most members of a group."},
	{name: "group.min.session.timeout.ms", kind: sarama.IntConfigType, value: "6000", fixed: true, doc: "The shortest session of a group's member."},
	{name: "listeners", kind: sarama.ListConfigType, value: "PLAINTEXT://:9092", doc: "Where the broker listens."},
	{name: "log.cleaner.threads", kind: sarama.IntConfigType, value: "1", least: "0", doc: "Threads that compact logs."},
	{name: "log.dirs", kind: sarama.ListConfigType, fixed: true, doc: "Where logs are stored."},
	{name: "log.retention.hours", kind: sarama.IntConfigType, value: "168", fixed: true, doc: "For how long records are kept."},
	{name: "log.retention.ms", kind: sarama.LongConfigType, last: "log.retention.hours", doc: "For how long records are kept; -1: for ever."},
	{name: "max.connections", kind: sarama.IntConfigType, value: "2147483647", least: "0", doc: "The most connections of a broker."},
	{name: "node.id", kind: sarama.IntConfigType, fixed: true, doc: "The broker's id."},
	{name: "num.io.threads", kind: sarama.IntConfigType, value: "8", least: "1", doc: "Threads that handle requests."},
	{name: "num.network.threads", kind: sarama.IntConfigType, value: "3", least: "1", doc: "Threads that read requests and write answers."},
	{name: "num.partitions", kind: sarama.IntConfigType, value: "1", least: "1", fixed: true, doc: "Partitions of topics that do not say how many."},
	{name: "offset.metadata.max.bytes", kind: sarama.IntConfigType, value: "4096", fixed: true, doc: "The longest metadata of a stored offset."},
	{name: "process.roles", kind: sarama.ListConfigType, value: "broker,controller", fixed: true, doc: "What the server is."},
	{name: "socket.request.max.bytes", kind: sarama.IntConfigType, value: "104857600", least: "1", fixed: true, doc: "The largest request."},
	{name: "ssl.key.password", kind: sarama.PasswordConfigType, secret: true, doc: "Password of the private key."},
	{name: "ssl.keystore.password", kind: sarama.PasswordConfigType, secret: true, doc: "Password of the file with the private key."},
	{name: "transaction.max.timeout.ms", kind: sarama.IntConfigType, value: "900000", least: "1", fixed: true, doc: "The longest transaction."},
}
