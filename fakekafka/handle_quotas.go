package fakekafka

import (
	"cmp"
	"maps"
	"math"
	"net/netip"
	"slices"

	"github.com/IBM/sarama"
)

// quotaTypes are the parts of what a quota is for, in the order in which they
// are told.
var quotaTypes = [...]sarama.QuotaEntityType{sarama.QuotaEntityClientID, sarama.QuotaEntityIP, sarama.QuotaEntityUser}

// quotaEntity is what a quota is for, by quotaTypes.
type quotaEntity [len(quotaTypes)]quotaName

// quotaName is one part of it; the zero value is none.
type quotaName struct {
	is        bool
	byDefault bool // of those without a quota of their own
	name      string
}

// What is limited, and what it is limited for. Whole numbers have a largest.
var quotaKeys = map[string]struct {
	ip   bool
	most float64 // 0 for fractions
	kind string
}{
	"producer_byte_rate":       {most: math.MaxInt64, kind: "LONG"},
	"consumer_byte_rate":       {most: math.MaxInt64, kind: "LONG"},
	"request_percentage":       {},
	"controller_mutation_rate": {},
	"connection_creation_rate": {ip: true, most: math.MaxInt32, kind: "INT"},
}

// entityOf reads what a quota is for.
func entityOf(components []sarama.QuotaEntityComponent) (e quotaEntity, err error) {
	if len(components) == 0 {
		return e, refuse(sarama.ErrInvalidRequest, "Invalid empty client quota entity")
	}
	for _, c := range components {
		i := slices.Index(quotaTypes[:], c.EntityType)
		if i < 0 {
			return e, refuse(sarama.ErrInvalidRequest, "Unhandled client quota entity type: %s", c.EntityType)
		}
		e[i] = quotaName{is: true, byDefault: c.MatchType == sarama.QuotaMatchDefault, name: c.Name}
		if e[i].byDefault {
			e[i].name = ""
		} else if c.Name == "" {
			return e, refuse(sarama.ErrInvalidRequest, "Empty %s not supported", c.EntityType)
		}
	}
	if e[1].is && (e[0].is || e[2].is) {
		return e, refuse(sarama.ErrInvalidRequest, "Invalid quota entity combination, IP entity should not be combined with User or ClientId")
	}
	if ip := e[1]; ip.is && !ip.byDefault && ip.name != "localhost" {
		if _, bad := netip.ParseAddr(ip.name); bad != nil {
			return e, refuse(sarama.ErrInvalidRequest, "%s is not a valid IP or resolvable host.", ip.name)
		}
	}
	return e, nil
}

// components is what the entity is in a response.
func (e *quotaEntity) components() (list []sarama.QuotaEntityComponent) {
	for i, n := range e {
		if n.is {
			c := sarama.QuotaEntityComponent{EntityType: quotaTypes[i], Name: n.name}
			if n.byDefault {
				c.MatchType = sarama.QuotaMatchDefault
			}
			list = append(list, c)
		}
	}
	return list
}

func compareEntities(a, b quotaEntity) int {
	flag := func(is bool) int {
		if is {
			return 1
		}
		return 0
	}
	for i := range a {
		if n := cmp.Or(flag(a[i].is)-flag(b[i].is), flag(a[i].byDefault)-flag(b[i].byDefault), cmp.Compare(a[i].name, b[i].name)); n != 0 {
			return n
		}
	}
	return 0
}

// checkQuota says what Kafka says of a quota that an entity cannot have.
func (e *quotaEntity) checkQuota(op sarama.ClientQuotasOp) error {
	known, ok := quotaKeys[op.Key]
	switch {
	case !ok || known.ip != e[1].is:
		return refuse(sarama.ErrInvalidRequest, "Invalid configuration key %s", op.Key)
	case op.Remove:
		return nil
	case !(op.Value > 0):
		return refuse(sarama.ErrInvalidRequest, "Quota %s must be greater than 0", op.Key)
	case known.most > 0 && op.Value > known.most:
		return refuse(sarama.ErrInvalidRequest, "Proposed value for %s is too large for a %s.", op.Key, known.kind)
	case known.most > 0 && op.Value != math.Trunc(op.Value):
		return refuse(sarama.ErrInvalidRequest, "%s cannot be a fractional value.", op.Key)
	}
	return nil
}

