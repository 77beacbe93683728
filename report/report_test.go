package report_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"regexp"
	"strings"
	"testing"
	"time"

	"semblance"
	"semblance/hashing"
	"semblance/report"
)

func rowsOf(rows ...report.Row) iter.Seq2[report.Row, error] {
	return func(yield func(report.Row, error) bool) {
		for _, r := range rows {
			if !yield(r, nil) {
				return
			}
		}
	}
}

// row makes an item of a content, with times and identifiers of run.
func row(path string, status semblance.ItemStatus, content string, run int) report.Row {
	d := hashing.DigestBytes([]byte(content))
	sum := semblance.SHA256(d.SHA256)
	r := report.Row{Exhibit: "phone", Item: semblance.Item{Exhibit: semblance.ExhibitID(fmt.Sprint("exhibit ", run)), Path: path, Size: d.Size,
		Modified: time.Unix(1_500_000_000, 5).UTC(), Inode: uint64(run), SHA256: &sum, Status: status, Plan: fmt.Sprint("plan ", run)}}
	r.Media = &semblance.Media{Digests: d, Analysis: &semblance.Analysis{Type: "image/jpeg", Width: 4, Height: 3, Frames: 1, Decoder: "d 1",
		Thumbnail: []byte("thumbnail-pixels"),
		Hashes:    []semblance.FrameHashes{{PDQ: &hashing.PDQResult{Hash: hashing.PDQ{1}, Quality: 77}}},
		FaceSets:  []semblance.FaceSet{{Engine: semblance.DefaultEngine, Faces: []semblance.Face{{Crop: []byte("crop-pixels"), Embedding: []float32{0.5}}}}}}}
	return r
}

// band is what no report may say.
const band = "of searches for people who are not in this collection, fewer than 1 in 1,000 return anyone this close"

// TestNoReportCarriesABand: a band helps to rank at the screen. In evidence it would be
// read as the chance that somebody is the person.
func TestNoReportCarriesABand(t *testing.T) {
	t.Parallel()
	for _, f := range []report.Format{report.JSONL, report.HTML} {
		text := write(t, f, source(1))
		if !strings.Contains(text, "somebody") {
			t.Fatalf("%s: the candidate is not in the report", f)
		}
		if strings.Contains(text, "1 in 1,000") || strings.Contains(strings.ToLower(text), "band") {
			t.Errorf("%s: the report speaks of a band", f)
		}
	}
	for _, f := range []report.Format{report.CSV, report.HTML} {
		var b bytes.Buffer
		if err := report.WriteSheet(&b, f, sheetSource()); err != nil {
			t.Fatal(err)
		}
		if text := b.String(); !strings.Contains(text, "0.1250") || strings.Contains(text, "1 in 1,000") || strings.Contains(strings.ToLower(text), "band") {
			t.Errorf("%s: the sheet speaks of a band", f)
		}
	}
}

func withFindings(r report.Row, run int) report.Row {
	id := semblance.EntryID(run)
	r.Findings = &semblance.Findings{
		Hits: []semblance.Hit{{Collection: "known", Owner: "o", Entry: id, Algorithm: hashing.AlgorithmMD5, Value: "aa", Weak: true, Note: "n", Source: "list.txt", Record: "line 1"}},
		NearMatches: []semblance.NearMatch{{Collection: "known", Owner: "o", Entry: id, Algorithm: hashing.AlgorithmPDQ, Value: "bb", EntryValue: "cc", Distance: 7, Threshold: 31,
			Transform: "flipy", Quality: 77, EntryQuality: 88}},
		Candidates: []semblance.Candidate{{Rank: 1, Collection: "faces", Owner: "o", Subject: "somebody", Reference: "ref", Source: "s.jpg", Distance: 0.25, Metric: semblance.Cosine,
			Threshold: 0.55, Band: band, Engine: semblance.DefaultEngine, Version: 1, Review: semblance.Unreviewed,
			Labels: []string{semblance.LabelProfile}, RefLabels: []string{semblance.LabelChild}}},
		Contradictions: []semblance.Contradiction{{KnownGood: "good", Entry: id, Other: "known", Because: "hit", Message: "one of the two lists is wrong"}},
	}
	return r
}

func failed(path, reason string) report.Row {
	return report.Row{Exhibit: "phone", Item: semblance.Item{Path: path, Status: semblance.ItemFailed, Code: semblance.MediaDamaged, Reason: reason}}
}

