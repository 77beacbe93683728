package store_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"sync"
	"testing"
	"time"

	"semblance"
	"semblance/hashing"
	"semblance/store"
)

// clock is a time that does not move, with a zone and parts that are not stored.
func clock() time.Time {
	return time.Date(2026, 11, 23, 13, 0, 0, 123456789, time.FixedZone("somewhere", 3600))
}

// stamped is what the store makes of clock.
func stamped() time.Time { return time.Date(2026, 11, 23, 12, 0, 0, 123456000, time.UTC) }

func open(t testing.TB, dir string) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), dir, store.Options{Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func event(action string) semblance.AuditEvent {
	return semblance.AuditEvent{Actor: semblance.Actor{Name: "kim@lab", Via: "cli"}, Action: action}
}

func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatalf("%v (%s; hint: %s; cause: %v)", err, semblance.CodeOf(err), semblance.HintOf(err), errors.Unwrap(err))
		}
		return v
	}
}

func check(t testing.TB, err error) {
	t.Helper()
	must(0, err)(t)
}

// refused demands an *Error with a code and a sentence.
func refused(t testing.TB, err error, code semblance.Code) *semblance.Error {
	t.Helper()
	var e *semblance.Error
	if !errors.As(err, &e) || e.Code != code || e.Msg == "" {
		t.Fatalf("got %v (%s), want an error of code %s", err, semblance.CodeOf(err), code)
	}
	return e
}

func equal(t testing.TB, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		g, _ := json.Marshal(got)
		w, _ := json.Marshal(want)
		t.Errorf("%s:\n got %#v\n     %s\nwant %#v\n     %s", what, got, g, want, w)
	}
}

func makeCase(t testing.TB, s *store.Store, number string) semblance.Case {
	t.Helper()
	return must(s.CreateCase(t.Context(), semblance.Case{Number: number, Agency: "LKA", Country: "DE", Purpose: "test", Basis: "§ 98c"}, event("case.create")))(t)
}

func makeExhibit(t testing.TB, s *store.Store, c semblance.Case, label string) semblance.Exhibit {
	t.Helper()
	e, _, err := s.OpenExhibit(t.Context(), semblance.Exhibit{Case: c.ID, Label: label, Source: "/evidence/" + label}, event("scan.start"))
	check(t, err)
	s.ReleaseExhibit(e.ID)
	return e
}

func makeCollection(t testing.TB, s *store.Store, name string, kind semblance.CollectionKind) semblance.Collection {
	t.Helper()
	c := semblance.Collection{Name: name, Kind: kind, Owner: "BKA", Country: "DE", Basis: "law", PDQDistance: 31, PDQQuality: 50, HashDistance: 4, PhotoDNADistance: 12345}
	if kind == semblance.Faces {
		c.Engine, c.EngineVersion, c.FaceDistance = semblance.YuNetMobileFaceNet, 1, 0.55
	}
	return must(s.CreateCollection(t.Context(), c, event("collection.create")))(t)
}

func sum(text string) semblance.SHA256 { return sha256.Sum256([]byte(text)) }

func digests(text string) hashing.Digests {
	d := hashing.Digests{SHA256: sum(text), Size: int64(len(text))}
	copy(d.MD5[:], d.SHA256[:16])
	copy(d.SHA1[:], d.SHA256[:20])
	return d
}

func TestOpenMakesAPrivateFolder(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "a?b%20#c ü", "data") // every character that a file name may have
	s := open(t, dir)
	makeCase(t, s, "1")
	for name, mode := range map[string]os.FileMode{".": 0o700, store.DataFile: 0o600, store.DataFile + "-wal": 0o600,
		store.LockFile: 0o600, store.AnchorFile: 0o600} {
		info := must(os.Stat(filepath.Join(dir, name)))(t)
		if info.Mode().Perm() != mode {
			t.Errorf("%s has mode %o, want %o", name, info.Mode().Perm(), mode)
		}
	}
	names := must(os.ReadDir(dir))(t)
	if len(names) != 5 {
		t.Errorf("the folder holds %v", names)
	}
}

