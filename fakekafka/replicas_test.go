package fakekafka_test

import (
	"encoding/binary"
	"errors"
	"slices"
	"testing"

	"github.com/IBM/sarama"
	"github.com/IBM/sarama/fakekafka"
)

func TestLeadersNameTheClosestReplica(t *testing.T) {
	opts := three()
	opts.Racks, opts.ReadFromRack = []string{"a", "b", "c"}, true
	cluster := fakekafka.New(t, opts)
	fill(t, cluster, "r", 0, 3, 1)
	ask := func(broker int32, version int16, rack string, offset int64) (replica int32, got []string) {
		t.Helper()
		req := fetchRequest("r", 0, offset)
		req.Version, req.RackID, req.MinBytes, req.MaxWaitTime = version, rack, 1, 1
		block := fetch(t, dial(t, cluster, broker), req).GetBlock("r", 0)
		wantErr(t, block.Err, sarama.ErrNoError)
		return block.PreferredReadReplica, values(block)
	}
	for name, test := range map[string]struct {
		version int16
		rack    string
		offset  int64
		want    int32
	}{
		"its rack":           {12, "b", 0, 2},
		"the leader's rack":  {12, "a", 0, -1},
		"a rack with nobody": {12, "x", 0, -1},
		"no rack":            {12, "", 0, -1},
		"a version without":  {10, "b", 0, -1},
		"at the end":         {11, "c", 3, 3},
	} {
		t.Run(name, func(t *testing.T) {
			replica, got := ask(1, test.version, test.rack, test.offset)
			if replica != test.want || (len(got) > 0) != (test.want < 0 && test.offset < 3) {
				t.Errorf("replica %d with %q, want %d", replica, got, test.want)
			}
		})
	}
	if replica, got := ask(2, 12, "b", 1); replica != -1 || !slices.Equal(got, []string{"1", "2"}) {
		t.Errorf("the replica names %d and has %q", replica, got)
	}
	must(t, cluster.SetReplicaEnd("r", 0, 2, 1))
	if replica, _ := ask(1, 12, "b", 2); replica != -1 {
		t.Errorf("named %d, which does not have the offset", replica)
	}
	if replica, _ := ask(1, 12, "b", 1); replica != 2 {
		t.Errorf("named %d", replica)
	}
	must(t, cluster.PreferReplica("r", 0, 3))
	if replica, _ := ask(1, 12, "b", 2); replica != 3 {
		t.Errorf("named %d against PreferReplica", replica)
	}
	must(t, cluster.PreferReplica("r", 0, 0))
	must(t, cluster.StopBroker(2))
	if replica, _ := ask(1, 12, "b", 0); replica != -1 {
		t.Errorf("named %d, which is stopped", replica)
	}
}

func TestReplicaThatLagsBehind(t *testing.T) {
	cluster := fakekafka.New(t, three())
	fill(t, cluster, "r", 0, 5, 1)
	must(t, cluster.SetReplicaEnd("r", 0, 2, 3))
	must(t, cluster.SetReplicaEnd("r", 0, 1, 3)) // the leader, which never does
	b := dial(t, cluster, 2)
	block := fetch(t, b, fetchRequest("r", 0, 0)).GetBlock("r", 0)
	if wantValues(t, values(block), "0", "1", "2"); block.HighWaterMarkOffset != 3 {
		t.Errorf("high watermark %d", block.HighWaterMarkOffset)
	}
	wantErr(t, fetch(t, b, fetchRequest("r", 0, 4)).GetBlock("r", 0).Err, sarama.ErrOffsetOutOfRange)
	wantValues(t, values(fetch(t, dial(t, cluster, 1), fetchRequest("r", 0, 0)).GetBlock("r", 0)), "0", "1", "2", "3", "4")
	must(t, cluster.SetReplicaEnd("r", 0, 2, -1))
	wantValues(t, values(fetch(t, b, fetchRequest("r", 0, 4)).GetBlock("r", 0)), "4")
	if cluster.SetReplicaEnd("r", 0, 9, 1) == nil || cluster.PreferReplica("r", 9, 1) == nil {
		t.Error("no error for what is not there")
	}
}

