package sarama

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"sync"
	"time"
)

// adminTimeout is what brokers are given for elections and reassignments.
const adminTimeout = 60 * time.Second

// ClusterAdmin manages a cluster: topics, settings, access rules, groups and
// their offsets, users, quotas. Its methods may be called from many goroutines.
//
// Requests are sent again, up to Admin.Retry.Max times with Admin.Retry.Backoff
// between, when the broker that was asked is no longer the one to ask, or when
// the connection failed before it had answered; what then was done at the first
// attempt may be reported as an error of the second, such as
// ErrTopicAlreadyExists. Brokers are given Admin.Timeout for their work. A
// request that needs a newer Kafka than Config.Version is not sent: its error is
// ErrUnsupportedVersion.
//
// It must be closed.
type ClusterAdmin interface {
	// CreateTopic creates a topic, or only checks whether it could be. The
	// brokers may take some seconds until all of them know it. A refusal is a
	// *TopicError.
	CreateTopic(topic string, detail *TopicDetail, validateOnly bool) error

	// ListTopics returns all topics, with the settings that are not the default
	// and not sensitive.
	ListTopics() (map[string]TopicDetail, error)

	// DescribeTopics returns what the controller knows of topics, of all of them
	// where none is named. The error of a topic is in its metadata.
	DescribeTopics(topics []string) (metadata []*TopicMetadata, err error)

	// DeleteTopic deletes a topic. The brokers may take some seconds until all of
	// them know.
	DeleteTopic(topic string) error

	// CreatePartitions raises the number of a topic's partitions to count, or
	// only checks whether it could be; assignment, if not nil, lists the replicas
	// of each new partition. Messages with keys go to other partitions from then
	// on. A refusal is a *TopicPartitionError.
	CreatePartitions(topic string, count int32, assignment [][]int32, validateOnly bool) error

	// AlterPartitionReassignments moves the replicas of a topic's partitions
	// (KIP-455): the index in assignment is the partition; nil cancels a move that
	// is under way. Refusals are wrapped in ErrReassignPartitions.
	AlterPartitionReassignments(topic string, assignment [][]int32) error

	// ListPartitionReassignments returns which of a topic's partitions are being
	// moved.
	ListPartitionReassignments(topics string, partitions []int32) (topicStatus map[string]map[int32]*PartitionReplicaReassignmentsStatus, err error)

	// DeleteRecords deletes the records of partitions below an offset, -1 for the
	// high watermark. Refusals are wrapped in ErrDeleteRecords.
	DeleteRecords(topic string, partitionOffsets map[int32]int64) error

	// DescribeConfig returns the settings of a topic, a broker (whose id is the
	// name, "" for the defaults of all brokers), or of a broker's loggers. A
	// refusal is a *DescribeConfigError.
	//
	// Deprecated: use DescribeConfigs.
	DescribeConfig(resource ConfigResource) ([]ConfigEntry, error)

	// DescribeConfigs returns the settings of several resources, in the order of
	// the argument. The error of a resource is in its result.
	DescribeConfigs(resources []*ConfigResource, options DescribeConfigsOptions) ([]*ConfigResourceResult, error)

	// AlterConfig replaces all settings of a resource: what is not named goes back
	// to its default. A refusal is an *AlterConfigError.
	AlterConfig(resourceType ConfigResourceType, name string, entries map[string]*string, validateOnly bool) error

	// IncrementalAlterConfig changes single settings of a resource (KIP-339).
	IncrementalAlterConfig(resourceType ConfigResourceType, name string, entries map[string]IncrementalAlterConfigsEntry, validateOnly bool) error

	// CreateACL adds an access rule.
	//
	// Deprecated: use CreateACLs.
	CreateACL(resource Resource, acl Acl) error

	// CreateACLs adds access rules; those that exist already are no error.
	// Refusals are wrapped in ErrCreateACLs, and leave the other rules added.
	CreateACLs([]*ResourceAcls) error

	// ListAcls returns the access rules that a filter matches.
	ListAcls(filter AclFilter) ([]ResourceAcls, error)

	// DeleteACL deletes the access rules that a filter matches, and returns them;
	// validateOnly has no effect, as Kafka has no such request.
	DeleteACL(filter AclFilter, validateOnly bool) ([]MatchingAcl, error)

	// ElectLeaders has leaders elected, of all partitions where none is named. The
	// errors of partitions are in the results.
	ElectLeaders(ElectionType, map[string][]int32) (map[string]map[int32]*PartitionResult, error)

	// ListConsumerGroups returns all groups with the type of their protocol, such
	// as "consumer". With an error, it has those of the brokers that answered.
	ListConsumerGroups() (map[string]string, error)

	// DescribeConsumerGroups describes groups of either protocol; those of the
	// newer one (KIP-848) are put into the form of the classic one. The error of
	// a group is in its description.
	DescribeConsumerGroups(groups []string) ([]*GroupDescription, error)

	// ListConsumerGroupOffsets returns the offsets that a group has committed, of
	// all partitions where topicPartitions is nil.
	ListConsumerGroupOffsets(group string, topicPartitions map[string][]int32) (*OffsetFetchResponse, error)

	// ListConsumerGroupOffsetsBatch is ListConsumerGroupOffsets for many groups,
	// with one request per coordinator (KIP-709). It needs Kafka 3.0, otherwise
	// the error is ErrUnsupportedVersion. The error of a group is in its result.
	ListConsumerGroupOffsetsBatch(groupTopics map[string]map[string][]int32) (map[string]*OffsetFetchResponseGroup, error)

	// ListOffsets returns the offsets of partitions at OffsetNewest, OffsetOldest
	// or a time in milliseconds. The error of a partition is in its result; it is
	// ErrNoError, not nil, for one that has none.
	ListOffsets(partitions map[string]map[int32]int64, options *ListOffsetsOptions) (map[string]map[int32]*OffsetResult, error)

	// AlterConsumerGroupOffsets sets the offsets of a group without members
	// (KIP-396). What became of each partition is in the response.
	AlterConsumerGroupOffsets(group string, offsets map[string]map[int32]OffsetAndMetadata, options *AlterConsumerGroupOffsetsOptions) (*OffsetCommitResponse, error)

	// DeleteConsumerGroupOffset deletes what a group has committed of a partition.
	DeleteConsumerGroupOffset(group string, topic string, partition int32) error

	// DeleteConsumerGroup deletes a group without members.
	DeleteConsumerGroup(group string) error

	// DescribeCluster returns the brokers, which are not open, and the id of the
	// controller, or of a broker that forwards to it.
	DescribeCluster() (brokers []*Broker, controllerID int32, err error)

	// DescribeLogDirs returns the log directories of brokers. Ids that the client
	// does not know are only logged. With an error, it has those of the brokers
	// that answered.
	DescribeLogDirs(brokers []int32) (map[int32][]DescribeLogDirsResponseDirMetadata, error)

	// DescribeUserScramCredentials returns which SCRAM credentials users have, all
	// users where none is named. The error of a user is in its result.
	DescribeUserScramCredentials(users []string) ([]*DescribeUserScramCredentialsResult, error)

	// DeleteUserScramCredentials deletes SCRAM credentials. The error of a user is
	// in its result.
	DeleteUserScramCredentials(deletions []AlterUserScramCredentialsDelete) ([]*AlterUserScramCredentialsResult, error)

	// UpsertUserScramCredentials sets SCRAM credentials. Passwords do not leave the
	// client. The error of a user is in its result.
	UpsertUserScramCredentials(upsertions []AlterUserScramCredentialsUpsert) ([]*AlterUserScramCredentialsResult, error)

	// UpdateFeatures sets the levels of the cluster's features (KIP-584). The
	// error of a feature is in its result.
	UpdateFeatures(featureUpdates []FeatureUpdate) ([]UpdatableFeatureResult, error)

	// DescribeClientQuotas returns the quotas of the entities that match all
	// components and, where strict, have no others.
	DescribeClientQuotas(components []QuotaFilterComponent, strict bool) ([]DescribeClientQuotasEntry, error)

	// AlterClientQuotas sets or removes a quota of an entity.
	AlterClientQuotas(entity []QuotaEntityComponent, op ClientQuotasOp, validateOnly bool) error

	// Controller returns the controller, as Client.Controller does.
	Controller() (*Broker, error)

	// Coordinator returns the coordinator of a group, as Client.Coordinator does.
	Coordinator(group string) (*Broker, error)

	// RemoveMemberFromConsumerGroup removes static members from a group (KIP-345).
	// What became of each is in the response.
	RemoveMemberFromConsumerGroup(groupId string, groupInstanceIds []string) (*LeaveGroupResponse, error)

	// Close closes the client beneath, also one that was given to
	// NewClusterAdminFromClient. Calls under way end.
	Close() error
}

