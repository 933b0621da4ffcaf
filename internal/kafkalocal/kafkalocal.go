// Package kafkalocal runs a real Apache Kafka on this machine for tests: one to
// three brokers on 127.0.0.1, with KRaft or, before 3.3, a ZooKeeper, from the
// artifacts that Kafka publishes for Maven. Only Java 17 or newer and, for the first run of a version, Maven are
// needed.
//
// A test skips itself where they are missing:
//
//	if ok, why := kafkalocal.Available(); !ok {
//		t.Skip(why)
//	}
//	cluster, err := kafkalocal.Start(ctx, kafkalocal.Options{Brokers: 3})
//
// Brokers are named by their index, 0 to Brokers-1; the node id that Kafka
// knows them by is the index plus one.
package kafkalocal

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/IBM/sarama/internal/childproc"
)

// DefaultVersion is the Kafka that Start runs when Options.Version is empty.
const DefaultVersion = "4.3.1"

// startTimeout bounds how long brokers may take to be ready, whatever the
// caller's context allows, so that a broker that never answers is an error.
const startTimeout = 3 * time.Minute

// Options says what Start runs. The zero value is one broker of DefaultVersion.
type Options struct {
	// Version of Apache Kafka, as on Maven: "4.3.1" (the default), "3.9.1".
	// KRaft without a dynamic quorum is what is set up; versions before 3.3, of
	// which 2.8.2 is known to work, get a ZooKeeper instead.
	Version string
	// Brokers is how many to run, 1 to 3; 0 is 1. One and three brokers are
	// all controllers as well; of two only the first is, since two voters
	// would stall as soon as either is gone.
	Brokers int
	// Properties are server settings of every broker; they win over the
	// package's own.
	Properties map[string]string
	// BrokerProperties gives settings of one broker; they win over Properties.
	// It is called once for each broker, before its first start.
	BrokerProperties func(Broker) map[string]string
	// Listeners are listeners beside the one that is always there: PLAINTEXT.
	Listeners []Listener
	// Advertise gives the host:port that the broker with this index tells
	// clients for a listener that is bound to addr: a proxy's, say. Nil
	// advertises addr.
	Advertise func(index int, listener, addr string) string
	// FormatArgs are further arguments of the storage tool, such as
	// "--add-scram", "SCRAM-SHA-256=[name=alice,password=secret]". There is none
	// with ZooKeeper.
	FormatArgs []string
	// JVMArgs are further arguments of the brokers' JVM. The package's own
	// favour a fast start over throughput (the first compiler tier and 512 MB);
	// "-XX:TieredStopAtLevel=4" and "-Xmx2g" undo that.
	JVMArgs []string
	// Dir is where the cluster's data and logs go, in a new folder that Close
	// removes; empty is the system's folder for temporary files.
	Dir string
}

// Listener is one more port of every broker.
type Listener struct {
	// Name such as "SASL_SSL"; upper case letters, digits and underscores.
	Name string
	// Protocol is PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL; empty is Name.
	Protocol string
	// Properties are settings of this listener, without the prefix
	// "listener.name.<name>." that Kafka wants before them.
	Properties map[string]string
}

// Broker is what BrokerProperties is told of a broker.
type Broker struct {
	Index  int               // 0 to Options.Brokers-1
	NodeID int               // Index+1
	Dir    string            // a folder of its own, which is there already
	Addrs  map[string]string // host:port that it is bound to, by listener name
}

// node is one broker with all that outlives its process.
type node struct {
	// constant after Start
	Broker
	propertiesPath string
	logPath        string
	reserved       []*reservedPort

	// Cluster.mu guards
	proc   *childproc.Process // nil when none was started or it is known to have ended
	busy   bool               // a Restart is under way
	paused bool
	killed time.Time // when Kill ended the process; zero if it did not
}

