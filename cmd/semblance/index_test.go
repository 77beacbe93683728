package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"semblance"
)

var examiner = semblance.Actor{Name: "tester@test"}

// faceIndex is a data folder with one faces collection of the persons Ada, Bea and Cleo.
func faceIndex(t *testing.T, data string) *program {
	t.Helper()
	p := openFaceIndex(t, data)
	if _, err := p.engine.CreateCollection(t.Context(), examiner, semblance.Collection{Name: "missing", Kind: semblance.Faces, Owner: "Test", Country: "FR", Basis: "none"}); err != nil {
		t.Fatal(err)
	}
	if _, err := p.engine.CreateCase(t.Context(), examiner, semblance.Case{Number: "C1", Agency: "Test", Country: "FR", Purpose: "test", Basis: "none"}); err != nil {
		t.Fatal(err)
	}
	for _, who := range []string{"Ada", "Bea", "Cleo"} {
		enrollFace(t, p, who)
	}
	return p
}

// openFaceIndex opens a data folder with an analyzer that needs no weights.
func openFaceIndex(t *testing.T, data string) *program {
	t.Helper()
	e := &env{streams: streams{in: os.Stdin, out: os.Stderr, err: os.Stderr, cwd: data, actor: "tester@test", environ: []string{"SEMBLANCE_DATA=" + data}}}
	var err error
	if e.cfg, err = loadConfig(e.streams, nil); err != nil {
		t.Fatal(err)
	}
	p, err := openProgram(t.Context(), e.cfg, func(format string, args ...any) { t.Logf(format, args...) })
	if err != nil {
		t.Fatal(err)
	}
	p.engine.Analyzer = &fakeAnalyzer{}
	p.engine.CheckEngine = func(context.Context, semblance.EngineName) error { return nil }
	t.Cleanup(func() { _ = p.Close() }) // a second Close does nothing
	return p
}

func faceFile(t *testing.T, who string) *os.File {
	t.Helper()
	f, err := os.CreateTemp(t.TempDir(), who)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	if _, err := f.WriteString("face " + who); err != nil {
		t.Fatal(err)
	}
	return f
}

func enrollFace(t *testing.T, p *program, who string) {
	t.Helper()
	if _, err := p.engine.Enroll(t.Context(), examiner, semblance.EnrollRequest{Collection: "missing", Subject: who, Source: who, File: faceFile(t, who)}); err != nil {
		t.Fatal(err)
	}
}

// finds reports whether a search for a person lists that person first.
func finds(t *testing.T, p *program, who string) bool {
	t.Helper()
	res, err := p.engine.Search(t.Context(), examiner, semblance.SearchRequest{Case: "C1", Collections: []string{"missing"}, Name: who, File: faceFile(t, who)})
	if err != nil {
		t.Fatalf("search for %s: %v", who, err)
	}
	return len(res.Request.Candidates) > 0 && res.Request.Candidates[0].Subject == who
}

func heldVersion(t *testing.T, p *program) int64 {
	t.Helper()
	c, err := p.store.Collection(t.Context(), "missing")
	if err != nil {
		t.Fatal(err)
	}
	spec, err := semblance.EngineByName(c.Engine)
	if err != nil {
		t.Fatal(err)
	}
	v, err := p.engine.Vectors.Version(t.Context(), spec, c.ID)
	if err != nil {
		t.Fatal(err)
	}
	if v != 0 && v != c.Version {
		t.Fatalf("the index holds version %d of %d", v, c.Version)
	}
	return v
}