// TransactionClusterAdmin is what a ClusterAdmin of this package also is: it
// shows producers and transactions (KIP-664).
type TransactionClusterAdmin interface {
	ClusterAdmin

	// DescribeProducers returns the producers that partitions' leaders know of.
	// With an error, it has the partitions of the leaders that answered.
	DescribeProducers(topicPartitions map[string][]int32) (map[string]map[int32]DescribeProducersResponsePartition, error)

	// DescribeTransactions returns the states of transactional ids. With an error,
	// it has those of the coordinators that answered; the error of an id is in its
	// state.
	DescribeTransactions(transactionalIDs []string) (map[string]TransactionState, error)

	// ListTransactions returns the transactional ids in some states, of some
	// producers, with a transaction that has run for longer than a duration in
	// milliseconds; empty filters, and a negative duration, match all. A duration
	// needs Kafka 3.8.
	ListTransactions(stateFilters []string, producerIDFilters []int64, durationFilterMs int64) ([]ListTransactionsResponseTransactionState, error)
}

// ContextClusterAdmin is what a ClusterAdmin of this package also is: its calls
// can be given a context.
type ContextClusterAdmin interface {
	ClusterAdmin

	// WithContext returns the same admin, whose calls return with the context's
	// cause when the context ends. What brokers were asked may then still be done;
	// its answer is not waited for. Close closes both.
	WithContext(ctx context.Context) ClusterAdmin
}

