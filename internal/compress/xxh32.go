package compress

import (
	"encoding/binary"
	"math/bits"
)

// The primes of xxHash's 32-bit variant.
const (
	xxPrime1 uint32 = 2654435761
	xxPrime2 uint32 = 2246822519
	xxPrime3 uint32 = 3266489917
	xxPrime4 uint32 = 668265263
	xxPrime5 uint32 = 374761393
)

// xxh32 is the hash (seed 0) that LZ4 frames use for all their checksums; the
// LZ4 library keeps its own to itself.
func xxh32(p []byte) uint32 {
	h := uint32(len(p))
	if len(p) >= 16 {
		// Both wrap around, which constants may not.
		v1, v2, v3, v4 := xxPrime1, xxPrime2, uint32(0), uint32(0)
		v1 += xxPrime2
		v4 -= xxPrime1
		for ; len(p) >= 16; p = p[16:] {
			v1 = xxRound(v1, binary.LittleEndian.Uint32(p))
			v2 = xxRound(v2, binary.LittleEndian.Uint32(p[4:]))
			v3 = xxRound(v3, binary.LittleEndian.Uint32(p[8:]))
			v4 = xxRound(v4, binary.LittleEndian.Uint32(p[12:]))
		}
		h += bits.RotateLeft32(v1, 1) + bits.RotateLeft32(v2, 7) + bits.RotateLeft32(v3, 12) + bits.RotateLeft32(v4, 18)
	} else {
		h += xxPrime5
	}
	for ; len(p) >= 4; p = p[4:] {
		h += binary.LittleEndian.Uint32(p) * xxPrime3
		h = bits.RotateLeft32(h, 17) * xxPrime4
	}
	for _, c := range p {
		h += uint32(c) * xxPrime5
		h = bits.RotateLeft32(h, 11) * xxPrime1
	}
	h = (h ^ h>>15) * xxPrime2
	h = (h ^ h>>13) * xxPrime3
	return h ^ h>>16
}

func xxRound(acc, lane uint32) uint32 {
	return bits.RotateLeft32(acc+lane*xxPrime2, 13) * xxPrime1
}
