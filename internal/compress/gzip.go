package compress

import (
	"bytes"
	"fmt"
	"io"
	"sync"

	"github.com/klauspost/compress/gzip"
)

// gzipWriters holds *gzipWriter by level, lowest first.
var gzipWriters [gzip.BestCompression - gzip.HuffmanOnly + 1]sync.Pool

var gzipReaders = sync.Pool{New: func() any { return new(gzipReader) }}

// gzipWriter keeps a coder and the slice that it writes to in one object, so
// that neither is allocated per batch.
type gzipWriter struct {
	zw  *gzip.Writer
	out []byte
}

func (w *gzipWriter) Write(p []byte) (int, error) {
	w.out = append(w.out, p...)
	return len(p), nil
}

type gzipReader struct {
	zr gzip.Reader
	in bytes.Reader
}

func appendGzip(dst []byte, level int, src []byte) ([]byte, error) {
	if level == LevelDefault {
		level = gzip.DefaultCompression
	}
	if level < gzip.HuffmanOnly || level > gzip.BestCompression {
		return dst, fmt.Errorf("kafka: gzip compression level %d is not within %d to %d",
			level, gzip.HuffmanOnly, gzip.BestCompression)
	}
	pool := &gzipWriters[level-gzip.HuffmanOnly]
	w, _ := pool.Get().(*gzipWriter)
	if w == nil {
		w = new(gzipWriter)
		zw, err := gzip.NewWriterLevel(w, level)
		if err != nil {
			return dst, fmt.Errorf("kafka: gzip: %w", err)
		}
		w.zw = zw
	} else {
		w.zw.Reset(w)
	}
	w.out = dst
	_, err := w.zw.Write(src)
	if err == nil {
		err = w.zw.Close()
	}
	out := w.out
	w.out = nil
	if err != nil {
		return dst, fmt.Errorf("kafka: gzip: %w", err)
	}
	pool.Put(w)
	return out, nil
}

func decompressGzip(src []byte, limit int) ([]byte, error) {
	r := gzipReaders.Get().(*gzipReader)
	r.in.Reset(src)
	s := getScratch()
	defer func() {
		r.in.Reset(nil)
		gzipReaders.Put(r)
		s.release()
	}()
	if err := r.zr.Reset(&r.in); err != nil {
		return nil, noEOF(err)
	}
	for {
		s.grow(1)
		n, err := r.zr.Read(s.b[len(s.b):cap(s.b)])
		s.b = s.b[:len(s.b)+n]
		if overLimit(len(s.b), limit) {
			return nil, errLimit
		}
		if err == io.EOF {
			return s.take(), nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// noEOF turns the end of the input where there must be more into an error that
// is not taken for a regular end.
func noEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
