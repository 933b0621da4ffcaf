package sarama

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	krb5 "github.com/jcmturner/gokrb5/v8/client"
	"github.com/jcmturner/gokrb5/v8/config"
	"github.com/jcmturner/gokrb5/v8/credentials"
	"github.com/jcmturner/gokrb5/v8/keytab"
	"github.com/jcmturner/gokrb5/v8/messages"
	"github.com/jcmturner/gokrb5/v8/types"
)

// KerberosClient gets tickets for one authentication (RFC 4120). It is used by
// one goroutine at a time, and made anew for each authentication.
type KerberosClient interface {
	// Login gets the ticket with which others can be asked for.
	Login() error
	// GetServiceTicket returns a ticket for a service such as
	// "kafka/broker.example.com", and the session key that belongs to it.
	GetServiceTicket(spn string) (messages.Ticket, types.EncryptionKey, error)
	// Domain is the realm of the client's principal.
	Domain() string
	// CName is the client's principal without its realm.
	CName() types.PrincipalName
	// Destroy ends what the client does in the background and forgets its
	// credentials. It is called once, when the authentication is over or has
	// failed.
	Destroy()
}

// KerberosGoKrb5Client is the KerberosClient that NewKerberosClient makes. The
// client of gokrb5 that it embeds is for use by anyone who needs more of it.
type KerberosGoKrb5Client struct {
	krb5.Client
}

// Domain is the realm of the client's principal; that of the credential cache
// for KRB5_CCACHE_AUTH.
func (c *KerberosGoKrb5Client) Domain() string { return c.Credentials.Domain() }

// CName is the client's principal without its realm.
func (c *KerberosGoKrb5Client) CName() types.PrincipalName { return c.Credentials.CName() }

// NewKerberosClient reads the files that the configuration names and returns a
// client that has not logged in yet. The error of a file that cannot be read or
// understood has its path. A keytab without any key of the principal is an
// ErrSASLAuthenticationFailed.
//
// With KRB5_CCACHE_AUTH the principal is the one of the cache: Username and
// Realm are not looked at. An AuthType other than the three constants is
// KRB5_USER_AUTH; Config.Validate does not let it pass.
func NewKerberosClient(conf *GSSAPIConfig) (KerberosClient, error) {
	if conf == nil {
		return nil, errors.New("kafka: Kerberos client without a configuration")
	}
	krb5Conf, err := readKrb5Conf(conf.KerberosConfigPath)
	if err != nil {
		return nil, err
	}
	settings := krb5.DisablePAFXFAST(conf.DisablePAFXFAST)
	switch conf.AuthType {
	case KRB5_KEYTAB_AUTH:
		kt, err := readKeytab(conf)
		if err != nil {
			return nil, err
		}
		return &KerberosGoKrb5Client{*krb5.NewWithKeytab(conf.Username, conf.Realm, kt, krb5Conf, settings)}, nil
	case KRB5_CCACHE_AUTH:
		return newCacheClient(conf.CCachePath, krb5Conf, settings)
	}
	return &KerberosGoKrb5Client{*krb5.NewWithPassword(conf.Username, conf.Realm, conf.Password, krb5Conf, settings)}, nil
}

func readKrb5Conf(path string) (*config.Config, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("kafka: configuration of Kerberos: %w", err)
	}
	var conf *config.Config
	err = guarded(func() (err error) {
		conf, err = config.NewFromReader(bytes.NewReader(raw))
		return err
	})
	var unsupported config.UnsupportedDirective // includes, for instance; the rest was read
	if err != nil && !errors.As(err, &unsupported) {
		return nil, fmt.Errorf("kafka: configuration of Kerberos %s: %w", path, err)
	}
	return conf, nil
}

// readKeytab leaves the library's error out: it may have the file's bytes in
// it, which are keys.
func readKeytab(conf *GSSAPIConfig) (*keytab.Keytab, error) {
	raw, err := os.ReadFile(conf.KeyTabPath)
	if err != nil {
		return nil, fmt.Errorf("kafka: keytab: %w", err)
	}
	kt := keytab.New()
	if err := guarded(func() error { return kt.Unmarshal(raw) }); err != nil {
		return nil, fmt.Errorf("kafka: %s is not a keytab, or a damaged one", conf.KeyTabPath)
	}
	name := strings.Split(conf.Username, "/")
	for _, e := range kt.Entries {
		if e.Principal.Realm == conf.Realm && slices.Equal(e.Principal.Components, name) {
			return kt, nil
		}
	}
	return nil, Wrap(ErrSASLAuthenticationFailed, fmt.Errorf("kafka: keytab %s has no key of %s@%s", conf.KeyTabPath, conf.Username, conf.Realm))
}

func newCacheClient(path string, krb5Conf *config.Config, settings func(*krb5.Settings)) (KerberosClient, error) {
	// The prefix is how the environment variable KRB5CCNAME names files.
	path = strings.TrimPrefix(path, "FILE:")
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("kafka: credential cache: %w", err)
	}
	cache := new(credentials.CCache)
	if err := guarded(func() error { return cache.Unmarshal(raw) }); err != nil {
		return nil, fmt.Errorf("kafka: %s is not a credential cache, or a damaged one", path)
	}
	var c *krb5.Client
	err = guarded(func() (err error) {
		c, err = krb5.NewFromCCache(cache, krb5Conf, settings)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("kafka: credential cache %s: %w", path, err)
	}
	return &KerberosGoKrb5Client{*c}, nil
}

// guarded calls a function of the Kerberos library, which panics on some
// malformed input, and returns that as an error.
func guarded(f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("malformed data: %v", r)
		}
	}()
	return f()
}
