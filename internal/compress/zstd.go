package compress

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"sync"

	"github.com/klauspost/compress/zstd"
)

const (
	// zstdWindowBytes is how far back an encoder looks. Batches are rarely
	// larger, and the library's default of 8 MiB costs 16 MiB per encoder.
	zstdWindowBytes = 1 << 20
	// zstdBlockMaxBytes is the most that one block of a frame can hold.
	zstdBlockMaxBytes = 128 << 10
	// Up to zstdTrustedRatio times the input, and a little more for small ones,
	// a frame's own word about its size is enough to allocate that much.
	zstdTrustedRatio = 16
	zstdTrustedBytes = 4 << 10
	// zstdSpareBytes of room behind the output let the decoder copy in steps of
	// 16 bytes.
	zstdSpareBytes = 16
)

// zstdEncoders holds *zstd.Encoder by the library's level.
var zstdEncoders [zstd.SpeedBestCompression + 1]sync.Pool

// zstdDecoders holds *zstdDecoder.
var zstdDecoders sync.Pool

type zstdDecoder struct {
	*zstd.Decoder
	maxBytes uint64 // the decoder's limit as it is set now, 0 none
}

func appendZstd(dst []byte, level int, src []byte) ([]byte, error) {
	l := zstd.SpeedDefault
	if level != LevelDefault {
		l = zstd.EncoderLevelFromZstd(level)
	}
	enc, _ := zstdEncoders[l].Get().(*zstd.Encoder)
	if enc == nil {
		var err error
		enc, err = zstd.NewWriter(nil, zstd.WithEncoderLevel(l), zstd.WithEncoderConcurrency(1),
			zstd.WithWindowSize(zstdWindowBytes), zstd.WithZeroFrames(true))
		if err != nil {
			return dst, fmt.Errorf("kafka: zstd: %w", err)
		}
	}
	dst = enc.EncodeAll(src, dst)
	zstdEncoders[l].Put(enc)
	return dst, nil
}

func decompressZstd(src []byte, limit int) ([]byte, error) {
	var out []byte
	for len(src) > 0 {
		f, err := zstdScan(src)
		if err != nil {
			return nil, err
		}
		src = src[len(f.raw):]
		if f.Skippable {
			continue
		}
		left := limit
		if limit > 0 {
			if left = limit - len(out); left == 0 && f.maxBytes > 0 {
				left = 1 // 0 would be no limit; the caller sees the one byte too many
			}
		}
		content, err := f.decode(left)
		if err != nil {
			return nil, err
		}
		if overLimit(len(out)+len(content), limit) {
			return nil, errLimit
		}
		if out == nil {
			out = content
		} else {
			out = append(out, content...)
		}
	}
	return out, nil
}

// zstdFrame is one frame of the input, walked but not decoded.
type zstdFrame struct {
	zstd.Header
	raw      []byte
	maxBytes uint64 // the most that its blocks can hold
}

// zstdScan walks the headers of the frame that src begins with and of its
// blocks. That tells a cut or followed input apart, which the library does not
// always, and bounds the output before anything is allocated for it.
func zstdScan(src []byte) (f zstdFrame, err error) {
	if err := f.Decode(src); err != nil {
		return f, fmt.Errorf("frame header: %w", err)
	}
	at := f.HeaderSize
	if f.Skippable {
		if uint64(len(src)-at) < uint64(f.SkippableSize) {
			return f, fmt.Errorf("skippable frame: %w", io.ErrUnexpectedEOF)
		}
		f.raw = src[:at+int(f.SkippableSize)]
		return f, nil
	}
	for last := false; !last; {
		if len(src)-at < 3 {
			return f, fmt.Errorf("block header: %w", io.ErrUnexpectedEOF)
		}
		head := uint32(src[at]) | uint32(src[at+1])<<8 | uint32(src[at+2])<<16
		at += 3
		last = head&1 != 0
		size := int(head >> 3)
		switch head >> 1 & 3 {
		case 0: // stored
			f.maxBytes += uint64(size)
		case 1: // one byte, repeated
			f.maxBytes += uint64(min(size, zstdBlockMaxBytes))
			size = 1
		case 2:
			f.maxBytes += zstdBlockMaxBytes
		default:
			return f, zstd.ErrReservedBlockType
		}
		if len(src)-at < size {
			return f, fmt.Errorf("block of %d bytes, %d left: %w", size, len(src)-at, io.ErrUnexpectedEOF)
		}
		at += size
	}
	if f.HasCheckSum {
		if len(src)-at < 4 {
			return f, fmt.Errorf("checksum: %w", io.ErrUnexpectedEOF)
		}
		at += 4
	}
	f.raw = src[:at]
	if f.HasFCS && f.FrameContentSize > f.maxBytes {
		return f, fmt.Errorf("frame claims %d bytes, its blocks hold at most %d", f.FrameContentSize, f.maxBytes)
	}
	return f, nil
}

