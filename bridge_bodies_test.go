package sarama

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// TestEachBodyIsHandedToTheOracle finds the types that are bodies by their
// meta methods.
func TestEachBodyIsHandedToTheOracle(t *testing.T) {
	handed := make(map[string]bool)
	for key := range int16(keyMax + 1) {
		for _, response := range []bool{false, true} {
			for _, b := range bodiesOf(key, response) {
				handed[reflect.TypeOf(b).Elem().Name()] = true
			}
		}
	}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv != nil && f.Name.Name == "meta" {
				receiver := f.Recv.List[0].Type.(*ast.StarExpr).X.(*ast.Ident).Name
				if found++; !handed[receiver] {
					t.Errorf("%s: %s is a body that bodiesOf does not make", name, receiver)
				}
			}
		}
	}
	if found != len(handed) {
		t.Errorf("%d bodies, %d handed over", found, len(handed))
	}
}
