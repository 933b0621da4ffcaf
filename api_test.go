package sarama

import "testing"

// TestVersionsFollowConfigVersion holds the table against what upstream sends.
func TestVersionsFollowConfigVersion(t *testing.T) {
	type step struct {
		from    KafkaVersion
		version int16
	}
	for _, c := range []struct {
		api   *api
		steps []step
	}{
		{apiProduce, []step{{V0_8_2_0, 0}, {V0_10_0_0, 2}, {V0_11_0_0, 3}, {V1_0_0_0, 5}, {V2_0_0_0, 6}, {V2_1_0_0, 7}, {V2_4_0_0, 8}, {V2_8_0_0, 9}, {V3_7_0_0, 10}}},
		{apiFetch, []step{{V0_8_2_0, 0}, {V0_9_0_0, 1}, {V0_10_0_0, 2}, {V0_10_1_0, 3}, {V0_11_0_0, 5}, {V1_0_0_0, 6}, {V1_1_0_0, 7}, {V2_0_0_0, 8}, {V2_1_0_0, 10}, {V2_3_0_0, 11}, {V2_7_0_0, 12}}},
		{apiListOffsets, []step{{V0_8_2_0, 0}, {V0_10_1_0, 1}, {V0_11_0_0, 2}, {V2_0_0_0, 3}, {V2_1_0_0, 4}, {V2_2_0_0, 5}, {V2_8_0_0, 6}}},
		{apiMetadata, []step{{V0_8_2_0, 0}, {V0_10_0_0, 1}, {V0_10_1_0, 2}, {V0_11_0_0, 4}, {V1_0_0_0, 5}, {V2_0_0_0, 6}, {V2_1_0_0, 7}, {V2_3_0_0, 8}, {V2_4_0_0, 9}, {V2_8_0_0, 11}}},
		{apiFindCoordinator, []step{{V0_8_2_0, 0}, {V0_11_0_0, 1}, {V2_0_0_0, 2}, {V2_4_0_0, 3}}},
		{apiInitProducerID, []step{{V0_11_0_0, 0}, {V2_0_0_0, 1}, {V2_4_0_0, 2}, {V2_5_0_0, 3}, {V2_7_0_0, 4}}},
		{apiSaslAuthenticate, []step{{V1_0_0_0, 0}, {V2_2_0_0, 1}, {V2_5_0_0, 2}}},
		{apiOffsetCommit, []step{{V0_8_2_0, 1}, {V0_9_0_0, 2}, {V0_11_0_0, 3}, {V2_0_0_0, 4}, {V2_1_0_0, 6}, {V2_3_0_0, 7}, {V2_4_0_0, 8}}},
		{apiOffsetFetch, []step{{V0_8_2_0, 1}, {V0_10_2_0, 2}, {V0_11_0_0, 3}, {V2_0_0_0, 4}, {V2_1_0_0, 5}, {V2_4_0_0, 6}, {V2_5_0_0, 7}, {V3_0_0_0, 8}}},
		{apiJoinGroup, []step{{V0_10_1_0, 1}, {V0_11_0_0, 2}, {V2_0_0_0, 3}, {V2_2_0_0, 4}, {V2_3_0_0, 5}, {V2_4_0_0, 6}, {V2_5_0_0, 7}, {V3_2_0_0, 8}}},
		{apiSyncGroup, []step{{V0_11_0_0, 1}, {V2_0_0_0, 2}, {V2_3_0_0, 3}, {V2_4_0_0, 4}, {V2_5_0_0, 5}}},
		{apiHeartbeat, []step{{V0_11_0_0, 1}, {V2_0_0_0, 2}, {V2_3_0_0, 3}, {V2_4_0_0, 4}}},
		{apiLeaveGroup, []step{{V0_11_0_0, 1}, {V2_0_0_0, 2}, {V2_4_0_0, 4}, {V3_2_0_0, 5}}},
		{apiDescribeGroups, []step{{V1_1_0_0, 1}, {V2_0_0_0, 2}, {V2_3_0_0, 3}, {V2_4_0_0, 5}}},
		{apiListGroups, []step{{V0_11_0_0, 1}, {V2_0_0_0, 2}, {V2_4_0_0, 3}, {V2_6_0_0, 4}, {V3_8_0_0, 5}}},
		{apiDeleteGroups, []step{{V2_0_0_0, 1}, {V2_4_0_0, 2}}},
		{apiAddPartitionsToTxn, []step{{V2_0_0_0, 1}, {V2_7_0_0, 2}, {V2_8_0_0, 3}}},
		{apiAddOffsetsToTxn, []step{{V2_0_0_0, 1}, {V2_7_0_0, 2}, {V2_8_0_0, 3}}},
		{apiEndTxn, []step{{V2_0_0_0, 1}, {V2_7_0_0, 2}, {V2_8_0_0, 3}}},
		{apiTxnOffsetCommit, []step{{V2_0_0_0, 1}, {V2_1_0_0, 2}, {V2_5_0_0, 3}}},
		{apiCreateTopics, []step{{V0_10_1_0, 0}, {V0_10_2_0, 1}, {V0_11_0_0, 2}, {V2_0_0_0, 3}, {V2_4_0_0, 5}, {V2_7_0_0, 6}, {V2_8_0_0, 7}}},
		{apiDeleteTopics, []step{{V0_10_1_0, 0}, {V0_11_0_0, 1}, {V2_0_0_0, 2}, {V2_1_0_0, 3}, {V2_4_0_0, 4}, {V2_7_0_0, 5}, {V2_8_0_0, 6}}},
		{apiCreatePartitions, []step{{V2_0_0_0, 1}, {V2_5_0_0, 2}, {V2_7_0_0, 3}}},
		{apiDeleteRecords, []step{{V2_0_0_0, 1}, {V2_6_0_0, 2}}},
		{apiDescribeAcls, []step{{V2_0_0_0, 1}, {V2_5_0_0, 2}}},
		{apiCreateAcls, []step{{V2_0_0_0, 1}, {V2_5_0_0, 2}}},
		{apiDeleteAcls, []step{{V2_0_0_0, 1}, {V2_5_0_0, 2}}},
		{apiDescribeConfigs, []step{{V1_1_0_0, 1}, {V2_0_0_0, 2}, {V2_6_0_0, 3}, {V2_8_0_0, 4}}},
		{apiAlterConfigs, []step{{V2_0_0_0, 1}, {V2_8_0_0, 2}}},
		{apiIncrementalAlterConfigs, []step{{V2_4_0_0, 1}}},
		{apiDescribeLogDirs, []step{{V2_0_0_0, 1}, {V2_6_0_0, 2}, {V3_2_0_0, 3}, {V3_3_0_0, 4}}},
		{apiAlterPartitionReassignments, nil},
		{apiDescribeClientQuotas, []step{{V2_8_0_0, 1}}},
		{apiAlterClientQuotas, []step{{V2_8_0_0, 1}}},
		{apiDescribeUserScramCredentials, nil},
		{apiAlterUserScramCredentials, nil},
		{apiUpdateFeatures, nil},
		{apiDescribeCluster, []step{{V3_7_0_0, 1}, {V4_0_0_0, 2}}},
		{apiDescribeProducers, nil},
		{apiDescribeTransactions, nil},
		{apiListTransactions, []step{{V3_8_0_0, 1}}},
	} {
		for _, v := range SupportedVersions {
			want := int16(0)
			for _, s := range c.steps {
				if v.IsAtLeast(s.from) {
					want = s.version
				}
			}
			if got := c.api.versionFor(v); got != want {
				t.Errorf("%s at Config.Version %v: version %d, want %d", c.api.name, v, got, want)
			}
		}
	}
}

