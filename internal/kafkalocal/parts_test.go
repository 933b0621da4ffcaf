package kafkalocal

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// fakeMaven puts a mvn of this text on the path and makes the cache empty.
func fakeMaven(t *testing.T, script string) (callsPath string) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("the stand-in for Maven is a shell script")
	}
	bin := t.TempDir()
	calls := filepath.Join(bin, "calls")
	text := fmt.Sprintf("#!/bin/sh\necho \"$@\" >> '%s'\n%s\n", calls, script)
	noErr(t, os.WriteFile(filepath.Join(bin, "mvn"), []byte(text), 0o700))
	t.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	t.Setenv("KAFKA_LOCAL_CACHE", filepath.Join(t.TempDir(), "cache"))
	return calls
}

func TestInstallFetchesOnceForAll(t *testing.T) {
	calls := fakeMaven(t, `grep -c '<version>9.8.7</version>' pom.xml > matches; mkdir libs; mv matches libs/a.jar`)
	const callers = 8
	dirs := make([]string, callers)
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			var err error
			if dirs[i], err = Install(t.Context(), "9.8.7"); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, d := range dirs {
		if d != dirs[0] {
			t.Errorf("folders %s and %s", d, dirs[0])
		}
	}
	got, err := os.ReadFile(filepath.Join(dirs[0], "a.jar"))
	noErr(t, err)
	if string(got) != "2\n" {
		t.Errorf("%q places of the pom have the version, wanted 2", got)
	}
	log, err := os.ReadFile(calls)
	noErr(t, err)
	if n := strings.Count(string(log), "\n"); n != 1 {
		t.Errorf("Maven ran %d times", n)
	}
	left, err := filepath.Glob(filepath.Join(os.Getenv("KAFKA_LOCAL_CACHE"), "fetch-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

func TestInstallTellsWhatMavenSaid(t *testing.T) {
	fakeMaven(t, "echo '[ERROR] no such artifact'; exit 3")
	_, err := Install(t.Context(), "9.8.7")
	if err == nil || !strings.Contains(err.Error(), "9.8.7") || !strings.Contains(err.Error(), "no such artifact") {
		t.Errorf("error: %v", err)
	}
	// The failure leaves nothing that a second try would take for the jars.
	if _, again := Install(t.Context(), "9.8.7"); again == nil {
		t.Error("the second try succeeds")
	}
}

func TestInstallEndsWithContext(t *testing.T) {
	fakeMaven(t, "exec sleep 1000")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Install(ctx, "9.8.7"); !errors.Is(err, context.Canceled) {
		t.Errorf("error: %v", err)
	}
}

func TestInstallRefusesStrangeVersions(t *testing.T) {
	for _, v := range []string{"", "4", "4.3", "../../x", "4.3.1</version>", "latest"} {
		if dir, err := Install(t.Context(), v); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("%q", v)) {
			t.Errorf("version %q: %q, %v", v, dir, err)
		}
	}
}

func TestOptionsAreChecked(t *testing.T) {
	for name, o := range map[string]Options{
		"no brokers":         {Brokers: -1},
		"too many brokers":   {Brokers: 4},
		"listener unnamed":   {Listeners: []Listener{{}}},
		"listener lowercase": {Listeners: []Listener{{Name: "ssl"}}},
		"listener twice":     {Listeners: []Listener{{Name: "SSL"}, {Name: "SSL"}}},
		"listener taken":     {Listeners: []Listener{{Name: "CONTROLLER"}}},
	} {
		if _, err := Start(t.Context(), o); err == nil || !strings.Contains(err.Error(), "Options.") {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

func TestPropertiesAreEscaped(t *testing.T) {
	got, err := formatProperties(map[string]string{"b.c": ` a\b`, "a": "x=y:#z", "z": "é\n𝄞", "empty": ""})
	noErr(t, err)
	want := "a=x=y:#z\n" + `b.c=\ a\\b` + "\n" + "empty=\n" + `z=\u00e9\u000a\ud834\udd1e` + "\n"
	if string(got) != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	for _, bad := range []string{"", "a b", "a=b", "a:b", "#a", "a\n", `a\`, "é"} {
		if _, err := formatProperties(map[string]string{bad: "v"}); err == nil {
			t.Errorf("name %q passes", bad)
		}
	}
}

func TestJavaVersionIsRead(t *testing.T) {
	for text, want := range map[string]int{
		"openjdk version \"17.0.15\" 2025-04-15\nOpenJDK": 17,
		`openjdk version "21" 2023-09-19`:                 21,
		`java version "1.8.0_402"`:                        8,
		`openjdk version "26-ea"`:                         26,
		"java: not found":                                 0,
		`version "x"`:                                     0,
	} {
		got, err := parseJavaVersion(text)
		if got != want || (err == nil) != (want > 0) {
			t.Errorf("%q: %d, %v; want %d", text, got, err, want)
		}
	}
}

func TestReservedPortTakesOneListener(t *testing.T) {
	p, err := reservePort()
	noErr(t, err)
	defer p.release()
	for range 2 {
		if conn, err := net.Dial("tcp", p.addr); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Fatalf("dial while nobody listens: %v, %v", conn, err)
		}
		l, err := net.Listen("tcp", p.addr)
		noErr(t, err)
		conn, err := net.Dial("tcp", p.addr)
		noErr(t, err)
		noErr(t, errors.Join(conn.Close(), l.Close()))
	}
}

func TestTailIsWholeLinesOfTheEnd(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	if got := tail(path); !strings.Contains(got, "no log") {
		t.Errorf("missing file: %q", got)
	}
	noErr(t, os.WriteFile(path, []byte("one\ntwo\n"), 0o600))
	if got := tail(path); got != "one\ntwo" {
		t.Errorf("short file: %q", got)
	}
	noErr(t, os.WriteFile(path, []byte(strings.Repeat("0123456789\n", 1000)), 0o600))
	got := tail(path)
	if len(got) > tailBytes || len(got) < tailBytes-11 || strings.Trim(got, "0123456789\n") != "" || !strings.HasPrefix(got, "0123456789\n") {
		t.Errorf("long file: %d bytes, %.20q", len(got), got)
	}
}

// metadataV1 is a response body with two brokers, one of them with a rack.
var metadataV1 = []byte("\x00\x00\x00\x02" +
	"\x00\x00\x00\x01\x00\x09127.0.0.1\x00\x00\x23\x84\xff\xff" +
	"\x00\x00\x00\x07\x00\x01h\x00\x00\x23\x85\x00\x02r1" +
	"\x00\x00\x00\x07" + "\x00\x00\x00\x00")

func TestMetadataIsReadOrCalledShort(t *testing.T) {
	ids, controller, err := parseMetadata(metadataV1)
	if err != nil || len(ids) != 2 || !ids[1] || !ids[7] || controller != 7 {
		t.Errorf("got %v, %d, %v", ids, controller, err)
	}
	for cut := range len(metadataV1) - 4 {
		if _, _, err := parseMetadata(metadataV1[:cut]); err == nil {
			t.Errorf("cut at %d passes", cut)
		}
	}
}

func FuzzParseMetadata(f *testing.F) {
	f.Add(metadataV1)
	f.Fuzz(func(t *testing.T, b []byte) {
		if ids, _, err := parseMetadata(b); err == nil && len(ids)*12 > len(b) {
			t.Errorf("%d brokers in %d bytes", len(ids), len(b))
		}
	})
}
