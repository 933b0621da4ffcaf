package fakekafka

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/IBM/sarama"
)

// setting is what is known of one of Kafka's settings.
type setting struct {
	name  string
	kind  sarama.ConfigType
	value string // by default
	doc   string

	least, most string   // bounds of numbers, "" for none
	or          string   // the one number beyond them that is good, too, "" for none
	oneOf       []string // what strings, or the elements of lists, may be
	throttled   bool     // it is a list of throttled replicas

	// of topics
	broker       string // the brokers' setting that is the default, "" where there is none
	since, until sarama.KafkaVersion

	// of brokers
	fixed  bool   // it is not to be changed while they run
	secret bool   // its value is not told
	last   string // the setting that tells where this one has no value, "" for none
}

// has says whether a release has the setting.
func (s *setting) has(release sarama.KafkaVersion) bool {
	return release.IsAtLeast(s.since) && (s.until == (sarama.KafkaVersion{}) || !release.IsAtLeast(s.until))
}

var kindNames = map[sarama.ConfigType]string{
	sarama.IntConfigType: "INT", sarama.LongConfigType: "LONG", sarama.DoubleConfigType: "DOUBLE", sarama.ShortConfigType: "SHORT",
}

// check says what Kafka says of a value that the setting cannot have.
func (s *setting) check(value string) error {
	value = strings.TrimSpace(value)
	wrong := func(shown, why string) error {
		return refuse(sarama.ErrInvalidConfig, "Invalid value %s for configuration %s: %s", shown, s.name, why)
	}
	switch s.kind {
	case sarama.IntConfigType, sarama.LongConfigType, sarama.ShortConfigType, sarama.DoubleConfigType:
		n, shown, ok := s.number(value)
		if !ok {
			return wrong(value, "Not a number of type "+kindNames[s.kind])
		}
		least, err := strconv.ParseFloat(s.least, 64)
		below := err == nil && n < least
		most, err := strconv.ParseFloat(s.most, 64)
		switch above := err == nil && n > most; {
		case s.or != "" && value != s.or && (below || above):
			return wrong(shown, fmt.Sprintf("Value must be between %s and %s or equal to %s", s.least, s.most, s.or))
		case s.or == "" && below:
			return wrong(shown, "Value must be at least "+s.least)
		case s.or == "" && above:
			return wrong(shown, "Value must be no more than "+s.most)
		}
	case sarama.BooleanConfigType:
		if v := strings.ToLower(value); v != "true" && v != "false" {
			return wrong(value, "Expected value to be either true or false")
		}
	case sarama.ListConfigType:
		list := elements(value)
		if s.throttled && value != "*" && slices.ContainsFunc(list, func(e string) bool { return !isThrottled(e) }) {
			return wrong("["+strings.Join(list, ", ")+"]", s.name+" must be the literal '*' or a list of replicas in the following format: "+
				"[partitionId]:[brokerId],[partitionId]:[brokerId],...")
		}
		for _, e := range list {
			if s.oneOf != nil && !slices.Contains(s.oneOf, e) {
				return wrong(e, "String must be one of: "+strings.Join(s.oneOf, ", "))
			}
		}
	default:
		if s.oneOf != nil && !slices.Contains(s.oneOf, value) {
			return wrong(value, "String must be one of: "+strings.Join(s.oneOf, ", "))
		}
	}
	return nil
}

// number reads one, and shows it as Kafka does.
func (s *setting) number(value string) (n float64, shown string, ok bool) {
	if s.kind == sarama.DoubleConfigType {
		n, err := strconv.ParseFloat(value, 64)
		if shown = strconv.FormatFloat(n, 'f', -1, 64); !strings.Contains(shown, ".") {
			shown += ".0"
		}
		return n, shown, err == nil
	}
	bits := map[sarama.ConfigType]int{sarama.ShortConfigType: 16, sarama.IntConfigType: 32}[s.kind]
	if bits == 0 {
		bits = 64
	}
	i, err := strconv.ParseInt(value, 10, bits)
	return float64(i), value, err == nil
}

