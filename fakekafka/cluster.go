package fakekafka

import (
	"context"
	"fmt"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/IBM/sarama"
)

// Cluster is a Kafka cluster in this process. Its methods may be called from
// any goroutine, at any time; those that change the cluster have done so for
// every request that is handled after they return.
type Cluster struct {
	// constant after Start
	opts    Options
	id      string
	brokers []*broker // by id - 1
	offers  *offers
	events  *history
	groups  *groups
	// topicSettings and brokerSettings are the settings that there are.
	topicSettings, brokerSettings map[string]*setting

	done       chan struct{} // closed when Close begins
	ended      chan struct{} // closed when Close has waited for every goroutine
	goroutines sync.WaitGroup

	// atomic snapshots and counters, any goroutine
	catalog atomic.Pointer[catalog] // replaced with mu held
	// brokerConfigs is replaced with mu held.
	brokerConfigs atomic.Pointer[brokerConfigs]
	hooks         atomic.Pointer[[]*hook] // nil: none; replaced with mu held
	controller    atomic.Int32
	closing       atomic.Bool
	noHints       atomic.Bool  // refusals do not name the leader, see SetLeaderHints
	connections   atomic.Int64 // how many there ever were
	producerIDs   atomic.Int64 // how many were given out

	// mu orders changes of the cluster
	mu struct {
		sync.Mutex
		movesHeld int // reassignments stay under way
	}

	txns  transactions
	rules rules
}

// Start starts a cluster. All topics, partitions and leaders exist, and every
// broker knows the others, before the first request is read. The caller has to
// Close it.
func Start(opts Options) (*Cluster, error) {
	opts, err := opts.withDefaults()
	if err != nil {
		return nil, err
	}
	id := newUUID()
	c := &Cluster{
		opts: opts, id: id.String(), events: newHistory(opts.HistoryMax),
		done: make(chan struct{}), ended: make(chan struct{}),
	}
	c.groups = newGroups(c)
	c.topicSettings, c.brokerSettings = settingsOf(opts.Version)
	c.brokerConfigs.Store(&brokerConfigs{own: make(map[int32]map[string]string)})
	c.catalog.Store(&catalog{byName: make(map[string]*topic), byID: make(map[sarama.Uuid]*topic)})
	c.controller.Store(1)
	c.txns.init(&opts)
	c.rules.init()
	if c.offers, err = newOffers(opts.Version, opts.MaxVersions, opts.Groups.ClassicOnly); err != nil {
		return nil, err
	}
	if err := c.start(); err != nil {
		_ = c.Close()
		return nil, err
	}
	return c, nil
}

// start makes brokers that listen, then topics, and accepts connections last.
func (c *Cluster) start() error {
	for i := range c.opts.Brokers {
		b, err := newBroker(c, int32(i+1))
		if err != nil {
			return err
		}
		c.brokers = append(c.brokers, b)
	}
	for _, t := range c.opts.Topics {
		if _, err := c.createTopic(t, partitionsMax, false); err != nil {
			return fmt.Errorf("fakekafka: creating topic %q: %w", t.Name, err)
		}
	}
	for _, b := range c.brokers {
		b.accept()
	}
	return nil
}

// TB is what New needs of a testing.TB.
type TB interface {
	Helper()                           // the caller's line is the one to tell
	Cleanup(func())                    // called at the end of the test
	Fatalf(format string, args ...any) // the test has failed, and ends
}

// New starts a cluster for a test, which fails at once if that does not work,
// and closes it when the test has ended.
func New(t TB, opts Options) *Cluster {
	t.Helper()
	c, err := Start(opts)
	if err != nil {
		t.Fatalf("starting a cluster: %v", err)
		return nil
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// Close ends the cluster: all connections are cut, all ports given back, and
// every goroutine of the cluster's has ended when it returns. It may be called
// more than once and from many goroutines, of which each waits for the end, but
// not from a function given to Handle, which it waits for. It always returns
// nil.
func (c *Cluster) Close() error {
	if !c.closing.CompareAndSwap(false, true) {
		<-c.ended
		return nil
	}
	close(c.done)
	c.txns.close()
	for _, b := range c.brokers {
		done := b.takeTurn()
		b.shut(true)
		done()
	}
	c.groups.close()
	c.goroutines.Wait()
	for _, b := range c.brokers {
		b.reserved.release()
	}
	close(c.ended)
	return nil
}

// ID is the cluster's id, as metadata has it.
func (c *Cluster) ID() string { return c.id }

// Addrs are the addresses of all brokers, host:port, in the order of their ids.
func (c *Cluster) Addrs() []string {
	addrs := make([]string, len(c.brokers))
	for i, b := range c.brokers {
		addrs[i] = b.addr
	}
	return addrs
}

// BrokerIDs are the ids of all brokers, in order.
func (c *Cluster) BrokerIDs() []int32 {
	ids := make([]int32, len(c.brokers))
	for i, b := range c.brokers {
		ids[i] = b.id
	}
	return ids
}

// broker finds a broker, nil where there is none.
func (c *Cluster) broker(id int32) *broker {
	if id < 1 || int(id) > len(c.brokers) {
		return nil
	}
	return c.brokers[id-1]
}

func (c *Cluster) brokerOrError(id int32) (*broker, error) {
	if b := c.broker(id); b != nil {
		return b, nil
	}
	return nil, fmt.Errorf("fakekafka: there is no broker %d, only 1 to %d", id, len(c.brokers))
}

func (c *Cluster) logf(format string, args ...any) {
	if c.opts.Logf != nil {
		c.opts.Logf(format, args...)
	}
}

// Dialer connects to the brokers of one cluster. It is a proxy.Dialer and
// proxy.ContextDialer of golang.org/x/net, as Config.Net.Proxy.Dialer wants it.
type Dialer struct{ cluster *Cluster }

// Dialer returns what connects to the cluster's brokers. Connections in memory
// are to be had from it alone.
func (c *Cluster) Dialer() *Dialer { return &Dialer{c} }

// Configure has a client's configuration use the cluster's Dialer, where
// connections are in memory; else it changes nothing.
func (c *Cluster) Configure(conf *sarama.Config) {
	if c.opts.InMemory {
		conf.Net.Proxy.Enable = true
		conf.Net.Proxy.Dialer = c.Dialer()
	}
}

// Dial connects to the broker at addr. The network is ignored.
func (d *Dialer) Dial(network, addr string) (net.Conn, error) {
	return d.DialContext(context.Background(), network, addr)
}

// DialContext connects to the broker at addr. The network is ignored.
func (d *Dialer) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	c := d.cluster
	i := slices.IndexFunc(c.brokers, func(b *broker) bool { return b.addr == addr })
	switch {
	case i < 0:
		return nil, fmt.Errorf("fakekafka: dialing %s: no broker of the cluster has that address, only %v", addr, c.Addrs())
	case !c.opts.InMemory:
		var dialer net.Dialer
		return dialer.DialContext(ctx, "tcp", addr)
	}
	b := c.brokers[i]
	id := c.connections.Add(1)
	client, server := newMemConns(memAddr(fmt.Sprintf("client-%d", id)), memAddr(addr))
	if !b.attach(server, id) {
		return nil, &net.OpError{Op: "dial", Net: "memory", Addr: memAddr(addr), Err: syscall.ECONNREFUSED}
	}
	return client, nil
}
