// Command runtests runs the project's checks and tests in order and closes with
// one line, "N passed, N failed, N skipped", after a list of every skipped test
// with its reason: a skip that nobody sees is a test that nobody has.
//
//	go run ./scripts/runtests          everything, what `make test` and CI run
//	go run ./scripts/runtests pure     what needs no C compiler: any laptop, seconds
//	go run ./scripts/runtests lint     formatting, vet, shell scripts, staticcheck
//	go run ./scripts/runtests fuzz     each fuzz target for FUZZTIME (default 10s)
package main

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

// A step is one check. Its error is a sentence; what it printed stands above it.
type step struct {
	name string
	run  func(*results) error
}

func main() {
	plans := map[string][]step{
		"all": {
			{"formatting", formatting}, {"shell scripts", shellScripts}, {"vet", vetPure}, {"vet, C", vetNative},
			{"tests, pure Go", testPure}, {"tests, race detector", testRace}, {"tests, C", testNative},
			{"benchmarks, once each", benchmarksOnce},
		},
		"pure": {{"formatting", formatting}, {"vet", vetPure}, {"tests, pure Go", testPure}},
		"lint": {{"formatting", formatting}, {"shell scripts", shellScripts}, {"vet", vetPure}, {"vet, C", vetNative}, {"staticcheck", staticcheck}},
		"fuzz": {{"fuzz targets", fuzz}},
	}
	name := "all"
	if len(os.Args) > 1 {
		name = os.Args[1]
	}
	steps, ok := plans[name]
	if !ok || len(os.Args) > 2 {
		fmt.Fprintln(os.Stderr, "usage: go run ./scripts/runtests [all|pure|lint|fuzz]")
		os.Exit(1)
	}
	os.Exit(execute(steps))
}

// execute runs every step, also after one has failed: the reader of a CI log wants
// all the news at once.
func execute(steps []step) int {
	total := newResults()
	var failed []string
	for _, s := range steps {
		fmt.Printf("=== %s\n", s.name)
		start := time.Now()
		if err := s.run(total); err != nil {
			fmt.Printf("--- FAIL: %s: %v\n", s.name, err)
			failed = append(failed, s.name)
		}
		fmt.Printf("=== %s: %.1f s\n", s.name, time.Since(start).Seconds())
	}
	total.print(os.Stdout, failed)
	if len(failed) > 0 {
		return 1
	}
	return 0
}

// command prepares a command whose output is the reader's.
func command(env []string, name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	return cmd
}

// output runs a command and returns the lines it printed.
func output(env []string, name string, args ...string) ([]string, error) {
	cmd := command(env, name, args...)
	cmd.Stdout = nil
	out, err := cmd.Output()
	return strings.Fields(string(out)), err
}
