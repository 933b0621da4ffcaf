package sarama

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// refresher is the one goroutine that asks for metadata and replaces the
// client's cluster. Who wants metadata hands it a refresh and waits; refreshes
// that are due at the same time share one request, and one request is under
// way at a time. It does no I/O itself: a round goroutine does, and reports.
type refresher struct {
	// constant after newRefresher
	client  *client
	calls   chan *refresh
	applied chan func() // changes to the cluster that others want; run by run

	// owned by run
	waiting  []*refresh          // in the order of arrival
	interest map[string]struct{} // topics ever asked for, where Metadata.Full is false
	periodic *refresh            // the last one of the ticker's
	round    chan roundResult    // not nil while a round is under way
	inRound  []*refresh
	lastAuto time.Time

	failingSince   time.Time // when the first round since the last success began; zero: none has
	rebootstrapped time.Time // when the brokers were forgotten last
}

// refresh is a wish for metadata, and how far it has come.
type refresh struct {
	// constant
	topics []string // nil: all that the client is interested in; empty: brokers only
	auto   bool     // nobody asked for it by name: held to the minimum interval
	done   chan error
	gone   <-chan struct{} // closed when nobody waits any more; nil: never

	// owned by the refresher
	retries  int
	due      time.Time
	deadline time.Time // zero: none
}

type roundResult struct {
	response    *MetadataResponse
	all         bool
	from        *Broker
	replaces    bool // the response is of another cluster, in place of the one known
	err         error
	fatal       bool // trying again would not help
	rebootstrap bool // it is to be begun at the seeds, for err

	bootstraps int // of the cluster that was asked
}

// round is what a round has to ask.
type round struct {
	topics         []string
	all            bool
	deadline       time.Time // zero: none
	rebootstrapDue time.Time // zero: never
	mayRebootstrap bool      // when a broker asks for it
}

// metadataIntervalMin is the least time between two requests that the client
// makes on its own account; what users ask for is not held back.
const metadataIntervalMin = 100 * time.Millisecond

var errRoundPanicked = errors.New("kafka: asking for metadata panicked")

func newRefresher(c *client) *refresher {
	return &refresher{
		client: c, calls: make(chan *refresh), applied: make(chan func()), interest: make(map[string]struct{}),
	}
}

// refreshMetadata asks for topics (see refresh) and waits for the outcome.
func (c *client) refreshMetadata(topics []string, auto bool, done <-chan struct{}) error {
	r := &refresh{topics: topics, auto: auto, retries: c.conf.Metadata.Retry.Max, done: make(chan error, 1), gone: done}
	if t := c.conf.Metadata.Timeout; t > 0 {
		r.deadline = time.Now().Add(t)
	}
	select {
	case c.refresher.calls <- r:
	case <-c.done:
		return ErrClosedClient
	case <-done:
		return errAbandoned
	}
	select {
	case err := <-r.done:
		return err
	case <-c.done:
		return ErrClosedClient
	case <-done:
		return errAbandoned
	}
}

// apply has the refresher change the cluster.
func (c *client) apply(change func(*cluster) *cluster) {
	applied := make(chan struct{})
	select {
	case c.refresher.applied <- func() {
		c.cluster.Store(change(c.cluster.Load()))
		close(applied)
	}:
		<-applied
	case <-c.done:
	}
}

// run is the refresher's goroutine: woken by refreshes, rounds that end and
// its timer, ended by the client's Close, where it fails all who wait.
func (r *refresher) run() {
	defer close(r.client.refresherEnded)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var ticks <-chan time.Time
	if f := r.client.conf.Metadata.RefreshFrequency; f > 0 {
		t := time.NewTicker(f)
		defer t.Stop()
		ticks = t.C
	}
	var timer alarm
	defer timer.stop()
	for {
		wait := r.startRound(ctx)
		select {
		case call := <-r.calls:
			r.enter(call)
		case change := <-r.applied:
			change()
		case result := <-r.round:
			r.endRound(result)
		case <-timer.in(wait):
		case <-ticks:
			r.background()
		case <-r.client.done:
			cancel()
			if r.round != nil {
				<-r.round
			}
			return
		}
	}
}

// background is the periodic refresh, whose failure is only logged.
func (r *refresher) background() {
	if !r.client.conf.Metadata.Full && len(r.interest) == 0 {
		return
	}
	if r.periodic != nil && len(r.periodic.done) == 0 {
		return // the last one is not answered yet
	}
	r.periodic = &refresh{auto: true, retries: r.client.conf.Metadata.Retry.Max, done: make(chan error, 1)}
	r.enter(r.periodic)
}

