package store_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"semblance"
	"semblance/store"
)

// TestMain lets the test binary be the other process of the tests below.
func TestMain(m *testing.M) {
	dir := os.Getenv("SEMBLANCE_STORE_TEST_DIR")
	switch os.Getenv("SEMBLANCE_STORE_TEST_ROLE") {
	case "hold":
		os.Exit(child(dir, hold))
	case "write":
		os.Exit(child(dir, writeUntilKilled))
	}
	os.Exit(m.Run())
}

func child(dir string, work func(context.Context, *store.Store) error) int {
	ctx := context.Background()
	s, err := store.Open(ctx, dir, store.Options{})
	if err == nil {
		err = work(ctx, s)
	}
	fmt.Fprintln(os.Stderr, err)
	return 1
}

// hold keeps the folder until its standard input ends.
func hold(context.Context, *store.Store) error {
	fmt.Println("ready")
	_, err := io.Copy(io.Discard, os.Stdin)
	return err
}

// startChild runs the test binary in a role and returns its lines.
func startChild(t testing.TB, role, dir string) (*exec.Cmd, *bufio.Scanner, io.Closer) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), "SEMBLANCE_STORE_TEST_ROLE="+role, "SEMBLANCE_STORE_TEST_DIR="+dir)
	in := must(cmd.StdinPipe())(t)
	out := must(cmd.StdoutPipe())(t)
	cmd.Stderr = os.Stderr
	check(t, cmd.Start())
	return cmd, bufio.NewScanner(out), in
}

func TestSecondOwnerIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := must(store.Open(t.Context(), dir, store.Options{}))(t)
	_, err := store.Open(t.Context(), dir, store.Options{})
	e := refused(t, err, semblance.Conflict)
	if want := fmt.Sprintf("the data folder is in use by process %d", os.Getpid()); e.Msg != want || !strings.Contains(e.Hint, "semblance serve") {
		t.Errorf("%s; %s", e.Msg, e.Hint)
	}
	check(t, s.Append(t.Context(), event("view"))) // the first is not disturbed
	check(t, s.Close())

	cmd, lines, in := startChild(t, "hold", dir)
	if !lines.Scan() {
		t.Fatal("the other process says nothing")
	}
	_, err = store.Open(t.Context(), dir, store.Options{})
	if e := refused(t, err, semblance.Conflict); e.Msg != fmt.Sprintf("the data folder is in use by process %d", cmd.Process.Pid) {
		t.Error(e.Msg)
	}
	check(t, cmd.Process.Kill())
	_ = cmd.Wait() // killed
	_ = in.Close()
	open(t, dir) // the lock died with its owner
}

func TestNewerDataFolderIsNotTouched(t *testing.T) {
	t.Parallel()
	for _, pending := range []bool{false, true} { // the newer version in the file, or still in its write-ahead log
		dir := t.TempDir()
		check(t, must(store.Open(t.Context(), dir, store.Options{}))(t).Close())
		db := must(store.RawDB(filepath.Join(dir, store.DataFile)))(t)
		_, err := db.ExecContext(t.Context(), `PRAGMA user_version = 70`)
		check(t, err)
		if pending {
			// A copy, because closing would move the log into the file.
			other := t.TempDir()
			for _, name := range []string{store.DataFile, store.DataFile + "-wal", store.AnchorFile} {
				check(t, os.WriteFile(filepath.Join(other, name), must(os.ReadFile(filepath.Join(dir, name)))(t), 0o600))
			}
			dir = other
		}
		check(t, db.Close())
		before := contents(t, dir)
		_, err = store.Open(t.Context(), dir, store.Options{})
		e := refused(t, err, semblance.Conflict)
		want := fmt.Sprintf("the data folder was made by a newer version (schema 70; this program knows %d)", store.SchemaVersion())
		if e.Msg != want || e.Hint == "" {
			t.Errorf("%s; %s", e.Msg, e.Hint)
		}
		if !pending {
			equal(t, "folder", contents(t, dir), before)
		}
		_, err = store.Open(t.Context(), dir, store.Options{}) // the lock was given back
		refused(t, err, semblance.Conflict)
		if e := err.Error(); e != want {
			t.Error(e)
		}
	}
}

