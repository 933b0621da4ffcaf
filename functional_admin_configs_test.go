package sarama_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/IBM/sarama"
)

// setting is one that a cluster has of a thing, with all that is told of it.
func setting(a everyAdmin, kind sarama.ConfigResourceType, name, key string) (e sarama.ConfigEntry, ok bool, err error) {
	results, err := a.DescribeConfigs([]*sarama.ConfigResource{{Type: kind, Name: name, ConfigNames: []string{key}}},
		sarama.DescribeConfigsOptions{IncludeSynonyms: true, IncludeDocumentation: true})
	if err != nil {
		return e, false, err
	}
	if len(results) != 1 || results[0].ErrorCode != sarama.ErrNoError || results[0].Type != kind || results[0].Name != name || len(results[0].Configs) > 1 {
		return e, false, fmt.Errorf("%+v", results)
	}
	if len(results[0].Configs) == 0 {
		return e, false, nil
	}
	return results[0].Configs[0], true, nil
}

// wantSetting waits until a cluster has a value of a setting, from one source.
func wantSetting(t *testing.T, a everyAdmin, kind sarama.ConfigResourceType, name, key, want string, source sarama.ConfigSource) (e sarama.ConfigEntry) {
	t.Helper()
	eventually(t, key, func() (err error) {
		var ok bool
		e, ok, err = setting(a, kind, name, key)
		if err != nil || !ok || e.Name != key || e.Value != want || e.Source != source || e.Default != (source == sarama.SourceDefault) {
			return fmt.Errorf("%v, %+v, %w, want %s from %v", ok, e, err, want, source)
		}
		return nil
	})
	return e
}

func change(op sarama.IncrementalAlterConfigsOperation, key, value string) map[string]sarama.IncrementalAlterConfigsEntry {
	e := sarama.IncrementalAlterConfigsEntry{Operation: op}
	if op != sarama.IncrementalAlterConfigsOperationDelete {
		e.Value = &value
	}
	return map[string]sarama.IncrementalAlterConfigsEntry{key: e}
}

const (
	opSet      = sarama.IncrementalAlterConfigsOperationSet
	opDelete   = sarama.IncrementalAlterConfigsOperationDelete
	opAppend   = sarama.IncrementalAlterConfigsOperationAppend
	opSubtract = sarama.IncrementalAlterConfigsOperationSubtract
)

func adminTopicSettings(t *testing.T, s *site, a everyAdmin) {
	const kind = sarama.TopicResource
	topic := createAssigned(t, a, s.spread(t, a, 1, 1), nil)
	e := wantSetting(t, a, kind, topic, "cleanup.policy", "delete", sarama.SourceDefault)
	if e.Type != sarama.ListConfigType || e.ReadOnly || e.Sensitive || e.Documentation == nil || *e.Documentation == "" ||
		!slices.ContainsFunc(e.Synonyms, func(o *sarama.ConfigSynonym) bool {
			return *o == sarama.ConfigSynonym{ConfigName: "log.cleanup.policy", ConfigValue: "delete", Source: sarama.SourceDefault}
		}) {
		t.Errorf("%+v", e)
	}
	for _, c := range []struct {
		name     string
		op       sarama.IncrementalAlterConfigsOperation
		value    string
		validate bool
		want     string
		source   sarama.ConfigSource
	}{
		{"append, only to validate", opAppend, "compact", true, "delete", sarama.SourceDefault},
		{"append", opAppend, "compact", false, "delete,compact", sarama.SourceTopic},
		{"append again", opAppend, "compact", false, "delete,compact", sarama.SourceTopic},
		{"subtract, only to validate", opSubtract, "delete", true, "delete,compact", sarama.SourceTopic},
		{"subtract", opSubtract, "delete", false, "compact", sarama.SourceTopic},
		{"set", opSet, "delete", false, "delete", sarama.SourceTopic},
		{"delete", opDelete, "", false, "delete", sarama.SourceDefault},
	} {
		mustTxn(t, c.name, a.IncrementalAlterConfig(kind, topic, change(c.op, "cleanup.policy", c.value), c.validate))
		wantSetting(t, a, kind, topic, "cleanup.policy", c.want, c.source)
	}

	mustTxn(t, "set", a.IncrementalAlterConfig(kind, topic, change(opSet, "retention.ms", "3600000"), false))
	wantSetting(t, a, kind, topic, "retention.ms", "3600000", sarama.SourceTopic)
	other := map[string]*string{"max.message.bytes": new("54321")}
	mustTxn(t, "AlterConfig, only to validate", a.AlterConfig(kind, topic, other, true))
	wantSetting(t, a, kind, topic, "retention.ms", "3600000", sarama.SourceTopic)
	mustTxn(t, "AlterConfig", a.AlterConfig(kind, topic, other, false))
	e = wantSetting(t, a, kind, topic, "max.message.bytes", "54321", sarama.SourceTopic)
	if len(e.Synonyms) != 2 || e.Synonyms[0].ConfigValue != "54321" || e.Synonyms[1].ConfigName != "message.max.bytes" || e.Type != sarama.IntConfigType {
		t.Errorf("%+v", e)
	}
	eventually(t, "AlterConfig has the rest as by default", func() error { // brokers hear of it one after another
		e, _, err := setting(a, kind, topic, "retention.ms")
		if err == nil && e.Source == sarama.SourceTopic {
			err = fmt.Errorf("it has left %+v", e)
		}
		return err
	})
	entries, err := a.DescribeConfig(sarama.ConfigResource{Type: kind, Name: topic})
	if err != nil || len(entries) < 30 {
		t.Fatalf("%d settings, %v", len(entries), err)
	}
	i := slices.IndexFunc(entries, func(e sarama.ConfigEntry) bool { return e.Name == "max.message.bytes" })
	if i < 0 || entries[i].Value != "54321" || len(entries[i].Synonyms) != 0 {
		t.Errorf("%+v", entries)
	}
}

