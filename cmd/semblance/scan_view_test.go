package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"semblance"
	"semblance/scan"
)

// TestFindingsAreListedOnceAndMarked: a deleted picture that was recovered and carved is
// listed once with both places, each marked; a hit in a name is about its own item only.
func TestFindingsAreListedOnceAndMarked(t *testing.T) {
	t.Parallel()
	out, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	v := newScanView(&env{streams: streams{out: out, err: os.Stderr}, quiet: true}, nil)
	hit := func(path string, of scan.Event, hits ...semblance.Hit) {
		of.Path = path
		for _, ev := range scan.Findings(of, &semblance.Findings{Hits: hits}) {
			v.event(ev)
		}
	}
	known, more := semblance.Hit{Collection: "known", Algorithm: "sha256", Note: "n"}, semblance.Hit{Collection: "more", Algorithm: "sha256", Source: "list.txt"}
	name := semblance.Hit{Collection: "names", Algorithm: semblance.SelectorAlgorithm("user"), Value: "kim", Place: "name", Item: "b.jpg"}
	hit("a.jpg", scan.Event{SHA256: "1", Deleted: true}, known, more)
	hit("b.jpg", scan.Event{SHA256: "2"}, name)
	hit("$carved/1.jpg", scan.Event{SHA256: "1", Deleted: true, Carved: true}, known, more)
	hit("c.jpg", scan.Event{SHA256: "2"}, known) // found when another scan had compared
	v.event(scan.Event{Event: scan.EventItem, Path: "locked.zip//x", Status: semblance.ItemUnsupported, Code: semblance.MediaEncrypted, Reason: "encrypted, and no password was given"})
	v.event(scan.Event{Event: scan.EventItem, Path: "plain", Status: semblance.ItemNew})
	v.print(scan.Summary{Case: "C", Exhibit: "E", Hits: 6, HitMedia: 2, Floods: nil})
	want := `
Hits (a digest or a selector is in a collection)
FILE                 MARKS            COLLECTION  BY                NOTE
a.jpg                DELETED          known       sha256            n
a.jpg                DELETED          more        sha256            from list.txt
  also $carved/1.jpg  DELETED, CARVED
b.jpg                                 names       user kim at name
c.jpg                                 known       sha256            n
`
	b, err := os.ReadFile(out.Name())
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	squeeze := func(s string) string { return strings.Join(strings.Fields(s), " ") }
	got, _, _ := strings.Cut(text, "\nExhibit E")
	if squeeze(got) != squeeze(want) {
		t.Errorf("%s\nwant%s", got, want)
	}
	if !strings.Contains(text, ", 6 hits in 2 media, ") || !strings.Contains(text, "at each file that has it") || !strings.Contains(text, "  encrypted: 1 file; `--passwords FILE`, a password a line, tries those in it") {
		t.Error(text)
	}
}

// TestFacelessOnlyWhereFacesWereLookedFor: what an earlier scan saw of a picture says nothing
// of a scan that looks for no face.
func TestFacelessOnlyWhereFacesWereLookedFor(t *testing.T) {
	t.Parallel()
	for _, ran := range []bool{false, true} {
		out, err := os.Create(filepath.Join(t.TempDir(), "out"))
		if err != nil {
			t.Fatal(err)
		}
		defer out.Close()
		v := newScanView(&env{streams: streams{out: out, err: os.Stderr}, quiet: true}, nil)
		v.event(scan.Event{Event: scan.EventItem, Path: "a.jpg", Status: semblance.ItemUnchanged, Faces: new(int)})
		v.print(scan.Summary{Case: "C", Exhibit: "E", Faces: 5, FacesRan: ran})
		b, err := os.ReadFile(out.Name())
		if err != nil {
			t.Fatal(err)
		}
		if text := string(b); strings.Contains(text, "no face was found in 1 picture or video") != ran || strings.Contains(text, "not looked for in this one") == ran {
			t.Errorf("faces looked for: %v:\n%s", ran, text)
		}
	}
}

// TestPlacesThatSayMostComeFirst: as in the reports.
func TestPlacesThatSayMostComeFirst(t *testing.T) {
	t.Parallel()
	list := []scan.Event{{Path: "$carved/1.jpg", Deleted: true, Carved: true}, {Path: "a-gone.jpg", Deleted: true}, {Path: "b.jpg"}, {Path: "c.jpg"}, {Path: "d-gone.jpg", Deleted: true}}
	byPlace(list)
	var got []string
	for _, x := range list {
		got = append(got, x.Path)
	}
	if want := "b.jpg c.jpg a-gone.jpg d-gone.jpg $carved/1.jpg"; strings.Join(got, " ") != want {
		t.Errorf("%s, want %s", got, want)
	}
}
