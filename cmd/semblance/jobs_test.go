package main

import (
	"encoding/json"
	"testing"

	"semblance/api"
	"semblance/scan"
)

// TestJobSaysWhatIsNotThere: where files that were recorded earlier are not there now, another
// disk may have been in the place of the evidence.
func TestJobSaysWhatIsNotThere(t *testing.T) {
	t.Parallel()
	for missing, want := range map[int64]string{
		0: "0 hits, 0 near matches, 0 candidates, 0 failed",
		1: "0 hits, 0 near matches, 0 candidates, 0 failed; 1 file recorded earlier is not there now",
		6: "0 hits, 0 near matches, 0 candidates, 0 failed; 6 files recorded earlier are not there now",
	} {
		sum, err := json.Marshal(scan.Summary{Case: "C", Exhibit: "E", Complete: true, Missing: missing})
		if err != nil {
			t.Fatal(err)
		}
		if got := outcome(api.Job{Kind: jobScan, State: "done", Summary: sum}); got != want {
			t.Errorf("%d missing: %q, want %q", missing, got, want)
		}
	}
}