func source(run int) report.Source {
	return report.Source{
		Case:     semblance.Case{ID: semblance.CaseID(fmt.Sprint(run)), Number: "C-1", Agency: "A", Country: "NL", Purpose: "p", Basis: "b", Created: time.Unix(int64(run), 0)},
		Exhibits: []semblance.Exhibit{{Label: "phone", Source: "/evidence", Created: time.Unix(int64(run), 0)}},
		Collections: []semblance.Collection{{Name: "known", Kind: semblance.Hashes, PDQDistance: 31}, {Name: "faces", Kind: semblance.Faces, Engine: semblance.DefaultEngine, FaceDistance: 0.55},
			{Name: "good", Kind: semblance.KnownGood}},
		Program: "semblance test", Written: time.Unix(int64(run), 0), Actor: "tester@host",
		Rows: rowsOf(withFindings(row("a.jpg", semblance.ItemNew, "a", run), run), row("b.jpg", semblance.ItemDuplicate, "a", run), failed("c.jpg", "it is damaged"),
			row("d.jpg", semblance.ItemKnownGood, "d", run), row("e.txt", semblance.ItemUnsupported, "e", run)),
	}
}

func write(t *testing.T, f report.Format, s report.Source) string {
	t.Helper()
	var b bytes.Buffer
	if err := report.Write(&b, f, s); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestNDJSON: the same bytes for the same state, whenever and by whomever it was
// recorded, and every finding with its fields.
func TestNDJSON(t *testing.T) {
	t.Parallel()
	text := write(t, report.JSONL, source(1))
	if other := write(t, report.JSONL, source(2)); other != text {
		t.Errorf("another run of the same exhibit:\n%s\n%s", text, other)
	}
	want := `{"event":"item","exhibit":"phone","path":"a.jpg","size":1,"modified":"2017-07-14T02:40:00.000000005Z","status":"new","sha256":"ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb","sha1":"86f7e437faa5a7fce15d1ddcb9eaeaea377667b8","md5":"0cc175b9c0f1b6a831c399e269772661","media_type":"image/jpeg","width":4,"height":3,"pdq":"01` + strings.Repeat("0", 62) + `","pdq_quality":77,"faces":{"yunet-mobilefacenet":1},"decoder":"d 1"}
{"event":"hit","exhibit":"phone","path":"a.jpg","sha256":"ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb","collection":"known","owner":"o","algorithm":"md5","value":"aa","weak":true,"note":"n","source":"list.txt","record":"line 1"}
{"event":"near-match","exhibit":"phone","path":"a.jpg","sha256":"ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb","collection":"known","owner":"o","algorithm":"pdq","value":"bb","entry_value":"cc","distance":7,"threshold":31,"transform":"flipy","quality":77,"entry_quality":88,"verified":"UNVERIFIED"}
{"event":"candidate","exhibit":"phone","path":"a.jpg","sha256":"ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb","face":0,"box":{"x":0,"y":0,"w":0,"h":0},"quality":0,"rank":1,"collection":"faces","owner":"o","subject":"somebody","reference":"ref","source":"s.jpg","distance":0.25,"metric":"cosine","threshold":0.55,"engine":"yunet-mobilefacenet","version":1,"reference_quality":0,"reliability":["profile"],"reference_reliability":["declared child"],"review":"UNREVIEWED"}
{"event":"contradiction","exhibit":"phone","path":"a.jpg","sha256":"ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb","known_good":"good","other":"known","because":"hit","message":"one of the two lists is wrong"}
`
	if !strings.HasPrefix(text, want) {
		t.Errorf("got\n%s\nwant at the beginning\n%s", text, want)
	}
	var events []string
	for line := range strings.Lines(text) {
		var l struct{ Event, Path string }
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		events = append(events, l.Event+" "+l.Path)
	}
	if got := strings.Join(events[5:], ", "); got != "item b.jpg, item c.jpg, error c.jpg, item d.jpg, item e.txt" {
		t.Errorf("lines: %s", got)
	}
	for _, pixels := range []string{"thumbnail", "crop", "embedding"} {
		if strings.Contains(text, pixels) {
			t.Errorf("the report has %q", pixels)
		}
	}
}

// TestPage: counts reconcile with what is listed, and what is uncertain is marked.
func TestPage(t *testing.T) {
	t.Parallel()
	text := write(t, report.HTML, source(1))
	for _, want := range []string{
		"5 items = 1 new + 1 duplicate + 1 known-good + 1 unsupported + 1 failed", "4 bytes, 3 different contents",
		"1 hit in 1 content (1 weak, on MD5 alone), 1 near match in 1 content, 1 candidate in 1 content, 1 contradiction",
		"WEAK: MD5 ONLY", "UNVERIFIED", "UNREVIEWED", "0.2500 cosine", "probe: profile", "age at capture unknown", "reference: declared child", "7 of at most 31 bits", "flipy", "one of the two lists is wrong", "it is damaged",
		`http-equiv="Content-Security-Policy" content="default-src 'none'`, "never an identification", "Written 1970-01-01 00:00:01 UTC by tester@host with semblance test",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	if pixels := regexp.MustCompile(`(?i)<img|<svg|<canvas|<video|data:|url\(|src=|<script|<link|<iframe|thumbnail|crop`).FindString(text); pixels != "" {
		t.Errorf("the page has %q", pixels)
	}
}

// TestPageOfHostileNames: names are text, and look like what they are.
func TestPageOfHostileNames(t *testing.T) {
	t.Parallel()
	const name = "<script>alert(1)</script>\"'><img src=x onerror=y>\u202egpj.exe\x1b[2J\x00\u200b\u0085"
	s := source(1)
	r := withFindings(row(name, semblance.ItemNew, "a", 1), 1)
	f := r.Findings
	f.Hits[0].Note, f.NearMatches[0].Source, f.Candidates[0].Subject, f.Contradictions[0].Message = name, name, name, name
	s.Rows = rowsOf(r, failed(name, name))
	s.Case.Number, s.Actor, s.Exhibits[0].Source, s.Collections[0].Basis = name, name, name, name
	s.Requests = []semblance.Request{{ProbeName: name, Outcome: semblance.Inconclusive, Reason: name}}
	text := write(t, report.HTML, s)
	if bad := regexp.MustCompile("<script|<img|onerror=y>|[\u202e\u200b\u0085\x1b\x00]").FindString(text); bad != "" {
		t.Errorf("the page has %q", bad)
	}
	if !strings.Contains(text, `\u202egpj.exe\u001b[2J`) || !strings.Contains(text, "&lt;script&gt;") {
		t.Error("the names are not shown")
	}
	var l struct{ Path string }
	line, _, _ := strings.Cut(write(t, report.JSONL, s), "\n")
	if err := json.Unmarshal([]byte(line), &l); err != nil || l.Path != name {
		t.Errorf("NDJSON: %q, %v", l.Path, err)
	}
}

func TestEmptyCase(t *testing.T) {
	t.Parallel()
	s := report.Source{Case: semblance.Case{Number: "C-2"}, Rows: rowsOf()}
	if text := write(t, report.JSONL, s); text != "" {
		t.Errorf("NDJSON of nothing: %q", text)
	}
	text := write(t, report.HTML, s)
	for _, want := range []string{"0 items = 0 new", "no candidate", ">none<"} {
		if !strings.Contains(text, want) {
			t.Errorf("the page of an empty case does not say %q", want)
		}
	}
}

// TestErrors: an unknown format, rows that fail, a writer that fails and a status
// nobody counts are errors, not short reports.
func TestErrors(t *testing.T) {
	t.Parallel()
	err := report.Write(io.Discard, "docx", source(1))
	if !errors.Is(err, semblance.Invalid) || semblance.HintOf(err) == "" {
		t.Errorf("docx: %v", err)
	}
	broken := errors.New("the store stopped")
	for _, f := range []report.Format{report.JSONL, report.HTML} {
		s := source(1)
		s.Rows = func(yield func(report.Row, error) bool) {
			if yield(row("a", semblance.ItemNew, "a", 1), nil) {
				yield(report.Row{}, broken)
			}
		}
		if err := report.Write(io.Discard, f, s); !errors.Is(err, broken) {
			t.Errorf("%s of rows that fail: %v", f, err)
		}
		if err := report.Write(full{}, f, source(1)); !errors.Is(err, errFull) {
			t.Errorf("%s into a writer that fails: %v", f, err)
		}
	}
	s := source(1)
	s.Rows = rowsOf(row("a", "lost", "a", 1))
	if err := report.Write(io.Discard, report.HTML, s); !errors.Is(err, semblance.Internal) {
		t.Errorf("a status that is not counted: %v", err)
	}
}

var errFull = errors.New("full")

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errFull }

// TestLongListsAreCut: the page stays usable, says where it ends, and counts all.
func TestLongListsAreCut(t *testing.T) {
	t.Parallel()
	s := source(1)
	s.Rows = func(yield func(report.Row, error) bool) {
		for i := range 6000 {
			if !yield(failed(fmt.Sprintf("%04d.jpg", i), "damaged"), nil) {
				return
			}
		}
	}
	text := write(t, report.HTML, s)
	if n := strings.Count(text, "<td>damaged</tr>"); n != 5000 || !strings.Contains(text, "6000 failed") || !strings.Contains(text, "Lists end after 5000 rows") {
		t.Errorf("%d rows", n)
	}
	if n := strings.Count(write(t, report.JSONL, s), `"event":"error"`); n != 6000 {
		t.Errorf("NDJSON has %d", n)
	}
}
