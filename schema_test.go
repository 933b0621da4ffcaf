package sarama

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/IBM/sarama/internal/bridge"
	"github.com/IBM/sarama/internal/wire"
)

// Frames made at random from Kafka's own message definitions are read and
// written back: an oracle for field order, types, version gates, nulls, tags.

// schemaField is one field of Kafka's message definitions.
type schemaField struct {
	Name, Type, Versions             string
	NullableVersions, TaggedVersions string
	Tag                              uint64
	Fields                           []schemaField
}

type schema struct {
	Name, ValidVersions, FlexibleVersions string
	ApiKey                                int16
	Fields                                []schemaField
	CommonStructs                         []schemaField
}

var schemaReleases = []string{"3.9.1", "4.3.1"}

func loadSchema(t testing.TB, path string) schema {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	raw = regexp.MustCompile(`(?m)^\s*//.*$`).ReplaceAll(raw, nil)
	var s schema
	if err := json.Unmarshal(raw, &s); err != nil {
		t.Fatal(path, err)
	}
	return s
}

// inVersions reports whether v is in a range like "3+", "8-10", "5" or "none".
func inVersions(r string, v int16) bool {
	if r == "" || r == "none" {
		return false
	}
	lo, hi, dash := strings.Cut(r, "-")
	from, open := strings.CutSuffix(lo, "+")
	a, _ := strconv.Atoi(from)
	if open {
		return int(v) >= a
	}
	if !dash {
		return int(v) == a
	}
	b, _ := strconv.Atoi(hi)
	return int(v) >= a && int(v) <= b
}

// schemaFrames makes random frames of one message at one version.
type schemaFrames struct {
	s        schema
	v        int16
	flexible bool
	rnd      *rand.Rand
	noise    *rand.Rand // where set, tags that no client knows are strewn in
	tagged   bool       // the value in hand is that of a tag
	buf      []byte
}

// unexpressed are the fields that the API has no place for, with what they
// are always written as; nil for optional fields that are never written.
var unexpressed = map[string][]byte{
	"MetadataRequest.TopicId":          make([]byte, 16),
	"DeleteTopicsRequest.TopicId":      make([]byte, 16),
	"FetchRequest.ReplicaId":           {0xff, 0xff, 0xff, 0xff},
	"FetchRequest.ClusterId":           nil,
	"FetchRequest.ReplicaState":        nil,
	"FetchRequest.ReplicaDirectoryId":  nil,
	"FetchRequest.HighWatermark":       nil,
	"FetchResponse.SnapshotId":         nil,
	"FindCoordinatorResponse.NodeId":   {0, 0, 0, 7}, // a negative one means none
	"ProduceResponse.LogAppendTimeMs":  {0, 0, 1, 0x8f, 1, 2, 3, 4},
	"ListOffsetsRequest.MaxNumOffsets": {0, 0, 0, 9},
}

// neverNull are fields whose null the API does not tell from an empty value.
var neverNull = map[string]bool{
	"MetadataRequest.Name": true, "CreateTopicsResponse.Configs": true, "OffsetFetchResponse.Metadata": true,
	"DescribeConfigsResponse.ErrorMessage": true, // brokers say ""
	"DescribeConfigsResponse.Value":        true, // goes by whether the setting is sensitive
}

// neverEmpty are lists whose empty value the API takes for null.
var neverEmpty = map[string]bool{
	"DescribeConfigsRequest.ConfigurationKeys": true, "CreatePartitionsRequest.Assignments": true, "DescribeLogDirsRequest.Topics": true,
}

// otherForms are APIs that are not in the table because another one has their
// key; definitions tells whose definitions they have.
var (
	otherForms  = []*api{{}}
	definitions = map[string]string{"ConsumerMetadata": "FindCoordinator"}
)

func init() {
	*otherForms[0] = *apiConsumerMetadata
	otherForms[0].request = func() body { return new(ConsumerMetadataRequest) }
	otherForms[0].response = func() body { return new(ConsumerMetadataResponse) }
}

