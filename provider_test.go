package semblance_test

import (
	"context"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"semblance"
	"semblance/hashing"
	"semblance/index/supplied"
)

const photoDNA = hashing.AlgorithmPhotoDNA

// pdna are providers of PhotoDNA.
func pdna(version, fingerprint string) semblance.ProviderSet {
	return semblance.NewProviderSet(semblance.Provider{Spec: semblance.ProviderSpec{Name: "pdna", Version: version, Algorithm: photoDNA, Fingerprint: fingerprint}})
}

// valueAt is a value at a squared distance of 4·steps from the one of 0 steps.
func valueAt(steps int) []byte {
	v := make([]byte, 144)
	for i := range v {
		v[i] = 100
	}
	for i := range steps {
		v[i] += 2
	}
	return v
}

// A provided is the tests' analyzer with a provider that gives what it is told.
type provided struct {
	inner *fakeAnalyzer
	runs  []semblance.ProviderRun
	value []byte
}

func (p *provided) Analyze(ctx context.Context, f *os.File, req semblance.AnalyzeRequest) (semblance.Analysis, error) {
	a, err := p.inner.Analyze(ctx, f, req)
	if err != nil || len(req.Providers) == 0 {
		return a, err
	}
	a.Providers = slices.Clone(p.runs)
	for _, r := range p.runs {
		if r.Provider == "pdna" && r.Failed == "" && p.value != nil {
			a.Hashes[0].Supplied = append(a.Hashes[0].Supplied, semblance.SuppliedHash{Algorithm: photoDNA, Value: p.value, Provider: r.Provider, Version: r.Version})
		}
	}
	return a, nil
}

// withProvider gives a rig a provider and an index of what it supplies.
func withProvider(r *rig) *provided {
	p := &provided{inner: r.analyzer, runs: []semblance.ProviderRun{{Provider: "pdna", Version: "2"}}, value: valueAt(30)}
	r.Supplied, r.Providers, r.Analyzer, r.Pins = supplied.New(), pdna("2", "f2"), p, r.store
	return p
}

// examineBy examines a picture by a plan.
func (r *rig) examineBy(plan *semblance.Plan, p picture, prior *semblance.Media) semblance.Examination {
	r.t.Helper()
	b, err := json.Marshal(p)
	if err != nil {
		r.t.Fatal(err)
	}
	x, err := r.Examine(r.t.Context(), plan, hashing.DigestBytes(b), prior, r.file(b), "")
	if err != nil {
		r.t.Fatal(err)
	}
	return x
}

// importValues puts PhotoDNA into a collection.
func (r *rig) importValues(collection string, steps ...int) {
	r.t.Helper()
	var lines []string
	for _, s := range steps {
		lines = append(lines, "photodna:"+photoDNA.Text(valueAt(s)))
	}
	res, err := r.ImportHashes(r.t.Context(), tester, collection, "list.txt", "", strings.NewReader(strings.Join(lines, "\n")))
	if err != nil || res.Added != len(steps) {
		r.t.Fatal(res, err)
	}
}

func TestProvidedValuesAreCompared(t *testing.T) {
	r := newRig(t)
	p := withProvider(r)
	r.collection("police", semblance.Hashes, func(c *semblance.Collection) { c.PhotoDNADistance = 4 * 30 })
	r.importValues("police", 0, 31, 144) // at 120, 4 and 456
	plan, err := r.Plan(t.Context(), "C1", semblance.PlanOptions{Collections: []string{"police"}})
	if err != nil {
		t.Fatal(err)
	}
	x := r.examineBy(plan, picture{PDQ: strings.Repeat("12", 32)}, nil)
	if x.Status != semblance.ItemNew || len(x.Findings.NearMatches) != 2 {
		t.Fatalf("%+v", x)
	}
	n := x.Findings.NearMatches[0]
	if n.Distance != 4 || n.Threshold != 120 || n.Metric != hashing.SquaredEuclid || n.Unit() != "squared-euclid" || n.Provider != "pdna" || n.ProviderVersion != "2" || n.Quality != -1 ||
		n.Value != photoDNA.Text(p.value) || n.EntryValue != photoDNA.Text(valueAt(31)) || n.Source != "list.txt" || n.Transform != "original" {
		t.Errorf("%+v", n)
	}
	if x.Findings.NearMatches[1].Distance != 120 {
		t.Errorf("the threshold is inclusive: %+v", x.Findings.NearMatches[1])
	}
	// What is kept is compared again without asking anybody.
	again := r.examineBy(plan, picture{PDQ: strings.Repeat("12", 32)}, &x.Media)
	if again.Decoded || len(again.Findings.NearMatches) != 2 {
		t.Errorf("%+v", again)
	}
	// Another version of the provider is asked anew, and its plan is another.
	r.Providers, p.runs[0].Version, p.value = pdna("3", "f3"), "3", valueAt(0)
	next, err := r.Plan(t.Context(), "C1", semblance.PlanOptions{Collections: []string{"police"}})
	if err != nil || next.Fingerprint == plan.Fingerprint {
		t.Fatal("a plan with another version is the same", err)
	}
	if y := r.examineBy(next, picture{PDQ: strings.Repeat("12", 32)}, &x.Media); !y.Decoded || y.Findings.NearMatches[0].ProviderVersion != "3" {
		t.Errorf("%+v", y)
	}
}

