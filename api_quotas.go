package sarama

import (
	"time"

	"github.com/IBM/sarama/internal/wire"
)

// QuotaEntityType is a part of what a quota is for (KIP-546).
type QuotaEntityType string

// The parts: an entity is a user, a client id, both, or an address.
const (
	QuotaEntityUser     QuotaEntityType = "user"
	QuotaEntityClientID QuotaEntityType = "client-id"
	QuotaEntityIP       QuotaEntityType = "ip"
)

// QuotaMatchType says which names are meant.
type QuotaMatchType int

// The ways to say which names are meant.
const (
	// QuotaMatchExact is for the one that is named.
	QuotaMatchExact QuotaMatchType = iota
	// QuotaMatchDefault is for those without a quota of their own.
	QuotaMatchDefault
	// QuotaMatchAny is for all that are named and the default, in filters.
	QuotaMatchAny
)

// QuotaEntityComponent is a part of an entity.
type QuotaEntityComponent struct {
	EntityType QuotaEntityType
	// MatchType is QuotaMatchExact or QuotaMatchDefault; Name is for the former.
	MatchType QuotaMatchType
	Name      string
}

func (e *QuotaEntityComponent) layout(c *wire.Codec) {
	c.String((*string)(&e.EntityType))
	name := &e.Name
	if c.Writing() && e.MatchType == QuotaMatchDefault {
		name = nil
	}
	if c.NullableString(&name); c.Writing() {
		return
	}
	if name == nil {
		e.MatchType = QuotaMatchDefault
	} else {
		e.MatchType, e.Name = QuotaMatchExact, *name
	}
}

// DescribeClientQuotasRequest asks for quotas.
type DescribeClientQuotasRequest struct {
	Version int16
	// Components that the entities have; none is for all entities.
	Components []QuotaFilterComponent
	// Strict leaves out entities that have other components, too.
	Strict bool
}

// QuotaFilterComponent says which entities are meant.
type QuotaFilterComponent struct {
	EntityType QuotaEntityType
	MatchType  QuotaMatchType
	// Match is the name, for QuotaMatchExact.
	Match string
}

// NewDescribeClientQuotasRequest returns a request at the version that belongs
// to a Kafka version.
func NewDescribeClientQuotasRequest(version KafkaVersion, components []QuotaFilterComponent, strict bool) *DescribeClientQuotasRequest {
	return &DescribeClientQuotasRequest{Version: apiDescribeClientQuotas.versionFor(version), Components: components, Strict: strict}
}

func (f *QuotaFilterComponent) layout(c *wire.Codec) {
	c.String((*string)(&f.EntityType))
	layEnum(c, &f.MatchType)
	match := f.Match
	switch {
	case f.MatchType == QuotaMatchExact:
		c.String(&match)
	case c.Writing() && (f.MatchType == QuotaMatchDefault || f.MatchType == QuotaMatchAny):
		match = ""
		fallthrough
	default:
		c.StringOrNull(&match)
	}
	if !c.Writing() {
		f.Match = match
	}
}

func (r *DescribeClientQuotasRequest) meta() (*api, *int16) {
	return apiDescribeClientQuotas, &r.Version
}

func (r *DescribeClientQuotasRequest) layout(c *wire.Codec) {
	wire.Values(c, &r.Components, (*QuotaFilterComponent).layout)
	c.Bool(&r.Strict)
}

// DescribeClientQuotasResponse is the answer to a DescribeClientQuotasRequest.
type DescribeClientQuotasResponse struct {
	Version      int16
	ThrottleTime time.Duration
	ErrorCode    KError
	ErrorMsg     *string
	Entries      []DescribeClientQuotasEntry
}

// DescribeClientQuotasEntry has the quotas of one entity.
type DescribeClientQuotasEntry struct {
	Entity []QuotaEntityComponent
	// Values by what is limited, such as "producer_byte_rate".
	Values map[string]float64
}

func (e *DescribeClientQuotasEntry) layout(c *wire.Codec) {
	wire.Values(c, &e.Entity, (*QuotaEntityComponent).layout)
	layMap(c, &e.Values, func(key *string, value *float64) {
		c.String(key)
		c.Float64(value)
	})
}

func (r *DescribeClientQuotasResponse) meta() (*api, *int16) {
	return apiDescribeClientQuotas, &r.Version
}

func (r *DescribeClientQuotasResponse) throttleTime() time.Duration { return r.ThrottleTime }

func (r *DescribeClientQuotasResponse) layout(c *wire.Codec) {
	c.Millis(&r.ThrottleTime)
	layKError(c, &r.ErrorCode)
	c.NullableString(&r.ErrorMsg)
	wire.NullableValues(c, &r.Entries, (*DescribeClientQuotasEntry).layout)
}

// AlterClientQuotasRequest asks the controller to change quotas.
type AlterClientQuotasRequest struct {
	Version int16
	Entries []AlterClientQuotasEntry
	// ValidateOnly asks only whether it could be done.
	ValidateOnly bool
}

// AlterClientQuotasEntry has the changes for one entity.
type AlterClientQuotasEntry struct {
	Entity []QuotaEntityComponent
	Ops    []ClientQuotasOp
}

// ClientQuotasOp is the change of one quota.
type ClientQuotasOp struct {
	// Key is what is limited, such as "producer_byte_rate".
	Key   string
	Value float64
	// Remove takes the quota away; Value does not matter then.
	Remove bool
}

func (e *AlterClientQuotasEntry) layout(c *wire.Codec) {
	wire.Values(c, &e.Entity, (*QuotaEntityComponent).layout)
	wire.Values(c, &e.Ops, func(op *ClientQuotasOp, c *wire.Codec) {
		c.String(&op.Key)
		c.Float64(&op.Value)
		c.Bool(&op.Remove)
	})
}

func (r *AlterClientQuotasRequest) meta() (*api, *int16) { return apiAlterClientQuotas, &r.Version }

func (r *AlterClientQuotasRequest) layout(c *wire.Codec) {
	wire.Values(c, &r.Entries, (*AlterClientQuotasEntry).layout)
	c.Bool(&r.ValidateOnly)
}

// AlterClientQuotasResponse is the answer to an AlterClientQuotasRequest.
type AlterClientQuotasResponse struct {
	Version      int16
	ThrottleTime time.Duration
	Entries      []AlterClientQuotasEntryResponse
}

// AlterClientQuotasEntryResponse is what became of one entity's quotas.
type AlterClientQuotasEntryResponse struct {
	ErrorCode KError
	ErrorMsg  *string
	Entity    []QuotaEntityComponent
}

func (e *AlterClientQuotasEntryResponse) layout(c *wire.Codec) {
	layKError(c, &e.ErrorCode)
	c.NullableString(&e.ErrorMsg)
	wire.Values(c, &e.Entity, (*QuotaEntityComponent).layout)
}

func (r *AlterClientQuotasResponse) meta() (*api, *int16) { return apiAlterClientQuotas, &r.Version }

func (r *AlterClientQuotasResponse) throttleTime() time.Duration { return r.ThrottleTime }

func (r *AlterClientQuotasResponse) layout(c *wire.Codec) {
	c.Millis(&r.ThrottleTime)
	wire.Values(c, &r.Entries, (*AlterClientQuotasEntryResponse).layout)
}
