package sarama

import (
	"fmt"
	"strings"
)

// AclOperation is what an access rule allows or denies. Its text form is the
// name of the constant without prefix; it is read in any case of letters.
type AclOperation int

// The operations. Which of them a kind of resource has is said in Kafka's
// documentation of its authorizer.
const (
	AclOperationUnknown AclOperation = iota
	// AclOperationAny matches each operation, in filters.
	AclOperationAny
	AclOperationAll
	AclOperationRead
	AclOperationWrite
	AclOperationCreate
	AclOperationDelete
	AclOperationAlter
	AclOperationDescribe
	AclOperationClusterAction
	AclOperationDescribeConfigs
	AclOperationAlterConfigs
	AclOperationIdempotentWrite
	// AclOperationCreateTokens and AclOperationDescribeTokens are for
	// delegation tokens of other users (KIP-373).
	AclOperationCreateTokens
	AclOperationDescribeTokens
	// AclOperationTwoPhaseCommit is for transactions that somebody else ends
	// (KIP-939).
	AclOperationTwoPhaseCommit
)

var aclOperations = []string{
	"Unknown", "Any", "All", "Read", "Write", "Create", "Delete", "Alter", "Describe", "ClusterAction", "DescribeConfigs",
	"AlterConfigs", "IdempotentWrite", "CreateTokens", "DescribeTokens", "TwoPhaseCommit",
}

// String returns the name, Unknown for a number that has none.
func (a *AclOperation) String() string { return aclName(aclOperations, *a) }

// MarshalText returns what String does.
func (a *AclOperation) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText sets the operation from its name, or to AclOperationUnknown and
// returns an error.
func (a *AclOperation) UnmarshalText(text []byte) error {
	return parseACLName(aclOperations, "operation", text, a)
}

// AclPermissionType says whether an access rule allows or denies. Its text form
// is the name of the constant without prefix; it is read in any case of
// letters.
type AclPermissionType int

// The permissions.
const (
	AclPermissionUnknown AclPermissionType = iota
	// AclPermissionAny matches both, in filters.
	AclPermissionAny
	AclPermissionDeny
	AclPermissionAllow
)

var aclPermissions = []string{"Unknown", "Any", "Deny", "Allow"}

// String returns the name, Unknown for a number that has none.
func (a *AclPermissionType) String() string { return aclName(aclPermissions, *a) }

// MarshalText returns what String does.
func (a *AclPermissionType) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText sets the permission from its name, or to AclPermissionUnknown
// and returns an error.
func (a *AclPermissionType) UnmarshalText(text []byte) error {
	return parseACLName(aclPermissions, "permission", text, a)
}

// AclResourceType is the kind of thing that an access rule is about. Its text
// form is the name of the constant without prefix; it is read in any case of
// letters.
type AclResourceType int

// The kinds of resources.
const (
	AclResourceUnknown AclResourceType = iota
	// AclResourceAny matches each kind, in filters.
	AclResourceAny
	AclResourceTopic
	AclResourceGroup
	AclResourceCluster
	AclResourceTransactionalID
	AclResourceDelegationToken
	// AclResourceUser needs version 3 of the requests (KIP-373).
	AclResourceUser
)

var aclResources = []string{"Unknown", "Any", "Topic", "Group", "Cluster", "TransactionalID", "DelegationToken", "User"}

// String returns the name, Unknown for a number that has none.
func (a *AclResourceType) String() string { return aclName(aclResources, *a) }

// MarshalText returns what String does.
func (a *AclResourceType) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText sets the kind from its name, or to AclResourceUnknown and
// returns an error.
func (a *AclResourceType) UnmarshalText(text []byte) error {
	return parseACLName(aclResources, "resource", text, a)
}

// AclResourcePatternType says how the name in an access rule is compared with
// that of a resource (KIP-290). Its text form is the name of the constant
// without prefix; it is read in any case of letters.
type AclResourcePatternType int

// The ways to compare names.
const (
	AclPatternUnknown AclResourcePatternType = iota
	// AclPatternAny matches rules of each type whose name is that of the
	// filter, AclPatternMatch all rules that concern a resource of that name.
	// Both are for filters.
	AclPatternAny
	AclPatternMatch
	// AclPatternLiteral is for resources of that very name, or all of them
	// where it is "*"; AclPatternPrefixed for those whose name begins with it.
	AclPatternLiteral
	AclPatternPrefixed
)

var aclPatterns = []string{"Unknown", "Any", "Match", "Literal", "Prefixed"}

// String returns the name, Unknown for a number that has none.
func (a *AclResourcePatternType) String() string { return aclName(aclPatterns, *a) }

// MarshalText returns what String does.
func (a *AclResourcePatternType) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText sets the type from its name, or to AclPatternUnknown and
// returns an error.
func (a *AclResourcePatternType) UnmarshalText(text []byte) error {
	return parseACLName(aclPatterns, "resource pattern", text, a)
}

func aclName[T ~int](names []string, v T) string {
	if v < 0 || int(v) >= len(names) {
		return names[0]
	}
	return names[v]
}

func parseACLName[T ~int](names []string, what string, text []byte, v *T) error {
	for i, name := range names {
		if strings.EqualFold(name, string(text)) {
			*v = T(i)
			return nil
		}
	}
	*v = 0
	return fmt.Errorf("no acl %s with name %s", what, strings.ToLower(string(text)))
}
