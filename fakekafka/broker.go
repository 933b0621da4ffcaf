package fakekafka

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// Network is how the network treats a broker.
type Network int32

// What can be wrong with a broker's network, see Cluster.SetNetwork.
const (
	// NetworkGood is what it is at first.
	NetworkGood Network = iota
	// NetworkBlackHole takes connections and all that is sent, and answers
	// nothing, not even what was asked before. A connection that has lost
	// something this way stays silent for ever.
	NetworkBlackHole
	// NetworkStalled takes connections and reads nothing from any, so that
	// clients' writes block once the buffers between are full. All goes on when
	// the network is good again.
	NetworkStalled
	// NetworkRefuse refuses new connections; those that are open stay.
	NetworkRefuse
	// NetworkHangUp takes new connections and closes them at once; those that
	// are open stay.
	NetworkHangUp
)

// broker is one broker of a cluster.
type broker struct {
	// constant
	cluster  *Cluster
	id       int32
	addr     string
	host     string
	port     int32
	rack     *string
	reserved reservation
	sessions *sessions
	turn     chan struct{} // whoever has put the token in may stop, start or change the broker

	// atomic, any goroutine
	network  atomic.Int32 // a Network; changed with mu held
	up       atomic.Bool  // changed with mu held
	requests [apiLimit]atomic.Int64

	mu struct {
		sync.Mutex
		closed    bool         // for good
		listener  net.Listener // nil: in memory, stopped, or refusing
		conns     map[*conn]struct{}
		changed   chan struct{}     // closed, and another made, when the network changes
		logLevels map[string]string // that were set
	}
}

func newBroker(c *Cluster, id int32) (*broker, error) {
	b := &broker{cluster: c, id: id, sessions: newSessions(c.opts.FetchSessions), turn: make(chan struct{}, 1)}
	if int(id) <= len(c.opts.Racks) {
		b.rack = &c.opts.Racks[id-1]
	}
	b.mu.conns = make(map[*conn]struct{})
	b.mu.changed = make(chan struct{})
	b.up.Store(true)
	if c.opts.InMemory {
		// A name that no resolver knows, for clients that do not use the Dialer.
		b.host, b.port = fmt.Sprintf("broker-%d.fakekafka.invalid", id), 9092
		b.addr = net.JoinHostPort(b.host, strconv.Itoa(int(b.port)))
		return b, nil
	}
	reserved, port, err := reservePort()
	if err != nil {
		return nil, fmt.Errorf("fakekafka: reserving a port for broker %d: %w", id, err)
	}
	b.reserved, b.host = reserved, "127.0.0.1"
	b.addr = net.JoinHostPort(b.host, strconv.Itoa(port))
	if b.mu.listener, err = net.Listen("tcp", b.addr); err != nil {
		b.reserved.release()
		return nil, fmt.Errorf("fakekafka: broker %d: %w", id, err)
	}
	b.port = int32(b.mu.listener.Addr().(*net.TCPAddr).Port)
	b.addr = b.mu.listener.Addr().String()
	return b, nil
}

func (b *broker) isUp() bool { return b.up.Load() }

// accept starts to accept connections, if there is a listener.
func (b *broker) accept() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.mu.listener != nil && !b.mu.closed {
		b.cluster.goroutines.Add(1)
		go b.runAccept(b.mu.listener)
	}
}

// runAccept takes connections from a listener until that is closed.
func (b *broker) runAccept(l net.Listener) {
	defer b.cluster.goroutines.Done()
	for {
		nc, err := l.Accept()
		switch {
		case err == nil:
			if !b.attach(nc, b.cluster.connections.Add(1)) {
				_ = nc.Close()
			}
		case errors.Is(err, net.ErrClosed):
			return
		default: // out of file descriptors, say
			timer := time.NewTimer(5 * time.Millisecond)
			select {
			case <-timer.C:
			case <-b.cluster.done:
				timer.Stop()
			}
		}
	}
}

// attach starts to serve a connection; false when the broker refuses it.
func (b *broker) attach(nc net.Conn, id int64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	network := Network(b.network.Load())
	if b.mu.closed || !b.isUp() || network == NetworkRefuse {
		return false
	}
	if network == NetworkHangUp {
		_ = nc.Close()
		return true
	}
	if conf := b.cluster.opts.TLS; conf != nil {
		nc = tls.Server(nc, conf)
	}
	c := newConn(b, nc, id)
	b.mu.conns[c] = struct{}{}
	b.cluster.goroutines.Add(1)
	go c.run()
	return true
}

// detach forgets a connection that has ended.
func (b *broker) detach(c *conn) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.mu.conns, c)
}

// openConns lists the broker's connections.
func (b *broker) openConns() []*conn {
	b.mu.Lock()
	defer b.mu.Unlock()
	list := make([]*conn, 0, len(b.mu.conns))
	for c := range b.mu.conns {
		list = append(list, c)
	}
	return list
}

// shut closes the listener and cuts all connections, for good or until listen.
// It is called by who has the turn.
func (b *broker) shut(forGood bool) {
	b.mu.Lock()
	b.up.Store(false)
	b.mu.closed = b.mu.closed || forGood
	l := b.mu.listener
	b.mu.listener = nil
	b.mu.Unlock()
	if l != nil {
		_ = l.Close()
	}
	for _, c := range b.openConns() {
		c.cut()
	}
}

// listen opens the broker's port again, where it has one. It is called by who
// has the turn.
func (b *broker) listen() error {
	if b.cluster.opts.InMemory {
		return nil
	}
	l, err := net.Listen("tcp", b.addr)
	if err != nil {
		return fmt.Errorf("fakekafka: broker %d: %w", b.id, err)
	}
	b.mu.Lock()
	use := !b.mu.closed && b.mu.listener == nil && Network(b.network.Load()) != NetworkRefuse
	if use {
		b.mu.listener = l
	}
	b.mu.Unlock()
	if !use {
		return l.Close()
	}
	b.accept()
	return nil
}

// takeTurn waits until nobody else stops, starts or changes the broker.
func (b *broker) takeTurn() (done func()) {
	b.turn <- struct{}{}
	return func() { <-b.turn }
}

// setNetwork changes how the network treats the broker. It is called by who has
// the turn.
func (b *broker) setNetwork(to Network) error {
	b.mu.Lock()
	was := Network(b.network.Swap(int32(to)))
	close(b.mu.changed)
	b.mu.changed = make(chan struct{})
	var l net.Listener
	if to == NetworkRefuse {
		l, b.mu.listener = b.mu.listener, nil
	}
	again := was == NetworkRefuse && to != NetworkRefuse && b.isUp()
	b.mu.Unlock()
	if l != nil {
		_ = l.Close()
	}
	if again {
		return b.listen()
	}
	return nil
}

// networkChanged is closed when the network is no longer what it is now.
func (b *broker) networkChanged() (Network, <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return Network(b.network.Load()), b.mu.changed
}
