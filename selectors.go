package semblance

import (
	"cmp"
	"context"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"semblance/hashing"
	"semblance/selector"
)

// selectorPrefix begins the names of the algorithms of selectors.
const selectorPrefix = "selector/"

// SelectorAlgorithm names what a selector of a kind is compared by: the kind and the
// version of the rules, such as "selector/phone-1". Values are equal or they are not.
func SelectorAlgorithm(k selector.Kind) hashing.Algorithm {
	return hashing.Algorithm(selectorPrefix + string(k) + "-" + strconv.Itoa(selector.Version))
}

// SelectorKind returns the kind of selector that an algorithm compares; false for the
// algorithms of hashes.
func SelectorKind(a hashing.Algorithm) (selector.Kind, bool) {
	name, ok := strings.CutPrefix(string(a), selectorPrefix)
	kind, _, _ := strings.Cut(name, "-")
	return selector.Kind(kind), ok
}

// ValueText is the text of a value in a collection: of a selector the selector itself, of
// a hash as [hashing.Algorithm.Text] writes it.
func ValueText(a hashing.Algorithm, value []byte) string {
	if _, ok := SelectorKind(a); ok {
		return string(value)
	}
	return a.Text(value)
}

// A SelectorRequest says what selectors are looked for in a file that is text.
type SelectorRequest struct {
	Country   string `json:"country,omitempty"`   // ISO 3166-1 alpha-2, of phone numbers without a country code
	Documents bool   `json:"documents,omitempty"` // look for document numbers too
}

// A SelectorSet is the selectors that were found in one media for the cases of a country,
// none included: no selector is only ever the answer of a reader that ran.
type SelectorSet struct {
	SelectorRequest
	Version   int             `json:"version"`            // of the rules: selector.Version
	Encoding  string          `json:"encoding,omitempty"` // of the text; empty where only metadata was looked at
	Read      int64           `json:"read,omitempty"`     // bytes of the text that were looked at
	Selectors []MediaSelector `json:"selectors"`          // each once, in the order of their first place
	Dropped   int             `json:"dropped,omitempty"`  // finds of further ones over the limit, which are not kept
}

// A MediaSelector is one selector of a media.
type MediaSelector struct {
	selector.Selector
	Place string `json:"place"` // of the first: "byte 1234", "page 12, byte 345", "metadata software"
	Count int    `json:"count"` // how often it was read
}

// MostSelectors is how many different selectors are kept of one media.
const MostSelectors = 20_000

// covers reports whether a set answers a request.
func (s *SelectorSet) covers(r SelectorRequest) bool {
	return s.Version == selector.Version && s.Country == r.Country && (s.Documents || !r.Documents)
}

// Add keeps a selector, or counts one that is there already; known has the positions of
// those and is the caller's to keep.
func (s *SelectorSet) Add(known map[selector.Selector]int, found selector.Selector, place string) {
	key := selector.Selector{Kind: found.Kind, Value: found.Value}
	if i, ok := known[key]; ok {
		s.Selectors[i].Count++
		return
	}
	if len(s.Selectors) >= MostSelectors {
		s.Dropped++
		return
	}
	known[key] = len(s.Selectors)
	s.Selectors = append(s.Selectors, MediaSelector{found, place, 1})
}

// SelectorSet returns the set of a country, and whether one was made.
func (a *Analysis) SelectorSet(country string) (SelectorSet, bool) {
	for _, s := range a.SelectorSets {
		if s.Country == country {
			return s, true
		}
	}
	return SelectorSet{}, false
}

// IsText reports whether the analysis is of a text that was read for selectors.
func (a *Analysis) IsText() bool {
	return a != nil && a.Video == nil && a.Metadata.Video == nil && a.Width == 0 && len(a.SelectorSets) > 0
}

// selectors is what a plan looks for in texts.
func (p *Plan) selectors() SelectorRequest {
	return SelectorRequest{Country: p.Case.Country, Documents: p.Documents}
}

// readText reports whether a text was read as the plan asks.
func (p *Plan) readText(a *Analysis) bool {
	set, ok := a.SelectorSet(p.Case.Country)
	return ok && set.covers(p.selectors())
}

// notText is what the reason of a file ends with that a worker has tried as a text as
// well. Versions before this one did not.
const notText = ", and no text that is read for selectors"

// NotText adds to the reason why a file is no picture that it is no text either.
func NotText(err error) error {
	e := Errorf(MediaUnsupported, "%s", err.Error()+notText).WithCause(err)
	if hint := HintOf(err); hint != "" {
		e = e.WithHint("%s", hint)
	}
	return e
}