// adminSettingsAct checks that a change of a setting has an effect at once.
func adminSettingsAct(t *testing.T, s *site, a everyAdmin) {
	topic := s.topic(t, 1, nil)
	conf := s.config()
	p, err := sarama.NewSyncProducer(s.addrs, conf)
	mustTxn(t, "NewSyncProducer", err)
	defer returnsWithin(t, "Close", func() { _ = p.Close() })
	large := strings.Repeat("x", 3000)
	send := func(value string) error {
		_, _, err := p.SendMessage(&sarama.ProducerMessage{Topic: topic, Value: sarama.StringEncoder(value)})
		return err
	}
	mustTxn(t, "a large message", send(large))
	mustTxn(t, "set", a.IncrementalAlterConfig(sarama.TopicResource, topic, change(opSet, "max.message.bytes", "1000"), false))
	eventually(t, "the bound of messages", func() error {
		if err := send(large); !errors.Is(err, sarama.ErrMessageSizeTooLarge) {
			return fmt.Errorf("a large message: %w", err)
		}
		return nil
	})
	mustTxn(t, "a small message", send("small"))
	mustTxn(t, "delete", a.IncrementalAlterConfig(sarama.TopicResource, topic, change(opDelete, "max.message.bytes", ""), false))
	eventually(t, "no bound", func() error { return send(large) })

	mustTxn(t, "set", a.IncrementalAlterConfig(sarama.TopicResource, topic, change(opSet, "message.timestamp.type", "LogAppendTime"), false))
	old := time.Now().Add(-24 * time.Hour)
	eventually(t, "the time of a record", func() error {
		_, offset, err := p.SendMessage(&sarama.ProducerMessage{Topic: topic, Value: sarama.StringEncoder("old"), Timestamp: old})
		if err != nil {
			return err
		}
		if m := s.consume(t, conf, topic, 0, offset, 1)[0]; time.Since(m.Timestamp) > time.Hour {
			return fmt.Errorf("it is of %v", m.Timestamp)
		}
		return nil
	})
}

