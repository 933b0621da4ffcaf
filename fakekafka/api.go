package fakekafka

import (
	"fmt"
	"strconv"

	"github.com/IBM/sarama"
	"github.com/IBM/sarama/internal/bridge"
)

// API is the key of one of Kafka's APIs, as it is on the wire.
type API int16

// The APIs that a cluster answers.
const (
	Produce              API = 0
	Fetch                API = 1
	ListOffsets          API = 2
	Metadata             API = 3
	FindCoordinator      API = 10
	SaslHandshake        API = 17
	ApiVersions          API = 18
	CreateTopics         API = 19
	DeleteTopics         API = 20
	InitProducerID       API = 22
	OffsetForLeaderEpoch API = 23
	SaslAuthenticate     API = 36

	apiLimit = 128 // above all keys
)

// String returns the API's name in Kafka's definitions.
func (a API) String() string {
	for _, v := range bridge.Versions() {
		if v.Key == int16(a) {
			return v.Name
		}
	}
	return "API " + strconv.Itoa(int(a))
}

// handler answers requests of one API. A nil response is none at all; an error
// closes the connection.
type handler func(c *conn, r *Request) (response any, err error)

func handlerOf(a API) handler {
	switch a {
	case Produce:
		return (*conn).produce
	case Fetch:
		return (*conn).fetch
	case ListOffsets:
		return (*conn).listOffsets
	case Metadata:
		return (*conn).metadata
	case FindCoordinator:
		return (*conn).findCoordinator
	case SaslHandshake:
		return (*conn).saslHandshake
	case ApiVersions:
		return (*conn).apiVersions
	case CreateTopics:
		return (*conn).createTopics
	case DeleteTopics:
		return (*conn).deleteTopics
	case InitProducerID:
		return (*conn).initProducerID
	case OffsetForLeaderEpoch:
		return (*conn).offsetForLeaderEpoch
	case AddPartitionsToTxn:
		return (*conn).addPartitionsToTxn
	case AddOffsetsToTxn:
		return (*conn).addOffsetsToTxn
	case EndTxn:
		return (*conn).endTxn
	case SaslAuthenticate:
		return (*conn).saslAuthenticate
	}
	if h := adminHandlerOf(a); h != nil {
		return h
	}
	return groupHandlerOf(a)
}

// offer is what the cluster has of one API.
type offer struct {
	handle        handler // nil: nothing
	min, max      int16
	throttleFirst int16 // first version that is answered before it is throttled, negative for none (KIP-219)
}

// offers has the offer of each API at its key; it never changes.
type offers [apiLimit]offer

// since overrides where the client's own rules differ from what brokers had.
var since = map[API][]sarama.KafkaVersion{
	Produce: {sarama.V0_8_2_0, sarama.V0_9_0_0, sarama.V0_10_0_0, sarama.V0_11_0_0, sarama.V1_0_0_0, sarama.V1_0_0_0, sarama.V2_0_0_0,
		sarama.V2_1_0_0, sarama.V2_4_0_0, sarama.V2_8_0_0, sarama.V3_7_0_0, sarama.V3_8_0_0, sarama.V4_0_0_0, sarama.V4_1_0_0},
	SaslHandshake: {sarama.V0_10_0_0, sarama.V1_0_0_0},
	ElectLeaders:  {sarama.V2_2_0_0, sarama.V2_4_0_0, sarama.V2_4_0_0},
	ApiVersions:   {sarama.V0_10_0_0, sarama.V0_11_0_0, sarama.V2_0_0_0, sarama.V2_4_0_0, sarama.V3_9_0_0},
}

// oldestVersion is the lowest version of an API that a release takes: Kafka 4.0
// took the oldest away, message sets among them (KIP-896).
func oldestVersion(a API, release sarama.KafkaVersion) int16 {
	if !release.IsAtLeast(sarama.V4_0_0_0) {
		return 0
	}
	switch a {
	case Produce:
		return produceBatches
	case Fetch:
		return fetchBatches
	case ListOffsets, DeleteTopics, DescribeAcls, CreateAcls, DeleteAcls, DescribeConfigs, DescribeLogDirs:
		return 1
	case CreateTopics, OffsetForLeaderEpoch, OffsetCommit:
		return 2
	case OffsetFetch:
		return 1
	}
	return 0
}

// newOffers works out what a release offers.
func newOffers(release sarama.KafkaVersion, highest map[API]int16, classicOnly bool) (*offers, error) {
	list := new(offers)
	for _, v := range bridge.Versions() {
		key := API(v.Key)
		releases := since[key]
		if releases == nil {
			for _, s := range v.Since {
				r, err := sarama.ParseKafkaVersion(s)
				if err != nil {
					return nil, fmt.Errorf("fakekafka: release of %s: %w", v.Name, err)
				}
				releases = append(releases, r)
			}
		}
		o := offer{handle: handlerOf(key), min: oldestVersion(key, release), max: -1, throttleFirst: v.ThrottleFirst}
		for n, r := range releases {
			if release.IsAtLeast(r) {
				o.max = int16(n)
			}
		}
		if bound, ok := highest[key]; ok {
			o.max = min(o.max, bound)
		}
		if key.newerGroups() && (classicOnly || !release.IsAtLeast(sarama.V4_0_0_0)) {
			o.handle = nil // in 3.7 to 3.9 it was for trials, and off by default
		}
		if o.handle != nil && o.max >= o.min {
			list[key] = o
		}
	}
	for key := range highest {
		if handlerOf(key) == nil {
			return nil, fmt.Errorf("fakekafka: Options.MaxVersions names %v, which the cluster does not have", key)
		}
	}
	return list, nil
}

// of returns what is offered of an API, nil for nothing.
func (l *offers) of(a API) *offer {
	if a < 0 || a >= apiLimit || l[a].handle == nil {
		return nil
	}
	return &l[a]
}
