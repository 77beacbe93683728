package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// TestWhatIsLeftOutIsThere: a test that is renamed comes back into the race pass, and is
// looked at again.
func TestWhatIsLeftOutIsThere(t *testing.T) {
	t.Parallel()
	there := map[string]bool{}
	declared := regexp.MustCompile(`(?m)^func (Test\w+)\(`)
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && (d.Name() == ".cache" || d.Name() == ".git") {
			return fs.SkipDir
		}
		if ok, _ := filepath.Match("*_test.go", d.Name()); err != nil || !ok {
			return err
		}
		b, err := os.ReadFile(path)
		for _, m := range declared.FindAllSubmatch(b, -1) {
			there[string(m[1])] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range alone {
		if !there[name] {
			t.Errorf("%s is left out of the race pass, and no test has this name", name)
		}
	}
}
