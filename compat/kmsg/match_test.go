package kmsg_test

import (
	"encoding/base64"
	"fmt"
	"net"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unsafe"

	"github.com/IBM/sarama"
)

// match compares messages of kmsg with bodies of this module, field by field.
type match struct {
	present   presence
	compared  map[string]int  // leaves of kmsg's, how often
	touched   map[string]bool // fields of this module's, as Type.name
	unordered map[string]bool // lists of kmsg's that this module shows as maps
	own       string          // the field of this module's in hand, as Type.name
	faults    []string
}

func (m *match) fault(path, format string, args ...any) {
	if len(m.faults) < 20 {
		m.faults = append(m.faults, path+": "+fmt.Sprintf(format, args...))
	}
}

// field is one field of a struct of this module, embedded structs dissolved.
type field struct {
	id    string // Type.name
	name  string
	value reflect.Value
}

// fieldsOf lists the fields of a struct; those of a broker are what its one
// address is made of.
func fieldsOf(v reflect.Value) (list []field) {
	for v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return nil
		}
		v = v.Elem()
	}
	if v.Type() == reflect.TypeFor[sarama.Broker]() {
		return brokerFields(v)
	}
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if f.Anonymous || isInline(f.Name) {
			list = append(list, fieldsOf(v.Field(i))...)
			continue
		}
		list = append(list, field{v.Type().Name() + "." + f.Name, f.Name, v.Field(i)})
	}
	return list
}

// isInline says whether a field is a part of the struct that it is in, as an
// embedded one is.
func isInline(name string) bool { return name == "block" }

func brokerFields(v reflect.Value) []field {
	host, text, err := net.SplitHostPort(v.FieldByName("addr").String())
	port, perr := strconv.ParseInt(text, 10, 32)
	if err != nil || perr != nil {
		panic(fmt.Sprint("address of a broker: ", err, perr))
	}
	return []field{
		{"Broker.id", "NodeID", v.FieldByName("id")},
		{"Broker.addr", "Host", reflect.ValueOf(host)},
		{"Broker.addr", "Port", reflect.ValueOf(int32(port))},
		{"Broker.rack", "Rack", v.FieldByName("rack")},
	}
}

// named finds the fields that stand for one of kmsg's.
func (m *match) named(path, name string, in []field) (found []field) {
	if places, ok := places[path]; ok {
		for _, p := range strings.Fields(places) {
			outer, inner, dotted := strings.Cut(p, ".")
			for _, f := range in {
				switch {
				case f.name != outer:
				case !dotted:
					found = append(found, f)
				default:
					m.touched[f.id] = true
					if f.value.IsNil() { // a broker that there is none of
						f.value = reflect.ValueOf(sarama.NoNode)
					}
					found = append(found, m.named("", inner, fieldsOf(f.value))...)
				}
			}
		}
		return found
	}
	for _, f := range in {
		if alike(name, f.name) {
			found = append(found, f)
		}
	}
	if len(found) > 1 {
		m.fault(path, "stands for several fields: %v", found)
	}
	return found
}

// alike says whether a field of kmsg's may have that name in this module.
func alike(kmsg, own string) bool {
	return strings.EqualFold(kmsg, own) ||
		slices.ContainsFunc(synonyms[kmsg], func(s string) bool { return strings.EqualFold(s, own) })
}

// structs compares the fields of a struct that its version has.
func (m *match) structs(path string, k reflect.Value, in []field) {
	for i := range k.NumField() {
		f := k.Type().Field(i)
		p := path + "." + f.Name
		if !isData(f) || k.Field(i).Kind() != reflect.Struct && !m.present[p] {
			continue
		}
		found := m.named(p, f.Name, in)
		if len(found) == 0 && m.presentBelow(p) {
			m.fault(p, "has no place in %v", names(in))
		}
		if len(found) > 1 && isStructs(k.Field(i).Type()) {
			m.joined(p, k.Field(i), found)
			continue
		}
		for _, s := range found {
			m.touched[s.id], m.own = true, s.id
			m.value(p, k.Field(i), s.value)
		}
	}
}

