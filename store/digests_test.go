package store_test

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"testing"
	"testing/fstest"

	"semblance"
	"semblance/hashing"
	"semblance/store"
)

// numbers reads the number of each media by its size, of which the
// tests give each one of its own.
func numbers(t testing.TB, s *store.Store) map[int64]int64 {
	t.Helper()
	by := map[int64]int64{}
	check(t, s.EachKept(t.Context(), 0, func(m semblance.KeptMedia) error {
		if by[m.Digests.Size] != 0 {
			return fmt.Errorf("media of size %d comes twice", m.Digests.Size)
		}
		by[m.Digests.Size] = m.Seq
		return nil
	}))
	return by
}

// TestAffectedMediaAreFoundInOrderOrNot: entries are found in media whose digests are in
// order, in those that came since, in part of each, and from either side of the join; one
// that only begins alike is not.
func TestAffectedMediaAreFoundInOrderOrNot(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	e := makeExhibit(t, s, makeCase(t, s, "1"), "E1")
	const n = 60
	list := make([]semblance.ItemRecord, n)
	for i := range list {
		list[i] = record(fmt.Sprintf("%02d", i), fmt.Sprint(i))
		d := &list[i].Media.Digests
		d.Size = int64(i + 1)
		if i%2 == 1 { // begins as the one before
			copy(d.MD5[:8], list[i-1].Media.Digests.MD5[:8])
			copy(d.SHA1[:8], list[i-1].Media.Digests.SHA1[:8])
		}
	}
	c := makeCollection(t, s, "known", semblance.Hashes)
	var entries []semblance.HashEntry
	var want []int64 // sizes
	for i := range list {
		d := &list[i].Media.Digests
		switch i % 5 {
		case 0:
			entries = append(entries, semblance.HashEntry{Algorithm: hashing.AlgorithmMD5, Value: d.MD5[:]})
		case 1:
			entries = append(entries, semblance.HashEntry{Algorithm: hashing.AlgorithmSHA1, Value: d.SHA1[:]})
		case 2:
			entries = append(entries, semblance.HashEntry{Algorithm: hashing.AlgorithmSHA256, Value: d.SHA256[:]})
		default:
			continue
		}
		want = append(want, d.Size)
	}
	must(s.AddEntries(t.Context(), c.ID, entries, event("e")))(t)

	commit(t, s, e, nil, list[:20]...)
	check(t, s.SortDigests(t.Context(), 0, 7)) // in three turns
	commit(t, s, e, nil, list[20:40]...)
	check(t, s.SortDigests(t.Context(), 20, 7)) // too few
	check(t, s.SortDigests(t.Context(), 15, 12))
	commit(t, s, e, nil, list[40:]...)
	// New signals, new numbers: of one in order and of one that is not.
	for _, i := range []int{5, 55} {
		list[i].Media.Analysis = analysis()
		commit(t, s, e, nil, list[i])
	}

	for _, joined := range []int64{1, 1000} { // from the entries, from the media
		due := semblance.DueCollection{ID: c.ID, Kind: semblance.Hashes, New: joined, Through: semblance.ContentMark{Entry: 1 << 40}}
		seqs := must(s.Affected(t.Context(), due))(t)
		by := numbers(t, s)
		var found []int64
		for size, seq := range by {
			if slices.Contains(seqs, seq) {
				found = append(found, size)
			}
		}
		slices.Sort(found)
		if len(seqs) != len(want) || !slices.Equal(found, want) {
			t.Errorf("joined from %d entries: %d numbers, media %v; want %v", joined, len(seqs), found, want)
		}
	}
}

// TestNumbersAreNeverGivenAgain: what a look-back has done stays done, and what is new is
// not taken for it, also when the last media is gone. What is erased leaves no digest.
func TestNumbersAreNeverGivenAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, dir)
	e := makeExhibit(t, s, makeCase(t, s, "1"), "E1")
	commit(t, s, e, nil, record("a", "a"), record("b", "bb"))
	check(t, s.SortDigests(t.Context(), 0, 10))
	before := numbers(t, s)
	again := record("b", "bb")
	again.Media.Analysis = analysis()
	commit(t, s, e, nil, again)
	after := numbers(t, s)
	if after[1] != before[1] || after[2] <= before[2] {
		t.Fatalf("%v, then %v: only the media with new signals gets a new number", before, after)
	}
	check(t, s.Close())

	db := must(store.RawDB(filepath.Join(dir, store.DataFile)))(t)
	defer db.Close()
	count := func(query string) (n int) {
		t.Helper()
		check(t, db.QueryRowContext(t.Context(), query).Scan(&n))
		return n
	}
	if n := count(`SELECT count(*) FROM media_digests`); n != 2 { // of a, which kept its number
		t.Errorf("%d digests are in order, want 2", n)
	}
	for _, gone := range []string{`DELETE FROM items`, `DELETE FROM signals`, `DELETE FROM face_crops`, `DELETE FROM faces`, `DELETE FROM face_sets`, `DELETE FROM thumbnails`, `DELETE FROM media`} {
		_, err := db.ExecContext(t.Context(), gone)
		check(t, err)
	}
	if n := count(`SELECT count(*) FROM media_digests`); n != 0 {
		t.Errorf("%d digests outlive their media", n)
	}
	check(t, db.Close())

	s = open(t, dir)
	commit(t, s, e, nil, record("b", "bb"))
	if last := numbers(t, s); last[2] <= after[2] {
		t.Errorf("number %d was given already", last[2])
	}
}

