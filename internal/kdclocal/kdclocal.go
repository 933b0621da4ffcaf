// Package kdclocal runs a real Kerberos on this machine for tests: MIT's KDC on
// 127.0.0.1, with one realm, whose database, configuration and log are in one
// temporary folder. No file of the system is read or written, and no rights are
// needed.
//
// A test skips itself where the programs are missing:
//
//	if ok, why := kdclocal.Available(); !ok {
//		t.Skip(why)
//	}
//	kdc, err := kdclocal.Start(ctx, kdclocal.Options{})
package kdclocal

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/IBM/sarama/internal/childproc"
)

// DefaultRealm is the realm that Start sets up when Options.Realm is empty.
const DefaultRealm = "TEST.LOCAL"

const (
	startTimeout  = time.Minute
	stopTimeout   = 5 * time.Second
	startAttempts = 5 // somebody else may take the port before the KDC does
	dialPause     = 20 * time.Millisecond
)

// Options says what Start runs. The zero value is a realm with the lifetimes of
// MIT Kerberos.
type Options struct {
	// Realm; DefaultRealm if empty.
	Realm string
	// MaxLife bounds the life of tickets; 0 is a day. The KDC counts in
	// seconds.
	MaxLife time.Duration
	// MaxRenewableLife is how long tickets may be renewed; 0 is not at all.
	MaxRenewableLife time.Duration
	// LibDefaults are further lines of the section [libdefaults] of krb5.conf,
	// such as "allow_weak_crypto = true".
	LibDefaults []string
	// Realms are further lines of the realm's part of kdc.conf, such as
	// "supported_enctypes = aes128-cts:normal".
	Realms []string
	// Dir is where the folder is made that has all the files; empty is the
	// system's folder for temporary files.
	Dir string
}

// KDC is a running KDC. Its methods may be called from any goroutine.
type KDC struct {
	// constant after Start
	realm string
	dir   string
	addr  string
	env   []string
	proc  *childproc.Process

	// mu guards
	mu     sync.Mutex
	files  int // how many keytabs and caches were made
	closed bool
}

// programs are those that a KDC needs.
var programs = []string{"krb5kdc", "kadmin.local", "kdb5_util"}

// kinit is what CredentialCache needs.
const kinit = "kinit"

