package sarama

import "strconv"

// ConfigResourceType is the kind of thing that settings belong to.
type ConfigResourceType int8

// The kinds of things with settings.
const (
	UnknownResource ConfigResourceType = 0
	TopicResource   ConfigResourceType = 2
	// BrokerResource is a broker, named by its id; the name "" is for what all
	// brokers have in common.
	BrokerResource ConfigResourceType = 4
	// BrokerLoggerResource is a broker's loggers (KIP-412).
	BrokerLoggerResource ConfigResourceType = 8
	// ClientMetricsResource is a subscription to clients' metrics (KIP-714).
	ClientMetricsResource ConfigResourceType = 16
	// GroupResource is a group (KIP-848).
	GroupResource ConfigResourceType = 32
)

// ConfigSource tells where the value of a setting comes from.
type ConfigSource int8

// The places that values come from.
const (
	SourceUnknown ConfigSource = iota
	SourceTopic
	SourceDynamicBroker
	SourceDynamicDefaultBroker
	SourceStaticBroker
	SourceDefault
	SourceDynamicBrokerLogger
	SourceClientMetrics
	SourceGroup
)

var configSources = [...]string{
	"Unknown", "Topic", "DynamicBroker", "DynamicDefaultBroker", "StaticBroker", "Default", "DynamicBrokerLogger", "ClientMetrics", "Group",
}

// String returns the name of the constant without prefix.
func (s ConfigSource) String() string {
	if s < 0 || int(s) >= len(configSources) {
		return "Source Invalid: " + strconv.Itoa(int(s))
	}
	return configSources[s]
}

// ConfigType is the type of a setting's value (KIP-569).
type ConfigType int8

// The types of values.
const (
	UnknownConfigType ConfigType = iota
	BooleanConfigType
	StringConfigType
	IntConfigType
	ShortConfigType
	LongConfigType
	DoubleConfigType
	ListConfigType
	ClassConfigType
	PasswordConfigType
)

// IncrementalAlterConfigsOperation is what is done to a setting (KIP-339).
type IncrementalAlterConfigsOperation int8

// The operations: Append and Subtract are for settings that are lists.
const (
	IncrementalAlterConfigsOperationSet IncrementalAlterConfigsOperation = iota
	// IncrementalAlterConfigsOperationDelete leaves the setting to its default.
	IncrementalAlterConfigsOperationDelete
	IncrementalAlterConfigsOperationAppend
	IncrementalAlterConfigsOperationSubtract
)
