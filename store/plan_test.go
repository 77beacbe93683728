package store

import (
	"database/sql"
	"strings"
	"testing"
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
	rows, err := s.reader.QueryContext(t.Context(), `EXPLAIN QUERY PLAN `+selectEntry+whereAlgorithm, 1, "x")
	if err != nil {
		t.Fatal(err)
	}
	plan, err := collect(rows, func(scan scanner) (string, error) {
		var id, parent, unused sql.NullInt64
		var detail string
		err := scan(&id, &parent, &unused, &detail)
		return detail, err
	})
	if err != nil || !strings.Contains(strings.Join(plan, "\n"), "collection_key=? AND algorithm=?") {
		t.Errorf("%q, %v", plan, err)
	}
}
