package sarama

import "encoding/base64"

// Uuid is the id of a topic or of another thing that Kafka names by 16 bytes.
type Uuid [16]byte

// String returns the id as Kafka prints it: in the URL alphabet of base64,
// without padding.
func (u Uuid) String() string {
	return base64.RawURLEncoding.EncodeToString(u[:])
}