// addMetadata looks for selectors in what a picture or video says of its making, and
// reports whether the set of the country was changed.
func (a *Analysis) addMetadata(r SelectorRequest) bool {
	i := slices.IndexFunc(a.SelectorSets, func(s SelectorSet) bool { return s.Country == r.Country })
	var set SelectorSet
	if i >= 0 {
		set = a.SelectorSets[i]
		set.Selectors = slices.Clone(set.Selectors)
		if set.covers(r) && slices.ContainsFunc(set.Selectors, func(s MediaSelector) bool { return strings.HasPrefix(s.Place, metadataPlace) }) {
			return false
		}
	} else {
		set = SelectorSet{SelectorRequest: r, Version: selector.Version}
	}
	known := map[selector.Selector]int{}
	for k, s := range set.Selectors {
		known[selector.Selector{Kind: s.Kind, Value: s.Value}] = k
	}
	before := len(set.Selectors)
	eachText(reflect.ValueOf(a.Metadata), "", func(name, text string) {
		for _, f := range selector.FindString(text, selector.Options{Country: r.Country, Documents: r.Documents}) {
			set.Add(known, f.Selector, metadataPlace+name)
		}
	})
	if len(set.Selectors) == before {
		return false
	}
	if i >= 0 {
		a.SelectorSets[i] = set
	} else {
		a.SelectorSets = append(a.SelectorSets, set)
	}
	return true
}

// metadataPlace begins the place of a selector in metadata.
const metadataPlace = "metadata "

// eachText calls f for every text in metadata, whatever it has: a field that is added to
// it is looked at too.
func eachText(v reflect.Value, name string, f func(name, text string)) {
	switch v.Kind() {
	case reflect.String:
		if s := v.String(); len(s) > 4 { // shorter is no selector
			f(name, s)
		}
	case reflect.Pointer:
		if !v.IsNil() {
			eachText(v.Elem(), name, f)
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			eachText(v.Index(i), name, f)
		}
	case reflect.Map:
		keys := v.MapKeys()
		slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
		for _, k := range keys {
			eachText(v.MapIndex(k), strings.TrimSpace(name+" "+k.String()), f)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if field := v.Type().Field(i); field.IsExported() {
				tag, _, _ := strings.Cut(field.Tag.Get("json"), ",")
				eachText(v.Field(i), strings.TrimSpace(name+" "+cmp.Or(tag, strings.ToLower(field.Name))), f)
			}
		}
	}
}

// A SelectorStore finds what is kept of selectors.
type SelectorStore interface {
	// SelectorEntries returns the entries of collections whose value is one of values, by id.
	SelectorEntries(ctx context.Context, cols []CollectionID, a hashing.Algorithm, values []string) ([]HashEntry, error)
	// CaseSelectors lists the selectors of a case, in a collection or not: those that most
	// exhibits have first, and of them those in the fewest contents. It also counts them,
	// those outside of the filter's limit included.
	CaseSelectors(ctx context.Context, c CaseID, f SelectorFilter) ([]CaseSelector, int, error)
}

// A SelectorFilter narrows the selectors of a case. Zero fields narrow nothing.
type SelectorFilter struct {
	Kind     selector.Kind
	Value    string // normalized
	Exhibit  string // label; what is counted and listed is of this exhibit alone
	Exhibits int    // only those that at least so many exhibits have
	After    int    // how many are left out
	Limit    int    // 0 means 1000
}

// A CaseSelector is a selector of a case, in media or in the names of items.
type CaseSelector struct {
	Kind        selector.Kind `json:"kind"`
	Value       string        `json:"value"`
	Raw         string        `json:"raw"`      // as one of the places has it
	Verified    bool          `json:"verified"` // by a checksum within it
	Count       int64         `json:"count"`    // how often it was read, in every content and name that has it
	Exhibits    []string      `json:"exhibits"` // labels, in their order
	Media       int64         `json:"media"`    // different contents that have it
	Items       int64         `json:"items"`    // items that have it, in their content or their name
	Exhibit     string        `json:"exhibit"`  // of the first item, by label and path
	Path        string        `json:"path"`
	Collections []string      `json:"collections"` // those in which a scan or a look-back found it; none: it is in no output but this
}

// CaseSelectors lists the selectors of a case and counts them, those over the limit
// included; the view is audited.
func (e *Engine) CaseSelectors(ctx context.Context, who Actor, number string, f SelectorFilter) ([]CaseSelector, int, error) {
	c, err := e.Cases.Case(ctx, number)
	if err != nil {
		return nil, 0, err
	}
	list, total, err := e.Selectors.CaseSelectors(ctx, c.ID, f)
	if err != nil {
		return nil, 0, err
	}
	ev := e.event(who, "selector.list", &c)
	ev.Detail["kind"], ev.Detail["exhibit"], ev.Detail["after"], ev.Detail["selectors"] = f.Kind, f.Exhibit, f.After, len(list)
	return list, total, e.Audit.Append(ctx, ev)
}

