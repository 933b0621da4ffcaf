// Package golden holds Kafka frames that were captured between programs and
// brokers that this project has no part in, for tests to read as an oracle: what
// a client of this module decodes and encodes is held against them.
//
// The files in testdata are text, one API each: a line "api NAME KEY", and for
// each frame a line "frame VERSION request|response ORIGIN" and lines of hex,
// without the size that goes before a frame on the wire. An empty line ends a
// frame; lines that begin with "#" are comments. The program in the folder
// capture made them.
package golden

import (
	"bufio"
	"embed"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"strings"
	"testing"
)

// Frame is one request or response.
type Frame struct {
	// API is Kafka's name of the request, such as "ListOffsets".
	API string
	// Key and Version are the API's key and the version that the frame has.
	Key, Version int16
	// Request tells a request from a response.
	Request bool
	// Origin says who sent it to whom: "kafka 3.9.1 to sarama 1.61.1". Where
	// the exchange was about something other than success, that follows after a
	// colon: "kafka 3.9.1 to kmsg 1.15.0: offset out of range".
	Origin string
	// CorrelationID is the one in the frame; a response and its request have
	// the same.
	CorrelationID int32
	// Body is the whole frame after its size: headers and all.
	Body []byte
}

// String names the frame in a test's output.
func (f Frame) String() string {
	kind := "response"
	if f.Request {
		kind = "request"
	}
	return fmt.Sprintf("%s v%d %s (%s)", f.API, f.Version, kind, f.Origin)
}

//go:embed testdata/*.txt
var testdata embed.FS

// Load returns all frames, by file and in the order that they have in it. The
// caller may change them.
func Load(t testing.TB) []Frame {
	t.Helper()
	frames, err := load(testdata)
	if err != nil {
		t.Fatal(err)
	}
	return frames
}

func load(files fs.FS) ([]Frame, error) {
	names, err := fs.Glob(files, "testdata/*.txt")
	if err != nil {
		return nil, fmt.Errorf("golden: %w", err)
	}
	var frames []Frame
	for _, name := range names {
		f, err := files.Open(name)
		if err != nil {
			return nil, fmt.Errorf("golden: %w", err)
		}
		more, err := read(f)
		_ = f.Close()
		if err != nil {
			return nil, fmt.Errorf("golden: %s: %w", name, err)
		}
		frames = append(frames, more...)
	}
	return frames, nil
}

// reader is one file being read.
type reader struct {
	api    string
	key    int16
	frames []Frame
	open   bool // whether lines of hex belong to the last frame
}

func read(r io.Reader) ([]Frame, error) {
	var file reader
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		if err := file.line(lines.Text()); err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	return file.frames, file.finish()
}

func (r *reader) line(line string) (err error) {
	switch {
	case strings.HasPrefix(line, "#"):
		return nil
	case line == "":
		return r.finish()
	case strings.HasPrefix(line, "api "):
		if err := r.finish(); err != nil {
			return err
		}
		return r.setAPI(line)
	case strings.HasPrefix(line, "frame "):
		if err := r.finish(); err != nil {
			return err
		}
		return r.addFrame(line)
	case !r.open:
		return fmt.Errorf("%.20q belongs to no frame", line)
	}
	f := &r.frames[len(r.frames)-1]
	f.Body, err = hex.AppendDecode(f.Body, []byte(line))
	return err
}

// finish ends the frame that is being read, if there is one.
func (r *reader) finish() error {
	if !r.open {
		return nil
	}
	r.open = false
	return r.frames[len(r.frames)-1].check()
}

func (r *reader) setAPI(line string) error {
	fields := strings.Split(line, " ")
	if len(fields) != 3 || fields[1] == "" {
		return fmt.Errorf("%q has not all of name and key", line)
	}
	key, err := strconv.ParseInt(fields[2], 10, 16)
	if err != nil {
		return fmt.Errorf("key: %w", err)
	}
	r.api, r.key = fields[1], int16(key)
	return nil
}

func (r *reader) addFrame(line string) error {
	fields := strings.SplitN(line, " ", 4)
	if len(fields) != 4 || fields[3] == "" {
		return fmt.Errorf("%q has not all of version, kind and origin", line)
	}
	if r.api == "" {
		return fmt.Errorf("%q comes before its api", line)
	}
	version, err := strconv.ParseInt(fields[1], 10, 16)
	if err != nil {
		return fmt.Errorf("version: %w", err)
	}
	if fields[2] != "request" && fields[2] != "response" {
		return fmt.Errorf("%q is neither request nor response", fields[2])
	}
	r.frames = append(r.frames, Frame{
		API: r.api, Key: r.key, Version: int16(version), Request: fields[2] == "request", Origin: fields[3],
	})
	r.open = true
	return nil
}

// check holds what the first line says against the frame's own bytes, and takes
// the correlation id from them. A request begins with key, version and
// correlation id, a response with the latter.
func (f *Frame) check() error {
	if !f.Request {
		if len(f.Body) < 4 {
			return fmt.Errorf("%v has %d bytes", *f, len(f.Body))
		}
		f.CorrelationID = int32(binary.BigEndian.Uint32(f.Body))
		return nil
	}
	if len(f.Body) < 10 {
		return fmt.Errorf("%v has %d bytes", *f, len(f.Body))
	}
	key, version := int16(binary.BigEndian.Uint16(f.Body)), int16(binary.BigEndian.Uint16(f.Body[2:]))
	if key != f.Key || version != f.Version {
		return fmt.Errorf("%v is of key %d, version %d", *f, key, version)
	}
	f.CorrelationID = int32(binary.BigEndian.Uint32(f.Body[4:]))
	return nil
}
