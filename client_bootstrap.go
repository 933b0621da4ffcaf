package sarama

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"time"
)

// MetadataRecovery says what a client does when nothing that it knows of its
// cluster is of use any more (KIP-899).
type MetadataRecovery int

const (
	// MetadataRecoveryRebootstrap forgets the brokers that metadata has named
	// and begins again at the addresses that the client was given, whose names
	// are resolved anew: when a broker asks for it (KIP-1102) and when no
	// metadata could be had for Metadata.RebootstrapTrigger.
	MetadataRecoveryRebootstrap MetadataRecovery = iota
	// MetadataRecoveryNone keeps them. The addresses given are still asked
	// when none of the brokers answers.
	MetadataRecoveryNone
)

// ClusterIDError says that a broker belongs to another cluster than the one
// that the client works with: its address, or a name, has come to belong to
// someone else. Nothing that the broker said was used.
//
// errors.Is finds ErrClusterIDMismatch in it.
type ClusterIDError struct {
	// Addr is the broker's address, host:port.
	Addr string
	// Known is the id of the client's cluster, Got that of the broker's.
	Known, Got string
}

// Error names the address and both ids.
func (err *ClusterIDError) Error() string {
	return fmt.Sprintf("%v: %s is of cluster %q, not %q", ErrClusterIDMismatch, err.Addr, err.Got, err.Known)
}

// Is reports whether target is ErrClusterIDMismatch.
func (err *ClusterIDError) Is(target error) bool { return target == ErrClusterIDMismatch }

// hostResolver is what is needed of a net.Resolver.
type hostResolver interface {
	LookupHost(ctx context.Context, host string) (addrs []string, err error)
	LookupAddr(ctx context.Context, addr string) (names []string, err error)
}

// canonicalAge is for how long the canonical names behind the addresses of a
// bootstrap are taken for what they are.
const canonicalAge = 10 * time.Second

// bootstrapAddrs are the addresses to begin at: those given or, with
// Net.ResolveCanonicalBootstrapServers, the canonical names of all hosts behind
// them, as Kerberos needs them (KIP-235). A name that cannot be resolved is left
// out as long as there is another one.
func (c *client) bootstrapAddrs(ctx context.Context, given []string) ([]string, error) {
	if !c.conf.Net.ResolveCanonicalBootstrapServers {
		return given, nil
	}
	ctx, cancel := context.WithTimeout(ctx, c.conf.Net.DialTimeout)
	defer cancel()
	var list []string
	var causes []error
	for _, addr := range given {
		names, err := canonicalAddrs(ctx, c.resolver, addr)
		if err != nil {
			Logger.Printf("client/bootstrap %v\n", err)
			causes = append(causes, err)
			continue
		}
		for _, name := range names {
			if !slices.Contains(list, name) {
				list = append(list, name)
			}
		}
	}
	if len(list) == 0 {
		return nil, Wrap(ErrOutOfBrokers, causes...)
	}
	return list, nil
}

// canonicalAddrs are the canonical names of the hosts behind one address, each
// with its port. A host without a name is known by its number.
func canonicalAddrs(ctx context.Context, r hostResolver, addr string) ([]string, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("kafka: bootstrap address %q is not host:port: %w", addr, err)
	}
	numbers, err := r.LookupHost(ctx, host)
	if err != nil {
		return nil, fmt.Errorf("kafka: resolving the bootstrap address %q: %w", addr, err)
	}
	var list []string
	for _, number := range numbers {
		name := number
		switch names, err := r.LookupAddr(ctx, number); {
		case err != nil:
			Logger.Printf("client/bootstrap no canonical name for %s, behind the bootstrap address %q: %v\n", number, addr, err)
		case len(names) > 0:
			name = strings.TrimSuffix(names[0], ".")
		}
		list = append(list, net.JoinHostPort(name, port))
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("kafka: the bootstrap address %q has no host behind it", addr)
	}
	return list, nil
}

