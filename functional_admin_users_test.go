package sarama_test

import (
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/IBM/sarama"
)

// aclText is a rule in one line.
func aclText(r sarama.Resource, a sarama.Acl) string {
	return fmt.Sprintf("%s %s %s: %s from %s %s %s", r.ResourceType.String(), r.ResourcePatternType.String(), r.ResourceName,
		a.Principal, a.Host, a.PermissionType.String(), a.Operation.String())
}

// wantACLs waits until a filter finds these rules.
func wantACLs(t *testing.T, a everyAdmin, filter sarama.AclFilter, want ...string) {
	t.Helper()
	slices.Sort(want)
	eventually(t, "rules", func() error {
		found, err := a.ListAcls(filter)
		if err != nil {
			return err
		}
		var got []string
		for _, r := range found {
			for _, acl := range r.Acls {
				got = append(got, aclText(r.Resource, *acl))
			}
		}
		if slices.Sort(got); !slices.Equal(got, want) {
			return fmt.Errorf("%q, want %q", got, want)
		}
		return nil
	})
}

// deleteACLs deletes what a filter finds, which are to be these rules.
func deleteACLs(t *testing.T, a everyAdmin, filter sarama.AclFilter, want ...string) {
	t.Helper()
	deleted, err := a.DeleteACL(filter, false)
	mustTxn(t, "DeleteACL", err)
	var gone []string
	for _, m := range deleted {
		gone = append(gone, aclText(m.Resource, m.Acl))
	}
	slices.Sort(want)
	if slices.Sort(gone); !slices.Equal(gone, want) {
		t.Errorf("deleted %q, want %q", gone, want)
	}
}

