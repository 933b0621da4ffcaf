package sarama

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strings"
	"testing"
)

func TestVersionsAreComplete(t *testing.T) {
	if len(SupportedVersions) != 81 {
		t.Fatalf("%d versions, want 81", len(SupportedVersions))
	}
	if SupportedVersions[0] != MinVersion || SupportedVersions[80] != MaxVersion {
		t.Error("the list does not run from MinVersion to MaxVersion")
	}
	for i, v := range SupportedVersions[1:] {
		if !v.IsAtLeast(SupportedVersions[i]) || v == SupportedVersions[i] {
			t.Errorf("%v comes after %v", v, SupportedVersions[i])
		}
	}
	for v, want := range map[KafkaVersion]string{MinVersion: "0.8.2.0", MaxVersion: "4.3.1", DefaultVersion: "2.8.0"} {
		if v.String() != want {
			t.Errorf("got %v, want %s", v, want)
		}
	}
}

// The variables are named after the version they hold, and all are listed.
func TestVersionVariablesHoldWhatTheirNameSays(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "version.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	listed := map[KafkaVersion]bool{}
	for _, v := range SupportedVersions {
		listed[v] = true
	}
	count := 0
	ast.Inspect(file, func(node ast.Node) bool {
		spec, ok := node.(*ast.ValueSpec)
		if !ok || spec.Names[0].Name[0] != 'V' {
			return true
		}
		count++
		checkVersionVariable(t, spec, listed)
		return false
	})
	if count != 81 {
		t.Errorf("%d variables, want 81", count)
	}
}

func checkVersionVariable(t *testing.T, spec *ast.ValueSpec, listed map[KafkaVersion]bool) {
	t.Helper()
	var parts []string
	for _, arg := range spec.Values[0].(*ast.CallExpr).Args {
		parts = append(parts, arg.(*ast.BasicLit).Value)
	}
	name := spec.Names[0].Name
	if "V"+strings.Join(parts, "_") != name {
		t.Errorf("%s holds %v", name, parts)
	}
	if parts[0] != "0" {
		parts = parts[:3]
	}
	v, err := ParseKafkaVersion(strings.Join(parts, "."))
	if err != nil || !listed[v] {
		t.Errorf("%s is not in SupportedVersions (%v)", name, err)
	}
}

func TestParseKafkaVersion(t *testing.T) {
	for s, want := range map[string]KafkaVersion{
		"0.8.2.0":        V0_8_2_0,
		"0.10.2.1":       V0_10_2_1,
		"1.0.0":          V1_0_0_0,
		"2.8.1":          V2_8_1_0,
		"1.02.3":         release(1, 2, 3, 0),
		"99.1.2":         release(99, 1, 2, 0),
		"4294967296.1.2": release(1<<32, 1, 2, 0),
	} {
		if v, err := ParseKafkaVersion(s); err != nil || v != want {
			t.Errorf("%q: got %v, %v", s, v, err)
		}
	}
	for _, s := range []string{
		"", ".", "2.8", "1.0.0.0", "0.10.0", "0.1.2", "01.2.3", "00.11.0.0", "0.10.0.0.1", "1.0.0 ", " 1.0.0", "v1.0.0",
		"1.0.0-rc", "+1.0.0", "1.-1.0", "1_0.0.0", "1..0", "1.0.0\n", "99999999999999999999.1.1",
	} {
		v, err := ParseKafkaVersion(s)
		if err == nil || err.Error() != "invalid version `"+s+"`" || v != DefaultVersion {
			t.Errorf("%q: got %v, %v", s, v, err)
		}
	}
}

func FuzzParseKafkaVersion(f *testing.F) {
	for _, v := range SupportedVersions {
		f.Add(v.String())
	}
	f.Add("1.00.0")
	f.Fuzz(func(t *testing.T, s string) {
		v, err := ParseKafkaVersion(s)
		if err != nil {
			if v != DefaultVersion {
				t.Errorf("%q: %v with an error", s, v)
			}
			return
		}
		again, err := ParseKafkaVersion(v.String())
		if err != nil || again != v {
			t.Errorf("%q became %v, which reads as %v, %v", s, v, again, err)
		}
	})
}

func TestIsAtLeastOrdersByTheFirstPartThatDiffers(t *testing.T) {
	for _, c := range []struct {
		a, b KafkaVersion
		want bool
	}{
		{V1_0_0_0, V0_11_0_2, true},
		{V0_11_0_2, V1_0_0_0, false},
		{V0_10_2_0, V0_10_2_0, true},
		{V0_10_1_1, V0_10_2_0, false},
		{V0_10_2_0, V0_10_1_1, true},
		{KafkaVersion{}, V0_8_2_0, false},
	} {
		if got := c.a.IsAtLeast(c.b); got != c.want {
			t.Errorf("%v at least %v: %v", c.a, c.b, got)
		}
	}
	if got := (KafkaVersion{}).String(); got != "0.0.0.0" {
		t.Errorf("zero value prints %q", got)
	}
}
