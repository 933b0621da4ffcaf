package fakekafka_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/IBM/sarama"
	"github.com/IBM/sarama/fakekafka"
)

func TestApiVersionsOfReleases(t *testing.T) {
	type r = [2]int16
	for _, test := range []struct {
		version sarama.KafkaVersion
		highest map[fakekafka.API]int16
		want    map[fakekafka.API]r
		not     []fakekafka.API
	}{
		{version: sarama.V0_10_0_0, want: map[fakekafka.API]r{fakekafka.Produce: {0, 2}, fakekafka.Fetch: {0, 2}, fakekafka.Metadata: {0, 1},
			fakekafka.ListOffsets: {0, 0}, fakekafka.FindCoordinator: {0, 0}, fakekafka.SaslHandshake: {0, 0}, fakekafka.ApiVersions: {0, 0}},
			not: []fakekafka.API{fakekafka.CreateTopics, fakekafka.InitProducerID}},
		{version: sarama.V0_10_1_0, want: map[fakekafka.API]r{fakekafka.Produce: {0, 2}, fakekafka.Fetch: {0, 3}, fakekafka.Metadata: {0, 2},
			fakekafka.ListOffsets: {0, 1}, fakekafka.CreateTopics: {0, 0}, fakekafka.DeleteTopics: {0, 0}}},
		{version: sarama.V0_10_2_0, want: map[fakekafka.API]r{fakekafka.CreateTopics: {0, 1}}},
		{version: sarama.V0_11_0_0, want: map[fakekafka.API]r{fakekafka.Produce: {0, 3}, fakekafka.Fetch: {0, 5}, fakekafka.Metadata: {0, 4}, fakekafka.ApiVersions: {0, 1}},
			not: []fakekafka.API{fakekafka.SaslAuthenticate}},
		{version: sarama.V2_8_0_0, want: map[fakekafka.API]r{fakekafka.Produce: {0, 9}, fakekafka.Fetch: {0, 12}, fakekafka.Metadata: {0, 11}, fakekafka.ApiVersions: {0, 3}, fakekafka.SaslHandshake: {0, 1}}},
		{version: sarama.V3_9_1_0, want: map[fakekafka.API]r{fakekafka.Produce: {0, 11}, fakekafka.Fetch: {0, 17}, fakekafka.ListOffsets: {0, 9}, fakekafka.CreateTopics: {0, 7}}},
		{version: sarama.V4_3_0_0, want: map[fakekafka.API]r{fakekafka.Produce: {3, 13}, fakekafka.Fetch: {4, 18}, fakekafka.ListOffsets: {1, 11},
			fakekafka.Metadata: {0, 13}, fakekafka.FindCoordinator: {0, 6}, fakekafka.CreateTopics: {2, 7}, fakekafka.DeleteTopics: {1, 6},
			fakekafka.SaslHandshake: {0, 1}, fakekafka.SaslAuthenticate: {0, 2}, fakekafka.ApiVersions: {0, 4}, fakekafka.InitProducerID: {0, 5}}},
		{highest: map[fakekafka.API]int16{fakekafka.Fetch: 6, fakekafka.DeleteTopics: -1}, want: map[fakekafka.API]r{fakekafka.Fetch: {4, 6}},
			not: []fakekafka.API{fakekafka.DeleteTopics}},
	} {
		opts := one()
		opts.Version, opts.MaxVersions = test.version, test.highest
		cluster := fakekafka.New(t, opts)
		got := make(map[fakekafka.API]r)
		for _, list := range [][]byte{exchange(t, rawConn(t, cluster, 1), frame(18, 0, 5))} {
			for list = list[4+2+4:]; len(list) > 0; list = list[6:] {
				be := binary.BigEndian
				got[fakekafka.API(be.Uint16(list))] = r{int16(be.Uint16(list[2:])), int16(be.Uint16(list[4:]))}
			}
		}
		for api, want := range test.want {
			if got[api] != want {
				t.Errorf("%v offers %v versions %v, want %v", test.version, api, got[api], want)
			}
		}
		for _, api := range test.not {
			if _, ok := got[api]; ok {
				t.Errorf("%v offers %v", test.version, api)
			}
		}
	}
}