func adminACLs(t *testing.T, s *site, a everyAdmin) {
	name := s.topicName()
	filter := func(kind sarama.AclResourceType, name string, pattern sarama.AclResourcePatternType) sarama.AclFilter {
		return sarama.AclFilter{ResourceType: kind, ResourceName: &name, ResourcePatternTypeFilter: pattern,
			Operation: sarama.AclOperationAny, PermissionType: sarama.AclPermissionAny}
	}
	if _, err := a.ListAcls(filter(sarama.AclResourceAny, name, sarama.AclPatternAny)); errors.Is(err, sarama.ErrSecurityDisabled) {
		t.Skip("the cluster has no authorizer")
	}
	topic := func(name string, pattern sarama.AclResourcePatternType) sarama.Resource {
		return sarama.Resource{ResourceType: sarama.AclResourceTopic, ResourceName: name, ResourcePatternType: pattern}
	}
	rule := func(who, host string, op sarama.AclOperation, permission sarama.AclPermissionType) sarama.Acl {
		return sarama.Acl{Principal: who, Host: host, Operation: op, PermissionType: permission}
	}
	read := rule("User:"+name, "*", sarama.AclOperationRead, sarama.AclPermissionAllow)
	write := rule("User:"+name, "10.0.0.1", sarama.AclOperationWrite, sarama.AclPermissionDeny)
	other := rule("User:other-"+name, "*", sarama.AclOperationRead, sarama.AclPermissionAllow)
	literal, prefix, every := topic(name, sarama.AclPatternLiteral), topic(name[:len(name)-1], sarama.AclPatternPrefixed), topic("*", sarama.AclPatternLiteral)
	group := sarama.Resource{ResourceType: sarama.AclResourceGroup, ResourceName: name, ResourcePatternType: sarama.AclPatternLiteral}
	t.Cleanup(func() {
		mine := sarama.AclFilter{ResourceType: sarama.AclResourceAny, ResourcePatternTypeFilter: sarama.AclPatternAny, Principal: &read.Principal,
			Operation: sarama.AclOperationAny, PermissionType: sarama.AclPermissionAny}
		for _, who := range []string{read.Principal, other.Principal} {
			mine.Principal = &who
			_, err := a.DeleteACL(mine, false)
			mustTxn(t, "deleting all", err)
		}
	})
	mustTxn(t, "CreateACL", a.CreateACL(literal, read))
	mustTxn(t, "CreateACL again", a.CreateACL(literal, read))
	mustTxn(t, "CreateACLs", a.CreateACLs([]*sarama.ResourceAcls{
		{Resource: literal, Acls: []*sarama.Acl{&write, &other}}, {Resource: prefix, Acls: []*sarama.Acl{&write}},
		{Resource: every, Acls: []*sarama.Acl{&read}}, {Resource: group, Acls: []*sarama.Acl{&read}},
	}))
	lr, lw, lo, pw, er, gr := aclText(literal, read), aclText(literal, write), aclText(literal, other), aclText(prefix, write), aclText(every, read), aclText(group, read)
	by := func(change func(*sarama.AclFilter)) sarama.AclFilter {
		f := sarama.AclFilter{ResourceType: sarama.AclResourceAny, ResourcePatternTypeFilter: sarama.AclPatternAny, Principal: &read.Principal,
			Operation: sarama.AclOperationAny, PermissionType: sarama.AclPermissionAny}
		change(&f)
		return f
	}
	wantACLs(t, a, filter(sarama.AclResourceTopic, name, sarama.AclPatternLiteral), lr, lw, lo)
	wantACLs(t, a, filter(sarama.AclResourceTopic, name, sarama.AclPatternPrefixed))
	wantACLs(t, a, filter(sarama.AclResourceTopic, prefix.ResourceName, sarama.AclPatternPrefixed), pw)
	wantACLs(t, a, filter(sarama.AclResourceTopic, name, sarama.AclPatternAny), lr, lw, lo)
	wantACLs(t, a, filter(sarama.AclResourceAny, name, sarama.AclPatternAny), lr, lw, lo, gr)
	wantACLs(t, a, by(func(f *sarama.AclFilter) {}), lr, lw, pw, er, gr)
	wantACLs(t, a, by(func(f *sarama.AclFilter) {
		f.ResourceType, f.ResourceName, f.ResourcePatternTypeFilter = sarama.AclResourceTopic, &name, sarama.AclPatternMatch
	}), lr, lw, pw, er)
	wantACLs(t, a, by(func(f *sarama.AclFilter) { f.Host = &write.Host }), lw, pw)
	wantACLs(t, a, by(func(f *sarama.AclFilter) { f.Operation = sarama.AclOperationRead }), lr, er, gr)
	wantACLs(t, a, by(func(f *sarama.AclFilter) { f.PermissionType = sarama.AclPermissionDeny }), lw, pw)
	wantACLs(t, a, by(func(f *sarama.AclFilter) { f.Principal = &other.Principal }), lo)

	deleteACLs(t, a, by(func(f *sarama.AclFilter) { f.PermissionType = sarama.AclPermissionDeny }), lw, pw)
	wantACLs(t, a, by(func(f *sarama.AclFilter) {}), lr, er, gr)
	bad := read
	bad.Principal = "nobody"
	half := []*sarama.ResourceAcls{{Resource: group, Acls: []*sarama.Acl{&bad, &write}}}
	wantRefused(t, refused{"a principal without a type", a.CreateACLs(half), []error{sarama.ErrCreateACLs, sarama.ErrInvalidRequest}, nil, ""})
	wantACLs(t, a, filter(sarama.AclResourceGroup, name, sarama.AclPatternLiteral), gr, aclText(group, write)) // the good one is there
}

// quotaEntity is a user's client, or either; "default" stands for those without
// a quota of their own.
func quotaEntity(user, client string) (list []sarama.QuotaEntityComponent) {
	for kind, name := range map[sarama.QuotaEntityType]string{sarama.QuotaEntityUser: user, sarama.QuotaEntityClientID: client} {
		switch name {
		case "":
		case "default":
			list = append(list, sarama.QuotaEntityComponent{EntityType: kind, MatchType: sarama.QuotaMatchDefault})
		default:
			list = append(list, sarama.QuotaEntityComponent{EntityType: kind, MatchType: sarama.QuotaMatchExact, Name: name})
		}
	}
	return list
}

func userFilter(match sarama.QuotaMatchType, name string) sarama.QuotaFilterComponent {
	return sarama.QuotaFilterComponent{EntityType: sarama.QuotaEntityUser, MatchType: match, Match: name}
}

