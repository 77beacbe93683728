package semblance_test

import (
	"strings"
	"testing"
)

// TestRulesFindWhatTheyForbid tries every rule of the structure tests on a file that
// breaks it and on one that just does not: a rule that finds nothing in a clean tree
// may also be one that cannot find anything.
func TestRulesFindWhatTheyForbid(t *testing.T) {
	t.Parallel()
	files := func(rule func([]*sourceFile) []string) func(*sourceFile) []string {
		return func(f *sourceFile) []string { return rule([]*sourceFile{f}) }
	}
	tests := []struct {
		name, path, source string
		rule               func(*sourceFile) []string
		want               string // part of the finding; "" when there is none
	}{
		{"root imports a module", "a.go", `package semblance; import "github.com/x/y"`, importRule, "standard library"},
		{"root imports an adapter", "a.go", `package semblance; import "semblance/store"`, importRule, "standard library"},
		{"root imports hashing", "a.go", `package semblance; import "semblance/hashing"`, importRule, ""},
		{"adapter imports a sibling", "scan/a.go", `package scan; import "semblance/store"`, importRule, "never a sibling"},
		{"adapter imports its own folder", "index/qdrant/a.go", `package qdrant; import "semblance/index"`, importRule, ""},
		{"prefix is not a folder", "index/a.go", `package index; import "semblance/indexes"`, importRule, "never a sibling"},
		{"root imports selector", "a.go", `package semblance; import "semblance/selector"`, importRule, ""},
		{"selector imports hashing", "selector/a.go", `package selector; import "semblance/hashing"`, importRule, "nothing of ours"},
		{"hashing imports the root", "hashing/a.go", `package hashing; import "semblance"`, importRule, "nothing of ours"},
		{"cgo in the program", "cmd/semblance/a.go", `package main; import "C"`, importRule, "C belongs"},
		{"gocv in a test of the program", "cmd/semblance/a_test.go", `package main; import "gocv.io/x/gocv"`, importRule, "links C"},
		{"program links the detector", "cmd/semblance/a.go", `package main; import "semblance/detector"`, importRule, "only cmd/semblance-worker"},
		{"worker links the detector", "cmd/semblance-worker/a.go", `package main; import "semblance/detector"`, importRule, ""},

		{"no package comment", "a.go", `package semblance`, files(packageCommentRule), "0 do"},
		{"comment of another package", "scan/a.go", "// Package other is.\npackage scan", files(packageCommentRule), "starts with"},
		{"comment only in some builds", "media/a.go", "//go:build linux\n\n// Package media decodes.\npackage media", files(packageCommentRule), "built only with linux"},
		{"comment in a cgo file", "media/a.go", "// Package media decodes.\npackage media\nimport \"C\"", files(packageCommentRule), "built only with cgo"},
		{"comment of a program", "cmd/x/a.go", "// Command x does.\npackage main", files(packageCommentRule), ""},

		{"six methods", "a.go", `package semblance; type I interface { A(); B(); C(); D(); E(); F() }`, interfaceRule, "6 methods"},
		{"five methods", "a.go", `package semblance; type I interface { A(); B(); C(); D(); E() }`, interfaceRule, ""},

		{"init", "cmd/x/a.go", `package main; func init() {}`, controlRule, "no init"},
		{"method named init", "a.go", `package semblance; func (e *Engine) init() {}`, controlRule, ""},
		{"exit below cmd", "scan/a.go", `package scan; func f() { os.Exit(1) }`, controlRule, "os.Exit"},
		{"print below cmd", "scan/a.go", `package scan; func f() { fmt.Println() }`, controlRule, "fmt.Println"},
		{"print in a program", "cmd/x/a.go", `package main; func f() { fmt.Println() }`, controlRule, ""},
		{"panic in api", "api/a.go", `package api; func f() { panic(1) }`, controlRule, "no panic"},
		{"clock in hashing", "hashing/a.go", `package hashing; var t = time.Now()`, controlRule, "no clock"},

		{"variable changes", "scan/a.go", `package scan; var n int; func f() { n++ }`, files(packageVariableRule), "changes after start"},
		{"map changes", "scan/a.go", `package scan; var m = map[int]int{}; func f() { m[1] = 2 }`, files(packageVariableRule), "changes after start"},
		{"shadowed", "scan/a.go", `package scan; var n int; func f() { n := 1; n++ }`, files(packageVariableRule), ""},

		{"function without comment", "scan/a.go", `package scan; func Walk() {}`, documentationRule, "Walk"},
		{"comment without the name", "scan/a.go", "package scan\n// Walks along.\nfunc Walk() {}", documentationRule, "Walk"},
		{"type with an article", "scan/a.go", "package scan\n// A Walk is one.\ntype Walk struct{}", documentationRule, ""},
		{"method of the standard library", "scan/a.go", `package scan; func (e *E) Error() string { return "" }`, documentationRule, ""},
		{"method of a private type", "scan/a.go", `package scan; func (w walk) Close() {}`, documentationRule, ""},
		{"constant without comment", "scan/a.go", `package scan; const Limit = 1`, documentationRule, "Limit"},
		{"constants of a group", "scan/a.go", "package scan\n// The limits.\nconst (\nA = 1\nB = 2\n)", documentationRule, ""},

		{"match", "scan/a.go", `package scan; type FaceMatch struct{}`, wordRule, `"match"`},
		{"near match", "scan/a.go", `package scan; type NearMatches struct{}`, wordRule, ""},
		{"match in JSON", "scan/a.go", "package scan; type T struct { N int `json:\"best_match,omitempty\"` }", wordRule, `"match"`},
		{"near match in JSON", "scan/a.go", "package scan; type T struct { N int `json:\"near-matches\"` }", wordRule, ""},
		{"similarity", "scan/a.go", `package scan; func Similarity() {}`, wordRule, "distance"},
		{"confidence in a field", "scan/a.go", `package scan; type T struct { Confidence int }`, wordRule, "detector score"},
		{"part of a word", "scan/a.go", `package scan; func Mismatch() {}`, wordRule, ""},

		{"similarity transform", "detector/a.go", `package detector; type Similarity struct{}`, wordRule, ""},

		{"a percentage", "report/a.go", `package report; const s = "%d %% match"`, promiseRule, "% match"},
		{"a promise", "report/a.go", `package report; const s = "identified as %s"`, promiseRule, "identified as"},
		{"its refusal", "report/a.go", `package report; const s = "never an identification"`, promiseRule, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f, err := parseSource(tt.path, []byte(tt.source))
			if err != nil {
				t.Fatal(err)
			}
			found := strings.Join(tt.rule(f), "\n")
			if tt.want == "" && found != "" || !strings.Contains(found, tt.want) {
				t.Errorf("found %q, want %q", found, tt.want)
			}
		})
	}
}

