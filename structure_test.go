package semblance_test

import (
	"fmt"
	"go/ast"
	"go/token"
	"os"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"semblance"
)

// nativePackages are linked into the worker only: they bring C.
var nativePackages = []string{"media", "detector", "embeddings", "containers"}

// programs may import everything and talk to their terminal.
var programs = []string{"cmd", "bench", "scripts"}

// TestImportsPointDownward holds DESIGN.md's layout: the root, hashing, selector and origin at the
// bottom, adapters beside each other and never on each other, wiring in cmd.
func TestImportsPointDownward(t *testing.T) {
	t.Parallel()
	eachSource(t, importRule)
}

func importRule(f *sourceFile) (found []string) {
	for _, imported := range f.imports {
		if reason := forbiddenImport(f, imported); reason != "" {
			found = append(found, fmt.Sprintf("%s imports %s: %s", f.path, imported, reason))
		}
	}
	return found
}

func forbiddenImport(f *sourceFile, imported string) string {
	ours := imported == "semblance" || strings.HasPrefix(imported, "semblance/")
	folder := strings.TrimPrefix(imported, "semblance/")
	top, _, _ := strings.Cut(f.dir, "/")
	thirdParty := strings.Contains(strings.Split(imported, "/")[0], ".")
	mayLinkC := f.in(nativePackages...) || f.in("bench", "cmd/semblance-worker")
	switch {
	case imported == "C" && !mayLinkC:
		return "C belongs in media, detector, embeddings and the worker"
	case bringsC(imported) && !mayLinkC:
		return "it links C, which only the worker may"
	case ours && slices.Contains(nativePackages, folder) && !mayLinkC:
		return "only cmd/semblance-worker links it"
	case f.test || f.in(programs...):
		return ""
	case f.dir == "." && (thirdParty || ours && !isBase(folder)):
		return "the root imports the standard library, hashing, selector and origin only"
	case isBase(f.dir) && ours:
		return f.dir + " imports nothing of ours"
	case ours && imported != "semblance" && !isBase(folder) && folder != top && !strings.HasPrefix(folder, top+"/"):
		return "an adapter imports the root, hashing, selector and origin, never a sibling"
	}
	return ""
}

// isBase names the packages under the root, which import nothing of ours.
func isBase(folder string) bool {
	return folder == "hashing" || folder == "selector" || folder == "origin"
}

// bringsC lists the modules that need a C compiler.
func bringsC(imported string) bool {
	for _, module := range []string{"gocv.io/x/gocv", "github.com/Kagami/go-face", "github.com/yalue/onnxruntime_go"} {
		if imported == module || strings.HasPrefix(imported, module+"/") {
			return true
		}
	}
	return false
}

// TestPackageComments demands one file for each package that says what the package
// hides, present in every build.
func TestPackageComments(t *testing.T) {
	t.Parallel()
	files, err := sources()
	if err != nil {
		t.Fatal(err)
	}
	for _, finding := range packageCommentRule(files) {
		t.Error(finding)
	}
}

func packageCommentRule(files []*sourceFile) (found []string) {
	comments := map[string][]string{}
	for _, f := range files {
		if f.test {
			continue
		}
		comments[f.dir] = append(comments[f.dir], "")
		if f.ast.Doc == nil || isDirective(f.ast.Doc) {
			continue
		}
		text := f.ast.Doc.Text()
		comments[f.dir][len(comments[f.dir])-1] = f.path
		want := "Package " + f.ast.Name.Name + " "
		if f.isMain() {
			want = "Command " + path.Base(f.dir) + " "
		}
		if !strings.HasPrefix(text, want) {
			found = append(found, fmt.Sprintf("%s: the package comment starts with %q, not %q", f.path, firstLine(text), want))
		}
		if constraint := buildConstraint(f); constraint != "" {
			found = append(found, fmt.Sprintf("%s carries the package comment and is built only with %s", f.path, constraint))
		}
	}
	for dir, carriers := range comments {
		carriers = slices.DeleteFunc(carriers, func(s string) bool { return s == "" })
		if len(carriers) != 1 {
			found = append(found, fmt.Sprintf("%s: one file carries the package comment, here %d do: %v", dir, len(carriers), carriers))
		}
	}
	return found
}

func isDirective(doc *ast.CommentGroup) bool { return strings.TrimSpace(doc.Text()) == "" }