func TestAdminAPIsNeedTheirFirstRelease(t *testing.T) {
	for a, first := range map[*api]KafkaVersion{
		apiDeleteRecords: V0_11_0_0, apiDescribeAcls: V0_11_0_0, apiCreateAcls: V0_11_0_0, apiDeleteAcls: V0_11_0_0,
		apiDescribeConfigs: V0_11_0_0, apiAlterConfigs: V0_11_0_0, apiCreatePartitions: V1_0_0_0, apiDescribeLogDirs: V1_0_0_0,
		apiIncrementalAlterConfigs: V2_3_0_0, apiDescribeClientQuotas: V2_6_0_0, apiAlterClientQuotas: V2_6_0_0,
		apiDescribeUserScramCredentials: V2_7_0_0, apiAlterUserScramCredentials: V2_7_0_0, apiUpdateFeatures: V2_7_0_0,
		apiDescribeCluster: V2_8_0_0, apiDescribeProducers: V2_8_0_0, apiDescribeTransactions: V3_0_0_0, apiListTransactions: V3_0_0_0,
	} {
		for _, v := range SupportedVersions {
			if err := a.allowed(0, v); (err == nil) != v.IsAtLeast(first) {
				t.Errorf("%s version 0 with Config.Version %v: %v", a.name, v, err)
			}
		}
	}
}

func TestTableIsConsistent(t *testing.T) {
	for key, a := range apis {
		if a == nil {
			continue
		}
		if int(a.key) != key || a.sentMax > a.max() {
			t.Errorf("%s: key %d at %d, sends up to %d of %d", a.name, a.key, key, a.sentMax, a.max())
		}
		for v := 1; v < len(a.since); v++ {
			if !a.since[v].IsAtLeast(a.since[v-1]) {
				t.Errorf("%s: version %d is allowed before version %d", a.name, v, v-1)
			}
		}
		for _, b := range []body{a.request(), a.response()} {
			if of, version := b.meta(); of != a || version == nil {
				t.Errorf("%s: %T says it belongs to %v", a.name, b, of)
			}
		}
	}
}
