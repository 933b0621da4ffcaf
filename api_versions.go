package sarama

import (
	"time"

	"github.com/IBM/sarama/internal/wire"
)

// ApiVersionsRequest asks a broker which versions of which APIs it takes. A
// broker is asked once per connection, before anything else.
type ApiVersionsRequest struct {
	Version int16
	// ClientSoftwareName and ClientSoftwareVersion tell the broker what runs
	// at the other end, from version 3 on (KIP-511).
	ClientSoftwareName    string
	ClientSoftwareVersion string
}

func (r *ApiVersionsRequest) meta() (*api, *int16) { return apiApiVersions, &r.Version }

func (r *ApiVersionsRequest) layout(c *wire.Codec) {
	if c.From(3) {
		c.String(&r.ClientSoftwareName)
		c.String(&r.ClientSoftwareVersion)
	}
}

// ApiVersionsResponse is the answer to an ApiVersionsRequest.
type ApiVersionsResponse struct {
	Version        int16
	ErrorCode      int16
	ApiKeys        []ApiVersionsResponseKey
	ThrottleTimeMs int32
	// Features that the broker supports, and those that the cluster has agreed
	// on with their epoch (-1 when unknown), from version 3 on (KIP-584).
	SupportedFeatures      []SupportedFeatureKey
	FinalizedFeaturesEpoch int64
	FinalizedFeatures      []FinalizedFeatureKey

	zkMigrationReady bool
}

// ApiVersionsResponseKey is the range of versions that a broker takes of one
// API.
type ApiVersionsResponseKey struct {
	Version    int16
	ApiKey     int16
	MinVersion int16
	MaxVersion int16
}

// SupportedFeatureKey is the range of levels of one feature that a broker can
// be set to.
type SupportedFeatureKey struct {
	Name       string
	MinVersion int16
	MaxVersion int16
}

// FinalizedFeatureKey is the level of one feature that the cluster runs at.
type FinalizedFeatureKey struct {
	Name            string
	MaxVersionLevel int16
	MinVersionLevel int16
}

func (r *ApiVersionsResponse) meta() (*api, *int16) { return apiApiVersions, &r.Version }

func (r *ApiVersionsResponse) throttleTime() time.Duration {
	return time.Duration(r.ThrottleTimeMs) * time.Millisecond
}

func (r *ApiVersionsResponse) layout(c *wire.Codec) {
	if !c.Writing() {
		r.FinalizedFeaturesEpoch = -1
	}
	c.Int16(&r.ErrorCode)
	wire.Values(c, &r.ApiKeys, (*ApiVersionsResponseKey).layout)
	if c.From(1) {
		c.Int32(&r.ThrottleTimeMs)
	}
	c.Tags(
		wire.Tag{ID: 0, Set: len(r.SupportedFeatures) > 0, Layout: func(c *wire.Codec) {
			wire.Values(c, &r.SupportedFeatures, (*SupportedFeatureKey).layout)
		}},
		wire.Tag{ID: 1, Set: r.FinalizedFeaturesEpoch > 0 || r.FinalizedFeaturesEpoch == 0 && len(r.FinalizedFeatures) > 0, Layout: func(c *wire.Codec) { c.Int64(&r.FinalizedFeaturesEpoch) }},
		wire.Tag{ID: 2, Set: len(r.FinalizedFeatures) > 0, Layout: func(c *wire.Codec) {
			wire.Values(c, &r.FinalizedFeatures, (*FinalizedFeatureKey).layout)
		}},
		wire.Tag{ID: 3, Set: r.zkMigrationReady, Layout: func(c *wire.Codec) { c.Bool(&r.zkMigrationReady) }},
	)
}

func (k *ApiVersionsResponseKey) layout(c *wire.Codec) {
	if !c.Writing() {
		k.Version = c.Version
	}
	c.Int16(&k.ApiKey)
	c.Int16(&k.MinVersion)
	c.Int16(&k.MaxVersion)
}

func (k *SupportedFeatureKey) layout(c *wire.Codec) {
	c.String(&k.Name)
	c.Int16(&k.MinVersion)
	c.Int16(&k.MaxVersion)
}

func (k *FinalizedFeatureKey) layout(c *wire.Codec) {
	c.String(&k.Name)
	c.Int16(&k.MaxVersionLevel)
	c.Int16(&k.MinVersionLevel)
}