func buildConstraint(f *sourceFile) string {
	for _, group := range f.ast.Comments {
		for _, c := range group.List {
			if c.Pos() < f.ast.Package && strings.HasPrefix(c.Text, "//go:build ") {
				return strings.TrimPrefix(c.Text, "//go:build ")
			}
		}
	}
	if slices.Contains(f.imports, "C") {
		return "cgo"
	}
	return ""
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}

// TestInterfacesStaySmall guards against a store that grows into the application:
// consumers declare the few methods they call.
func TestInterfacesStaySmall(t *testing.T) {
	t.Parallel()
	eachSource(t, interfaceRule)
}

func interfaceRule(f *sourceFile) (found []string) {
	ast.Inspect(f.ast, func(n ast.Node) bool {
		spec, ok := n.(*ast.TypeSpec)
		if !ok {
			return true
		}
		body, ok := spec.Type.(*ast.InterfaceType)
		if !ok {
			return true
		}
		if methods := body.Methods.NumFields(); methods > 5 {
			found = append(found, fmt.Sprintf("%s: interface %s has %d methods; at most 5", f.at(n), spec.Name.Name, methods))
		}
		return true
	})
	return found
}

// TestNoHiddenControl keeps start-up, exit and output in the programs: no init, no
// os.Exit or printing below cmd, no panic in api, no clock in hashing.
func TestNoHiddenControl(t *testing.T) {
	t.Parallel()
	eachSource(t, controlRule)
}

func controlRule(f *sourceFile) (found []string) {
	if f.test {
		return nil
	}
	ast.Inspect(f.ast, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			if n.Recv == nil && n.Name.Name == "init" {
				found = append(found, f.at(n)+": no init functions; wire it by hand in cmd")
			}
		case *ast.CallExpr:
			if reason := forbiddenCall(f, calledName(n.Fun)); reason != "" {
				found = append(found, f.at(n)+": "+reason)
			}
		}
		return true
	})
	return found
}

func forbiddenCall(f *sourceFile, name string) string {
	switch name {
	case "os.Exit", "log.Fatal", "log.Fatalf", "log.Fatalln":
		// The child's half of worker ends its process when the parent is gone.
		if !f.in(programs...) && !(f.in("worker") && name == "os.Exit") {
			return name + " belongs in the programs; return the error"
		}
	case "fmt.Print", "fmt.Printf", "fmt.Println", "print", "println":
		if !f.in(programs...) {
			return name + " belongs in the programs; write to an io.Writer you are given"
		}
	case "panic":
		if f.in("api", "web") {
			return "no panic here; return the error"
		}
	case "time.Now":
		if f.in("hashing") {
			return "hashing has no clock"
		}
	}
	return ""
}

// calledName is "f" for f() and "p.f" for p.f().
func calledName(fun ast.Expr) string {
	switch fun := fun.(type) {
	case *ast.Ident:
		return fun.Name
	case *ast.SelectorExpr:
		if x, ok := fun.X.(*ast.Ident); ok {
			return x.Name + "." + fun.Sel.Name
		}
	}
	return ""
}

// TestPackageVariablesStayConstant finds package variables that a function assigns to.
func TestPackageVariablesStayConstant(t *testing.T) {
	t.Parallel()
	files, err := sources()
	if err != nil {
		t.Fatal(err)
	}
	for _, finding := range packageVariableRule(files) {
		t.Error(finding)
	}
}

func packageVariableRule(files []*sourceFile) (found []string) {
	variables := map[string]bool{} // "dir name"
	for _, f := range files {
		for _, d := range f.ast.Decls {
			if g, ok := d.(*ast.GenDecl); ok && g.Tok == token.VAR && !f.test {
				for _, s := range g.Specs {
					for _, name := range s.(*ast.ValueSpec).Names {
						variables[f.dir+" "+name.Name] = name.Name != "_"
					}
				}
			}
		}
	}
	for _, f := range files {
		for _, d := range f.ast.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || f.test {
				continue
			}
			local := localNames(fn)
			for _, name := range assignedNames(fn) {
				if variables[f.dir+" "+name.Name] && !local[name.Name] {
					found = append(found, fmt.Sprintf("%s: the package variable %s changes after start", f.at(name), name.Name))
				}
			}
		}
	}
	return found
}