// Cluster is a running Kafka. Its methods may be called from any goroutine;
// Kill, Stop, Pause, Resume and Restart of one and the same broker are for one
// goroutine at a time.
type Cluster struct {
	// constant after Start
	version string
	dir     string
	java    string
	libs    string
	jvmArgs []string
	making  []string // arguments of brokers that make an archive of classes
	nodes   []*node
	zoo     *zookeeper // nil with KRaft

	// mu guards
	mu     sync.Mutex
	closed bool
}

// Start fetches Kafka if this machine does not have it yet, starts the brokers
// and returns when each of them answers and knows of all the others. The
// context bounds that work and not the cluster's life, which Close ends. An
// error has the end of the broker's log in it.
func Start(ctx context.Context, o Options) (*Cluster, error) { return start(ctx, o, nil) }

// start is Start, with arguments for brokers that make an archive of classes.
func start(ctx context.Context, o Options, making []string) (*Cluster, error) {
	if err := o.complete(); err != nil {
		return nil, err
	}
	java, err := javaCommand()
	if err != nil {
		return nil, err
	}
	libs, err := Install(ctx, o.Version)
	if err != nil {
		return nil, err
	}
	archive := ""
	if making == nil {
		archive = classArchive(ctx, o.Version, java, libs)
	}
	dir, err := os.MkdirTemp(o.Dir, "kafkalocal-")
	if err != nil {
		return nil, fmt.Errorf("kafkalocal: folder of the cluster: %w", err)
	}
	c := &Cluster{version: o.Version, dir: dir, java: java, libs: libs, making: making}
	c.jvmArgs = append([]string{"-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"}, archiveArgs(archive)...)
	c.jvmArgs = append(c.jvmArgs, o.JVMArgs...)
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	if err := c.start(ctx, o); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// complete fills in the defaults and refuses what cannot run.
func (o *Options) complete() error {
	if o.Version == "" {
		o.Version = DefaultVersion
	}
	if o.Brokers == 0 {
		o.Brokers = 1
	}
	if o.Brokers < 1 || o.Brokers > 3 {
		return fmt.Errorf("kafkalocal: Options.Brokers is %d, wanted 1 to 3", o.Brokers)
	}
	seen := map[string]bool{mainListener: true, controllerListener: true}
	for i, l := range o.Listeners {
		if !validListenerName(l.Name) || seen[l.Name] {
			return fmt.Errorf("kafkalocal: Options.Listeners[%d].Name %q is empty, taken or has other than A-Z, 0-9 and _", i, l.Name)
		}
		seen[l.Name] = true
	}
	return nil
}

func (c *Cluster) start(ctx context.Context, o Options) error {
	for i := range o.Brokers {
		n, err := newNode(c.dir, i, o.Listeners)
		if n != nil {
			c.nodes = append(c.nodes, n)
		}
		if err != nil {
			return err
		}
	}
	if needsZooKeeper(o.Version) {
		if err := c.startZooKeeper(ctx); err != nil {
			return err
		}
	}
	for _, n := range c.nodes {
		text, err := serverProperties(o, n, c.nodes, c.zoo)
		if err != nil {
			return err
		}
		if err := os.WriteFile(n.propertiesPath, text, 0o600); err != nil {
			return fmt.Errorf("kafkalocal: settings of broker %d: %w", n.Index, err)
		}
	}
	if c.zoo == nil {
		if err := c.format(ctx, o.FormatArgs); err != nil {
			return err
		}
	}
	for _, n := range c.nodes {
		if err := c.launch(n); err != nil {
			return err
		}
	}
	for _, n := range c.nodes {
		if err := c.awaitReady(ctx, n, c.nodes); err != nil {
			return err
		}
	}
	return nil
}

func newNode(dir string, index int, extra []Listener) (*node, error) {
	n := &node{Broker: Broker{Index: index, NodeID: index + 1, Addrs: map[string]string{}}}
	n.Dir = filepath.Join(dir, fmt.Sprintf("broker-%d", index))
	n.propertiesPath = filepath.Join(n.Dir, "server.properties")
	n.logPath = filepath.Join(n.Dir, "broker.log")
	if err := os.MkdirAll(n.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("kafkalocal: folder of broker %d: %w", index, err)
	}
	names := []string{mainListener, controllerListener}
	for _, l := range extra {
		names = append(names, l.Name)
	}
	for _, name := range names {
		p, err := reservePort()
		if err != nil {
			return n, fmt.Errorf("kafkalocal: port of broker %d: %w", index, err)
		}
		n.reserved = append(n.reserved, p)
		n.Addrs[name] = p.addr
	}
	return n, nil
}

// Version is the Kafka that the brokers run.
func (c *Cluster) Version() string { return c.version }

// Addrs are the brokers' addresses, host:port, of the PLAINTEXT listener, by
// index. They stay the same over restarts.
func (c *Cluster) Addrs() []string { return c.ListenerAddrs(mainListener) }

// ListenerAddrs are the addresses that the brokers are bound to for the
// listener of this name, by index; nil when there is no such listener.
func (c *Cluster) ListenerAddrs(name string) []string {
	var addrs []string
	for _, n := range c.nodes {
		if a, ok := n.Addrs[name]; ok {
			addrs = append(addrs, a)
		}
	}
	return addrs
}

// Log is the end of what the broker with this index has logged.
func (c *Cluster) Log(i int) string {
	if i < 0 || i >= len(c.nodes) {
		return ""
	}
	return tail(c.nodes[i].logPath)
}

// Kill ends the broker at once (SIGKILL), as a crash would, and waits until the
// process is gone.
func (c *Cluster) Kill(i int) error {
	p, err := c.running(i, "kill")
	if err != nil {
		return err
	}
	if err := p.Kill(); err != nil {
		return fmt.Errorf("kafkalocal: kill broker %d: %w", i, err)
	}
	<-p.Done()
	c.mu.Lock()
	c.nodes[i].killed = time.Now()
	c.mu.Unlock()
	return nil
}

// Stop shuts the broker down in order (SIGTERM) and waits until the process is
// gone. When the context ends first, the broker is killed and the error says so.
func (c *Cluster) Stop(ctx context.Context, i int) error {
	p, err := c.running(i, "stop")
	if err != nil {
		return err
	}
	if err := p.Terminate(); err != nil {
		return fmt.Errorf("kafkalocal: stop broker %d: %w", i, err)
	}
	select {
	case <-p.Done():
		return nil
	case <-ctx.Done():
		_ = p.Kill()
		<-p.Done()
		return fmt.Errorf("kafkalocal: broker %d did not stop in time and was killed: %w", i, ctx.Err())
	}
}

// Pause halts the broker (SIGSTOP): its connections stay open, nothing answers.
func (c *Cluster) Pause(i int) error { return c.setPaused(i, true) }

// Resume lets a paused broker go on (SIGCONT).
func (c *Cluster) Resume(i int) error { return c.setPaused(i, false) }

func (c *Cluster) setPaused(i int, paused bool) error {
	verb, send := "resume", (*childproc.Process).Resume
	if paused {
		verb, send = "pause", (*childproc.Process).Pause
	}
	p, err := c.running(i, verb)
	if err != nil {
		return err
	}
	if err := send(p); err != nil {
		return fmt.Errorf("kafkalocal: %s broker %d: %w", verb, i, err)
	}
	c.mu.Lock()
	c.nodes[i].paused = paused
	c.mu.Unlock()
	return nil
}

// Restart starts the broker again at the same address and with the same data,
// killing it first if it still runs, and returns when it answers and it and
// every other running broker know of each other. Without a majority of the
// controllers running no broker becomes ready: see Options.Brokers. With a
// ZooKeeper, after a Kill, that takes some seconds more: it has to forget the
// broker first.
func (c *Cluster) Restart(ctx context.Context, i int) error {
	if i < 0 || i >= len(c.nodes) {
		return fmt.Errorf("kafkalocal: restart broker %d: there are %d", i, len(c.nodes))
	}
	n := c.nodes[i]
	c.mu.Lock()
	old, busy, closed := n.proc, n.busy, c.closed
	if !busy && !closed {
		n.busy = true
	}
	c.mu.Unlock()
	switch {
	case closed:
		return fmt.Errorf("kafkalocal: restart broker %d: the cluster is closed", i)
	case busy:
		return fmt.Errorf("kafkalocal: restart broker %d: another restart is under way", i)
	}
	defer func() {
		c.mu.Lock()
		n.busy = false
		c.mu.Unlock()
	}()
	if old != nil && !old.Ended() {
		if err := c.Kill(i); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	c.mu.Lock()
	killed := n.killed
	c.mu.Unlock()
	if c.zoo != nil && !killed.IsZero() {
		if err := c.zoo.forgets(ctx, killed); err != nil {
			return err
		}
	}
	if err := c.launch(n); err != nil {
		return err
	}
	for _, other := range c.answering() {
		if err := c.awaitReady(ctx, other, c.answering()); err != nil {
			return err
		}
	}
	return nil
}

// SetProperties changes settings of the broker with this index, by their full
// names, from its next start on: see Restart.
func (c *Cluster) SetProperties(i int, properties map[string]string) error {
	if i < 0 || i >= len(c.nodes) {
		return fmt.Errorf("kafkalocal: settings of broker %d: there are %d", i, len(c.nodes))
	}
	text, err := formatProperties(properties)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(c.nodes[i].propertiesPath, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return fmt.Errorf("kafkalocal: settings of broker %d: %w", i, err)
	}
	_, err = f.Write(text) // of two settings of a name, Java takes the last
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("kafkalocal: settings of broker %d: %w", i, err)
	}
	return nil
}

// Close kills all brokers, waits until they are gone and removes their data. A
// second Close does nothing.
func (c *Cluster) Close() error {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return nil
	}
	c.closed = true
	var procs []*childproc.Process
	for _, n := range c.nodes {
		if n.proc != nil {
			procs = append(procs, n.proc)
		}
	}
	c.mu.Unlock()
	for _, p := range procs {
		_ = p.Kill()
	}
	for _, p := range procs {
		<-p.Done()
	}
	for _, n := range c.nodes {
		for _, r := range n.reserved {
			r.release()
		}
	}
	if c.zoo != nil {
		c.zoo.close()
	}
	if err := os.RemoveAll(c.dir); err != nil {
		return fmt.Errorf("kafkalocal: data of the cluster: %w", err)
	}
	return nil
}