// presentBelow says whether the version has a field or anything in it.
func (m *match) presentBelow(path string) bool { return m.present[path] || m.presentIn(path) }

// presentIn says whether the version has anything in a field.
func (m *match) presentIn(path string) bool {
	for p := range m.present {
		if strings.HasPrefix(p, path+".") {
			return true
		}
	}
	return false
}

func names(in []field) (list []string) {
	for _, f := range in {
		list = append(list, f.id)
	}
	return list
}

// value compares a field of any kind.
func (m *match) value(path string, k, s reflect.Value) {
	if adapt := adapters[path]; adapt != nil {
		s = adapt(s)
	}
	switch {
	case isRecords(s.Type()):
		m.compared[path]++
		if err := sameRecords(k.Bytes(), plain(s).([]*sarama.Records)); err != nil {
			m.fault(path, "%v", err)
		}
	case k.Kind() == reflect.Struct:
		if s.Kind() == reflect.Pointer && s.IsNil() {
			if d := newDefault(k.Type()).Elem(); !reflect.DeepEqual(k.Interface(), d.Interface()) {
				m.fault(path, "kmsg has %+v, this module nothing", k)
			}
			return
		}
		m.structs(path, k, fieldsOf(s))
	case k.Kind() == reflect.Pointer && k.Type().Elem().Kind() == reflect.Struct:
		if k.IsNil() != s.IsNil() {
			m.fault(path, "kmsg has %+v, this module %+v", k, s)
		} else if !k.IsNil() {
			m.structs(path, k.Elem(), fieldsOf(s))
		}
	case isStructs(k.Type()):
		m.list(path, k, s)
	default:
		m.compared[path]++
		if !sameLeaf(k, s) {
			m.fault(path, "kmsg has %s, %s is %s", show(k), m.own, show(s))
		}
	}
}

// list compares a list of structs with a list or a map.
func (m *match) list(path string, k, s reflect.Value) {
	if k.Len() != s.Len() {
		m.fault(path, "kmsg has %d entries, this module %d", k.Len(), s.Len())
		return
	}
	for i := range k.Len() {
		if s.Kind() == reflect.Slice {
			m.structs(path, k.Index(i), entryFields(s.Index(i)))
			continue
		}
		m.unordered[path] = true
		m.structs(path, k.Index(i), m.entry(path, m.rest(path, k.Index(i).Type()), k.Index(i), s))
	}
}

// entryFields are those of an entry; one that is no struct is its own field.
func entryFields(v reflect.Value) []field {
	if v.Kind() == reflect.Struct || v.Kind() == reflect.Pointer && v.Type().Elem().Kind() == reflect.Struct {
		return fieldsOf(v)
	}
	return []field{{v.Type().String(), "value", v}}
}

// key is the field that the entries of a list are by: the first that the
// version has.
func (m *match) key(path string, t reflect.Type) string {
	for i := range t.NumField() {
		if f := t.Field(i); m.present[path+"."+f.Name] {
			return f.Name
		}
	}
	return ""
}

// entry finds the entry of a map that a struct of kmsg stands for. Its fields
// are the key, under the name that it has with kmsg, and either those of the
// struct that is the value, or the value itself, as the field called value.
func (m *match) entry(path, value string, k, s reflect.Value) []field {
	name := m.key(path, k.Type())
	for it := s.MapRange(); it.Next(); {
		if !sameLeaf(k.FieldByName(name), it.Key()) {
			continue
		}
		list := []field{{"key", name, it.Key()}}
		for _, f := range entryFields(it.Value()) {
			switch {
			case f.name == "value":
				f.name = value
				list = append(list, f)
			case len(m.named(path+"."+name, name, []field{f})) > 0: // says what the key says
				m.touched[f.id] = true
				m.value(path+"."+name, k.FieldByName(name), f.value)
			default:
				list = append(list, f)
			}
		}
		return list
	}
	m.fault(path, "this module has no entry %s", show(k.FieldByName(name)))
	return nil
}