// seedsNow are the seeds to ask; their canonical names are looked up again when
// they are old.
func (c *client) seedsNow(ctx context.Context, now *cluster) []*Broker {
	if !c.conf.Net.ResolveCanonicalBootstrapServers || time.Since(now.resolved) < canonicalAge {
		return now.seeds
	}
	mine := false // to look them up, once for all who want them
	c.changeBrokers(func(latest *cluster) *cluster {
		if mine = latest.resolved.Equal(now.resolved) && latest.bootstraps == now.bootstraps; !mine {
			return latest
		}
		next := *latest
		next.resolved = time.Now()
		return &next
	})
	if !mine {
		return c.cluster.Load().seeds
	}
	addrs, err := c.bootstrapAddrs(ctx, now.addrs)
	if err != nil {
		return now.seeds
	}
	c.changeBrokers(func(latest *cluster) *cluster {
		if latest.bootstraps != now.bootstraps {
			return latest
		}
		next := *latest
		next.seeds = seedBrokers(addrs, latest.seeds)
		return &next
	})
	return c.cluster.Load().seeds
}

// seedBrokers makes the Brokers of a bootstrap, in no order. Those that there
// are already stay.
func seedBrokers(addrs []string, old []*Broker) []*Broker {
	seeds := make([]*Broker, len(addrs))
	for i, addr := range addrs {
		if at := slices.IndexFunc(old, func(b *Broker) bool { return b.addr == addr }); at >= 0 {
			seeds[i] = old[at]
		} else {
			seeds[i] = NewBroker(addr)
		}
	}
	shuffle(seeds)
	return seeds
}

// all are the Brokers of a cluster, seeds included.
func (c *cluster) all() []*Broker {
	return append(slices.Collect(maps.Values(c.brokers)), c.seeds...)
}

// changeBrokers has the refresher change the cluster, and closes the Brokers
// that are no longer part of it.
func (c *client) changeBrokers(change func(*cluster) *cluster) {
	var gone []*Broker
	c.apply(func(now *cluster) *cluster {
		next := change(now)
		gone = now.without(next)
		return next
	})
	for _, b := range gone {
		_ = b.Close()
	}
}

// without are the Brokers of c that another cluster does not have.
func (c *cluster) without(next *cluster) []*Broker {
	kept := next.all()
	return slices.DeleteFunc(c.all(), func(b *Broker) bool { return slices.Contains(kept, b) })
}

// atSeeds is the cluster when nothing but seeds is known of its brokers.
// Partitions stay known, but not their leader epochs, so that whatever is said
// next is taken for newer.
func (c *cluster) atSeeds(addrs []string, seeds []*Broker, resolved time.Time) *cluster {
	next := &cluster{
		addrs: addrs, seeds: seeds, resolved: resolved, bootstraps: c.bootstraps + 1, anew: true,
		controllerID: -1, clusterID: c.clusterID, topics: make(map[string]*topicInfo, len(c.topics)),
	}
	for name, t := range c.topics {
		copied := *t
		copied.partitions = slices.Clone(t.partitions)
		for i := range copied.partitions {
			copied.partitions[i].epoch = -1
		}
		next.topics[name] = &copied
	}
	return next
}

// emptied is the cluster when nothing of it is known but where to begin.
func (c *cluster) emptied() *cluster {
	return &cluster{addrs: c.addrs, seeds: c.seeds, resolved: c.resolved, bootstraps: c.bootstraps + 1, controllerID: -1}
}

// stranger says so where a response comes from another cluster. Brokers before
// 0.10.1, and Config.Version below, tell no id.
func (c *cluster) stranger(b *Broker, r *MetadataResponse) error {
	if r.ClusterID == nil || *r.ClusterID == "" || c.clusterID == "" || *r.ClusterID == c.clusterID {
		return nil
	}
	return &ClusterIDError{Addr: b.addr, Known: c.clusterID, Got: strings.Clone(*r.ClusterID)}
}

