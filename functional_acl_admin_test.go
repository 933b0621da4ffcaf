package sarama_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/IBM/sarama"
)

// aclCall is something that an administrator asks for, and the rights that it
// takes.
type aclCall struct {
	name   string
	do     func(a everyAdmin) error
	want   error // without the rights
	rights []right
	then   error // with them: nil, or what is wrong with the call beside rights
}

// aclThings are what the calls are about.
type aclThings struct {
	topic, group, id string
	broker           int32
}

// aclAdmin asks for everything that needs a right, without and with it.
func aclAdmin(t *testing.T, u *aclUser) {
	things := aclThings{topic: u.ownTopic(1), group: "acl-" + u.group(t), id: "acl-" + u.group(t)}
	brokers, _, err := u.admin.DescribeCluster()
	mustTxn(t, "DescribeCluster", err)
	things.broker = brokers[0].ID()
	things.use(t, u)
	for _, calls := range [][]aclCall{things.topicCalls(u), things.groupCalls(), things.clusterCalls(u), things.txnCalls()} {
		for _, c := range calls {
			t.Run(c.name, func(t *testing.T) {
				// A user of its own: rights that were given for another call do
				// not count.
				user := u.k.newUser(t)
				conf := user.config()
				a, err := sarama.NewClusterAdmin(user.addrs, conf)
				mustTxn(t, "NewClusterAdmin", err)
				defer closeIt(t, a)
				begin := time.Now()
				n := requestsSent(conf, func() { err = c.do(a.(everyAdmin)) })
				t.Logf("after %v, %d requests: %v", time.Since(begin).Round(time.Millisecond), n, err)
				wantIs(t, "without the right", err, c.want)
				if n > 8 {
					t.Errorf("%d requests", n)
				}
				user.allow(c.rights...)
				if err := c.do(a.(everyAdmin)); c.then == nil && err != nil || !errors.Is(seen(err), c.then) {
					t.Errorf("with the right: %v, want %v", err, c.then)
				}
			})
		}
	}
}

// use has somebody with all rights leave a group, offsets and a transactional
// id.
func (x aclThings) use(t *testing.T, u *aclUser) {
	t.Helper()
	conf := u.k.config()
	conf.Producer.Idempotent, conf.Producer.Transaction.ID, conf.Net.MaxOpenRequests = true, x.id, 1
	p := u.k.txnProducer(t, conf)
	mustTxn(t, "BeginTxn", p.BeginTxn())
	sendAll(t, p, x.topic, 1, "a", "b", "c")
	mustTxn(t, "CommitTxn", p.CommitTxn())
	resp, err := u.admin.AlterConsumerGroupOffsets(x.group, map[string]map[int32]sarama.OffsetAndMetadata{x.topic: {0: {Offset: 1}}}, nil)
	mustTxn(t, "AlterConsumerGroupOffsets", firstOf(resp, err))
}

// firstOf is the first error of a commit.
func firstOf(resp *sarama.OffsetCommitResponse, err error) error {
	if err != nil {
		return err
	}
	for _, partitions := range resp.Errors {
		for _, code := range partitions {
			if code != sarama.ErrNoError {
				return code
			}
		}
	}
	return nil
}

func (x aclThings) topicCalls(u *aclUser) []aclCall {
	fresh := "acl-" + u.k.topicName()
	detail := &sarama.TopicDetail{NumPartitions: 1, ReplicationFactor: 1}
	doomed := u.ownTopic(1)
	value := "60000"
	no := sarama.ErrTopicAuthorizationFailed
	on := func(op sarama.AclOperation) []right { return []right{onTopic(x.topic, op)} }
	return []aclCall{
		{"CreateTopic", func(a everyAdmin) error { return a.CreateTopic(fresh, detail, false) }, no, []right{onTopic(fresh, sarama.AclOperationCreate)}, nil},
		{"CreateTopic by a right to the cluster", func(a everyAdmin) error { return a.CreateTopic(fresh+"-2", detail, false) }, no,
			[]right{onCluster(sarama.AclOperationCreate)}, nil},
		{"DeleteTopic", func(a everyAdmin) error { return a.DeleteTopic(doomed) }, no, []right{onTopic(doomed, sarama.AclOperationDelete)}, nil},
		{"CreatePartitions", func(a everyAdmin) error { return a.CreatePartitions(x.topic, 2, nil, true) }, no, on(sarama.AclOperationAlter), nil},
		{"DescribeTopics", func(a everyAdmin) error {
			topics, err := a.DescribeTopics([]string{x.topic})
			if err == nil && topics[0].Err != sarama.ErrNoError {
				err = topics[0].Err
			}
			return err
		}, no, on(sarama.AclOperationDescribe), nil},
		{"DeleteRecords", func(a everyAdmin) error { return a.DeleteRecords(x.topic, map[int32]int64{0: 1}) }, no, on(sarama.AclOperationDelete), nil},
		{"ListOffsets", func(a everyAdmin) error {
			r, err := a.ListOffsets(map[string]map[int32]int64{x.topic: {0: sarama.OffsetNewest}}, nil)
			if err == nil && r[x.topic][0].Err != sarama.ErrNoError {
				err = r[x.topic][0].Err
			}
			return err
		}, no, on(sarama.AclOperationDescribe), nil},
		{"DescribeConfig of a topic", func(a everyAdmin) error {
			_, err := a.DescribeConfig(sarama.ConfigResource{Type: sarama.TopicResource, Name: x.topic})
			return err
		}, no, on(sarama.AclOperationDescribeConfigs), nil},
		{"AlterConfig of a topic", func(a everyAdmin) error {
			return a.AlterConfig(sarama.TopicResource, x.topic, map[string]*string{"retention.ms": &value}, true)
		}, no, on(sarama.AclOperationAlterConfigs), nil},
		{"IncrementalAlterConfig of a topic", func(a everyAdmin) error {
			return a.IncrementalAlterConfig(sarama.TopicResource, x.topic, change(sarama.IncrementalAlterConfigsOperationSet, "retention.ms", value), true)
		}, no, on(sarama.AclOperationAlterConfigs), nil},
		{"DescribeProducers", func(a everyAdmin) error {
			r, err := a.DescribeProducers(map[string][]int32{x.topic: {0}})
			if err == nil && r[x.topic][0].ErrorCode != sarama.ErrNoError {
				err = r[x.topic][0].ErrorCode
			}
			return err
		}, no, on(sarama.AclOperationRead), nil},
	}
}