func TestFolderOfOthersKeepsItsMode(t *testing.T) {
	t.Parallel()
	for name, mode := range map[string]os.FileMode{"empty": 0o700, "others": 0o755} {
		dir := t.TempDir()
		check(t, os.Chmod(dir, 0o755))
		if name == "others" {
			check(t, os.WriteFile(filepath.Join(dir, "letter.txt"), nil, 0o600))
		}
		open(t, dir)
		if got := must(os.Stat(dir))(t).Mode().Perm(); got != mode {
			t.Errorf("%s: mode %o, want %o", name, got, mode)
		}
	}
}

func TestOpenSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	check(t, os.WriteFile(file, []byte("x"), 0o600))
	_, err := store.Open(t.Context(), file, store.Options{})
	refused(t, err, semblance.Invalid)
	_, err = store.Open(t.Context(), t.TempDir(), store.Options{Wait: -1})
	refused(t, err, semblance.Invalid)
}

func TestRecordsOutliveTheStore(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := must(store.Open(t.Context(), dir, store.Options{}))(t)
	c := makeCase(t, s, "7/26")
	id := must(s.InstallationID(t.Context()))(t)
	check(t, s.Close())
	check(t, s.Close())
	s = open(t, dir)
	equal(t, "case", must(s.Case(t.Context(), "7/26"))(t), c)
	if again := must(s.InstallationID(t.Context()))(t); again != id || len(id) != 32 {
		t.Errorf("installation %q became %q", id, again)
	}
	check(t, s.Check(t.Context()))
}

func TestCases(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	b, a := makeCase(t, s, "b"), makeCase(t, s, "a")
	equal(t, "time", a.Created, stamped())
	equal(t, "cases", must(s.Cases(t.Context()))(t), []semblance.Case{a, b})
	_, err := s.CreateCase(t.Context(), semblance.Case{Number: "a"}, event("case.create"))
	if e := refused(t, err, semblance.Conflict); e.Msg != `there is a case "a" already` || e.Hint == "" {
		t.Error(e.Msg, e.Hint)
	}
	_, err = s.CreateCase(t.Context(), semblance.Case{}, event("case.create"))
	refused(t, err, semblance.Invalid)
	_, err = s.Case(t.Context(), "c")
	refused(t, err, semblance.NotFound)
	if events := must(s.AuditEvents(t.Context(), 0, 0))(t); len(events) != 2 {
		t.Errorf("refused changes are audited: %v", events)
	}
}

func TestExhibitHasOneSourceAndOneScan(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	c, other := makeCase(t, s, "1"), makeCase(t, s, "2")
	x := semblance.Exhibit{Case: c.ID, Label: "E1", Source: "/e1", Serial: "S", Acquirer: "Kim"}
	got, created, err := s.OpenExhibit(t.Context(), x, event("scan.start"))
	check(t, err)
	if !created || got.ID == "" || !got.Created.Equal(stamped()) {
		t.Errorf("%v %+v", created, got)
	}
	_, _, err = s.OpenExhibit(t.Context(), x, event("scan.start"))
	if e := refused(t, err, semblance.Conflict); e.Msg != `another scan holds the exhibit "E1"` {
		t.Error(e.Msg)
	}
	s.ReleaseExhibit(got.ID)
	x.Source = "/e2"
	_, _, err = s.OpenExhibit(t.Context(), x, event("scan.start"))
	refused(t, err, semblance.Conflict)
	x.Source, x.Serial = "/e1", "another"
	again, created, err := s.OpenExhibit(t.Context(), x, event("scan.start"))
	check(t, err)
	if created {
		t.Error("opened again, it is created")
	}
	equal(t, "exhibit", again, got)
	x.Case = other.ID
	elsewhere, created, err := s.OpenExhibit(t.Context(), x, event("scan.start"))
	check(t, err)
	if !created || elsewhere.ID == got.ID {
		t.Error("two cases share an exhibit")
	}
	equal(t, "exhibits", must(s.Exhibits(t.Context(), c.ID))(t), []semblance.Exhibit{got})
	x.Case = "none"
	_, _, err = s.OpenExhibit(t.Context(), x, event("scan.start"))
	refused(t, err, semblance.NotFound)
}

