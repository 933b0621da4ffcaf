package sarama

import (
	"fmt"
	"strconv"
)

// CompressionCodec is a way to compress the records of a batch. Its text form
// is the name that Kafka's own configuration uses, so it can stand in files
// and flags.
type CompressionCodec int8

// The codecs of the protocol.
const (
	CompressionNone   CompressionCodec = 0
	CompressionGZIP   CompressionCodec = 1
	CompressionSnappy CompressionCodec = 2
	CompressionLZ4    CompressionCodec = 3 // brokers from 0.10
	CompressionZSTD   CompressionCodec = 4 // brokers from 2.1 (KIP-110)
)

// CompressionLevelDefault leaves the level to the codec.
const CompressionLevelDefault = -1000

var compressionNames = [...]string{"none", "gzip", "snappy", "lz4", "zstd"}

func (cc CompressionCodec) known() bool {
	return cc >= 0 && int(cc) < len(compressionNames)
}

// String returns the name: none, gzip, snappy, lz4 or zstd.
func (cc CompressionCodec) String() string {
	if !cc.known() {
		return "unknown(" + strconv.Itoa(int(cc)) + ")"
	}
	return compressionNames[cc]
}

// MarshalText returns the name. It fails for a number that is no codec.
func (cc CompressionCodec) MarshalText() ([]byte, error) {
	if !cc.known() {
		return nil, fmt.Errorf("%d is not a compression codec", int8(cc))
	}
	return []byte(compressionNames[cc]), nil
}

// UnmarshalText sets the codec from its name in lower case. Another text is an
// error and leaves the codec as it was.
func (cc *CompressionCodec) UnmarshalText(text []byte) error {
	for i, name := range compressionNames {
		if name == string(text) {
			*cc = CompressionCodec(i)
			return nil
		}
	}
	return fmt.Errorf("cannot parse %q as a compression codec", string(text))
}

// ZstdEncoderParams is by what zstd encoders are told apart. It is part of
// Sarama's API; nothing exported takes one.
type ZstdEncoderParams struct {
	Level int // as Producer.CompressionLevel
}

// ZstdDecoderParams is by what zstd decoders are told apart: by nothing. It is
// part of Sarama's API; nothing exported takes one.
type ZstdDecoderParams struct{}