// A NameExamination is what the name of an item gives.
type NameExamination struct {
	Selectors []selector.Selector // each once
	Hits      []Hit               // in the selectors collections of the plan
}

// ExamineName looks for selectors in the name of an item, with its folders, and compares
// them with the plan's collections.
func (e *Engine) ExamineName(ctx context.Context, p *Plan, name string) (x NameExamination, err error) {
	x.Selectors = p.inName(name)
	x.Hits, err = e.nameHits(ctx, p, x.Selectors)
	return x, err
}

func (p *Plan) inName(name string) (out []selector.Selector) {
	for _, f := range selector.FindString(name, selector.Options{Country: p.Case.Country, Documents: p.Documents}) {
		if !slices.ContainsFunc(out, func(s selector.Selector) bool { return s.Kind == f.Kind && s.Value == f.Value }) {
			out = append(out, f.Selector)
		}
	}
	return out
}

// namePlace is the place of a selector in the name of an item.
const namePlace = "name"

func (e *Engine) nameHits(ctx context.Context, p *Plan, found []selector.Selector) ([]Hit, error) {
	list := make([]MediaSelector, len(found))
	for i, s := range found {
		list[i] = MediaSelector{s, namePlace, 1}
	}
	return e.selectorHits(ctx, p, list)
}

// compareSelectors adds the hits of a media's selectors.
func (e *Engine) compareSelectors(ctx context.Context, p *Plan, a *Analysis, out *Findings) error {
	set, ok := a.SelectorSet(p.Case.Country)
	if !ok {
		return nil
	}
	hits, err := e.selectorHits(ctx, p, set.Selectors)
	out.addHits(hits)
	return err
}

// addHits keeps hits in the order of collections.
func (f *Findings) addHits(hits []Hit) {
	if len(hits) > 0 {
		f.Hits = append(slices.Clip(f.Hits), hits...)
		slices.SortStableFunc(f.Hits, func(a, b Hit) int { return strings.Compare(a.Collection, b.Collection) })
	}
}

// selectorHits gives a hit for every entry of the plan's selectors collections that is one
// of the selectors, by collection, kind and value.
func (e *Engine) selectorHits(ctx context.Context, p *Plan, found []MediaSelector) ([]Hit, error) {
	cols := ofKind(p.Collections, Selectors)
	if len(cols) == 0 || len(found) == 0 {
		return nil, nil
	}
	if e.Selectors == nil {
		return nil, Errorf(Internal, "there is no store of selectors to compare with")
	}
	byID, labels := map[CollectionID]Collection{}, e.labeler()
	for _, c := range cols {
		byID[c.ID] = c
	}
	var hits []Hit
	for _, kind := range selector.Kinds() {
		alg, at := SelectorAlgorithm(kind), map[string]MediaSelector{}
		var values []string
		for _, s := range found {
			if s.Kind == kind {
				at[s.Value] = s
				values = append(values, s.Value)
			}
		}
		if len(values) == 0 {
			continue
		}
		entries, err := e.Selectors.SelectorEntries(ctx, idsOf(cols), alg, values)
		if err != nil {
			return nil, err
		}
		for _, en := range entries {
			c, s := byID[en.Collection], at[string(en.Value)]
			h := Hit{Collection: c.Name, Owner: c.Owner, Entry: en.ID, Algorithm: alg, Value: s.Value, Agree: []hashing.Algorithm{alg},
				Note: en.Note, Source: en.Source, Record: en.Record, Raw: s.Raw, Place: s.Place, EntryRaw: en.Raw, Verified: s.Verified}
			if s.Count > 1 {
				h.Count = s.Count
			}
			if h.Category, err = labels.label(ctx, c, en.Category); err != nil {
				return nil, err
			}
			hits = append(hits, h)
		}
	}
	slices.SortStableFunc(hits, func(a, b Hit) int {
		return cmp.Or(strings.Compare(a.Collection, b.Collection), strings.Compare(string(a.Algorithm), string(b.Algorithm)), strings.Compare(a.Value, b.Value))
	})
	return hits, nil
}

// Kind says what kind of selector a hit rests on, or "digest".
func (h *Hit) Kind() string {
	if k, ok := SelectorKind(h.Algorithm); ok {
		return string(k)
	}
	return "digest"
}

// Of returns the findings that are about an item: those of its content, and of its own
// name.
func (f *Findings) Of(exhibit ExhibitID, path string) *Findings {
	if f == nil || !slices.ContainsFunc(f.Hits, func(h Hit) bool { return h.Item != "" }) {
		return f
	}
	own := *f
	own.Hits = slices.DeleteFunc(slices.Clone(f.Hits), func(h Hit) bool { return h.Item != "" && (h.Item != path || h.Exhibit != exhibit) })
	if own.Empty() {
		return nil
	}
	return &own
}
