package provider_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"semblance"
	"semblance/provider"
)

// block returns the first block of a language in a page.
func block(t *testing.T, page, language string) string {
	t.Helper()
	_, rest, ok := strings.Cut(page, "```"+language+"\n")
	text, _, ok2 := strings.Cut(rest, "```")
	if !ok || !ok2 {
		t.Fatalf("the page has no block of %s", language)
	}
	return text
}

// TestDocumentedExample runs the example of docs/providers.md in its cage, as it stands
// there.
func TestDocumentedExample(t *testing.T) {
	t.Parallel()
	needCage(t)
	if _, err := os.Stat("/usr/bin/python3"); err != nil {
		t.Skip("no /usr/bin/python3 here")
	}
	page, err := os.ReadFile("../docs/providers.md")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	folder := filepath.Join(dir, "darkness")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, folder, "darkness.py", block(t, string(page), "python"))
	manifest := strings.Replace(block(t, string(page), "json"), "SHA256", sumOf(t, filepath.Join(folder, "darkness.py")), 1)
	write(t, folder, provider.ManifestFile, manifest)
	h := openHost(t, dir, provider.Options{})
	trial, err := h.Try(t.Context(), "darkness")
	if err != nil {
		t.Fatal(err)
	}
	if l := trial.Statement.Labels; len(l) != 1 || l[0].Name != "dark" || l[0].Score < 0.1 || l[0].Score > 0.9 || !trial.Same {
		t.Errorf("%+v", trial)
	}
	a, _, err := analyze(t, h, semblance.AnalyzeRequest{Providers: []semblance.ProviderName{"darkness"}})
	if run, _ := a.Run("darkness"); err != nil || len(run.Frames) != 2 || run.Frames[0].None != "too small" {
		t.Errorf("%+v, %v", run, err)
	}
}
