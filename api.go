package sarama

import (
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/IBM/sarama/internal/wire"
)

// body is a request or a response without its header.
type body interface {
	// layout lays the fields out in wire order, in either direction.
	layout(c *wire.Codec)
	// meta returns the API that the body belongs to and the place of the
	// version that it is, or was, on the wire with.
	meta() (*api, *int16)
}

// throttled is a response that says for how long its client is to wait.
type throttled interface{ throttleTime() time.Duration }

// api is what is constant about one of Kafka's APIs. It is the only place
// that knows versions as a whole; what a single version adds is in the layouts.
type api struct {
	key  int16
	name string // as in Kafka's message definitions

	flexible      int16 // first flexible version (KIP-482), none when negative
	throttleFirst int16 // first version whose brokers answer before they throttle (KIP-219)
	sentMax       int16 // highest version that this package's own components send to a broker that has not said what it takes

	// since holds, for each version from 0, the first Config.Version that may
	// send it.
	since []KafkaVersion

	request, response func() body
}

const (
	keyProduce                     = 0
	keyFetch                       = 1
	keyListOffsets                 = 2
	keyMetadata                    = 3
	keyOffsetCommit                = 8
	keyOffsetFetch                 = 9
	keyFindCoordinator             = 10
	keyJoinGroup                   = 11
	keyHeartbeat                   = 12
	keyLeaveGroup                  = 13
	keySyncGroup                   = 14
	keyDescribeGroups              = 15
	keyListGroups                  = 16
	keySaslHandshake               = 17
	keyApiVersions                 = 18
	keyCreateTopics                = 19
	keyDeleteTopics                = 20
	keyInitProducerID              = 22
	keyOffsetForLeaderEpoch        = 23
	keyAddPartitionsToTxn          = 24
	keyAddOffsetsToTxn             = 25
	keyEndTxn                      = 26
	keyTxnOffsetCommit             = 28
	keySaslAuthenticate            = 36
	keyDeleteGroups                = 42
	keyElectLeaders                = 43
	keyAlterPartitionReassignments = 45
	keyListPartitionReassignments  = 46
	keyOffsetDelete                = 47
	keyConsumerGroupHeartbeat      = 68
	keyConsumerGroupDescribe       = 69

	keyMax = 92
)

// The table. Its order is that of the keys. It is filled by init because the
// constructors' types refer back to it.
var apis [keyMax + 1]*api