func trayFiles(t *testing.T, data string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(data, "index", "vectors", "*", "*.tray"))
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// The index is held when the program starts again, and what is enrolled and removed
// then is followed without reading the store.
func TestIndexOutlivesTheProgram(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	p := faceIndex(t, data)
	if !finds(t, p, "Bea") || heldVersion(t, p) == 0 {
		t.Fatal("the index holds nothing after a search")
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	p = openFaceIndex(t, data)
	if heldVersion(t, p) == 0 {
		t.Fatal("the index is not held when the program starts again")
	}
	enrollFace(t, p, "Dora")
	if _, err := p.engine.RemoveReferences(t.Context(), examiner, "missing", semblance.Removal{Subject: "Bea"}); err != nil {
		t.Fatal(err)
	}
	if heldVersion(t, p) == 0 {
		t.Error("the index did not follow a removal")
	}
	if !finds(t, p, "Dora") || !finds(t, p, "Ada") || finds(t, p, "Bea") {
		t.Error("a search does not give who is enrolled")
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	for _, f := range trayFiles(t, data) {
		if b, err := os.ReadFile(f); err != nil || strings.Contains(string(b), "Bea") {
			t.Errorf("who was removed is still in %s, %v", filepath.Base(f), err)
		}
	}
}

// Damage that a search meets is mended in the same search.
func TestIndexDamageIsMended(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	p := faceIndex(t, data)
	if !finds(t, p, "Bea") {
		t.Fatal("Bea is not found")
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	for _, f := range trayFiles(t, data) {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for i := 1000; i < len(b); i++ { // behind the header and the checksums of the few blocks
			b[i] ^= 0x55
		}
		if err := os.WriteFile(f, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p = openFaceIndex(t, data)
	if heldVersion(t, p) == 0 {
		t.Fatal("the damage was found when opening; this test is of what is found when searching")
	}
	for _, who := range []string{"Ada", "Bea", "Cleo"} {
		if !finds(t, p, who) {
			t.Errorf("%s is not found", who)
		}
	}
	if heldVersion(t, p) == 0 {
		t.Error("the index was not made again")
	}
}

// An older copy of the database, put back without the index, goes on to the same version
// by another way: the index is of the way that was left.
func TestIndexOfAnOlderCopyOfTheStore(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	p := faceIndex(t, data)
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	copied := map[string][]byte{}
	for _, name := range []string{"semblance.db", "audit.head"} {
		b, err := os.ReadFile(filepath.Join(data, name))
		if err != nil {
			t.Fatal(err)
		}
		copied[name] = b
	}
	p = openFaceIndex(t, data)
	enrollFace(t, p, "Lost")
	if !finds(t, p, "Lost") {
		t.Fatal("Lost is not found")
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	for name, b := range copied {
		if err := os.WriteFile(filepath.Join(data, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"semblance.db-wal", "semblance.db-shm"} {
		if err := os.RemoveAll(filepath.Join(data, name)); err != nil {
			t.Fatal(err)
		}
	}
	p = openFaceIndex(t, data)
	enrollFace(t, p, "Other") // the same version as with Lost
	if !finds(t, p, "Other") || !finds(t, p, "Ada") {
		t.Error("a search does not give who is enrolled")
	}
}

// What is removed while the index is behind does not stay in it.
func TestIndexBehindARemoval(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	p := faceIndex(t, data)
	if !finds(t, p, "Bea") {
		t.Fatal("Bea is not found")
	}
	c, err := p.store.Collection(t.Context(), "missing")
	if err != nil {
		t.Fatal(err)
	}
	refs, err := referencesOf(t, p, c.ID)
	if err != nil {
		t.Fatal(err)
	}
	stored := refs[0]
	stored.ID, stored.Subject = "made elsewhere", "Elsewhere"
	stored.SHA256[0]++
	if _, err := p.store.AddReferences(t.Context(), c.ID, []semblance.Reference{stored}, semblance.AuditEvent{Action: "test"}); err != nil {
		t.Fatal(err)
	}
	if _, err := p.engine.RemoveReferences(t.Context(), examiner, "missing", semblance.Removal{Subject: "Bea"}); err != nil {
		t.Fatal(err)
	}
	if files := trayFiles(t, data); len(files) > 0 {
		t.Errorf("the index was behind and still has %v", files)
	}
	if !finds(t, p, "Ada") || finds(t, p, "Bea") {
		t.Error("a search does not give who is enrolled")
	}
}

func referencesOf(t *testing.T, p *program, c semblance.CollectionID) ([]semblance.Reference, error) {
	var out []semblance.Reference
	err := p.store.EachReference(t.Context(), c, func(r semblance.Reference) error {
		out = append(out, r)
		return nil
	})
	return out, err
}

// A mark is of the audit chain when the chain has that very event.
func TestIndexMarks(t *testing.T) {
	t.Parallel()
	p := faceIndex(t, t.TempDir())
	mark, err := auditMark(t.Context(), p.store)
	if err != nil {
		t.Fatal(err)
	}
	enrollFace(t, p, "Later")
	number, head, _ := strings.Cut(mark, ":")
	for m, want := range map[string]bool{mark: true, "0:": true, "": false, "0:" + head: false, number + ":": false, number + ":" + strings.Repeat("0", len(head)): false, "1:" + head: false, "99999:" + head: false, "x" + mark: false} {
		if got, err := knownMark(t.Context(), p.store, m); err != nil || got != want {
			t.Errorf("%q is known: %v, %v", m, got, err)
		}
	}
}
