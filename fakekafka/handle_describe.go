package fakekafka

import (
	"maps"
	"slices"
	"sort"

	"github.com/IBM/sarama"
)

// describeCluster tells which brokers there are (KIP-700). Those that are
// stopped are fenced ones, as they are some time after in Kafka (KIP-1073).
func (c *conn) describeCluster(r *Request) (any, error) {
	req := r.Body.(*sarama.DescribeClusterRequest)
	resp := &sarama.DescribeClusterResponse{
		Err: r.reply.Err, EndpointType: sarama.DescribeClusterEndpointTypeBrokers, ControllerID: -1, ClusterAuthorizedOperations: notAsked,
		Brokers: []*sarama.DescribeClusterBroker{},
	}
	var err error
	switch kind := req.EndpointType; {
	case resp.Err != sarama.ErrNoError:
		return resp, nil
	case r.Version >= 1 && kind == sarama.DescribeClusterEndpointTypeControllers:
		err = refuse(sarama.ErrMismatchedEndpointType, "The request was sent to an endpoint of type BROKER, but we wanted an endpoint of type CONTROLLER")
	case r.Version >= 1 && kind != sarama.DescribeClusterEndpointTypeBrokers:
		err = refuse(sarama.ErrUnsupportedEndpointType, "Unsupported endpoint type %d", kind)
	}
	if resp.Err, resp.ErrorMessage = codeAndReason(err); err != nil {
		return resp, nil
	}
	resp.ClusterID, resp.ControllerID = c.cluster.id, c.cluster.controller.Load()
	if req.IncludeClusterAuthorizedOperations {
		resp.ClusterAuthorizedOperations = allOnCluster
	}
	for _, b := range c.cluster.brokers {
		if up := b.isUp(); up || req.IncludeFencedBrokers {
			resp.Brokers = append(resp.Brokers, &sarama.DescribeClusterBroker{BrokerID: b.id, Host: b.host, Port: b.port, Rack: b.rack, IsFenced: !up})
		}
	}
	return resp, nil
}

// describeLogDirs tells how large the logs of a broker are (KIP-113). It has
// one folder, of no size.
func (c *conn) describeLogDirs(r *Request) (any, error) {
	req := r.Body.(*sarama.DescribeLogDirsRequest)
	resp := &sarama.DescribeLogDirsResponse{ErrorCode: r.reply.Err, LogDirs: []sarama.DescribeLogDirsResponseDirMetadata{}}
	if resp.ErrorCode != sarama.ErrNoError {
		return resp, nil
	}
	catalog := c.cluster.catalog.Load()
	named := make(map[string][]int32)
	for _, t := range req.DescribeTopics {
		named[t.Topic] = append(named[t.Topic], t.PartitionIDs...)
	}
	if len(req.DescribeTopics) == 0 {
		named = catalog.allPartitions()
	}
	dir := sarama.DescribeLogDirsResponseDirMetadata{
		Path: c.broker.logDir(), Topics: []sarama.DescribeLogDirsResponseTopic{}, TotalBytes: -1, UsableBytes: -1,
	}
	for _, name := range slices.Sorted(maps.Keys(named)) {
		topic := sarama.DescribeLogDirsResponseTopic{Topic: name}
		for _, id := range slices.Compact(slices.Sorted(slices.Values(named[name]))) {
			if p := catalog.topic(name).partition(id); p != nil {
				topic.Partitions = p.logOn(c.broker.id, topic.Partitions)
			}
		}
		if topic.Partitions != nil {
			dir.Topics = append(dir.Topics, topic)
		}
	}
	resp.LogDirs = append(resp.LogDirs, dir)
	return resp, nil
}

// logOn appends what a broker has of the partition's log.
func (p *partition) logOn(broker int32, list []sarama.DescribeLogDirsResponsePartition) []sarama.DescribeLogDirsResponsePartition {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !slices.Contains(p.mu.replicas, broker) {
		return list
	}
	end := p.endLocked(broker)
	return append(list, sarama.DescribeLogDirsResponsePartition{
		PartitionID: p.id, Size: p.mu.log.sizeTo(end), OffsetLag: max(0, p.highWatermarkLocked()-end),
	})
}

// sizeTo is how many bytes are stored up to an offset.
func (l *recordLog) sizeTo(end int64) (bytes int64) {
	for _, s := range l.segments {
		past := sort.Search(len(s.index), func(i int) bool { return s.index[i].base >= end })
		if past < len(s.index) {
			return bytes + int64(s.index[past].at)
		}
		bytes += int64(len(s.data))
	}
	return bytes
}

// updateFeatures changes the level of transaction.version, the one feature that
// there is (KIP-584).
func (c *conn) updateFeatures(r *Request) (any, error) {
	req := r.Body.(*sarama.UpdateFeaturesRequest)
	resp := &sarama.UpdateFeaturesResponse{ErrorCode: r.reply.Err, Results: []sarama.UpdatableFeatureResult{}}
	if resp.ErrorCode == sarama.ErrNoError && !c.controls() {
		resp.ErrorCode = sarama.ErrNotController
	}
	if resp.ErrorCode != sarama.ErrNoError {
		return resp, nil
	}
	together := c.cluster.opts.Version.IsAtLeast(sarama.V4_0_0_0)
	level := -1
	for _, u := range req.FeatureUpdates {
		way := u.UpgradeType
		if r.Version == 0 {
			way = sarama.FeatureUpgradeOnly // brokers do not read AllowDowngrade
		}
		err := c.cluster.checkFeature(u, way)
		if err != nil && together { // all or none (KIP-1022)
			resp.ErrorCode = sarama.ErrInvalidUpdateVersion
			why := "The update failed for all features since the following feature had an error: " + err.Error()
			resp.ErrorMessage, resp.Results = &why, []sarama.UpdatableFeatureResult{}
			return resp, nil
		}
		result := sarama.UpdatableFeatureResult{Feature: u.Feature}
		if result.ErrorCode, result.ErrorMessage = codeAndReason(err); err == nil && u.Feature == transactionVersion {
			level = int(u.MaxVersionLevel)
		}
		resp.Results = append(resp.Results, result)
	}
	if together && level >= 0 && !req.ValidateOnly && level != int(c.cluster.txns.level.Load()) {
		c.cluster.SetTransactionVersion(level)
	}
	return resp, nil
}

// checkFeature says what Kafka says of a level that cannot be set.
func (c *Cluster) checkFeature(u sarama.FeatureUpdate, way sarama.FeatureUpgradeType) error {
	level, now := u.MaxVersionLevel, int16(c.txns.level.Load())
	wrong := func(format string, args ...any) error {
		return refuse(sarama.ErrInvalidUpdateVersion, "Invalid update version %d for feature %s. "+format, append([]any{level, u.Feature}, args...)...)
	}
	known := u.Feature == transactionVersion && c.opts.Version.IsAtLeast(sarama.V4_0_0_0)
	switch {
	case way < sarama.FeatureUpgradeOnly || way > sarama.FeatureUnsafeDowngrade:
		return wrong("The controller does not support the given upgrade type.")
	case level < 0:
		return wrong("A feature version cannot be less than 0.")
	case !known && level > 0:
		return wrong("Local controller %d does not support this feature.", c.controller.Load())
	case !known:
		return nil
	case level > transactionVersionMax:
		return wrong("Local controller %d only supports versions 0-%d", c.controller.Load(), transactionVersionMax)
	case level < now && way == sarama.FeatureUpgradeOnly:
		return wrong("Can't downgrade the version of this feature without setting the upgrade type to either safe or unsafe downgrade.")
	}
	return nil
}