// localNames are the names that a function declares anywhere: coarse, and enough
// here, because a rule that misses a shadowed name is better than a false alarm.
func localNames(fn *ast.FuncDecl) map[string]bool {
	names := map[string]bool{}
	ast.Inspect(fn, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.Field:
			for _, name := range n.Names {
				names[name.Name] = true
			}
		case *ast.ValueSpec:
			for _, name := range n.Names {
				names[name.Name] = true
			}
		case *ast.AssignStmt:
			if n.Tok == token.DEFINE {
				addIdents(names, n.Lhs...)
			}
		case *ast.RangeStmt:
			if n.Tok == token.DEFINE {
				addIdents(names, n.Key, n.Value)
			}
		}
		return true
	})
	return names
}

func addIdents(names map[string]bool, exprs ...ast.Expr) {
	for _, e := range exprs {
		if id, ok := e.(*ast.Ident); ok {
			names[id.Name] = true
		}
	}
}

// assignedNames are the variables, or the variables holding the map, slice or
// struct, that a function writes to.
func assignedNames(fn *ast.FuncDecl) (names []*ast.Ident) {
	add := func(e ast.Expr) {
		for {
			switch x := e.(type) {
			case *ast.IndexExpr:
				e = x.X
				continue
			case *ast.SelectorExpr:
				e = x.X
				continue
			case *ast.Ident:
				names = append(names, x)
			}
			return
		}
	}
	ast.Inspect(fn, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.AssignStmt:
			if n.Tok != token.DEFINE {
				for _, e := range n.Lhs {
					add(e)
				}
			}
		case *ast.IncDecStmt:
			add(n.X)
		}
		return true
	})
	return names
}

// TestErrorCodesHavePages demands a page that says what to do for every code, and no
// page without a code.
func TestErrorCodesHavePages(t *testing.T) {
	t.Parallel()
	pages := map[string]bool{}
	for _, code := range semblance.Codes() {
		name := string(code) + ".md"
		pages[name] = true
		content, err := os.ReadFile("docs/problems/" + name)
		if err != nil {
			t.Errorf("code %s has no page: %v", code, err)
			continue
		}
		if !strings.HasPrefix(string(content), "# "+string(code)+"\n") || !strings.Contains(string(content), "**What to do.**") {
			t.Errorf("docs/problems/%s: starts with its code and has a paragraph \"What to do.\"", name)
		}
	}
	entries, err := os.ReadDir("docs/problems")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !pages[e.Name()] {
			t.Errorf("docs/problems/%s is the page of no code", e.Name())
		}
	}
}

// TestModulesAreAccountedFor demands a line in docs/dependencies.md for every module
// that our own code imports, and no more than 32 of them.
func TestModulesAreAccountedFor(t *testing.T) {
	t.Parallel()
	gomod, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	listed, err := os.ReadFile("docs/dependencies.md")
	if err != nil {
		t.Fatal(err)
	}
	files, err := sources()
	if err != nil {
		t.Fatal(err)
	}
	direct := directModules(string(gomod), files)
	for _, module := range direct {
		if !strings.Contains(string(listed), "`"+module+"`") {
			t.Errorf("%s is imported and has no line in docs/dependencies.md", module)
		}
	}
	if len(direct) > 32 {
		t.Errorf("%d direct modules; 32 is the ceiling", len(direct))
	}
}

// directModules are the required modules that a file imports, whatever go.mod calls
// indirect.
func directModules(gomod string, files []*sourceFile) (direct []string) {
	for _, m := range regexp.MustCompile(`(?m)^(?:require\s+|\t)([\w.-]+\.[\w./-]+) v\S+`).FindAllStringSubmatch(gomod, -1) {
		imported := slices.ContainsFunc(files, func(f *sourceFile) bool {
			return slices.ContainsFunc(f.imports, func(p string) bool { return p == m[1] || strings.HasPrefix(p, m[1]+"/") })
		})
		if imported {
			direct = append(direct, m[1])
		}
	}
	return direct
}

// TestTreeIsSelfContained finds what would only work in one workplace, and files
// that do not belong into a repository.
func TestTreeIsSelfContained(t *testing.T) {
	t.Parallel()
	files, err := readTree()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		for _, finding := range contentRule(f) {
			t.Error(finding)
		}
	}
}

func contentRule(f textFile) (found []string) {
	beside := "../" + "shared" // in two pieces, or this file would break its own rule
	if f.path != ".ci/run" && strings.Contains(string(f.content), beside) {
		found = append(found, f.path+": only .ci/run may name "+beside)
	}
	if len(f.content) > 1<<20 {
		found = append(found, f.path+": "+strconv.Itoa(len(f.content))+" bytes; weights and pictures never enter the repository")
	}
	return found
}
