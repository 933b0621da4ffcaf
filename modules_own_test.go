package sarama

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestModulesOfTheirOwnKnowWhatTheClientNeeds has every module here that is
// built with this one know the checksums of what this one is built from: without
// them it is not built at all.
func TestModulesOfTheirOwnKnowWhatTheClientNeeds(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", "-f", "{{with .Module}}{{if .Version}}{{.Path}} {{.Version}} h1:{{end}}{{end}}", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	needed := strings.Split(strings.TrimSpace(string(out)), "\n")
	if len(needed) < 5 {
		t.Fatalf("the client is built from %q", needed)
	}
	var dirs []string
	for _, dir := range []string{"oidc", "examples/*", "bench", "compat"} {
		found, err := filepath.Glob(filepath.Join(dir, "go.mod"))
		if err != nil || len(found) == 0 {
			t.Fatalf("%s: %v", dir, err)
		}
		dirs = append(dirs, found...)
	}
	for _, at := range dirs {
		mod, err := os.ReadFile(at)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(mod), "github.com/IBM/sarama => ") {
			continue
		}
		sums, err := os.ReadFile(filepath.Join(filepath.Dir(at), "go.sum"))
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range needed {
			if line != "" && !strings.Contains(string(sums), line) {
				t.Errorf("%s lacks the checksum of %s", filepath.Dir(at), strings.TrimSuffix(line, " h1:"))
			}
		}
	}
}