func contents(t testing.TB, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, e := range must(os.ReadDir(dir))(t) {
		all[e.Name()] = string(must(os.ReadFile(filepath.Join(dir, e.Name())))(t))
	}
	return all
}

func TestForeignAndDamagedFiles(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		content []byte
		code    semblance.Code
	}{
		"text":       {[]byte("hello"), semblance.Unavailable},
		"long text":  {bytes.Repeat([]byte("hello "), 1000), semblance.Unavailable},
		"cut header": {[]byte("SQLite format 3\x00"), semblance.Unavailable},
	} {
		dir := t.TempDir()
		check(t, os.WriteFile(filepath.Join(dir, store.DataFile), test.content, 0o600))
		_, err := store.Open(t.Context(), dir, store.Options{})
		if e := refused(t, err, test.code); e.Msg != "the data folder's semblance.db is damaged" || e.Hint == "" {
			t.Errorf("%s: %s; %s", name, e.Msg, e.Hint)
		}
		if got := must(os.ReadFile(filepath.Join(dir, store.DataFile)))(t); !bytes.Equal(got, test.content) {
			t.Errorf("%s: the file was changed", name)
		}
	}
	dir := t.TempDir()
	raw(t, dir, `CREATE TABLE holiday (photo TEXT); PRAGMA user_version = 3`)
	_, err := store.Open(t.Context(), dir, store.Options{})
	if e := refused(t, err, semblance.Invalid); e.Hint == "" {
		t.Error(e.Msg)
	}
}

func TestDamageInsideIsSaid(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := must(store.Open(t.Context(), dir, store.Options{}))(t)
	manyItems(t, s, 5000)
	c := must(s.Case(t.Context(), "1"))(t)
	check(t, s.Close())
	file := filepath.Join(dir, store.DataFile)
	content := must(os.ReadFile(file))(t)
	for i := len(content) / 2; i < len(content); i++ { // the schema and the small tables lie before
		content[i] = 0xA5
	}
	check(t, os.WriteFile(file, content, 0o600))
	s = open(t, dir)
	refused(t, s.EachItem(t.Context(), c.ID, func(store.ItemView) error { return nil }), semblance.Unavailable)
	if e := refused(t, s.Check(t.Context()), semblance.Unavailable); !strings.Contains(e.Msg, "is damaged") || e.Hint == "" {
		t.Error(e.Msg)
	}
}

// TestFullStore: the file may not grow, as on a full disk; the commit is refused,
// what was there is there, and after making space the same commit works.
func TestFullStore(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	e := makeExhibit(t, s, makeCase(t, s, "1"), "E1")
	commit(t, s, e, nil, record("a", "one"))
	check(t, s.LimitPages(t.Context(), 5))
	var records []semblance.ItemRecord
	for i := range 1000 {
		records = append(records, record(fmt.Sprint(i), fmt.Sprint(i)))
	}
	if e := refused(t, s.CommitItems(t.Context(), e.Case, e.ID, records, nil), semblance.Unavailable); !strings.Contains(e.Msg, "no space left") || e.Hint == "" {
		t.Error(e.Msg)
	}
	if n := len(items(t, s, e)); n != 1 {
		t.Errorf("%d items", n)
	}
	check(t, s.FreePages(t.Context()))
	commit(t, s, e, nil, records...)
	if n := len(items(t, s, e)); n != 1001 {
		t.Errorf("%d items", n)
	}
	check(t, s.Check(t.Context()))
}

