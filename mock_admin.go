package sarama

import (
	"slices"
	"strings"
	"sync"
)

// Helpers that make the responses to requests about topics, partitions and
// settings. Those of this file have nothing to set.

// mockReserved is the first letter of topics that these helpers refuse to touch.
const mockReserved = "_"

// MockCreateTopicsResponse makes responses to topics that are created.
type MockCreateTopicsResponse struct{ t TestReporter }

// NewMockCreateTopicsResponse makes a helper that has all topics created but
// those that begin with "_", for which the client lacks permission.
func NewMockCreateTopicsResponse(t TestReporter) *MockCreateTopicsResponse {
	return &MockCreateTopicsResponse{t}
}

// For answers for each topic of the request.
func (m *MockCreateTopicsResponse) For(reqBody body) body {
	return mockAnswer(m.t, m, nil, reqBody, func(req *CreateTopicsRequest) body {
		resp := &CreateTopicsResponse{
			Version: req.Version, TopicErrors: make(map[string]*TopicError), TopicResults: make(map[string]*CreatableTopicResult),
		}
		for topic, d := range req.TopicDetails {
			if strings.HasPrefix(topic, mockReserved) {
				why := "insufficient permissions to create topic with reserved prefix"
				resp.TopicErrors[topic] = &TopicError{Err: ErrTopicAuthorizationFailed, ErrMsg: &why}
				continue
			}
			resp.TopicErrors[topic] = &TopicError{Err: ErrNoError}
			if req.Version >= 5 && d != nil {
				resp.TopicResults[topic] = &CreatableTopicResult{NumPartitions: d.NumPartitions, ReplicationFactor: d.ReplicationFactor}
			}
		}
		return resp
	})
}

// MockDeleteTopicsResponse makes responses to topics that are deleted.
type MockDeleteTopicsResponse struct {
	t   TestReporter
	mu  sync.Mutex
	err KError
}

// NewMockDeleteTopicsResponse makes a helper that has all topics deleted.
func NewMockDeleteTopicsResponse(t TestReporter) *MockDeleteTopicsResponse {
	return &MockDeleteTopicsResponse{t: t}
}

// SetError sets the error of all topics.
func (m *MockDeleteTopicsResponse) SetError(kerror KError) *MockDeleteTopicsResponse {
	return mockWith(m, &m.mu, func() { m.err = kerror })
}

// For answers for each topic of the request.
func (m *MockDeleteTopicsResponse) For(reqBody body) body {
	return mockAnswer(m.t, m, &m.mu, reqBody, func(req *DeleteTopicsRequest) body {
		resp := &DeleteTopicsResponse{Version: req.Version, TopicErrorCodes: make(map[string]KError, len(req.Topics))}
		for _, topic := range req.Topics {
			resp.TopicErrorCodes[topic] = m.err
		}
		return resp
	})
}

// MockCreatePartitionsResponse makes responses to partitions that are created.
type MockCreatePartitionsResponse struct{ t TestReporter }

// NewMockCreatePartitionsResponse makes a helper that has all partitions created
// but those of topics that begin with "_", for which the client lacks
// permission.
func NewMockCreatePartitionsResponse(t TestReporter) *MockCreatePartitionsResponse {
	return &MockCreatePartitionsResponse{t}
}

// For answers for each topic of the request.
func (m *MockCreatePartitionsResponse) For(reqBody body) body {
	return mockAnswer(m.t, m, nil, reqBody, func(req *CreatePartitionsRequest) body {
		resp := &CreatePartitionsResponse{Version: req.Version, TopicPartitionErrors: make(map[string]*TopicPartitionError)}
		for topic := range req.TopicPartitions {
			resp.TopicPartitionErrors[topic] = &TopicPartitionError{Err: ErrNoError}
			if strings.HasPrefix(topic, mockReserved) {
				why := "insufficient permissions to create partition on topic with reserved prefix"
				resp.TopicPartitionErrors[topic] = &TopicPartitionError{Err: ErrTopicAuthorizationFailed, ErrMsg: &why}
			}
		}
		return resp
	})
}

// MockAlterPartitionReassignmentsResponse makes responses to replicas that are
// moved.
type MockAlterPartitionReassignmentsResponse struct{ t TestReporter }

// NewMockAlterPartitionReassignmentsResponse makes a helper without errors.
func NewMockAlterPartitionReassignmentsResponse(t TestReporter) *MockAlterPartitionReassignmentsResponse {
	return &MockAlterPartitionReassignmentsResponse{t}
}

