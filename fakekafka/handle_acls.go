package fakekafka

import (
	"errors"
	"slices"
	"strings"

	"github.com/IBM/sarama"
)

// aclPatternsFrom is the first version of the requests about access rules that
// says how names are compared; before, they are literal (KIP-290).
const aclPatternsFrom = 1

const clusterName = "kafka-cluster" // of the one resource that is a cluster

// checkEnums closes the connection on numbers that mean nothing, as Kafka does.
func checkEnums(kind sarama.AclResourceType, op sarama.AclOperation, permission sarama.AclPermissionType) error {
	if kind < sarama.AclResourceAny || kind > sarama.AclResourceUser ||
		op < sarama.AclOperationAny || op > sarama.AclOperationTwoPhaseCommit ||
		permission < sarama.AclPermissionAny || permission > sarama.AclPermissionAllow {
		return errors.New("an access rule, or a filter, has unknown elements")
	}
	return nil
}

// createAcls adds access rules.
func (c *conn) createAcls(r *Request) (any, error) {
	req := r.Body.(*sarama.CreateAclsRequest)
	resp := &sarama.CreateAclsResponse{AclCreationResponses: []*sarama.AclCreationResponse{}}
	for _, a := range req.AclCreations {
		if err := checkEnums(a.ResourceType, a.Operation, a.PermissionType); err != nil {
			return nil, err
		}
	}
	store := &c.cluster.rules
	store.mu.Lock()
	defer store.mu.Unlock()
	for _, a := range req.AclCreations {
		rule := acl{a.Resource, a.Acl}
		if r.Version < aclPatternsFrom {
			rule.ResourcePatternType = sarama.AclPatternLiteral
		}
		err := error(r.reply.Err)
		if r.reply.Err == sarama.ErrNoError {
			err = rule.check()
		}
		if err == nil && !slices.Contains(store.mu.acls, rule) {
			store.mu.acls = append(store.mu.acls, rule)
		}
		result := new(sarama.AclCreationResponse)
		result.Err, result.ErrMsg = codeAndReason(err)
		resp.AclCreationResponses = append(resp.AclCreationResponses, result)
	}
	return resp, nil
}

// check says what Kafka says of a rule that cannot be.
func (a *acl) check() error {
	kind, name, ok := strings.Cut(a.Principal, ":")
	switch {
	case !ok:
		return refuse(sarama.ErrInvalidRequest, "Could not parse principal from `%s` (no colon is present separating the principal type from the principal name)", a.Principal)
	case kind == "" || name == "":
		return refuse(sarama.ErrInvalidRequest, "Could not parse principal from `%s` (type or name is empty)", a.Principal)
	case a.ResourceName == "":
		return refuse(sarama.ErrInvalidRequest, "Resource name should not be empty")
	case a.ResourceType == sarama.AclResourceCluster && a.ResourceName != clusterName:
		return refuse(sarama.ErrInvalidRequest, "The only valid name for the CLUSTER resource is %s", clusterName)
	case a.ResourcePatternType != sarama.AclPatternLiteral && a.ResourcePatternType != sarama.AclPatternPrefixed,
		a.ResourceType == sarama.AclResourceAny, a.Operation == sarama.AclOperationAny, a.PermissionType == sarama.AclPermissionAny:
		return sarama.ErrUnknown
	}
	return nil
}

// matches says whether a filter means the rule.
func (a *acl) matches(f *sarama.AclFilter) bool {
	is := func(want *string, have string) bool { return want == nil || *want == have }
	return (f.ResourceType == sarama.AclResourceAny || f.ResourceType == a.ResourceType) &&
		(f.Operation == sarama.AclOperationAny || f.Operation == a.Operation) &&
		(f.PermissionType == sarama.AclPermissionAny || f.PermissionType == a.PermissionType) &&
		is(f.Principal, a.Principal) && is(f.Host, a.Host) && a.names(f)
}

// names says whether the rule has the name that a filter asks for.
func (a *acl) names(f *sarama.AclFilter) bool {
	switch f.ResourcePatternTypeFilter {
	case sarama.AclPatternMatch:
		if f.ResourceName == nil {
			return true
		}
		if a.ResourcePatternType == sarama.AclPatternPrefixed {
			return strings.HasPrefix(*f.ResourceName, a.ResourceName)
		}
		return a.ResourceName == *f.ResourceName || a.ResourceName == "*"
	case sarama.AclPatternAny, a.ResourcePatternType:
		return f.ResourceName == nil || a.ResourceName == *f.ResourceName
	}
	return false
}

// filterOf is a filter as a version means it.
func filterOf(r *Request, f sarama.AclFilter) *sarama.AclFilter {
	if r.Version < aclPatternsFrom {
		f.ResourcePatternTypeFilter = sarama.AclPatternLiteral
	}
	return &f
}

// describeAcls lists access rules, those of one resource together.
func (c *conn) describeAcls(r *Request) (any, error) {
	req := r.Body.(*sarama.DescribeAclsRequest)
	if err := checkEnums(req.ResourceType, req.Operation, req.PermissionType); err != nil {
		return nil, err
	}
	resp := &sarama.DescribeAclsResponse{Err: r.reply.Err, ResourceAcls: []*sarama.ResourceAcls{}}
	if resp.Err != sarama.ErrNoError {
		return resp, nil
	}
	store := &c.cluster.rules
	store.mu.Lock()
	defer store.mu.Unlock()
	of := make(map[sarama.Resource]*sarama.ResourceAcls)
	f := filterOf(r, req.AclFilter)
	for _, a := range store.mu.acls {
		if !a.matches(f) {
			continue
		}
		if of[a.Resource] == nil {
			of[a.Resource] = &sarama.ResourceAcls{Resource: a.Resource}
			resp.ResourceAcls = append(resp.ResourceAcls, of[a.Resource])
		}
		of[a.Resource].Acls = append(of[a.Resource].Acls, &a.Acl)
	}
	return resp, nil
}

// deleteAcls deletes the access rules that filters match.
func (c *conn) deleteAcls(r *Request) (any, error) {
	req := r.Body.(*sarama.DeleteAclsRequest)
	for _, f := range req.Filters {
		if err := checkEnums(f.ResourceType, f.Operation, f.PermissionType); err != nil {
			return nil, err
		}
	}
	resp := &sarama.DeleteAclsResponse{FilterResponses: []*sarama.FilterResponse{}}
	store := &c.cluster.rules
	store.mu.Lock()
	defer store.mu.Unlock()
	all := slices.Clone(store.mu.acls)
	for _, filter := range req.Filters {
		result := &sarama.FilterResponse{Err: r.reply.Err, MatchingAcls: []*sarama.MatchingAcl{}}
		resp.FilterResponses = append(resp.FilterResponses, result)
		if result.Err != sarama.ErrNoError {
			continue
		}
		f := filterOf(r, *filter)
		for _, a := range all {
			if a.matches(f) {
				result.MatchingAcls = append(result.MatchingAcls, &sarama.MatchingAcl{Resource: a.Resource, Acl: a.Acl})
			}
		}
		store.mu.acls = slices.DeleteFunc(store.mu.acls, func(a acl) bool { return a.matches(f) })
	}
	return resp, nil
}