func TestUnknownVersions(t *testing.T) {
	cluster := fakekafka.New(t, one())
	c := rawConn(t, cluster, 1)
	// ApiVersions answers with what it has, in the form of version 0.
	want := []byte{0, 0, 0, 9, 0, 35, 0, 0, 0, 1, 0, 18, 0, 0, 0, 4}
	if got := exchange(t, c, frame(18, 99, 9, 1, 2, 3)); !bytes.Equal(got, want) {
		t.Fatalf("got % x, want % x", got, want)
	}
	exchange(t, c, frame(18, 0, 10)) // the connection goes on
	for _, request := range [][]byte{frame(3, 99, 1), frame(3, -1, 1), frame(77, 0, 1), frame(-1, 0, 1), frame(0, 2, 1), frame(3, 1, 1), {0, 0, 0, 3, 1, 2, 3}, {0, 0, 0, 0}} {
		c := rawConn(t, cluster, 1)
		_, err := c.Write(request)
		must(t, err)
		wantClosed(t, c)
	}
}

func TestApiVersionsChecksClientSoftware(t *testing.T) {
	b := dial(t, fakekafka.New(t, one()), 1)
	for name, want := range map[string]sarama.KError{"sarama": 0, "a.b-c": 0, "": sarama.ErrInvalidRequest, "-x": sarama.ErrInvalidRequest, "a b": sarama.ErrInvalidRequest} {
		resp, err := b.ApiVersions(&sarama.ApiVersionsRequest{Version: 3, ClientSoftwareName: name, ClientSoftwareVersion: "1"})
		must(t, err)
		wantErr(t, sarama.KError(resp.ErrorCode), want)
	}
}

func TestMetadataVersions(t *testing.T) {
	opts := three()
	opts.Racks = []string{"a", "b"}
	opts.Topics = append(opts.Topics, fakekafka.Topic{Name: "__consumer_offsets"})
	cluster := fakekafka.New(t, opts)
	b := dial(t, cluster, 2)
	for version := range int16(14) {
		all, err := b.GetMetadata(&sarama.MetadataRequest{Version: version})
		must(t, err)
		if len(all.Topics) != 3 || len(all.Brokers) != 3 || all.Topics[1].Name != "r" || all.Topics[1].Partitions[0].Leader != 1 {
			t.Fatalf("version %d: %d topics", version, len(all.Topics))
		}
		if version >= 1 && (all.ControllerID != 1 || all.Brokers[1].Rack() != "b" || all.Brokers[2].Rack() != "" || !all.Topics[0].IsInternal) {
			t.Fatalf("version %d: controller %d", version, all.ControllerID)
		}
		if version >= 2 && *all.ClusterID != cluster.ID() {
			t.Fatalf("version %d: cluster %s", version, *all.ClusterID)
		}
		if version >= 1 {
			none, err := b.GetMetadata(&sarama.MetadataRequest{Version: version, Topics: []string{}})
			must(t, err)
			if len(none.Topics) != 0 || len(none.Brokers) != 3 {
				t.Fatalf("version %d: %d topics where none was asked for", version, len(none.Topics))
			}
		}
		some, err := b.GetMetadata(&sarama.MetadataRequest{
			Version: version, Topics: []string{"t", "nope", "no such"}, AllowAutoTopicCreation: true, IncludeTopicAuthorizedOperations: true,
		})
		must(t, err)
		wantErr(t, some.Topics[0].Err, sarama.ErrNoError)
		wantErr(t, some.Topics[1].Err, sarama.ErrUnknownTopicOrPartition)
		wantErr(t, some.Topics[2].Err, sarama.ErrInvalidTopic)
		if version >= 8 && some.Topics[0].TopicAuthorizedOperations != 3576 {
			t.Fatalf("version %d: operations %d", version, some.Topics[0].TopicAuthorizedOperations)
		}
	}
}

func TestMetadataByTopicID(t *testing.T) {
	cluster := fakekafka.New(t, one())
	named, err := dial(t, cluster, 1).GetMetadata(&sarama.MetadataRequest{Version: 12, Topics: []string{"t"}})
	must(t, err)
	id := named.Topics[0].Uuid
	ask := func(id sarama.Uuid) []byte {
		body := append([]byte{0, 2}, id[:]...) // the header's tags, one topic
		return exchange(t, rawConn(t, cluster, 1), frame(3, 12, 1, append(body, 0, 0, 0, 0, 0)...))
	}
	if got := ask(id); !bytes.Contains(got, append([]byte{0, 0, 2, 't'}, id[:]...)) {
		t.Fatalf("answer % x", got)
	}
	if got := ask(sarama.Uuid{1}); !bytes.Contains(got, []byte{0, 100, 0, 1, 0, 0}) {
		t.Fatalf("answer for an unknown id % x", got)
	}
}