func clientFilter(match sarama.QuotaMatchType, name string) sarama.QuotaFilterComponent {
	return sarama.QuotaFilterComponent{EntityType: sarama.QuotaEntityClientID, MatchType: match, Match: name}
}

const rate = "producer_byte_rate"

func adminQuotas(t *testing.T, s *site, a everyAdmin) {
	name := s.topicName()
	set := func(user, client, key string, value float64) error {
		return a.AlterClientQuotas(quotaEntity(user, client), sarama.ClientQuotasOp{Key: key, Value: value}, false)
	}
	other := "other-" + name
	all := [][2]string{{name, ""}, {name, "default"}, {name, "client"}, {other, "client"}, {"", name}}
	for i, e := range all {
		mustTxn(t, "AlterClientQuotas", set(e[0], e[1], rate, float64(1000*(i+1))))
	}
	t.Cleanup(func() {
		for _, e := range all {
			for _, key := range []string{rate, "request_percentage"} {
				mustTxn(t, "removing", a.AlterClientQuotas(quotaEntity(e[0], e[1]), sarama.ClientQuotasOp{Key: key, Remove: true}, false))
			}
		}
	})
	mustTxn(t, "a second quota", set(name, "", "request_percentage", 50.5))
	mustTxn(t, "only to validate", a.AlterClientQuotas(quotaEntity(name, ""), sarama.ClientQuotasOp{Key: "consumer_byte_rate", Value: 7}, true))

	wantQuotas(t, a, name)
	mine := []sarama.QuotaFilterComponent{userFilter(sarama.QuotaMatchExact, name)}
	entries, err := a.DescribeClientQuotas(mine, true)
	if err != nil || len(entries) != 1 || !reflect.DeepEqual(entries[0].Entity, quotaEntity(name, "")) ||
		!reflect.DeepEqual(entries[0].Values, map[string]float64{rate: 1000, "request_percentage": 50.5}) {
		t.Errorf("%+v, %v", entries, err)
	}
	mustTxn(t, "removing", a.AlterClientQuotas(quotaEntity(name, ""), sarama.ClientQuotasOp{Key: rate, Remove: true}, false))
	eventually(t, "the quota's end", func() error {
		entries, err := a.DescribeClientQuotas(mine, true)
		if err != nil || len(entries) != 1 || len(entries[0].Values) != 1 {
			return fmt.Errorf("%+v, %w", entries, err)
		}
		return nil
	})
	adminQuotaRefusals(t, a, name)
}

// wantQuotas waits until filters find the quotas of adminQuotas.
func wantQuotas(t *testing.T, a everyAdmin, name string) {
	t.Helper()
	exact, byDefault, every := sarama.QuotaMatchExact, sarama.QuotaMatchDefault, sarama.QuotaMatchAny
	of := func(values ...float64) []float64 { return values }
	for _, c := range []struct {
		filter []sarama.QuotaFilterComponent
		strict bool
		want   []float64 // rates of the entities of this test
	}{
		{[]sarama.QuotaFilterComponent{userFilter(exact, name)}, false, of(1000, 2000, 3000)},
		{[]sarama.QuotaFilterComponent{userFilter(exact, name)}, true, of(1000)},
		{[]sarama.QuotaFilterComponent{userFilter(exact, name), clientFilter(byDefault, "")}, true, of(2000)},
		{[]sarama.QuotaFilterComponent{userFilter(every, ""), clientFilter(exact, "client")}, true, of(3000, 4000)},
		{[]sarama.QuotaFilterComponent{userFilter(every, ""), clientFilter(every, "")}, false, of(2000, 3000, 4000)},
		{[]sarama.QuotaFilterComponent{clientFilter(exact, name)}, true, of(5000)},
		{[]sarama.QuotaFilterComponent{clientFilter(every, "")}, true, of(5000)},
		{[]sarama.QuotaFilterComponent{userFilter(byDefault, "")}, false, nil},
		{nil, false, of(1000, 2000, 3000, 4000, 5000)},
	} {
		eventually(t, "quotas", func() error {
			entries, err := a.DescribeClientQuotas(c.filter, c.strict)
			if err != nil {
				return err
			}
			var got []float64
			for _, e := range entries {
				if strings.Contains(fmt.Sprint(e.Entity), name) {
					got = append(got, e.Values[rate])
				}
			}
			if slices.Sort(got); !slices.Equal(got, c.want) {
				return fmt.Errorf("%+v, strict %v: %v, want %v", c.filter, c.strict, got, c.want)
			}
			return nil
		})
	}
}