func (r *refresher) enter(call *refresh) {
	if call.topics == nil && !r.client.conf.Metadata.Full && len(r.interest) == 0 {
		call.done <- ErrNoTopicsToUpdateMetadata
		return
	}
	if !r.client.conf.Metadata.Full {
		for _, t := range call.topics {
			r.interest[t] = struct{}{}
		}
	}
	call.due = time.Now()
	if next := r.lastAuto.Add(metadataIntervalMin); call.auto && next.After(call.due) {
		call.due = next
	}
	r.waiting = append(r.waiting, call)
}

// startRound begins a round for the refreshes that are due, unless one is
// under way. It returns how long there is nothing else to do.
func (r *refresher) startRound(ctx context.Context) time.Duration {
	if r.round != nil {
		return r.expire(time.Now())
	}
	r.waiting = slices.DeleteFunc(r.waiting, func(w *refresh) bool { return isClosed(w.gone) })
	if len(r.waiting) == 0 {
		return never
	}
	now := time.Now()
	first := r.waiting[0].due
	for _, w := range r.waiting {
		if w.due.Before(first) {
			first = w.due
		}
	}
	if first.After(now) {
		return first.Sub(now)
	}
	r.inRound = r.takeDue(now)
	r.lastAuto = now
	if r.failingSince.IsZero() {
		r.failingSince = now
	}
	if due := r.rebootstrapDue(); !due.IsZero() && !due.After(now) {
		r.rebootstrap(errRebootstrapDue)
	}
	r.begin(ctx, now)
	return r.expire(now)
}

// takeDue takes those out of waiting for whom the next round is. With
// SingleFlight it takes along whoever waits, also for a backoff: there is a
// request anyway. But one for all topics creates none, and does not say that
// one is unknown: who asks for a topic that is not known has another request.
func (r *refresher) takeDue(now time.Time) (taken []*refresh) {
	full := r.client.conf.Metadata.Full
	known := r.client.cluster.Load().topics
	all := func(w *refresh) bool { return full && w.topics == nil }
	byName := func(w *refresh) bool {
		return full && slices.ContainsFunc(w.topics, func(topic string) bool { return known[topic] == nil })
	}
	other := func(*refresh) bool { return false } // what does not go together with the first one
	switch first := slices.MinFunc(r.waiting, func(a, b *refresh) int { return a.due.Compare(b.due) }); {
	case byName(first):
		other = all
	case slices.ContainsFunc(r.waiting, all):
		other = byName
	}
	r.waiting = slices.DeleteFunc(r.waiting, func(w *refresh) bool {
		joins := !other(w)
		if !r.client.conf.Metadata.SingleFlight {
			joins = len(taken) == 0 && !w.due.After(now)
		}
		if joins {
			taken = append(taken, w)
		}
		return joins
	})
	return taken
}

// begin starts the round's goroutine.
func (r *refresher) begin(ctx context.Context, now time.Time) {
	c := r.client
	ask := round{deadline: roundDeadline(r.inRound), rebootstrapDue: r.rebootstrapDue()}
	ask.topics, ask.all = r.union()
	ask.mayRebootstrap = c.conf.Metadata.RecoveryStrategy == MetadataRecoveryRebootstrap && now.Sub(r.rebootstrapped) >= rebootstrapIntervalMin
	ended := make(chan roundResult, 1)
	r.round = ended
	go withRecover(func() {
		result := roundResult{err: errRoundPanicked, bootstraps: c.cluster.Load().bootstraps}
		defer func() { ended <- result }()
		result = c.askMetadata(ctx, ask)
	})
}

// roundDeadline is the latest deadline of who waits for the round, zero where
// one of them has none.
func roundDeadline(calls []*refresh) (deadline time.Time) {
	for _, w := range calls {
		if w.deadline.IsZero() {
			return time.Time{}
		}
		if w.deadline.After(deadline) {
			deadline = w.deadline
		}
	}
	return deadline
}

// expire tells those in the round whose time is over, while others still have
// some, that it is. It returns how long the next one has.
func (r *refresher) expire(now time.Time) time.Duration {
	wait := never
	last := roundDeadline(r.inRound)
	r.inRound = slices.DeleteFunc(r.inRound, func(w *refresh) bool {
		if w.deadline.IsZero() || w.deadline.Equal(last) {
			return false
		}
		if left := w.deadline.Sub(now); left > 0 {
			wait = min(wait, left)
			return false
		}
		w.done <- Wrap(ErrOutOfBrokers, errMetadataTimeout)
		return true
	})
	return wait
}