// TestFullDisk fills a real, small disk. It needs root.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	disk := t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", disk).CombinedOutput(); err != nil {
		t.Skipf("cannot mount a small disk: %v: %s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", disk).CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, out)
		}
	})
	dir := filepath.Join(disk, "data")
	s := must(store.Open(t.Context(), dir, store.Options{}))(t)
	e := makeExhibit(t, s, makeCase(t, s, "1"), "E1")
	stored := 0
	var full error
	for n := 0; full == nil; n++ {
		if n == 1000 {
			t.Fatal("the disk does not fill")
		}
		var records []semblance.ItemRecord
		for i := range 50 {
			p := fmt.Sprintf("%d/%d", n, i)
			records = append(records, record(p, p))
		}
		if full = s.CommitItems(t.Context(), e.Case, e.ID, records, nil); full == nil {
			stored += 50
			full = s.Append(t.Context(), event("view"))
		}
	}
	if e := refused(t, full, semblance.Unavailable); !strings.Contains(e.Msg, "no space left") || e.Hint == "" {
		t.Error(e.Msg, e.Err)
	}
	if n := len(items(t, s, e)); n != stored {
		t.Errorf("%d items of %d", n, stored)
	}
	_ = s.Close() // may have no space to tidy up
	// A fresh folder on the full disk says it too.
	check(t, os.WriteFile(filepath.Join(disk, "filler"), nil, 0o600))
	filler := must(os.OpenFile(filepath.Join(disk, "filler"), os.O_WRONLY, 0))(t)
	_, err := io.Copy(filler, zeros{})
	if err == nil || filler.Close() != nil {
		t.Fatal("the disk does not fill")
	}
	_, err = store.Open(t.Context(), filepath.Join(disk, "new"), store.Options{})
	if e := refused(t, err, semblance.Unavailable); !strings.Contains(e.Msg, "no space left") {
		t.Error(e.Msg, e.Err)
	}
	// With space again, everything goes on.
	check(t, os.Remove(filepath.Join(disk, "filler")))
	check(t, exec.Command("mount", "-o", "remount,size=64m", disk).Run())
	s = open(t, dir)
	check(t, s.Check(t.Context()))
	if n := len(items(t, s, e)); n != stored {
		t.Errorf("%d items of %d", n, stored)
	}
	commit(t, s, e, nil, record("after", "after"))
	if r := must(s.VerifyAudit(t.Context()))(t); !r.OK {
		t.Errorf("%+v", r)
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

// writeUntilKilled commits batches, each an audit event with a case, an exhibit and
// items of one number, and says each number after it was committed.
func writeUntilKilled(ctx context.Context, s *store.Store) error {
	cases, err := s.Cases(ctx)
	for n := len(cases); err == nil; n++ {
		var c semblance.Case
		if c, err = s.CreateCase(ctx, semblance.Case{Number: fmt.Sprintf("%06d", n)}, event("case.create")); err != nil {
			break
		}
		var e semblance.Exhibit
		if e, _, err = s.OpenExhibit(ctx, semblance.Exhibit{Case: c.ID, Label: "E"}, event("scan.start")); err != nil {
			break
		}
		var records []semblance.ItemRecord
		for i := range batchOfCrash {
			r := record(fmt.Sprint(i), fmt.Sprintf("%d/%d", n, i))
			r.Media.Analysis = analysis()
			r.Findings = findings("h", "f", "g")
			records = append(records, r)
		}
		if err = s.CommitItems(ctx, c.ID, e.ID, records, nil); err == nil {
			fmt.Println(n)
		}
	}
	return err
}

const batchOfCrash = 20

// TestKilledWhileCommitting kills a writing process, again and again: what it said
// it stored is there whole, nothing is there half, and the chain holds.
func TestKilledWhileCommitting(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	stored := map[int]bool{} // what the writers said, of all rounds
	for round := range 4 {
		cmd, lines, in := startChild(t, "write", dir)
		var said int
		for n := range round + 2 { // killed somewhere in the batch after
			if !lines.Scan() {
				t.Fatalf("round %d: the writer ended after %d lines", round, n)
			}
			_, err := fmt.Sscan(lines.Text(), &said)
			check(t, err)
			stored[said] = true
		}
		check(t, cmd.Process.Kill())
		for lines.Scan() { // what it said before the signal reached it
			if _, err := fmt.Sscan(lines.Text(), &said); err == nil {
				stored[said] = true
			}
		}
		_ = cmd.Wait() // killed
		_ = in.Close()
		nothingHalf(t, dir, stored)
	}
}

func nothingHalf(t testing.TB, dir string, stored map[int]bool) {
	t.Helper()
	s := must(store.Open(t.Context(), dir, store.Options{}))(t)
	defer s.Close()
	check(t, s.Check(t.Context()))
	if r := must(s.VerifyAudit(t.Context()))(t); !r.OK || r.Events != r.Anchored {
		t.Errorf("%+v", r)
	}
	cases := must(s.Cases(t.Context()))(t)
	for n := range stored {
		if n >= len(cases) {
			t.Errorf("%d cases, but number %d was stored", len(cases), n)
		}
	}
	for n, c := range cases {
		seen := 0
		check(t, s.EachItem(t.Context(), c.ID, func(v store.ItemView) error {
			seen++
			if v.Media == nil || v.Media.Analysis == nil || len(v.Media.Analysis.FaceSets) != 2 || len(v.Findings.NearMatches) != 2 {
				return errors.New("an item is there half")
			}
			return nil
		}))
		if seen != batchOfCrash && (seen != 0 || stored[n]) { // killed between a case and its items, none is right
			t.Errorf("case %d has %d items; stored: %v", n, seen, stored[n])
		}
	}
}

func TestMigrations(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := must(store.Open(t.Context(), dir, store.Options{}))(t)
	c := makeCase(t, s, "old")
	check(t, s.Close())
	files, folder := store.MigrationFiles()
	next := fstest.MapFS{}
	for _, e := range must(fs.ReadDir(files, folder))(t) {
		next["m/"+e.Name()] = &fstest.MapFile{Data: must(fs.ReadFile(files, folder+"/"+e.Name()))(t)}
	}
	number := store.SchemaVersion() + 1
	name := fmt.Sprintf("m/%04d_more.sql", number)
	file := filepath.Join(dir, store.DataFile)

	next[name] = &fstest.MapFile{Data: []byte(`ALTER TABLE cases ADD COLUMN more TEXT; INSERT INTO nowhere VALUES (1);`)}
	if err := store.Migrate(t.Context(), file, next, "m"); err == nil {
		t.Fatal("a migration that fails does not say so")
	}
	s = must(store.Open(t.Context(), dir, store.Options{}))(t) // nothing of it is left: this version still reads the folder
	equal(t, "case", must(s.Case(t.Context(), "old"))(t), c)
	check(t, s.Close())

	next[name] = &fstest.MapFile{Data: []byte(`ALTER TABLE cases ADD COLUMN more TEXT NOT NULL DEFAULT 'x';`)}
	for range 2 { // the second has nothing to do
		check(t, store.Migrate(t.Context(), file, next, "m"))
	}
	db := must(store.RawDB(file))(t)
	defer db.Close()
	var more string
	var version int
	check(t, db.QueryRowContext(t.Context(), `SELECT more FROM cases WHERE number = 'old'`).Scan(&more))
	check(t, db.QueryRowContext(t.Context(), `PRAGMA user_version`).Scan(&version))
	if more != "x" || version != number {
		t.Errorf("%q, version %d", more, version)
	}
}

func TestJobs(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := must(store.Open(t.Context(), dir, store.Options{Now: clock}))(t)
	create := func(c semblance.CaseID) store.Job {
		t.Helper()
		return must(s.CreateJob(t.Context(), store.Job{Kind: "upload", Case: c, Spec: json.RawMessage(`{"path":"/e"}`)}, event("job.create")))(t)
	}
	a, b, other := create("c1"), create("c1"), create("c2")
	if a.State != store.JobQueued || a.Attempts != 0 || !a.Created.Equal(stamped()) {
		t.Errorf("%+v", a)
	}
	a.State, a.Counts, a.Exhibit = store.JobRunning, json.RawMessage(`{"seen":3}`), "x1"
	a = must(s.UpdateJob(t.Context(), a))(t)
	a = must(s.UpdateJob(t.Context(), a))(t)
	if a.Attempts != 1 || a.Exhibit != "x1" {
		t.Errorf("%+v", a)
	}
	equal(t, "job", must(s.Job(t.Context(), a.ID))(t), a)
	b.State, b.Code, b.Error = store.JobFailed, semblance.NotFound, "The folder is gone."
	b = must(s.UpdateJob(t.Context(), b))(t)
	_, err := s.UpdateJob(t.Context(), store.Job{ID: b.ID, State: store.JobRunning})
	refused(t, err, semblance.Conflict)
	_, err = s.UpdateJob(t.Context(), store.Job{ID: "none"})
	refused(t, err, semblance.NotFound)
	_, err = s.Job(t.Context(), "none")
	refused(t, err, semblance.NotFound)
	equal(t, "jobs of a case", must(s.Jobs(t.Context(), "c1"))(t), []store.Job{a, b})
	equal(t, "all jobs", must(s.Jobs(t.Context(), ""))(t), []store.Job{a, b, other})
	equal(t, "queued jobs", must(s.Jobs(t.Context(), "", store.JobQueued, store.JobDone))(t), []store.Job{other})

	// The owner ends with a job running: it is queued again, but not for ever.
	for attempt := 1; attempt <= 3; attempt++ {
		check(t, s.Close())
		s = must(store.Open(t.Context(), dir, store.Options{Now: clock}))(t)
		got := must(s.Job(t.Context(), a.ID))(t)
		if attempt == 3 {
			if got.State != store.JobFailed || got.Code != semblance.Internal || !strings.HasPrefix(got.Error, "interrupted") {
				t.Errorf("%+v", got)
			}
			break
		}
		if got.State != store.JobQueued || got.Attempts != attempt || string(got.Spec) != `{"path":"/e"}` {
			t.Errorf("attempt %d: %+v", attempt, got)
		}
		got.State = store.JobRunning
		must(s.UpdateJob(t.Context(), got))(t)
	}
	equal(t, "what was not running", must(s.Jobs(t.Context(), "c2"))(t), []store.Job{other})

	// What a person paused stays so, until one resumes it.
	other.State, other.Spec = store.JobPaused, json.RawMessage(`{"path":"/f"}`)
	other = must(s.UpdateJob(t.Context(), other))(t)
	check(t, s.Close())
	s = must(store.Open(t.Context(), dir, store.Options{Now: clock}))(t)
	equal(t, "a paused job", must(s.Job(t.Context(), other.ID))(t), other)
	_, err = s.UpdateJob(t.Context(), store.Job{ID: other.ID, State: store.JobRunning})
	refused(t, err, semblance.Conflict)
	for _, state := range []store.JobState{store.JobQueued, store.JobRunning, store.JobPaused, store.JobQueued} {
		other.State = state
		other = must(s.UpdateJob(t.Context(), other))(t)
	}
	if other.Attempts != 0 {
		t.Errorf("a job that was resumed has %d attempts behind it", other.Attempts)
	}
	check(t, s.Close())
}

// TestScansWaitForAPerson: a scan whose owner ends is not begun again by itself.
func TestScansWaitForAPerson(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := must(store.Open(t.Context(), dir, store.Options{Now: clock}))(t)
	var jobs []store.Job
	for _, state := range []store.JobState{store.JobQueued, store.JobRunning, store.JobPaused, store.JobInterrupted, store.JobDone} {
		j := must(s.CreateJob(t.Context(), store.Job{Kind: store.KindScan, Case: "c1", Spec: json.RawMessage(`{}`)}, event("job.create")))(t)
		j.State = state
		jobs = append(jobs, must(s.UpdateJob(t.Context(), j))(t))
	}
	check(t, s.Close())
	s = must(store.Open(t.Context(), dir, store.Options{Now: clock}))(t)
	for i, want := range []store.JobState{store.JobInterrupted, store.JobInterrupted, store.JobPaused, store.JobInterrupted, store.JobDone} {
		got := must(s.Job(t.Context(), jobs[i].ID))(t)
		if got.State != want || i < 2 && !strings.HasPrefix(got.Error, "interrupted: the program ended") {
			t.Errorf("%s became %+v", jobs[i].State, got)
		}
	}
	check(t, s.Close())
}
