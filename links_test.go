package semblance_test

import (
	"bytes"
	"context"
	"encoding/xml"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"semblance"
	"semblance/hashing"
	"semblance/index"
	"semblance/report"
	"semblance/store"
)

// linkRig is a store with exhibits of three cases: 1 (NL) has phone and laptop, 2 (BE) has
// disk, 3 (NL) has stick.
type linkRig struct {
	*semblance.Engine
	t     testing.TB
	store *store.Store
}

func newLinkRig(t *testing.T) *linkRig {
	t.Helper()
	s, err := store.Open(t.Context(), t.TempDir(), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	e := semblance.New(semblance.Parts{Cases: s, Collections: s, Audit: s, Hashes: index.NewHashes(), LinkRecords: s})
	for number, country := range map[string]string{"1": "NL", "2": "BE", "3": "NL"} {
		if _, err := e.CreateCase(t.Context(), tester, semblance.Case{Number: number, Agency: "A", Country: country, Purpose: "p", Basis: "b"}); err != nil {
			t.Fatal(err)
		}
	}
	return &linkRig{e, t, s}
}

// a linked media: what it is called, its PDQ's first byte, its camera, when it was modified.
type linked struct {
	path, content string
	pdq           byte
	serial        string
	modified      int64
	status        semblance.ItemStatus
	sound         string // of which the digest is the sound's
}

// commit lays items into a new exhibit.
func (r *linkRig) commit(number, label string, records []semblance.ItemRecord) {
	r.t.Helper()
	c, err := r.store.Case(r.t.Context(), number)
	if err != nil {
		r.t.Fatal(err)
	}
	x, _, err := r.store.OpenExhibit(r.t.Context(), semblance.Exhibit{ID: semblance.ExhibitID(semblance.NewID()), Case: c.ID, Label: label, Source: label, Created: time.Now()}, semblance.AuditEvent{Action: "scan.start"})
	if err != nil {
		r.t.Fatal(err)
	}
	defer r.store.ReleaseExhibit(x.ID)
	for i := range records {
		records[i].Item.Exhibit = x.ID
	}
	if err := r.store.CommitItems(r.t.Context(), c.ID, x.ID, records, nil); err != nil {
		r.t.Fatal(err)
	}
}

func (r *linkRig) exhibit(number, label string, media ...linked) {
	r.t.Helper()
	var records []semblance.ItemRecord
	for _, m := range media {
		d := hashing.DigestBytes([]byte(m.content))
		sum := semblance.SHA256(d.SHA256)
		rec := semblance.ItemRecord{Item: semblance.Item{Path: m.path, Size: d.Size, SHA256: &sum, Status: semblance.ItemNew, Modified: time.Unix(m.modified, 0)}}
		if m.status != "" {
			rec.Item.Status = m.status
		}
		pdq := hashing.PDQResult{Quality: 90}
		for i := range pdq.Hash {
			pdq.Hash[i] = byte(i*7 + 3)
		}
		pdq.Hash[0], pdq.Hash[1], pdq.Hash[2] = m.pdq, ^m.pdq, m.pdq*31
		if m.pdq&0xf0 != 0 { // another picture altogether
			for i := 8; i < 24; i++ {
				pdq.Hash[i] ^= m.pdq * byte(i)
			}
		}
		rec.Media = &semblance.Media{Digests: d, Analysis: &semblance.Analysis{Type: "image/jpeg", Width: 10, Height: 10, Frames: 1, Decoder: "d", Metadata: semblance.Metadata{Make: "Maker", Serial: m.serial, Video: m.facts()}, Hashes: []semblance.FrameHashes{{PDQ: &pdq}}}}
		records = append(records, rec)
	}
	r.commit(number, label, records)
}

// facts are of a film with sound; nil where it has none.
func (m linked) facts() *semblance.VideoFacts {
	if m.sound == "" {
		return nil
	}
	sum := semblance.SHA256(hashing.DigestBytes([]byte(m.sound)).SHA256)
	return &semblance.VideoFacts{Sound: semblance.SoundReader, Audio: []semblance.AudioStream{{Codec: "aac", Packets: 9, SHA256: &sum, Silent: m.sound == "silence"}}}
}

func layLinks(t *testing.T) *linkRig {
	r := newLinkRig(t)
	r.exhibit("1", "phone", linked{path: "a.jpg", content: "shared", pdq: 0x10, serial: "4711", modified: 2000}, linked{path: "b.jpg", content: "everywhere", pdq: 0x20}, linked{path: "n.jpg", content: "near one", pdq: 0x01})
	r.exhibit("1", "laptop", linked{path: "x/b.jpg", content: "everywhere", pdq: 0x20}, linked{path: "sys", content: "good", pdq: 0x40, status: semblance.ItemKnownGood})
	r.exhibit("2", "disk", linked{path: "c.jpg", content: "shared", pdq: 0x10, serial: "4711", modified: 1000}, linked{path: "b.jpg", content: "everywhere", pdq: 0x20}, linked{path: "m.jpg", content: "near two", pdq: 0x02}, linked{path: "sys", content: "good", pdq: 0x40, status: semblance.ItemKnownGood})
	r.exhibit("3", "stick", linked{path: "z.jpg", content: "alone", pdq: 0x80, serial: "4711"})
	return r
}

func TestLinks(t *testing.T) {
	t.Parallel()
	r := layLinks(t)
	l, err := r.Links(t.Context(), tester, semblance.LinkRequest{All: true})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, x := range l.Links {
		var on []string
		for _, e := range x.Exhibits {
			on = append(on, e.Exhibit)
		}
		got = append(got, string(x.Kind)+": "+strings.Join(on, "+"))
	}
	want := []string{"camera serial: phone+disk+stick", "same media: phone+disk", "same media: laptop+phone+disk", "near media: phone+disk"}
	if !slices.Equal(got, want) {
		t.Fatalf("%v, want %v", got, want)
	}
	shared := l.Links[1]
	if shared.First == nil || shared.Exhibits[*shared.First].Exhibit != "disk" || shared.Countries != 2 || shared.Cases != 2 || shared.Exhibits[0].Path != "a.jpg" {
		t.Errorf("%+v", shared)
	}
	if near := l.Links[3]; near.Distance == nil || *near.Distance == 0 || *near.Distance > semblance.DefaultStackDistance {
		t.Errorf("%+v", near)
	}
	if p := l.Pairs[0]; p.CaseA != "1" || p.LabelA != "phone" || p.LabelB != "disk" || p.Only != 2 || p.Shared != 4 || p.Kinds[semblance.LinkMedia] != 2 {
		t.Errorf("pairs %+v", l.Pairs)
	}
	one, err := r.Links(t.Context(), tester, semblance.LinkRequest{Cases: []string{"1", "1"}, Kinds: []semblance.LinkKind{semblance.LinkMedia}})
	if err != nil || len(one.Links) != 1 || len(one.Links[0].Exhibits) != 2 {
		t.Errorf("within a case: %+v, %v", one.Links, err)
	}
	few, err := r.Links(t.Context(), tester, semblance.LinkRequest{All: true, Most: 2, Limit: 1})
	if err != nil || len(few.Links) != 1 || few.Total != 2 {
		t.Errorf("only what two have: %+v, %v", few, err)
	}
	for name, bad := range map[string]semblance.LinkRequest{"no case": {}, "kind": {All: true, Kinds: []semblance.LinkKind{"friendship"}}, "distance": {All: true, Distance: 32}, "unknown": {Cases: []string{"9"}}} {
		if _, err := r.Links(t.Context(), tester, bad); semblance.CodeOf(err) != semblance.Invalid && semblance.CodeOf(err) != semblance.NotFound {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestSoundLinks: the same sound links different media, and what is the same file is not
// told once more.
func TestSoundLinks(t *testing.T) {
	t.Parallel()
	r := newLinkRig(t)
	r.exhibit("1", "phone", linked{path: "film.mp4", content: "a", sound: "waves"}, linked{path: "mute.mp4", content: "x", sound: "silence"}, linked{path: "same.mp4", content: "c", sound: "song"})
	r.exhibit("1", "laptop", linked{path: "film.mkv", content: "b", sound: "waves"}, linked{path: "mute.mkv", content: "y", sound: "silence"}, linked{path: "same.mp4", content: "c", sound: "song"})
	for want, kinds := range map[int][]semblance.LinkKind{1: nil, 2: {semblance.LinkSound}} {
		l, err := r.Links(t.Context(), tester, semblance.LinkRequest{Cases: []string{"1"}, Kinds: kinds})
		if err != nil {
			t.Fatal(err)
		}
		var sound []semblance.Link
		for _, x := range l.Links {
			if x.Kind == semblance.LinkSound {
				sound = append(sound, x)
			}
		}
		waves := semblance.SHA256(hashing.DigestBytes([]byte("waves")).SHA256).String()
		if len(sound) != want || !slices.ContainsFunc(sound, func(x semblance.Link) bool { return x.Value == waves && len(x.Exhibits) == 2 }) || l.Pairs[0].Kinds[semblance.LinkSound] != want {
			t.Errorf("%v: %+v, %+v", kinds, sound, l.Pairs)
		}
	}
}

// TestNearLinks: near media are counted by the media, name both places, and what is the same
// is not near as well, unless only what is near is asked for.
func TestNearLinks(t *testing.T) {
	t.Parallel()
	r := newLinkRig(t)
	r.exhibit("1", "phone", linked{path: "a.jpg", content: "a", pdq: 1}, linked{path: "b.jpg", content: "b", pdq: 1}, linked{path: "both.jpg", content: "both", pdq: 1})
	r.exhibit("1", "laptop", linked{path: "c.jpg", content: "c", pdq: 1}, linked{path: "d.jpg", content: "d", pdq: 1}, linked{path: "e.jpg", content: "e", pdq: 1}, linked{path: "both.jpg", content: "both", pdq: 1})
	r.exhibit("1", "copy", linked{path: "z.jpg", content: "a", pdq: 1})
	for want, kinds := range map[string][]semblance.LinkKind{
		"laptop+phone: near 2 same 1, copy+laptop: near 1 same 0, copy+phone: near 0 same 1": nil,
		"laptop+phone: near 3 same 0, copy+phone: near 1 same 0, copy+laptop: near 1 same 0": {semblance.LinkNear},
	} {
		l, err := r.Links(t.Context(), tester, semblance.LinkRequest{Cases: []string{"1"}, Kinds: kinds})
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]bool{}
		for _, p := range l.Pairs {
			got[p.LabelA+"+"+p.LabelB+": near "+strconv.Itoa(p.Kinds[semblance.LinkNear])+" same "+strconv.Itoa(p.Kinds[semblance.LinkMedia])] = true
		}
		for _, w := range strings.Split(want, ", ") {
			if !got[w] || len(got) != 3 {
				t.Errorf("%v: %v, want %s", kinds, got, w)
			}
		}
		for _, x := range l.Links {
			if a, b, ok := strings.Cut(x.Label, " and "); x.Kind == semblance.LinkNear && (!ok || a == b || !strings.Contains(a, ".jpg") || !strings.Contains(b, ".jpg")) {
				t.Errorf("near media of %q", x.Label)
			}
		}
	}
}

// faceRows is a store that has a group of faces.
type faceRows struct {
	*store.Store
	rows []semblance.LinkRow
}

func (s faceRows) LinkRows(ctx context.Context, cases []semblance.CaseID, kind semblance.LinkKind, all bool) ([]semblance.LinkRow, error) {
	if kind == semblance.LinkFace {
		return s.rows, nil
	}
	return s.Store.LinkRows(ctx, cases, kind, all)
}

// TestFaceLinks: the faces of one and the same media link nothing that same media does not.
func TestFaceLinks(t *testing.T) {
	t.Parallel()
	r := layLinks(t)
	row := func(group, media, exhibit string) semblance.LinkRow {
		return semblance.LinkRow{Kind: semblance.LinkFace, Value: group, Media: media, LinkedExhibit: semblance.LinkedExhibit{Case: "1", Exhibit: exhibit}}
	}
	r.LinkRecords = faceRows{r.store, []semblance.LinkRow{row("G1", "aa", "laptop"), row("G1", "aa", "phone"), row("G2", "aa", "laptop"), row("G2", "aa", "phone"), row("G2", "aa,bb", "tablet")}}
	for want, kinds := range map[int][]semblance.LinkKind{1: nil, 2: {semblance.LinkFace}} {
		l, err := r.Links(t.Context(), tester, semblance.LinkRequest{Cases: []string{"1"}, Kinds: kinds})
		if err != nil {
			t.Fatal(err)
		}
		got := slices.DeleteFunc(l.Links, func(x semblance.Link) bool { return x.Kind != semblance.LinkFace })
		if len(got) != want || got[len(got)-1].Value != "G2" && got[0].Value != "G2" {
			t.Errorf("%v: %+v", kinds, got)
		}
		for _, p := range l.Pairs {
			if n := p.Kinds[semblance.LinkFace]; p.LabelA == "laptop" && p.LabelB == "phone" && n != 2*(want-1) {
				t.Errorf("%v: laptop and phone share %d groups", kinds, n)
			}
		}
	}
}

func TestLinkGraph(t *testing.T) {
	t.Parallel()
	r := layLinks(t)
	l, err := r.Links(t.Context(), tester, semblance.LinkRequest{All: true})
	if err != nil {
		t.Fatal(err)
	}
	l.Links[1].Label = `<&"` + "\x01"
	g := report.NewLinkGraph(l)
	var b bytes.Buffer
	if err := g.WriteGraphML(&b); err != nil {
		t.Fatal(err)
	}
	var read struct {
		Graph struct {
			Nodes []struct {
				ID string `xml:"id,attr"`
			} `xml:"node"`
			Edges []struct {
				Source string `xml:"source,attr"`
				Target string `xml:"target,attr"`
			} `xml:"edge"`
		} `xml:"graph"`
	}
	if err := xml.Unmarshal(b.Bytes(), &read); err != nil {
		t.Fatal(err)
	}
	ids := map[string]bool{}
	for _, n := range read.Graph.Nodes {
		ids[n.ID] = true
	}
	edges := 0
	for _, x := range l.Links {
		edges += len(x.Exhibits)
	}
	if len(ids) != 4+len(l.Links) || len(read.Graph.Edges) != edges {
		t.Errorf("%d nodes, %d edges", len(ids), len(read.Graph.Edges))
	}
	for _, e := range read.Graph.Edges {
		if !ids[e.Source] || !ids[e.Target] {
			t.Errorf("an edge leads nowhere: %+v", e)
		}
	}
}
