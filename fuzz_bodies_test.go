package sarama

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/IBM/sarama/internal/golden"
)

// One fuzz target per family of messages: each takes a key, a version and bytes,
// begins with frames made from Kafka's definitions and with captured ones, and
// wants what is understood to be written and understood again, to the same.

// fuzzFamilies are the APIs of the targets. -1 is ConsumerMetadata, which the
// table does not have.
var fuzzFamilies = map[string][]int16{
	"records": {keyProduce, keyFetch, keyListOffsets, keyOffsetForLeaderEpoch, keyDeleteRecords},
	"cluster": {
		keyMetadata, keyApiVersions, keyDescribeCluster, keyUpdateFeatures, keyDescribeLogDirs, keyElectLeaders,
		keyAlterPartitionReassignments, keyListPartitionReassignments,
	},
	"topics": {keyCreateTopics, keyDeleteTopics, keyCreatePartitions, keyDescribeConfigs, keyAlterConfigs, keyIncrementalAlterConfigs},
	"groups": {
		keyOffsetCommit, keyOffsetFetch, keyFindCoordinator, -1, keyJoinGroup, keyHeartbeat, keyLeaveGroup, keySyncGroup, keyDescribeGroups,
		keyListGroups, keyDeleteGroups, keyOffsetDelete, keyConsumerGroupHeartbeat, keyConsumerGroupDescribe,
	},
	"transactions": {
		keyInitProducerID, keyAddPartitionsToTxn, keyAddOffsetsToTxn, keyEndTxn, keyTxnOffsetCommit, keyDescribeProducers,
		keyDescribeTransactions, keyListTransactions,
	},
	"security": {
		keySaslHandshake, keySaslAuthenticate, keyDescribeAcls, keyCreateAcls, keyDeleteAcls, keyDescribeClientQuotas,
		keyAlterClientQuotas, keyDescribeUserScramCredentials, keyAlterUserScramCredentials,
	},
}

func TestEveryMessageIsFuzzed(t *testing.T) {
	for _, a := range apis {
		n := 0
		for _, keys := range fuzzFamilies {
			if a != nil && slices.Contains(keys, a.key) {
				n++
			}
		}
		if a != nil && n != 1 {
			t.Errorf("%s is in %d families", a.name, n)
		}
	}
}

func FuzzRecords(f *testing.F)      { fuzzFamily(f, "records") }
func FuzzCluster(f *testing.F)      { fuzzFamily(f, "cluster") }
func FuzzTopics(f *testing.F)       { fuzzFamily(f, "topics") }
func FuzzGroups(f *testing.F)       { fuzzFamily(f, "groups") }
func FuzzTransactions(f *testing.F) { fuzzFamily(f, "transactions") }
func FuzzSecurity(f *testing.F)     { fuzzFamily(f, "security") }

func fuzzFamily(f *testing.F, family string) {
	keys := fuzzFamilies[family]
	for i, sc := range schemaCases(f) {
		if i%3 == 0 && slices.Contains(keys, sc.s.ApiKey) {
			f.Add(sc.s.ApiKey, sc.v, strings.HasSuffix(sc.s.Name, "Response"), sc.frame(uint64(i), true))
		}
	}
	goldenBodies(f, func(g golden.Frame, _ body, raw []byte) {
		if slices.Contains(keys, g.Key) {
			f.Add(g.Key, g.Version, !g.Request, raw)
		}
	})
	if family == "groups" {
		f.Add(int16(-1), int16(0), true, []byte{0, 0, 0, 0, 0, 1, 0, 1, 'h', 0, 0, 0, 9})
	}
	f.Fuzz(func(t *testing.T, key, version int16, response bool, raw []byte) {
		if a := fuzzedAPI(keys, key); a != nil {
			understoodTwice(t, a, version, response, raw)
		}
	})
}

// fuzzedAPI finds an API of a family; any number names one.
func fuzzedAPI(keys []int16, key int16) *api {
	if !slices.Contains(keys, key) {
		key = keys[int(uint16(key))%len(keys)]
	}
	if key < 0 {
		return otherForms[-int(key)-1]
	}
	return apis[key]
}

// understoodTwice reads a frame; what was understood is written and understood
// again, to the same.
func understoodTwice(t *testing.T, a *api, version int16, response bool, raw []byte) {
	blank := a.request
	if response {
		blank = a.response
	}
	b := blank()
	if readBody(raw, b, version) != nil {
		return
	}
	first, err := encodeBody(b)
	if err != nil {
		return
	}
	_, v := b.meta()
	again := blank()
	if err := readBody(first, again, *v); err != nil {
		t.Fatalf("own frame is refused: %v\n%q", err, first)
	}
	second, err := encodeBody(again)
	if err != nil || !bytes.Equal(first, second) {
		t.Fatalf("%v\nfirst  %q\nsecond %q", err, first, second)
	}
}