// clusterAdmin keeps nothing of the cluster: each call finds its broker anew
// through the client.
type clusterAdmin struct {
	// constant
	client Client
	conf   *Config
	ctx    context.Context // of the calls
	end    *adminEnd       // shared by those with other contexts
}

// adminEnd is the end of an admin.
type adminEnd struct {
	once sync.Once
	done chan struct{} // closed by Close
}

// NewClusterAdmin connects to a cluster and finds its controller. A nil conf
// stands for NewConfig().
func NewClusterAdmin(addrs []string, conf *Config) (ClusterAdmin, error) {
	client, err := NewClient(addrs, conf)
	if err != nil {
		return nil, err
	}
	admin, err := NewClusterAdminFromClient(client)
	if err != nil {
		_ = client.Close()
	}
	return admin, err
}

// NewClusterAdminFromClient returns an admin that uses a client, and closes it
// in the end.
func NewClusterAdminFromClient(client Client) (ClusterAdmin, error) {
	if _, err := client.Controller(); err != nil {
		return nil, err
	}
	return &clusterAdmin{client: client, conf: client.Config(), ctx: context.Background(), end: &adminEnd{done: make(chan struct{})}}, nil
}

func (a *clusterAdmin) WithContext(ctx context.Context) ClusterAdmin {
	with := *a
	with.ctx = ctx
	return &with
}

func (a *clusterAdmin) Close() error {
	a.end.once.Do(func() { close(a.end.done) })
	return a.client.Close()
}

func (a *clusterAdmin) Controller() (*Broker, error) { return a.client.Controller() }

func (a *clusterAdmin) Coordinator(group string) (*Broker, error) {
	return a.client.Coordinator(group)
}

// adminTarget is whom a request is for.
type adminTarget struct {
	name  string
	find  func() (*Broker, error)
	moved []error      // answers of one that is no longer the target
	renew func() error // has find look for the target anew; nil where nobody can say
	reads bool         // nothing is changed by asking twice
}

func (a *clusterAdmin) controller() adminTarget {
	return adminTarget{
		name: "the controller", find: a.client.Controller, moved: []error{ErrNotController},
		renew: func() error {
			_, err := a.client.RefreshController()
			return err
		},
	}
}

// coordinatorMoved are answers of brokers that do not coordinate a group or
// transactional id, or not yet.
var coordinatorMoved = []error{ErrNotCoordinatorForConsumer, ErrConsumerCoordinatorNotAvailable, ErrOffsetsLoadInProgress}

func (a *clusterAdmin) groupCoordinator(group string) adminTarget {
	return adminTarget{
		name: "the coordinator of group " + group, moved: coordinatorMoved,
		find:  func() (*Broker, error) { return a.client.Coordinator(group) },
		renew: func() error { return a.client.RefreshCoordinator(group) },
	}
}

