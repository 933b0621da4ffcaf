package fakekafka

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/IBM/sarama"
)

// describeConfigs tells settings of topics, of brokers and of their loggers.
func (c *conn) describeConfigs(r *Request) (any, error) {
	req := r.Body.(*sarama.DescribeConfigsRequest)
	resp := &sarama.DescribeConfigsResponse{Resources: []*sarama.ResourceResponse{}}
	for _, asked := range req.Resources {
		result := &sarama.ResourceResponse{Type: asked.Type, Name: asked.Name, Configs: []*sarama.ConfigEntry{}}
		resp.Resources = append(resp.Resources, result)
		entries, err := c.configEntries(r, asked)
		if err != nil {
			code, why := codeAndReason(err)
			result.ErrorCode, result.ErrorMsg = int16(code), deref(why)
			if code == sarama.ErrUnknownTopicOrPartition {
				result.ErrorMsg = "" // so does Kafka
			}
			continue
		}
		for _, e := range entries {
			if len(asked.ConfigNames) > 0 && !slices.Contains(asked.ConfigNames, e.Name) {
				continue
			}
			if !req.IncludeSynonyms {
				e.Synonyms = nil
			}
			if !req.IncludeDocumentation {
				e.Documentation = nil
			}
			result.Configs = append(result.Configs, e)
		}
	}
	return resp, nil
}

// configEntries are all settings of a thing, in the order of their names.
func (c *conn) configEntries(r *Request, of *sarama.ConfigResource) (list []*sarama.ConfigEntry, err error) {
	if err := r.errorFor(of.Name, -1); err != sarama.ErrNoError {
		return nil, err
	}
	switch of.Type {
	case sarama.TopicResource:
		t, err := c.configuredTopic(of.Name)
		if err != nil {
			return nil, err
		}
		given := t.config.Load().given
		for _, name := range slices.Sorted(maps.Keys(c.cluster.topicSettings)) {
			s := c.cluster.topicSettings[name]
			list = append(list, s.entry(c.cluster.topicSynonyms(s, given, c.broker.id)))
		}
		return list, nil
	case sarama.BrokerResource:
		id, err := c.configuredBroker(of.Name, "%d or empty string")
		if err != nil {
			return nil, err
		}
		return c.brokerEntries(id), nil
	case sarama.BrokerLoggerResource:
		if _, err := c.loggersOf(of.Name); err != nil {
			return nil, err
		}
		for _, name := range loggers {
			list = append(list, &sarama.ConfigEntry{Name: name, Value: c.broker.logLevel(name), Source: sarama.SourceDynamicBrokerLogger})
		}
		return list, nil
	}
	return nil, refuse(sarama.ErrInvalidRequest, "Unsupported resource type: %d", of.Type)
}

// entry describes a setting.
func (s *setting) entry(synonyms []*sarama.ConfigSynonym) *sarama.ConfigEntry {
	e := &sarama.ConfigEntry{Name: s.name, Type: s.kind, ReadOnly: s.fixed, Sensitive: s.secret, Synonyms: synonyms}
	if s.doc != "" {
		e.Documentation = &s.doc
	}
	e.Value, e.Source = s.valueFrom(synonyms)
	if e.Default = e.Source == sarama.SourceDefault; s.secret {
		e.Value = ""
		for _, other := range synonyms {
			other.ConfigValue = ""
		}
	}
	return e
}