// What a provider failed to give is a failure of the item, told and tried again, while
// everything else is found.
func TestAProviderThatFails(t *testing.T) {
	r := newRig(t)
	p := withProvider(r)
	p.runs[0].Failed, p.runs[0].Code = "it took longer than 10s", semblance.Internal
	r.collection("near", semblance.Hashes)
	if _, err := r.ImportHashes(t.Context(), tester, "near", "l", hashing.AlgorithmPDQ, strings.NewReader(strings.Repeat("12", 32))); err != nil {
		t.Fatal(err)
	}
	plan, err := r.Plan(t.Context(), "C1", semblance.PlanOptions{Collections: []string{"near"}})
	if err != nil {
		t.Fatal(err)
	}
	x := r.examineBy(plan, picture{PDQ: strings.Repeat("12", 32)}, nil)
	if x.Status != semblance.ItemFailed || x.Media.Code != semblance.Internal || x.Media.Reason != "provider pdna 2: it took longer than 10s" || len(x.Findings.NearMatches) != 1 {
		t.Errorf("%+v", x)
	}
	p.runs[0].Failed, p.runs[0].Code = "", ""
	if x = r.examineBy(plan, picture{PDQ: strings.Repeat("12", 32)}, &x.Media); x.Status != semblance.ItemNew || !x.Decoded || x.Media.Code != "" {
		t.Errorf("it is not tried again: %+v", x)
	}
	// A provider that is taken away leaves what it gave.
	r.Providers, p.runs = semblance.ProviderSet{}, nil
	plan, err = r.Plan(t.Context(), "C1", semblance.PlanOptions{Collections: []string{"near"}, Detection: semblance.Detection{}})
	if err != nil {
		t.Fatal(err)
	}
	x.Media.Code = semblance.Internal // so that it is decoded again
	y := r.examineBy(plan, picture{PDQ: strings.Repeat("12", 32)}, &x.Media)
	if run, kept := y.Media.Analysis.Run("pdna"); !y.Decoded || !kept || run.Version != "2" || len(y.Media.Analysis.Hashes[0].Supplied) != 1 {
		t.Errorf("%+v", y.Media.Analysis)
	}
}

// An enabled provider that cannot work ends a scan before its first file.
func TestProvidersThatCannotWork(t *testing.T) {
	r := newRig(t)
	withProvider(r)
	r.collection("near", semblance.Hashes)
	plan := func() error {
		_, err := r.Plan(t.Context(), "C1", semblance.PlanOptions{Collections: []string{"near"}})
		return err
	}
	if err := plan(); err != nil {
		t.Fatal(err)
	}
	r.Providers = pdna("2", "other bytes")
	if err := plan(); semblance.CodeOf(err) != semblance.ModelMismatch || !strings.Contains(semblance.HintOf(err), "raise the version") {
		t.Errorf("a provider of other bytes under its old version: %v", err)
	}
	r.Providers = pdna("2", "f2")
	r.CheckProvider = func(context.Context, semblance.ProviderName) error {
		return semblance.Errorf(semblance.Unavailable, "its program is missing")
	}
	if err := plan(); semblance.CodeOf(err) != semblance.Unavailable {
		t.Error(err)
	}
	r.CheckProvider = nil
	twice := semblance.NewProviderSet(pdna("2", "f2").All()[0], semblance.Provider{Spec: semblance.ProviderSpec{Name: "second", Version: "1", Algorithm: photoDNA}})
	if r.Providers = twice; semblance.CodeOf(plan()) != semblance.Unavailable {
		t.Error("two providers of one algorithm are both used")
	}
	r.Providers = semblance.NewProviderSet(pdna("2", "f2").All()[0], pdna("3", "f3").All()[0])
	if semblance.CodeOf(plan()) != semblance.Unavailable {
		t.Error("two providers of one name are both used")
	}
}

