package wire

import "encoding/binary"

// memory a first allocation may take for each byte that is left to read: an
// element of the API is seldom more than a few times its size on the wire, and
// where it is, the slice grows as elements arrive.
const bytesPerElement = 24

func (c *Codec) firstCap(n int) int { return min(n, 1+len(c.buf)/bytesPerElement) }

// Strings lays out a list of strings; nil is an empty list.
func (c *Codec) Strings(p *[]string) { c.strings(p, false) }

// NullableStrings lays out a list of strings whose nil is null.
func (c *Codec) NullableStrings(p *[]string) { c.strings(p, true) }

func (c *Codec) strings(p *[]string, nullable bool) {
	if c.writing {
		if *p == nil && nullable {
			c.putLength(-1)
			return
		}
		c.putLength(len(*p))
		for i := range *p {
			c.putString(&(*p)[i], (*p)[i])
		}
		return
	}
	*p = nil
	n := c.count(p)
	if n < 0 || c.err != nil {
		return
	}
	list := make([]string, 0, c.firstCap(n))
	for range n {
		b, _ := c.stringBytes(p)
		if c.err != nil {
			break
		}
		list = append(list, string(b))
	}
	*p = list
}

// Int32s lays out a list of int32; nil is an empty list.
func (c *Codec) Int32s(p *[]int32) { c.int32s(p, false) }

// NullableInt32s lays out a list of int32 whose nil is null.
func (c *Codec) NullableInt32s(p *[]int32) { c.int32s(p, true) }

func (c *Codec) int32s(p *[]int32, nullable bool) {
	if c.writing {
		if *p == nil && nullable {
			c.putLength(-1)
			return
		}
		c.putLength(len(*p))
		for _, v := range *p {
			c.buf = binary.BigEndian.AppendUint32(c.buf, uint32(v))
		}
		return
	}
	*p = nil
	n := c.count(p)
	if n < 0 {
		return
	}
	if n == 0 && nullable && c.err == nil {
		*p = []int32{}
		return
	}
	b := c.next(4*n, p)
	if b == nil {
		return
	}
	list := c.newInts(n)
	for i := range list {
		list[i] = int32(binary.BigEndian.Uint32(b[4*i:]))
	}
	*p = list
}

// newInts cuts many short slices from one allocation.
func (c *Codec) newInts(n int) []int32 {
	if n > len(c.ints) {
		c.ints = make([]int32, max(n, min(1024, len(c.buf)/8)))
	}
	s := c.ints[:n:n]
	c.ints = c.ints[n:]
	return s
}

// Int64s lays out a list of int64; nil is an empty list.
func (c *Codec) Int64s(p *[]int64) {
	if c.writing {
		c.putLength(len(*p))
		for _, v := range *p {
			c.buf = binary.BigEndian.AppendUint64(c.buf, uint64(v))
		}
		return
	}
	*p = nil
	n := c.count(p)
	if n < 0 {
		return
	}
	if b := c.next(8*n, p); b != nil {
		*p = make([]int64, n)
		for i := range *p {
			(*p)[i] = int64(binary.BigEndian.Uint64(b[8*i:]))
		}
	}
}

// Structs lays out a list of structs held by pointer; nil is an empty list.
func Structs[T any](c *Codec, p *[]*T, layout func(*T, *Codec)) { structs(c, p, layout, false) }

// NullableStructs is Structs for a list whose nil is null.
func NullableStructs[T any](c *Codec, p *[]*T, layout func(*T, *Codec)) { structs(c, p, layout, true) }

func structs[T any](c *Codec, p *[]*T, layout func(*T, *Codec), nullable bool) {
	if c.writing {
		if *p == nil && nullable {
			c.putLength(-1)
			return
		}
		c.putLength(len(*p))
		for i, v := range *p {
			if v == nil {
				c.Invalid(p, "element %d is nil", i)
				return
			}
			layout(v, c)
			c.End()
		}
		return
	}
	*p = nil
	n := c.count(p)
	if n < 0 || c.err != nil {
		return
	}
	list := make([]*T, 0, c.firstCap(n))
	var slab []T
	for i := range n {
		if len(slab) == 0 {
			slab = make([]T, c.firstCap(n-i))
		}
		v := &slab[0]
		slab = slab[1:]
		list = append(list, v)
		*p = list
		layout(v, c)
		c.End()
		if c.err != nil {
			return
		}
	}
	*p = list
}

// Values lays out a list of structs held by value; nil is an empty list.
func Values[T any](c *Codec, p *[]T, layout func(*T, *Codec)) { values(c, p, layout, false) }

// NullableValues is Values for a list whose nil is null.
func NullableValues[T any](c *Codec, p *[]T, layout func(*T, *Codec)) { values(c, p, layout, true) }