// anyBroker is the broker that has least to do.
func (a *clusterAdmin) anyBroker() adminTarget {
	return adminTarget{name: "a broker", reads: true, find: func() (*Broker, error) {
		if b := a.client.LeastLoadedBroker(); b != nil {
			return b, nil
		}
		return nil, ErrOutOfBrokers
	}}
}

// oneBroker is a broker that is known already.
func (a *clusterAdmin) oneBroker(id int32) adminTarget {
	return adminTarget{
		name: fmt.Sprintf("broker %d", id), reads: true,
		find: func() (*Broker, error) { return a.client.Broker(id) },
	}
}

// again reports whether an error may be gone when the target is asked once more.
func (to adminTarget) again(err error) bool {
	if isOneOf(err, to.moved...) || errors.Is(err, ErrThrottlingQuotaExceeded) { // the connection waits as long as told
		return true
	}
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		return to.reads
	}
	var code KError
	var garbled PacketDecodingError
	if errors.As(err, &code) || errors.As(err, &garbled) || isOneOf(err, ErrInsufficientData, ErrClosedClient) {
		return false
	}
	return retriable(err)
}

// adminCall asks a target until it has answered for good. What ask returns
// beside an error is returned with the last one.
func adminCall[R any](a *clusterAdmin, to adminTarget, ask func(*Broker) (R, error)) (R, error) {
	for left := a.conf.Admin.Retry.Max; ; left-- {
		found := false
		r, err := adminWithin(a, func() (R, error) {
			var none R
			b, err := to.find() // retries by itself
			if err != nil {
				return none, err
			}
			found = true
			return ask(b)
		})
		if err == nil || left <= 0 || a.ctx.Err() != nil || !found || !to.again(err) {
			return r, err
		}
		Logger.Printf("admin/request asking %s again in %v, %d attempts left: %v\n", to.name, a.conf.Admin.Retry.Backoff, left, err)
		if !a.pause() {
			if a.ctx.Err() != nil {
				err = fmt.Errorf("%w, after: %w", context.Cause(a.ctx), err)
			}
			return r, err
		}
		if to.renew != nil && isOneOf(err, to.moved...) {
			_, renewErr := adminWithin(a, func() (struct{}, error) { return struct{}{}, to.renew() })
			if renewErr != nil {
				return r, fmt.Errorf("%w; looking for %s again: %w", err, to.name, renewErr)
			}
		}
	}
}

// do is adminCall for what returns nothing but an error.
func (a *clusterAdmin) do(to adminTarget, ask func(*Broker) error) error {
	_, err := adminCall(a, to, func(b *Broker) (struct{}, error) { return struct{}{}, ask(b) })
	return err
}

// adminWithin makes a call that ends no later than the admin's context.
func adminWithin[R any](a *clusterAdmin, call func() (R, error)) (R, error) {
	if a.ctx.Done() == nil {
		return call()
	}
	return awaitCall(a.ctx, call, nil)
}

// pause waits for the backoff; it reports false when Close, or the end of the
// context, came first.
func (a *clusterAdmin) pause() bool {
	timer := time.NewTimer(max(a.conf.Admin.Retry.Backoff, 0))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-a.end.done:
	case <-a.ctx.Done():
	}
	return false
}

// side is one of several calls that go on at a time: a broker and its share.
type side[K comparable, V any] struct {
	key    K
	result V
	err    error
}

// allAtOnce runs a call for each key at the same time, and returns what they
// return in the order of the keys.
func allAtOnce[K comparable, V any](keys []K, call func(K) (V, error)) []side[K, V] {
	sides := make([]side[K, V], len(keys))
	var group sync.WaitGroup
	for i, key := range keys {
		sides[i].key, sides[i].err = key, errCallPanicked
		group.Go(func() {
			withRecover(func() { sides[i].result, sides[i].err = call(key) })
		})
	}
	group.Wait()
	return sides
}

// allBrokers are the ids of the brokers that the client knows.
func (a *clusterAdmin) allBrokers() []int32 {
	ids := make(map[int32]struct{})
	for _, b := range a.client.Brokers() {
		ids[b.ID()] = struct{}{}
	}
	return slices.Sorted(maps.Keys(ids))
}

// codeError is the error of a code, with the broker's message where there is
// one.
func codeError(code KError, message *string) error {
	if message == nil || *message == "" {
		return codeOnly(code)
	}
	return fmt.Errorf("%w: %s", code, *message)
}

// codeOnly is the error of a code, nil for ErrNoError.
func codeOnly(code KError) error {
	if code == ErrNoError {
		return nil
	}
	return code
}