// elements are those of a list.
func elements(value string) (list []string) {
	if value = strings.TrimSpace(value); value == "" {
		return nil
	}
	for e := range strings.SplitSeq(value, ",") {
		list = append(list, strings.TrimSpace(e))
	}
	return list
}

// isThrottled says whether an element has the form of a throttled replica.
func isThrottled(e string) bool {
	partition, broker, ok := strings.Cut(e, ":")
	for _, n := range []string{partition, broker} {
		if _, err := strconv.ParseUint(n, 10, 31); err != nil {
			return false
		}
	}
	return ok
}

// checkTopicConfig says what Kafka says of settings that a topic cannot have.
func (c *Cluster) checkTopicConfig(config map[string]string) error {
	for _, name := range slices.Sorted(maps.Keys(config)) {
		s := c.topicSettings[name]
		if s == nil {
			return refuse(sarama.ErrInvalidConfig, "Unknown topic config name: %s", name)
		}
		if err := s.check(config[name]); err != nil {
			return err
		}
	}
	return nil
}

// topicConfig is a topic's configuration; it never changes.
type topicConfig struct {
	given    map[string]string
	settings settings
}

// settings are those of a topic's configuration that have an effect.
type settings struct {
	messageMaxBytes   int
	minInSyncReplicas int
	logAppendTime     bool
	retentionBytes    int64 // 0: keep all
	compactOnly       bool  // records are not deleted
}

// configOf is a topic's configuration with what was given for it; it is good
// for the topic.
func (c *Cluster) configOf(given map[string]string) *topicConfig {
	value := func(name string) string {
		s := c.topicSettings[name]
		v, _ := s.valueFrom(c.topicSynonyms(s, given, 0))
		return v
	}
	number := func(name string) int64 {
		n, _ := strconv.ParseInt(strings.TrimSpace(value(name)), 10, 64) // it was checked
		return n
	}
	policies := elements(value("cleanup.policy"))
	return &topicConfig{given: given, settings: settings{
		messageMaxBytes:   int(number("max.message.bytes")),
		minInSyncReplicas: int(number("min.insync.replicas")),
		logAppendTime:     value("message.timestamp.type") == "LogAppendTime",
		retentionBytes:    max(0, number("retention.bytes")),
		compactOnly:       !slices.Contains(policies, "delete") && (len(policies) > 0 || !c.opts.Version.IsAtLeast(sarama.V4_0_0_0)),
	}}
}

// reconfigureLocked gives a topic another configuration.
func (c *Cluster) reconfigureLocked(t *topic, given map[string]string) {
	config := c.configOf(given)
	t.config.Store(config)
	for _, p := range t.partitions {
		p.setRetention(config.settings.retentionBytes)
	}
}

// setRetention changes how much of the partition is kept.
func (p *partition) setRetention(bytes int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mu.log.retentionBytes = bytes
	p.mu.log.retain()
}

// brokerConfigs are the settings that brokers were given while they run; they
// never change.
type brokerConfigs struct {
	all map[string]string           // of all brokers
	own map[int32]map[string]string // of single ones
}

// given are the settings of one broker, or, as 0, those of all.
func (b *brokerConfigs) given(id int32) map[string]string {
	if id == 0 {
		return b.all
	}
	return b.own[id]
}

// reconfigureBrokersLocked gives a broker, or, as 0, all of them other settings,
// and topics what follows from these.
func (c *Cluster) reconfigureBrokersLocked(id int32, given map[string]string) {
	old := c.brokerConfigs.Load()
	next := &brokerConfigs{all: old.all, own: maps.Clone(old.own)}
	if id == 0 {
		next.all = given
	} else {
		next.own[id] = given
	}
	c.brokerConfigs.Store(next)
	for _, t := range c.catalog.Load().byName {
		c.reconfigureLocked(t, t.config.Load().given)
	}
}

