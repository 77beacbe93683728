package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

var errTests = errors.New("tests failed; they are listed at the end")

// pure and native choose between the build that works on any laptop and the one
// with a C compiler.
func pure() []string { return []string{"CGO_ENABLED=0"} }

// native sets the tag that lets the C libraries in, and the compiler wrapper that keeps workers portable (see scripts/cxx);
// it must be the one `make build` used, or go-face is compiled a second time.
func native() []string {
	wrapper, err := filepath.Abs("scripts/cxx")
	if err != nil {
		wrapper = "scripts/cxx"
	}
	flags := strings.TrimSpace(os.Getenv("GOFLAGS") + " -tags=native")
	return []string{"CGO_ENABLED=1", "CXX=" + wrapper, "GOFLAGS=" + flags}
}

// packages lists the import paths of the tree; the second list has those that
// link the C libraries.
func packages() (free, linked []string, err error) {
	lines, err := output(native(), "go", "list", "-f", "{{.ImportPath}}={{join .Imports `,`}},{{join .CgoFiles `,`}}", "./...")
	if err != nil {
		return nil, nil, fmt.Errorf("go list: %w", err)
	}
	for _, line := range lines {
		path, rest, _ := strings.Cut(line, "=")
		words := strings.Split(rest, ",")
		needsC := strings.HasSuffix(rest, ".go") || slices.ContainsFunc(words, func(w string) bool {
			return w == "semblance/media" || w == "semblance/detector" || w == "semblance/embeddings"
		})
		if needsC {
			linked = append(linked, path)
		} else {
			free = append(free, path)
		}
	}
	return free, linked, nil
}

func formatting(*results) error {
	out, err := output(nil, "gofmt", "-l", ".")
	if err != nil {
		return fmt.Errorf("gofmt: %w", err)
	}
	if len(out) > 0 {
		return fmt.Errorf("not formatted, run gofmt -w on: %s", strings.Join(out, " "))
	}
	return nil
}

// shellScripts parses every shell script, and has shellcheck read them where it is
// installed.
func shellScripts(*results) error {
	var scripts []string
	for _, pattern := range []string{"scripts/*", ".ci/run"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			return err
		}
		scripts = append(scripts, slices.DeleteFunc(found, notShell)...)
	}
	for _, s := range scripts {
		if err := command(nil, "bash", "-n", s).Run(); err != nil {
			return fmt.Errorf("%s does not parse", s)
		}
	}
	if _, err := exec.LookPath("shellcheck"); err != nil {
		fmt.Println("shellcheck is not installed: scripts were parsed only")
		return nil
	}
	return command(nil, "shellcheck", scripts...).Run()
}

func notShell(path string) bool {
	b, err := os.ReadFile(path)
	line, _, _ := strings.Cut(string(b), "\n")
	return err != nil || !strings.HasPrefix(line, "#!") || !strings.Contains(line, "bash")
}

func vetPure(*results) error { return command(pure(), "go", "vet", "./...").Run() }

func vetNative(*results) error {
	_, linked, err := packages()
	if err != nil || len(linked) == 0 {
		return err
	}
	return command(native(), "go", append([]string{"vet"}, linked...)...).Run()
}

// staticcheck is a tool of its own module file, so that its modules never reach
// the product's. It sees the C build, or it would call what only that uses unused.
func staticcheck(*results) error {
	return command(native(), "go", "tool", "-modfile=scripts/tools.mod", "staticcheck", "./...").Run()
}

func testPure(r *results) error { return r.goTest(pure(), "./...") }

// uninstrumented is SQLite as it was translated from C: its memory is not Go's, and its
// own locks are not the race detector's to judge. Instrumented it takes ten times as
// long. Its driver for Go stays in: what we hand over and change too early is still found.
var uninstrumented = []string{"modernc.org/sqlite/lib", "modernc.org/libc/...", "modernc.org/memory"}

// alone are tests that the race pass leaves to the others: nothing of ours happens in them
// side by side, or what does is tested beside it in less time, so that the race detector
// makes them slower and has nothing to find.
var alone = []string{
	// Rules about the tree's text.
	"TestImportsPointDownward", "TestPackageComments", "TestInterfacesStaySmall", "TestNoHiddenControl", "TestPackageVariablesStayConstant",
	"TestErrorCodesHavePages", "TestTreeIsSelfContained", "TestExportedNamesAreDocumented", "TestWords", "TestNothingPromisesAnIdentity",

	// Arithmetic against its definition, and accuracy on many people.
	"TestBandsHoldOnPeopleNotUsedToFit", "TestTheTrialNoticesAWrongFit", "TestAFixedThresholdIsWrong", "TestGroupsOfPersonsNotChosenOn",
	"TestIdols", "TestSearchesAgainstTheDefinition", "TestLongestSegmentAgainstEveryOffset", "TestTMKFindsTheOffset", "TestTurnedPixels",
	"TestKernels", "TestBounds", "TestSketchBound", "TestHashesEveryRadius", "TestHashesSkewed", "TestSegmentOnce", "TestFlatIsTheDefinition", "TestReachIsEnough",

	// Long lists, a line after the other.
	"TestImportOfManyLines",

	// Commands, one after the other, as processes of their own: what they run side by side the
	// servers' tests and those of scan run too. TestScripts alone was half of the pass.
	"TestScripts", "TestDemo", "TestFullDisk", "TestSeizedDevices", "TestImageThatIsNotWhole", "TestImagesThatEndEarly", "TestDiskWithBadSectors", "TestUnpluggedDisk", "TestKilledAtRandom",
}

// testRace covers what is concurrent, at the sizes of -short: more of the same shows the
// race detector nothing else. The packages that link C are left out: it does not see C,
// and would have dlib's binding compiled a second time, for a minute and a half. So is
// worker: its tests' children are the test itself under a limit on memory, and the race
// detector's own memory breaks that.
func testRace(r *results) error {
	free, _, err := packages()
	if err != nil {
		return err
	}
	free = slices.DeleteFunc(free, func(p string) bool {
		return strings.HasPrefix(p, "semblance/bench/") || strings.HasPrefix(p, "semblance/scripts/") || p == "semblance/worker"
	})
	args := []string{"-race", "-short", "-skip", "^(" + strings.Join(alone, "|") + ")$"}
	for _, p := range uninstrumented {
		args = append(args, "-gcflags="+p+"=-race=false")
	}
	return r.goTest(native(), append(args, free...)...)
}

func testNative(r *results) error {
	_, linked, err := packages()
	if err != nil || len(linked) == 0 {
		return err
	}
	return r.goTest(native(), linked...)
}

// benchmarksOnce keeps benchmarks from rotting; it measures nothing.
func benchmarksOnce(r *results) error {
	return r.goTest(pure(), "-run", "^$", "-bench", ".", "-benchtime", "1x", "./...")
}

// fuzz runs every fuzz target for FUZZTIME, one after the other as go test wants it.
func fuzz(r *results) error {
	budget := os.Getenv("FUZZTIME")
	if budget == "" {
		budget = "10s"
	}
	targets, err := fuzzTargets(".")
	if err != nil {
		return err
	}
	for _, t := range targets {
		fmt.Printf("%s %s for %s\n", t.dir, t.name, budget)
		// Named targets only: the seeds of all others run in every test.
		err = errors.Join(err, r.goTest(native(), "-run", "^$", "-fuzz", "^"+t.name+"$", "-fuzztime", budget, "./"+t.dir))
	}
	return err
}
