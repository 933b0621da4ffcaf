package sarama

import (
	"net"
	"strconv"

	"github.com/IBM/sarama/internal/wire"
)

// apiConsumerMetadata is FindCoordinator as it was called when there were
// coordinators of groups alone. It is not in the table: what comes in under the
// key is read as the newer messages.
var apiConsumerMetadata = &api{
	key: keyFindCoordinator, name: "ConsumerMetadata", flexible: -1, throttleFirst: -1, since: []KafkaVersion{V0_8_2_0},
}

// ConsumerMetadataRequest asks which broker coordinates a group. Version 0 is
// the only one.
//
// Deprecated: FindCoordinatorRequest does the same, and more.
type ConsumerMetadataRequest struct {
	Version       int16
	ConsumerGroup string
}

func (r *ConsumerMetadataRequest) meta() (*api, *int16) { return apiConsumerMetadata, &r.Version }

func (r *ConsumerMetadataRequest) layout(c *wire.Codec) { c.String(&r.ConsumerGroup) }

// ConsumerMetadataResponse is the answer to a ConsumerMetadataRequest.
//
// Deprecated: FindCoordinatorResponse does the same, and more.
type ConsumerMetadataResponse struct {
	Version int16
	Err     KError
	// Coordinator is what the other fields say, which do not count where it is
	// set. Where there is none, it has id -1.
	Coordinator     *Broker
	CoordinatorID   int32
	CoordinatorHost string
	CoordinatorPort int32
}

func (r *ConsumerMetadataResponse) meta() (*api, *int16) { return apiConsumerMetadata, &r.Version }

func (r *ConsumerMetadataResponse) layout(c *wire.Codec) {
	layKError(c, &r.Err)
	if c.Writing() {
		r.coordinator().layBroker(c)
		return
	}
	c.Int32(&r.CoordinatorID)
	c.String(&r.CoordinatorHost)
	c.Int32(&r.CoordinatorPort)
	r.Coordinator = r.named()
}

// coordinator is the broker that a response goes out with.
func (r *ConsumerMetadataResponse) coordinator() *Broker {
	switch {
	case r.Coordinator != nil:
		return r.Coordinator
	case r.CoordinatorHost == "":
		return NoNode
	}
	return r.named()
}

// named is the broker that id, host and port say.
func (r *ConsumerMetadataResponse) named() *Broker {
	return &Broker{id: r.CoordinatorID, addr: net.JoinHostPort(r.CoordinatorHost, strconv.Itoa(int(r.CoordinatorPort)))}
}
