package main

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"semblance"
)

// TestLinksLoseNothingUntold: a table that no terminal shows has every exhibit of a link, one
// in a terminal says how many more there are, and pairs that are left out are counted.
func TestLinksLoseNothingUntold(t *testing.T) {
	t.Parallel()
	var l semblance.Links
	x := semblance.Link{Kind: semblance.LinkSelector, Value: "user:kim"}
	for i := range 40 {
		x.Exhibits = append(x.Exhibits, semblance.LinkedExhibit{Case: "K1", Exhibit: fmt.Sprintf("exhibit-%d", i), Items: 2})
	}
	short := semblance.Link{Kind: semblance.LinkSelector, Value: "user:lee", Exhibits: x.Exhibits[:2]}
	l.Links = []semblance.Link{x, short}
	for i := range mostPairs + 3 {
		l.Pairs = append(l.Pairs, semblance.LinkPair{CaseA: "K1", LabelA: "a", CaseB: "K1", LabelB: fmt.Sprint("b", i), Shared: 1, Kinds: map[semblance.LinkKind]int{semblance.LinkSelector: 1}})
	}
	var b bytes.Buffer
	printLinks(&b, l)
	text := b.String()
	for i := range 40 {
		if !strings.Contains(text, fmt.Sprintf("K1 exhibit-%d (2)", i)) {
			t.Errorf("exhibit %d is lost:\n%s", i, text)
		}
	}
	if strings.Contains(text, "…") || !strings.HasSuffix(text, "\nand 3 more pairs; --json lists all\n") || strings.Count(text, "K1 a ") != mostPairs {
		t.Error(text)
	}
	for _, line := range strings.Split(text, "\n") { // one long row does not make all wide
		if strings.Contains(line, "user:lee") && len(line) > 2*maxCell {
			t.Errorf("%d characters: %s", len(line), line)
		}
	}
	l.Pairs = l.Pairs[:mostPairs]
	b.Reset()
	if printLinks(&b, l); strings.Contains(b.String(), "more") {
		t.Errorf("none is left out:\n%s", b.String())
	}

	if got, want := linkedExhibits(x.Exhibits, 40), "K1 exhibit-0 (2); K1 exhibit-1 (2); and 38 more"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got, want := linkedExhibits(x.Exhibits, 5), "K1 exhibit-0 (2); and 39 more"; got != want { // never none
		t.Errorf("%q, want %q", got, want)
	}
	if got := linkedExhibits(short.Exhibits, 40); got != "K1 exhibit-0 (2); K1 exhibit-1 (2)" {
		t.Errorf("%q", got)
	}
}