var errMetadataTimeout = fmt.Errorf("kafka: no metadata within Metadata.Timeout: %w", context.DeadlineExceeded)

// union is what the round has to ask for.
func (r *refresher) union() (topics []string, all bool) {
	set := make(map[string]struct{})
	for _, w := range r.inRound {
		if w.topics == nil && r.client.conf.Metadata.Full {
			return nil, true
		}
		if w.topics == nil {
			for t := range r.interest {
				set[t] = struct{}{}
			}
		}
		for _, t := range w.topics {
			set[t] = struct{}{}
		}
	}
	return append([]string{}, sortedKeys(set)...), false
}

// endRound takes what the round found, and tells or keeps those who wait.
func (r *refresher) endRound(result roundResult) {
	r.round = nil
	switch {
	case result.bootstraps != r.client.cluster.Load().bootstraps:
		r.repeat() // it has asked brokers that were given up meanwhile
		return
	case result.rebootstrap:
		r.rebootstrap(result.err)
		r.repeat()
		return
	case result.response != nil:
		r.failingSince = time.Time{}
		r.merge(result)
	}
	for _, w := range r.inRound {
		err, retry := result.err, !result.fatal
		if result.response != nil {
			err, retry = topicErrors(result.response, w.topics, result.all)
		}
		if err != nil && retry && r.again(w, err) {
			continue
		}
		w.done <- err
	}
	r.inRound = nil
}

// repeat has all who are in the round wait for another one, which is due.
func (r *refresher) repeat() {
	for _, w := range r.inRound {
		w.due = time.Now()
	}
	r.waiting, r.inRound = append(r.inRound, r.waiting...), nil
}

// merge takes a response into the cluster.
func (r *refresher) merge(result roundResult) {
	old := r.client.cluster.Load()
	base := old
	if result.replaces {
		base = old.emptied()
	}
	next := base.with(result.response, result.all)
	r.client.cluster.Store(next)
	for _, b := range old.without(next) {
		Logger.Printf("client/brokers deregistered broker #%d at %s\n", b.id, b.addr)
		_ = b.Close()
	}
	if result.from.id < 0 && len(next.brokers) > 0 {
		_ = result.from.Close() // the seed has done its work: its broker has a Broker of its own now
	}
	if result.replaces {
		r.becameAnother(old, result.all)
	}
}

// again schedules another attempt, if the refresh has one left.
func (r *refresher) again(w *refresh, cause error) bool {
	if w.retries <= 0 {
		return false
	}
	backoff := metadataBackoff(r.client.conf, r.client.conf.Metadata.Retry.Max-w.retries)
	w.due = time.Now().Add(backoff)
	if !w.deadline.IsZero() && !w.due.Before(w.deadline) {
		Logger.Println("client/metadata skipping last retries as we would go past the metadata timeout")
		return false
	}
	w.retries--
	Logger.Printf("client/metadata retrying after %dms... (%d attempts remaining): %v\n", backoff/time.Millisecond, w.retries, cause)
	r.waiting = append(r.waiting, w)
	return true
}

// topicErrors is what a response says against the topics asked for, nil for
// all of them; all tells that they were not asked for by name, so that those
// that are not there are not mentioned; retry, whether asking again may help.
func topicErrors(resp *MetadataResponse, asked []string, all bool) (err error, retry bool) {
	type failure struct {
		topic string
		err   error
	}
	var failures []failure
	if all {
		for _, name := range asked {
			if !slices.ContainsFunc(resp.Topics, func(t *TopicMetadata) bool { return t.Name == name }) {
				failures, retry = append(failures, failure{name, ErrUnknownTopicOrPartition}), true
			}
		}
	}
	for _, t := range resp.Topics {
		if asked != nil && !slices.Contains(asked, t.Name) {
			continue
		}
		switch t.Err {
		case ErrNoError:
			if !slices.ContainsFunc(t.Partitions, func(p *PartitionMetadata) bool { return p.Err == ErrLeaderNotAvailable }) {
				continue
			}
			Logger.Printf("client/metadata found some partitions to be leaderless\n")
			failures = append(failures, failure{t.Name, ErrLeaderNotAvailable})
			retry = true
		case ErrUnknownTopicOrPartition, ErrLeaderNotAvailable:
			failures = append(failures, failure{t.Name, t.Err})
			retry = true
		default:
			Logger.Printf("client/metadata got error from broker while fetching metadata for topic %s: %v\n", t.Name, t.Err)
			failures = append(failures, failure{t.Name, t.Err})
		}
	}
	slices.SortFunc(failures, func(a, b failure) int { return strings.Compare(a.topic, b.topic) })
	var errs []error
	for _, f := range failures {
		errs = append(errs, fmt.Errorf("%s: %w", f.topic, f.err))
	}
	return errors.Join(errs...), retry
}