// decode returns the contents of the frame.
//
// Given a content size, the library allocates that much at once, whatever it
// is; without one it grows the output block by block, and the window size of
// the header allocates nothing. So a size that the input does not justify is
// taken out of the header and compared afterwards.
func (f *zstdFrame) decode(limit int) ([]byte, error) {
	if f.HasFCS {
		if limit > 0 && f.FrameContentSize > uint64(limit) {
			return nil, errLimit
		}
		if f.FrameContentSize <= zstdTrustedBytes+zstdTrustedRatio*uint64(len(f.raw)) {
			return zstdDecodeAll(f.raw, make([]byte, 0, f.FrameContentSize+zstdSpareBytes), 0)
		}
	}
	window := f.WindowSize
	if f.SingleSegment {
		window = f.FrameContentSize
	}
	// The library takes its limit for one on the window, too. As no match
	// reaches further back than the output is long, a window as large as the
	// output may be is as good as any larger one.
	maxBytes := uint64(0)
	if limit > 0 {
		maxBytes = 1 << bits.Len64(uint64(max(limit, zstdBlockMaxBytes)-1))
	}
	raw := f.raw
	if f.HasFCS || (maxBytes > 0 && window > maxBytes) {
		if maxBytes > 0 {
			window = min(window, maxBytes)
		}
		in := getScratch()
		defer in.release()
		in.b = f.appendHeader(in.b, window)
		in.grow(len(f.raw))
		in.b = append(in.b, f.raw[f.HeaderSize:]...)
		raw = in.b
	}
	s := getScratch()
	defer s.release()
	// With room for all of it the decoder need not grow the output itself.
	room := min(f.maxBytes, zstdTrustedRatio*uint64(len(raw)))
	if maxBytes > 0 {
		room = min(room, maxBytes)
	}
	s.grow(int(room) + zstdSpareBytes)
	out, err := zstdDecodeAll(raw, s.b, maxBytes)
	if err != nil {
		return nil, err
	}
	s.b = out
	if f.HasFCS && uint64(len(out)) != f.FrameContentSize {
		return nil, fmt.Errorf("frame holds %d bytes, its header says %d", len(out), f.FrameContentSize)
	}
	if overLimit(len(out), limit) {
		return nil, errLimit
	}
	return s.take(), nil
}

// appendHeader appends the frame's header as it would be with a window of at
// least windowBytes and no content size.
func (f *zstdFrame) appendHeader(dst []byte, windowBytes uint64) []byte {
	// An exponent alone, rounded up; 1 KiB is the least.
	exponent := max(bits.Len64(max(windowBytes, 1)-1), 10) - 10
	var descriptor byte
	if f.HasCheckSum {
		descriptor = 1 << 2
	}
	at := len(dst)
	dst = append(dst, f.raw[:4]...)
	dst = append(dst, descriptor, byte(exponent<<3))
	if f.DictionaryID != 0 {
		dst[at+4] |= 3
		dst = binary.LittleEndian.AppendUint32(dst, f.DictionaryID)
	}
	return dst
}

// zstdDecodeAll appends what src holds to dst, at most maxBytes if that is
// not 0.
func zstdDecodeAll(src, dst []byte, maxBytes uint64) ([]byte, error) {
	d, _ := zstdDecoders.Get().(*zstdDecoder)
	if d == nil {
		dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true))
		if err != nil {
			return nil, err
		}
		d = &zstdDecoder{Decoder: dec}
	}
	if d.maxBytes != maxBytes {
		n := maxBytes
		if n == 0 {
			n = zstdNoLimit
		}
		if err := d.ResetWithOptions(nil, zstd.WithDecoderMaxMemory(n)); err != nil {
			return nil, err
		}
		d.maxBytes = maxBytes
	}
	out, err := d.DecodeAll(src, dst)
	zstdDecoders.Put(d)
	if errors.Is(err, zstd.ErrDecoderSizeExceeded) {
		return nil, errLimit
	}
	return out, err
}

// zstdNoLimit is the library's own default limit, 64 GiB.
const zstdNoLimit = 64 << 30
