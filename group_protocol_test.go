package sarama

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
)

// protocolCase is one payload of the consumer protocol at one version, as
// Kafka's own definitions have it.
type protocolCase struct {
	name string
	s    schema
	v    int16
	read func([]byte) (payload, error)
}

func protocolCases(t testing.TB) []protocolCase {
	var cases []protocolCase
	for _, release := range schemaReleases {
		for name, read := range map[string]func([]byte) (payload, error){
			"ConsumerProtocolSubscription": func(src []byte) (payload, error) { return decodeMemberMetadata(src) },
			"ConsumerProtocolAssignment":   func(src []byte) (payload, error) { return decodeMemberAssignment(src) },
		} {
			s := loadSchema(t, filepath.Join("testdata", "kafka-schemas", release, name+".json"))
			versions := 0
			for v := range int16(100) {
				if inVersions(s.ValidVersions, v) {
					cases = append(cases, protocolCase{fmt.Sprintf("%s/%s/v%d", release, name, v), s, v, read})
					versions++
				}
			}
			if versions != groupProtocolVersion+1 {
				t.Fatalf("%s %s has versions %s", release, name, s.ValidVersions)
			}
		}
	}
	return cases
}

func (pc protocolCase) frame(seed uint64) []byte {
	g := schemaFrames{s: pc.s, v: pc.v, rnd: rand.New(rand.NewPCG(seed, uint64(pc.v))), buf: []byte{0, byte(pc.v)}}
	g.fields(pc.s.Fields, 0)
	return g.buf
}

func TestGroupProtocolFramesAreReadAndWrittenBack(t *testing.T) {
	for _, pc := range protocolCases(t) {
		t.Run(pc.name, func(t *testing.T) {
			for seed := range uint64(100) {
				want := pc.frame(seed)
				p, err := pc.read(want)
				if err != nil {
					t.Fatalf("seed %d: read %q: %v", seed, want, err)
				}
				got, err := encodePayload(p)
				if err != nil || !bytes.Equal(got, want) {
					t.Fatalf("seed %d: %v\nwrote %q\nwant  %q", seed, err, got, want)
				}
			}
		})
	}
}

func TestGroupProtocolRefusesCutFrames(t *testing.T) {
	for _, pc := range protocolCases(t) {
		for seed := range uint64(20) {
			frame := pc.frame(seed)
			short := -1 // where a subscription may end early: after the user data
			if p, err := pc.read(frame); err == nil && pc.v > 0 {
				if m, ok := p.(*ConsumerGroupMemberMetadata); ok {
					head, err := encodeMemberMetadata(&ConsumerGroupMemberMetadata{Topics: m.Topics, UserData: m.UserData})
					if err != nil {
						t.Fatal(err)
					}
					short = len(head)
				}
			}
			for n := range frame {
				if _, err := pc.read(frame[:n:n]); (err == nil) != (n == short) {
					t.Fatalf("%s: %d of %d bytes: %v", pc.name, n, len(frame), err)
				}
			}
			decoding := PacketDecodingError{}
			if _, err := pc.read(append(frame, 0)); !errors.As(err, &decoding) {
				t.Fatalf("%s: one byte too many: %v", pc.name, err)
			}
		}
	}
}

// Kafka's own consumer reads newer versions as the newest it knows.
func TestGroupProtocolReadsNewerVersionsAsTheNewestKnown(t *testing.T) {
	for _, pc := range protocolCases(t) {
		if pc.v != groupProtocolVersion {
			continue
		}
		frame := pc.frame(3)
		known, err := pc.read(frame)
		if err != nil {
			t.Fatal(err)
		}
		for _, more := range [][]byte{nil, {1, 2, 3}} {
			newer := append(append([]byte{0x12, 0x34}, frame[2:]...), more...)
			p, err := pc.read(newer)
			if err != nil {
				t.Fatalf("%s: %v", pc.name, err)
			}
			version := reflect.ValueOf(p).Elem().FieldByName("Version")
			if version.Int() != 0x1234 {
				t.Errorf("%s: the version is %d", pc.name, version.Int())
			}
			if version.SetInt(groupProtocolVersion); !reflect.DeepEqual(p, known) {
				t.Errorf("%s: got %+v, want %+v", pc.name, p, known)
			}
		}
	}
}

func TestMemberMetadataForms(t *testing.T) {
	rack := "r"
	for _, c := range []struct {
		name string
		wire string
		want ConsumerGroupMemberMetadata
	}{
		{"no user data", "\x00\x00\x00\x00\x00\x01\x00\x01a\xff\xff\xff\xff", ConsumerGroupMemberMetadata{Topics: []string{"a"}}},
		{"empty user data", "\x00\x00\x00\x00\x00\x01\x00\x01a\x00\x00\x00\x00", ConsumerGroupMemberMetadata{Topics: []string{"a"}, UserData: []byte{}}},
		{"version 1 that ends early", "\x00\x01\x00\x00\x00\x01\x00\x01a\xff\xff\xff\xff", ConsumerGroupMemberMetadata{Version: 1, Topics: []string{"a"}}},
		{
			"all there is",
			"\x00\x03\x00\x00\x00\x01\x00\x01a\x00\x00\x00\x01u\x00\x00\x00\x01\x00\x01a\x00\x00\x00\x02\x00\x00\x00\x01\x00\x00\x00\x02\x00\x00\x00\x05\x00\x01r",
			ConsumerGroupMemberMetadata{
				Version: 3, Topics: []string{"a"}, UserData: []byte("u"),
				OwnedPartitions: []*OwnedPartition{{Topic: "a", Partitions: []int32{1, 2}}}, GenerationID: 5, RackID: &rack,
			},
		},
	} {
		got, err := decodeMemberMetadata([]byte(c.wire))
		if err != nil || !reflect.DeepEqual(*got, c.want) {
			t.Errorf("%s: got %+v, %v, want %+v", c.name, got, err, c.want)
		}
	}
}

