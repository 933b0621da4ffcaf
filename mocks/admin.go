package mocks

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/IBM/sarama"
)

// ClusterAdminFuncs say what the methods of a mock ClusterAdmin do: each has the
// name and the type of one. What is nil is not expected to be called. They are
// called on the goroutine of the caller, also several at a time.
type ClusterAdminFuncs struct {
	CreateTopic                   func(topic string, detail *sarama.TopicDetail, validateOnly bool) error
	ListTopics                    func() (map[string]sarama.TopicDetail, error)
	DescribeTopics                func(topics []string) ([]*sarama.TopicMetadata, error)
	DeleteTopic                   func(topic string) error
	CreatePartitions              func(topic string, count int32, assignment [][]int32, validateOnly bool) error
	AlterPartitionReassignments   func(topic string, assignment [][]int32) error
	ListPartitionReassignments    func(topics string, partitions []int32) (map[string]map[int32]*sarama.PartitionReplicaReassignmentsStatus, error)
	DeleteRecords                 func(topic string, partitionOffsets map[int32]int64) error
	DescribeConfig                func(resource sarama.ConfigResource) ([]sarama.ConfigEntry, error)
	DescribeConfigs               func(resources []*sarama.ConfigResource, options sarama.DescribeConfigsOptions) ([]*sarama.ConfigResourceResult, error)
	AlterConfig                   func(resourceType sarama.ConfigResourceType, name string, entries map[string]*string, validateOnly bool) error
	IncrementalAlterConfig        func(resourceType sarama.ConfigResourceType, name string, entries map[string]sarama.IncrementalAlterConfigsEntry, validateOnly bool) error
	CreateACL                     func(resource sarama.Resource, acl sarama.Acl) error
	CreateACLs                    func(acls []*sarama.ResourceAcls) error
	ListAcls                      func(filter sarama.AclFilter) ([]sarama.ResourceAcls, error)
	DeleteACL                     func(filter sarama.AclFilter, validateOnly bool) ([]sarama.MatchingAcl, error)
	ElectLeaders                  func(electionType sarama.ElectionType, partitions map[string][]int32) (map[string]map[int32]*sarama.PartitionResult, error)
	ListConsumerGroups            func() (map[string]string, error)
	DescribeConsumerGroups        func(groups []string) ([]*sarama.GroupDescription, error)
	ListConsumerGroupOffsets      func(group string, topicPartitions map[string][]int32) (*sarama.OffsetFetchResponse, error)
	ListConsumerGroupOffsetsBatch func(groupTopics map[string]map[string][]int32) (map[string]*sarama.OffsetFetchResponseGroup, error)
	ListOffsets                   func(partitions map[string]map[int32]int64, options *sarama.ListOffsetsOptions) (map[string]map[int32]*sarama.OffsetResult, error)
	AlterConsumerGroupOffsets     func(group string, offsets map[string]map[int32]sarama.OffsetAndMetadata, options *sarama.AlterConsumerGroupOffsetsOptions) (*sarama.OffsetCommitResponse, error)
	DeleteConsumerGroupOffset     func(group string, topic string, partition int32) error
	DeleteConsumerGroup           func(group string) error
	DescribeCluster               func() ([]*sarama.Broker, int32, error)
	DescribeLogDirs               func(brokers []int32) (map[int32][]sarama.DescribeLogDirsResponseDirMetadata, error)
	DescribeUserScramCredentials  func(users []string) ([]*sarama.DescribeUserScramCredentialsResult, error)
	DeleteUserScramCredentials    func(deletions []sarama.AlterUserScramCredentialsDelete) ([]*sarama.AlterUserScramCredentialsResult, error)
	UpsertUserScramCredentials    func(upsertions []sarama.AlterUserScramCredentialsUpsert) ([]*sarama.AlterUserScramCredentialsResult, error)
	UpdateFeatures                func(featureUpdates []sarama.FeatureUpdate) ([]sarama.UpdatableFeatureResult, error)
	DescribeClientQuotas          func(components []sarama.QuotaFilterComponent, strict bool) ([]sarama.DescribeClientQuotasEntry, error)
	AlterClientQuotas             func(entity []sarama.QuotaEntityComponent, op sarama.ClientQuotasOp, validateOnly bool) error
	Controller                    func() (*sarama.Broker, error)
	Coordinator                   func(group string) (*sarama.Broker, error)
	RemoveMemberFromConsumerGroup func(groupId string, groupInstanceIds []string) (*sarama.LeaveGroupResponse, error)
	Close                         func() error

	// of sarama.TransactionClusterAdmin
	DescribeProducers    func(topicPartitions map[string][]int32) (map[string]map[int32]sarama.DescribeProducersResponsePartition, error)
	DescribeTransactions func(transactionalIDs []string) (map[string]sarama.TransactionState, error)
	ListTransactions     func(stateFilters []string, producerIDFilters []int64, durationFilterMs int64) ([]sarama.ListTransactionsResponseTransactionState, error)

	// of sarama.GroupClusterAdmin
	ListGroups                     func(options sarama.ListGroupsOptions) ([]sarama.GroupListing, error)
	DescribeConsumerProtocolGroups func(groups []string) ([]sarama.ConsumerGroupDescription, error)
}

