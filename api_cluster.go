package sarama

import (
	"time"

	"github.com/IBM/sarama/internal/wire"
)

// The kinds of servers that DescribeClusterRequest.EndpointType asks for
// (KIP-919).
const (
	DescribeClusterEndpointTypeBrokers     int8 = 1
	DescribeClusterEndpointTypeControllers int8 = 2
)

// DescribeClusterRequest asks which brokers there are (KIP-700).
type DescribeClusterRequest struct {
	Version int16
	// IncludeClusterAuthorizedOperations asks what the caller may do with the
	// cluster.
	IncludeClusterAuthorizedOperations bool
	// EndpointType from version 1 on; brokers before.
	EndpointType int8
	// IncludeFencedBrokers asks for brokers, too, that are not to be used
	// (KIP-1073), from version 2 on.
	IncludeFencedBrokers bool
}

// NewDescribeClusterRequest returns a request at the version that belongs to a
// Kafka version, for all brokers.
func NewDescribeClusterRequest(version KafkaVersion) *DescribeClusterRequest {
	r := &DescribeClusterRequest{Version: apiDescribeCluster.versionFor(version)}
	if r.Version >= 1 {
		r.EndpointType = DescribeClusterEndpointTypeBrokers
	}
	r.IncludeFencedBrokers = r.Version >= 2
	return r
}

func (r *DescribeClusterRequest) meta() (*api, *int16) { return apiDescribeCluster, &r.Version }

func (r *DescribeClusterRequest) layout(c *wire.Codec) {
	c.Bool(&r.IncludeClusterAuthorizedOperations)
	needs(c, 1, &r.EndpointType, r.EndpointType == DescribeClusterEndpointTypeControllers)
	if c.From(1) {
		c.Int8(&r.EndpointType)
	}
	if c.From(2) {
		c.Bool(&r.IncludeFencedBrokers)
	}
}

// DescribeClusterResponse is the answer to a DescribeClusterRequest.
type DescribeClusterResponse struct {
	Version        int16
	ThrottleTimeMs int32
	Err            KError
	ErrorMessage   *string
	// EndpointType that Brokers are of, from version 1 on.
	EndpointType int8
	ClusterID    string
	// ControllerID is -1 where there is none. Brokers of clusters without
	// ZooKeeper name any broker.
	ControllerID int32
	Brokers      []*DescribeClusterBroker
	// ClusterAuthorizedOperations is a bit field, the smallest int32 where it
	// was not asked for.
	ClusterAuthorizedOperations int32
}

// DescribeClusterBroker is a broker of the cluster, or a controller.
type DescribeClusterBroker struct {
	BrokerID int32
	Host     string
	Port     int32
	Rack     *string
	// IsFenced from version 2 on.
	IsFenced bool
}

func (b *DescribeClusterBroker) layout(c *wire.Codec) {
	c.Int32(&b.BrokerID)
	c.String(&b.Host)
	c.Int32(&b.Port)
	c.NullableString(&b.Rack)
	if c.From(2) {
		c.Bool(&b.IsFenced)
	}
}

func (r *DescribeClusterResponse) meta() (*api, *int16) { return apiDescribeCluster, &r.Version }

func (r *DescribeClusterResponse) throttleTime() time.Duration { return millis(r.ThrottleTimeMs) }

func (r *DescribeClusterResponse) layout(c *wire.Codec) {
	c.Int32(&r.ThrottleTimeMs)
	layKError(c, &r.Err)
	c.NullableString(&r.ErrorMessage)
	if c.From(1) {
		c.Int8(&r.EndpointType)
	}
	c.String(&r.ClusterID)
	c.Int32(&r.ControllerID)
	wire.Structs(c, &r.Brokers, (*DescribeClusterBroker).layout)
	c.Int32(&r.ClusterAuthorizedOperations)
}

// FeatureUpgradeType says which way the level of a feature may change
// (KIP-778).
type FeatureUpgradeType int8