// rest is the one field of a struct that is not the key.
func (m *match) rest(path string, t reflect.Type) (name string) {
	key := m.key(path, t)
	for i := range t.NumField() {
		if f := t.Field(i); f.Name != key && m.present[path+"."+f.Name] {
			if name != "" {
				return "more than one value"
			}
			name = f.Name
		}
	}
	return name
}

// joined compares a list of structs with several maps that have a part each.
func (m *match) joined(path string, k reflect.Value, maps []field) {
	m.unordered[path] = true
	for _, f := range maps {
		m.touched[f.id] = true
		if f.value.Len() != k.Len() && !f.value.IsNil() {
			m.fault(path, "kmsg has %d entries, %s %d", k.Len(), f.id, f.value.Len())
			return
		}
	}
	for i := range k.Len() {
		var in []field
		for _, f := range maps {
			if f.value.IsNil() {
				continue
			}
			part := m.entry(path, f.name, k.Index(i), f.value)
			if len(in) > 0 && len(part) > 0 {
				part = part[1:] // the key again
			}
			in = append(in, part...)
		}
		m.structs(path, k.Index(i), in)
	}
}

// sameLeaf says whether two values that are no structs mean the same.
func sameLeaf(k, s reflect.Value) bool {
	if s.Type() == reflect.TypeFor[time.Time]() {
		t := plain(s).(time.Time)
		return k.Int() < 0 && t.IsZero() || k.Int() >= 0 && t.UnixMilli() == k.Int()
	}
	if k.Kind() == reflect.Pointer && s.Kind() == reflect.Pointer {
		return k.IsNil() == s.IsNil() && (k.IsNil() || sameLeaf(k.Elem(), s.Elem()))
	}
	if k.Kind() == reflect.Pointer { // "" is this module's null
		return k.IsNil() && s.Len() == 0 || !k.IsNil() && sameLeaf(k.Elem(), s)
	}
	if s.Kind() == reflect.Pointer {
		return !s.IsNil() && sameLeaf(k, s.Elem())
	}
	switch k.Kind() {
	case reflect.Bool:
		return k.Bool() == s.Bool()
	case reflect.Float64:
		return k.Float() == s.Float()
	case reflect.String:
		return k.String() == s.String()
	case reflect.Array:
		if s.Kind() == reflect.String { // a topic's id, in its text form
			id := k.Interface().([16]byte)
			return base64.RawURLEncoding.EncodeToString(id[:]) == s.String()
		}
		fallthrough
	case reflect.Slice:
		same := k.Len() == s.Len()
		for i := 0; same && i < k.Len(); i++ {
			same = sameLeaf(k.Index(i), s.Index(i))
		}
		return same
	case reflect.Uint8:
		return k.Uint() == s.Uint()
	default:
		n := k.Int()
		if s.Type() == reflect.TypeFor[time.Duration]() {
			n *= int64(time.Millisecond)
		}
		return n == s.Int()
	}
}

// plain is what a value holds, of unexported fields as well.
func plain(v reflect.Value) any {
	if v.CanInterface() {
		return v.Interface()
	}
	return reflect.NewAt(v.Type(), unsafe.Pointer(v.UnsafeAddr())).Elem().Interface()
}

func show(v reflect.Value) string {
	if v.Kind() == reflect.Pointer && !v.IsNil() {
		return "&" + show(v.Elem())
	}
	return fmt.Sprintf("%#v", v)
}

// isRecords says whether a field shows records as values.
func isRecords(t reflect.Type) bool { return t == reflect.TypeFor[[]*sarama.Records]() }
