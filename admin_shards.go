package sarama

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// shards tells which broker answers for a key: the leader of a partition, or the
// coordinator of a group or transactional id.
type shards[K comparable] struct {
	name  string
	learn func([]K) // has find know as many as possible; may be nil
	find  func(K) (*Broker, error)
	moved []error         // answers of a broker that no longer does, or not yet
	renew func([]K) error // has find look for them anew
	once  bool            // nothing is asked for again
}

// shardAnswer is what is known of a key in the end.
type shardAnswer[V any] struct {
	value V
	told  bool  // a broker has answered for it: value is what it said
	whole bool  // nobody has, as a request has failed as a whole
	err   error // its code, or why nobody has answered
}

func told[V any](value V, code KError) shardAnswer[V] {
	return shardAnswer[V]{value: value, told: true, err: codeOnly(code)}
}

// partitionLeaders are the shards of partitions.
func (a *clusterAdmin) partitionLeaders() shards[topicPartition] {
	return shards[topicPartition]{
		name:  "partitions",
		moved: leaderMoved,
		find:  func(p topicPartition) (*Broker, error) { return a.client.Leader(p.topic, p.partition) },
		renew: func(partitions []topicPartition) error {
			var topics []string
			for _, p := range partitions {
				topics = append(topics, p.topic)
			}
			slices.Sort(topics)
			return a.client.RefreshMetadata(slices.Compact(topics)...)
		},
	}
}

// leaderMoved are answers of brokers that do not lead a partition, or not yet.
var leaderMoved = []error{
	ErrNotLeaderForPartition, ErrLeaderNotAvailable, ErrUnknownTopicOrPartition, ErrReplicaNotAvailable, ErrFencedLeaderEpoch,
	ErrUnknownLeaderEpoch, ErrKafkaStorageError, ErrOffsetNotAvailable,
}

// groupCoordinators are the shards of groups.
func (a *clusterAdmin) groupCoordinators() shards[string] {
	return shards[string]{
		name: "groups", moved: coordinatorMoved, find: a.client.Coordinator,
		learn: a.learnCoordinators(CoordinatorGroup), renew: eachOf(a.client.RefreshCoordinator),
	}
}

// txnCoordinators are the shards of transactional ids.
func (a *clusterAdmin) txnCoordinators() shards[string] {
	return shards[string]{
		name: "transactional ids", moved: coordinatorMoved, find: a.client.TransactionCoordinator,
		learn: a.learnCoordinators(CoordinatorTransaction), renew: eachOf(a.client.RefreshTransactionCoordinator),
	}
}

// learnCoordinators looks for several coordinators at once, where the client is
// this package's.
func (a *clusterAdmin) learnCoordinators(kind CoordinatorType) func([]string) {
	own, ok := a.client.(*client)
	if !ok {
		return nil
	}
	return func(ids []string) { own.findCoordinators(kind, ids) }
}

func eachOf(renew func(string) error) func([]string) error {
	return func(ids []string) error {
		var failed []error
		for _, id := range ids {
			failed = append(failed, renew(id))
		}
		return errors.Join(failed...)
	}
}

// shardRound is what one attempt has brought.
type shardRound[K comparable, V any] struct {
	answers map[K]shardAnswer[V]
	again   []K   // keys to ask for again
	failed  error // of requests as a whole
}

// askShards asks the brokers that answer for keys, all at the same time, each
// for its own. A key is asked for again when its broker has changed, could not be
// reached or was too slow: so ask must be harmless to repeat. The answer for each
// key is returned, and the errors of requests that have failed as a whole.
func askShards[K comparable, V any](a *clusterAdmin, of shards[K], keys []K,
	ask func(*Broker, []K) (map[K]shardAnswer[V], error),
) (map[K]shardAnswer[V], error) {
	answers := make(map[K]shardAnswer[V], len(keys))
	for left := a.conf.Admin.Retry.Max; ; left-- {
		round, err := adminWithin(a, func() (shardRound[K, V], error) { return askShardsOnce(of, keys, ask), nil })
		if err != nil { // the context has ended
			for _, key := range keys {
				answers[key] = shardAnswer[V]{err: err, whole: true}
			}
			return answers, err
		}
		maps.Copy(answers, round.answers)
		if len(round.again) == 0 || left <= 0 || of.once {
			return answers, round.failed
		}
		keys = round.again
		Logger.Printf("admin/request asking for %d %s again in %v, %d attempts left: %v\n", len(keys), of.name, a.conf.Admin.Retry.Backoff, left, answers[keys[0]].err)
		if !a.pause() {
			return answers, round.failed
		}
		if _, err := adminWithin(a, func() (struct{}, error) { return struct{}{}, of.renew(keys) }); err != nil {
			Logger.Printf("admin/request the brokers of %s are looked for in what is known: %v\n", of.name, err)
		}
	}
}

// askShardsOnce is one attempt.
func askShardsOnce[K comparable, V any](of shards[K], keys []K, ask func(*Broker, []K) (map[K]shardAnswer[V], error)) shardRound[K, V] {
	round := shardRound[K, V]{answers: make(map[K]shardAnswer[V], len(keys))}
	to := adminTarget{moved: of.moved, reads: true}
	if of.learn != nil {
		of.learn(keys)
	}
	shares := make(map[*Broker][]K)
	var brokers []*Broker
	for _, key := range keys {
		b, err := of.find(key) // retries by itself
		if err != nil {
			round.answers[key] = shardAnswer[V]{err: err}
			continue
		}
		if shares[b] == nil {
			brokers = append(brokers, b)
		}
		shares[b] = append(shares[b], key)
	}
	var failures []error
	for _, s := range allAtOnce(brokers, func(b *Broker) (map[K]shardAnswer[V], error) { return ask(b, shares[b]) }) {
		if s.err != nil {
			s.err = fmt.Errorf("broker %d: %w", s.key.ID(), s.err)
			failures = append(failures, s.err)
		}
		for _, key := range shares[s.key] {
			answer, ok := s.result[key]
			if !ok {
				answer = shardAnswer[V]{err: cmp.Or(s.err, ErrIncompleteResponse), whole: s.err != nil}
			}
			if round.answers[key] = answer; answer.err != nil && to.again(answer.err) {
				round.again = append(round.again, key)
			}
		}
	}
	round.failed = errors.Join(failures...)
	return round
}

// unanswered joins the errors of requests that have failed as a whole with those
// of single keys that nobody has answered for, nil if there are none.
func unanswered[K comparable, V any](failed error, keys []K, answers map[K]shardAnswer[V], name func(K) string) error {
	failures := []error{failed}
	for _, key := range keys {
		if answer := answers[key]; !answer.told && !answer.whole {
			failures = append(failures, fmt.Errorf("%s: %w", name(key), answer.err))
		}
	}
	return errors.Join(failures...)
}

// partitionKeys lists the partitions of a map, sorted.
func partitionKeys[V any](topics map[string]map[int32]V) []topicPartition {
	var keys []topicPartition
	for _, topic := range sortedKeys(topics) {
		for _, id := range sortedKeys(topics[topic]) {
			keys = append(keys, topicPartition{topic, id})
		}
	}
	return keys
}
