package sarama

import "time"

// Timestamp is a time in messages of the protocol, where it is milliseconds
// since 1970. The zero time stands for none, as -1 does on the wire. All
// methods of time.Time are its own; they panic if Time is nil.
type Timestamp struct {
	*time.Time
}