func TestConflictGivesNoLeaseAway(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	c := makeCase(t, s, "1")
	x := semblance.Exhibit{Case: c.ID, Label: "E1", Source: "/e1"}
	held, _, err := s.OpenExhibit(t.Context(), x, event("scan.start"))
	check(t, err)
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	for _, ctx := range []context.Context{t.Context(), canceled} {
		if _, _, err := s.OpenExhibit(ctx, x, event("scan.start")); err == nil {
			t.Fatal("two scans hold one exhibit")
		}
	}
	s.ReleaseExhibit(held.ID)
	// An event that cannot be written fails after the lease was taken.
	bad := event("scan.start")
	bad.Detail = map[string]any{"f": func() {}}
	_, _, err = s.OpenExhibit(t.Context(), x, bad)
	refused(t, err, semblance.Internal)
	_, _, err = s.OpenExhibit(t.Context(), x, event("scan.start"))
	check(t, err)
}

func TestChangesFromManyGoroutines(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	var wg sync.WaitGroup
	errs := make([]error, 40)
	for i := range errs {
		wg.Go(func() {
			if i%2 == 0 {
				_, errs[i] = s.CreateCase(t.Context(), semblance.Case{Number: fmt.Sprint(i)}, event("case.create"))
			} else {
				errs[i] = s.Append(t.Context(), event("view"))
			}
		})
	}
	wg.Wait()
	check(t, errors.Join(errs...))
	if r := must(s.VerifyAudit(t.Context()))(t); !r.OK || r.Events != 40 || r.Anchored != 40 {
		t.Errorf("%+v", r)
	}
	if n := len(must(s.Cases(t.Context()))(t)); n != 20 {
		t.Errorf("%d cases", n)
	}
}

func TestCanceledIsSaidSo(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.Cases(ctx)
	refused(t, err, semblance.Canceled)
	err = s.Append(ctx, event("view"))
	refused(t, err, semblance.Canceled)
	ctx, cancel = context.WithDeadline(t.Context(), time.Unix(0, 0))
	defer cancel()
	_, err = s.Cases(ctx)
	refused(t, err, semblance.Timeout)
}

func TestSettings(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	if v := must(s.Setting(t.Context(), "x"))(t); v != "" {
		t.Errorf("%q", v)
	}
	check(t, s.SetSetting(t.Context(), "x", "1", event("setting")))
	check(t, s.SetSetting(t.Context(), "x", "2", event("setting")))
	if v := must(s.Setting(t.Context(), "x"))(t); v != "2" {
		t.Errorf("%q", v)
	}
}

func TestTokens(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	b := must(s.CreateToken(t.Context(), "b", sum("b"), event("token.create")))(t)
	a := must(s.CreateToken(t.Context(), "a", sum("a"), event("token.create")))(t)
	equal(t, "token", must(s.TokenByHash(t.Context(), sum("a")))(t), a)
	_, err := s.CreateToken(t.Context(), "a", sum("c"), event("token.create"))
	refused(t, err, semblance.Conflict)
	check(t, s.RevokeToken(t.Context(), "a", event("token.revoke")))
	check(t, s.RevokeToken(t.Context(), "a", event("token.revoke")))
	refused(t, s.RevokeToken(t.Context(), "c", event("token.revoke")), semblance.NotFound)
	_, err = s.TokenByHash(t.Context(), sum("a"))
	revoked := refused(t, err, semblance.Unauthenticated)
	_, err = s.TokenByHash(t.Context(), sum("c"))
	if unknown := refused(t, err, semblance.Unauthenticated); unknown.Msg != revoked.Msg {
		t.Error("an answer tells revoked tokens from unknown ones")
	}
	at := stamped()
	a.Revoked = &at
	equal(t, "tokens", must(s.Tokens(t.Context()))(t), []store.Token{a, b})
	_, err = s.CreateToken(t.Context(), "a", sum("d"), event("token.create"))
	refused(t, err, semblance.Conflict)
}

func TestTokensAreNotStored(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, dir)
	must(s.CreateToken(t.Context(), "a", sum("the-secret-token"), event("token.create")))(t)
	for _, name := range []string{store.DataFile, store.DataFile + "-wal"} {
		if text := must(os.ReadFile(filepath.Join(dir, name)))(t); bytes.Contains(text, []byte("the-secret-token")) {
			t.Errorf("%s holds the token", name)
		}
	}
}
