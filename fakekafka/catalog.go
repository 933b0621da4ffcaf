package fakekafka

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/IBM/sarama"
)

// catalog is all topics of a cluster at one moment. It never changes; the
// partitions that it leads to have lives of their own.
type catalog struct {
	byName map[string]*topic
	byID   map[sarama.Uuid]*topic
}

// topic is one topic; it never changes. More partitions make another topic
// value, with the old partitions in it.
type topic struct {
	name       string
	id         sarama.Uuid
	partitions []*partition
	settings   settings
	config     map[string]string // as it was given
}

// settings are those of a topic's configuration that have an effect.
type settings struct {
	messageMaxBytes   int
	minInSyncReplicas int
	logAppendTime     bool
	retentionBytes    int64
}

func (c *catalog) topic(name string) *topic { return c.byName[name] }

// named finds a topic by its name, or by the text form of its id.
func (c *catalog) named(name string, byID bool) *topic {
	if !byID {
		return c.byName[name]
	}
	var id sarama.Uuid
	if len(name) != base64.RawURLEncoding.EncodedLen(len(id)) {
		return nil
	}
	if _, err := base64.RawURLEncoding.Decode(id[:], []byte(name)); err != nil {
		return nil
	}
	return c.byID[id]
}

func (t *topic) partition(id int32) *partition {
	if t == nil || id < 0 || int(id) >= len(t.partitions) {
		return nil
	}
	return t.partitions[id]
}

func (t *topic) internal() bool {
	return t.name == "__consumer_offsets" || t.name == "__transaction_state" || t.name == "__share_group_state"
}

// partition finds a partition by name, for the controls.
func (c *Cluster) partition(name string, id int32) (*partition, error) {
	t := c.catalog.Load().topic(name)
	if t == nil {
		return nil, fmt.Errorf("fakekafka: topic %q: %w", name, sarama.ErrUnknownTopicOrPartition)
	}
	if p := t.partition(id); p != nil {
		return p, nil
	}
	return nil, fmt.Errorf("fakekafka: topic %q has %d partitions, not one numbered %d: %w",
		name, len(t.partitions), id, sarama.ErrUnknownTopicOrPartition)
}

// newUUID makes a random id, as Kafka's are: never one that it prints with a
// dash in front.
func newUUID() (id sarama.Uuid) {
	for id == (sarama.Uuid{}) || strings.HasPrefix(id.String(), "-") {
		_, _ = rand.Read(id[:]) // never fails
		id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80
	}
	return id
}

// refusal is why something about a topic cannot be done, as Kafka says it.
type refusal struct {
	code sarama.KError
	why  string
}

func (r *refusal) Error() string { return r.why }
func (r *refusal) Unwrap() error { return r.code }

func refuse(code sarama.KError, format string, args ...any) error {
	return &refusal{code, fmt.Sprintf(format, args...)}
}

// codeOf is the error code of a refusal, and its text.
func codeOf(err error) (sarama.KError, *string) {
	if err == nil {
		return sarama.ErrNoError, nil
	}
	why := err.Error()
	if code := sarama.KError(0); errors.As(err, &code) {
		return code, &why
	}
	return sarama.ErrUnknown, &why
}

// checkTopicName says what Kafka says of a name that no topic can have.
func checkTopicName(name string) error {
	switch {
	case name == "":
		return refuse(sarama.ErrInvalidTopic, "the empty string is not allowed")
	case name == "." || name == "..":
		return refuse(sarama.ErrInvalidTopic, "'.' or '..' is not allowed")
	case len(name) > 249:
		return refuse(sarama.ErrInvalidTopic, "the length of %q is longer than the max allowed length 249", name)
	}
	for _, r := range name {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '.', r == '_', r == '-':
		default:
			return refuse(sarama.ErrInvalidTopic, "%q contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'", name)
		}
	}
	return nil
}