var (
	apiProduce = &api{
		key: keyProduce, name: "Produce", flexible: 9, throttleFirst: 6, sentMax: 10,
		since: []KafkaVersion{V0_8_2_0, V0_10_0_0, V0_10_0_0, V0_11_0_0, V1_0_0_0, V1_0_0_0, V2_0_0_0, V2_1_0_0,
			V2_4_0_0, V2_8_0_0, V3_7_0_0, V3_8_0_0, V4_0_0_0, V4_1_0_0},
	}
	apiFetch = &api{
		key: keyFetch, name: "Fetch", flexible: 12, throttleFirst: 8, sentMax: 12,
		since: []KafkaVersion{V0_8_2_0, V0_9_0_0, V0_10_0_0, V0_10_1_0, V0_11_0_0, V0_11_0_0, V1_0_0_0, V1_1_0_0,
			V2_0_0_0, V2_1_0_0, V2_1_0_0, V2_3_0_0, V2_7_0_0, V3_1_0_0, V3_5_0_0, V3_5_0_0, V3_7_0_0, V3_9_0_0, V4_1_0_0},
	}
	apiListOffsets = &api{
		key: keyListOffsets, name: "ListOffsets", flexible: 6, throttleFirst: 3, sentMax: 6,
		since: []KafkaVersion{V0_8_2_0, V0_10_1_0, V0_11_0_0, V2_0_0_0, V2_1_0_0, V2_2_0_0, V2_8_0_0, V3_0_0_0,
			V3_6_0_0, V3_9_0_0, V4_0_0_0, V4_2_0_0},
	}
	apiMetadata = &api{
		key: keyMetadata, name: "Metadata", flexible: 9, throttleFirst: 6, sentMax: 11,
		since: []KafkaVersion{V0_8_2_0, V0_10_0_0, V0_10_1_0, V0_11_0_0, V0_11_0_0, V1_0_0_0, V2_0_0_0, V2_1_0_0,
			V2_3_0_0, V2_4_0_0, V2_8_0_0, V2_8_0_0, V3_1_0_0, V4_0_0_0},
	}
	apiOffsetCommit = &api{
		key: keyOffsetCommit, name: "OffsetCommit", flexible: 8, throttleFirst: 4, sentMax: 8,
		since: []KafkaVersion{V0_8_2_0, V0_8_2_0, V0_9_0_0, V0_11_0_0, V2_0_0_0, V2_1_0_0, V2_1_0_0, V2_3_0_0, V2_4_0_0,
			V3_7_0_0, V4_2_0_0},
	}
	apiOffsetFetch = &api{
		key: keyOffsetFetch, name: "OffsetFetch", flexible: 6, throttleFirst: 4, sentMax: 8,
		since: []KafkaVersion{V0_8_2_0, V0_8_2_0, V0_10_2_0, V0_11_0_0, V2_0_0_0, V2_1_0_0, V2_4_0_0, V2_5_0_0, V3_0_0_0,
			V3_7_0_0, V4_2_0_0},
	}
	apiFindCoordinator = &api{
		key: keyFindCoordinator, name: "FindCoordinator", flexible: 3, throttleFirst: 2, sentMax: 3,
		since: []KafkaVersion{V0_8_2_0, V0_11_0_0, V2_0_0_0, V2_4_0_0, V3_0_0_0, V3_8_0_0, V3_9_0_0},
	}
	apiJoinGroup = &api{
		key: keyJoinGroup, name: "JoinGroup", flexible: 6, throttleFirst: 3, sentMax: 8,
		since: []KafkaVersion{V0_9_0_0, V0_10_1_0, V0_11_0_0, V2_0_0_0, V2_2_0_0, V2_3_0_0, V2_4_0_0, V2_5_0_0, V3_2_0_0, V3_2_0_0},
	}
	apiHeartbeat = &api{
		key: keyHeartbeat, name: "Heartbeat", flexible: 4, throttleFirst: 2, sentMax: 4,
		since: []KafkaVersion{V0_9_0_0, V0_11_0_0, V2_0_0_0, V2_3_0_0, V2_4_0_0},
	}
	apiLeaveGroup = &api{
		key: keyLeaveGroup, name: "LeaveGroup", flexible: 4, throttleFirst: 2, sentMax: 5,
		since: []KafkaVersion{V0_9_0_0, V0_11_0_0, V2_0_0_0, V2_4_0_0, V2_4_0_0, V3_2_0_0},
	}
	apiSyncGroup = &api{
		key: keySyncGroup, name: "SyncGroup", flexible: 4, throttleFirst: 2, sentMax: 5,
		since: []KafkaVersion{V0_9_0_0, V0_11_0_0, V2_0_0_0, V2_3_0_0, V2_4_0_0, V2_5_0_0},
	}
	apiDescribeGroups = &api{
		key: keyDescribeGroups, name: "DescribeGroups", flexible: 5, throttleFirst: 2, sentMax: 5,
		since: []KafkaVersion{V0_9_0_0, V1_1_0_0, V2_0_0_0, V2_3_0_0, V2_4_0_0, V2_4_0_0, V4_0_0_0},
	}
	apiListGroups = &api{
		key: keyListGroups, name: "ListGroups", flexible: 3, throttleFirst: 2, sentMax: 5,
		since: []KafkaVersion{V0_9_0_0, V0_11_0_0, V2_0_0_0, V2_4_0_0, V2_6_0_0, V3_8_0_0},
	}
	apiSaslHandshake = &api{
		key: keySaslHandshake, name: "SaslHandshake", flexible: -1, throttleFirst: -1, sentMax: 1,
		since: []KafkaVersion{V0_8_2_0, V0_8_2_0}, // Net.SASL.Version chooses
	}
	apiApiVersions = &api{
		key: keyApiVersions, name: "ApiVersions", flexible: 3, throttleFirst: 2, sentMax: 4,
		// Asked before anything is known of the broker, so never gated.
		since: []KafkaVersion{V0_8_2_0, V0_8_2_0, V0_8_2_0, V0_8_2_0, V3_9_0_0},
	}
	apiCreateTopics = &api{
		key: keyCreateTopics, name: "CreateTopics", flexible: 5, throttleFirst: 3, sentMax: 7,
		since: []KafkaVersion{V0_10_1_0, V0_10_2_0, V0_11_0_0, V2_0_0_0, V2_4_0_0, V2_4_0_0, V2_7_0_0, V2_8_0_0},
	}
	apiDeleteTopics = &api{
		key: keyDeleteTopics, name: "DeleteTopics", flexible: 4, throttleFirst: 2, sentMax: 6,
		since: []KafkaVersion{V0_10_1_0, V0_11_0_0, V2_0_0_0, V2_1_0_0, V2_4_0_0, V2_7_0_0, V2_8_0_0},
	}
	apiInitProducerID = &api{
		key: keyInitProducerID, name: "InitProducerId", flexible: 2, throttleFirst: 1, sentMax: 4,
		since: []KafkaVersion{V0_11_0_0, V2_0_0_0, V2_4_0_0, V2_5_0_0, V2_7_0_0, V3_8_0_0},
	}
	apiOffsetForLeaderEpoch = &api{
		key: keyOffsetForLeaderEpoch, name: "OffsetForLeaderEpoch", flexible: 4, throttleFirst: -1, sentMax: 4,
		since: []KafkaVersion{V0_11_0_0, V2_0_0_0, V2_1_0_0, V2_3_0_0, V2_7_0_0},
	}
	apiAddPartitionsToTxn = &api{
		// Versions from 4 on are for brokers.
		key: keyAddPartitionsToTxn, name: "AddPartitionsToTxn", flexible: 3, throttleFirst: 1, sentMax: 3,
		since: []KafkaVersion{V0_11_0_0, V2_0_0_0, V2_7_0_0, V2_8_0_0, V3_5_0_0, V4_0_0_0},
	}
	apiAddOffsetsToTxn = &api{
		key: keyAddOffsetsToTxn, name: "AddOffsetsToTxn", flexible: 3, throttleFirst: 1, sentMax: 3,
		since: []KafkaVersion{V0_11_0_0, V2_0_0_0, V2_7_0_0, V2_8_0_0, V3_8_0_0},
	}
	apiEndTxn = &api{
		key: keyEndTxn, name: "EndTxn", flexible: 3, throttleFirst: 1, sentMax: 3,
		since: []KafkaVersion{V0_11_0_0, V2_0_0_0, V2_7_0_0, V2_8_0_0, V3_8_0_0, V4_0_0_0},
	}
	apiTxnOffsetCommit = &api{
		key: keyTxnOffsetCommit, name: "TxnOffsetCommit", flexible: 3, throttleFirst: 1, sentMax: 3,
		since: []KafkaVersion{V0_11_0_0, V2_0_0_0, V2_1_0_0, V2_5_0_0, V3_8_0_0, V4_0_0_0},
	}
	apiSaslAuthenticate = &api{
		key: keySaslAuthenticate, name: "SaslAuthenticate", flexible: 2, throttleFirst: -1, sentMax: 2,
		since: []KafkaVersion{V1_0_0_0, V2_2_0_0, V2_5_0_0},
	}
	apiDeleteGroups = &api{
		key: keyDeleteGroups, name: "DeleteGroups", flexible: 2, throttleFirst: 1, sentMax: 2,
		since: []KafkaVersion{V1_1_0_0, V2_0_0_0, V2_4_0_0},
	}
	apiElectLeaders = &api{
		key: keyElectLeaders, name: "ElectLeaders", flexible: 2, throttleFirst: 0, sentMax: 2,
		since: []KafkaVersion{V0_10_0_0, V0_11_0_0, V2_4_0_0},
	}
	apiAlterPartitionReassignments = &api{
		key: keyAlterPartitionReassignments, name: "AlterPartitionReassignments", flexible: 0, throttleFirst: 0, sentMax: 0,
		since: []KafkaVersion{V2_4_0_0, V4_1_0_0},
	}
	apiListPartitionReassignments = &api{
		key: keyListPartitionReassignments, name: "ListPartitionReassignments", flexible: 0, throttleFirst: 0, sentMax: 0,
		since: []KafkaVersion{V2_4_0_0},
	}
	apiOffsetDelete = &api{
		key: keyOffsetDelete, name: "OffsetDelete", flexible: -1, throttleFirst: 0, sentMax: 0,
		since: []KafkaVersion{V2_4_0_0},
	}
	apiConsumerGroupHeartbeat = &api{
		key: keyConsumerGroupHeartbeat, name: "ConsumerGroupHeartbeat", flexible: 0, throttleFirst: 0, sentMax: 1,
		since: []KafkaVersion{V3_7_0_0, V4_0_0_0},
	}
	apiConsumerGroupDescribe = &api{
		key: keyConsumerGroupDescribe, name: "ConsumerGroupDescribe", flexible: 0, throttleFirst: 0, sentMax: 1,
		since: []KafkaVersion{V3_7_0_0, V4_0_0_0},
	}
)