func (g *schemaFrames) length(n, legacy int) {
	switch {
	case g.flexible:
		g.buf = binary.AppendUvarint(g.buf, uint64(n+1))
	case legacy == 2:
		g.buf = binary.BigEndian.AppendUint16(g.buf, uint16(n))
	default:
		g.buf = binary.BigEndian.AppendUint32(g.buf, uint32(n))
	}
}

func (g *schemaFrames) random(n int) {
	for range n {
		g.buf = append(g.buf, byte('a'+g.rnd.IntN(26)))
	}
}

// fields writes a struct; index is its place in the list that it is in, which
// its first field grows with, as lists that the API shows as maps are sorted.
func (g *schemaFrames) fields(fs []schemaField, index int) {
	type tag struct {
		id   uint64
		body []byte
	}
	var tags []tag
	first := true
	for _, f := range fs {
		if !inVersions(f.Versions, g.v) {
			continue
		}
		fixed, odd := unexpressed[g.s.Name+"."+f.Name]
		if !inVersions(f.TaggedVersions, g.v) {
			if odd {
				g.buf = append(g.buf, fixed...)
			} else {
				g.value(f, f.Type, index, first)
			}
			first = false
			continue
		}
		if !odd && g.rnd.IntN(2) == 0 {
			outer := g.buf
			g.buf = nil
			g.tagged = true
			g.value(f, f.Type, 0, false)
			tags = append(tags, tag{f.Tag, g.buf})
			g.buf = outer
		}
	}
	if !g.flexible {
		return
	}
	if g.noise != nil && g.noise.IntN(2) == 0 {
		tags = append(tags, tag{100 + uint64(g.noise.IntN(1000)), make([]byte, g.noise.IntN(200))})
	}
	g.buf = binary.AppendUvarint(g.buf, uint64(len(tags)))
	for _, t := range tags {
		g.buf = binary.AppendUvarint(g.buf, t.id)
		g.buf = binary.AppendUvarint(g.buf, uint64(len(t.body)))
		g.buf = append(g.buf, t.body...)
	}
}

func (g *schemaFrames) value(f schemaField, typ string, index int, first bool) {
	null := inVersions(f.NullableVersions, g.v) && !neverNull[g.s.Name+"."+f.Name] && !first && g.rnd.IntN(3) == 0
	if elem, ok := strings.CutPrefix(typ, "[]"); ok {
		if null {
			g.length(-1, 4)
			return
		}
		n := g.rnd.IntN(4)
		if n == 0 && (g.tagged || neverEmpty[g.s.Name+"."+f.Name]) { // in a tag it would be the default, which is not sent
			n = 1
		}
		g.tagged = false
		g.length(n, 4)
		for i := range n {
			g.value(schemaField{Name: f.Name, Fields: f.Fields}, elem, i, true)
		}
		return
	}
	at := len(g.buf)
	switch typ {
	case "bool":
		if g.tagged { // false would be the default, which is not sent
			g.buf, g.tagged = append(g.buf, 1), false
			return
		}
		g.buf = append(g.buf, byte(g.rnd.IntN(2)))
		return
	case "int8":
		g.random(1)
	case "int16", "uint16":
		g.random(2)
	case "int32", "uint32":
		g.random(4)
	case "int64", "float64":
		g.random(8)
	case "uuid":
		g.random(16)
		if first { // sorted by its text form
			g.buf[at] = byte(4 * index)
			return
		}
	case "string":
		if null {
			g.length(-1, 2)
			return
		}
		n := 1 + g.rnd.IntN(140)
		g.length(n, 2)
		at = len(g.buf)
		g.random(n)
	case "bytes", "records":
		if null {
			g.length(-1, 4)
			return
		}
		n := g.rnd.IntN(140)
		g.length(n, 4)
		g.random(n)
		return
	default:
		g.tagged = false
		if inVersions(f.NullableVersions, g.v) {
			if null {
				g.buf = append(g.buf, 0xff)
				return
			}
			g.buf = append(g.buf, 1)
		}
		fs := f.Fields
		for _, c := range g.s.CommonStructs {
			if c.Name == typ {
				fs = c.Fields
			}
		}
		g.fields(fs, index)
		return
	}
	if first {
		g.buf[at] = byte('a' + index)
	}
}