// brokerSynonyms lists where the value of a broker's setting could come from, in
// order of precedence. For broker 0 it is what all brokers have in common.
func (c *Cluster) brokerSynonyms(name string, id int32) (list []*sarama.ConfigSynonym) {
	add := func(value string, source sarama.ConfigSource) {
		list = append(list, &sarama.ConfigSynonym{ConfigName: name, ConfigValue: value, Source: source})
	}
	given := c.brokerConfigs.Load()
	if value, ok := given.own[id][name]; ok {
		add(value, sarama.SourceDynamicBroker)
	}
	if value, ok := given.all[name]; ok {
		add(value, sarama.SourceDynamicDefaultBroker)
	}
	if value, ok := c.static(name, id); ok {
		add(value, sarama.SourceStaticBroker)
	}
	s := c.brokerSettings[name]
	if s != nil && s.value != "" {
		add(s.value, sarama.SourceDefault)
	}
	if s != nil && s.last != "" {
		list = append(list, c.brokerSynonyms(s.last, id)...)
	}
	return list
}

// topicSynonyms is brokerSynonyms for a topic's setting, as a broker sees it.
func (c *Cluster) topicSynonyms(s *setting, given map[string]string, id int32) (list []*sarama.ConfigSynonym) {
	if value, ok := given[s.name]; ok {
		list = append(list, &sarama.ConfigSynonym{ConfigName: s.name, ConfigValue: value, Source: sarama.SourceTopic})
	}
	if s.broker != "" {
		list = append(list, c.brokerSynonyms(s.broker, id)...)
	}
	return list
}

// valueFrom is the value of a setting, and where it comes from. A synonym that
// is last in line is in another unit, and so has the default.
func (s *setting) valueFrom(synonyms []*sarama.ConfigSynonym) (string, sarama.ConfigSource) {
	if len(synonyms) > 0 && (synonyms[0].ConfigName == s.name || synonyms[0].ConfigName == s.broker) {
		return synonyms[0].ConfigValue, synonyms[0].Source
	}
	return s.value, sarama.SourceDefault
}

// static is what a broker was started with, as the options say it.
func (c *Cluster) static(name string, id int32) (value string, ok bool) {
	o := &c.opts
	unless := func(value, byDefault any) (string, bool) { return fmt.Sprint(value), value != byDefault }
	switch name {
	case "message.max.bytes":
		return unless(o.MessageMaxBytes, defaultMessageMaxBytes)
	case "log.retention.bytes":
		return unless(o.RetentionBytes, int64(0))
	case "num.partitions":
		return unless(o.DefaultPartitions, 1)
	case "default.replication.factor":
		return unless(o.DefaultReplicationFactor, 1)
	case "auto.create.topics.enable":
		return unless(o.AutoCreateTopics, true)
	case "socket.request.max.bytes":
		return unless(o.RequestMaxBytes, defaultRequestMaxBytes)
	case "group.min.session.timeout.ms":
		return unless(o.Groups.SessionTimeoutMin.Milliseconds(), int64(6000))
	case "group.max.session.timeout.ms":
		return unless(o.Groups.SessionTimeoutMax.Milliseconds(), defaultSessionTimeoutMax.Milliseconds())
	case "group.initial.rebalance.delay.ms":
		return unless(o.Groups.InitialRebalanceDelay.Milliseconds(), int64(3000))
	case "group.max.size":
		return unless(o.Groups.MaxSize, 0)
	case "offset.metadata.max.bytes":
		return unless(o.Groups.OffsetMetadataMaxBytes, defaultOffsetMetadataMaxBytes)
	}
	b := c.broker(id)
	if b == nil {
		return "", false
	}
	switch name {
	case "node.id", "broker.id":
		return fmt.Sprint(id), true
	case "broker.rack":
		if b.rack != nil {
			return *b.rack, true
		}
	case "listeners", "advertised.listeners":
		return "PLAINTEXT://" + b.addr, true
	case "log.dirs":
		return b.logDir(), true
	}
	return "", false
}

// logDir is the folder that a broker would have its logs in.
func (b *broker) logDir() string { return fmt.Sprintf("/fakekafka/broker-%d", b.id) }