// epochEnds asks OffsetForLeaderEpoch, version 2, for partition r/0.
func epochEnd(t *testing.T, cluster *fakekafka.Cluster, broker, current, epoch int32) (err sarama.KError, ended int32, end int64) {
	t.Helper()
	be := binary.BigEndian
	body := []byte{0, 0, 0, 1, 0, 1, 'r', 0, 0, 0, 1, 0, 0, 0, 0}
	body = be.AppendUint32(body, uint32(current))
	body = be.AppendUint32(body, uint32(epoch))
	got := exchange(t, rawConn(t, cluster, broker), frame(23, 2, 7, body...))
	got = got[4+4+4+2+1+4:] // correlation, throttle, topics, name, partitions
	return sarama.KError(be.Uint16(got)), int32(be.Uint32(got[6:])), int64(be.Uint64(got[10:]))
}

func TestTruncatedLog(t *testing.T) {
	cluster := fakekafka.New(t, three())
	fill(t, cluster, "r", 0, 3, 1) // epoch 0
	must(t, cluster.MoveLeader("r", 0, 2))
	fill(t, cluster, "r", 0, 2, 20<<10) // epoch 1, in segments of their own
	for _, test := range []struct {
		broker, current, epoch int32
		err                    sarama.KError
		ended                  int32
		end                    int64
	}{
		{2, 1, 0, sarama.ErrNoError, 0, 3}, {2, 1, 1, sarama.ErrNoError, 1, 5}, {2, -1, 1, sarama.ErrNoError, 1, 5},
		{2, 1, 2, sarama.ErrNoError, -1, -1}, {2, 0, 0, sarama.ErrFencedLeaderEpoch, -1, -1},
		{2, 2, 0, sarama.ErrUnknownLeaderEpoch, -1, -1}, {1, 1, 0, sarama.ErrNotLeaderForPartition, -1, -1},
	} {
		if err, ended, end := epochEnd(t, cluster, test.broker, test.current, test.epoch); err != test.err || ended != test.ended || end != test.end {
			t.Errorf("%+v: %v, epoch %d ends at %d", test, err, ended, end)
		}
	}
	must(t, cluster.TruncateLog("r", 0, 4))
	if _, end, _ := cluster.Offsets("r", 0); end != 4 {
		t.Fatalf("ends at %d", end)
	}
	if err, ended, end := epochEnd(t, cluster, 2, 2, 1); err != sarama.ErrNoError || ended != 1 || end != 4 {
		t.Errorf("%v, epoch %d ends at %d", err, ended, end)
	}
	must(t, cluster.TruncateLog("r", 0, 1))
	must(t, cluster.TruncateLog("r", 0, 1))
	if _, epoch, _ := cluster.Leader("r", 0); epoch != 4 {
		t.Errorf("epoch %d", epoch)
	}
	if err, ended, end := epochEnd(t, cluster, 2, 4, 1); err != sarama.ErrNoError || ended != 0 || end != 1 {
		t.Errorf("%v, epoch %d ends at %d", err, ended, end)
	}
	fill(t, cluster, "r", 0, 2, 1)
	wantValues(t, stored(t, cluster, "r", 0), "0", "0", "1")
	for _, end := range []int64{-1, 4} {
		if err := cluster.TruncateLog("r", 0, end); !errors.Is(err, sarama.ErrOffsetOutOfRange) {
			t.Error(err)
		}
	}
	// A batch goes as a whole.
	if _, err := cluster.Append("t", 0, fakekafka.Record{Value: []byte("a")}, fakekafka.Record{Value: []byte("b")}); err != nil {
		t.Fatal(err)
	}
	must(t, cluster.TruncateLog("t", 0, 1))
	wantValues(t, stored(t, cluster, "t", 0))
}
