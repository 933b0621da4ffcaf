package kmsg_test

import (
	"maps"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/IBM/sarama"
)

// check wants each leaf of kmsg's to have been compared or to be said to have
// no place here, each field of this module's to have had a part or to be said
// to be no message's, and each rule to be about something that there is.
func (c *coverage) check(t *testing.T) {
	paths := make(map[string]bool)
	for m := range c.messageTypes {
		c.leafs(t, m, m.Name(), paths)
	}
	for name, keys := range map[string][]string{
		"places": slices.Collect(maps.Keys(places)), "adapters": slices.Collect(maps.Keys(adapters)),
		"unexpressed": slices.Collect(maps.Keys(unexpressed)), "since": slices.Collect(maps.Keys(since)),
		"notNull": slices.Collect(maps.Keys(notNull)), "notEmpty": slices.Collect(maps.Keys(notEmpty)),
		"fits": slices.Collect(maps.Keys(fits)),
	} {
		for _, key := range keys {
			if !paths[key] {
				t.Errorf("%s: there is no %s", name, key)
			}
		}
	}
	seen := make(map[reflect.Type]bool)
	for b := range c.bodyTypes {
		c.fields(t, b, seen)
	}
	fields := make(map[string]bool)
	for s := range seen {
		for i := range s.NumField() {
			fields[s.Name()+"."+s.Field(i).Name] = true
		}
	}
	for id := range derived {
		switch {
		case !fields[id]:
			t.Errorf("derived: there is no %s", id)
		case c.touched[id]:
			t.Errorf("derived: %s was compared", id)
		}
	}
}

// leafs checks all of a struct of kmsg's.
func (c *coverage) leafs(t *testing.T, s reflect.Type, path string, paths map[string]bool) {
	paths[path] = true
	if _, odd := unexpressed[path]; odd {
		if c.compared[path] > 0 {
			t.Errorf("unexpressed: %s was compared", path)
		}
		return
	}
	for s.Kind() == reflect.Pointer || s.Kind() == reflect.Slice {
		s = s.Elem()
	}
	if s.Kind() != reflect.Struct {
		if c.compared[path] == 0 {
			t.Errorf("%s was compared at no version", path)
		}
		return
	}
	for i := range s.NumField() {
		if f := s.Field(i); isData(f) {
			c.leafs(t, f.Type, path+"."+f.Name, paths)
		}
	}
}

// fields checks all of a struct of this module's.
func (c *coverage) fields(t *testing.T, s reflect.Type, seen map[reflect.Type]bool) {
	for s.Kind() == reflect.Pointer || s.Kind() == reflect.Slice || s.Kind() == reflect.Map {
		s = s.Elem()
	}
	whole := []reflect.Type{reflect.TypeFor[time.Time](), reflect.TypeFor[sarama.Broker](), reflect.TypeFor[sarama.Records]()}
	if s.Kind() != reflect.Struct || seen[s] || slices.Contains(whole, s) {
		return
	}
	seen[s] = true
	for i := range s.NumField() {
		f := s.Field(i)
		id := s.Name() + "." + f.Name
		_, known := derived[id]
		if f.Name != "Version" && f.Name != "version" && !known && !f.Anonymous && !isInline(f.Name) && !c.touched[id] {
			t.Errorf("%s has no part in any message of kmsg's", id)
		}
		c.fields(t, f.Type, seen)
	}
}
