package oidc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"sync"
	"time"

	"github.com/IBM/sarama"
)

// ErrClosed is returned by a Provider that was closed.
var ErrClosed = errors.New("oidc: the provider is closed")

// Provider gets tokens and keeps the last one. It is a
// sarama.AccessTokenProvider for Config.Net.SASL.TokenProvider. Its methods may
// be called from any goroutine.
//
// A token is served from memory until shortly before it expires. From 80 % of
// its life on, whoever asks starts one fetch of the next in the background, and
// gets that if it is there within two seconds: brokers end sessions with the
// token, and who renews one is not served by what is about to expire. There is
// no goroutine while nobody asks.
type Provider struct {
	// constant after New
	conf   Config
	source *source
	ctx    context.Context // ended by Close
	end    context.CancelFunc

	running sync.WaitGroup // fetches; Add is under mu, before closed

	mu        sync.Mutex // guards
	closed    bool
	token     token     // the last one; zero: none
	fetching  *fetch    // the one under way; nil: none
	notBefore time.Time // the next fetch in the background, after one has failed
	failures  int       // of those, in a row
}

// token is an access token and its times.
type token struct {
	value   string
	refresh time.Time // from when on another is fetched
	expiry  time.Time // from when on it is not served
}

func (t token) valid(now time.Time) bool { return t.value != "" && before(now, t.expiry) }

// before compares by both clocks: the monotonic one may stand still while the
// machine sleeps, and the other one may be set back.
func before(now, then time.Time) bool { return now.Before(then) && now.Round(0).Before(then.Round(0)) }

// fetch is one token on its way, shared by all who wait for it.
type fetch struct {
	// constant
	cancel     context.CancelFunc
	background bool
	begun      time.Time
	done       chan struct{} // closed when token or err is set

	// constant once done is closed
	token token
	err   error

	// Provider.mu guards
	waiting int
}

var _ sarama.AccessTokenProvider = (*Provider)(nil)

// New checks a configuration and returns a provider, which asks for nothing
// yet. Close it when it is not used any more.
func New(conf Config) (*Provider, error) {
	conf, err := conf.complete()
	if err != nil {
		return nil, err
	}
	p := &Provider{conf: conf, source: &source{conf: conf}}
	p.ctx, p.end = context.WithCancel(context.Background())
	return p, nil
}

// Format shows whose provider it is, with every verb: neither the secret nor a
// token.
func (p *Provider) Format(f fmt.State, verb rune) { p.conf.Format(f, verb) }

// String shows whose provider it is.
func (p *Provider) String() string { return p.conf.String() }

// Token is TokenContext without a context: Config.RetryTimeout bounds it.
func (p *Provider) Token() (*sarama.AccessToken, error) {
	return p.TokenContext(context.Background())
}

// TokenContext returns a token that has not expired, fetching one if need be.
// Temporary failures (of the network, 5xx, 429) are retried until ctx ends or
// Config.RetryTimeout is over; others, such as a secret that is wrong, are
// returned at once, with an *Error in them. Calls that wait at the same time
// share a fetch, which goes on while one of them waits.
func (p *Provider) TokenContext(ctx context.Context) (*sarama.AccessToken, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("oidc: getting a token: %w", context.Cause(ctx))
	}
	f, t, err := p.lookUp(time.Now())
	if f == nil {
		return p.access(t), err
	}
	defer p.leave(f)
	var late <-chan time.Time
	if t.value != "" {
		timer := time.NewTimer(time.Until(f.begun.Add(refreshPatience)))
		defer timer.Stop()
		late = timer.C
	}
	select {
	case <-f.done:
	case <-late:
		return p.access(t), nil
	case <-ctx.Done():
		return nil, fmt.Errorf("oidc: getting a token: %w", context.Cause(ctx))
	}
	if f.err != nil && t.valid(time.Now()) {
		return p.access(t), nil
	}
	if f.err != nil {
		return nil, f.err
	}
	return p.access(f.token), nil
}

// refreshPatience is how long the next token is waited for from the beginning of
// its fetch on, while the one before is still good.
const refreshPatience = 2 * time.Second

// access is a token as the client wants it; it is the caller's.
func (p *Provider) access(t token) *sarama.AccessToken {
	if t.value == "" {
		return nil
	}
	return &sarama.AccessToken{Token: t.value, Extensions: maps.Clone(p.conf.Extensions)}
}

// lookUp returns the token there is, or a fetch to wait for, which leave has to
// follow, or both.
func (p *Provider) lookUp(now time.Time) (*fetch, token, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, token{}, ErrClosed
	}
	if p.token.valid(now) {
		if !before(now, p.token.refresh) && p.fetching == nil && !now.Before(p.notBefore) {
			p.startLocked(true)
		}
		if p.fetching != nil {
			p.fetching.waiting++
		}
		return p.fetching, p.token, nil
	}
	if p.fetching == nil {
		p.startLocked(false)
	}
	p.fetching.waiting++
	return p.fetching, token{}, nil
}

func (p *Provider) startLocked(background bool) {
	ctx, cancel := context.WithTimeoutCause(p.ctx, p.conf.RetryTimeout, errRetryTimeout)
	f := &fetch{cancel: cancel, background: background, begun: time.Now(), done: make(chan struct{})}
	p.fetching = f
	p.running.Go(func() { p.run(ctx, f) })
}

var errRetryTimeout = fmt.Errorf("no token within Config.RetryTimeout: %w", context.DeadlineExceeded)

// run fetches a token. It ends with it, after RetryTimeout, with Close, or when
// nobody waits for it any more.
func (p *Provider) run(ctx context.Context, f *fetch) {
	defer f.cancel()
	f.err = errors.New("oidc: fetching a token did not return")
	defer func() {
		if r := recover(); r != nil {
			f.err = fmt.Errorf("oidc: the HTTP client panicked: %v", r)
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.fetching == f {
			p.fetching = nil
		}
		switch {
		case f.err == nil:
			p.token, p.failures, p.notBefore = f.token, 0, time.Time{}
		case f.background:
			p.notBefore = time.Now().Add(p.conf.backoff(p.failures))
			p.failures++
		}
		close(f.done)
	}()
	t, err := p.source.fetch(ctx)
	switch {
	case err == nil:
		f.token, f.err = t, nil
	case p.ctx.Err() != nil:
		f.err = ErrClosed
	default:
		f.err = fmt.Errorf("oidc: getting a token for client %q: %w", p.conf.ClientID, err)
	}
}

// leave ends the wait for a fetch. The last one to leave ends the fetch, unless
// it is one in the background.
func (p *Provider) leave(f *fetch) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if f.waiting--; f.waiting > 0 || f.background {
		return
	}
	f.cancel()
	if p.fetching == f {
		p.fetching = nil // who comes now has another one
	}
}

// Close ends what is under way and waits for it; calls return ErrClosed from
// then on. It may be called more than once.
func (p *Provider) Close() error {
	p.mu.Lock()
	p.closed = true
	p.token = token{}
	p.mu.Unlock()
	p.end()
	p.running.Wait()
	return nil
}

var _ io.Closer = (*Provider)(nil)