// schemaCase is one message at one version, in one release's definitions.
type schemaCase struct {
	release string
	s       schema
	v       int16
	new     func() body
}

func (sc schemaCase) frame(seed uint64, noise bool) []byte {
	g := schemaFrames{s: sc.s, v: sc.v, flexible: inVersions(sc.s.FlexibleVersions, sc.v), rnd: rand.New(rand.NewPCG(seed, uint64(sc.v)))}
	if noise {
		g.noise = rand.New(rand.NewPCG(seed, 99))
	}
	g.fields(sc.s.Fields, 0)
	return g.buf
}

// schemaCases are all messages that the table has, in all versions that both
// the definitions and the layouts have.
func schemaCases(t testing.TB) []schemaCase {
	var cases []schemaCase
	for _, release := range schemaReleases {
		for _, a := range append(apis[:], otherForms...) {
			if a == nil {
				continue
			}
			for _, kind := range []string{"Request", "Response"} {
				path := filepath.Join("testdata", "kafka-schemas", release, cmp.Or(definitions[a.name], a.name)+kind+".json")
				s := loadSchema(t, path)
				if s.ApiKey != a.key {
					t.Fatalf("%s: key %d, the table says %d", path, s.ApiKey, a.key)
				}
				mk := a.request
				if kind == "Response" {
					mk = a.response
				}
				covered := false
				for v := range a.max() + 1 {
					if inVersions(s.ValidVersions, v) {
						covered = true
						if kind == "Response" && a == apiFetch {
							mk = func() body { return new(fetchResponse) } // random bytes are no records
						}
						cases = append(cases, schemaCase{release, s, v, mk})
					}
				}
				if !covered {
					t.Fatalf("%s: no version in common with the table's 0 to %d", path, a.max())
				}
			}
		}
	}
	return cases
}

// encodeBody writes b in one piece.
func encodeBody(b body) ([]byte, error) {
	var c wire.Codec
	if err := writeBody(&c, nil, b); err != nil {
		return nil, err
	}
	return c.Append(nil), nil
}

func TestSchemaFramesAreReadAndWrittenBack(t *testing.T) {
	cases := schemaCases(t)
	for _, sc := range cases {
		t.Run(fmt.Sprintf("%s/%s/v%d/%T", sc.release, sc.s.Name, sc.v, sc.new()), func(t *testing.T) {
			a, _ := sc.new().meta()
			if got, want := a.isFlexible(sc.v), inVersions(sc.s.FlexibleVersions, sc.v); got != want {
				t.Fatalf("flexible: table %v, definition %v", got, want)
			}
			for seed := range uint64(50) {
				want := sc.frame(seed, false)
				for _, frame := range [][]byte{want, sc.frame(seed, true)} {
					b := sc.new()
					if err := readBody(frame, b, sc.v); err != nil {
						t.Fatalf("seed %d: read %q: %v", seed, frame, err)
					}
					got, err := encodeBody(b)
					if err != nil {
						t.Fatalf("seed %d: write: %v", seed, err)
					}
					if !bytes.Equal(got, want) {
						t.Fatalf("seed %d:\nwrote %q\nwant  %q", seed, got, want)
					}
				}
			}
		})
	}
	t.Logf("%d messages x versions", len(cases))
}

// TestBodiesMayBeSharedWhileTheyAreWritten: writing a message changes nothing of
// it, so that one may go to several brokers at a time. The race detector is the
// judge.
func TestBodiesMayBeSharedWhileTheyAreWritten(t *testing.T) {
	for _, sc := range schemaCases(t) {
		b := sc.new()
		if err := readBody(sc.frame(1, false), b, sc.v); err != nil {
			t.Fatal(err)
		}
		var group sync.WaitGroup
		start := make(chan struct{})
		for range 3 {
			group.Go(func() {
				<-start // so that no one is done before another begins
				for range 3 {
					_, _ = appendResponse(nil, bridge.Header{Version: sc.v}, b)
				}
			})
		}
		close(start)
		group.Wait()
	}
}

