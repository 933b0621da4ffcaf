package mocks

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/IBM/sarama"
)

// adminMethods are the methods of the interfaces, by name, with their types.
func adminMethods() map[string]reflect.Type {
	methods := make(map[string]reflect.Type)
	for _, of := range []reflect.Type{
		reflect.TypeFor[sarama.ClusterAdmin](), reflect.TypeFor[sarama.TransactionClusterAdmin](), reflect.TypeFor[sarama.GroupClusterAdmin](),
	} {
		for m := range of.Methods() {
			methods[m.Name] = m.Type
		}
	}
	return methods
}

func TestClusterAdminFuncsAreThoseOfTheInterfaces(t *testing.T) {
	methods, funcs := adminMethods(), reflect.TypeFor[ClusterAdminFuncs]()
	for name, typ := range methods {
		if f, ok := funcs.FieldByName(name); !ok || f.Type != typ {
			t.Errorf("%s is %v, want %v", name, f.Type, typ)
		}
	}
	if funcs.NumField() != len(methods) {
		t.Errorf("%d funcs for %d methods", funcs.NumField(), len(methods))
	}
}

// sample makes a value that is not the zero one, other for each n.
func sample(typ reflect.Type, n int) reflect.Value {
	v := reflect.New(typ).Elem()
	switch typ.Kind() {
	case reflect.String:
		v.SetString(fmt.Sprint("value ", n))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64, reflect.Int:
		v.SetInt(int64(n + 1))
	case reflect.Slice:
		v.Set(reflect.Append(v, sample(typ.Elem(), n)))
	case reflect.Map:
		v.Set(reflect.MakeMap(typ))
		v.SetMapIndex(sample(typ.Key(), n), sample(typ.Elem(), n))
	case reflect.Pointer:
		v.Set(reflect.New(typ.Elem()))
	case reflect.Interface:
		v.Set(reflect.ValueOf(fmt.Errorf("error %d", n)))
	}
	return v
}

// Each method passes its arguments on, in their order, and its func's results back.
func TestClusterAdminCallsTheFuncs(t *testing.T) {
	for name, typ := range adminMethods() {
		t.Run(name, func(t *testing.T) {
			var args, results, got []reflect.Value
			for i := range typ.NumIn() {
				args = append(args, sample(typ.In(i), i))
			}
			for i := range typ.NumOut() {
				results = append(results, sample(typ.Out(i), i))
			}
			var funcs ClusterAdminFuncs
			reflect.ValueOf(&funcs).Elem().FieldByName(name).Set(reflect.MakeFunc(typ, func(in []reflect.Value) []reflect.Value {
				got = in
				return results
			}))
			r := &reports{}
			a := NewClusterAdmin(r, funcs)
			out := reflect.ValueOf(a).MethodByName(name).Call(args)
			if !reflect.DeepEqual(values(got), values(args)) || !reflect.DeepEqual(values(out), values(results)) {
				t.Errorf("func called with %v, results %v", values(got), values(out))
			}
			if calls := a.CallsOf(name); len(calls) != 1 || len(a.Calls()) != 1 || len(args) > 0 && !reflect.DeepEqual(calls[0], values(args)) {
				t.Errorf("calls %v", a.Calls())
			}
			r.want(t)
		})
	}
}

func values(list []reflect.Value) (vs []any) {
	for _, v := range list {
		vs = append(vs, v.Interface())
	}
	return vs
}

func TestClusterAdminReportsCallsWithoutAFunc(t *testing.T) {
	for name, typ := range adminMethods() {
		r := &reports{}
		a := NewClusterAdmin(r, ClusterAdminFuncs{})
		var args []reflect.Value
		for i := range typ.NumIn() {
			args = append(args, sample(typ.In(i), i))
		}
		out := values(reflect.ValueOf(a).MethodByName(name).Call(args))
		err, _ := out[len(out)-1].(error)
		if name == "Close" {
			if r.want(t); err != nil {
				t.Error(err)
			}
			continue
		}
		if !errors.Is(err, ErrUnexpectedCall) || len(r.list) != 1 || !strings.Contains(r.list[0], "ClusterAdmin."+name+" ") || r.list[0] != err.Error() {
			t.Errorf("%s: %v, reported %q", name, err, r.list)
		}
		if calls := a.Calls(); len(calls) != 1 || calls[0].Method != name {
			t.Errorf("%s: calls %v", name, calls)
		}
	}
}

func TestClusterAdminWithContextFailsWhenThatHasEnded(t *testing.T) {
	deleted := 0
	a := NewClusterAdmin(t, ClusterAdminFuncs{DeleteTopic: func(string) error { deleted++; return nil }})
	ctx, cancel := context.WithCancelCause(t.Context())
	with := a.WithContext(ctx)
	if err := with.DeleteTopic("t"); err != nil {
		t.Error(err)
	}
	cancel(errRefused)
	if err := with.DeleteTopic("t"); err != errRefused {
		t.Errorf("got %v", err)
	}
	if err := with.Close(); err != nil {
		t.Error(err)
	}
	if err := a.DeleteTopic("t"); err != nil {
		t.Error(err)
	}
	if calls := a.CallsOf("DeleteTopic"); deleted != 2 || len(calls) != 3 {
		t.Errorf("%d deleted in %d calls", deleted, len(calls))
	}
}

func TestClusterAdminOfManyGoroutines(t *testing.T) {
	a := NewClusterAdmin(t, ClusterAdminFuncs{DeleteTopic: func(string) error { return nil }})
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 50 {
				if err := a.DeleteTopic("t"); err != nil {
					t.Error(err)
				}
				_ = a.Calls()
			}
		})
	}
	if all.Wait(); len(a.CallsOf("DeleteTopic")) != 400 {
		t.Errorf("%d calls", len(a.CallsOf("DeleteTopic")))
	}
}
