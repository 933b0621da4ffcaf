// Package kmsg_test holds the codec of package sarama against that of another
// client, franz-go's kmsg: each decodes what the other encodes, and the values
// are compared by their names, so that two fields of one type that have changed
// places show.
package kmsg_test

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/IBM/sarama"
	"github.com/IBM/sarama/internal/bridge"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const seeds = 40

// subject is one message at one version, in one of the forms that this module
// has of it.
type subject struct {
	key, version int16
	response     bool
	form         int
	present      presence
}

func (s subject) body() any { return bridge.Bodies(s.key, s.response)[s.form] }

// read makes this module read a message of kmsg. Of a table's request and
// response the header is read, or written, as well.
func (s subject) read(m message, raw []byte) (any, error) {
	if s.response || s.form > 0 {
		b := s.body()
		return b, bridge.ReadBody(raw, b, s.version)
	}
	f := kmsg.NewRequestFormatter(kmsg.FormatterClientID("the client"))
	frame := f.AppendRequest(nil, m.(kmsg.Request), 77)
	h, b, err := bridge.ReadRequest(frame[4:])
	if err == nil && (h.Key != s.key || h.Version != s.version || h.CorrelationID != 77 || h.ClientID != "the client") {
		err = fmt.Errorf("header: %+v", h)
	}
	return b, err
}

// write makes this module write a body; what comes back has no header.
func (s subject) write(m message, b any) ([]byte, error) {
	switch {
	case s.form > 0:
		return bridge.AppendBody(nil, b)
	case s.response:
		raw, err := bridge.AppendResponse(nil, bridge.Header{Version: s.version, CorrelationID: 77}, b)
		if err != nil {
			return nil, err
		}
		head := []byte{byte(len(raw) >> 24), byte((len(raw) - 4) >> 16), byte((len(raw) - 4) >> 8), byte(len(raw) - 4), 0, 0, 0, 77}
		if m.IsFlexible() && s.key != 18 { // KIP-511
			head = append(head, 0)
		}
		if !slices.Equal(raw[:len(head)], head) {
			return nil, fmt.Errorf("header %x, want %x", raw[:len(head)], head)
		}
		return raw[len(head):], nil
	}
	raw, err := bridge.AppendRequest(nil, bridge.Header{CorrelationID: 77, ClientID: "the client"}, b)
	if err != nil {
		return nil, err
	}
	f := kmsg.NewRequestFormatter(kmsg.FormatterClientID("the client"))
	body := m.AppendTo(nil)
	frame := f.AppendRequest(nil, m.(kmsg.Request), 77)
	head := frame[4 : len(frame)-len(body)]
	if len(raw) < 4+len(head) || !slices.Equal(raw[4:4+len(head)], head) {
		return nil, fmt.Errorf("header %x, want %x", raw[:len(raw)-len(body)], head)
	}
	return raw[4+len(head):], nil
}

// coverage is what the comparisons of all messages add up to.
type coverage struct {
	messages, values        int
	leaves                  int // at versions
	messageTypes, bodyTypes map[reflect.Type]bool
	compared                map[string]int
	touched                 map[string]bool
}

func TestMessagesMeanTheSameToKmsg(t *testing.T) {
	all := coverage{
		messageTypes: make(map[reflect.Type]bool), bodyTypes: make(map[reflect.Type]bool),
		compared: make(map[string]int), touched: make(map[string]bool),
	}
	for _, a := range bridge.Versions() {
		for _, response := range []bool{false, true} {
			first := newMessage(a.Key, response, 0)
			if first == nil {
				t.Errorf("kmsg does not know %s (%d)", a.Name, a.Key)
				continue
			}
			name := reflect.TypeOf(first).Elem().Name()
			all.messageTypes[reflect.TypeOf(first).Elem()] = true
			if a.Max > first.MaxVersion() {
				t.Errorf("kmsg has %s up to version %d, this module up to %d", name, first.MaxVersion(), a.Max)
			}
			for v := a.Min; v <= min(a.Max, first.MaxVersion()); v++ {
				present, err := presentIn(a.Key, response, v)
				if err != nil {
					t.Fatalf("%s v%d: kmsg does not read what it writes: %v", name, v, err)
				}
				for form, b := range bridge.Bodies(a.Key, response) {
					all.bodyTypes[reflect.TypeOf(b).Elem()] = true
					s := subject{a.Key, v, response, form, present}
					t.Run(fmt.Sprintf("%s/v%d/%T", name, v, b), func(t *testing.T) { s.compare(t, &all) })
				}
			}
		}
	}
	all.check(t)
	t.Logf("%d messages at versions, %d leaves at versions, %d leaves in all, %d values", all.messages, all.leaves, len(all.compared), all.values)
}

