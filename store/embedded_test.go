package store_test

import (
	"slices"
	"testing"

	"semblance"
	"semblance/hashing"
)

// TestMediaWith: traces are found across exhibits, follow a media that is looked at again,
// and link only what is of the same maker.
func TestMediaWith(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	e := makeExhibit(t, s, makeCase(t, s, "C-1"), "phone")
	put := func(content string, m semblance.Metadata) semblance.SHA256 {
		r := record(content, content)
		r.Media.Analysis = &semblance.Analysis{Type: "image/jpeg", Width: 1, Height: 1, Decoder: "d", Metadata: m}
		commit(t, s, e, nil, r)
		return hashing.DigestBytes([]byte(content)).SHA256
	}
	with := func(kind semblance.TraceKind, maker, value string) []semblance.SHA256 {
		return must(s.MediaWith(t.Context(), semblance.Trace{Kind: kind, Maker: maker, Value: value}))(t)
	}
	a := put("a", semblance.Metadata{Make: "Acme", Model: "One", Serial: "7781"})
	b := put("b", semblance.Metadata{Make: "ACME ", Model: "Two", Serial: "7781"})
	put("c", semblance.Metadata{Make: "Other", Serial: "7781"})
	put("d", semblance.Metadata{Make: "Acme", Serial: "000"})
	want := []semblance.SHA256{a, b}
	slices.SortFunc(want, func(x, y semblance.SHA256) int { return slices.Compare(x[:], y[:]) })
	if got := with(semblance.TraceSerial, "ACME", "7781"); !slices.Equal(got, want) {
		t.Errorf("camera serial: %v, want %v", got, want)
	}
	if got := with(semblance.TraceSerial, "ACME", "000"); len(got) != 0 {
		t.Errorf("a placeholder links %v", got)
	}
	put("a", semblance.Metadata{Make: "Acme", Model: "One"})
	if got := with(semblance.TraceSerial, "ACME", "7781"); !slices.Equal(got, []semblance.SHA256{b}) {
		t.Errorf("after a was looked at again: %v", got)
	}
	if got := with(semblance.TraceModel, "ACME", "ONE"); !slices.Equal(got, []semblance.SHA256{a}) {
		t.Errorf("model: %v", got)
	}
}