func init() {
	enter := func(a *api, request, response func() body) {
		a.request, a.response = request, response
		apis[a.key] = a
	}
	enter(apiProduce, func() body { return new(ProduceRequest) }, func() body { return new(ProduceResponse) })
	enter(apiFetch, func() body { return new(FetchRequest) }, func() body { return new(FetchResponse) })
	enter(apiListOffsets, func() body { return new(OffsetRequest) }, func() body { return new(OffsetResponse) })
	enter(apiMetadata, func() body { return new(MetadataRequest) }, func() body { return new(MetadataResponse) })
	enter(apiFindCoordinator, func() body { return new(FindCoordinatorRequest) }, func() body { return new(FindCoordinatorResponse) })
	enter(apiSaslHandshake, func() body { return new(SaslHandshakeRequest) }, func() body { return new(SaslHandshakeResponse) })
	enter(apiApiVersions, func() body { return new(ApiVersionsRequest) }, func() body { return new(ApiVersionsResponse) })
	enter(apiCreateTopics, func() body { return new(CreateTopicsRequest) }, func() body { return new(CreateTopicsResponse) })
	enter(apiDeleteTopics, func() body { return new(DeleteTopicsRequest) }, func() body { return new(DeleteTopicsResponse) })
	enter(apiInitProducerID, func() body { return new(InitProducerIDRequest) }, func() body { return new(InitProducerIDResponse) })
	enter(apiOffsetForLeaderEpoch, func() body { return new(epochEndRequest) }, func() body { return new(epochEndResponse) })
	enter(apiElectLeaders, func() body { return new(ElectLeadersRequest) }, func() body { return new(ElectLeadersResponse) })
	enter(apiAlterPartitionReassignments, func() body { return new(AlterPartitionReassignmentsRequest) },
		func() body { return new(AlterPartitionReassignmentsResponse) })
	enter(apiListPartitionReassignments, func() body { return new(ListPartitionReassignmentsRequest) },
		func() body { return new(ListPartitionReassignmentsResponse) })
	enter(apiOffsetCommit, func() body { return new(OffsetCommitRequest) }, func() body { return new(OffsetCommitResponse) })
	enter(apiOffsetFetch, func() body { return new(OffsetFetchRequest) }, func() body { return new(OffsetFetchResponse) })
	enter(apiJoinGroup, func() body { return new(JoinGroupRequest) }, func() body { return new(JoinGroupResponse) })
	enter(apiHeartbeat, func() body { return new(HeartbeatRequest) }, func() body { return new(HeartbeatResponse) })
	enter(apiLeaveGroup, func() body { return new(LeaveGroupRequest) }, func() body { return new(LeaveGroupResponse) })
	enter(apiSyncGroup, func() body { return new(SyncGroupRequest) }, func() body { return new(SyncGroupResponse) })
	enter(apiDescribeGroups, func() body { return new(DescribeGroupsRequest) }, func() body { return new(DescribeGroupsResponse) })
	enter(apiListGroups, func() body { return new(ListGroupsRequest) }, func() body { return new(ListGroupsResponse) })
	enter(apiAddPartitionsToTxn, func() body { return new(AddPartitionsToTxnRequest) }, func() body { return new(AddPartitionsToTxnResponse) })
	enter(apiAddOffsetsToTxn, func() body { return new(AddOffsetsToTxnRequest) }, func() body { return new(AddOffsetsToTxnResponse) })
	enter(apiEndTxn, func() body { return new(EndTxnRequest) }, func() body { return new(EndTxnResponse) })
	enter(apiTxnOffsetCommit, func() body { return new(TxnOffsetCommitRequest) }, func() body { return new(TxnOffsetCommitResponse) })
	enter(apiDeleteGroups, func() body { return new(DeleteGroupsRequest) }, func() body { return new(DeleteGroupsResponse) })
	enter(apiOffsetDelete, func() body { return new(DeleteOffsetsRequest) }, func() body { return new(DeleteOffsetsResponse) })
	enter(apiConsumerGroupHeartbeat, func() body { return new(ConsumerGroupHeartbeatRequest) }, func() body { return new(ConsumerGroupHeartbeatResponse) })
	enter(apiConsumerGroupDescribe, func() body { return new(ConsumerGroupDescribeRequest) }, func() body { return new(ConsumerGroupDescribeResponse) })
	enter(apiSaslAuthenticate, func() body { return new(SaslAuthenticateRequest) }, func() body { return new(SaslAuthenticateResponse) })
}

