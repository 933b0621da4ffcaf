package kdclocal_test

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/IBM/sarama/internal/kdclocal"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func start(t *testing.T, o kdclocal.Options) *kdclocal.KDC {
	t.Helper()
	if ok, why := kdclocal.Available(); !ok {
		t.Skip(why)
	}
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	kdc, err := kdclocal.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := kdc.Close(); err != nil {
			t.Error(err)
		}
	})
	return kdc
}

func TestKDCGivesTickets(t *testing.T) {
	kdc := start(t, kdclocal.Options{})
	ctx := t.Context()
	if kdc.Realm() != kdclocal.DefaultRealm {
		t.Errorf("realm %s", kdc.Realm())
	}
	for name, password := range map[string]string{"alice": "it's a \"secret\"", "kafka/127.0.0.1": ""} {
		if err := kdc.AddPrincipal(ctx, name, password, "+requires_preauth"); err != nil {
			t.Fatal(err)
		}
	}
	cache, err := kdc.CredentialCache(ctx, "alice", "it's a \"secret\"")
	if err != nil {
		t.Fatal(err)
	}
	if out, err := kdc.Run(ctx, "klist", "-c", cache); err != nil || !strings.Contains(out, "alice@TEST.LOCAL") || !strings.Contains(out, "krbtgt/TEST.LOCAL") {
		t.Errorf("klist: %v\n%s", err, out)
	}
	keytab, err := kdc.Keytab(ctx, "kafka/127.0.0.1", "alice")
	if err != nil {
		t.Fatal(err)
	}
	if out, err := kdc.Run(ctx, "klist", "-k", keytab); err != nil || !strings.Contains(out, "kafka/127.0.0.1@TEST.LOCAL") || !strings.Contains(out, "alice@") {
		t.Errorf("klist: %v\n%s", err, out)
	}
	if _, err := kdc.CredentialCache(ctx, "alice", "wrong"); err == nil || !strings.Contains(err.Error(), "Password incorrect") {
		t.Errorf("with a wrong password: %v", err)
	}
	if _, err := kdc.CredentialCache(ctx, "bob", "any"); err == nil || !strings.Contains(err.Error(), "not found in Kerberos database") {
		t.Errorf("of an unknown principal: %v", err)
	}
	if err := kdc.AddPrincipal(ctx, "alice", "again"); err == nil {
		t.Error("a principal was added twice")
	}
	if !strings.Contains(kdc.Log(), "alice@TEST.LOCAL") {
		t.Errorf("log: %s", kdc.Log())
	}
}

func TestKDCsStandSideBySide(t *testing.T) {
	one, two := start(t, kdclocal.Options{Realm: "ONE"}), start(t, kdclocal.Options{Realm: "TWO"})
	if one.Addr() == two.Addr() || one.ConfPath() == two.ConfPath() {
		t.Fatalf("both at %s with %s", one.Addr(), one.ConfPath())
	}
	for _, kdc := range []*kdclocal.KDC{one, two} {
		if err := kdc.AddPrincipal(t.Context(), "user", kdc.Realm()); err != nil {
			t.Fatal(err)
		}
	}
	for _, kdc := range []*kdclocal.KDC{one, two} {
		if _, err := kdc.CredentialCache(t.Context(), "user", kdc.Realm()); err != nil {
			t.Error(err)
		}
	}
}

func TestKDCCloseLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	kdc := start(t, kdclocal.Options{Dir: dir})
	kdc.Stop()
	if conn, err := net.Dial("tcp", kdc.Addr()); err == nil {
		_ = conn.Close()
		t.Error("the KDC answers after Stop")
	}
	if _, err := os.Stat(kdc.ConfPath()); err != nil {
		t.Errorf("after Stop: %v", err)
	}
	for range 2 {
		if err := kdc.Close(); err != nil {
			t.Error(err)
		}
	}
	if left, err := filepath.Glob(filepath.Join(dir, "*")); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

func TestKDCRefusesWhatCannotRun(t *testing.T) {
	for _, o := range []kdclocal.Options{{Realm: "A B"}, {Realm: "A{"}, {Dir: filepath.Join(t.TempDir(), "missing")}} {
		if kdc, err := kdclocal.Start(t.Context(), o); err == nil {
			_ = kdc.Close()
			t.Errorf("%+v was started", o)
		}
	}
}
