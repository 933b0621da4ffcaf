package compress

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/klauspost/compress/s2"
)

// Kafka's snappy is the stream of the snappy-java library: a header of 16
// bytes, then raw snappy blocks, each behind its length as a big-endian int32.
const (
	xerialMagic = "\x82SNAPPY\x00"
	// xerialHeader is the magic, the version and the oldest version that can
	// read it, both 1.
	xerialHeader = xerialMagic + "\x00\x00\x00\x01\x00\x00\x00\x01"
	// xerialBlockSizeBytes is the input of one block, the library's default.
	xerialBlockSizeBytes = 32 << 10
)

var errSnappyLength = errors.New("block claims more bytes than its input can hold")

func appendSnappy(dst, src []byte) ([]byte, error) {
	dst = append(dst, xerialHeader...)
	for len(src) > 0 {
		n := min(len(src), xerialBlockSizeBytes)
		dst = slices.Grow(dst, 4+s2.MaxEncodedLen(n))
		block := s2.EncodeSnappy(dst[len(dst)+4:cap(dst)], src[:n])
		dst = binary.BigEndian.AppendUint32(dst, uint32(len(block)))
		dst = dst[:len(dst)+len(block)]
		src = src[n:]
	}
	return dst, nil
}

// decompressSnappy reads the framed form and the single raw block that some
// clients write. The two cannot be mixed up: the magic, read as a raw block,
// begins with a copy from before its start.
func decompressSnappy(src []byte, limit int) ([]byte, error) {
	if len(src) < len(xerialHeader) || string(src[:len(xerialMagic)]) != xerialMagic {
		if len(src) < len(xerialHeader) && strings.HasPrefix(xerialHeader, string(src)) {
			return nil, fmt.Errorf("header: %w", io.ErrUnexpectedEOF)
		}
		n, err := snappyLen(src)
		if err != nil {
			return nil, err
		}
		if overLimit(n, limit) {
			return nil, errLimit
		}
		return snappyDecode(make([]byte, n), src)
	}
	total, err := xerialLen(src, limit)
	if err != nil {
		return nil, err
	}
	out, rest := make([]byte, 0, total), src
	for len(rest) > 0 {
		var block []byte
		if block, rest, err = nextXerial(rest); err != nil {
			return nil, err
		}
		if block == nil {
			continue
		}
		n, err := snappyLen(block)
		if err != nil {
			return nil, err
		}
		if _, err = snappyDecode(out[len(out):len(out)+n], block); err != nil {
			return nil, fmt.Errorf("block after %d bytes: %w", len(out), err)
		}
		out = out[:len(out)+n]
	}
	return out, nil
}

// xerialLen adds up the sizes of all blocks.
func xerialLen(src []byte, limit int) (int, error) {
	total := 0
	for len(src) > 0 {
		block, rest, err := nextXerial(src)
		if err != nil {
			return 0, err
		}
		src = rest
		if block == nil {
			continue
		}
		n, err := snappyLen(block)
		if err != nil {
			return 0, err
		}
		total += n
		if overLimit(total, limit) {
			return 0, errLimit
		}
	}
	return total, nil
}

// nextXerial splits off one block; nil stands for a header, which is also
// allowed where a second stream was written behind the first.
func nextXerial(src []byte) (block, rest []byte, err error) {
	if len(src) >= len(xerialHeader) && string(src[:len(xerialMagic)]) == xerialMagic {
		return nil, src[len(xerialHeader):], nil
	}
	if len(src) < 4 {
		return nil, nil, fmt.Errorf("block length: %w", io.ErrUnexpectedEOF)
	}
	n := binary.BigEndian.Uint32(src)
	if uint64(n) > uint64(len(src)-4) {
		return nil, nil, fmt.Errorf("block of %d bytes, %d left: %w", n, len(src)-4, io.ErrUnexpectedEOF)
	}
	return src[4 : 4+n : 4+n], src[4+n:], nil
}

// snappyLen is the size that a raw block says it has, after a check that it can
// have it. The element of the format that yields most per byte is the copy with
// a two-byte offset: up to 64 bytes from 3.
func snappyLen(block []byte) (int, error) {
	v, n := binary.Uvarint(block)
	if n <= 0 || v > 1<<32-1 {
		return 0, s2.ErrCorrupt
	}
	if v > uint64(len(block)-n)*64/3 {
		return 0, fmt.Errorf("%w: %d from %d", errSnappyLength, v, len(block)-n)
	}
	return int(v), nil
}

func snappyDecode(dst, block []byte) ([]byte, error) {
	return s2.Decode(dst, block)
}
