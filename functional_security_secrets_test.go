package sarama_test

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/IBM/sarama"
)

// secretWatch looks for secrets in all that is logged and in errors, from the
// first secret on.
var secretWatch struct {
	on      atomic.Bool
	secrets atomic.Int64
	texts   atomic.Int64 // that were looked at

	// mu guards
	mu    sync.Mutex
	forms []string // what a secret may look like
	found []string // texts that had one
}

// watchSecret has a secret looked for, also as what fmt, JSON and forms make of
// it.
func watchSecret(secret string) string {
	quoted := strconv.QuoteToASCII(secret)
	numbers := strings.Trim(fmt.Sprintf("%v", []byte(secret)), "[]")
	syntax := strings.TrimSuffix(strings.TrimPrefix(fmt.Sprintf("%#v", []byte(secret)), "[]byte{"), "}")
	forms := []string{
		secret, quoted[1 : len(quoted)-1], numbers, syntax, hex.EncodeToString([]byte(secret)), url.QueryEscape(secret),
		base64.StdEncoding.EncodeToString([]byte(secret)), base64.RawURLEncoding.EncodeToString([]byte(secret)),
	}
	secretWatch.mu.Lock()
	defer secretWatch.mu.Unlock()
	for _, form := range forms {
		if !slices.Contains(secretWatch.forms, form) {
			secretWatch.forms = append(secretWatch.forms, form)
		}
	}
	secretWatch.secrets.Add(1)
	secretWatch.on.Store(true)
	return secret
}

// hasSecret tells whether there is a secret in a text.
func hasSecret(text string) bool {
	secretWatch.texts.Add(1)
	secretWatch.mu.Lock()
	defer secretWatch.mu.Unlock()
	return slices.ContainsFunc(secretWatch.forms, func(form string) bool { return strings.Contains(text, form) })
}

// lookForSecrets keeps the text if it has a secret in it.
func lookForSecrets(text string) {
	if hasSecret(text) {
		secretWatch.mu.Lock()
		secretWatch.found = append(secretWatch.found, text)
		secretWatch.mu.Unlock()
	}
}

// watchedLog is a logger that looks for secrets and else drops what it gets.
type watchedLog struct{}

func (watchedLog) Print(v ...any)   { watchedLog{}.look(func() string { return fmt.Sprint(v...) }) }
func (watchedLog) Println(v ...any) { watchedLog{}.look(func() string { return fmt.Sprintln(v...) }) }
func (watchedLog) Printf(format string, v ...any) {
	watchedLog{}.look(func() string { return fmt.Sprintf(format, v...) })
}

func (watchedLog) look(text func() string) {
	if secretWatch.on.Load() {
		lookForSecrets(text())
	}
}

// Before any client is made: loggers are read without synchronisation. The
// DebugLogger writes to this one.
func init() { sarama.Logger = watchedLog{} }

// seen looks for secrets in an error too, in every way to print it.
func seen(err error) error {
	for e := err; e != nil; e = errors.Unwrap(e) {
		lookForSecrets(fmt.Sprintf("%v %+v %#v", e, e, e))
	}
	return err
}
