package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"semblance"
)

// TestAPictureWithHundredsOfFacesIsPrintedInBounds: a person gets what a screen holds
// and how much more there is; a program gets everything.
func TestAPictureWithHundredsOfFacesIsPrintedInBounds(t *testing.T) {
	t.Parallel()
	res := semblance.SearchResult{Request: semblance.Request{Outcome: semblance.PotentialCandidate, ProbeName: "crowd.jpg", Collections: []string{"a"}}}
	for i := range 400 {
		res.Faces = append(res.Faces, semblance.Face{Quality: 80, Labels: []string{semblance.LabelSmall}})
		switch {
		case i < 100:
			res.NotSearched = append(res.NotSearched, semblance.BadLine{Line: i, Text: fmt.Sprintf("face %d", i), Reason: "[small]"})
		case i < 200:
			for r := range 20 {
				res.Request.Candidates = append(res.Request.Candidates, semblance.Candidate{Face: i, Rank: r + 1, Subject: "s", Labels: []string{semblance.LabelSmall}})
			}
		}
	}
	for _, json := range []bool{false, true} {
		out, err := os.Create(filepath.Join(t.TempDir(), "out"))
		if err != nil {
			t.Fatal(err)
		}
		e := &env{streams: streams{out: out, err: out}, json: json}
		if err := e.printSearch(res); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(out.Name())
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Count(string(b), "\n")
		if json {
			if lines != 2001 {
				t.Errorf("%d lines for a program, want 2000 candidates and the outcome", lines)
			}
			continue
		}
		if lines > 260 {
			t.Errorf("%d lines for a person", lines)
		}
		for _, want := range []string{"crowd.jpg: 400 faces", "not searched: 80 more faces", "1,800 candidates more", "searched, no candidate: face 200, 201", "and 180 more", "less reliable than a portrait: (small face)"} {
			if !strings.Contains(string(b), want) {
				t.Errorf("the output lacks %q:\n%.2000s", want, b)
			}
		}
	}
}