// For returns a response without errors.
func (m *MockAlterPartitionReassignmentsResponse) For(reqBody body) body {
	return mockAnswer(m.t, m, nil, reqBody, func(req *AlterPartitionReassignmentsRequest) body {
		return &AlterPartitionReassignmentsResponse{Version: req.Version}
	})
}

// MockListPartitionReassignmentsResponse makes responses that list replicas on
// the move.
type MockListPartitionReassignmentsResponse struct{ t TestReporter }

// NewMockListPartitionReassignmentsResponse makes a helper by which all
// partitions are on broker 0, come to 1 and go from 2.
func NewMockListPartitionReassignmentsResponse(t TestReporter) *MockListPartitionReassignmentsResponse {
	return &MockListPartitionReassignmentsResponse{t}
}

// For answers for each partition of the request.
func (m *MockListPartitionReassignmentsResponse) For(reqBody body) body {
	return mockAnswer(m.t, m, nil, reqBody, func(req *ListPartitionReassignmentsRequest) body {
		resp := &ListPartitionReassignmentsResponse{Version: req.Version}
		for topic, partitions := range req.blocks {
			for _, partition := range partitions {
				resp.AddBlock(topic, partition, []int32{0}, []int32{1}, []int32{2})
			}
		}
		return resp
	})
}

// MockElectLeadersResponse makes responses to elections.
type MockElectLeadersResponse struct{ t TestReporter }

// NewMockElectLeadersResponse makes a helper whose elections succeed.
func NewMockElectLeadersResponse(t TestReporter) *MockElectLeadersResponse {
	return &MockElectLeadersResponse{t}
}

// For answers for each partition of the request.
func (m *MockElectLeadersResponse) For(reqBody body) body {
	return mockAnswer(m.t, m, nil, reqBody, func(req *ElectLeadersRequest) body {
		resp := &ElectLeadersResponse{Version: req.Version, ReplicaElectionResults: make(map[string]map[int32]*PartitionResult)}
		for topic, partitions := range req.TopicPartitions {
			resp.ReplicaElectionResults[topic] = make(map[int32]*PartitionResult, len(partitions))
			for _, partition := range partitions {
				resp.ReplicaElectionResults[topic][partition] = new(PartitionResult)
			}
		}
		return resp
	})
}

// MockDeleteRecordsResponse makes responses to records that are deleted.
type MockDeleteRecordsResponse struct{ t TestReporter }

// NewMockDeleteRecordsResponse makes a helper without errors.
func NewMockDeleteRecordsResponse(t TestReporter) *MockDeleteRecordsResponse {
	return &MockDeleteRecordsResponse{t}
}

// For answers for each partition of the request, with a low watermark of 0.
func (m *MockDeleteRecordsResponse) For(reqBody body) body {
	return mockAnswer(m.t, m, nil, reqBody, func(req *DeleteRecordsRequest) body {
		resp := &DeleteRecordsResponse{Version: req.Version, Topics: make(map[string]*DeleteRecordsResponseTopic)}
		for topic, asked := range req.Topics {
			partitions := make(map[int32]*DeleteRecordsResponsePartition, len(asked.PartitionOffsets))
			for partition := range asked.PartitionOffsets {
				partitions[partition] = new(DeleteRecordsResponsePartition)
			}
			resp.Topics[topic] = &DeleteRecordsResponseTopic{Partitions: partitions}
		}
		return resp
	})
}

// mockErrorCode is the code of helpers that refuse settings, which existing tests
// look for. It is ELIGIBLE_LEADERS_NOT_AVAILABLE; no broker says that of
// settings.
const mockErrorCode = 83

// MockDescribeConfigsResponse makes responses with settings.
type MockDescribeConfigsResponse struct{ t TestReporter }

// NewMockDescribeConfigsResponse makes a helper that knows a few settings of
// topics (max.message.bytes, retention.ms and a sensitive one, password), of
// brokers (min.insync.replicas) and of brokers' loggers.
func NewMockDescribeConfigsResponse(t TestReporter) *MockDescribeConfigsResponse {
	return &MockDescribeConfigsResponse{t}
}

// For answers for each resource of the request, whichever settings it names.
// From version 1 on, settings of topics have synonyms, asked for or not.
func (m *MockDescribeConfigsResponse) For(reqBody body) body {
	return mockDescribed(m.t, m, reqBody, func(kind ConfigResourceType, version int16) ResourceResponse {
		return ResourceResponse{Configs: mockSettings(kind, version)}
	})
}

