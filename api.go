package sarama

import (
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/IBM/sarama/internal/wire"
)

// body is a request or a response without its header.
type body interface {
	// layout lays the fields out in wire order, in either direction.
	layout(c *wire.Codec)
	// meta returns the API that the body belongs to and the place of the
	// version that it is, or was, on the wire with.
	meta() (*api, *int16)
}

// bodyOf is a pointer to a T that is a body.
type bodyOf[T any] interface {
	*T
	body
}

// wide is a body whose exported version is wider than that on the wire. Its
// meta returns the place of a copy.
type wide interface{ setVersion(v int16) }

// setVersion sets the version that b is, or was, on the wire with.
func setVersion(b body, v int16) {
	if w, ok := b.(wide); ok {
		w.setVersion(v)
		return
	}
	_, at := b.meta()
	*at = v
}

// throttled is a response that says for how long its client is to wait.
type throttled interface{ throttleTime() time.Duration }

// api is what is constant about one of Kafka's APIs. It is the only place
// that knows versions as a whole; what a single version adds is in the layouts.
type api struct {
	key  int16
	name string // as in Kafka's message definitions

	flexible      int16 // first flexible version (KIP-482), none when negative
	throttleFirst int16 // first version whose brokers answer before they throttle (KIP-219)
	sentMax       int16 // highest version that this package's own components send to a broker that has not said what it takes

	// since holds, for each version from 0, the first Config.Version that may
	// send it.
	since []KafkaVersion

	request, response func() body
}

// max is the highest version that the layouts can express.
func (a *api) max() int16 { return int16(len(a.since)) - 1 }

// versionFor is the version that this package's components ask for under a
// Config.Version: the highest that it allows.
func (a *api) versionFor(v KafkaVersion) int16 { return a.versionUpTo(a.sentMax, v) }

func (a *api) versionUpTo(n int16, v KafkaVersion) int16 {
	for ; n > 0; n-- {
		if v.IsAtLeast(a.since[n]) {
			return n
		}
	}
	return 0
}

// isFlexible reports whether version v has compact lengths and tags.
func (a *api) isFlexible(v int16) bool { return a.flexible >= 0 && v >= a.flexible }

// flexibleResponseHeader reports whether a response's header ends in a tag
// buffer. The header of ApiVersions never does: its length must not depend on
// what the asker does not know yet (KIP-511).
func (a *api) flexibleResponseHeader(v int16) bool { return a.key != keyApiVersions && a.isFlexible(v) }

// checkVersion says whether the layouts have version v.
func (a *api) checkVersion(v int16) error {
	if v < 0 || v > a.max() {
		return fmt.Errorf("%s has no version %d, only 0 to %d: %w", a.name, v, a.max(), ErrUnsupportedVersion)
	}
	return nil
}

// allowed says whether Config.Version lets version v out.
func (a *api) allowed(v int16, conf KafkaVersion) error {
	if err := a.checkVersion(v); err != nil {
		return err
	}
	if !conf.IsAtLeast(a.since[v]) {
		return fmt.Errorf("%s version %d needs Kafka %v, Config.Version is %v: %w", a.name, v, a.since[v], conf, ErrUnsupportedVersion)
	}
	return nil
}

// apiByKey returns the table's entry, or an error that names the key.
func apiByKey(key int16) (*api, error) {
	if key < 0 || key > keyMax || apis[key] == nil {
		return nil, PacketDecodingError{fmt.Sprintf("unknown request key (%d)", key)}
	}
	return apis[key], nil
}

// writeBody makes c write b, at the version that b holds, after dst.
func writeBody(c *wire.Codec, dst []byte, b body) error {
	a, version := b.meta()
	if err := a.checkVersion(*version); err != nil {
		return err
	}
	c.Writer(dst, *version, a.isFlexible(*version))
	b.layout(c)
	c.End()
	return bodyError(c, b)
}

// readBody fills b from src, all of which must be used. What b holds of bytes
// shares memory with src.
func readBody(src []byte, b body, version int16) error {
	a, _ := b.meta()
	if err := a.checkVersion(version); err != nil {
		return err
	}
	setVersion(b, version)
	var c wire.Codec
	c.Reader(src, version, a.isFlexible(version))
	b.layout(&c)
	c.End()
	c.Finish()
	return bodyError(&c, b)
}

// bodyError puts message, version, field and position to a codec's error.
func bodyError(c *wire.Codec, b body) error {
	if c.Err() == nil {
		return nil
	}
	a, version := b.meta()
	name := strings.TrimPrefix(fmt.Sprintf("%T", b), "*sarama.")
	return codecError(c, reflect.ValueOf(b).Elem(), fmt.Sprintf("%s (%s v%d)", name, a.name, *version))
}

// codecError puts a name, the field and the position to a codec's error about
// v.
func codecError(c *wire.Codec, v reflect.Value, where string) error {
	err := c.Err()
	field, pos := c.At()
	if path := fieldPath(v, field, 0); path != "" {
		where += ", field " + strings.TrimPrefix(path, ".")
	}
	if invalid := (*wire.Invalid)(nil); errors.As(err, &invalid) {
		if c.Writing() {
			err = PacketEncodingError{invalid.Info}
		} else {
			err = PacketDecodingError{invalid.Info}
		}
	}
	return fmt.Errorf("%w: %s, byte %d", err, where, pos)
}

// fieldPath finds the field that p points to inside v, as a Go expression.
func fieldPath(v reflect.Value, p any, depth int) string {
	if p == nil || depth > 8 {
		return ""
	}
	at := reflect.ValueOf(p)
	if v.CanAddr() && v.Addr().Type() == at.Type() && v.Addr().Pointer() == at.Pointer() {
		return " "
	}
	path := ""
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			path = fieldPath(v.Elem(), p, depth+1)
		}
	case reflect.Struct:
		for i := 0; i < v.NumField() && path == ""; i++ {
			if sub := fieldPath(v.Field(i), p, depth+1); sub != "" {
				path = "." + v.Type().Field(i).Name + strings.TrimSpace(sub)
			}
		}
	case reflect.Slice:
		for i := 0; i < v.Len() && path == ""; i++ {
			if sub := fieldPath(v.Index(i), p, depth+1); sub != "" {
				path = "[" + strconv.Itoa(i) + "]" + strings.TrimSpace(sub)
			}
		}
	}
	return path
}
