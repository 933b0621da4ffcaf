package sarama

import (
	"context"
	"errors"
	"slices"
	"time"
)

// coordinatorKey names what a coordinator coordinates.
type coordinatorKey struct {
	kind CoordinatorType
	key  string
}

// offsetsTopic is the topic in which groups keep their offsets; without a
// leader for it there is no coordinator.
const offsetsTopic = "__consumer_offsets"

// offsetsTopicWait is how long to wait for that topic to be created.
const offsetsTopicWait = 2 * time.Second

// contextOf is a context that ends with a channel.
func contextOf(done <-chan struct{}) (context.Context, context.CancelFunc) {
	return contextUntil(done, nil)
}

// contextUntil is a context that ends with the client or, where quit is not
// nil, with that.
func contextUntil(done, quit <-chan struct{}) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(context.Background())
	go func() {
		select {
		case <-done:
			cancel(ErrClosedClient)
		case <-quit:
			cancel(errAbandoned)
		case <-ctx.Done():
		}
	}()
	return ctx, func() { cancel(context.Canceled) }
}

func (c *client) Coordinator(consumerGroup string) (*Broker, error) {
	return c.coordinator(coordinatorKey{CoordinatorGroup, consumerGroup})
}

func (c *client) RefreshCoordinator(consumerGroup string) error {
	_, err := c.askCoordinator(coordinatorKey{CoordinatorGroup, consumerGroup})
	return err
}

func (c *client) TransactionCoordinator(transactionID string) (*Broker, error) {
	return c.coordinator(coordinatorKey{CoordinatorTransaction, transactionID})
}

func (c *client) RefreshTransactionCoordinator(transactionID string) error {
	_, err := c.askCoordinator(coordinatorKey{CoordinatorTransaction, transactionID})
	return err
}

func (c *client) coordinator(key coordinatorKey) (*Broker, error) {
	if c.Closed() {
		return nil, ErrClosedClient
	}
	if b := c.knownCoordinator(key); b != nil {
		return c.open(b), nil
	}
	b, err := c.askCoordinator(key)
	if err != nil {
		return nil, err
	}
	return c.open(b), nil
}

// askCoordinator looks a coordinator up, with Metadata.Retry, and remembers it.
func (c *client) askCoordinator(key coordinatorKey) (*Broker, error) {
	return c.askCoordinatorUntil(key, nil)
}

// knownCoordinator is the coordinator that was looked up last, nil when there
// is none that is known.
func (c *client) knownCoordinator(key coordinatorKey) *Broker {
	c.mu.Lock()
	id, known := c.mu.coordinators[key]
	c.mu.Unlock()
	if !known {
		return nil
	}
	return c.cluster.Load().brokers[id]
}

// askCoordinatorUntil is askCoordinator that gives up when quit is closed.
func (c *client) askCoordinatorUntil(key coordinatorKey, quit <-chan struct{}) (*Broker, error) {
	if c.Closed() {
		return nil, ErrClosedClient
	}
	retryMax := c.conf.Metadata.Retry.Max
	for attempt := 0; ; attempt++ {
		b, retry, err := c.findCoordinator(key, quit)
		if err == nil {
			return c.register(key, b), nil
		}
		if c.Closed() {
			return nil, ErrClosedClient
		}
		if isClosed(quit) {
			return nil, errAbandoned
		}
		if !retry || attempt >= retryMax {
			return nil, err
		}
		backoff := metadataBackoff(c.conf, attempt)
		Logger.Printf("client/coordinator retrying after %dms... (%d attempts remaining)\n", backoff/time.Millisecond, retryMax-attempt-1)
		if err := c.sleep(backoff, quit); err != nil {
			return nil, err
		}
	}
}

// register remembers a coordinator. Its broker is the registered one; one that
// metadata has not named yet is added.
func (c *client) register(key coordinatorKey, found *Broker) *Broker {
	c.mu.Lock()
	c.mu.coordinators[key] = found.id
	c.mu.Unlock()
	var old *Broker
	c.apply(func(now *cluster) *cluster {
		if known := now.brokers[found.id]; known != nil && known.addr == found.addr {
			found = known
			return now
		}
		old = now.brokers[found.id]
		return now.withBroker(found)
	})
	if old != nil {
		_ = old.Close()
	}
	return found
}