func TestCutFramesAreRefused(t *testing.T) {
	for _, sc := range schemaCases(t) {
		for seed := range uint64(3) {
			frame := sc.frame(seed, true)
			for n := range frame {
				if err := readBody(frame[:n:n], sc.new(), sc.v); err == nil {
					t.Fatalf("%s v%d: %d of %d bytes were taken: %q", sc.s.Name, sc.v, n, len(frame), frame[:n])
				}
			}
			err := readBody(append(frame[:len(frame):len(frame)], 0), sc.new(), sc.v)
			if decoding := (PacketDecodingError{}); !errors.As(err, &decoding) {
				t.Fatalf("%s v%d: one byte too many: %v", sc.s.Name, sc.v, err)
			}
		}
	}
}

// TestLyingCountsAllocateLittle puts 0xff over each position of each frame, so
// that every count and length claims as much as it can.
func TestLyingCountsAllocateLittle(t *testing.T) {
	for _, sc := range schemaCases(t) {
		frame := sc.frame(1, false)
		var lies [][]byte
		for at := range frame {
			for _, lie := range [][]byte{{0x7f, 0xff, 0xff, 0xff}, {0x00, 0xff, 0xff, 0xff}, {0xff, 0xff, 0xff, 0xff, 0x07}} {
				lies = append(lies, append(append(bytes.Clone(frame[:at]), lie...), frame[min(len(frame), at+len(lie)):]...))
			}
			if testing.Short() && at > 64 {
				break
			}
		}
		limit := uint64(64<<10 + 200*len(frame))
		for some := range slices.Chunk(lies, 64) {
			checkGrowth(t, sc, some, limit)
		}
	}
}

// checkGrowth wants none of the frames to make more memory than that. To ask
// for the memory in use stops the world: where many together stay below the
// limit, so does each.
func checkGrowth(t *testing.T, sc schemaCase, frames [][]byte, limit uint64) {
	t.Helper()
	grew := grownBy(sc, frames)
	switch n := len(frames); {
	case grew <= limit:
	case n == 1:
		t.Fatalf("%s v%d, frame %x: %d bytes made %d bytes of memory", sc.s.Name, sc.v, frames[0], len(frames[0]), grew)
	default:
		checkGrowth(t, sc, frames[:n/2], limit)
		checkGrowth(t, sc, frames[n/2:], limit)
	}
}

// grownBy is how many bytes of memory it takes to read frames.
func grownBy(sc schemaCase, frames [][]byte) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for _, frame := range frames {
		_ = readBody(frame, sc.new(), sc.v)
	}
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func TestBodyErrorsNameMessageVersionAndField(t *testing.T) {
	frame, err := encodeBody(&MetadataResponse{Version: 5, Topics: []*TopicMetadata{
		{Name: "a", Partitions: []*PartitionMetadata{{ID: 1, Isr: []int32{1, 2}}}}}})
	if err != nil {
		t.Fatal(err)
	}
	err = readBody(frame[:len(frame)-9], new(MetadataResponse), 5)
	for _, want := range []string{"MetadataResponse", "v5", "Topics[0].Partitions[0].Isr", "byte "} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: does not say %q", err, want)
		}
	}
	if !errors.Is(err, ErrInsufficientData) {
		t.Errorf("%v is not ErrInsufficientData", err)
	}
	_, err = encodeBody(&MetadataRequest{Version: 99})
	if !errors.Is(err, ErrUnsupportedVersion) || !strings.Contains(err.Error(), "Metadata") || !strings.Contains(err.Error(), "99") {
		t.Errorf("version out of range: %v", err)
	}
	_, err = encodeBody(&MetadataRequest{Version: 1, Topics: []string{"ok", strings.Repeat("x", 40000)}})
	encoding := PacketEncodingError{}
	if !errors.As(err, &encoding) || !strings.Contains(err.Error(), "Topics[1]") {
		t.Errorf("name too long: %v", err)
	}
}
