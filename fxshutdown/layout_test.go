package fxshutdown

import (
	"errors"
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// layoutGroups are the rows of CONTRIBUTING's table, by a file in each of the first and the
// last, that know each other.
var layoutGroups = [][2]string{{"conn.go", "hooks.go"}, {"stop.go", "server.go"}}

// TestLayout checks CONTRIBUTING's table of the engine's files: every file is in it once,
// and uses what is in its own row, or above it. Rows of a group count as one.
func TestLayout(t *testing.T) {
	fset := token.NewFileSet()
	var files []*ast.File
	rows := layoutRows(t)
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		if _, ok := rows[name]; !ok {
			t.Errorf("%s is not in the table", name)
		}
		if !builds(t, name) {
			continue
		}
		file, err := parser.ParseFile(fset, name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	// Without the standard library's packages, which would take seconds, what goes through
	// their types stays unknown: little.
	info := &types.Info{Uses: make(map[*ast.Ident]types.Object)}
	conf := types.Config{Importer: nothing{}, Error: func(error) {}}
	pkg, _ := conf.Check("fxshutdown", fset, files, info)
	up := make(map[string][]string)
	for id, o := range info.Uses {
		if o.Pkg() != pkg || !o.Pos().IsValid() {
			continue
		}
		from, to := fset.Position(id.Pos()).Filename, fset.Position(o.Pos()).Filename
		if use := from + " uses " + to; rows[to] > rows[from] && !slices.Contains(up[use], o.Name()) {
			up[use] = append(up[use], o.Name())
		}
	}
	for use, what := range up {
		t.Errorf("%s, which is below it: %v", use, what)
	}
}

type nothing struct{}

func (nothing) Import(string) (*types.Package, error) { return nil, errors.New("not needed") }

// layoutRows returns the number of each file's row, the same for those of a group.
func layoutRows(t *testing.T) map[string]int {
	t.Helper()
	text, err := os.ReadFile("../CONTRIBUTING.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(text), "The engine, `fxshutdown/`")
	table, _, _ = strings.Cut(table, "\nAround it:")
	rows, quoted := make(map[string]int), regexp.MustCompile("`([^`]+)`")
	for i, line := range strings.Split(table, "\n") {
		cells := strings.Split(line, "|")
		if len(cells) < 3 {
			continue
		}
		for _, m := range quoted.FindAllStringSubmatch(cells[1], -1) {
			names, err := filepath.Glob(m[1])
			if err != nil || len(names) == 0 {
				t.Errorf("the table has %s, which is no file: %v", m[1], err)
			}
			for _, name := range names {
				if _, ok := rows[name]; ok {
					t.Errorf("%s is in the table twice", name)
				}
				rows[name] = i
			}
		}
	}
	for _, group := range layoutGroups {
		first, last := rows[group[0]], rows[group[1]]
		for name, row := range rows {
			if first <= row && row <= last {
				rows[name] = first
			}
		}
	}
	return rows
}

// builds reports whether the file is built on this system.
func builds(t *testing.T, name string) bool {
	t.Helper()
	ok, err := build.Default.MatchFile(".", name)
	if err != nil {
		t.Fatal(err)
	}
	return ok
}
