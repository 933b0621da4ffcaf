package sarama

import (
	"time"

	"github.com/IBM/sarama/internal/wire"
)

// Resource is what an access rule is about.
type Resource struct {
	ResourceType AclResourceType
	ResourceName string
	// ResourcePatternType from version 1 of the messages on (KIP-290); before,
	// all rules are literal. AclPatternUnknown becomes AclPatternLiteral when it
	// is sent.
	ResourcePatternType AclResourcePatternType
}

func (r *Resource) layout(c *wire.Codec) {
	layEnum(c, &r.ResourceType)
	c.String(&r.ResourceName)
	if c.Writing() && c.From(1) && r.ResourcePatternType == AclPatternUnknown {
		r.ResourcePatternType = AclPatternLiteral
	}
	layPattern(c, &r.ResourcePatternType)
}

// layPattern lays out how names are compared.
func layPattern(c *wire.Codec, p *AclResourcePatternType) {
	needs(c, 1, p, *p == AclPatternPrefixed || *p == AclPatternMatch)
	if c.From(1) {
		layEnum(c, p)
	}
}

// layEnum lays out an enumeration that has one byte on the wire.
func layEnum[T ~int](c *wire.Codec, p *T) {
	v := int8(*p)
	if c.Writing() && T(v) != *p {
		c.Invalid(p, "%d does not fit in 8 bits", int(*p))
	}
	if c.Int8(&v); !c.Writing() {
		*p = T(v)
	}
}

// Acl is an access rule: who may, or may not, do what and from where.
type Acl struct {
	// Principal is a type and a name, such as "User:alice".
	Principal string
	// Host is an address, or "*".
	Host           string
	Operation      AclOperation
	PermissionType AclPermissionType
}

func (a *Acl) layout(c *wire.Codec) {
	c.String(&a.Principal)
	c.String(&a.Host)
	layEnum(c, &a.Operation)
	layEnum(c, &a.PermissionType)
}

// ResourceAcls is a resource with its access rules.
type ResourceAcls struct {
	Resource
	Acls []*Acl
}

func (r *ResourceAcls) layout(c *wire.Codec) {
	r.Resource.layout(c)
	wire.Structs(c, &r.Acls, (*Acl).layout)
}

// AclFilter says which access rules are meant. A name, principal or host that
// is nil matches each.
type AclFilter struct {
	// Version is set to that of the request when it is sent.
	Version                   int
	ResourceType              AclResourceType
	ResourceName              *string
	ResourcePatternTypeFilter AclResourcePatternType
	Principal                 *string
	Host                      *string
	Operation                 AclOperation
	PermissionType            AclPermissionType
}

func (f *AclFilter) layout(c *wire.Codec) {
	if v := int(c.Version); f.Version != v { // what is not changed may be shared
		f.Version = v
	}
	layEnum(c, &f.ResourceType)
	c.NullableString(&f.ResourceName)
	layPattern(c, &f.ResourcePatternTypeFilter)
	c.NullableString(&f.Principal)
	c.NullableString(&f.Host)
	layEnum(c, &f.Operation)
	layEnum(c, &f.PermissionType)
}

// narrowed is the place of a copy of a version that is exported as an int.
func narrowed(version int) *int16 {
	v := int16(max(-1, min(version, 1<<15-1))) // neither -1 nor the highest is a version
	return &v
}

// DescribeAclsRequest asks for access rules.
type DescribeAclsRequest struct {
	Version int
	AclFilter
}

func (r *DescribeAclsRequest) meta() (*api, *int16) { return apiDescribeAcls, narrowed(r.Version) }

func (r *DescribeAclsRequest) setVersion(v int16) { r.Version = int(v) }

func (r *DescribeAclsRequest) layout(c *wire.Codec) { r.AclFilter.layout(c) }

// DescribeAclsResponse is the answer to a DescribeAclsRequest.
type DescribeAclsResponse struct {
	Version      int16
	ThrottleTime time.Duration
	Err          KError
	ErrMsg       *string
	ResourceAcls []*ResourceAcls
}