// alterClientQuotas changes quotas (KIP-546): of one entity all, or none.
func (c *conn) alterClientQuotas(r *Request) (any, error) {
	req := r.Body.(*sarama.AlterClientQuotasRequest)
	resp := &sarama.AlterClientQuotasResponse{Entries: []sarama.AlterClientQuotasEntryResponse{}}
	for _, entry := range req.Entries {
		err := error(r.reply.Err)
		if r.reply.Err == sarama.ErrNoError {
			err = c.cluster.rules.alterQuotas(entry, req.ValidateOnly)
		}
		result := sarama.AlterClientQuotasEntryResponse{Entity: entry.Entity}
		result.ErrorCode, result.ErrorMsg = codeAndReason(err)
		resp.Entries = append(resp.Entries, result)
	}
	return resp, nil
}

func (s *rules) alterQuotas(entry sarama.AlterClientQuotasEntry, validateOnly bool) error {
	e, err := entityOf(entry.Entity)
	if err != nil {
		return err
	}
	for _, op := range entry.Ops {
		if err := e.checkQuota(op); err != nil {
			return err
		}
	}
	if validateOnly {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.quotas[e] == nil {
		s.mu.quotas[e] = make(map[string]float64)
	}
	for _, op := range entry.Ops {
		if s.mu.quotas[e][op.Key] = op.Value; op.Remove {
			delete(s.mu.quotas[e], op.Key)
		}
	}
	if len(s.mu.quotas[e]) == 0 {
		delete(s.mu.quotas, e)
	}
	return nil
}

// describeClientQuotas lists quotas.
func (c *conn) describeClientQuotas(r *Request) (any, error) {
	req := r.Body.(*sarama.DescribeClientQuotasRequest)
	resp := &sarama.DescribeClientQuotasResponse{ErrorCode: r.reply.Err}
	if resp.ErrorCode != sarama.ErrNoError {
		return resp, nil
	}
	var filter [len(quotaTypes)]*sarama.QuotaFilterComponent
	if err := filtersOf(req.Components, &filter); err != nil {
		resp.ErrorCode, resp.ErrorMsg = codeAndReason(err)
		return resp, nil
	}
	resp.Entries = []sarama.DescribeClientQuotasEntry{}
	store := &c.cluster.rules
	store.mu.Lock()
	defer store.mu.Unlock()
	for _, e := range slices.SortedFunc(maps.Keys(store.mu.quotas), compareEntities) {
		if e.matches(&filter, req.Strict) {
			resp.Entries = append(resp.Entries, sarama.DescribeClientQuotasEntry{Entity: e.components(), Values: maps.Clone(store.mu.quotas[e])})
		}
	}
	return resp, nil
}

// filtersOf sorts the components of a filter, by quotaTypes.
func filtersOf(components []sarama.QuotaFilterComponent, filter *[len(quotaTypes)]*sarama.QuotaFilterComponent) error {
	for i := range components {
		f := &components[i]
		at := slices.Index(quotaTypes[:], f.EntityType)
		switch {
		case f.EntityType == "":
			return refuse(sarama.ErrInvalidRequest, "Invalid empty entity type.")
		case at >= 0 && filter[at] != nil:
			return refuse(sarama.ErrInvalidRequest, "Entity type %s cannot appear more than once in the filter.", f.EntityType)
		case f.MatchType < sarama.QuotaMatchExact || f.MatchType > sarama.QuotaMatchAny:
			return refuse(sarama.ErrInvalidRequest, "Unknown match type %d", f.MatchType)
		case at < 0:
			return refuse(sarama.ErrUnsupportedVersion, "Unsupported entity type %s", f.EntityType)
		}
		filter[at] = f
	}
	if filter[1] != nil && (filter[0] != nil || filter[2] != nil) {
		return refuse(sarama.ErrInvalidRequest, "Invalid entity filter component combination. "+
			"IP filter component should not be used with user or clientId filter component.")
	}
	return nil
}

// matches says whether a filter means the entity: strictly, if it has nothing
// that the filter does not name.
func (e *quotaEntity) matches(filter *[len(quotaTypes)]*sarama.QuotaFilterComponent, strict bool) bool {
	for i, n := range e {
		f := filter[i]
		switch {
		case f == nil && n.is && strict, f != nil && !n.is:
			return false
		case f == nil:
		case f.MatchType == sarama.QuotaMatchDefault && !n.byDefault,
			f.MatchType == sarama.QuotaMatchExact && (n.byDefault || n.name != f.Match):
			return false
		}
	}
	return true
}
