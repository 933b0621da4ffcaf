package compress

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/pierrec/lz4/v4"
)

// The frame around the blocks is read and written here, the blocks are the
// library's. Its frame reader takes two buffers of the block size that the
// header names, up to 8 MiB for a frame of 11 bytes, cannot be given a limit,
// and refuses the header checksum that Kafka's first LZ4 messages carry.
// Format: https://github.com/lz4/lz4/blob/dev/doc/lz4_Frame_format.md
const (
	lz4Magic          = 0x184D2204
	lz4MagicLegacy    = 0x184C2102
	lz4MagicSkippable = 0x184D2A50 // to ...5F

	// lz4Header is what Kafka's own producer writes: version 1, independent
	// blocks of at most 64 KiB, no checksums besides the header's.
	lz4Header = "\x04\x22\x4d\x18\x60\x40\x82"
	// lz4HeaderMagic0 has the checksum of LZ4Magic0: over the magic, too.
	lz4HeaderMagic0   = "\x04\x22\x4d\x18\x60\x40\x1a"
	lz4BlockSizeBytes = 64 << 10
	lz4Raw            = 1 << 31 // in a block's length: stored, not compressed
	lz4WindowBytes    = 64 << 10
	// lz4MaxRatio is how many bytes one byte of a compressed block can yield:
	// a byte of a long match length stands for 255.
	lz4MaxRatio = 255
)

// Bits of the frame descriptor's first byte.
const (
	lz4FlagDict            = 1 << 0
	lz4FlagReserved        = 1 << 1
	lz4FlagContentChecksum = 1 << 2
	lz4FlagContentSize     = 1 << 3
	lz4FlagBlockChecksum   = 1 << 4
	lz4FlagIndependent     = 1 << 5
)

var (
	errLZ4HeaderChecksum  = errors.New("frame header checksum does not match")
	errLZ4BlockChecksum   = errors.New("block checksum does not match")
	errLZ4ContentChecksum = errors.New("content checksum does not match")
)

func appendLZ4(dst []byte, header string, src []byte) []byte {
	dst = append(dst, header...)
	for len(src) > 0 {
		n := min(len(src), lz4BlockSizeBytes)
		block := src[:n]
		src = src[n:]
		dst = slices.Grow(dst, 4+n)
		at := len(dst)
		// Room for n-1 bytes: what does not shrink is stored instead.
		size, err := lz4.CompressBlock(block, dst[at+4:at+4+n-1], nil)
		if err != nil || size == 0 {
			dst = binary.LittleEndian.AppendUint32(dst, uint32(n)|lz4Raw)
			dst = append(dst, block...)
			continue
		}
		dst = binary.LittleEndian.AppendUint32(dst, uint32(size))
		dst = dst[:at+4+size]
	}
	return append(dst, 0, 0, 0, 0)
}

func decompressLZ4(src []byte, limit int, magic0 bool) ([]byte, error) {
	s := getScratch()
	defer s.release()
	for first := true; first || len(src) > 0; first = false {
		if len(src) < 4 {
			return nil, fmt.Errorf("frame magic: %w", io.ErrUnexpectedEOF)
		}
		magic := binary.LittleEndian.Uint32(src)
		switch {
		case magic == lz4Magic:
			rest, err := lz4Frame(s, src, limit, magic0)
			if err != nil {
				return nil, err
			}
			src = rest
		case magic&^0xf == lz4MagicSkippable:
			if len(src) < 8 || uint64(len(src)-8) < uint64(binary.LittleEndian.Uint32(src[4:])) {
				return nil, fmt.Errorf("skippable frame: %w", io.ErrUnexpectedEOF)
			}
			src = src[8+binary.LittleEndian.Uint32(src[4:]):]
		case magic == lz4MagicLegacy:
			return nil, errors.New("legacy frame format is not supported")
		case first:
			return nil, fmt.Errorf("not a frame: magic 0x%08x", magic)
		default:
			return nil, fmt.Errorf("%d unexpected bytes after the last frame", len(src))
		}
	}
	return s.take(), nil
}

// lz4Descriptor is a frame's header as far as reading needs it.
type lz4Descriptor struct {
	flags          byte
	blockSizeBytes int
	contentSize    uint64 // with lz4FlagContentSize
}

