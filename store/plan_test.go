package store

import (
	"database/sql"
	"strings"
	"testing"

	"semblance/hashing"
)

// TestEntriesOfOneAlgorithmAreNotLookedForAmongAll: a program that starts asks for the
// video signals of every collection, and most have millions of other entries and none.
func TestEntriesOfOneAlgorithmAreNotLookedForAmongAll(t *testing.T) {
	t.Parallel()
	s, err := Open(t.Context(), t.TempDir(), DefaultOptions())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if plan := planOf(t, s, selectEntry+whereAlgorithm, 1, "x"); !strings.Contains(plan, "collection_key=? AND algorithm=?") {
		t.Error(plan)
	}
}

// TestTallyKeepsNoContentsInMemory: an exhibit can have millions, and a table of them
// would be what a scan needs most memory for.
func TestTallyKeepsNoContentsInMemory(t *testing.T) {
	t.Parallel()
	s, err := Open(t.Context(), t.TempDir(), DefaultOptions())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, query := range []string{countItems, countPartial, countFaces, countTexts} {
		args := make([]any, strings.Count(query, "?"))
		if plan := planOf(t, s, query, args...); !strings.Contains(plan, "SEARCH i USING PRIMARY KEY (exhibit_key=?)") ||
			!strings.Contains(plan, "SEARCH earlier USING COVERING INDEX items_sha256 (sha256=? AND exhibit_key=? AND path<?)") ||
			strings.Contains(plan, "TEMP B-TREE") || strings.Contains(plan, "AUTOMATIC") {
			t.Errorf("%s\n%s", query, plan)
		}
	}
}

// TestMediaWithFindingsAreCountedWithoutATableOfThem: the same for those in which
// something was found.
func TestMediaWithFindingsAreCountedWithoutATableOfThem(t *testing.T) {
	t.Parallel()
	s, err := Open(t.Context(), t.TempDir(), DefaultOptions())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	plan := planOf(t, s, countFound, 1, 1, "", "")
	for _, want := range []string{"SEARCH i USING PRIMARY KEY (exhibit_key=?)", "SEARCH f USING PRIMARY KEY (case_key=? AND media=?)",
		"SEARCH earlier USING COVERING INDEX items_sha256 (sha256=? AND exhibit_key=? AND path<?)", "SEARCH o USING PRIMARY KEY (case_key=? AND media=? AND kind=? AND", "SEARCH named USING PRIMARY KEY (exhibit_key=? AND path=?)"} {
		if !strings.Contains(plan, want) {
			t.Errorf("no %q in\n%s", want, plan)
		}
	}
	if strings.Contains(plan, "AUTOMATIC") || strings.Contains(plan, "DISTINCT") {
		t.Error(plan)
	}
}

// planOf says how SQLite would answer a query.
func planOf(t *testing.T, s *Store, query string, args ...any) string {
	t.Helper()
	rows, err := s.reader.QueryContext(t.Context(), `EXPLAIN QUERY PLAN `+query, args...)
	if err != nil {
		t.Fatal(err)
	}
	plan, err := collect(rows, func(scan scanner) (string, error) {
		var id, parent, unused sql.NullInt64
		var detail string
		err := scan(&id, &parent, &unused, &detail)
		return detail, err
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(plan, "\n")
}

// TestDigestsAreLookedUp: whichever side a join begins at, the other is looked up by a key,
// and only media that are not in order yet are gone through.
func TestDigestsAreLookedUp(t *testing.T) {
	t.Parallel()
	s, err := Open(t.Context(), t.TempDir(), DefaultOptions())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, alg := range []hashing.Algorithm{hashing.AlgorithmMD5, hashing.AlgorithmSHA1, hashing.AlgorithmSHA256} {
		for _, fromMedia := range []bool{false, true} {
			for _, query := range digestJoins(alg, fromMedia) {
				plan := planOf(t, s, query, 1, alg, 0, 9)
				if strings.Contains(plan, "SCAN m") && !fromMedia || strings.Contains(plan, "SCAN h") || strings.Contains(plan, "SCAN d") || strings.Contains(plan, "AUTOMATIC") {
					t.Errorf("%s\n%s", query, plan)
				}
			}
		}
	}
	// A walk over what is kept goes by the numbers, and sorts nothing.
	if plan := planOf(t, s, selectKept, 0); !strings.Contains(plan, "SEARCH m USING INDEX media_seq (seq>?)") || strings.Contains(plan, "SCAN") {
		t.Error(plan)
	}
}
