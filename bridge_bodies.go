package sarama

import (
	"encoding/binary"
	"errors"

	"github.com/IBM/sarama/internal/bridge"
	"github.com/IBM/sarama/internal/wire"
)

var errNoBody = errors.New("kafka: neither a request nor a response")

func init() {
	bridge.Bodies = bodiesOf
	bridge.ReadBody = func(raw []byte, b any, version int16) error {
		if b, ok := b.(body); ok {
			return readBody(raw, b, version)
		}
		return errNoBody
	}
	bridge.AppendBody = func(dst []byte, b any) ([]byte, error) {
		return appendBody(dst, b, func(*api, int16) []byte { return nil })
	}
	bridge.AppendRequest = func(dst []byte, h bridge.Header, b any) ([]byte, error) {
		from := len(dst)
		dst, err := appendBody(dst, b, func(a *api, version int16) []byte {
			return appendRequestHeader(nil, a, version, h.CorrelationID, h.ClientID)
		})
		if err == nil {
			binary.BigEndian.PutUint32(dst[from:], uint32(len(dst)-from-4))
		}
		return dst, err
	}
}

// bodiesOf makes the bodies of a key: those of the table, then the older name
// of FindCoordinator, and responses as producers and consumers read them.
func bodiesOf(key int16, response bool) []any {
	a, err := apiByKey(key)
	if err != nil {
		return nil
	}
	if !response {
		if key == keyFindCoordinator {
			return []any{a.request(), new(ConsumerMetadataRequest)}
		}
		return []any{a.request()}
	}
	switch key {
	case keyProduce:
		return []any{a.response(), new(produceResponse)}
	case keyFetch:
		return []any{a.response(), new(fetchResponse)}
	case keyFindCoordinator:
		return []any{a.response(), new(ConsumerMetadataResponse)}
	}
	return []any{a.response()}
}

// appendBody writes a header and a body behind dst.
func appendBody(dst []byte, v any, header func(a *api, version int16) []byte) ([]byte, error) {
	b, ok := v.(body)
	if !ok {
		return dst, errNoBody
	}
	var c wire.Codec
	a, version := b.meta()
	if err := writeBody(&c, header(a, *version), b); err != nil {
		return dst, err
	}
	return c.Append(dst), nil
}