func (r *DescribeAclsResponse) meta() (*api, *int16) { return apiDescribeAcls, &r.Version }

func (r *DescribeAclsResponse) throttleTime() time.Duration { return r.ThrottleTime }

func (r *DescribeAclsResponse) layout(c *wire.Codec) {
	c.Millis(&r.ThrottleTime)
	layKError(c, &r.Err)
	c.NullableString(&r.ErrMsg)
	wire.Structs(c, &r.ResourceAcls, (*ResourceAcls).layout)
}

// CreateAclsRequest adds access rules.
type CreateAclsRequest struct {
	Version      int16
	AclCreations []*AclCreation
}

// AclCreation is an access rule to add.
type AclCreation struct {
	Resource
	Acl
}

func (a *AclCreation) layout(c *wire.Codec) {
	a.Resource.layout(c)
	a.Acl.layout(c)
}

func (r *CreateAclsRequest) meta() (*api, *int16) { return apiCreateAcls, &r.Version }

func (r *CreateAclsRequest) layout(c *wire.Codec) {
	wire.Structs(c, &r.AclCreations, (*AclCreation).layout)
}

// CreateAclsResponse is the answer to a CreateAclsRequest.
type CreateAclsResponse struct {
	Version      int16
	ThrottleTime time.Duration
	// AclCreationResponses in the order of the request.
	AclCreationResponses []*AclCreationResponse
}

// AclCreationResponse is what became of one rule.
type AclCreationResponse struct {
	Err    KError
	ErrMsg *string
}

func (a *AclCreationResponse) layout(c *wire.Codec) {
	layKError(c, &a.Err)
	c.NullableString(&a.ErrMsg)
}

func (r *CreateAclsResponse) meta() (*api, *int16) { return apiCreateAcls, &r.Version }

func (r *CreateAclsResponse) throttleTime() time.Duration { return r.ThrottleTime }

func (r *CreateAclsResponse) layout(c *wire.Codec) {
	c.Millis(&r.ThrottleTime)
	wire.Structs(c, &r.AclCreationResponses, (*AclCreationResponse).layout)
}

// DeleteAclsRequest deletes the access rules that any of the filters matches.
type DeleteAclsRequest struct {
	Version int
	Filters []*AclFilter
}

func (r *DeleteAclsRequest) meta() (*api, *int16) { return apiDeleteAcls, narrowed(r.Version) }

func (r *DeleteAclsRequest) setVersion(v int16) { r.Version = int(v) }

func (r *DeleteAclsRequest) layout(c *wire.Codec) {
	wire.Structs(c, &r.Filters, (*AclFilter).layout)
}

// DeleteAclsResponse is the answer to a DeleteAclsRequest.
type DeleteAclsResponse struct {
	Version      int16
	ThrottleTime time.Duration
	// FilterResponses in the order of the request.
	FilterResponses []*FilterResponse
}

// FilterResponse is what became of the rules that one filter matches.
type FilterResponse struct {
	Err          KError
	ErrMsg       *string
	MatchingAcls []*MatchingAcl
}

func (f *FilterResponse) layout(c *wire.Codec) {
	layKError(c, &f.Err)
	c.NullableString(&f.ErrMsg)
	wire.Structs(c, &f.MatchingAcls, (*MatchingAcl).layout)
}

// MatchingAcl is an access rule that a filter matches, deleted unless Err says
// otherwise.
type MatchingAcl struct {
	Err    KError
	ErrMsg *string
	Resource
	Acl
}

func (m *MatchingAcl) layout(c *wire.Codec) {
	layKError(c, &m.Err)
	c.NullableString(&m.ErrMsg)
	m.Resource.layout(c)
	m.Acl.layout(c)
}

func (r *DeleteAclsResponse) meta() (*api, *int16) { return apiDeleteAcls, &r.Version }

func (r *DeleteAclsResponse) throttleTime() time.Duration { return r.ThrottleTime }

func (r *DeleteAclsResponse) layout(c *wire.Codec) {
	c.Millis(&r.ThrottleTime)
	wire.Structs(c, &r.FilterResponses, (*FilterResponse).layout)
}