func TestMemberAssignmentForms(t *testing.T) {
	if got, err := decodeMemberAssignment(nil); err != nil || !reflect.DeepEqual(*got, ConsumerGroupMemberAssignment{}) {
		t.Errorf("nil: got %+v, %v", got, err)
	}
	if _, err := decodeMemberAssignment([]byte{}); !errors.Is(err, ErrInsufficientData) {
		t.Errorf("empty: %v", err)
	}
	none := "\x00\x00\x00\x00\x00\x00\xff\xff\xff\xff"
	if got, err := decodeMemberAssignment([]byte(none)); err != nil || got.Topics == nil || len(got.Topics) != 0 {
		t.Errorf("nothing assigned: got %+v, %v", got, err)
	}
	for version := range int16(6) {
		got, err := encodeMemberAssignment(&ConsumerGroupMemberAssignment{Version: version, Topics: map[string][]int32{"b": {2, 1}, "a": {3}}, UserData: []byte("u")})
		want := fmt.Sprintf("\x00%c\x00\x00\x00\x02\x00\x01a\x00\x00\x00\x01\x00\x00\x00\x03\x00\x01b\x00\x00\x00\x02\x00\x00\x00\x02\x00\x00\x00\x01\x00\x00\x00\x01u", version)
		if err != nil || string(got) != want {
			t.Errorf("version %d: got %q, %v, want %q", version, got, err, want)
		}
	}
}

func TestGroupProtocolErrorsNameTheField(t *testing.T) {
	_, err := decodeMemberMetadata([]byte("\x00\x01\x00\x00\x00\x01\x00\x01a\xff\xff\xff\xff\x00\x00\x00\x01\x00\x01a\x00\x00"))
	for _, want := range []string{"ConsumerGroupMemberMetadata", "OwnedPartitions[0].Partitions", "byte 20"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: does not say %q", err, want)
		}
	}
	if !errors.Is(err, ErrInsufficientData) {
		t.Errorf("%v is not ErrInsufficientData", err)
	}
	decoding, encoding := PacketDecodingError{}, PacketEncodingError{}
	if _, err := decodeMemberAssignment([]byte("\xff\xff\x00\x00\x00\x00\xff\xff\xff\xff")); !errors.As(err, &decoding) {
		t.Errorf("negative version: %v", err)
	}
	if _, err := encodeMemberAssignment(&ConsumerGroupMemberAssignment{Version: -1}); !errors.As(err, &encoding) {
		t.Errorf("negative version: %v", err)
	}
	_, err = encodeMemberMetadata(&ConsumerGroupMemberMetadata{Topics: []string{"ok", strings.Repeat("x", 40000)}})
	if !errors.As(err, &encoding) || !strings.Contains(err.Error(), "Topics[1]") {
		t.Errorf("name too long: %v", err)
	}
	if _, err = encodeMemberMetadata(&ConsumerGroupMemberMetadata{Version: 1, OwnedPartitions: []*OwnedPartition{nil}}); !errors.As(err, &encoding) {
		t.Errorf("nil in a list: %v", err)
	}
}

func TestOwnedPartitionsAreSorted(t *testing.T) {
	given := map[string][]int32{"b": {3, 1, 2}, "a": {9}, "none": {}}
	got := ownedPartitions(given)
	want := []*OwnedPartition{{Topic: "a", Partitions: []int32{9}}, {Topic: "b", Partitions: []int32{1, 2, 3}}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if !reflect.DeepEqual(given["b"], []int32{3, 1, 2}) {
		t.Errorf("the partitions given have changed: %v", given)
	}
}

func TestGroupProtocolCountsThatLieAllocateLittle(t *testing.T) {
	for _, pc := range protocolCases(t) {
		frame := pc.frame(1)
		for at := 2; at < len(frame); at++ {
			for _, lie := range []string{"\x7f\xff\xff\xff", "\x00\xff\xff\xff"} {
				bad := append(append(bytes.Clone(frame[:at]), lie...), frame[min(len(frame), at+len(lie)):]...)
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				_, _ = pc.read(bad)
				runtime.ReadMemStats(&after)
				if grew := after.TotalAlloc - before.TotalAlloc; grew > uint64(64<<10+200*len(bad)) {
					t.Fatalf("%s, byte %d: %d bytes made %d bytes of memory", pc.name, at, len(bad), grew)
				}
			}
			if testing.Short() && at > 64 {
				break
			}
		}
	}
}

func FuzzGroupProtocol(f *testing.F) {
	for i, pc := range protocolCases(f) {
		f.Add(pc.frame(uint64(i)))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		for name, read := range map[string]func([]byte) (payload, error){
			"subscription": func(src []byte) (payload, error) { return decodeMemberMetadata(src) },
			"assignment":   func(src []byte) (payload, error) { return decodeMemberAssignment(src) },
		} {
			p, err := read(raw)
			if err != nil {
				continue
			}
			// What was understood is written and understood again, to the same.
			first, err := encodePayload(p)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			again, err := read(first)
			if err != nil {
				t.Fatalf("%s: own bytes are refused: %v\n%q", name, err, first)
			}
			second, err := encodePayload(again)
			if err != nil || !bytes.Equal(first, second) {
				t.Fatalf("%s: %v\nfirst  %q\nsecond %q", name, err, first, second)
			}
		}
	})
}
