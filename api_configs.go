package sarama

import (
	"time"

	"github.com/IBM/sarama/internal/wire"
)

// DescribeConfigsRequest asks for settings. Those of a broker, or of its
// loggers, are asked of that broker.
type DescribeConfigsRequest struct {
	Version   int16
	Resources []*ConfigResource
	// IncludeSynonyms asks where else each value could come from (KIP-226),
	// from version 1 on.
	IncludeSynonyms bool
	// IncludeDocumentation asks for types and descriptions (KIP-569), from
	// version 3 on.
	IncludeDocumentation bool
}

// ConfigResource is a thing whose settings are asked for.
type ConfigResource struct {
	Type ConfigResourceType
	Name string
	// ConfigNames are the settings asked for; where there are none, all are.
	ConfigNames []string
}

func (r *ConfigResource) layout(c *wire.Codec) {
	layConfigured(c, &r.Type, &r.Name)
	names := r.ConfigNames
	if c.Writing() && len(names) == 0 {
		names = nil
	}
	if c.NullableStrings(&names); !c.Writing() {
		r.ConfigNames = names
	}
}

// layConfigured lays out what settings belong to.
func layConfigured(c *wire.Codec, t *ConfigResourceType, name *string) {
	c.Int8((*int8)(t))
	c.String(name)
}

func (r *DescribeConfigsRequest) meta() (*api, *int16) { return apiDescribeConfigs, &r.Version }

func (r *DescribeConfigsRequest) layout(c *wire.Codec) {
	wire.Structs(c, &r.Resources, (*ConfigResource).layout)
	if c.From(1) {
		c.Bool(&r.IncludeSynonyms)
	}
	if c.From(3) {
		c.Bool(&r.IncludeDocumentation)
	}
}

// DescribeConfigsResponse is the answer to a DescribeConfigsRequest.
type DescribeConfigsResponse struct {
	Version      int16
	ThrottleTime time.Duration
	Resources    []*ResourceResponse
}

// ResourceResponse has the settings of one thing.
type ResourceResponse struct {
	ErrorCode int16
	ErrorMsg  string
	Type      ConfigResourceType
	Name      string
	Configs   []*ConfigEntry
}

// ConfigEntry is one setting.
type ConfigEntry struct {
	Name string
	// Value is empty, too, where there is none, or where it is Sensitive and so
	// not told.
	Value    string
	ReadOnly bool
	// Default tells that the value is not set; Source, from version 1 on, where
	// it comes from. On the wire is one of them, and both are set from it.
	Default   bool
	Source    ConfigSource
	Sensitive bool
	// Synonyms are where else the value could come from, in order of precedence
	// and from version 1 on.
	Synonyms []*ConfigSynonym
	// Type and Documentation from version 3 on; the latter only if it was asked
	// for.
	Type          ConfigType
	Documentation *string
}

// ConfigSynonym is another setting whose value may be taken.
type ConfigSynonym struct {
	ConfigName  string
	ConfigValue string
	Source      ConfigSource
}

func (r *DescribeConfigsResponse) meta() (*api, *int16) { return apiDescribeConfigs, &r.Version }

func (r *DescribeConfigsResponse) throttleTime() time.Duration { return r.ThrottleTime }

func (r *DescribeConfigsResponse) layout(c *wire.Codec) {
	c.Millis(&r.ThrottleTime)
	wire.Structs(c, &r.Resources, (*ResourceResponse).layout)
}

func (r *ResourceResponse) layout(c *wire.Codec) {
	c.Int16(&r.ErrorCode)
	c.String(&r.ErrorMsg) // without an error brokers say "", not null
	layConfigured(c, &r.Type, &r.Name)
	wire.Structs(c, &r.Configs, (*ConfigEntry).layout)
}

func (e *ConfigEntry) layout(c *wire.Codec) {
	// Brokers say null for values that are sensitive.
	value := c.String
	if e.Sensitive {
		value = c.StringOrNull
	}
	c.String(&e.Name)
	value(&e.Value)
	c.Bool(&e.ReadOnly)
	if !c.From(1) {
		if c.Bool(&e.Default); !c.Writing() && e.Default {
			e.Source = SourceDefault
		}
		c.Bool(&e.Sensitive)
		return
	}
	if c.Int8((*int8)(&e.Source)); !c.Writing() {
		e.Default = e.Source == SourceDefault
	}
	c.Bool(&e.Sensitive)
	wire.Structs(c, &e.Synonyms, func(s *ConfigSynonym, c *wire.Codec) {
		c.String(&s.ConfigName)
		value(&s.ConfigValue)
		c.Int8((*int8)(&s.Source))
	})
	if c.From(3) {
		c.Int8((*int8)(&e.Type))
		c.NullableString(&e.Documentation)
	}
}