// AdminCall is a call of a method of ClusterAdmin.
type AdminCall struct {
	Method string
	Args   []any // as they were given
}

// ClusterAdmin is a double of sarama.ClusterAdmin, and of the interfaces that
// sarama's admins have besides: TransactionClusterAdmin, GroupClusterAdmin and
// ContextClusterAdmin. It does what the test's funcs do, and records the calls.
type ClusterAdmin struct {
	// constant
	t      ErrorReporter
	do     ClusterAdminFuncs
	ctx    context.Context // of the calls
	record *adminRecord    // shared by those with other contexts
}

// adminRecord is the calls of an admin.
type adminRecord struct {
	// mu guards
	mu struct {
		sync.Mutex
		calls []AdminCall
	}
}

var (
	_ sarama.ClusterAdmin            = (*ClusterAdmin)(nil)
	_ sarama.TransactionClusterAdmin = (*ClusterAdmin)(nil)
	_ sarama.GroupClusterAdmin       = (*ClusterAdmin)(nil)
	_ sarama.ContextClusterAdmin     = (*ClusterAdmin)(nil)
)

// ErrUnexpectedCall is the error of a method of ClusterAdmin that the test has no
// func for.
var ErrUnexpectedCall = errors.New("unexpected call of mock")

// NewClusterAdmin returns a mock that reports calls without a func to t, which
// usually is the test's *testing.T; their error wraps ErrUnexpectedCall.
func NewClusterAdmin(t ErrorReporter, funcs ClusterAdminFuncs) *ClusterAdmin {
	return &ClusterAdmin{t: t, do: funcs, ctx: context.Background(), record: &adminRecord{}}
}

// WithContext returns the same admin, whose calls fail with the cause of ctx once
// that has ended, and then call no func. Both record the calls of both.
func (a *ClusterAdmin) WithContext(ctx context.Context) sarama.ClusterAdmin {
	return &ClusterAdmin{t: a.t, do: a.do, ctx: ctx, record: a.record}
}

// Calls returns the calls so far, in order, Close included.
func (a *ClusterAdmin) Calls() []AdminCall {
	a.record.mu.Lock()
	defer a.record.mu.Unlock()
	return slices.Clone(a.record.mu.calls)
}

// CallsOf returns the arguments of each call of one method, in order.
func (a *ClusterAdmin) CallsOf(method string) (args [][]any) {
	for _, c := range a.Calls() {
		if c.Method == method {
			args = append(args, c.Args)
		}
	}
	return args
}

// call records a call, and says whether there is a func for it. That there is
// none is reported.
func (a *ClusterAdmin) call(method string, unexpected bool, args ...any) error {
	a.record.mu.Lock()
	a.record.mu.calls = append(a.record.mu.calls, AdminCall{method, args})
	a.record.mu.Unlock()
	if !unexpected {
		return context.Cause(a.ctx)
	}
	err := fmt.Errorf("%w: ClusterAdmin.%s with %v: ClusterAdminFuncs.%s is nil", ErrUnexpectedCall, method, args, method)
	a.t.Errorf("%v", err)
	return err
}
