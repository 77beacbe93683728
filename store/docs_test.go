package store_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"semblance/store"
)

// TestDocumentedVerifier runs the program of docs/store.md that verifies a chain
// without ours: the form that is documented is the one that is written.
func TestDocumentedVerifier(t *testing.T) {
	t.Parallel()
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("no python3 here")
	}
	var program []string
	for line := range strings.Lines(string(must(os.ReadFile("../docs/store.md"))(t))) {
		if code, ok := strings.CutPrefix(line, "    "); ok && (program != nil || strings.HasPrefix(code, "import hashlib")) {
			program = append(program, code)
		}
	}
	dir := t.TempDir()
	s := must(store.Open(t.Context(), dir, store.Options{}))(t)
	ev := event("odd é \u2028 <>")
	ev.Detail = map[string]any{"b": 0.5, "a": []string{"\x00"}, "big": int64(1) << 60}
	check(t, s.Append(t.Context(), ev))
	check(t, s.Append(t.Context(), event("view")))
	check(t, s.Close())
	verify := func() string {
		cmd := exec.CommandContext(t.Context(), python, "-c", strings.Join(program, ""))
		cmd.Dir = dir
		out, _ := cmd.CombinedOutput() // an assertion that fails is an answer too
		return strings.TrimSpace(string(out))
	}
	if got := verify(); got != "sound" {
		t.Errorf("%s\n%s", got, strings.Join(program, ""))
	}
	raw(t, dir, `UPDATE audit SET event = replace(event, 'kim', 'eve') WHERE seq = 2`)
	if got := verify(); !strings.Contains(got, "AssertionError: 2") {
		t.Errorf("a changed event: %s", got)
	}
	raw(t, dir, `DELETE FROM audit WHERE seq = 2`)
	if got := verify(); got != "chain of 1, anchor of 2" {
		t.Errorf("a cut tail: %s", got)
	}
}
