package sarama_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"go/ast"
	"go/build"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
)

// The exported API is compared with that of Sarama v1.61.1, a manifest of one
// item a line: "kind package.Name :: what it is".

// apiFloor is how many items of the manifest are here. It goes up with them.
const apiFloor = 2358

const modulePath = "github.com/IBM/sarama"

var listMissing = flag.Bool("missing", false, "TestExportedAPI lists what of Sarama v1.61.1 is not here")

func TestExportedAPI(t *testing.T) {
	manifest, err := os.ReadFile(filepath.Join("testdata", "api-sarama-1.61.1.txt"))
	if err != nil {
		t.Fatal(err)
	}
	patterns := []string{"."}
	if _, err := os.Stat("mocks"); err == nil {
		patterns = append(patterns, "./mocks")
	}
	loaded, err := loadTypes(patterns...)
	if err != nil {
		t.Fatal(err)
	}
	want, have := itemsByName(strings.Split(string(manifest), "\n")), itemsByName(apiOf(loaded))
	diff := compareAPI(want, have)
	if *listMissing {
		for _, name := range diff.missing {
			t.Logf("missing: %s :: %s", name, want[name])
		}
	}
	for _, name := range diff.changed {
		t.Errorf("%s\n is   %s\n was  %s", name, have[name], want[name])
	}
	for _, name := range diff.grown {
		t.Errorf("%s was added: who implements the interface no longer does", name)
	}
	t.Logf("%d of %d items present", diff.present, len(want))
	if diff.present < apiFloor {
		t.Errorf("%d items of Sarama v1.61.1 are present, there were %d", diff.present, apiFloor)
	} else if diff.present > apiFloor {
		t.Logf("apiFloor can be raised from %d to %d", apiFloor, diff.present)
	}
}

func TestExportedAPIComparison(t *testing.T) {
	want := itemsByName([]string{
		"const sarama.C :: int8 = 1", "func sarama.F :: (sarama.(unexported), *sarama.(unexported)) error",
		"type sarama.I :: interface", "imethod sarama.I.M :: ()", "type sarama.S :: struct", "",
	})
	for _, tc := range []struct {
		name string
		have []string
		want apiDiff
	}{
		{"nothing is here", nil, apiDiff{missing: slices.Sorted(maps.Keys(want))}},
		{"another value", []string{"const sarama.C :: int8 = 2"}, apiDiff{changed: []string{"const sarama.C"}}},
		{"another type", []string{"const sarama.C :: int = 1"}, apiDiff{changed: []string{"const sarama.C"}}},
		{"another kind of type", []string{"type sarama.S :: interface", "imethod sarama.S.N :: ()"},
			apiDiff{changed: []string{"type sarama.S"}, grown: []string{"imethod sarama.S.N"}}},
		{"a name for what had none", []string{"func sarama.F :: (sarama.Named, io.Reader) error"}, apiDiff{present: 1}},
		{"a result more", []string{"func sarama.F :: (sarama.Named, io.Reader) (int, error)"}, apiDiff{changed: []string{"func sarama.F"}}},
		{"a method more", []string{"type sarama.I :: interface", "imethod sarama.I.M :: ()", "imethod sarama.I.N :: ()"},
			apiDiff{present: 2, grown: []string{"imethod sarama.I.N"}}},
		{"a closed interface", []string{"type sarama.I :: interface", "imethod sarama.I.(unexported) :: closed to other packages"},
			apiDiff{present: 1, grown: []string{"imethod sarama.I.(unexported)"}}},
		{"additions", []string{"type sarama.J :: interface", "imethod sarama.J.N :: ()", "field sarama.S.A :: int", "type sarama.S :: struct"},
			apiDiff{present: 1}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := compareAPI(want, itemsByName(tc.have))
			if len(got.missing) != len(want)-got.present-len(got.changed) {
				t.Errorf("%d missing, %d present, %d changed of %d", len(got.missing), got.present, len(got.changed), len(want))
			}
			if tc.want.missing == nil {
				got.missing = nil
			}
			if !reflect.DeepEqual(got, tc.want) {
				t.Errorf("got  %+v\nwant %+v", got, tc.want)
			}
		})
	}
}