// topicConfigs are the names that a topic's configuration may have.
const topicConfigs = " cleanup.policy compression.gzip.level compression.lz4.level compression.type compression.zstd.level " +
	"delete.retention.ms file.delete.delay.ms flush.messages flush.ms follower.replication.throttled.replicas " +
	"index.interval.bytes leader.replication.throttled.replicas local.retention.bytes local.retention.ms " +
	"max.compaction.lag.ms max.message.bytes message.downconversion.enable message.format.version " +
	"message.timestamp.after.max.ms message.timestamp.before.max.ms message.timestamp.difference.max.ms " +
	"message.timestamp.type min.cleanable.dirty.ratio min.compaction.lag.ms min.insync.replicas preallocate " +
	"remote.copy.disable remote.log.copy.disable remote.log.delete.on.disable remote.storage.enable " +
	"retention.bytes retention.ms segment.bytes segment.index.bytes segment.jitter.ms segment.ms " +
	"unclean.leader.election.enable "

// settingsOf reads a topic's configuration.
func (c *Cluster) settingsOf(config map[string]string) (settings, error) {
	s := settings{messageMaxBytes: c.opts.MessageMaxBytes, minInSyncReplicas: 1, retentionBytes: c.opts.RetentionBytes}
	for _, name := range slices.Sorted(maps.Keys(config)) {
		value := config[name]
		number := func(least int64) (int64, error) {
			n, err := strconv.ParseInt(value, 10, 64)
			if err != nil || n < least || name != "retention.bytes" && n > 1<<31-1 {
				return 0, refuse(sarama.ErrInvalidConfig, "invalid value %q for configuration %s", value, name)
			}
			return n, nil
		}
		var n int64
		var err error
		switch name {
		case "max.message.bytes":
			n, err = number(0)
			s.messageMaxBytes = int(n)
		case "min.insync.replicas":
			n, err = number(1)
			s.minInSyncReplicas = int(n)
		case "retention.bytes":
			n, err = number(-1)
			s.retentionBytes = max(0, n)
		case "message.timestamp.type":
			if value != "CreateTime" && value != "LogAppendTime" {
				err = refuse(sarama.ErrInvalidConfig, "invalid value %q for configuration %s", value, name)
			}
			s.logAppendTime = value == "LogAppendTime"
		default:
			if !strings.Contains(topicConfigs, " "+name+" ") || name == "" {
				err = refuse(sarama.ErrInvalidConfig, "unknown topic config name: %s", name)
			}
		}
		if err != nil {
			return s, err
		}
	}
	return s, nil
}

// assign spreads n partitions from number first on over the brokers that are
// up, replicas each.
func (c *Cluster) assign(first, n, replicas int) ([][]int32, error) {
	var up []int32
	for _, b := range c.brokers {
		if b.isUp() {
			up = append(up, b.id)
		}
	}
	if replicas < 1 || replicas > len(up) {
		return nil, refuse(sarama.ErrInvalidReplicationFactor, "replication factor: %d, available brokers: %d", replicas, len(up))
	}
	assignment := make([][]int32, n)
	for i := range assignment {
		for r := range replicas {
			assignment[i] = append(assignment[i], up[(first+i+r)%len(up)])
		}
	}
	return assignment, nil
}

// checkAssignment checks one that was given by hand.
func (c *Cluster) checkAssignment(assignment [][]int32) error {
	for i, replicas := range assignment {
		switch {
		case len(replicas) == 0:
			return refuse(sarama.ErrInvalidReplicaAssignment, "partition %d has no replicas", i)
		case len(replicas) != len(assignment[0]):
			return refuse(sarama.ErrInvalidReplicaAssignment, "partitions have different replication factors")
		case len(slices.Compact(slices.Sorted(slices.Values(replicas)))) != len(replicas):
			return refuse(sarama.ErrInvalidReplicaAssignment, "partition %d has a broker twice: %v", i, replicas)
		}
		for _, id := range replicas {
			if c.broker(id) == nil {
				return refuse(sarama.ErrInvalidReplicaAssignment, "partition %d has the unknown broker %d", i, id)
			}
		}
	}
	return nil
}