// findCoordinator asks one broker after another until one answers.
func (c *client) findCoordinator(key coordinatorKey, quit <-chan struct{}) (b *Broker, retry bool, err error) {
	ctx, cancel := contextUntil(c.done, quit)
	defer cancel()
	var causes []error
	for at := range c.tryMembers(ctx, &causes) {
		DebugLogger.Printf("client/coordinator requesting coordinator for %s from %s\n", key.key, at.broker.Addr())
		req := &FindCoordinatorRequest{
			Version: apiFindCoordinator.versionFor(c.conf.Version), CoordinatorKey: key.key, CoordinatorType: key.kind,
		}
		resp := new(FindCoordinatorResponse)
		err := at.ask(req, resp, ctx.Done())
		if encoding := (PacketEncodingError{}); errors.As(err, &encoding) {
			return nil, false, err
		}
		if err != nil {
			Logger.Printf("client/coordinator request to broker %s failed: %v\n", at.broker.Addr(), err)
			causes = append(causes, err)
			continue
		}
		switch resp.Err {
		case ErrNoError:
			if resp.Coordinator == nil {
				return nil, true, ErrConsumerCoordinatorNotAvailable
			}
			DebugLogger.Printf("client/coordinator coordinator for %s is #%d (%s)\n", key.key, resp.Coordinator.ID(), resp.Coordinator.Addr())
			return resp.Coordinator, false, nil
		case ErrConsumerCoordinatorNotAvailable:
			Logger.Printf("client/coordinator coordinator for %s is not available\n", key.key)
			if key.kind == CoordinatorGroup {
				c.awaitOffsetsTopic(quit)
			}
			return nil, true, resp.Err
		case ErrGroupAuthorizationFailed:
			Logger.Printf("client/coordinator client is not authorized to access group %s\n", key.key)
			return nil, false, resp.Err
		default:
			return nil, false, resp.Err
		}
	}
	return nil, !slices.ContainsFunc(causes, loginRefused), Wrap(ErrOutOfBrokers, causes...)
}

// coordinatorHasKeys is the first version of FindCoordinator that asks for
// several (KIP-699).
const coordinatorHasKeys = 4

// findCoordinators looks for those of several coordinators that are not known,
// with one request, if the broker has said that it takes that. What is not found
// so is left to single look-ups, which wait and tell why.
func (c *client) findCoordinators(kind CoordinatorType, keys []string) {
	unknown := slices.DeleteFunc(slices.Clone(keys), func(key string) bool { return c.knownCoordinator(coordinatorKey{kind, key}) != nil })
	if len(unknown) < 2 || c.Closed() || !c.conf.Version.IsAtLeast(apiFindCoordinator.since[coordinatorHasKeys]) {
		return
	}
	ctx, cancel := contextOf(c.done)
	defer cancel()
	var causes []error
	for at := range c.tryMembers(ctx, &causes) {
		if at.link.await(ctx.Done()) != nil {
			continue
		}
		version := at.link.newest(apiFindCoordinator)
		if version < coordinatorHasKeys {
			return
		}
		resp := new(FindCoordinatorResponse)
		err := at.ask(&FindCoordinatorRequest{Version: version, CoordinatorType: kind, CoordinatorKeys: unknown}, resp, ctx.Done())
		if err != nil {
			Logger.Printf("client/coordinator request to broker %s for %d coordinators failed: %v\n", at.broker.Addr(), len(unknown), err)
			continue
		}
		for _, found := range resp.Coordinators {
			if found.Err == ErrNoError && found.Coordinator != nil {
				c.register(coordinatorKey{kind, found.Key}, found.Coordinator)
			}
		}
		return
	}
}

// awaitOffsetsTopic gives a new cluster the time to create the topic in which
// groups live: the first question after a coordinator is what creates it.
func (c *client) awaitOffsetsTopic(quit <-chan struct{}) {
	if _, err := c.Leader(offsetsTopic, 0); err != nil && !c.Closed() {
		Logger.Printf("client/coordinator the %s topic is not initialized completely yet. Waiting 2 seconds...\n", offsetsTopic)
		_ = c.sleep(offsetsTopicWait, quit)
	}
}

// findCoordinatorOf asks a client for a coordinator, anew if again is set. This
// package's own client leaves its connection closed, and gives up with quit.
func findCoordinatorOf(c Client, key coordinatorKey, again bool, quit <-chan struct{}) (*Broker, error) {
	if own, ok := c.(*client); ok {
		if b := own.knownCoordinator(key); b != nil && !again {
			return b, nil
		}
		return own.askCoordinatorUntil(key, quit)
	}
	refresh, get := c.RefreshCoordinator, c.Coordinator
	if key.kind == CoordinatorTransaction {
		refresh, get = c.RefreshTransactionCoordinator, c.TransactionCoordinator
	}
	if again {
		if err := refresh(key.key); err != nil {
			return nil, err
		}
	}
	return get(key.key)
}

// coordinatorOf is findCoordinatorOf that waits no longer than until ctx ends,
// whose cause is the error then.
func coordinatorOf(ctx context.Context, c Client, key coordinatorKey, again bool) (*Broker, error) {
	return awaitCall(ctx, func() (*Broker, error) { return findCoordinatorOf(c, key, again, ctx.Done()) }, nil)
}

// groupCoordinator is the client's own connection to a group's coordinator.
func groupCoordinator(ctx context.Context, c Client, group string, again bool) (*Broker, error) {
	b, err := coordinatorOf(ctx, c, coordinatorKey{CoordinatorGroup, group}, again)
	if own, ok := c.(*client); ok && err == nil {
		own.open(b)
	}
	return b, err
}