func TestExportedAPIIsListed(t *testing.T) {
	const src = `package sarama
		const C, u = iota + 1, "u"
		var V <-chan map[string]*[]byte
		type closed struct{ A int }
		func (*closed) Promoted() {}
		type S struct {
			closed
			*E
			N struct{ Deep [2]any; low int }
			O struct{ P, q func(a ...int) }
			b bool
		}
		type E struct{}
		func (E) Value(name string) (n int, err error) { return }
		func (*E) Pointer(...*closed) error { return nil }
		type I interface { error; M(I) chan<- rune; m(); n() }
		type G[T any] []T
		type A = G[uint8]
		func F(interface{ Close() }, struct{ B byte "tag" }) (x A) { return }`
	const want = `const sarama.C :: untyped int = 1
field sarama.S.E :: embedded *sarama.E
field sarama.S.N :: struct
field sarama.S.N.Deep :: [2]any
field sarama.S.O :: struct
field sarama.S.O.P :: func(...int)
func sarama.F :: (interface{Close()}, struct{B byte}) sarama.G[uint8]
imethod sarama.I.(unexported) :: closed to other packages
imethod sarama.I.Error :: () string
imethod sarama.I.M :: (sarama.I) chan<- rune
method sarama.E.Pointer :: * (...*sarama.(unexported)) error
method sarama.E.Value :: value (string) (int, error)
method sarama.S.Pointer :: value (...*sarama.(unexported)) error
method sarama.S.Promoted :: * ()
method sarama.S.Value :: value (string) (int, error)
type sarama.A :: []uint8
type sarama.E :: struct
type sarama.G :: []T
type sarama.I :: interface
type sarama.S :: struct
var sarama.V :: <-chan map[string]*[]byte`
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, "src.go", src, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	pkg, err := new(types.Config).Check(modulePath, fset, []*ast.File{f}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(apiOf([]*types.Package{pkg}), "\n"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// itemsByName splits lines into what comes before and behind " :: ".
func itemsByName(lines []string) map[string]string {
	items := make(map[string]string, len(lines))
	for _, line := range lines {
		if name, is, ok := strings.Cut(line, " :: "); ok {
			items[name] = is
		}
	}
	return items
}

// apiDiff is how an API differs from one that it must be compatible with, each
// list in order.
type apiDiff struct {
	present int
	missing []string
	changed []string
	grown   []string // methods new in old interfaces
}

func compareAPI(want, have map[string]string) (d apiDiff) {
	for _, name := range slices.Sorted(maps.Keys(want)) {
		switch is, ok := have[name]; {
		case !ok:
			d.missing = append(d.missing, name)
		case !sameItem(want[name], is):
			d.changed = append(d.changed, name)
		default:
			d.present++
		}
	}
	for _, name := range slices.Sorted(maps.Keys(have)) {
		if of, isMethod := strings.CutPrefix(name, "imethod "); isMethod {
			_, old := want["type "+of[:strings.LastIndex(of, ".")]]
			if _, known := want[name]; old && !known {
				d.grown = append(d.grown, name)
			}
		}
	}
	return d
}

// closedType is, in a quoted item, a type that its package does not export. Who
// uses the package cannot name it, so that any other serves as well.
var closedType = regexp.MustCompile(`(?:\\\*)?[a-z]+\\\.\\\(unexported\\\)`)

func sameItem(want, is string) bool {
	if want == is || !strings.Contains(want, "(unexported)") {
		return want == is
	}
	pattern := closedType.ReplaceAllLiteralString(regexp.QuoteMeta(want), `\*?[\w./()]+`)
	return regexp.MustCompile("^" + pattern + "$").MatchString(is)
}

// apiOf lists the exported items of packages.
func apiOf(pkgs []*types.Package) []string {
	l := apiLister{names: make(map[*types.TypeName]string)}
	for _, pkg := range pkgs {
		for _, alias := range pkg.Scope().Names() {
			tn, ok := pkg.Scope().Lookup(alias).(*types.TypeName)
			if !ok || !tn.Exported() || !tn.IsAlias() {
				continue
			}
			to, ok := types.Unalias(tn.Type()).(*types.Named)
			if !ok || to.Obj().Pkg() == nil {
				continue
			}
			if from := to.Obj().Pkg(); inModule(from.Path()) && !slices.Contains(pkgs, from) {
				l.names[to.Obj()] = pkg.Name() + "." + alias
			}
		}
	}
	for _, pkg := range pkgs {
		l.pkg = pkg
		for _, name := range pkg.Scope().Names() {
			if token.IsExported(name) {
				l.object(pkg.Scope().Lookup(name))
			}
		}
	}
	slices.Sort(l.lines)
	return slices.Compact(l.lines)
}

func inModule(path string) bool { return path == modulePath || strings.HasPrefix(path, modulePath+"/") }

// apiLister collects the lines of a manifest.
type apiLister struct {
	names map[*types.TypeName]string // of types that another package of the module declares: what they are exported as
	pkg   *types.Package
	lines []string
}

func (l *apiLister) line(kind, name, is string) {
	l.lines = append(l.lines, kind+" "+l.pkg.Name()+"."+name+" :: "+is)
}

func (l *apiLister) object(o types.Object) {
	switch o := o.(type) {
	case *types.Const:
		l.line("const", o.Name(), l.typ(o.Type())+" = "+o.Val().ExactString())
	case *types.Var:
		l.line("var", o.Name(), l.typ(o.Type()))
	case *types.Func:
		l.line("func", o.Name(), l.signature(o.Signature()))
	case *types.TypeName:
		switch u := o.Type().Underlying().(type) {
		case *types.Interface:
			l.line("type", o.Name(), "interface")
			for m := range u.Methods() {
				if m.Exported() {
					l.line("imethod", o.Name()+"."+m.Name(), l.signature(m.Signature()))
				} else {
					l.line("imethod", o.Name()+".(unexported)", "closed to other packages")
				}
			}
			return // the methods of its method set are these
		case *types.Struct:
			l.line("type", o.Name(), "struct")
			l.fields(o.Name(), u)
		default:
			l.line("type", o.Name(), l.typ(u))
		}
		l.methods(o)
	}
}

// methods are those of *T, promoted ones too, each with whether T has it as well.
func (l *apiLister) methods(tn *types.TypeName) {
	ofValue := types.NewMethodSet(tn.Type())
	for sel := range types.NewMethodSet(types.NewPointer(tn.Type())).Methods() {
		m := sel.Obj()
		if !m.Exported() {
			continue
		}
		receiver := "*"
		if ofValue.Lookup(m.Pkg(), m.Name()) != nil {
			receiver = "value"
		}
		l.line("method", tn.Name()+"."+m.Name(), receiver+" "+l.signature(sel.Type().(*types.Signature)))
	}
}

// fields of structs without a name are named by their path, as they are used.
func (l *apiLister) fields(path string, s *types.Struct) {
	for f := range s.Fields() {
		if !f.Exported() {
			continue
		}
		name := path + "." + f.Name()
		inner, nested := f.Type().(*types.Struct)
		switch {
		case nested:
			l.line("field", name, "struct")
			l.fields(name, inner)
		case f.Embedded():
			l.line("field", name, "embedded "+l.typ(f.Type()))
		default:
			l.line("field", name, l.typ(f.Type()))
		}
	}
}

// signature writes parameters and results without their names, which a caller
// does not depend on.
func (l *apiLister) signature(s *types.Signature) string {
	params, results := l.tuple(s.Params()), l.tuple(s.Results())
	if last := len(params) - 1; s.Variadic() {
		params[last] = "..." + strings.TrimPrefix(params[last], "[]")
	}
	text := "(" + strings.Join(params, ", ") + ")"
	switch len(results) {
	case 0:
		return text
	case 1:
		return text + " " + results[0]
	}
	return text + " (" + strings.Join(results, ", ") + ")"
}

func (l *apiLister) tuple(vars *types.Tuple) (list []string) {
	for v := range vars.Variables() {
		list = append(list, l.typ(v.Type()))
	}
	return list
}

func (l *apiLister) typ(t types.Type) string {
	switch t := types.Unalias(t).(type) {
	case *types.Named:
		return l.named(t)
	case *types.Pointer:
		return "*" + l.typ(t.Elem())
	case *types.Slice:
		return "[]" + l.typ(t.Elem())
	case *types.Array:
		return fmt.Sprintf("[%d]%s", t.Len(), l.typ(t.Elem()))
	case *types.Map:
		return "map[" + l.typ(t.Key()) + "]" + l.typ(t.Elem())
	case *types.Chan:
		return map[types.ChanDir]string{types.SendRecv: "chan ", types.SendOnly: "chan<- ", types.RecvOnly: "<-chan "}[t.Dir()] + l.typ(t.Elem())
	case *types.Signature:
		return "func" + l.signature(t)
	case *types.Struct:
		var fields []string
		for f := range t.Fields() {
			fields = append(fields, f.Name()+" "+l.typ(f.Type()))
		}
		return "struct{" + strings.Join(fields, "; ") + "}"
	case *types.Interface:
		if t.Empty() {
			return "any"
		}
		var methods []string
		for m := range t.Methods() {
			methods = append(methods, m.Name()+l.signature(m.Signature()))
		}
		return "interface{" + strings.Join(methods, "; ") + "}"
	default:
		return t.String() // basic types and type parameters
	}
}

func (l *apiLister) named(t *types.Named) string {
	o := t.Obj()
	if as, ok := l.names[o]; ok {
		return as
	}
	if o.Pkg() == nil {
		return o.Name() // error
	}
	qualifier, name := o.Pkg().Path(), o.Name()
	if n := o.Pkg().Name(); n == "sarama" || n == "mocks" {
		qualifier = n
	}
	if !o.Exported() {
		name = "(unexported)"
	}
	if t.TypeArgs().Len() > 0 {
		var args []string
		for a := range t.TypeArgs().Types() {
			args = append(args, l.typ(a))
		}
		name += "[" + strings.Join(args, ", ") + "]"
	}
	return qualifier + "." + name
}

// loadTypes checks the types of packages from source; what they import from
// other modules comes from what the compiler wrote for the running test.
func loadTypes(patterns ...string) ([]*types.Package, error) {
	listed, err := goList[sourcePackage](append([]string{"-deps", "-json=ImportPath,Dir,GoFiles,Imports,DepOnly"}, patterns...)...)
	if err != nil {
		return nil, err
	}
	listed = slices.DeleteFunc(listed, func(p sourcePackage) bool { return !inModule(p.ImportPath) })
	checked, fset := make(map[string]*types.Package), token.NewFileSet()
	others, err := importerOfOthers(fset, listed)
	if err != nil {
		return nil, err
	}
	conf := types.Config{
		IgnoreFuncBodies: true,
		Sizes:            types.SizesFor("gc", build.Default.GOARCH),
		Importer: importerFunc(func(path string) (*types.Package, error) {
			if pkg := checked[path]; pkg != nil {
				return pkg, nil
			}
			return others.Import(path)
		}),
	}
	var pkgs []*types.Package
	for _, p := range listed { // what a package imports comes before it
		files, err := p.parse(fset)
		if err != nil {
			return nil, err
		}
		pkg, err := conf.Check(p.ImportPath, fset, files, nil)
		if err != nil {
			return nil, err
		}
		if checked[p.ImportPath] = pkg; !p.DepOnly {
			pkgs = append(pkgs, pkg)
		}
	}
	return pkgs, nil
}

// sourcePackage is what go list says of a package of this module.
type sourcePackage struct {
	ImportPath, Dir  string
	GoFiles, Imports []string
	DepOnly          bool
}

func (p *sourcePackage) parse(fset *token.FileSet) (files []*ast.File, err error) {
	for _, name := range p.GoFiles {
		f, err := parser.ParseFile(fset, filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		files = append(files, f)
	}
	return files, nil
}

// importerOfOthers imports what the packages import from elsewhere. With the
// flags of the running test, all of it is in the build cache.
func importerOfOthers(fset *token.FileSet, pkgs []sourcePackage) (types.Importer, error) {
	args := []string{"-export", "-json=ImportPath,Export"}
	if info, ok := debug.ReadBuildInfo(); ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"}) {
		args = append(args, "-race")
	}
	paths := make(map[string]bool)
	for _, p := range pkgs {
		for _, path := range p.Imports {
			if !inModule(path) {
				paths[path] = true
			}
		}
	}
	listed, err := goList[struct{ ImportPath, Export string }](slices.AppendSeq(args, maps.Keys(paths))...)
	if err != nil {
		return nil, err
	}
	exports := make(map[string]string, len(listed))
	for _, p := range listed {
		exports[p.ImportPath] = p.Export
	}
	return importer.ForCompiler(fset, "gc", func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) }), nil
}

// goList runs go list -json.
func goList[P any](args ...string) (list []P, err error) {
	cmd := exec.Command("go", append([]string{"list"}, args...)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%v: %w\n%s", cmd, err, &stderr)
	}
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p P
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return list, nil
		} else if err != nil {
			return nil, fmt.Errorf("output of %v: %w", cmd, err)
		}
		list = append(list, p)
	}
}

type importerFunc func(path string) (*types.Package, error)

func (f importerFunc) Import(path string) (*types.Package, error) { return f(path) }