func adminQuotaRefusals(t *testing.T, a everyAdmin, user string) {
	t.Helper()
	every := sarama.QuotaMatchAny
	set := func(key string, value float64) error {
		return a.AlterClientQuotas(quotaEntity(user, ""), sarama.ClientQuotasOp{Key: key, Value: value}, false)
	}
	_, twice := a.DescribeClientQuotas([]sarama.QuotaFilterComponent{userFilter(every, ""), userFilter(every, "")}, false)
	_, unknown := a.DescribeClientQuotas([]sarama.QuotaFilterComponent{{EntityType: "group", MatchType: every}}, false)
	wantRefused(t,
		refused{"an unknown quota", set("colour", 1), []error{sarama.ErrInvalidRequest}, nil, "colour"},
		refused{"a negative one", set(rate, -1), []error{sarama.ErrInvalidRequest}, nil, "must be greater than 0"},
		refused{"a fraction", set(rate, 1.5), []error{sarama.ErrInvalidRequest}, nil, "fractional"},
		refused{"nobody", a.AlterClientQuotas(nil, sarama.ClientQuotasOp{Key: rate, Value: 1}, false), []error{sarama.ErrInvalidRequest}, nil, "empty client quota entity"},
		refused{"a part twice", twice, []error{sarama.ErrInvalidRequest}, nil, "more than once"},
		refused{"an unknown part", unknown, []error{sarama.ErrUnsupportedVersion}, nil, "group"},
	)
}

