package kmsg_test

import (
	"math/rand/v2"
	"reflect"
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// message is a request or a response of kmsg.
type message interface {
	Key() int16
	MaxVersion() int16
	SetVersion(v int16)
	GetVersion() int16
	IsFlexible() bool
	AppendTo(dst []byte) []byte
	ReadFrom(src []byte) error
}

// filler fills messages with random values, no two alike as far as their type
// allows, so that values that have changed places show.
type filler struct {
	rnd   *rand.Rand
	dense bool // no value is its default, no list empty
	used  map[any]bool

	version int16
}

func newFiller(seed uint64, dense bool) *filler {
	return &filler{rnd: rand.New(rand.NewPCG(seed, 1)), dense: dense, used: make(map[any]bool)}
}

// isData says whether a field of a struct of kmsg is part of the message.
func isData(f reflect.StructField) bool { return f.Name != "Version" && f.Name != "UnknownTags" }

// message fills a message that has its defaults.
func (f *filler) message(m message) {
	v := reflect.ValueOf(m).Elem()
	f.version = m.GetVersion()
	f.fields(v, v.Type().Name(), false)
	if fit := fits[v.Type().Name()]; fit != nil {
		fit(f, m)
	}
}

// fields fills a struct. The first field of an entry of a list is what the list
// is by where this module shows it as a map.
func (f *filler) fields(v reflect.Value, path string, entry bool) {
	for i := range v.NumField() {
		field := v.Type().Field(i)
		p := path + "." + field.Name
		if _, odd := unexpressed[p]; isData(field) && !odd && f.version >= since[p] {
			f.value(v.Field(i), p, entry && i == 0)
		}
	}
}

// value fills one field; a key has a value of its own.
func (f *filler) value(v reflect.Value, path string, key bool) {
	must := f.dense || key
	null := !must && !notNull[path] && f.rnd.IntN(4) == 0
	switch v.Kind() {
	case reflect.Struct:
		f.fields(v, path, false)
	case reflect.Pointer:
		if v.SetZero(); null {
			return
		}
		p := newDefault(v.Type().Elem())
		f.value(p.Elem(), path, must || notEmpty[path])
		v.Set(p)
	case reflect.Slice:
		f.list(v, path, null, must || notEmpty[path])
	default:
		if !must && v.Kind() != reflect.Array && !notEmpty[path] && f.rnd.IntN(6) == 0 {
			return
		}
		f.scalar(v)
	}
}

func (f *filler) list(v reflect.Value, path string, null, must bool) {
	if null {
		v.SetZero()
		return
	}
	n := f.rnd.IntN(4)
	if v.Type().Elem().Kind() == reflect.Uint8 {
		n = f.rnd.IntN(150)
	}
	if must {
		n++
	}
	list := reflect.MakeSlice(v.Type(), 0, n)
	for range n {
		e := newDefault(v.Type().Elem()).Elem()
		switch e.Kind() {
		case reflect.Struct:
			f.fields(e, path, true)
		case reflect.Uint8:
			e.SetUint(uint64(f.rnd.IntN(256)))
		default:
			f.scalar(e)
		}
		list = reflect.Append(list, e)
	}
	v.Set(list)
}

// scalar changes v to a value that the message does not have yet, if there is
// one.
func (f *filler) scalar(v reflect.Value) {
	if v.Kind() == reflect.Bool {
		v.SetBool(!v.Bool())
		return
	}
	before := v.Interface()
	for try := 0; ; try++ {
		f.random(v)
		x := v.Interface()
		if fresh := !f.used[x]; x != before && (fresh || try > 100) {
			f.used[x] = true
			return
		}
	}
}

func (f *filler) random(v reflect.Value) {
	switch v.Kind() {
	case reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(int64(f.rnd.Uint64()) >> (64 - v.Type().Bits()))
	case reflect.Float64:
		v.SetFloat(f.rnd.NormFloat64() * 1e6)
	case reflect.String:
		n := 1 + f.rnd.IntN(12)
		if f.rnd.IntN(12) == 0 {
			n += 120 // more than fits into the first byte of a compact length
		}
		s := make([]byte, n)
		for i := range s {
			s[i] = byte('a' + f.rnd.IntN(26))
		}
		v.SetString(string(s))
	case reflect.Array:
		for i := range v.Len() {
			v.Index(i).SetUint(uint64(f.rnd.IntN(256)))
		}
	default:
		panic("no random values of type " + v.Type().String())
	}
}

// newDefault makes a value of a type with the defaults that kmsg gives it.
func newDefault(t reflect.Type) reflect.Value {
	p := reflect.New(t)
	if d, ok := p.Interface().(interface{ Default() }); ok {
		d.Default()
	}
	return p
}

// newMessage makes an empty request or response at a version; nil where kmsg
// does not know the key.
func newMessage(key int16, response bool, version int16) message {
	request := kmsg.RequestForKey(key)
	if request == nil {
		return nil
	}
	var m message = request
	if response {
		m = request.ResponseKind()
	}
	newDefault(reflect.TypeOf(m).Elem())
	m.(interface{ Default() }).Default()
	m.SetVersion(version)
	return m
}

// canonical is what a message is at its version: read from what it is on the
// wire.
func canonical(m message) (message, []byte, error) {
	raw := m.AppendTo(nil)
	again := reflect.New(reflect.TypeOf(m).Elem()).Interface().(message)
	again.SetVersion(m.GetVersion())
	return again, raw, again.ReadFrom(slices.Clone(raw))
}

// presence collects the paths of the fields that a message has at its version:
// those whose value, which is not the default, is still there.
type presence map[string]bool

// presentIn finds them in messages that have a value in each field.
func presentIn(key int16, response bool, version int16) (presence, error) {
	found := make(presence)
	for seed := range uint64(6) {
		m := newMessage(key, response, version)
		newFiller(seed, true).message(m)
		again, _, err := canonical(m)
		if err != nil {
			return nil, err
		}
		v := reflect.ValueOf(m).Elem()
		found.add(v, reflect.ValueOf(again).Elem(), v.Type().Name(), version)
	}
	return found, nil
}

func (p presence) add(before, after reflect.Value, path string, version int16) {
	if _, odd := unexpressed[path]; odd || version < since[path] {
		return
	}
	switch {
	case before.Kind() == reflect.Struct:
		for i := range before.NumField() {
			if field := before.Type().Field(i); isData(field) {
				p.add(before.Field(i), after.Field(i), path+"."+field.Name, version)
			}
		}
	case before.Kind() == reflect.Pointer && before.Type().Elem().Kind() == reflect.Struct:
		if !before.IsNil() && !after.IsNil() {
			p[path] = true
			p.add(before.Elem(), after.Elem(), path, version)
		}
	case isStructs(before.Type()):
		for i := range min(before.Len(), after.Len()) {
			p[path] = true
			p.add(before.Index(i), after.Index(i), path, version)
		}
	default:
		if reflect.DeepEqual(before.Interface(), after.Interface()) {
			p[path] = true
		}
	}
}

// isStructs says whether t is a list of structs.
func isStructs(t reflect.Type) bool {
	return t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Struct
}