func adminSettingRefusals(t *testing.T, s *site, a everyAdmin) {
	const kind = sarama.TopicResource
	topic := createAssigned(t, a, s.spread(t, a, 1, 1), nil)
	incremental := func(op sarama.IncrementalAlterConfigsOperation, key, value string) error {
		return a.IncrementalAlterConfig(kind, topic, change(op, key, value), false)
	}
	alter := func(key, value string) error {
		return a.AlterConfig(kind, topic, map[string]*string{key: &value}, false)
	}
	describe := func(kind sarama.ConfigResourceType, name string) error {
		_, err := a.DescribeConfig(sarama.ConfigResource{Type: kind, Name: name})
		return err
	}
	null := map[string]sarama.IncrementalAlterConfigsEntry{"retention.ms": {Operation: opSet}}
	var altered *sarama.AlterConfigError
	var described *sarama.DescribeConfigError
	invalid := []error{sarama.ErrInvalidConfig}
	wantRefused(t,
		refused{"an unknown setting", incremental(opSet, "colour", "red"), invalid, nil, "Unknown topic config name: colour"},
		refused{"a word for a number", incremental(opSet, "retention.ms", "x"), invalid, nil, "Not a number of type LONG"},
		refused{"too small a number", incremental(opSet, "retention.ms", "-2"), invalid, nil, "Value must be at least -1"},
		refused{"too large a number", incremental(opSet, "min.cleanable.dirty.ratio", "2"), invalid, nil, "Invalid value 2.0"},
		refused{"no boolean", incremental(opSet, "preallocate", "x"), invalid, nil, "either true or false"},
		refused{"none of the values", incremental(opSet, "compression.type", "x"), invalid, nil, "String must be one of"},
		refused{"no element of the list", incremental(opAppend, "cleanup.policy", "x"), invalid, nil, "compact, delete"},
		refused{"an element for a number", incremental(opAppend, "retention.ms", "1"), invalid, nil, "APPEND"},
		refused{"no value", a.IncrementalAlterConfig(kind, topic, null, false), []error{sarama.ErrInvalidRequest}, nil, "retention.ms"},
		refused{"an unknown topic", a.IncrementalAlterConfig(kind, "no-such-topic", change(opSet, "retention.ms", "5"), false), []error{sarama.ErrUnknownTopicOrPartition}, nil, "no-such-topic"},
		refused{"AlterConfig, an unknown setting", alter("colour", "red"), invalid, &altered, "Unknown topic config name: colour"},
		refused{"AlterConfig, a word for a number", alter("segment.ms", "x"), invalid, &altered, "Not a number"},
		refused{"AlterConfig, an unknown topic", a.AlterConfig(kind, "no-such-topic", nil, false), []error{sarama.ErrUnknownTopicOrPartition}, &altered, ""},
		refused{"DescribeConfig, an unknown topic", describe(kind, "no-such-topic"), []error{sarama.ErrUnknownTopicOrPartition}, &described, ""},
		refused{"DescribeConfig, a bad name", describe(kind, "no good name"), []error{sarama.ErrInvalidTopic}, &described, ""},
		refused{"DescribeConfig, an unknown broker", describe(sarama.BrokerResource, "99"), []error{sarama.ErrBrokerNotFound}, nil, "99"},
		refused{"DescribeConfig, no broker's id", describe(sarama.BrokerResource, "x"), nil, nil, "x"},
	)
	wantSetting(t, a, kind, topic, "segment.ms", "604800000", sarama.SourceDefault)
	wantSetting(t, a, kind, topic, "cleanup.policy", "delete", sarama.SourceDefault)
	_, id, err := a.DescribeCluster()
	mustTxn(t, "DescribeCluster", err)
	results, err := a.DescribeConfigs([]*sarama.ConfigResource{
		{Type: kind, Name: "no-such-topic"}, {Type: sarama.BrokerResource, Name: fmt.Sprint(id)}, {Type: kind, Name: topic},
	}, sarama.DescribeConfigsOptions{})
	if err != nil || len(results) != 3 || results[0].ErrorCode != sarama.ErrUnknownTopicOrPartition || len(results[0].Configs) != 0 ||
		results[1].Type != sarama.BrokerResource || len(results[1].Configs) == 0 || results[2].Name != topic || len(results[2].Configs) == 0 {
		t.Errorf("%+v, %v", results, err)
	}
}