func (x aclThings) groupCalls() []aclCall {
	no := sarama.ErrGroupAuthorizationFailed
	on := func(op sarama.AclOperation) []right { return []right{onGroup(x.group, op)} }
	at := map[string]map[int32]sarama.OffsetAndMetadata{x.topic: {0: {Offset: 2}}}
	read := onTopic(x.topic, sarama.AclOperationRead)
	return []aclCall{
		{"Coordinator", func(a everyAdmin) error { _, err := a.Coordinator(x.group); return err }, no, on(sarama.AclOperationDescribe), nil},
		{"DescribeConsumerGroups", func(a everyAdmin) error {
			groups, err := a.DescribeConsumerGroups([]string{x.group})
			if err == nil && groups[0].Err != sarama.ErrNoError {
				err = groups[0].Err
			}
			return err
		}, no, on(sarama.AclOperationDescribe), nil},
		{"ListConsumerGroupOffsets", func(a everyAdmin) error {
			r, err := a.ListConsumerGroupOffsets(x.group, map[string][]int32{x.topic: {0}})
			if err == nil && r.Err != sarama.ErrNoError {
				err = r.Err
			}
			if err == nil && r.GetBlock(x.topic, 0).Err != sarama.ErrNoError {
				err = r.GetBlock(x.topic, 0).Err
			}
			return err
		}, no, append(on(sarama.AclOperationDescribe), onTopic(x.topic, sarama.AclOperationDescribe)), nil},
		{"AlterConsumerGroupOffsets", func(a everyAdmin) error { return firstOf(a.AlterConsumerGroupOffsets(x.group, at, nil)) }, no,
			append(on(sarama.AclOperationRead), read), nil},
		{"AlterConsumerGroupOffsets without the topic", func(a everyAdmin) error {
			return firstOf(a.AlterConsumerGroupOffsets(x.group, at, nil))
		}, no, on(sarama.AclOperationRead), sarama.ErrTopicAuthorizationFailed},
		{"RemoveMemberFromConsumerGroup", func(a everyAdmin) error {
			r, err := a.RemoveMemberFromConsumerGroup(x.group, []string{"nobody"})
			if err == nil && r.Err != sarama.ErrNoError {
				err = r.Err
			}
			for i := 0; err == nil && i < len(r.Members); i++ {
				if r.Members[i].Err != sarama.ErrNoError {
					err = r.Members[i].Err
				}
			}
			return err
		}, no, on(sarama.AclOperationRead), sarama.ErrUnknownMemberId},
		{"DeleteConsumerGroupOffset", func(a everyAdmin) error { return a.DeleteConsumerGroupOffset(x.group, x.topic, 0) }, no,
			append(on(sarama.AclOperationDelete), read), nil},
		{"DeleteConsumerGroup", func(a everyAdmin) error { return a.DeleteConsumerGroup(x.group) }, no, on(sarama.AclOperationDelete), nil},
	}
}