func TestAutoCreateTopics(t *testing.T) {
	opts := three()
	opts.AutoCreateTopics, opts.DefaultPartitions, opts.DefaultReplicationFactor = true, 4, 2
	cluster := fakekafka.New(t, opts)
	b := dial(t, cluster, 1)
	ask := func(name string, allow bool) *sarama.TopicMetadata {
		resp, err := b.GetMetadata(&sarama.MetadataRequest{Version: 9, Topics: []string{name}, AllowAutoTopicCreation: allow})
		must(t, err)
		return resp.Topics[0]
	}
	wantErr(t, ask("new", false).Err, sarama.ErrUnknownTopicOrPartition)
	wantErr(t, ask("not a name", true).Err, sarama.ErrInvalidTopic)
	if got := ask("new", true); got.Err != sarama.ErrNoError || len(got.Partitions) != 4 || len(got.Partitions[0].Replicas) != 2 {
		t.Fatalf("created %+v", got)
	}
	if !slices.Contains(cluster.Topics(), "new") {
		t.Fatal("not created")
	}
}

func TestCreateAndDeleteTopics(t *testing.T) {
	bad := "colour"
	for version := int16(2); version <= 7; version++ {
		cluster := fakekafka.New(t, three())
		b := dial(t, cluster, 2)
		value := "2"
		req := &sarama.CreateTopicsRequest{Version: version, TopicDetails: map[string]*sarama.TopicDetail{
			"a":    {NumPartitions: 5, ReplicationFactor: 2, ConfigEntries: map[string]*string{"min.insync.replicas": &value}},
			"b":    {NumPartitions: -1, ReplicationFactor: -1, ReplicaAssignment: map[int32][]int32{0: {3, 1}, 1: {1, 2}}},
			"t":    {NumPartitions: 1, ReplicationFactor: 1},
			"b?":   {NumPartitions: 1, ReplicationFactor: 1},
			"rf":   {NumPartitions: 1, ReplicationFactor: 4},
			"p":    {NumPartitions: 0, ReplicationFactor: 1},
			"many": {NumPartitions: 1 << 30, ReplicationFactor: 1},
			"gap":  {NumPartitions: -1, ReplicationFactor: -1, ReplicaAssignment: map[int32][]int32{0: {3}, 2: {1}}},
			"both": {NumPartitions: 1, ReplicationFactor: 1, ReplicaAssignment: map[int32][]int32{0: {3}}},
			"conf": {NumPartitions: 1, ReplicationFactor: 1, ConfigEntries: map[string]*string{bad: &bad}},
			"def":  {NumPartitions: -1, ReplicationFactor: -1},
		}}
		want := map[string]sarama.KError{
			"a": 0, "b": 0, "t": sarama.ErrTopicAlreadyExists, "b?": sarama.ErrInvalidTopic, "rf": sarama.ErrInvalidReplicationFactor,
			"p": sarama.ErrInvalidPartitions, "many": sarama.ErrPolicyViolation, "gap": sarama.ErrInvalidReplicaAssignment,
			"both": sarama.ErrInvalidRequest, "conf": sarama.ErrInvalidConfig, "def": 0,
		}
		if version < 4 {
			want["def"] = sarama.ErrInvalidPartitions
		}
		req.ValidateOnly = true
		for range 2 {
			resp, err := b.CreateTopics(req)
			must(t, err)
			for name, err := range want {
				if got := resp.TopicErrors[name]; got == nil || got.Err != err {
					t.Fatalf("version %d: topic %q: %+v, want %v", version, name, got, err)
				}
			}
			if req.ValidateOnly != !slices.Contains(cluster.Topics(), "a") {
				t.Fatalf("version %d: topics %v", version, cluster.Topics())
			}
			if result := resp.TopicResults["a"]; version >= 5 && (result.NumPartitions != 5 || result.ReplicationFactor != 2 || *result.Configs["min.insync.replicas"].Value != "2") {
				t.Fatalf("version %d: result %+v", version, result)
			}
			req.ValidateOnly = false
		}
		if leader, _, _ := cluster.Leader("b", 0); leader != 3 {
			t.Fatalf("b/0 is led by %d", leader)
		}
		resp, err := b.DeleteTopics(&sarama.DeleteTopicsRequest{Version: min(version-1, 6), Topics: []string{"a", "nope"}})
		must(t, err)
		wantErr(t, resp.TopicErrorCodes["a"], sarama.ErrNoError)
		wantErr(t, resp.TopicErrorCodes["nope"], sarama.ErrUnknownTopicOrPartition)
		if slices.Contains(cluster.Topics(), "a") {
			t.Fatal("a was not deleted")
		}
	}
}

