// Probe is one program that is built against Sarama and against this module. It
// prints what each of the two does; the outputs are compared.
package main

import (
	"fmt"
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"
)

func main() {
	sections := map[string]func(){"mocks": mockResponses, "admin": admin, "wire": wire, "producers-and-consumers": producersAndConsumers, "security": security}
	for _, name := range os.Args[1:] {
		if sections[name] == nil {
			fmt.Fprintf(os.Stderr, "no section %q; there are %v\n", name, slices.Sorted(maps.Keys(sections)))
			os.Exit(2)
		}
		sections[name]()
	}
}

var hidden []*regexp.Regexp

// hidePort has a port printed as PORT from now on.
func hidePort(port int32) {
	hidden = append(hidden, regexp.MustCompile(fmt.Sprintf(`\b%d\b`, port)))
}

func say(format string, args ...any) {
	line := fmt.Sprintf(format, args...)
	for _, r := range hidden {
		line = r.ReplaceAllString(line, "PORT")
	}
	fmt.Println(line)
}

// show prints a value with all that is exported of it and not zero or empty, in
// a fixed order.
func show(what string, v any) { say("%s: %s", what, text(reflect.ValueOf(v), 0)) }

// unordered are fields that upstream fills by going through maps.
var unordered = map[string]bool{"Brokers": true, "Replicas": true, "Isr": true, "Topics": true, "Partitions": true, "Groups": true}

// sorted is text of a list, with its elements sorted.
func sorted(v reflect.Value, depth int) string {
	if v.Kind() != reflect.Slice {
		return text(v, depth)
	}
	var list []string
	for i := range v.Len() {
		list = append(list, text(v.Index(i), depth+1))
	}
	slices.Sort(list)
	return "[" + strings.Join(list, ", ") + "]"
}

func empty(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Slice, reflect.Map:
		return v.Len() == 0
	}
	return v.IsZero()
}

func text(v reflect.Value, depth int) string {
	if !v.IsValid() {
		return "nil"
	}
	if depth > 20 {
		return "..."
	}
	if v.CanInterface() {
		if at, ok := v.Interface().(time.Time); ok {
			switch {
			case at.IsZero():
				return "no time"
			case time.Since(at).Abs() < time.Minute:
				return "now"
			}
			return at.UTC().Format(time.RFC3339Nano)
		}
	}
	switch v.Kind() {
	case reflect.Interface:
		return text(v.Elem(), depth+1)
	case reflect.Pointer:
		if v.IsNil() {
			return "nil"
		}
		if b, ok := v.Interface().(interface {
			ID() int32
			Addr() string
		}); ok {
			return fmt.Sprintf("broker %d at %s", b.ID(), b.Addr())
		}
		return "&" + text(v.Elem(), depth+1)
	case reflect.Struct:
		var fields []string
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() && !empty(v.Field(i)) {
				t := text(v.Field(i), depth+1)
				if unordered[f.Name] {
					t = sorted(v.Field(i), depth+1)
				}
				fields = append(fields, f.Name+": "+t)
			}
		}
		slices.Sort(fields)
		return v.Type().Name() + "{" + strings.Join(fields, ", ") + "}"
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return fmt.Sprintf("%q", v.Bytes())
		}
		var list []string
		for i := range v.Len() {
			list = append(list, text(v.Index(i), depth+1))
		}
		return "[" + strings.Join(list, ", ") + "]"
	case reflect.Map:
		var list []string
		for it := v.MapRange(); it.Next(); {
			list = append(list, text(it.Key(), depth+1)+": "+text(it.Value(), depth+1))
		}
		slices.Sort(list)
		return "map{" + strings.Join(list, ", ") + "}"
	}
	return fmt.Sprintf("%#v", v)
}