func mockDescribed(t TestReporter, maker MockResponse, reqBody body, describe func(kind ConfigResourceType, version int16) ResourceResponse) body {
	return mockAnswer(t, maker, nil, reqBody, func(req *DescribeConfigsRequest) body {
		resp := &DescribeConfigsResponse{Version: req.Version}
		for _, asked := range req.Resources {
			r := describe(asked.Type, req.Version)
			r.Type, r.Name = asked.Type, asked.Name
			resp.Resources = append(resp.Resources, &r)
		}
		return resp
	})
}

// mockSettings are the settings of a resource, as a version of the response can
// say them.
func mockSettings(kind ConfigResourceType, version int16) []*ConfigEntry {
	switch kind {
	case BrokerLoggerResource:
		return []*ConfigEntry{{Name: "kafka.controller.KafkaController", Value: "DEBUG"}}
	case BrokerResource:
		return []*ConfigEntry{{Name: "min.insync.replicas", Value: "2"}}
	case TopicResource:
	default:
		return nil
	}
	size := &ConfigEntry{Name: "max.message.bytes", Value: "1000000", Default: version == 0}
	retention := &ConfigEntry{Name: "retention.ms", Value: "5000"}
	if version > 0 {
		size.Source = SourceDefault
		size.Synonyms = []*ConfigSynonym{{ConfigName: size.Name, ConfigValue: "500000"}}
		retention.Synonyms = []*ConfigSynonym{{ConfigName: "log.retention.ms", ConfigValue: "2500"}}
	}
	return []*ConfigEntry{size, retention, {Name: "password", Value: "12345", Sensitive: true}}
}

// MockDescribeConfigsResponseWithErrorCode makes responses without settings.
type MockDescribeConfigsResponseWithErrorCode struct{ t TestReporter }

// NewMockDescribeConfigsResponseWithErrorCode makes a helper that answers with
// error code 83.
func NewMockDescribeConfigsResponseWithErrorCode(t TestReporter) *MockDescribeConfigsResponseWithErrorCode {
	return &MockDescribeConfigsResponseWithErrorCode{t}
}

// For refuses each resource of the request.
func (m *MockDescribeConfigsResponseWithErrorCode) For(reqBody body) body {
	return mockDescribed(m.t, m, reqBody, func(ConfigResourceType, int16) ResourceResponse {
		return ResourceResponse{ErrorCode: mockErrorCode}
	})
}

// MockAlterConfigsResponse makes responses to settings that are replaced.
type MockAlterConfigsResponse struct{ t TestReporter }

// NewMockAlterConfigsResponse makes a helper that takes all settings.
func NewMockAlterConfigsResponse(t TestReporter) *MockAlterConfigsResponse {
	return &MockAlterConfigsResponse{t}
}

// For answers for each resource of the request.
func (m *MockAlterConfigsResponse) For(reqBody body) body {
	return mockAltered(m.t, m, reqBody, AlterConfigsResourceResponse{})
}

func mockAltered(t TestReporter, maker MockResponse, reqBody body, result AlterConfigsResourceResponse) body {
	return mockAnswer(t, maker, nil, reqBody, func(req *AlterConfigsRequest) body {
		resp := &AlterConfigsResponse{Version: req.Version}
		for _, r := range req.Resources {
			resp.Resources = append(resp.Resources, result.of(r.Type, r.Name))
		}
		return resp
	})
}

// of is the same result for a resource.
func (r AlterConfigsResourceResponse) of(kind ConfigResourceType, name string) *AlterConfigsResourceResponse {
	r.Type, r.Name = kind, name
	return &r
}

// MockAlterConfigsResponseWithErrorCode makes responses to settings that are
// refused.
type MockAlterConfigsResponseWithErrorCode struct{ t TestReporter }

// NewMockAlterConfigsResponseWithErrorCode makes a helper that answers with
// error code 83.
func NewMockAlterConfigsResponseWithErrorCode(t TestReporter) *MockAlterConfigsResponseWithErrorCode {
	return &MockAlterConfigsResponseWithErrorCode{t}
}

// For refuses each resource of the request.
func (m *MockAlterConfigsResponseWithErrorCode) For(reqBody body) body {
	return mockAltered(m.t, m, reqBody, AlterConfigsResourceResponse{ErrorCode: mockErrorCode})
}

// MockIncrementalAlterConfigsResponse makes responses to settings that are
// changed one by one.
type MockIncrementalAlterConfigsResponse struct{ t TestReporter }