// TestNumbersOfOlderDataFiles: media keep the numbers they had in a table of its own, and
// are found by their digests.
func TestNumbersOfOlderDataFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	files, folder := store.MigrationFiles()
	older := fstest.MapFS{}
	for _, e := range must(fs.ReadDir(files, folder))(t)[:16] {
		older["m/"+e.Name()] = &fstest.MapFile{Data: must(fs.ReadFile(files, folder+"/"+e.Name()))(t)}
	}
	file := filepath.Join(dir, store.DataFile)
	check(t, store.Migrate(t.Context(), file, older, "m"))
	db := must(store.RawDB(file))(t)
	a, b := digests("a"), digests("bb")
	for _, d := range []hashing.Digests{a, b} {
		_, err := db.ExecContext(t.Context(), `INSERT INTO media (sha256, md5, sha1, size, partial, code, reason) VALUES (?, ?, ?, ?, 0, '', '')`, d.SHA256[:], d.MD5[:], d.SHA1[:], d.Size)
		check(t, err)
	}
	for _, d := range []hashing.Digests{b, a, b} { // b was numbered first and got signals later; 4 was given and is gone
		_, err := db.ExecContext(t.Context(), `DELETE FROM kept_media WHERE media = ?`, d.SHA256[:])
		check(t, err)
		_, err = db.ExecContext(t.Context(), `INSERT INTO kept_media (media) VALUES (?)`, d.SHA256[:])
		check(t, err)
	}
	_, err := db.ExecContext(t.Context(), `INSERT INTO kept_media (media) VALUES (x'00'); DELETE FROM kept_media WHERE media = x'00'`)
	check(t, err)
	check(t, db.Close())

	s := open(t, dir)
	equal(t, "numbers", numbers(t, s), map[int64]int64{1: 2, 2: 3})
	e := makeExhibit(t, s, makeCase(t, s, "1"), "E1")
	commit(t, s, e, nil, record("c", "ccc"))
	equal(t, "numbers", numbers(t, s), map[int64]int64{1: 2, 2: 3, 3: 5})
	c := makeCollection(t, s, "known", semblance.Hashes)
	must(s.AddEntries(t.Context(), c.ID, []semblance.HashEntry{{Algorithm: hashing.AlgorithmMD5, Value: b.MD5[:]}, {Algorithm: hashing.AlgorithmSHA1, Value: a.SHA1[:]}}, event("e")))(t)
	due := semblance.DueCollection{ID: c.ID, Kind: semblance.Hashes, New: 1, Through: semblance.ContentMark{Entry: 1 << 40}}
	equal(t, "affected", must(s.Affected(t.Context(), due))(t), []int64{2, 3})
	check(t, s.SortDigests(t.Context(), 0, 10))
	equal(t, "affected", must(s.Affected(t.Context(), due))(t), []int64{2, 3})
}

// TestUnfinishedExhibit: from its beginning on a scan is unfinished, until one comes to its end.
func TestUnfinishedExhibit(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	c := makeCase(t, s, "1")
	e := makeExhibit(t, s, c, "E1")
	plan := &semblance.Plan{Case: c}
	is := func(want bool) {
		t.Helper()
		if got := must(s.Exhibits(t.Context(), c.ID))(t); got[0].Unfinished != want {
			t.Errorf("unfinished: %v, want %v", got[0].Unfinished, want)
		}
	}
	is(false)
	for range 2 {
		check(t, s.BeginPlan(t.Context(), e.ID, plan))
		is(true)
		check(t, s.EndPlan(t.Context(), e.ID, plan, false))
		is(true)
		check(t, s.BeginPlan(t.Context(), e.ID, plan))
		check(t, s.EndPlan(t.Context(), e.ID, plan, true))
		is(false)
	}
}