// Available reports whether the programs are there, and if not, what is missing
// and how to get it.
func Available() (bool, string) {
	var missing []string
	for _, name := range append([]string{kinit}, programs...) {
		if _, err := lookUp(name); err != nil {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		return false, fmt.Sprintf("kdclocal: no %s on this machine (Debian has them in krb5-kdc, krb5-admin-server and krb5-user)", strings.Join(missing, ", "))
	}
	return true, ""
}

// lookUp finds a program, also where only the administrator's path has it.
func lookUp(name string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	for _, dir := range []string{"/usr/sbin", "/usr/local/sbin", "/sbin", "/opt/homebrew/opt/krb5/sbin", "/usr/local/opt/krb5/sbin"} {
		if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("kdclocal: %s: %w", name, exec.ErrNotFound)
}

// Start makes the realm and starts its KDC, and returns when that takes
// connections. The context bounds that work and not the KDC's life, which Close
// ends.
func Start(ctx context.Context, o Options) (*KDC, error) {
	if o.Realm == "" {
		o.Realm = DefaultRealm
	}
	if strings.ContainsFunc(o.Realm, func(r rune) bool { return r <= ' ' || strings.ContainsRune(`{}[]=@/\#;`, r) }) {
		return nil, fmt.Errorf("kdclocal: Options.Realm %q is no name of a realm", o.Realm)
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	dir, err := os.MkdirTemp(o.Dir, "kdclocal-")
	if err != nil {
		return nil, fmt.Errorf("kdclocal: folder of the realm: %w", err)
	}
	k := &KDC{realm: o.Realm, dir: dir}
	k.env = append(os.Environ(), "KRB5_CONFIG="+k.ConfPath(), "KRB5_KDC_PROFILE="+k.path("kdc.conf"), "KRB5RCACHENAME=none:", "LC_ALL=C")
	if err := k.start(ctx, o); err != nil {
		return nil, errors.Join(err, k.Close())
	}
	return k, nil
}

func (k *KDC) path(name string) string { return filepath.Join(k.dir, name) }

func (k *KDC) start(ctx context.Context, o Options) error {
	for attempt := 1; ; attempt++ {
		addr, err := freeAddr()
		if err != nil {
			return fmt.Errorf("kdclocal: port of the KDC: %w", err)
		}
		k.addr = addr
		if err := k.writeConfs(o); err != nil {
			return err
		}
		if attempt == 1 {
			if out, err := k.run(ctx, "", "kdb5_util", "-r", k.realm, "-P", rand.Text(), "create", "-s"); err != nil {
				return fmt.Errorf("kdclocal: database of the realm: %w\n%s", err, out)
			}
		}
		if err = k.launch(ctx); err == nil {
			return nil
		}
		if attempt == startAttempts || ctx.Err() != nil {
			return fmt.Errorf("kdclocal: start the KDC: %w\n%s", err, k.Log())
		}
	}
}

// launch starts the KDC and waits until it takes connections.
func (k *KDC) launch(ctx context.Context) error {
	path, err := lookUp("krb5kdc")
	if err != nil {
		return err
	}
	cmd := exec.Command(path, "-n", "-r", k.realm)
	cmd.Env, cmd.Dir = k.env, k.dir
	k.proc, err = childproc.Log(cmd, k.path("krb5kdc.out"))
	if err != nil {
		return err
	}
	tick := time.NewTicker(dialPause)
	defer tick.Stop()
	for {
		var d net.Dialer
		if conn, err := d.DialContext(ctx, "tcp", k.addr); err == nil {
			return conn.Close()
		}
		select {
		case <-tick.C:
		case <-k.proc.Done():
			return fmt.Errorf("it has ended: %w", errors.Join(k.proc.Err(), errors.New("its log follows")))
		case <-ctx.Done():
			end(k.proc, 0)
			return ctx.Err()
		}
	}
}

// freeAddr is an address of 127.0.0.1 whose port nobody has, neither for TCP
// nor for UDP.
func freeAddr() (string, error) {
	for attempt := 1; ; attempt++ {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return "", err
		}
		addr := l.Addr().String()
		p, err := net.ListenPacket("udp", addr)
		_ = l.Close()
		if err == nil {
			return addr, p.Close()
		}
		if attempt == startAttempts {
			return "", err
		}
	}
}

// writeConfs writes krb5.conf and kdc.conf.
func (k *KDC) writeConfs(o Options) error {
	client := []string{
		"[libdefaults]",
		"default_realm = " + k.realm,
		"dns_lookup_kdc = false",
		"dns_lookup_realm = false",
		"dns_canonicalize_hostname = false",
		"rdns = false",
		"udp_preference_limit = 1",
	}
	client = append(client, o.LibDefaults...)
	client = append(client,
		"[realms]",
		k.realm+" = {",
		"kdc = "+k.addr,
		"}",
		"[domain_realm]",
		"127.0.0.1 = "+k.realm,
		"localhost = "+k.realm,
	)
	maxLife := o.MaxLife
	if maxLife == 0 {
		maxLife = 24 * time.Hour
	}
	server := []string{
		"[kdcdefaults]",
		"kdc_listen = " + k.addr,
		"kdc_tcp_listen = " + k.addr,
		"[realms]",
		k.realm + " = {",
		"database_name = " + k.path("principal"),
		"key_stash_file = " + k.path("stash"),
		"acl_file = " + k.path("kadm5.acl"),
		fmt.Sprintf("max_life = %ds", int64(maxLife/time.Second)),
		fmt.Sprintf("max_renewable_life = %ds", int64(o.MaxRenewableLife/time.Second)),
	}
	server = append(server, o.Realms...)
	server = append(server, "}", "[logging]", "kdc = FILE:"+k.path("kdc.log"))
	for path, lines := range map[string][]string{k.ConfPath(): client, k.path("kdc.conf"): server} {
		if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
			return fmt.Errorf("kdclocal: %w", err)
		}
	}
	return nil
}

// Realm is the realm's name.
func (k *KDC) Realm() string { return k.realm }

// Addr is the KDC's address, host:port, for TCP and UDP.
func (k *KDC) Addr() string { return k.addr }

// ConfPath is the realm's krb5.conf.
func (k *KDC) ConfPath() string { return k.path("krb5.conf") }

// Log is what the KDC has logged.
func (k *KDC) Log() string {
	var text []string
	for _, name := range []string{"krb5kdc.out", "kdc.log"} {
		raw, err := os.ReadFile(k.path(name))
		if err == nil {
			text = append(text, string(raw))
		}
	}
	return strings.Join(text, "")
}

// Kadmin runs a command of the realm's administration, such as "modprinc",
// "-maxlife", "10 seconds", "alice", and returns its output.
func (k *KDC) Kadmin(ctx context.Context, args ...string) (string, error) {
	out, err := k.run(ctx, "", "kadmin.local", append([]string{"-r", k.realm}, args...)...)
	if err != nil {
		return out, fmt.Errorf("kdclocal: kadmin %s: %w\n%s", args[0], err, out)
	}
	return out, nil
}

// AddPrincipal adds a principal, given without realm, with a password; without
// one it gets random keys. Further arguments are options of kadmin's addprinc,
// such as "+requires_preauth" or "-pwexpire", "yesterday".
func (k *KDC) AddPrincipal(ctx context.Context, name, password string, options ...string) error {
	args := append([]string{"addprinc"}, options...)
	if password == "" {
		args = append(args, "-randkey")
	} else {
		args = append(args, "-pw", password)
	}
	_, err := k.Kadmin(ctx, append(args, name)...)
	return err
}

// Keytab writes a keytab with the keys that principals have, and returns its
// path.
func (k *KDC) Keytab(ctx context.Context, principals ...string) (string, error) {
	path := k.newFile("keytab")
	_, err := k.Kadmin(ctx, append([]string{"ktadd", "-norandkey", "-k", path}, principals...)...)
	return path, err
}

// CredentialCache logs a principal in with kinit and returns the path of the
// cache with its ticket. Further arguments are options of kinit, such as "-l",
// "2s".
func (k *KDC) CredentialCache(ctx context.Context, principal, password string, options ...string) (string, error) {
	path := k.newFile("ccache")
	args := append([]string{"-c", "FILE:" + path}, options...)
	out, err := k.run(ctx, password+"\n", kinit, append(args, principal+"@"+k.realm)...)
	if err != nil {
		return "", fmt.Errorf("kdclocal: kinit %s: %w\n%s", principal, err, out)
	}
	return path, nil
}

// newFile is a path that no file has yet.
func (k *KDC) newFile(kind string) string {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.files++
	return k.path(fmt.Sprintf("%s-%d", kind, k.files))
}

// Run runs any program of MIT Kerberos, such as klist, against the realm, and
// returns its output.
func (k *KDC) Run(ctx context.Context, name string, args ...string) (string, error) {
	out, err := k.run(ctx, "", name, args...)
	if err != nil {
		return out, fmt.Errorf("kdclocal: %s: %w\n%s", name, err, out)
	}
	return out, nil
}

func (k *KDC) run(ctx context.Context, stdin, name string, args ...string) (string, error) {
	path, err := lookUp(name)
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env, cmd.Dir, cmd.Stdin = k.env, k.dir, strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// Stop ends the KDC's process and leaves its files: clients then find nobody at
// its address.
func (k *KDC) Stop() {
	if k.proc != nil {
		end(k.proc, stopTimeout)
	}
}

// Close ends the KDC and removes its folder, with all keytabs and caches. A
// second Close does nothing.
func (k *KDC) Close() error {
	k.mu.Lock()
	closed := k.closed
	k.closed = true
	k.mu.Unlock()
	if closed {
		return nil
	}
	k.Stop()
	if err := os.RemoveAll(k.dir); err != nil {
		return fmt.Errorf("kdclocal: files of the realm: %w", err)
	}
	return nil
}
