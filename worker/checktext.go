package worker

import (
	"math"
	"strings"
	"unicode"
	"unicode/utf8"

	"semblance"
	"semblance/selector"
)

// What the selectors of an answer may hold at most.
const (
	maxSelector      = 2 << 10 // bytes of a value, or of how it was written
	maxSelectorBytes = 16 << 20
)

// checkText insists on one set as it was asked for, of values that are what this program
// itself makes of them: what is compared with collections is never a child's word alone.
func checkText(a *semblance.Analysis, req *semblance.AnalyzeRequest) error {
	switch {
	case req.Selectors == nil:
		return violate("selectors that nobody asked for")
	case !printable(a.Type) || a.Type == "" || !printable(a.Decoder) || !printable(a.Partial):
		return violate("a type, decoder or partial text that is not text")
	case a.Height != 0 || a.Frames != 0 || len(a.Hashes)+len(a.Signals)+len(a.FaceSets)+len(a.Pictures)+len(a.Providers)+len(a.Thumbnail) > 0:
		return violate("hashes, faces or pixels of a text")
	case len(a.SelectorSets) != 1 || a.SelectorSets[0].SelectorRequest != *req.Selectors || a.SelectorSets[0].Version != selector.Version:
		return violate("other selectors than were asked for")
	}
	if err := checkTexts(a.Warnings); err != nil {
		return err
	}
	if err := checkMetadata(&a.Metadata); err != nil {
		return err
	}
	set := &a.SelectorSets[0]
	if !printable(set.Encoding) || set.Encoding == "" || set.Read < 0 || set.Dropped < 0 || set.Dropped > math.MaxInt32 || len(set.Selectors) > semblance.MostSelectors {
		return violate("%d selectors, %d dropped", len(set.Selectors), set.Dropped)
	}
	for i := range set.Selectors {
		if err := checkSelector(&set.Selectors[i]); err != nil {
			return err
		}
	}
	return nil
}

func checkSelector(s *semblance.MediaSelector) error {
	if !short(s.Raw) || !short(s.Value) || !printable(s.Place) || s.Count < 1 || s.Count > math.MaxInt32 {
		return violate("a selector that is no text")
	}
	again, err := selector.Normalize(s.Kind, s.Value, "")
	if err != nil || again.Value != s.Value {
		return violate("the %s %q, which is none", clean(string(s.Kind), 20), clean(s.Value, 60))
	}
	return nil
}

// short reports whether a selector can be shown and stored as it is.
func short(s string) bool {
	return s != "" && len(s) <= maxSelector && utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}

// tidySelectors makes what was written in a file fit, and keeps an answer within its
// bytes: selectors that are too many are counted as dropped.
func tidySelectors(a *semblance.Analysis) {
	for i := range a.SelectorSets {
		set, bytes := &a.SelectorSets[i], 0
		kept := set.Selectors[:0]
		for _, s := range set.Selectors {
			s.Raw, s.Place = clean(s.Raw, maxSelector), clean(s.Place, maxText)
			if bytes += 160 + 2*(len(s.Raw)+len(s.Value)+len(s.Place)); bytes > maxSelectorBytes-(64<<10) {
				set.Dropped += s.Count
				continue
			}
			kept = append(kept, s)
		}
		set.Selectors = kept
	}
}