// askMetadata is a round: one broker after another is asked until one answers,
// those that are connected first, then the other registered ones, then seeds.
func (c *client) askMetadata(ctx context.Context, ask round) roundResult {
	known := c.cluster.Load()
	ctx, cancel := ask.context(ctx)
	defer cancel()
	req := c.metadataRequest(&ask)
	result := roundResult{all: ask.all, bootstraps: known.bootstraps}
	var causes []error
	var strangers []roundResult
	for at := range c.tryBrokers(ctx, &causes) {
		Logger.Printf("client/metadata fetching metadata for %v from broker %s\n", ask.topics, at.broker.addr)
		resp, err := c.metadataFrom(ctx, at, req)
		if err == nil {
			result.response, result.from = resp, at.broker
			err = known.stranger(at.broker, resp)
			at.broker.suspect.Store(err != nil)
			if result.replaces = err != nil && known.moved; err == nil || result.replaces {
				return result
			}
			strangers = append(strangers, result)
		}
		Logger.Printf("client/metadata got error from broker %d while fetching metadata: %v\n", at.broker.id, err)
		if errors.Is(err, ErrRebootstrapRequired) && ask.mayRebootstrap && len(known.brokers) > 0 {
			return roundResult{bootstraps: known.bootstraps, rebootstrap: true, err: err}
		}
		causes = append(causes, err)
		_ = at.broker.Close()
	}
	if context.Cause(ctx) == errRebootstrapDue {
		return roundResult{bootstraps: known.bootstraps, rebootstrap: true, err: errRebootstrapDue}
	}
	if other, ok := known.replacement(strangers, len(causes)); ok && ctx.Err() == nil {
		return other
	}
	fatal := slices.ContainsFunc(causes, loginRefused)
	Logger.Println("client/metadata no available broker to send metadata request to")
	return roundResult{bootstraps: known.bootstraps, err: Wrap(ErrOutOfBrokers, causes...), fatal: fatal}
}

// context is for the time that a round may take.
func (ask *round) context(ctx context.Context) (context.Context, context.CancelFunc) {
	cancels := [2]context.CancelFunc{func() {}, func() {}}
	if !ask.rebootstrapDue.IsZero() {
		ctx, cancels[0] = context.WithDeadlineCause(ctx, ask.rebootstrapDue, errRebootstrapDue)
	}
	if !ask.deadline.IsZero() {
		ctx, cancels[1] = context.WithDeadlineCause(ctx, ask.deadline, errMetadataTimeout)
	}
	return ctx, func() { cancels[1](); cancels[0]() }
}

// metadataRequest is the request of a round.
func (c *client) metadataRequest(ask *round) *MetadataRequest {
	req := NewMetadataRequest(c.conf.Version, ask.topics)
	if ask.all {
		req.Topics = nil
		return req
	}
	req.AllowAutoTopicCreation = c.conf.Metadata.AllowAutoTopicCreation && len(ask.topics) > 0
	if req.Version == 0 && len(ask.topics) == 0 {
		ask.all = true // version 0 has no way to ask for none
	}
	return req
}

// metadataFrom asks one broker. From version 13 on the answer may say that the
// client is to begin again (KIP-1102); nothing else makes that version of use.
func (c *client) metadataFrom(ctx context.Context, at candidate, req *MetadataRequest) (*MetadataResponse, error) {
	attempt, resp := *req, new(MetadataResponse)
	if at.link.await(ctx.Done()) == nil { // only then is it known what it takes; else ask says what is wrong
		if v := at.link.newest(apiMetadata); v >= metadataWithError {
			attempt.Version = v
		}
	}
	err := at.ask(&attempt, resp, ctx.Done())
	switch {
	case errors.Is(err, errUnanswered) || errors.Is(err, errAbandoned):
		return nil, context.Cause(ctx)
	case err != nil:
		return nil, err
	case resp.ErrorCode != ErrNoError:
		return nil, fmt.Errorf("kafka: metadata from broker %s: %w", at.broker.name(), resp.ErrorCode)
	case len(resp.Brokers) == 0:
		return nil, fmt.Errorf("kafka: metadata from broker %s names no brokers", at.broker.name())
	}
	return resp, nil
}

// metadataWithError is the first version whose response has an error code.
const metadataWithError = 13