// TestContentRuleFindsForeignPaths tries the rule that reads every file.
func TestContentRuleFindsForeignPaths(t *testing.T) {
	t.Parallel()
	beside := []byte("cat ../" + "shared/models")
	if got := contentRule(textFile{"docs/a.md", beside}); len(got) != 1 {
		t.Errorf("found %q, want one finding", got)
	}
	if got := contentRule(textFile{".ci/run", beside}); len(got) != 0 {
		t.Errorf("found %q in .ci/run, want nothing", got)
	}
	if got := contentRule(textFile{"a.onnx", make([]byte, 1<<20+1)}); len(got) != 1 {
		t.Errorf("found %q for a large file, want one finding", got)
	}
}

// TestDirectModules tells a module that is imported from one that only its user needs.
func TestDirectModules(t *testing.T) {
	t.Parallel()
	f, err := parseSource("api/a.go", []byte(`package api; import "example.org/web/v4/middleware"`))
	if err != nil {
		t.Fatal(err)
	}
	gomod := "require example.org/other v1.0.0 // indirect\nrequire (\n\texample.org/web/v4 v4.16.0 // indirect\n\texample.org/we v1.0.0\n)"
	got := directModules(gomod, []*sourceFile{f})
	if len(got) != 1 || got[0] != "example.org/web/v4" {
		t.Errorf("direct modules %v, want example.org/web/v4", got)
	}
}