// brokerEntries are the settings of a broker, or, as 0, those that all were
// given. What nobody knows is taken for a secret.
func (c *conn) brokerEntries(id int32) (list []*sarama.ConfigEntry) {
	known := c.cluster.brokerSettings
	given := c.cluster.brokerConfigs.Load()
	names := make(map[string]bool)
	for name := range given.all {
		names[name] = true
	}
	if id != 0 {
		for name := range known {
			names[name] = true
		}
		for name := range given.own[id] {
			names[name] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		s := known[name]
		if s == nil {
			s = &setting{name: name, fixed: true, secret: true}
		}
		synonyms := c.cluster.brokerSynonyms(name, id)
		if id == 0 {
			synonyms = synonyms[:1]
		}
		list = append(list, s.entry(synonyms))
	}
	return list
}

// configuredTopic finds the topic that a configuration is of.
func (c *conn) configuredTopic(name string) (*topic, error) {
	if t := c.cluster.catalog.Load().topic(name); t != nil {
		return t, nil
	}
	if err := checkTopicName(name); err != nil {
		return nil, err
	}
	return nil, refuse(sarama.ErrUnknownTopicOrPartition, "The topic '%s' does not exist.", name)
}

// configuredBroker says whose configuration is meant: this broker's, or, as 0,
// that of all.
func (c *conn) configuredBroker(name, expected string) (int32, error) {
	if name == "" {
		return 0, nil
	}
	id, err := strconv.ParseInt(name, 10, 32)
	switch {
	case err != nil:
		return 0, refuse(sarama.ErrInvalidRequest, "Node id must be an integer, but it is: %s", name)
	case int32(id) != c.broker.id:
		return 0, refuse(sarama.ErrInvalidRequest, "Unexpected broker id, expected "+expected+", but received %s", c.broker.id, name)
	}
	return int32(id), nil
}

// alterConfigs replaces the settings of topics and brokers.
func (c *conn) alterConfigs(r *Request) (any, error) {
	req := r.Body.(*sarama.AlterConfigsRequest)
	resp := &sarama.AlterConfigsResponse{Resources: []*sarama.AlterConfigsResourceResponse{}}
	for _, of := range req.Resources {
		err := c.alterConfig(r, of.Type, of.Name, req.ValidateOnly, func(map[string]string, map[string]*setting) (map[string]string, error) {
			next := make(map[string]string, len(of.ConfigEntries))
			if null := nulls(of.ConfigEntries, func(value *string) bool { return value == nil }); null != nil {
				return nil, null
			}
			for name, value := range of.ConfigEntries {
				next[name] = *value
			}
			return next, nil
		})
		resp.Resources = append(resp.Resources, alteredConfig(of.Type, of.Name, err))
	}
	return resp, nil
}

// incrementalAlterConfigs changes single settings (KIP-339).
func (c *conn) incrementalAlterConfigs(r *Request) (any, error) {
	req := r.Body.(*sarama.IncrementalAlterConfigsRequest)
	resp := &sarama.IncrementalAlterConfigsResponse{Resources: []*sarama.AlterConfigsResourceResponse{}}
	for _, of := range req.Resources {
		var err error
		if of.Type == sarama.BrokerLoggerResource {
			err = c.alterLoggers(r, of, req.ValidateOnly)
		} else {
			err = c.alterConfig(r, of.Type, of.Name, req.ValidateOnly, func(old map[string]string, known map[string]*setting) (map[string]string, error) {
				return c.changed(of, old, known)
			})
		}
		resp.Resources = append(resp.Resources, alteredConfig(of.Type, of.Name, err))
	}
	return resp, nil
}

func alteredConfig(kind sarama.ConfigResourceType, name string, err error) *sarama.AlterConfigsResourceResponse {
	code, why := codeAndReason(err)
	return &sarama.AlterConfigsResourceResponse{ErrorCode: int16(code), ErrorMsg: deref(why), Type: kind, Name: name}
}

// nulls refuses settings without a value.
func nulls[V any](entries map[string]V, null func(V) bool) error {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(entries)) {
		if null(entries[name]) {
			names = append(names, name)
		}
	}
	if names == nil {
		return nil
	}
	return refuse(sarama.ErrInvalidRequest, "Null value not supported for : %s", strings.Join(names, ", "))
}

// changed applies operations to the settings of a thing.
func (c *conn) changed(of *sarama.IncrementalAlterConfigsResource, old map[string]string, known map[string]*setting) (map[string]string, error) {
	err := nulls(of.ConfigEntries, func(e sarama.IncrementalAlterConfigsEntry) bool {
		return e.Value == nil && e.Operation != sarama.IncrementalAlterConfigsOperationDelete
	})
	if err != nil {
		return nil, err
	}
	next := maps.Clone(old)
	if next == nil {
		next = make(map[string]string)
	}
	for _, name := range slices.Sorted(maps.Keys(of.ConfigEntries)) {
		e := of.ConfigEntries[name]
		switch e.Operation {
		case sarama.IncrementalAlterConfigsOperationSet:
			next[name] = *e.Value
		case sarama.IncrementalAlterConfigsOperationDelete:
			delete(next, name)
		case sarama.IncrementalAlterConfigsOperationAppend, sarama.IncrementalAlterConfigsOperationSubtract:
			s := known[name]
			if s == nil || s.kind != sarama.ListConfigType {
				return nil, refuse(sarama.ErrInvalidConfig, "Can't %s to key %s because its type is not LIST.", operationNames[e.Operation], name)
			}
			value, ok := next[name]
			if !ok {
				value = s.value
			}
			next[name] = edited(value, *e.Value, e.Operation == sarama.IncrementalAlterConfigsOperationAppend)
		default:
			return nil, sarama.ErrUnknown
		}
	}
	return next, nil
}

var operationNames = [...]string{"SET", "DELETE", "APPEND", "SUBTRACT"}

// edited is a list with further elements, or without some.
func edited(list, change string, add bool) string {
	now := elements(list)
	for _, e := range elements(change) {
		switch has := slices.Contains(now, e); {
		case add && !has:
			now = append(now, e)
		case !add:
			now = slices.DeleteFunc(now, func(o string) bool { return o == e })
		}
	}
	return strings.Join(now, ",")
}

