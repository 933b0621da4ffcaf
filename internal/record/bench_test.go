package record

import (
	"testing"

	"github.com/IBM/sarama/internal/compress"
)

func BenchmarkAppend(b *testing.B) {
	key, value := make([]byte, 16), make([]byte, 100)
	headers := []header{{[]byte("trace"), []byte("0123456789abcdef")}, {[]byte("kind"), []byte("order")}}
	for _, bm := range []struct {
		name    string
		key     []byte
		headers []header
	}{{"value", nil, nil}, {"key", key, nil}, {"headers", key, headers}} {
		b.Run(bm.name, func(b *testing.B) {
			var bld Builder
			b.ReportAllocs()
			for i := range b.N {
				if i%1000 == 0 {
					bld.Reset()
				}
				Append(&bld, 1700000000000+int64(i%1000), bm.key, value, bm.headers)
			}
		})
	}
}

func BenchmarkIterate(b *testing.B) {
	key, value := make([]byte, 16), make([]byte, 100)
	headers := []header{{[]byte("trace"), []byte("0123456789abcdef")}, {[]byte("kind"), []byte("order")}}
	for _, bm := range []struct {
		name    string
		headers []header
	}{{"plain", nil}, {"headers", headers}} {
		b.Run(bm.name, func(b *testing.B) {
			var bld Builder
			for i := range 1000 {
				Append(&bld, 1700000000000+int64(i), key, value, bm.headers)
			}
			raw, err := bld.Seal(compress.None, 0, 0)
			if err != nil {
				b.Fatal(err)
			}
			Stamp(raw, -1, -1, 0)
			batch, _, err := Next(raw)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for n := 0; n < b.N; {
				it, err := batch.Open(0)
				if err != nil {
					b.Fatal(err)
				}
				var r Rec
				for n < b.N && it.Next(&r) {
					n++
				}
			}
		})
	}
}

// BenchmarkSeal is the cost per batch of 1000 records of 116 bytes: sealing,
// without a codec, and the checksum.
func BenchmarkSeal(b *testing.B) {
	var bld Builder
	for i := range 1000 {
		Append[header](&bld, 1700000000000+int64(i), make([]byte, 16), make([]byte, 100), nil)
	}
	b.ReportAllocs()
	for b.Loop() {
		raw, err := bld.Seal(compress.None, 0, 0)
		if err != nil {
			b.Fatal(err)
		}
		Stamp(raw, 1, 2, 3)
	}
}