func adminScram(t *testing.T, s *site, a everyAdmin) {
	name, other := s.topicName(), s.topicName()
	upsert := func(user string, mechanism sarama.ScramMechanismType, iterations int32) sarama.AlterUserScramCredentialsUpsert {
		return sarama.AlterUserScramCredentialsUpsert{Name: user, Mechanism: mechanism, Iterations: iterations, Salt: []byte("salt"), Password: []byte("secret")}
	}
	// code is what is said of a user.
	code := func(results []*sarama.AlterUserScramCredentialsResult, err error, user string) sarama.KError {
		t.Helper()
		mustTxn(t, "credentials", err)
		i := slices.IndexFunc(results, func(r *sarama.AlterUserScramCredentialsResult) bool { return r.User == user })
		if i < 0 {
			t.Fatalf("nothing is said of %s: %+v", user, results)
		}
		if r := results[i]; r.ErrorCode != sarama.ErrNoError && (r.ErrorMessage == nil || *r.ErrorMessage == "") {
			t.Errorf("%+v", r)
		}
		return results[i].ErrorCode
	}
	wantCode := func(got, want sarama.KError) {
		t.Helper()
		if got != want {
			t.Errorf("%v, want %v", got, want)
		}
	}
	want := func(user string, iterations map[sarama.ScramMechanismType]int32) {
		t.Helper()
		eventually(t, "credentials of "+user, func() error {
			results, err := a.DescribeUserScramCredentials([]string{user})
			if err != nil || len(results) != 1 || results[0].User != user {
				return fmt.Errorf("%+v, %w", results, err)
			}
			if missing := results[0].ErrorCode == sarama.ErrResourceNotFound; missing != (len(iterations) == 0) || len(results[0].CredentialInfos) != len(iterations) {
				return fmt.Errorf("%+v", results[0])
			}
			for _, i := range results[0].CredentialInfos {
				if iterations[i.Mechanism] != i.Iterations {
					return fmt.Errorf("%+v", i)
				}
			}
			return nil
		})
	}
	r, err := a.UpsertUserScramCredentials([]sarama.AlterUserScramCredentialsUpsert{upsert(name, sarama.SCRAM_MECHANISM_SHA_256, 4096), upsert(other, sarama.SCRAM_MECHANISM_SHA_256, 1)})
	wantCode(code(r, err, name), sarama.ErrNoError)
	wantCode(code(r, err, other), sarama.ErrUnacceptableCredential)
	want(name, map[sarama.ScramMechanismType]int32{sarama.SCRAM_MECHANISM_SHA_256: 4096})
	want(other, nil)
	r, err = a.UpsertUserScramCredentials([]sarama.AlterUserScramCredentialsUpsert{upsert(name, sarama.SCRAM_MECHANISM_SHA_512, 8192)})
	wantCode(code(r, err, name), sarama.ErrNoError)
	want(name, map[sarama.ScramMechanismType]int32{sarama.SCRAM_MECHANISM_SHA_256: 4096, sarama.SCRAM_MECHANISM_SHA_512: 8192})
	all, err := a.DescribeUserScramCredentials(nil)
	if err != nil || !slices.ContainsFunc(all, func(r *sarama.DescribeUserScramCredentialsResult) bool { return r.User == name }) {
		t.Errorf("%+v, %v", all, err)
	}
	r, err = a.UpsertUserScramCredentials([]sarama.AlterUserScramCredentialsUpsert{upsert(name, sarama.SCRAM_MECHANISM_SHA_512, 5000), upsert(name, sarama.SCRAM_MECHANISM_SHA_256, 5000)})
	wantCode(code(r, err, name), sarama.ErrDuplicateResource)
	for _, mechanism := range []sarama.ScramMechanismType{sarama.SCRAM_MECHANISM_SHA_256, sarama.SCRAM_MECHANISM_SHA_512} {
		r, err = a.DeleteUserScramCredentials([]sarama.AlterUserScramCredentialsDelete{{Name: name, Mechanism: mechanism}, {Name: other, Mechanism: mechanism}})
		wantCode(code(r, err, name), sarama.ErrNoError)
		wantCode(code(r, err, other), sarama.ErrResourceNotFound)
	}
	want(name, nil)
	if _, err := a.UpsertUserScramCredentials([]sarama.AlterUserScramCredentialsUpsert{upsert(name, 9, 4096)}); err == nil {
		t.Error("an unknown mechanism has left the client")
	}
}

// finalized is a feature that the cluster has, and its level.
func (s *site) finalized(t *testing.T, a everyAdmin) (feature sarama.FinalizedFeatureKey) {
	t.Helper()
	b, err := a.Controller()
	mustTxn(t, "Controller", err)
	resp, err := b.ApiVersions(&sarama.ApiVersionsRequest{Version: 3, ClientSoftwareName: "test", ClientSoftwareVersion: "1"})
	mustTxn(t, "ApiVersions", err)
	if len(resp.FinalizedFeatures) == 0 {
		t.Skip("the cluster has no features")
	}
	return slices.MaxFunc(resp.FinalizedFeatures, func(a, b sarama.FinalizedFeatureKey) int { return cmp.Compare(a.Name, b.Name) })
}

func adminFeatures(t *testing.T, s *site, a everyAdmin) {
	has := s.finalized(t, a)
	update := func(name string, level int16) error {
		results, err := a.UpdateFeatures([]sarama.FeatureUpdate{{Feature: name, MaxVersionLevel: level}})
		for _, r := range results {
			if r.Feature != name {
				t.Errorf("%+v", r)
			}
			if r.ErrorCode != sarama.ErrNoError && err == nil {
				err = fmt.Errorf("%w: %s", r.ErrorCode, *r.ErrorMessage)
			}
		}
		return err
	}
	mustTxn(t, "the level that it has", update(has.Name, has.MaxVersionLevel))
	if now := s.finalized(t, a); now != has {
		t.Errorf("%+v has become %+v", has, now)
	}
	wantRefused(t,
		refused{"an unknown feature", update("no.such.feature", 1), []error{sarama.ErrInvalidUpdateVersion}, nil, "no.such.feature"},
		refused{"too high a level", update(has.Name, 1000), []error{sarama.ErrInvalidUpdateVersion}, nil, has.Name},
		refused{"a lower level", update(has.Name, has.MaxVersionLevel-1), []error{sarama.ErrInvalidUpdateVersion}, nil, has.Name},
		refused{"no level", update(has.Name, -1), []error{sarama.ErrInvalidUpdateVersion}, nil, "cannot be less than 0"},
	)
	if now := s.finalized(t, a); now != has {
		t.Errorf("%+v has become %+v", has, now)
	}
}

