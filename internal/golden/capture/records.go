package main

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// recordsOf tells what sorts of batches a Produce request or a Fetch response
// carries, so that a frame of each is kept; nil when it has none.
func recordsOf(message any) []string {
	var kinds []string
	add := func(kind string) {
		if !slices.Contains(kinds, kind) {
			kinds = append(kinds, kind)
		}
	}
	switch m := message.(type) {
	case *kmsg.ProduceRequest:
		for _, t := range m.Topics {
			for _, p := range t.Partitions {
				eachBatch(p.Records, add)
			}
		}
	case *kmsg.FetchResponse:
		for _, t := range m.Topics {
			for _, p := range t.Partitions {
				eachBatch(p.RecordBatches, add)
				if len(p.AbortedTransactions) > 0 {
					add("aborted")
				}
			}
		}
	}
	return kinds
}

// eachBatch walks over batches and, before format 2, messages. All begin with an
// offset, their length and four more bytes before the magic byte; the attributes
// follow that at once or, in format 2, after a checksum.
func eachBatch(b []byte, found func(kind string)) {
	const head = 8 + 4
	for len(b) > head+4 {
		n := int(int32(binary.BigEndian.Uint32(b[8:])))
		if n < 4+2 || n > len(b)-head {
			found("cut")
			return
		}
		magic := b[head+4]
		if magic < 2 {
			found(fmt.Sprintf("magic %d codec %d", magic, b[head+5]&7))
		} else if n >= 4+1+4+2 {
			attributes := binary.BigEndian.Uint16(b[head+9:])
			found(fmt.Sprintf("codec %d transactional %d control %d", attributes&7, attributes>>4&1, attributes>>5&1))
		}
		b = b[head+n:]
	}
}