// The ways to change a feature's level.
const (
	// FeatureUpgradeUnset leaves it to FeatureUpdate.AllowDowngrade: an upgrade,
	// or a safe downgrade.
	FeatureUpgradeUnset FeatureUpgradeType = iota
	FeatureUpgradeOnly
	// FeatureSafeDowngrade refuses to lose metadata, FeatureUnsafeDowngrade does
	// not.
	FeatureSafeDowngrade
	FeatureUnsafeDowngrade
)

// UpdateFeaturesRequest asks the controller to change the level of features of
// the cluster (KIP-584).
type UpdateFeaturesRequest struct {
	Version        int16
	Timeout        time.Duration
	FeatureUpdates []FeatureUpdate
	// ValidateOnly asks only whether it could be done; it needs version 1.
	ValidateOnly bool
}

// FeatureUpdate is the change of one feature.
type FeatureUpdate struct {
	Feature string
	// MaxVersionLevel is the new level; below 1 the feature is disabled.
	MaxVersionLevel int16
	// AllowDowngrade is for version 0. From version 1 on it counts where
	// UpgradeType is not set.
	AllowDowngrade bool
	// UpgradeType from version 1 on; FeatureUnsafeDowngrade needs it.
	UpgradeType FeatureUpgradeType
}

func (u *FeatureUpdate) layout(c *wire.Codec) {
	c.String(&u.Feature)
	c.Int16(&u.MaxVersionLevel)
	down, way := u.AllowDowngrade, u.UpgradeType
	if c.Writing() && way == FeatureUpgradeUnset {
		way = FeatureUpgradeOnly
		if down {
			way = FeatureSafeDowngrade
		}
	}
	needs(c, 1, &u.UpgradeType, way == FeatureUnsafeDowngrade)
	if c.From(1) {
		c.Int8((*int8)(&way))
		down = way != FeatureUpgradeOnly
	} else {
		down = down || way == FeatureSafeDowngrade
		c.Bool(&down)
	}
	if !c.Writing() {
		u.AllowDowngrade, u.UpgradeType = down, way
	}
}

func (r *UpdateFeaturesRequest) meta() (*api, *int16) { return apiUpdateFeatures, &r.Version }

func (r *UpdateFeaturesRequest) brokerWait() time.Duration { return r.Timeout }

func (r *UpdateFeaturesRequest) layout(c *wire.Codec) {
	c.Millis(&r.Timeout)
	wire.Values(c, &r.FeatureUpdates, (*FeatureUpdate).layout)
	needs(c, 1, &r.ValidateOnly, r.ValidateOnly)
	if c.From(1) {
		c.Bool(&r.ValidateOnly)
	}
}

// UpdateFeaturesResponse is the answer to an UpdateFeaturesRequest.
type UpdateFeaturesResponse struct {
	Version      int16
	ThrottleTime time.Duration
	// ErrorCode and ErrorMessage of the whole request.
	ErrorCode    KError
	ErrorMessage *string
	// Results up to version 1; from 2 on all updates are made, or none.
	Results []UpdatableFeatureResult
}

// UpdatableFeatureResult is what became of one feature.
type UpdatableFeatureResult struct {
	Feature      string
	ErrorCode    KError
	ErrorMessage *string
}

func (r *UpdateFeaturesResponse) meta() (*api, *int16) { return apiUpdateFeatures, &r.Version }

func (r *UpdateFeaturesResponse) throttleTime() time.Duration { return r.ThrottleTime }

func (r *UpdateFeaturesResponse) layout(c *wire.Codec) {
	c.Millis(&r.ThrottleTime)
	layKError(c, &r.ErrorCode)
	c.NullableString(&r.ErrorMessage)
	if c.From(2) {
		return
	}
	wire.Values(c, &r.Results, func(f *UpdatableFeatureResult, c *wire.Codec) {
		c.String(&f.Feature)
		layKError(c, &f.ErrorCode)
		c.NullableString(&f.ErrorMessage)
	})
}