// launch starts the node's process.
func (c *Cluster) launch(n *node) error {
	args := append(slices.Clone(c.making), c.javaArgs("kafka.Kafka", n.propertiesPath)...)
	p, err := startProcess(c.java, args, n.Dir, n.logPath)
	if err != nil {
		return fmt.Errorf("kafkalocal: start broker %d: %w", n.Index, err)
	}
	c.mu.Lock()
	closed := c.closed
	if !closed {
		n.proc, n.paused, n.killed = p, false, time.Time{}
	}
	c.mu.Unlock()
	if closed {
		_ = p.Kill()
		<-p.Done()
		return fmt.Errorf("kafkalocal: start broker %d: the cluster is closed", n.Index)
	}
	return nil
}

// running gives the broker's live process, for an action with this name.
func (c *Cluster) running(i int, verb string) (*childproc.Process, error) {
	if i < 0 || i >= len(c.nodes) {
		return nil, fmt.Errorf("kafkalocal: %s broker %d: there are %d", verb, i, len(c.nodes))
	}
	c.mu.Lock()
	p := c.nodes[i].proc
	c.mu.Unlock()
	if p == nil || p.Ended() {
		return nil, fmt.Errorf("kafkalocal: %s broker %d: it is not running", verb, i)
	}
	return p, nil
}

// answering are the nodes that should answer a client now.
func (c *Cluster) answering() []*node {
	c.mu.Lock()
	defer c.mu.Unlock()
	var nodes []*node
	for _, n := range c.nodes {
		if n.proc != nil && !n.proc.Ended() && !n.paused {
			nodes = append(nodes, n)
		}
	}
	return nodes
}
