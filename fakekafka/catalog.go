package fakekafka

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/IBM/sarama"
)

// catalog is all topics of a cluster at one moment. It never changes; the
// partitions that it leads to have lives of their own.
type catalog struct {
	byName map[string]*topic
	byID   map[sarama.Uuid]*topic
}

// topic is one topic; it never changes, but for its configuration. More
// partitions make another topic value, with the old partitions in it and the
// same configuration.
type topic struct {
	name       string
	id         sarama.Uuid
	partitions []*partition
	config     *atomic.Pointer[topicConfig] // replaced with Cluster.mu held
}

// settings are those of the topic now.
func (t *topic) settings() *settings { return &t.config.Load().settings }

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
		return refuse(sarama.ErrInvalidTopic, "Topic name is invalid: the empty string is not allowed")
	case name == "." || name == "..":
		return refuse(sarama.ErrInvalidTopic, "Topic name is invalid: '%s' is not allowed", name)
	case len(name) > 249:
		return refuse(sarama.ErrInvalidTopic, "Topic name is invalid: the length of '%s' is longer than the max allowed length 249", name)
	}
	for _, r := range name {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '.', r == '_', r == '-':
		default:
			return refuse(sarama.ErrInvalidTopic, "Topic name is invalid: '%s' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'", name)
		}
	}
	return nil
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
		return nil, refuse(sarama.ErrInvalidReplicationFactor, "Unable to replicate the partition %d time(s): The target replication factor of %d cannot be reached "+
			"because only %d broker(s) are registered.", replicas, replicas, len(up))
	}
	assignment := make([][]int32, n)
	for i := range assignment {
		for r := range replicas {
			assignment[i] = append(assignment[i], up[(first+i+r)%len(up)])
		}
	}
	return assignment, nil
}

// checkAssignment checks one that was given by hand: each partition has to have
// so many replicas, or, where that is 0, as many as the first.
func (c *Cluster) checkAssignment(assignment [][]int32, each int) error {
	wrong := func(format string, args ...any) error {
		return refuse(sarama.ErrInvalidReplicaAssignment, "The manual partition assignment includes "+format, args...)
	}
	for _, replicas := range assignment {
		if len(replicas) == 0 {
			return wrong("an empty replica list.")
		}
		last := int32(-1)
		for i, id := range slices.Sorted(slices.Values(replicas)) {
			switch {
			case c.broker(id) == nil:
				return wrong("broker %d, but no such broker is registered.", id)
			case i > 0 && id == last:
				return wrong("the broker %d more than once.", id)
			}
			last = id
		}
		if each == 0 {
			each = len(replicas)
		}
		if len(replicas) != each {
			return wrong("a partition with %d replica(s), but this is not consistent with previous partitions, which have %d replica(s).",
				len(replicas), each)
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
		return nil, refuse(sarama.ErrTopicAlreadyExists, "Topic '%s' already exists.", spec.Name)
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
		err = c.checkAssignment(assignment, 0)
		n = len(assignment)
	case n < 0:
		err = refuse(sarama.ErrInvalidPartitions, "Number of partitions was set to an invalid non-positive value.")
	case n <= most:
		assignment, err = c.assign(0, n, replicas)
	}
	if err == nil && n > most {
		err = refuse(sarama.ErrPolicyViolation, "excessively large number of partitions per request, at most %d are created at once", partitionsMax)
	}
	if err == nil && n == 0 {
		err = refuse(sarama.ErrInvalidPartitions, "Number of partitions was set to an invalid non-positive value.")
	}
	if err != nil {
		return nil, err
	}
	if err := c.checkTopicConfig(spec.Config); err != nil {
		return nil, err
	}
	t := &topic{name: strings.Clone(spec.Name), id: newUUID(), config: new(atomic.Pointer[topicConfig])}
	t.config.Store(c.configOf(maps.Clone(spec.Config)))
	t.partitions = t.with(assignment, c)
	return t, nil
}

// with returns the topic's partitions and further ones.
func (t *topic) with(assignment [][]int32, c *Cluster) []*partition {
	partitions := slices.Clone(t.partitions)
	for _, replicas := range assignment {
		p := &partition{topic: t, id: int32(len(partitions))}
		p.mu.leader, p.mu.replicas = -1, slices.Clone(replicas)
		p.mu.log.retentionBytes = t.settings().retentionBytes
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