func TestOnlyControllerChangesTopicsBeforeKRaft(t *testing.T) {
	opts := three()
	opts.Version = sarama.V3_9_0_0
	cluster := fakekafka.New(t, opts)
	must(t, cluster.MoveController(3))
	req := &sarama.CreateTopicsRequest{Version: 4, TopicDetails: map[string]*sarama.TopicDetail{"a": {NumPartitions: 1, ReplicationFactor: 1}}}
	for broker, want := range map[int32]sarama.KError{1: sarama.ErrNotController, 3: sarama.ErrNoError} {
		resp, err := dial(t, cluster, broker).CreateTopics(req)
		must(t, err)
		wantErr(t, resp.TopicErrors["a"].Err, want)
	}
	resp, err := dial(t, cluster, 1).DeleteTopics(&sarama.DeleteTopicsRequest{Version: 4, Topics: []string{"a"}})
	must(t, err)
	wantErr(t, resp.TopicErrorCodes["a"], sarama.ErrNotController)
}

func TestListOffsets(t *testing.T) {
	cluster := fakekafka.New(t, three())
	at := func(ms ...int64) {
		var records []fakekafka.Record
		for _, ms := range ms {
			records = append(records, fakekafka.Record{Timestamp: time.UnixMilli(ms)})
		}
		_, err := cluster.Append("r", 0, records...)
		must(t, err)
	}
	at(100, 300, 200)
	must(t, cluster.MoveLeader("r", 0, 2))
	at(250)
	at(400, 400)
	must(t, cluster.TrimLog("r", 0, 1))
	b := dial(t, cluster, 2)
	for _, test := range []struct {
		time, offset, timestamp int64
		epoch                   int32
	}{
		{sarama.OffsetNewest, 6, -1, 1}, {sarama.OffsetOldest, 1, -1, 0}, {-3, 4, 400, 1}, {-4, 1, -1, 0}, {-5, -1, -1, -1}, {-6, 1, -1, 0},
		{0, 1, 300, 0}, {250, 1, 300, 0}, {301, 4, 400, 1}, {400, 4, 400, 1}, {401, -1, -1, -1},
	} {
		req := &sarama.OffsetRequest{Version: 11}
		req.AddBlock("r", 0, test.time, 1)
		resp, err := b.GetAvailableOffsets(req)
		must(t, err)
		if got := resp.GetBlock("r", 0); got.Err != 0 || got.Offset != test.offset || got.Timestamp != test.timestamp || got.LeaderEpoch != test.epoch {
			t.Errorf("time %d: %+v, want %+v", test.time, got, test)
		}
	}
	for version := int16(1); version <= 11; version++ {
		req := &sarama.OffsetRequest{Version: version, IsolationLevel: sarama.ReadCommitted}
		req.AddBlock("r", 0, sarama.OffsetNewest, 1)
		req.AddBlock("r", 1, 5, 1)
		req.AddBlock("r", 2, -4, 1)
		req.AddBlock("r", 3, 5, 1)
		resp, err := b.GetAvailableOffsets(req)
		must(t, err)
		local := sarama.ErrUnsupportedVersion
		if version >= 8 {
			local = sarama.ErrNotLeaderForPartition
		}
		for p, want := range []sarama.KError{sarama.ErrNoError, sarama.ErrNoError, local, sarama.ErrUnknownTopicOrPartition} {
			wantErr(t, resp.GetBlock("r", int32(p)).Err, want)
		}
		if got := resp.GetBlock("r", 0).Offset; got != 6 {
			t.Fatalf("version %d: newest is %d", version, got)
		}
	}
}

