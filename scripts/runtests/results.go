package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// An event is one line of go test -json (see go doc test2json).
type event struct {
	Action     string
	Package    string
	ImportPath string // of build-output and build-fail
	Test       string
	Output     string
}

// A test is what is known of one test over all passes: a test that skips in one
// pass and passes in another counts as passed, one that ever fails as failed.
type test struct {
	passed, failed, skipped bool
	output                  []string
}

// results collects the tests of all passes, by "package test".
type results struct {
	tests  map[string]*test
	broken []string // packages that failed without a failed test: build errors, time-outs, crashes
}

func newResults() *results { return &results{tests: map[string]*test{}} }

// goTest runs one pass and prints go test's line for each package, and the output of
// what failed.
func (r *results) goTest(env []string, args ...string) error {
	cmd := command(env, "go", append([]string{"test", "-json", "-timeout", "15m"}, args...)...)
	cmd.Stdout = nil
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("go test: %w", err)
	}
	failed := r.read(pipe)
	if err := cmd.Wait(); err != nil || failed {
		return errTests
	}
	return nil
}

// read takes the events of one pass and says whether anything failed.
func (r *results) read(from io.Reader) (failed bool) {
	pass := map[string]*test{} // by "package test"; the test "" is the package itself
	failedTests := map[string]int{}
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var e event
		if json.Unmarshal(lines.Bytes(), &e) != nil {
			fmt.Println(lines.Text()) // not test2json's: go's own complaint
			continue
		}
		key := e.Package + " " + e.Test
		t := pass[key]
		if t == nil {
			t = &test{}
			pass[key] = t
		}
		switch e.Action {
		case "output":
			if e.Test == "" && isPackageLine(e.Output) {
				fmt.Print(e.Output)
				break
			}
			t.output = append(t.output, e.Output)
		case "build-output":
			fmt.Print(e.Output)
		case "pass":
			t.passed = true
		case "skip":
			t.skipped = true
		case "fail":
			t.failed, failed = true, true
			if e.Test != "" {
				failedTests[e.Package]++
			} else if failedTests[e.Package] == 0 {
				r.broken = append(r.broken, e.Package)
				fmt.Print(unfinished(pass, e.Package))
			}
			fmt.Print(strings.Join(t.output, ""))
		}
	}
	r.merge(pass)
	return failed
}

// isPackageLine recognises the lines with which go test closes a package.
func isPackageLine(s string) bool {
	return strings.HasPrefix(s, "ok  \t") || strings.HasPrefix(s, "FAIL\t")
}

// unfinished is the output of the tests of a package that neither passed nor failed
// when it ended: where it crashed or hung.
func unfinished(pass map[string]*test, pkg string) string {
	var b strings.Builder
	for _, key := range slices.Sorted(maps.Keys(pass)) {
		t := pass[key]
		if strings.HasPrefix(key, pkg+" ") && key != pkg+" " && !t.passed && !t.failed && !t.skipped {
			b.WriteString(strings.Join(t.output, ""))
		}
	}
	return b.String()
}

// merge adds a pass to the total. A test with subtests is left out, since they are
// counted, unless it failed and none of them did.
func (r *results) merge(pass map[string]*test) {
	parents, blamed := map[string]bool{}, map[string]bool{}
	for key, t := range pass {
		for i := strings.LastIndexByte(key, '/'); i > strings.IndexByte(key, ' '); i = strings.LastIndexByte(key[:i], '/') {
			parents[key[:i]] = true
			blamed[key[:i]] = blamed[key[:i]] || t.failed
		}
	}
	for key, t := range pass {
		if strings.HasSuffix(key, " ") || parents[key] && (!t.failed || blamed[key]) {
			continue
		}
		if old := r.tests[key]; old != nil {
			t.passed, t.failed, t.skipped = t.passed || old.passed, t.failed || old.failed, t.skipped || old.skipped
		}
		r.tests[key] = t
	}
}

// print writes the skipped tests with their reasons, what failed, and the closing line.
func (r *results) print(w io.Writer, failedSteps []string) {
	var passed, failed, skipped []string
	for _, key := range slices.Sorted(maps.Keys(r.tests)) {
		switch t := r.tests[key]; {
		case t.failed:
			failed = append(failed, "FAILED "+key)
		case t.passed:
			passed = append(passed, key)
		case t.skipped:
			skipped = append(skipped, fmt.Sprintf("SKIPPED %s: %s", key, reason(t.output)))
		}
	}
	for _, p := range slices.Compact(slices.Sorted(slices.Values(r.broken))) {
		failed = append(failed, "FAILED "+p+" (did not build, crashed or ran out of time)")
	}
	if len(failed) == 0 { // formatting, vet and their like have no tests of their own
		for _, s := range failedSteps {
			failed = append(failed, "FAILED step: "+s)
		}
	}
	for _, line := range append(skipped, failed...) {
		fmt.Fprintln(w, line)
	}
	fmt.Fprintf(w, "%d passed, %d failed, %d skipped\n", len(passed), len(failed), len(skipped))
}

// reason is what a skipped test said, in one line, and not what it logged otherwise.
func reason(output []string) string {
	var said []string
	for _, line := range output {
		if line = strings.TrimSpace(line); strings.Contains(line, "_test.go:") {
			said = append(said, line)
		}
	}
	if len(said) == 0 {
		return "no reason given"
	}
	return strings.Join(said, " ")
}