// newTopic makes a topic of at most so many partitions that is not yet part of
// the cluster.
func (c *Cluster) newTopic(spec Topic, most int) (*topic, error) {
	if err := checkTopicName(spec.Name); err != nil {
		return nil, err
	}
	if c.catalog.Load().topic(spec.Name) != nil {
		return nil, refuse(sarama.ErrTopicAlreadyExists, "topic '%s' already exists", spec.Name)
	}
	n, replicas := spec.Partitions, spec.ReplicationFactor
	if n == 0 {
		n = c.opts.DefaultPartitions
	}
	if replicas == 0 {
		replicas = c.opts.DefaultReplicationFactor
	}
	assignment := spec.Assignment
	var err error
	switch {
	case assignment != nil:
		err = c.checkAssignment(assignment)
		n = len(assignment)
	case n < 0:
		err = refuse(sarama.ErrInvalidPartitions, "number of partitions must be larger than 0")
	case n <= most:
		assignment, err = c.assign(0, n, replicas)
	}
	if err == nil && n > most {
		err = refuse(sarama.ErrPolicyViolation, "excessively large number of partitions per request, at most %d are created at once", partitionsMax)
	}
	if err == nil && n == 0 {
		err = refuse(sarama.ErrInvalidPartitions, "number of partitions must be larger than 0")
	}
	if err != nil {
		return nil, err
	}
	t := &topic{name: strings.Clone(spec.Name), id: newUUID(), config: maps.Clone(spec.Config)}
	if t.settings, err = c.settingsOf(spec.Config); err != nil {
		return nil, err
	}
	t.partitions = t.with(assignment, c)
	return t, nil
}

// with returns the topic's partitions and further ones.
func (t *topic) with(assignment [][]int32, c *Cluster) []*partition {
	partitions := slices.Clone(t.partitions)
	for _, replicas := range assignment {
		p := &partition{topic: t, id: int32(len(partitions))}
		p.mu.leader, p.mu.replicas = -1, slices.Clone(replicas)
		p.mu.log.retentionBytes = t.settings.retentionBytes
		for _, id := range replicas {
			if c.broker(id).isUp() {
				p.mu.isr = append(p.mu.isr, id)
			}
		}
		if len(p.mu.isr) > 0 {
			p.mu.leader = p.mu.isr[0]
		} else {
			p.mu.isr = p.mu.replicas[:1]
		}
		partitions = append(partitions, p)
	}
	return partitions
}

// replaceLocked puts a topic into the catalog, or takes old out where t is nil.
func (c *Cluster) replaceLocked(old, t *topic) {
	now := c.catalog.Load()
	next := &catalog{byName: maps.Clone(now.byName), byID: maps.Clone(now.byID)}
	if old != nil {
		delete(next.byName, old.name)
		delete(next.byID, old.id)
	}
	if t != nil {
		next.byName[t.name], next.byID[t.id] = t, t
	}
	c.catalog.Store(next)
}

// createTopic makes a topic of at most so many partitions, or only checks
// whether it could be.
func (c *Cluster) createTopic(spec Topic, most int, validateOnly bool) (*topic, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t, err := c.newTopic(spec, most)
	if err == nil && !validateOnly {
		c.replaceLocked(nil, t)
	}
	return t, err
}

func (c *Cluster) deleteTopic(t *topic) {
	c.mu.Lock()
	current := c.catalog.Load().byID[t.id]
	if current != nil {
		c.replaceLocked(current, nil)
	}
	c.mu.Unlock()
	if current == nil {
		return
	}
	for _, p := range current.partitions {
		p.remove()
	}
	c.forgetOffsets(current.name)
}