// max is the highest version that the layouts can express.
func (a *api) max() int16 { return int16(len(a.since)) - 1 }

// versionFor is the version that this package's components ask for under a
// Config.Version: the highest that it allows.
func (a *api) versionFor(v KafkaVersion) int16 { return a.versionUpTo(a.sentMax, v) }

func (a *api) versionUpTo(n int16, v KafkaVersion) int16 {
	for ; n > 0; n-- {
		if v.IsAtLeast(a.since[n]) {
			return n
		}
	}
	return 0
}

// isFlexible reports whether version v has compact lengths and tags.
func (a *api) isFlexible(v int16) bool { return a.flexible >= 0 && v >= a.flexible }

// flexibleResponseHeader reports whether a response's header ends in a tag
// buffer. The header of ApiVersions never does: its length must not depend on
// what the asker does not know yet (KIP-511).
func (a *api) flexibleResponseHeader(v int16) bool { return a.key != keyApiVersions && a.isFlexible(v) }

// checkVersion says whether the layouts have version v.
func (a *api) checkVersion(v int16) error {
	if v < 0 || v > a.max() {
		return fmt.Errorf("%s has no version %d, only 0 to %d: %w", a.name, v, a.max(), ErrUnsupportedVersion)
	}
	return nil
}

// allowed says whether Config.Version lets version v out.
func (a *api) allowed(v int16, conf KafkaVersion) error {
	if err := a.checkVersion(v); err != nil {
		return err
	}
	if !conf.IsAtLeast(a.since[v]) {
		return fmt.Errorf("%s version %d needs Kafka %v, Config.Version is %v: %w", a.name, v, a.since[v], conf, ErrUnsupportedVersion)
	}
	return nil
}