// alterConfig gives a topic, a broker or all brokers other settings, or only
// checks whether it could.
func (c *conn) alterConfig(r *Request, kind sarama.ConfigResourceType, name string, validateOnly bool,
	change func(old map[string]string, known map[string]*setting) (map[string]string, error),
) error {
	if err := r.errorFor(name, -1); err != sarama.ErrNoError {
		return err
	}
	c.cluster.mu.Lock()
	defer c.cluster.mu.Unlock()
	switch kind {
	case sarama.TopicResource:
		t, err := c.configuredTopic(name)
		if err != nil {
			return err
		}
		next, err := change(t.config.Load().given, c.cluster.topicSettings)
		if err == nil {
			err = c.cluster.checkTopicConfig(next)
		}
		if err == nil && !validateOnly {
			c.cluster.reconfigureLocked(t, next)
		}
		return err
	case sarama.BrokerResource:
		id, err := c.configuredBroker(name, "%d")
		if err != nil {
			return err
		}
		old := c.cluster.brokerConfigs.Load().given(id)
		next, err := change(old, c.cluster.brokerSettings)
		if err == nil {
			err = c.cluster.checkBrokerConfig(old, next)
		}
		if err == nil && !validateOnly {
			c.cluster.reconfigureBrokersLocked(id, next)
		}
		return err
	}
	return refuse(sarama.ErrInvalidRequest, "Unknown resource type %d", kind)
}

// checkBrokerConfig says what Kafka says of settings that a broker cannot have
// instead of those it has. Names that nobody knows may belong to a plug-in.
func (c *Cluster) checkBrokerConfig(old, config map[string]string) error {
	var fixed []string
	for _, name := range slices.Sorted(maps.Keys(config)) {
		s := c.brokerSettings[name]
		if s == nil {
			continue
		}
		if s.fixed && old[name] != config[name] {
			fixed = append(fixed, name)
		}
		if err := s.check(config[name]); err != nil {
			return refuse(sarama.ErrInvalidRequest, "%v", err)
		}
	}
	switch {
	case fixed == nil:
		return nil
	case c.opts.Version.IsAtLeast(sarama.V4_0_0_0):
		return refuse(sarama.ErrInvalidRequest, "Cannot update these configs dynamically: [%s]", strings.Join(fixed, ", "))
	}
	return refuse(sarama.ErrInvalidRequest, "Cannot update these configs dynamically: Set(%s)", strings.Join(fixed, ", "))
}

// The loggers of a broker, root first, and the levels that they may have.
var (
	loggers   = []string{rootLogger, "kafka", "kafka.request.logger", "kafka.server.KafkaApis", "org.apache.kafka"}
	logLevels = []string{"DEBUG", "ERROR", "FATAL", "INFO", "TRACE", "WARN"}
)

const (
	rootLogger   = "root"
	rootLogLevel = "INFO"
)

// logLevel is that of a logger: its own, or that of the root.
func (b *broker) logLevel(name string) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, n := range []string{name, rootLogger} {
		if level, ok := b.mu.logLevels[n]; ok {
			return level
		}
	}
	return rootLogLevel
}

// loggersOf finds the broker whose loggers are meant: this one.
func (c *conn) loggersOf(name string) (*broker, error) {
	if name == "" {
		return nil, refuse(sarama.ErrInvalidRequest, "Broker id must not be empty")
	}
	_, err := c.configuredBroker(name, "%d")
	return c.broker, err
}

// alterLoggers sets the levels of a broker's loggers (KIP-412).
func (c *conn) alterLoggers(r *Request, of *sarama.IncrementalAlterConfigsResource, validateOnly bool) error {
	if r.reply.Err != sarama.ErrNoError {
		return r.reply.Err
	}
	b, err := c.loggersOf(of.Name)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(of.ConfigEntries)) {
		e := of.ConfigEntries[name]
		switch op := e.Operation; {
		case op < 0 || int(op) >= len(operationNames):
			return sarama.ErrUnknown
		case op != sarama.IncrementalAlterConfigsOperationSet && op != sarama.IncrementalAlterConfigsOperationDelete:
			return refuse(sarama.ErrInvalidRequest, "%s operation is not allowed for the BROKER_LOGGER resource", operationNames[op])
		case !slices.Contains(loggers, name):
			return refuse(sarama.ErrInvalidConfig, "Logger %s does not exist!", name)
		case op == sarama.IncrementalAlterConfigsOperationDelete && name == rootLogger:
			return refuse(sarama.ErrInvalidRequest, "Removing the log level of the %s logger is not allowed", rootLogger)
		case op == sarama.IncrementalAlterConfigsOperationSet && (e.Value == nil || !slices.Contains(logLevels, *e.Value)):
			return refuse(sarama.ErrInvalidConfig, "Cannot set the log level of %s to %s as it is not a supported log level. Valid log levels are %s",
				name, deref(e.Value), strings.Join(logLevels, ", "))
		}
	}
	if !validateOnly {
		b.setLogLevels(of.ConfigEntries)
	}
	return nil
}

func (b *broker) setLogLevels(entries map[string]sarama.IncrementalAlterConfigsEntry) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.mu.logLevels == nil {
		b.mu.logLevels = make(map[string]string)
	}
	for name, e := range entries {
		if e.Operation == sarama.IncrementalAlterConfigsOperationDelete {
			delete(b.mu.logLevels, name)
		} else {
			b.mu.logLevels[name] = *e.Value
		}
	}
}