// replacement finds out whether another cluster has taken the place of the one
// that was known, as when it was set up again under its old name: all that have
// answered say the same new id. Without a rebootstrap, these must be all there
// are, as a broker of the old cluster may only be out of reach.
func (c *cluster) replacement(strangers []roundResult, asked int) (roundResult, bool) {
	if len(strangers) == 0 || len(strangers) < asked && !c.anew {
		return roundResult{}, false
	}
	first := strangers[0]
	for _, s := range strangers[1:] {
		if *s.response.ClusterID != *first.response.ClusterID {
			return roundResult{}, false
		}
	}
	first.replaces = true
	return first, true
}

// tryMembers is tryBrokers for requests that do not tell of which cluster the
// broker is that answers: a seed, or a broker that has been of another one, is
// asked for that first, where the cluster has a known id.
func (c *client) tryMembers(ctx context.Context, causes *[]error) func(func(candidate) bool) {
	return func(yield func(candidate) bool) {
		for at := range c.tryBrokers(ctx, causes) {
			if err := c.checkMember(ctx, at); err != nil {
				Logger.Printf("client/brokers passes over %s: %v\n", at.broker.addr, err)
				*causes = append(*causes, err)
				_ = at.broker.Close()
				continue
			}
			if !yield(at) {
				return
			}
		}
	}
}

func (c *client) checkMember(ctx context.Context, at candidate) error {
	now := c.cluster.Load()
	if at.broker.id >= 0 && !at.broker.suspect.Load() || now.clusterID == "" || now.moved {
		return nil
	}
	resp := new(MetadataResponse)
	if err := at.ask(NewMetadataRequest(c.conf.Version, []string{}), resp, ctx.Done()); err != nil {
		return err
	}
	err := now.stranger(at.broker, resp)
	at.broker.suspect.Store(err != nil)
	return err
}

// errRebootstrapDue ends a round in which no metadata could be had for too long.
var errRebootstrapDue = errors.New("kafka: no metadata within Metadata.RebootstrapTrigger")

// rebootstrapIntervalMin is the least time between two rebootstraps that
// brokers ask for.
const rebootstrapIntervalMin = time.Second

// rebootstrapDue is when a round without success is to give way to a
// rebootstrap; zero: never.
func (r *refresher) rebootstrapDue() time.Time {
	conf := &r.client.conf.Metadata
	if conf.RecoveryStrategy != MetadataRecoveryRebootstrap || conf.RebootstrapTrigger <= 0 || len(r.client.cluster.Load().brokers) == 0 {
		return time.Time{}
	}
	return r.failingSince.Add(conf.RebootstrapTrigger)
}

// rebootstrap forgets all brokers but the seeds.
func (r *refresher) rebootstrap(why error) {
	Logger.Printf("client/metadata forgets its brokers and begins again at %v: %v\n", r.client.cluster.Load().addrs, why)
	now := r.client.cluster.Load()
	seeds := slices.Clone(now.seeds)
	shuffle(seeds)
	r.client.cluster.Store(now.atSeeds(now.addrs, seeds, time.Time{}))
	for _, b := range now.all() { // seeds, too: their names are to be resolved anew
		_ = b.Close()
	}
	r.rebootstrapped, r.failingSince = time.Now(), time.Now()
}

// becameAnother does what follows when another cluster has taken the place of
// the one that was known.
func (r *refresher) becameAnother(old *cluster, all bool) {
	Logger.Printf("client/metadata the cluster at %v was %s and is another one now, %s: nothing that was known holds\n",
		old.addrs, old.clusterID, r.client.cluster.Load().clusterID)
	r.client.mu.Lock()
	clear(r.client.mu.coordinators)
	r.client.mu.Unlock()
	if !all && r.client.conf.Metadata.Full {
		r.background()
	}
}