// apiByKey returns the table's entry, or an error that names the key.
func apiByKey(key int16) (*api, error) {
	if key < 0 || key > keyMax || apis[key] == nil {
		return nil, PacketDecodingError{fmt.Sprintf("unknown request key (%d)", key)}
	}
	return apis[key], nil
}

// writeBody makes c write b, at the version that b holds, after dst.
func writeBody(c *wire.Codec, dst []byte, b body) error {
	a, version := b.meta()
	if err := a.checkVersion(*version); err != nil {
		return err
	}
	c.Writer(dst, *version, a.isFlexible(*version))
	b.layout(c)
	c.End()
	return bodyError(c, b)
}

// readBody fills b from src, all of which must be used. What b holds of bytes
// shares memory with src.
func readBody(src []byte, b body, version int16) error {
	a, v := b.meta()
	if err := a.checkVersion(version); err != nil {
		return err
	}
	*v = version
	var c wire.Codec
	c.Reader(src, version, a.isFlexible(version))
	b.layout(&c)
	c.End()
	c.Finish()
	return bodyError(&c, b)
}

// bodyError puts message, version, field and position to a codec's error.
func bodyError(c *wire.Codec, b body) error {
	if c.Err() == nil {
		return nil
	}
	a, version := b.meta()
	name := strings.TrimPrefix(fmt.Sprintf("%T", b), "*sarama.")
	return codecError(c, reflect.ValueOf(b).Elem(), fmt.Sprintf("%s (%s v%d)", name, a.name, *version))
}

// codecError puts a name, the field and the position to a codec's error about
// v.
func codecError(c *wire.Codec, v reflect.Value, where string) error {
	err := c.Err()
	field, pos := c.At()
	if path := fieldPath(v, field, 0); path != "" {
		where += ", field " + strings.TrimPrefix(path, ".")
	}
	if invalid := (*wire.Invalid)(nil); errors.As(err, &invalid) {
		if c.Writing() {
			err = PacketEncodingError{invalid.Info}
		} else {
			err = PacketDecodingError{invalid.Info}
		}
	}
	return fmt.Errorf("%w: %s, byte %d", err, where, pos)
}

// fieldPath finds the field that p points to inside v, as a Go expression.
func fieldPath(v reflect.Value, p any, depth int) string {
	if p == nil || depth > 8 {
		return ""
	}
	at := reflect.ValueOf(p)
	if v.CanAddr() && v.Addr().Type() == at.Type() && v.Addr().Pointer() == at.Pointer() {
		return " "
	}
	path := ""
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			path = fieldPath(v.Elem(), p, depth+1)
		}
	case reflect.Struct:
		for i := 0; i < v.NumField() && path == ""; i++ {
			if sub := fieldPath(v.Field(i), p, depth+1); sub != "" {
				path = "." + v.Type().Field(i).Name + strings.TrimSpace(sub)
			}
		}
	case reflect.Slice:
		for i := 0; i < v.Len() && path == ""; i++ {
			if sub := fieldPath(v.Index(i), p, depth+1); sub != "" {
				path = "[" + strconv.Itoa(i) + "]" + strings.TrimSpace(sub)
			}
		}
	}
	return path
}
