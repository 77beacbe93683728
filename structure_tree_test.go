package semblance_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// A sourceFile is one parsed Go file of the tree, whatever its build constraints.
type sourceFile struct {
	path    string // relative to the root, with slashes
	dir     string // "." for the root package
	test    bool
	fset    *token.FileSet
	ast     *ast.File
	imports []string
}

// at names a place in the file for a message.
func (f *sourceFile) at(n ast.Node) string {
	return f.path + ":" + strconv.Itoa(f.fset.Position(n.Pos()).Line)
}

// in says whether the file lies in one of the folders or below it.
func (f *sourceFile) in(dirs ...string) bool {
	for _, d := range dirs {
		if f.dir == d || strings.HasPrefix(f.dir, d+"/") {
			return true
		}
	}
	return false
}

// isMain says whether the file belongs to a program.
func (f *sourceFile) isMain() bool { return f.ast.Name.Name == "main" }

// parseSource reads one file; the rules are tried on such files too.
func parseSource(name string, source []byte) (*sourceFile, error) {
	fset := token.NewFileSet()
	tree, err := parser.ParseFile(fset, name, source, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	f := &sourceFile{path: name, dir: path.Dir(name), test: strings.HasSuffix(name, "_test.go"), fset: fset, ast: tree}
	for _, spec := range tree.Imports {
		p, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return nil, err
		}
		f.imports = append(f.imports, p)
	}
	return f, nil
}

// A textFile is any file of the tree: its path with slashes, and its content.
type textFile struct {
	path    string
	content []byte
}

// readTree reads what belongs to the project, and none of what is built or cached.
var readTree = sync.OnceValues(func() ([]textFile, error) {
	ignored := map[string]bool{".git": true, ".cache": true, "bin": true, "dist": true, "node_modules": true, "__pycache__": true}
	var files []textFile
	err := filepath.WalkDir(".", func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && ignored[d.Name()]:
			return fs.SkipDir
		case !d.Type().IsRegular(), strings.HasSuffix(p, ".test"), strings.HasSuffix(p, ".prof"):
			return nil
		}
		content, err := os.ReadFile(p)
		files = append(files, textFile{filepath.ToSlash(p), content})
		return err
	})
	return files, err
})

// sources parses the tree's Go files; testdata is left out, as by the go command.
var sources = sync.OnceValues(func() ([]*sourceFile, error) {
	files, err := readTree()
	if err != nil {
		return nil, err
	}
	var parsed []*sourceFile
	for _, f := range files {
		if !strings.HasSuffix(f.path, ".go") || strings.Contains("/"+f.path, "/testdata/") {
			continue
		}
		s, err := parseSource(f.path, f.content)
		if err != nil {
			return nil, err
		}
		parsed = append(parsed, s)
	}
	return parsed, nil
})

// eachSource applies a rule to every Go file of the tree and reports what it finds.
func eachSource(t *testing.T, rule func(*sourceFile) []string) {
	t.Helper()
	files, err := sources()
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 10 {
		t.Fatalf("only %d Go files found: the test does not run in the root of the tree", len(files))
	}
	for _, f := range files {
		for _, finding := range rule(f) {
			t.Error(finding)
		}
	}
}