func adminBrokerSettings(t *testing.T, s *site, a everyAdmin) {
	const kind, key = sarama.BrokerResource, "background.threads"
	brokers, _, err := a.DescribeCluster()
	mustTxn(t, "DescribeCluster", err)
	id := fmt.Sprint(brokers[0].ID())
	wantSetting(t, a, kind, id, key, "10", sarama.SourceDefault)
	e := wantSetting(t, a, kind, id, "node.id", id, sarama.SourceStaticBroker)
	if !e.ReadOnly || e.Type != sarama.IntConfigType {
		t.Errorf("%+v", e)
	}
	if secret, ok, err := setting(a, kind, id, "ssl.key.password"); err != nil || !ok || !secret.Sensitive || secret.Value != "" {
		t.Errorf("%+v, %v", secret, err)
	}
	reset := func() {
		mustTxn(t, "deleting", a.IncrementalAlterConfig(kind, id, change(opDelete, key, ""), false))
		mustTxn(t, "deleting the default", a.IncrementalAlterConfig(kind, "", change(opDelete, key, ""), false))
		wantSetting(t, a, kind, id, key, "10", sarama.SourceDefault)
	}
	t.Cleanup(reset)
	mustTxn(t, "all brokers", a.IncrementalAlterConfig(kind, "", change(opSet, key, "8"), false))
	wantSetting(t, a, kind, id, key, "8", sarama.SourceDynamicDefaultBroker)
	wantSetting(t, a, kind, "", key, "8", sarama.SourceDynamicDefaultBroker)
	mustTxn(t, "one broker, only to validate", a.IncrementalAlterConfig(kind, id, change(opSet, key, "9"), true))
	mustTxn(t, "one broker", a.IncrementalAlterConfig(kind, id, change(opSet, key, "7"), false))
	e = wantSetting(t, a, kind, id, key, "7", sarama.SourceDynamicBroker)
	if len(e.Synonyms) != 3 || e.Synonyms[1].ConfigValue != "8" || e.Synonyms[2].ConfigValue != "10" {
		t.Errorf("%+v", e)
	}
	if s.brokers > 1 {
		wantSetting(t, a, kind, fmt.Sprint(brokers[1].ID()), key, "8", sarama.SourceDynamicDefaultBroker)
	}
	mustTxn(t, "AlterConfig of one broker", a.AlterConfig(kind, id, map[string]*string{"num.network.threads": new("4")}, false))
	wantSetting(t, a, kind, id, "num.network.threads", "4", sarama.SourceDynamicBroker)
	wantSetting(t, a, kind, id, key, "8", sarama.SourceDynamicDefaultBroker)
	mustTxn(t, "AlterConfig of one broker", a.AlterConfig(kind, id, nil, false))
	wantSetting(t, a, kind, id, "num.network.threads", "3", sarama.SourceDefault)
	var altered *sarama.AlterConfigError
	wantRefused(t,
		refused{"what is fixed", a.IncrementalAlterConfig(kind, id, change(opSet, "node.id", "7"), false), []error{sarama.ErrInvalidRequest}, nil, "Cannot update these configs dynamically"},
		refused{"a word for a number", a.IncrementalAlterConfig(kind, id, change(opSet, key, "x"), false), []error{sarama.ErrInvalidRequest}, nil, "Not a number of type INT"},
		refused{"AlterConfig of what is fixed", a.AlterConfig(kind, id, map[string]*string{"node.id": new("7")}, false), []error{sarama.ErrInvalidRequest}, &altered, "node.id"},
		refused{"an unknown broker", a.AlterConfig(kind, "99", nil, false), []error{sarama.ErrBrokerNotFound}, nil, ""},
	)
}

func adminLoggers(t *testing.T, s *site, a everyAdmin) {
	const kind, key = sarama.BrokerLoggerResource, "root"
	_, controller, err := a.DescribeCluster()
	mustTxn(t, "DescribeCluster", err)
	id := fmt.Sprint(controller)
	was, ok, err := setting(a, kind, id, key)
	if err != nil || !ok || was.Source != sarama.SourceDynamicBrokerLogger {
		t.Fatalf("%+v, %v", was, err)
	}
	to := "WARN"
	mustTxn(t, "set, only to validate", a.IncrementalAlterConfig(kind, id, change(opSet, key, to), true))
	wantSetting(t, a, kind, id, key, was.Value, sarama.SourceDynamicBrokerLogger)
	mustTxn(t, "set", a.IncrementalAlterConfig(kind, id, change(opSet, key, to), false))
	wantSetting(t, a, kind, id, key, to, sarama.SourceDynamicBrokerLogger)
	mustTxn(t, "set back", a.IncrementalAlterConfig(kind, id, change(opSet, key, was.Value), false))
	wantSetting(t, a, kind, id, key, was.Value, sarama.SourceDynamicBrokerLogger)
	var altered *sarama.AlterConfigError
	wantRefused(t,
		refused{"an unknown logger", a.IncrementalAlterConfig(kind, id, change(opSet, "no.such.logger", "INFO"), false), []error{sarama.ErrInvalidConfig}, nil, "no.such.logger"},
		refused{"an unknown level", a.IncrementalAlterConfig(kind, id, change(opSet, key, "LOUD"), false), []error{sarama.ErrInvalidConfig}, nil, "LOUD"},
		refused{"to append", a.IncrementalAlterConfig(kind, id, change(opAppend, key, "INFO"), false), []error{sarama.ErrInvalidRequest}, nil, "APPEND"},
		refused{"without root", a.IncrementalAlterConfig(kind, id, change(opDelete, key, ""), false), []error{sarama.ErrInvalidRequest}, nil, "root"},
		refused{"AlterConfig", a.AlterConfig(kind, id, map[string]*string{key: &to}, false), []error{sarama.ErrInvalidRequest}, &altered, ""},
		refused{"an unknown broker", a.IncrementalAlterConfig(kind, "99", nil, false), []error{sarama.ErrBrokerNotFound}, nil, ""},
	)
}
