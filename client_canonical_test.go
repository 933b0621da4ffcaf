package sarama

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// fixedResolver is a hostResolver with a table.
type fixedResolver struct {
	mu    sync.Mutex
	hosts map[string][]string
	names map[string][]string
	asked int
}

func (r *fixedResolver) LookupHost(_ context.Context, host string) ([]string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked++
	if list, ok := r.hosts[host]; ok {
		return list, nil
	}
	return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
}

func (r *fixedResolver) LookupAddr(_ context.Context, addr string) ([]string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if list, ok := r.names[addr]; ok {
		return list, nil
	}
	return nil, &net.DNSError{Err: "no such host", Name: addr, IsNotFound: true}
}

func TestBootstrapNamesAreMadeCanonical(t *testing.T) {
	r := &fixedResolver{
		hosts: map[string][]string{"kafka": {"10.0.0.1", "10.0.0.2", "fd00::3"}, "other": {"10.0.0.2"}, "empty": nil},
		names: map[string][]string{"10.0.0.1": {"k1.example.com."}, "10.0.0.2": {"k2.example.com", "alias.example.com."}},
	}
	for name, test := range map[string]struct {
		given []string
		off   bool
		want  []string
		err   string
	}{
		"off":              {given: []string{"kafka:9092"}, off: true, want: []string{"kafka:9092"}},
		"all hosts":        {given: []string{"kafka:9092"}, want: []string{"k1.example.com:9092", "k2.example.com:9092", "[fd00::3]:9092"}},
		"each once":        {given: []string{"other:9092", "kafka:9092"}, want: []string{"k2.example.com:9092", "k1.example.com:9092", "[fd00::3]:9092"}},
		"ports count":      {given: []string{"other:9092", "other:9093"}, want: []string{"k2.example.com:9092", "k2.example.com:9093"}},
		"one unknown":      {given: []string{"nowhere:9092", "other:9092"}, want: []string{"k2.example.com:9092"}},
		"unknown":          {given: []string{"nowhere:9092"}, err: `resolving the bootstrap address "nowhere:9092": lookup nowhere: no such host`},
		"without a port":   {given: []string{"kafka"}, err: `bootstrap address "kafka" is not host:port`},
		"without any host": {given: []string{"empty:9092"}, err: `the bootstrap address "empty:9092" has no host behind it`},
	} {
		t.Run(name, func(t *testing.T) {
			conf := NewConfig()
			conf.Net.ResolveCanonicalBootstrapServers = !test.off
			conf.Metadata.Full = false
			c, err := newClientWith(test.given, conf, r)
			if test.err != "" {
				if !errors.Is(err, ErrOutOfBrokers) || !strings.Contains(err.Error(), test.err) {
					t.Errorf("%v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, b := range c.cluster.Load().seeds {
				got = append(got, b.Addr())
			}
			slices.Sort(got)
			slices.Sort(test.want)
			if !slices.Equal(got, test.want) {
				t.Errorf("%v, want %v", got, test.want)
			}
			_ = c.Close()
		})
	}
}

// Brokers that are all replaced have other canonical names behind the same
// bootstrap name.
func TestCanonicalNamesAreLookedUpAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &fixedResolver{hosts: map[string][]string{"kafka": {"1"}}, names: map[string][]string{"1": {"b1."}, "2": {"c1"}}}
		s := newSites(t)
		s.say(site{id: "A", brokers: oldBrokers}, oldBrokers...)
		conf := s.config()
		conf.Net.ResolveCanonicalBootstrapServers = true
		c, err := newClientWith([]string{"kafka:9092"}, conf, r)
		if err != nil {
			t.Fatal(err)
		}
		wantAddrs(t, c, oldBrokers...)
		time.Sleep(time.Hour)
		if err := c.RefreshMetadata(); err != nil || r.asked != 1 {
			t.Errorf("looked up %d times, %v", r.asked, err)
		}
		s.say(site{id: "A", brokers: newBrokers}, newBrokers...)
		r.mu.Lock()
		r.hosts["kafka"] = []string{"2"}
		r.mu.Unlock()
		s.refuse(true, oldBrokers...)
		s.hangUp()
		synctest.Wait()
		if err := c.RefreshMetadata(); err != nil {
			t.Error(err)
		}
		wantAddrs(t, c, newBrokers...)
		if err := c.RefreshBrokers([]string{"nowhere:9092"}); !errors.Is(err, ErrOutOfBrokers) {
			t.Errorf("RefreshBrokers: %v", err)
		}
		wantAddrs(t, c, newBrokers...)
		_ = c.Close()
		s.close()
	})
}