func values[T any](c *Codec, p *[]T, layout func(*T, *Codec), nullable bool) {
	if c.writing {
		if *p == nil && nullable {
			c.putLength(-1)
			return
		}
		c.putLength(len(*p))
		for i := range *p {
			layout(&(*p)[i], c)
			c.End()
		}
		return
	}
	*p = nil
	n := c.count(p)
	if n < 0 || c.err != nil {
		return
	}
	list := make([]T, 0, c.firstCap(n))
	for range n {
		var zero T
		list = append(list, zero)
		*p = list
		layout(&list[len(list)-1], c)
		c.End()
		if c.err != nil {
			return
		}
	}
	*p = list
}

// Entries walks a list whose elements the API keeps elsewhere, as in a map.
// Writing, it puts the count n and calls entry for each index; reading, it
// calls entry as often as the frame says, with the number of entries still to
// come so that memory can be set aside for them.
func Entries(c *Codec, field any, n int, entry func(i, left int)) {
	if c.writing {
		c.putLength(n)
		for i := range n {
			entry(i, n-i)
			c.End()
		}
		return
	}
	n = c.count(field)
	for i := 0; i < n && c.err == nil; i++ {
		entry(i, c.firstCap(n-i))
		c.End()
	}
}

// Struct lays out one struct inside another.
func Struct[T any](c *Codec, p *T, layout func(*T, *Codec)) {
	layout(p, c)
	c.End()
}

// Tag is one known optional field in a struct's tag buffer (KIP-482).
type Tag struct {
	ID     uint64
	Set    bool // writing: the field has a value that is not its default
	Layout func(c *Codec)
}

// Tags lays out the tag buffer of a struct that has known tags, which are in
// the order of their ids. It is the last call of the struct's layout; structs
// without known tags need no call.
func (c *Codec) Tags(tags ...Tag) {
	if !c.flexible || c.err != nil {
		return
	}
	if c.writing {
		c.putTags(tags)
	} else {
		c.readTags(tags)
	}
	c.tagged = true
}

func (c *Codec) putTags(tags []Tag) {
	n := uint64(0)
	for _, t := range tags {
		if t.Set {
			n++
		}
	}
	c.putUvarint(n)
	for _, t := range tags {
		if !t.Set {
			continue
		}
		c.putUvarint(t.ID)
		from := len(c.buf)
		c.tagged = false
		t.Layout(c)
		c.tagged = false
		var size [binary.MaxVarintLen64]byte
		w := binary.PutUvarint(size[:], uint64(len(c.buf)-from))
		c.buf = append(c.buf, size[:w]...)
		copy(c.buf[from+w:], c.buf[from:])
		copy(c.buf[from:], size[:w])
	}
}

func (c *Codec) readTags(tags []Tag) {
	last := int64(-1)
	for n := c.uvarint(nil); n > 0 && c.err == nil; n-- {
		id, size := c.uvarint(nil), c.uvarint(nil)
		if c.err == nil && int64(id) <= last {
			c.Invalid(nil, "tag %d after tag %d", id, last)
		}
		last = int64(id)
		body := c.next(int(size), nil)
		if c.err != nil {
			return
		}
		for _, t := range tags {
			if t.ID == id {
				c.readTag(t, body)
			}
		}
	}
}

// readTag reads a known tag's field from the bytes that are the tag's own.
func (c *Codec) readTag(t Tag, body []byte) {
	rest := c.buf
	c.buf, c.size = body, c.size-len(rest)
	c.tagged = false
	t.Layout(c)
	c.tagged = false
	if c.err == nil && len(c.buf) != 0 {
		c.Invalid(nil, "tag %d has %d bytes too many", t.ID, len(c.buf))
	}
	if c.err == nil {
		c.buf, c.size = rest, c.size+len(rest)
	}
}

// End closes a struct: in a flexible version every struct has a tag buffer.
// Tags that are not known are passed over.
func (c *Codec) End() {
	if !c.flexible || c.err != nil {
		return
	}
	if c.tagged {
		c.tagged = false
		return
	}
	if c.writing {
		c.buf = append(c.buf, 0)
		return
	}
	if len(c.buf) > 0 && c.buf[0] == 0 { // no tags, almost always
		c.buf = c.buf[1:]
		return
	}
	c.readTags(nil)
}

// Finish ends a message that was read: bytes that are left over are an error.
func (c *Codec) Finish() {
	if c.err == nil && !c.writing && len(c.buf) != 0 {
		c.Invalid(nil, "invalid length: %d bytes left over", len(c.buf))
	}
}

// NullableStruct lays out a struct held by pointer whose nil is null: a byte
// before it says which, -1 for null.
func NullableStruct[T any](c *Codec, p **T, layout func(*T, *Codec)) {
	mark := int8(1)
	if c.writing && *p == nil {
		mark = -1
	}
	c.Int8(&mark)
	switch {
	case c.err != nil:
	case c.writing:
		if mark >= 0 {
			Struct(c, *p, layout)
		}
	case mark < 0:
		*p = nil
	default:
		*p = new(T)
		Struct(c, *p, layout)
	}
}
