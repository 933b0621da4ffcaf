package golden

import (
	"encoding/binary"
	"strings"
	"testing"
	"testing/fstest"
)

func TestFramesCoverEveryVersion(t *testing.T) {
	type side struct {
		api     string
		version int16
		request bool
	}
	seen := map[side]int{}
	for _, f := range Load(t) {
		seen[side{f.API, f.Version, f.Request}]++
	}
	// What Kafka 3.9.1 and 4.3.1 take between them, by the protocol's guide.
	for api, last := range map[string]int16{
		"Produce": 13, "Fetch": 18, "ListOffsets": 11, "Metadata": 13, "OffsetCommit": 10, "OffsetFetch": 10, "FindCoordinator": 6,
		"JoinGroup": 9, "Heartbeat": 4, "LeaveGroup": 5, "SyncGroup": 5, "DescribeGroups": 6, "ListGroups": 5, "SaslHandshake": 1,
		"ApiVersions": 4, "CreateTopics": 7, "DeleteTopics": 6, "DeleteRecords": 2, "InitProducerId": 5, "OffsetForLeaderEpoch": 4,
		"AddPartitionsToTxn": 3, "AddOffsetsToTxn": 4, "EndTxn": 5, "TxnOffsetCommit": 5, "DescribeAcls": 3, "CreateAcls": 3,
		"DeleteAcls": 3, "DescribeConfigs": 4, "AlterConfigs": 2, "IncrementalAlterConfigs": 1, "DescribeLogDirs": 4,
		"SaslAuthenticate": 2, "CreatePartitions": 3, "DeleteGroups": 2, "ElectLeaders": 2, "AlterPartitionReassignments": 0,
		"ListPartitionReassignments": 0, "OffsetDelete": 0, "DescribeClientQuotas": 1, "AlterClientQuotas": 1,
		"DescribeUserScramCredentials": 0, "AlterUserScramCredentials": 0, "UpdateFeatures": 1, "DescribeCluster": 2,
		"DescribeProducers": 0, "DescribeTransactions": 0, "ListTransactions": 1, "ConsumerGroupHeartbeat": 1, "ConsumerGroupDescribe": 1,
	} {
		for v := int16(0); v <= last; v++ {
			for _, request := range []bool{true, false} {
				if seen[side{api, v, request}] == 0 {
					t.Errorf("no frame of %s v%d, request %t", api, v, request)
				}
			}
		}
	}
}

func TestFramesAreWhatTheirFirstLineSays(t *testing.T) {
	keys := map[string]int16{}
	for _, f := range Load(t) {
		if known, ok := keys[f.API]; ok && known != f.Key {
			t.Errorf("%v has key %d, others %d", f, f.Key, known)
		}
		keys[f.API] = f.Key
		at := 0
		if f.Request {
			at = 4
		}
		if id := int32(binary.BigEndian.Uint32(f.Body[at:])); id != f.CorrelationID {
			t.Errorf("%v: correlation id %d in the bytes, %d read", f, id, f.CorrelationID)
		}
	}
}

// file is a folder of testdata with one file in it.
func file(text string) fstest.MapFS {
	return fstest.MapFS{"testdata/x.txt": &fstest.MapFile{Data: []byte(text)}}
}

func TestReaderTakesComments(t *testing.T) {
	frames, err := load(file("# a comment\napi ListOffsets 2\n\nframe 1 request me to you\n00020001\n# another\n0000002a0000\n\nframe 1 response you to me: ERR\n0000002aff\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"ListOffsets v1 request (me to you)", "ListOffsets v1 response (you to me: ERR)"}
	if len(frames) != len(want) {
		t.Fatalf("got %v", frames)
	}
	for i, f := range frames {
		if f.String() != want[i] || f.Key != 2 || f.CorrelationID != 42 {
			t.Errorf("got %v, key %d, correlation id %d", f, f.Key, f.CorrelationID)
		}
	}
	if string(frames[1].Body) != "\x00\x00\x00\x2a\xff" {
		t.Errorf("body %x", frames[1].Body)
	}
}

func TestReaderRefusesDamage(t *testing.T) {
	for name, text := range map[string]string{
		"no api":             "frame 0 response a\n00000001\n",
		"api without key":    "api Fetch\nframe 0 response a\n00000001\n",
		"key is no number":   "api Fetch x\nframe 0 response a\n00000001\n",
		"no origin":          "api Fetch 1\nframe 0 request\n0001000000000001ffff\n",
		"version too large":  "api Fetch 1\nframe 70000 request a\n0001000000000001ffff\n",
		"neither kind":       "api Fetch 1\nframe 0 answer a\n0001000000000001ffff\n",
		"other key":          "api Fetch 1\nframe 0 request a\n0002000000000001ffff\n",
		"other version":      "api Fetch 1\nframe 0 request a\n0001000100000001ffff\n",
		"short request":      "api Fetch 1\nframe 0 request a\n000100000000\n",
		"short response":     "api Fetch 1\nframe 0 response a\n0000\n",
		"empty, then next":   "api Fetch 1\nframe 0 response a\nframe 0 response a\n00000001\n",
		"odd digits":         "api Fetch 1\nframe 0 response a\n00000\n",
		"hex of no frame":    "api Fetch 1\n00000001\n",
		"hex after an end":   "api Fetch 1\nframe 0 response a\n00000001\n\n00\n",
		"text in the digits": "api Fetch 1\nframe 0 response a\n0000zz01\n",
	} {
		if frames, err := load(file(text)); err == nil || !strings.Contains(err.Error(), "x.txt") {
			t.Errorf("%s: %v, %v", name, frames, err)
		}
	}
}

func FuzzReader(f *testing.F) {
	f.Add("api Fetch 1\nframe 0 response a\n00000001\n")
	f.Fuzz(func(t *testing.T, text string) {
		frames, err := load(file(text))
		if err != nil {
			return
		}
		total := 0
		for _, f := range frames {
			total += len(f.Body)
		}
		if total*2 > len(text) {
			t.Errorf("%d bytes from %d characters", total, len(text))
		}
	})
}
