package kafkalocal

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// Whether the archive is used is the virtual machine's to say, which goes
// without where something does not fit.
func TestClassesComeFromTheArchive(t *testing.T) {
	skipWithoutKafka(t)
	t.Parallel()
	for _, version := range []string{DefaultVersion, "3.9.1", "2.8.2"} {
		java, err := javaCommand()
		noErr(t, err)
		libs, err := Install(t.Context(), version)
		noErr(t, err)
		archive := classArchive(t.Context(), version, java, libs)
		if archive == "" {
			t.Fatalf("%s: no archive", version)
		}
		if again := classArchive(t.Context(), version, java, libs); again != archive {
			t.Errorf("%s: asked again: %q", version, again)
		}
		jvm := append(archiveArgs(archive), "-Xlog:class+load")
		// Without arguments it says how it is used, and fails.
		out, _ := exec.CommandContext(t.Context(), java, toolArgs(libs, jvm, "kafka.Kafka")...).Output()
		if !strings.Contains(string(out), "kafka.Kafka source: shared objects file (top)") {
			t.Errorf("%s: kafka.Kafka was not taken from the archive:\n%.2000s", version, out)
		}
	}
}

func TestArchiveThatCannotBeMadeIsKnown(t *testing.T) {
	for _, c := range []struct {
		name, text, usable string
		known              bool
	}{
		{"nothing", "", "", false},
		{"empty", "-", "", true},
		{"there", "classes", "classes.jsa", true},
	} {
		path := t.TempDir() + "/classes.jsa"
		if c.text != "" {
			noErr(t, os.WriteFile(path, []byte(strings.Trim(c.text, "-")), 0o600))
		}
		usable, known := archiveState(path)
		if known != c.known || strings.HasSuffix(usable, "/classes.jsa") != (c.usable != "") {
			t.Errorf("%s: %q, %v", c.name, usable, known)
		}
	}
}