// lz4Frame appends the contents of the frame that src begins with, and returns
// what follows the frame.
func lz4Frame(s *scratch, src []byte, limit int, magic0 bool) (rest []byte, err error) {
	d, src, err := lz4ReadDescriptor(src, magic0)
	if err != nil {
		return nil, err
	}
	start := len(s.b)
	for {
		if len(src) < 4 {
			return nil, fmt.Errorf("block length: %w", io.ErrUnexpectedEOF)
		}
		head := binary.LittleEndian.Uint32(src)
		src = src[4:]
		if head == 0 {
			break
		}
		n := int(head &^ lz4Raw)
		if n > d.blockSizeBytes {
			return nil, fmt.Errorf("block of %d bytes in a frame of %d-byte blocks", n, d.blockSizeBytes)
		}
		if n > len(src) {
			return nil, fmt.Errorf("block of %d bytes, %d left: %w", n, len(src), io.ErrUnexpectedEOF)
		}
		block := src[:n]
		src = src[n:]
		if d.flags&lz4FlagBlockChecksum != 0 {
			if src, err = lz4Checksum(src, block, errLZ4BlockChecksum); err != nil {
				return nil, err
			}
		}
		if err := lz4Block(s, start, block, head&lz4Raw != 0, &d); err != nil {
			return nil, err
		}
		if overLimit(len(s.b), limit) {
			return nil, errLimit
		}
	}
	content := s.b[start:]
	if d.flags&lz4FlagContentSize != 0 && uint64(len(content)) != d.contentSize {
		return nil, fmt.Errorf("frame holds %d bytes, its header says %d", len(content), d.contentSize)
	}
	if d.flags&lz4FlagContentChecksum != 0 {
		return lz4Checksum(src, content, errLZ4ContentChecksum)
	}
	return src, nil
}

// lz4ReadDescriptor reads the frame's magic and header; with magic0 its checksum
// may be that of LZ4Magic0.
func lz4ReadDescriptor(frame []byte, magic0 bool) (d lz4Descriptor, rest []byte, err error) {
	src := frame[4:]
	if len(src) < 2 {
		return d, nil, fmt.Errorf("frame header: %w", io.ErrUnexpectedEOF)
	}
	d.flags = src[0]
	sizeCode := src[1] >> 4
	if d.flags>>6 != 1 || d.flags&lz4FlagReserved != 0 || src[1]&0x8f != 0 || sizeCode < 4 {
		return d, nil, fmt.Errorf("invalid frame header: flags 0x%02x, block size 0x%02x", src[0], src[1])
	}
	d.blockSizeBytes = lz4BlockSizeBytes << (2 * (sizeCode - 4))
	n := 2
	if d.flags&lz4FlagContentSize != 0 {
		n += 8
	}
	if d.flags&lz4FlagDict != 0 {
		n += 4
	}
	if len(src) < n+1 {
		return d, nil, fmt.Errorf("frame header: %w", io.ErrUnexpectedEOF)
	}
	sound := byte(xxh32(src[:n])>>8) == src[n] || magic0 && byte(xxh32(frame[:4+n])>>8) == src[n]
	if !sound {
		return d, nil, errLZ4HeaderChecksum
	}
	if d.flags&lz4FlagDict != 0 {
		return d, nil, errors.New("frame needs a dictionary")
	}
	if d.flags&lz4FlagContentSize != 0 {
		d.contentSize = binary.LittleEndian.Uint64(src[2:])
	}
	return d, src[n+1:], nil
}

// lz4Block appends one block. start is where its frame begins in s, as far back
// as matches of a frame with linked blocks may reach.
func lz4Block(s *scratch, start int, block []byte, raw bool, d *lz4Descriptor) error {
	if raw {
		s.grow(len(block))
		s.b = append(s.b, block...)
		return nil
	}
	room := min(d.blockSizeBytes, lz4MaxRatio*len(block))
	s.grow(room)
	at := len(s.b)
	var dict []byte
	if d.flags&lz4FlagIndependent == 0 {
		dict = s.b[max(start, at-lz4WindowBytes):]
	}
	n, err := lz4.UncompressBlockWithDict(block, s.b[at:at+room], dict)
	if err != nil {
		return fmt.Errorf("block after %d bytes: %w", at, err)
	}
	s.b = s.b[:at+n]
	return nil
}

// lz4Checksum compares the checksum that src begins with to that of p.
func lz4Checksum(src, p []byte, mismatch error) (rest []byte, err error) {
	if len(src) < 4 {
		return nil, fmt.Errorf("checksum: %w", io.ErrUnexpectedEOF)
	}
	if want, got := binary.LittleEndian.Uint32(src), xxh32(p); want != got {
		return nil, fmt.Errorf("%w: expected 0x%08x got 0x%08x", mismatch, want, got)
	}
	return src[4:], nil
}
