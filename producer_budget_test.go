package sarama

import (
	"errors"
	"testing"
	"time"

	breakers "github.com/eapache/go-resiliency/breaker"
)

func TestBudgetLimitsFollowTheConfiguration(t *testing.T) {
	const mib = 1 << 20
	for _, c := range []struct {
		name            string
		set             func(*Config)
		messages, bytes int64
	}{
		{"default", func(*Config) {}, 1<<63 - 1, 64 * mib},
		{"set", func(c *Config) { c.Producer.MaxBufferedBytes = 10 * mib }, 1<<63 - 1, 10 * mib},
		{"never below two messages", func(c *Config) { c.Producer.MaxBufferedBytes = 1 }, 1<<63 - 1, 2 * mib},
		{"large messages", func(c *Config) { c.Producer.MaxMessageBytes = 90 * mib }, 1<<63 - 1, 180 * mib},
		{"retry bytes tighten", func(c *Config) { c.Producer.Retry.MaxBufferBytes = 40 * mib }, 1<<63 - 1, 40 * mib},
		{"retry bytes have a least", func(c *Config) { c.Producer.Retry.MaxBufferBytes = 1 }, 1<<63 - 1, 32 * mib},
		{"retry bytes do not widen", func(c *Config) { c.Producer.Retry.MaxBufferBytes = 500 * mib }, 1<<63 - 1, 64 * mib},
		{"retry length", func(c *Config) { c.Producer.Retry.MaxBufferLength = 5000 }, 5000, 64 * mib},
		{"retry length has a least", func(c *Config) { c.Producer.Retry.MaxBufferLength = 1 }, 4096, 64 * mib},
	} {
		conf := NewConfig()
		c.set(conf)
		if got := limitsOf(conf); got != (budgetShare{c.messages, c.bytes}) {
			t.Errorf("%s: %+v", c.name, got)
		}
	}
}

func TestBudgetWakesOnceThereIsRoom(t *testing.T) {
	woken := 0
	b := budget{limit: budgetShare{1000, 1000}, wake: func() { woken++ }}
	b.add(budgetShare{10, 1000})
	if !b.full() {
		t.Fatal("not full at the limit")
	}
	b.release(budgetShare{1, 100})
	if woken != 0 {
		t.Error("woken with less than an eighth free")
	}
	b.release(budgetShare{1, 100})
	b.release(budgetShare{1, 100})
	if woken != 1 {
		t.Errorf("woken %d times", woken)
	}
	if b.full() {
		t.Error("full with a third free")
	}
}

func TestBreakerOpensAfterThreeFailuresInShortOrder(t *testing.T) {
	var b breaker
	cause := errors.New("no leader")
	now := time.Unix(1000, 0)
	at := func(s int) time.Time { return now.Add(time.Duration(s) * time.Second) }
	b.record(at(0), cause)
	b.record(at(9), nil) // a success in between does not reset the count
	b.record(at(9), cause)
	if b.check(at(9)) != nil {
		t.Fatal("open after two failures")
	}
	b.record(at(18), cause)
	err := b.check(at(27))
	if !errors.Is(err, breakers.ErrBreakerOpen) || !errors.Is(err, cause) {
		t.Fatalf("after three failures: %v", err)
	}
	if b.check(at(28)) != nil {
		t.Fatal("still open after 10 s")
	}
	b.record(at(28), cause)
	if b.check(at(29)) == nil {
		t.Fatal("one failure does not open it again")
	}
	b.record(at(40), nil)
	b.record(at(41), cause)
	if b.check(at(41)) != nil {
		t.Fatal("a success did not close it")
	}
	b = breaker{}
	for s := 0; s <= 50; s += 10 { // 10 s apart: never three in short order
		b.record(at(s), cause)
	}
	if b.check(at(50)) != nil {
		t.Fatal("opened by failures far apart")
	}
}
