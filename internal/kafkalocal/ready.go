package kafkalocal

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

// The two requests that readiness is asked with, written by hand so that the
// tests of a client need not trust a client. Every broker since 0.10 takes these
// versions (https://kafka.apache.org/protocol).
const (
	keyMetadata    = 3
	keyApiVersions = 18
)

// probeEvery is the pause between two looks at a broker that is not ready yet;
// probeTimeout bounds one look, so that a broker that accepts and stays silent
// is looked at again.
const (
	probeEvery   = 50 * time.Millisecond
	probeTimeout = 5 * time.Second
)

// probeMaxBytes is more than a cluster of three answers to either request.
const probeMaxBytes = 1 << 20

// awaitReady returns when the node answers and lists all the wanted ones.
func (c *Cluster) awaitReady(ctx context.Context, n *node, wanted []*node) error {
	c.mu.Lock()
	p := n.proc
	c.mu.Unlock()
	tick := time.NewTicker(probeEvery)
	defer tick.Stop()
	for {
		err := probe(ctx, n.Addrs[mainListener], wanted)
		if err == nil {
			return nil
		}
		select {
		case <-p.Done():
			return fmt.Errorf("kafkalocal: broker %d (Kafka %s) ended before it was ready: %w; the end of its log:\n%s",
				n.Index, c.version, errors.Join(p.Err(), err), tail(n.logPath))
		case <-ctx.Done():
			return fmt.Errorf("kafkalocal: broker %d (Kafka %s) is not ready: %w: %w; the end of its log:\n%s",
				n.Index, c.version, ctx.Err(), err, tail(n.logPath))
		case <-tick.C:
		}
	}
}

// probe is one look: nil when the broker at addr is ready.
func probe(ctx context.Context, addr string, wanted []*node) error {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	if deadline, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(deadline); err != nil {
			return err
		}
	}
	body, err := ask(conn, keyApiVersions, 0, nil)
	if err != nil {
		return fmt.Errorf("ApiVersions: %w", err)
	}
	if len(body) < 2 {
		return fmt.Errorf("ApiVersions: answer of %d bytes", len(body))
	}
	if code := int16(binary.BigEndian.Uint16(body)); code != 0 {
		return fmt.Errorf("ApiVersions: error code %d", code)
	}
	// An empty list of topics asks, from version 1 on, for none.
	body, err = ask(conn, keyMetadata, 1, []byte{0, 0, 0, 0})
	if err != nil {
		return fmt.Errorf("ask for Metadata: %w", err)
	}
	ids, controller, err := parseMetadata(body)
	if err != nil {
		return fmt.Errorf("read Metadata: %w", err)
	}
	for _, n := range wanted {
		if !ids[int32(n.NodeID)] {
			return fmt.Errorf("node %d is not registered yet", n.NodeID)
		}
	}
	if controller < 0 {
		return errors.New("no controller yet")
	}
	return nil
}

// ask sends one request and returns its response without the correlation id.
func ask(conn io.ReadWriter, key, version uint16, body []byte) ([]byte, error) {
	const correlationID = 0x6b6c
	const clientID = "kafkalocal"
	frame := make([]byte, 4, 64)
	frame = binary.BigEndian.AppendUint16(frame, key)
	frame = binary.BigEndian.AppendUint16(frame, version)
	frame = binary.BigEndian.AppendUint32(frame, correlationID)
	frame = binary.BigEndian.AppendUint16(frame, uint16(len(clientID)))
	frame = append(append(frame, clientID...), body...)
	binary.BigEndian.PutUint32(frame, uint32(len(frame)-4))
	if _, err := conn.Write(frame); err != nil {
		return nil, err
	}
	var head [8]byte
	if _, err := io.ReadFull(conn, head[:]); err != nil {
		return nil, err
	}
	size := binary.BigEndian.Uint32(head[:4])
	if size < 4 || size > probeMaxBytes {
		return nil, fmt.Errorf("answer of %d bytes", size)
	}
	if id := binary.BigEndian.Uint32(head[4:]); id != correlationID {
		return nil, fmt.Errorf("answer to another request, %d", id)
	}
	answer := make([]byte, size-4)
	_, err := io.ReadFull(conn, answer)
	return answer, err
}

// parseMetadata reads the brokers' ids and the controller's of a response of
// version 1: an array of (id int32, host string, port int32, rack nullable
// string), then the controller's id.
func parseMetadata(b []byte) (ids map[int32]bool, controller int32, err error) {
	short := fmt.Errorf("answer of %d bytes is cut short", len(b))
	next := func(n int) []byte {
		if n < 0 || n > len(b) {
			err = short
			return make([]byte, 8)
		}
		head := b[:n]
		b = b[n:]
		return head
	}
	count := int32(binary.BigEndian.Uint32(next(4)))
	ids = map[int32]bool{}
	for i := int32(0); i < count && err == nil; i++ {
		id := int32(binary.BigEndian.Uint32(next(4)))
		next(int(binary.BigEndian.Uint16(next(2))))
		next(4)
		if rack := int16(binary.BigEndian.Uint16(next(2))); rack > 0 {
			next(int(rack))
		}
		ids[id] = true
	}
	controller = int32(binary.BigEndian.Uint32(next(4)))
	return ids, controller, err
}