func TestListOffsetsVersion0(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opts := one()
		opts.Version = sarama.V2_0_0_0
		cluster := fakekafka.New(t, opts)
		start := time.Now()
		for range 4 { // segments start at 0, 16 and, four times as large, further on
			fill(t, cluster, "t", 0, 10, 1000)
			time.Sleep(time.Second)
		}
		b := dial(t, cluster, 1)
		ask := func(at int64, n int32) []int64 {
			req := &sarama.OffsetRequest{Version: 0}
			req.AddBlock("t", 0, at, n)
			resp, err := b.GetAvailableOffsets(req)
			must(t, err)
			return resp.GetBlock("t", 0).Offsets
		}
		for _, test := range []struct {
			at   int64
			n    int32
			want []int64
		}{
			{sarama.OffsetNewest, 1, []int64{40}}, {sarama.OffsetNewest, 9, []int64{40, 15, 0}}, {sarama.OffsetOldest, 9, []int64{0}},
			{start.UnixMilli() - 1, 9, []int64{}}, {start.Add(1500 * time.Millisecond).UnixMilli(), 9, []int64{0}},
		} {
			if got := ask(test.at, test.n); !slices.Equal(got, test.want) {
				t.Errorf("time %d, at most %d: %v, want %v", test.at, test.n, got, test.want)
			}
		}
	})
}

func TestFindCoordinator(t *testing.T) {
	cluster := fakekafka.New(t, three())
	b := dial(t, cluster, 1)
	seen := make(map[int32]bool)
	for i := range 30 {
		key := fmt.Sprint("group", i)
		for version := range int16(7) {
			resp, err := b.FindCoordinator(&sarama.FindCoordinatorRequest{Version: version, CoordinatorKey: key})
			must(t, err)
			wantErr(t, resp.Err, sarama.ErrNoError)
			if want := cluster.Coordinator(sarama.CoordinatorGroup, key); resp.Coordinator.ID() != want || resp.Coordinator.Addr() != cluster.Addrs()[want-1] {
				t.Fatalf("version %d: %s is at %d, want %d", version, key, resp.Coordinator.ID(), want)
			}
			seen[resp.Coordinator.ID()] = true
		}
	}
	if len(seen) != 3 {
		t.Fatalf("coordinators are %v alone", seen)
	}
	resp, err := b.FindCoordinator(&sarama.FindCoordinatorRequest{Version: 4, CoordinatorKeys: []string{"a", "b"}, CoordinatorType: 9})
	must(t, err)
	if len(resp.Coordinators) != 2 || resp.Coordinators[1].Key != "b" || resp.Coordinators[1].Err != sarama.ErrInvalidRequest {
		t.Fatalf("answer %+v", resp.Coordinators)
	}
	id := cluster.Coordinator(sarama.CoordinatorTransaction, "x")
	must(t, cluster.StopBroker(id))
	if got := cluster.Coordinator(sarama.CoordinatorTransaction, "x"); got == id || got < 1 {
		t.Fatalf("coordinator %d of a stopped %d", got, id)
	}
}

func TestInitProducerID(t *testing.T) {
	cluster := fakekafka.New(t, three())
	seen := make(map[int64]bool)
	for version := range int16(6) {
		for id := range int32(3) {
			resp, err := dial(t, cluster, id+1).InitProducerID(&sarama.InitProducerIDRequest{Version: version, ProducerID: -1, ProducerEpoch: -1})
			must(t, err)
			if resp.Err != 0 || seen[resp.ProducerID] || resp.ProducerEpoch != 0 {
				t.Fatalf("version %d: %+v", version, resp)
			}
			seen[resp.ProducerID] = true
		}
	}
	name := "tx"
	home := cluster.Coordinator(sarama.CoordinatorTransaction, name)
	ask := func(broker int32, timeout time.Duration, id int64, epoch int16) *sarama.InitProducerIDResponse {
		resp, err := dial(t, cluster, broker).InitProducerID(&sarama.InitProducerIDRequest{
			Version: 4, TransactionalID: &name, TransactionTimeout: timeout, ProducerID: id, ProducerEpoch: epoch,
		})
		must(t, err)
		return resp
	}
	wantErr(t, ask(home%3+1, time.Minute, -1, -1).Err, sarama.ErrNotCoordinatorForConsumer)
	wantErr(t, ask(home, time.Hour, -1, -1).Err, sarama.ErrInvalidTransactionTimeout)
	first := ask(home, time.Minute, -1, -1)
	second := ask(home, time.Minute, -1, -1)
	third := ask(home, time.Minute, second.ProducerID, second.ProducerEpoch)
	if first.ProducerID != third.ProducerID || first.ProducerEpoch != 0 || second.ProducerEpoch != 1 || third.ProducerEpoch != 2 {
		t.Fatalf("got %+v, %+v, %+v", first, second, third)
	}
	wantErr(t, ask(home, time.Minute, first.ProducerID, first.ProducerEpoch).Err, sarama.ErrProducerFenced)
	wantErr(t, ask(home, time.Minute, 12345, 0).Err, sarama.ErrProducerFenced)
}
