package main

import (
	"strings"
	"testing"
)

// closing feeds the events of passes to the collector and returns its report.
func closing(passes ...string) (report string, failed bool) {
	r := newResults()
	for _, p := range passes {
		failed = r.read(strings.NewReader(p)) || failed
	}
	var b strings.Builder
	r.print(&b, nil)
	return b.String(), failed
}

func TestClosingLine(t *testing.T) {
	const skip = `{"Action":"output","Package":"p","Test":"TestA","Output":"    a_test.go:3: no pictures\n"}
{"Action":"skip","Package":"p","Test":"TestA"}
{"Action":"pass","Package":"p"}
`
	tests := []struct {
		name   string
		passes []string
		want   string // the whole report
		failed bool
	}{
		{"a skip is listed with its reason", []string{skip},
			"SKIPPED p TestA: a_test.go:3: no pictures\n0 passed, 0 failed, 1 skipped\n", false},
		{"a skip that ran in another pass is none", []string{skip, `{"Action":"pass","Package":"p","Test":"TestA"}`},
			"1 passed, 0 failed, 0 skipped\n", false},
		{"a failure is not undone by a later pass", []string{`{"Action":"fail","Package":"p","Test":"TestA"}`, `{"Action":"pass","Package":"p","Test":"TestA"}`},
			"FAILED p TestA\n0 passed, 1 failed, 0 skipped\n", true},
		{"subtests count, and not their parent", []string{`{"Action":"pass","Package":"p","Test":"TestA/x"}
{"Action":"pass","Package":"p","Test":"TestA/x#01"}
{"Action":"pass","Package":"p","Test":"TestA"}`}, "2 passed, 0 failed, 0 skipped\n", false},
		{"a parent that fails by itself counts", []string{`{"Action":"pass","Package":"p","Test":"TestA/x"}
{"Action":"fail","Package":"p","Test":"TestA"}`}, "FAILED p TestA\n1 passed, 1 failed, 0 skipped\n", true},
		{"a parent that fails by its subtest does not", []string{`{"Action":"fail","Package":"p","Test":"TestA/x"}
{"Action":"fail","Package":"p","Test":"TestA"}
{"Action":"fail","Package":"p"}`}, "FAILED p TestA/x\n0 passed, 1 failed, 0 skipped\n", true},
		{"a package that does not build", []string{`{"ImportPath":"p","Action":"build-fail"}
{"Action":"fail","Package":"p","FailedBuild":"p"}`},
			"FAILED p (did not build, crashed or ran out of time)\n0 passed, 1 failed, 0 skipped\n", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, failed := closing(tt.passes...)
			if got != tt.want || failed != tt.failed {
				t.Errorf("failed %v, report:\n%swant %v:\n%s", failed, got, tt.failed, tt.want)
			}
		})
	}
}