func (x aclThings) clusterCalls(u *aclUser) []aclCall {
	no := sarama.ErrClusterAuthorizationFailed
	on := func(op sarama.AclOperation) []right { return []right{onCluster(op)} }
	resource := sarama.Resource{ResourceType: sarama.AclResourceTopic, ResourceName: x.topic, ResourcePatternType: sarama.AclPatternLiteral}
	acl := sarama.Acl{Principal: "User:CN=nobody-" + u.k.topicName(), Host: "*", Operation: sarama.AclOperationRead, PermissionType: sarama.AclPermissionAllow}
	filter := sarama.AclFilter{ResourceType: sarama.AclResourceTopic, ResourceName: &x.topic, ResourcePatternTypeFilter: sarama.AclPatternLiteral,
		Principal: &acl.Principal, Operation: sarama.AclOperationRead, PermissionType: sarama.AclPermissionAllow}
	upsert := []sarama.AlterUserScramCredentialsUpsert{{Name: "acl-" + u.k.topicName(), Mechanism: sarama.SCRAM_MECHANISM_SHA_256, Iterations: 4096,
		Salt: []byte("salt"), Password: []byte(newSecret("acl-"))}}
	entity := quotaEntity("acl-"+u.k.topicName(), "")
	broker := fmt.Sprint(x.broker)
	return []aclCall{
		{"CreateACL", func(a everyAdmin) error { return a.CreateACL(resource, acl) }, no, on(sarama.AclOperationAlter), nil},
		{"CreateACLs", func(a everyAdmin) error {
			return a.CreateACLs([]*sarama.ResourceAcls{{Resource: resource, Acls: []*sarama.Acl{&acl}}})
		}, no, on(sarama.AclOperationAlter), nil},
		{"ListAcls", func(a everyAdmin) error { _, err := a.ListAcls(filter); return err }, no, on(sarama.AclOperationDescribe), nil},
		{"DeleteACL", func(a everyAdmin) error { _, err := a.DeleteACL(filter, false); return err }, no, on(sarama.AclOperationAlter), nil},
		{"DescribeConfig of a broker", func(a everyAdmin) error {
			_, err := a.DescribeConfig(sarama.ConfigResource{Type: sarama.BrokerResource, Name: broker})
			return err
		}, no, on(sarama.AclOperationDescribeConfigs), nil},
		{"IncrementalAlterConfig of a broker", func(a everyAdmin) error {
			return a.IncrementalAlterConfig(sarama.BrokerResource, broker, change(sarama.IncrementalAlterConfigsOperationSet, "log.cleaner.threads", "1"), true)
		}, no, on(sarama.AclOperationAlterConfigs), nil},
		{"DescribeLogDirs", func(a everyAdmin) error {
			dirs, err := a.DescribeLogDirs([]int32{x.broker})
			if err == nil && len(dirs[x.broker]) == 0 {
				err = errors.New("no directories")
			}
			return err
		}, no, on(sarama.AclOperationDescribe), nil},
		{"AlterPartitionReassignments", func(a everyAdmin) error {
			return a.AlterPartitionReassignments(x.topic, [][]int32{{x.broker}})
		}, no, on(sarama.AclOperationAlter), nil},
		{"ListPartitionReassignments", func(a everyAdmin) error {
			_, err := a.ListPartitionReassignments(x.topic, []int32{0})
			return err
		}, no, on(sarama.AclOperationDescribe), nil},
		{"ElectLeaders", func(a everyAdmin) error {
			r, err := a.ElectLeaders(sarama.PreferredElection, map[string][]int32{x.topic: {0}})
			if err == nil && r[x.topic][0].ErrorCode != sarama.ErrNoError {
				err = r[x.topic][0].ErrorCode
			}
			return err
		}, no, on(sarama.AclOperationAlter), sarama.ErrElectionNotNeeded},
		{"DescribeUserScramCredentials", func(a everyAdmin) error {
			_, err := a.DescribeUserScramCredentials([]string{"scram"})
			return err
		}, no, on(sarama.AclOperationDescribe), nil},
		{"UpsertUserScramCredentials", func(a everyAdmin) error { return scramRefused(a.UpsertUserScramCredentials(upsert)) }, no,
			on(sarama.AclOperationAlter), nil},
		{"DeleteUserScramCredentials", func(a everyAdmin) error {
			return scramRefused(a.DeleteUserScramCredentials([]sarama.AlterUserScramCredentialsDelete{{Name: upsert[0].Name, Mechanism: upsert[0].Mechanism}}))
		}, no, on(sarama.AclOperationAlter), nil},
		{"DescribeClientQuotas", func(a everyAdmin) error { _, err := a.DescribeClientQuotas(nil, false); return err }, no,
			on(sarama.AclOperationDescribeConfigs), nil},
		{"AlterClientQuotas", func(a everyAdmin) error {
			return a.AlterClientQuotas(entity, sarama.ClientQuotasOp{Key: rate, Value: 1000}, true)
		}, no, on(sarama.AclOperationAlterConfigs), nil},
		{"UpdateFeatures", func(a everyAdmin) error {
			_, err := a.UpdateFeatures([]sarama.FeatureUpdate{{Feature: "no.such.feature", MaxVersionLevel: 1}})
			return err
		}, no, on(sarama.AclOperationAlter), sarama.ErrInvalidUpdateVersion},
	}
}

func (x aclThings) txnCalls() []aclCall {
	return []aclCall{{"DescribeTransactions", func(a everyAdmin) error {
		r, err := a.DescribeTransactions([]string{x.id})
		if err == nil && r[x.id].ErrorCode != sarama.ErrNoError {
			err = r[x.id].ErrorCode
		}
		return err
	}, sarama.ErrTransactionalIDAuthorizationFailed, []right{onID(x.id, sarama.AclOperationDescribe)}, nil}}
}