// What a scan stores of a provider comes back as it was.
func TestProvidedSignalsAreKept(t *testing.T) {
	r := newRig(t)
	p := withProvider(r)
	p.runs = []semblance.ProviderRun{
		{Provider: "age", Version: "1", Frames: []semblance.FrameStatement{{Frame: 0, Labels: []semblance.Label{{Name: "dark", Score: 0.5}}, Ages: []semblance.Age{{Low: 3, High: 5, Box: &semblance.Box{W: 1, H: 2}}}}}},
		{Provider: "pdna", Version: "2"},
	}
	r.collection("near", semblance.Hashes)
	plan, err := r.Plan(t.Context(), "C1", semblance.PlanOptions{Collections: []string{"near"}})
	if err != nil {
		t.Fatal(err)
	}
	x := r.examineBy(plan, picture{PDQ: strings.Repeat("12", 32)}, nil)
	sum := semblance.SHA256(x.Media.Digests.SHA256)
	ex, _, err := r.store.OpenExhibit(t.Context(), semblance.Exhibit{Case: plan.Case.ID, Label: "E", Source: "s"}, semblance.AuditEvent{Actor: tester, Action: "scan.start"})
	if err != nil {
		t.Fatal(err)
	}
	keep := func(m semblance.Media) *semblance.Media {
		rec := semblance.ItemRecord{Item: semblance.Item{Exhibit: ex.ID, Path: "a", SHA256: &sum, Status: semblance.ItemNew}, Media: &m}
		if err := r.store.CommitItems(t.Context(), plan.Case.ID, ex.ID, []semblance.ItemRecord{rec}, nil); err != nil {
			t.Fatal(err)
		}
		known, err := r.store.Media(t.Context(), sum)
		if err != nil {
			t.Fatal(err)
		}
		return known[0]
	}
	back := keep(x.Media)
	want, _ := json.Marshal(x.Media.Analysis.Providers)
	if got, _ := json.Marshal(back.Analysis.Providers); string(got) != string(want) {
		t.Errorf("%s, want %s", got, want)
	}
	if s := back.Analysis.Hashes[0].Supplied; len(s) != 1 || string(s[0].Value) != string(p.value) || s[0].Version != "2" || s[0].Provider != "pdna" {
		t.Errorf("%+v", s)
	}
	// A later answer without a value takes the old one away.
	p.value = nil
	x = r.examineBy(plan, picture{PDQ: strings.Repeat("12", 32)}, nil)
	if back = keep(x.Media); len(back.Analysis.Hashes[0].Supplied) != 0 {
		t.Errorf("a value that the provider no longer gives is still there: %+v", back.Analysis.Hashes[0].Supplied)
	}
}

// Media that are added to a collection bring what providers give of them.
func TestProvidedValuesOfAddedMedia(t *testing.T) {
	r := newRig(t)
	p := withProvider(r)
	c := r.collection("police", semblance.Hashes)
	b, _ := json.Marshal(picture{PDQ: strings.Repeat("12", 32)})
	added, warning, err := r.AddMedia(t.Context(), tester, "police", "a.jpg", r.file(b))
	if err != nil || warning != "" || added != 5 {
		t.Fatal(added, warning, err)
	}
	var got []semblance.HashEntry
	err = r.Entries.EachEntry(t.Context(), c.ID, 0, func(h semblance.HashEntry) error {
		if h.Algorithm == photoDNA {
			got = append(got, h)
		}
		return nil
	})
	if err != nil || len(got) != 1 || string(got[0].Value) != string(p.value) || got[0].Decoder != "provider pdna 2, test 1" || got[0].Quality != -1 {
		t.Errorf("%+v, %v", got, err)
	}
	p.runs[0].Failed = "it hung"
	if _, warning, err := r.AddMedia(t.Context(), tester, "police", "a.jpg", r.file(b)); err != nil || !strings.Contains(warning, "without what provider pdna 2 gives: it hung") {
		t.Error(warning, err)
	}
}
