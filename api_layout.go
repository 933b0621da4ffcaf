package sarama

import (
	"cmp"
	"encoding/base64"
	"maps"
	"net"
	"slices"
	"strconv"
	"time"

	"github.com/IBM/sarama/internal/wire"
)

// Layouts of what several messages have in common.

// layKError lays out an error code.
func layKError(c *wire.Codec, e *KError) { c.Int16((*int16)(e)) }

// layThrottle lays out the throttle time that many responses start with.
func layThrottle(c *wire.Codec, from int16, d *time.Duration) {
	if c.From(from) {
		c.Millis(d)
	}
}

// needs fails when a request says by field what no version before from can say,
// and the answer would be to another question than the one that was asked.
func needs(c *wire.Codec, from int16, field any, said bool) {
	if c.Writing() && said && !c.From(from) {
		c.Invalid(field, "needs version %d", from)
	}
}

// layTopic lays out the topic of an entry: its name, and from version first on
// its id instead (KIP-516), whose text form then stands for the name.
func layTopic(c *wire.Codec, first int16, name *string) {
	if !c.From(first) {
		c.String(name)
		return
	}
	var id Uuid
	if c.Writing() {
		var err error
		if id, err = parseUUID(*name); err != nil {
			c.Invalid(name, "topic %q is not the text form of a topic id, which version %d needs", *name, c.Version)
		}
	}
	if c.UUID((*[16]byte)(&id)); !c.Writing() {
		*name = id.String()
	}
}

// parseUUID is the inverse of Uuid.String.
func parseUUID(s string) (id Uuid, err error) {
	raw, err := base64.RawURLEncoding.DecodeString(s)
	if err == nil && len(raw) != len(id) {
		err = base64.CorruptInputError(len(raw))
	}
	copy(id[:], raw)
	return id, err
}

// sortedKeys are a map's keys in order, so that a message always has the same
// bytes.
func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }

// layMap lays out a list of structs that the API shows as a map.
func layMap[K cmp.Ordered, V any](c *wire.Codec, m *map[K]V, entry func(k *K, v *V)) {
	var keys []K
	if c.Writing() {
		keys = sortedKeys(*m)
	} else {
		*m = nil
	}
	wire.Entries(c, m, len(keys), func(i, left int) {
		var k K
		var v V
		if c.Writing() {
			k = keys[i]
			v = (*m)[k]
			entry(&k, &v)
			return
		}
		if *m == nil {
			*m = make(map[K]V, left)
		}
		if entry(&k, &v); c.Err() == nil {
			(*m)[k] = v
		}
	})
}

// layPointers is layMap for structs held by pointer.
func layPointers[K cmp.Ordered, V any](c *wire.Codec, m *map[K]*V, entry func(k *K, v *V)) {
	layMap(c, m, func(k *K, p **V) {
		if !c.Writing() {
			*p = new(V)
		} else if *p == nil {
			c.Invalid(m, "the entry for %v is nil", *k)
			return
		}
		entry(k, *p)
	})
}

// layTopicMap lays out the usual two levels, topic and partition, that the API
// shows as a map of maps. idFrom is the first version with topic ids instead
// of names, negative where there is none.
func layTopicMap[V any](c *wire.Codec, m *map[string]map[int32]V, idFrom int16, partition func(id *int32, v *V)) {
	layMap(c, m, func(topic *string, parts *map[int32]V) {
		if idFrom >= 0 {
			layTopic(c, idFrom, topic)
		} else {
			c.String(topic)
		}
		layMap(c, parts, partition)
		if *parts == nil && !c.Writing() {
			*parts = map[int32]V{}
		}
	})
}

// layAddr lays out the address of a broker, host and port apart.
func (b *Broker) layAddr(c *wire.Codec) {
	var host string
	var port int32
	if c.Writing() {
		h, p, err := net.SplitHostPort(b.addr)
		n, perr := strconv.ParseInt(p, 10, 32)
		if err != nil || perr != nil {
			c.Invalid(&b.addr, "broker address %q is not host:port", b.addr)
		}
		host, port = h, int32(n)
	}
	c.String(&host)
	c.Int32(&port)
	if !c.Writing() {
		b.addr = net.JoinHostPort(host, strconv.Itoa(int(port)))
	}
}

// layBroker lays out a broker with its id and address.
func (b *Broker) layBroker(c *wire.Codec) {
	c.Int32(&b.id)
	b.layAddr(c)
}

// NoNode is the broker that stands for "none" in a response: id -1, no
// address.
var NoNode = &Broker{id: -1, addr: ":-1"}

// layLeader lays out a pair of leader id and epoch.
func layLeader(c *wire.Codec, id, epoch *int32) {
	c.Int32(id)
	c.Int32(epoch)
}

// unixMilli is the time of a timestamp on the wire; a negative one is none.
func unixMilli(ms int64) time.Time {
	if ms < 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}

// milliOf is a time as it is on the wire.
func milliOf(t time.Time) int64 {
	if t.IsZero() {
		return -1
	}
	return t.UnixMilli()
}