// NewMockIncrementalAlterConfigsResponse makes a helper that takes all settings.
func NewMockIncrementalAlterConfigsResponse(t TestReporter) *MockIncrementalAlterConfigsResponse {
	return &MockIncrementalAlterConfigsResponse{t}
}

// For answers for each resource of the request.
func (m *MockIncrementalAlterConfigsResponse) For(reqBody body) body {
	return mockIncrementallyAltered(m.t, m, reqBody, AlterConfigsResourceResponse{})
}

func mockIncrementallyAltered(t TestReporter, maker MockResponse, reqBody body, result AlterConfigsResourceResponse) body {
	return mockAnswer(t, maker, nil, reqBody, func(req *IncrementalAlterConfigsRequest) body {
		resp := &IncrementalAlterConfigsResponse{Version: req.Version}
		for _, r := range req.Resources {
			resp.Resources = append(resp.Resources, result.of(r.Type, r.Name))
		}
		return resp
	})
}

// MockIncrementalAlterConfigsResponseWithErrorCode makes responses to settings
// that are refused.
type MockIncrementalAlterConfigsResponseWithErrorCode struct{ t TestReporter }

// NewMockIncrementalAlterConfigsResponseWithErrorCode makes a helper that
// answers with ErrInvalidConfig and a message.
func NewMockIncrementalAlterConfigsResponseWithErrorCode(t TestReporter) *MockIncrementalAlterConfigsResponseWithErrorCode {
	return &MockIncrementalAlterConfigsResponseWithErrorCode{t}
}

// For refuses each resource of the request.
func (m *MockIncrementalAlterConfigsResponseWithErrorCode) For(reqBody body) body {
	return mockIncrementallyAltered(m.t, m, reqBody, AlterConfigsResourceResponse{
		ErrorCode: int16(ErrInvalidConfig), ErrorMsg: "Invalid value xyz for configuration retention.ms: Not a number of type LONG",
	})
}

// MockDescribeLogDirsResponse makes responses about the directories of a
// broker's logs.
type MockDescribeLogDirsResponse struct {
	t    TestReporter
	mu   sync.Mutex
	dirs []DescribeLogDirsResponseDirMetadata
}

// NewMockDescribeLogDirsResponse makes a helper that knows of no directory yet.
func NewMockDescribeLogDirsResponse(t TestReporter) *MockDescribeLogDirsResponse {
	return &MockDescribeLogDirsResponse{t: t}
}

// SetLogDirs sets the one directory, with the number of partitions of each
// topic, of 1234 bytes each.
func (m *MockDescribeLogDirsResponse) SetLogDirs(logDir string, topicPartitions map[string]int) *MockDescribeLogDirsResponse {
	dir := DescribeLogDirsResponseDirMetadata{Path: logDir}
	for _, topic := range sortedKeys(topicPartitions) {
		t := DescribeLogDirsResponseTopic{Topic: topic}
		for i := range topicPartitions[topic] {
			t.Partitions = append(t.Partitions, DescribeLogDirsResponsePartition{PartitionID: int32(i), Size: 1234})
		}
		dir.Topics = append(dir.Topics, t)
	}
	return mockWith(m, &m.mu, func() { m.dirs = []DescribeLogDirsResponseDirMetadata{dir} })
}

// For describes the directory, whatever was asked for.
func (m *MockDescribeLogDirsResponse) For(reqBody body) body {
	return mockAnswer(m.t, m, &m.mu, reqBody, func(req *DescribeLogDirsRequest) body {
		return &DescribeLogDirsResponse{Version: req.Version, LogDirs: slices.Clone(m.dirs)}
	})
}

// MockUpdateFeaturesResponse makes responses to features whose level is set.
type MockUpdateFeaturesResponse struct{ t TestReporter }

// NewMockUpdateFeaturesResponse makes a helper without errors.
func NewMockUpdateFeaturesResponse(t TestReporter) *MockUpdateFeaturesResponse {
	return &MockUpdateFeaturesResponse{t}
}

// For answers for each feature of the request.
func (m *MockUpdateFeaturesResponse) For(reqBody body) body {
	return mockAnswer(m.t, m, nil, reqBody, func(req *UpdateFeaturesRequest) body {
		resp := &UpdateFeaturesResponse{Version: req.Version}
		for _, f := range req.FeatureUpdates {
			resp.Results = append(resp.Results, UpdatableFeatureResult{Feature: f.Feature})
		}
		return resp
	})
}