// AlterConfigsRequest sets settings and takes all others of the same thing back
// to their defaults.
type AlterConfigsRequest struct {
	Version   int16
	Resources []*AlterConfigsResource
	// ValidateOnly asks only whether it could be done.
	ValidateOnly bool
}

// AlterConfigsResource is a thing and its settings by name.
type AlterConfigsResource struct {
	Type          ConfigResourceType
	Name          string
	ConfigEntries map[string]*string
}

func (r *AlterConfigsResource) layout(c *wire.Codec) {
	layConfigured(c, &r.Type, &r.Name)
	layMap(c, &r.ConfigEntries, func(name *string, value **string) {
		c.String(name)
		c.NullableString(value)
	})
}

func (r *AlterConfigsRequest) meta() (*api, *int16) { return apiAlterConfigs, &r.Version }

func (r *AlterConfigsRequest) layout(c *wire.Codec) {
	wire.Structs(c, &r.Resources, (*AlterConfigsResource).layout)
	c.Bool(&r.ValidateOnly)
}

// AlterConfigsResponse is the answer to an AlterConfigsRequest.
type AlterConfigsResponse struct {
	Version      int16
	ThrottleTime time.Duration
	Resources    []*AlterConfigsResourceResponse
}

// AlterConfigsResourceResponse is what became of the settings of one thing.
type AlterConfigsResourceResponse struct {
	ErrorCode int16
	ErrorMsg  string
	Type      ConfigResourceType
	Name      string
}

func (r *AlterConfigsResourceResponse) layout(c *wire.Codec) {
	c.Int16(&r.ErrorCode)
	c.StringOrNull(&r.ErrorMsg)
	layConfigured(c, &r.Type, &r.Name)
}

func (r *AlterConfigsResponse) meta() (*api, *int16) { return apiAlterConfigs, &r.Version }

func (r *AlterConfigsResponse) throttleTime() time.Duration { return r.ThrottleTime }

func (r *AlterConfigsResponse) layout(c *wire.Codec) {
	c.Millis(&r.ThrottleTime)
	wire.Structs(c, &r.Resources, (*AlterConfigsResourceResponse).layout)
}

// IncrementalAlterConfigsRequest changes settings and leaves all others as they
// are (KIP-339).
type IncrementalAlterConfigsRequest struct {
	Version   int16
	Resources []*IncrementalAlterConfigsResource
	// ValidateOnly asks only whether it could be done.
	ValidateOnly bool
}

// IncrementalAlterConfigsResource is a thing and the changes of its settings by
// name.
type IncrementalAlterConfigsResource struct {
	Type          ConfigResourceType
	Name          string
	ConfigEntries map[string]IncrementalAlterConfigsEntry
}

// IncrementalAlterConfigsEntry is the change of a setting; Value is nil where
// the operation needs none.
type IncrementalAlterConfigsEntry struct {
	Operation IncrementalAlterConfigsOperation
	Value     *string
}

func (r *IncrementalAlterConfigsResource) layout(c *wire.Codec) {
	layConfigured(c, &r.Type, &r.Name)
	layMap(c, &r.ConfigEntries, func(name *string, e *IncrementalAlterConfigsEntry) {
		c.String(name)
		c.Int8((*int8)(&e.Operation))
		c.NullableString(&e.Value)
	})
}

func (r *IncrementalAlterConfigsRequest) meta() (*api, *int16) {
	return apiIncrementalAlterConfigs, &r.Version
}

func (r *IncrementalAlterConfigsRequest) layout(c *wire.Codec) {
	wire.Structs(c, &r.Resources, (*IncrementalAlterConfigsResource).layout)
	c.Bool(&r.ValidateOnly)
}

// IncrementalAlterConfigsResponse is the answer to an
// IncrementalAlterConfigsRequest.
type IncrementalAlterConfigsResponse struct {
	Version      int16
	ThrottleTime time.Duration
	Resources    []*AlterConfigsResourceResponse
}

func (r *IncrementalAlterConfigsResponse) meta() (*api, *int16) {
	return apiIncrementalAlterConfigs, &r.Version
}

func (r *IncrementalAlterConfigsResponse) throttleTime() time.Duration { return r.ThrottleTime }

func (r *IncrementalAlterConfigsResponse) layout(c *wire.Codec) {
	c.Millis(&r.ThrottleTime)
	wire.Structs(c, &r.Resources, (*AlterConfigsResourceResponse).layout)
}