func adminCluster(t *testing.T, s *site, a everyAdmin) {
	brokers, controller, err := a.DescribeCluster()
	if err != nil || len(brokers) < s.brokers || !slices.ContainsFunc(brokers, func(b *sarama.Broker) bool { return b.ID() == controller }) {
		t.Fatalf("%v, %d, %v", brokers, controller, err)
	}
	c := s.client(t, nil)
	for _, b := range brokers {
		known, err := c.Broker(b.ID())
		if err != nil || known.Addr() != b.Addr() || known.Rack() != b.Rack() {
			t.Errorf("broker %d is at %s, %v", b.ID(), b.Addr(), err)
		}
		if open, _ := b.Connected(); open {
			t.Errorf("broker %d is open", b.ID())
		}
	}
	b, err := a.Controller()
	if err != nil || !slices.ContainsFunc(brokers, func(o *sarama.Broker) bool { return o.ID() == b.ID() }) {
		t.Errorf("%v, %v", b, err)
	}
	eventually(t, "a coordinator", func() error {
		b, err := a.Coordinator(s.group(t))
		if err == nil && !slices.ContainsFunc(brokers, func(o *sarama.Broker) bool { return o.ID() == b.ID() }) {
			err = fmt.Errorf("%v", b)
		}
		return err
	})
	closed, err := sarama.NewClusterAdmin(s.addrs, s.config())
	mustTxn(t, "NewClusterAdmin", err)
	mustTxn(t, "Close", closed.Close())
	if _, _, err := closed.DescribeCluster(); !errors.Is(err, sarama.ErrClosedClient) {
		t.Error(err)
	}
}

func adminLogDirs(t *testing.T, s *site, a everyAdmin) {
	assignment := s.spread(t, a, 2, 2)
	topic := createAssigned(t, a, assignment, nil)
	conf := s.config()
	conf.Producer.Partitioner = sarama.NewManualPartitioner
	const bytes = 100_000
	s.produce(t, conf, []*sarama.ProducerMessage{{Topic: topic, Partition: 0, Value: sarama.StringEncoder(strings.Repeat("x", bytes))}})
	var ids []int32
	brokers, _, err := a.DescribeCluster()
	mustTxn(t, "DescribeCluster", err)
	for _, b := range brokers {
		ids = append(ids, b.ID())
	}
	eventually(t, "the sizes of logs", func() error {
		dirs, err := a.DescribeLogDirs(append(ids, 99))
		if err != nil || len(dirs) != len(ids) {
			return fmt.Errorf("%d brokers, %w", len(dirs), err)
		}
		for _, id := range ids {
			has := make(map[int32]int64)
			for _, dir := range dirs[id] {
				if dir.ErrorCode != sarama.ErrNoError || dir.Path == "" || dir.TotalBytes < -1 || dir.UsableBytes > dir.TotalBytes {
					return fmt.Errorf("%+v", dir)
				}
				for _, d := range dir.Topics {
					for _, p := range d.Partitions {
						if d.Topic == topic && !p.IsTemporary && p.OffsetLag == 0 {
							has[p.PartitionID] = p.Size
						}
					}
				}
			}
			for i, replicas := range assignment {
				size, ok := has[int32(i)]
				if ok != slices.Contains(replicas, id) || ok && (i == 0 && (size < bytes || size > bytes+1000) || i == 1 && size != 0) {
					return fmt.Errorf("broker %d has %v, %d bytes of partition %d on %v", id, ok, size, i, replicas)
				}
			}
		}
		return nil
	})
}