// compare fills, reads, compares and writes one message many times.
func (s subject) compare(t *testing.T, all *coverage) {
	m := match{present: s.present, compared: make(map[string]int), touched: all.touched, unordered: make(map[string]bool)}
	for seed := range uint64(seeds) {
		filled := newMessage(s.key, s.response, s.version)
		newFiller(seed, seed%8 == 0).message(filled)
		want, raw, err := canonical(filled)
		if err != nil {
			t.Fatalf("seed %d: kmsg reads what it wrote: %v", seed, err)
		}
		body, err := s.read(want, raw)
		if errors.Is(err, sarama.ErrUnsupportedVersion) && s.form > 0 {
			t.Skip("the form has no such version")
		}
		if err != nil {
			t.Fatalf("seed %d: this module reads: %v\n%+v", seed, err, want)
		}
		k := reflect.ValueOf(want).Elem()
		if m.structs(k.Type().Name(), k, fieldsOf(reflect.ValueOf(body))); len(m.faults) > 0 {
			t.Fatalf("seed %d: reading:\n%s", seed, strings.Join(m.faults, "\n"))
		}
		back, err := s.write(want, body)
		if err != nil {
			t.Fatalf("seed %d: this module writes: %v", seed, err)
		}
		got := newMessage(s.key, s.response, s.version)
		if err := got.ReadFrom(back); err != nil {
			t.Fatalf("seed %d: kmsg reads what this module wrote: %v", seed, err)
		}
		m.sort(reflect.ValueOf(got).Elem(), k.Type().Name())
		m.sort(k, k.Type().Name())
		if diff := difference(k, reflect.ValueOf(got).Elem(), k.Type().Name()); diff != "" {
			t.Fatalf("seed %d: writing: %s", seed, diff)
		}
	}
	for path := range s.present {
		if m.compared[path] == 0 && !m.presentIn(path) {
			t.Errorf("%s was never compared", path)
		}
	}
	all.messages++
	for path, n := range m.compared {
		all.compared[path] += n
		all.values += n
		all.leaves++
	}
}

// sort puts the lists that this module shows as maps into one order.
func (m *match) sort(v reflect.Value, path string) {
	switch {
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); isData(f) {
				m.sort(v.Field(i), path+"."+f.Name)
			}
		}
	case v.Kind() == reflect.Pointer && !v.IsNil():
		m.sort(v.Elem(), path)
	case isStructs(v.Type()):
		for i := range v.Len() {
			m.sort(v.Index(i), path)
		}
		if m.unordered[path] {
			key := m.key(path, v.Type().Elem())
			list := make([]reflect.Value, v.Len())
			for i := range list {
				list[i] = reflect.New(v.Type().Elem()).Elem()
				list[i].Set(v.Index(i))
			}
			slices.SortFunc(list, func(a, b reflect.Value) int {
				return strings.Compare(show(a.FieldByName(key)), show(b.FieldByName(key)))
			})
			for i := range list {
				v.Index(i).Set(list[i])
			}
		}
	}
}

// difference names the first field in which two messages are not the same; null
// and empty are not.
func difference(a, b reflect.Value, path string) string {
	switch {
	case a.Kind() == reflect.Struct:
		for i := range a.NumField() {
			if f := a.Type().Field(i); isData(f) {
				if d := difference(a.Field(i), b.Field(i), path+"."+f.Name); d != "" {
					return d
				}
			}
		}
	case isStructs(a.Type()) && a.Len() == b.Len() && a.IsNil() == b.IsNil():
		for i := range a.Len() {
			if d := difference(a.Index(i), b.Index(i), fmt.Sprintf("%s[%d]", path, i)); d != "" {
				return d
			}
		}
	case !reflect.DeepEqual(a.Interface(), b.Interface()):
		return fmt.Sprintf("%s: kmsg had %s, this module says %s", path, show(a), show(b))
	}
	return ""
}

func TestWhatIsNoMessageIsRefused(t *testing.T) {
	if list := bridge.Bodies(4, false); len(list) > 0 { // LeaderAndIsr
		t.Errorf("an API that is not in the table: %v", list)
	}
	if err := bridge.ReadBody(nil, new(int), 0); err == nil {
		t.Error("an int was read")
	}
	if _, err := bridge.AppendBody(nil, new(int)); err == nil {
		t.Error("an int was written")
	}
	if _, err := bridge.AppendRequest(nil, bridge.Header{}, new(int)); err == nil {
		t.Error("an int was written as a request")
	}
}
