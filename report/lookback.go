package report

import (
	"encoding/json"
	"time"

	"semblance"
)

// sinces tells of findings that a look-back made when that was.
type sinces map[string]time.Time

// sincesOf goes through the notices of a case, oldest first.
func sincesOf(notices []semblance.Notice) sinces {
	s := sinces{}
	for _, n := range notices {
		switch n.What {
		case semblance.NoticeWithdrawn:
			delete(s, sinceKey(n.Media, n))
		case semblance.NoticeChanged: // it is as old as it was
		default:
			s[sinceKey(n.Media, n)] = n.Made
		}
	}
	return s
}

// sinceKey names a finding of a media, in a way that does not change with what is said.
func sinceKey(media semblance.SHA256, n semblance.Notice) string {
	b, _ := json.Marshal([]string{media.String(), n.Kind, n.Collection, n.Other, n.Record}) // strings: cannot fail
	return string(b)
}

// of returns the day a look-back found a media's only finding in f, "" when a scan did.
func (s sinces) of(r Row, f semblance.Findings) string {
	if r.Item.SHA256 == nil || len(s) == 0 {
		return ""
	}
	for _, n := range semblance.NoticesOf(nil, &f) {
		if t, ok := s[sinceKey(*r.Item.SHA256, n)]; ok {
			return t.UTC().Format(time.DateOnly)
		}
	}
	return ""
}

// withdrawn are the notices of what is not said any more.
func withdrawn(notices []semblance.Notice) (out []semblance.Notice) {
	for _, n := range notices {
		if n.What == semblance.NoticeWithdrawn && len(out) < mostRows {
			out = append(out, n)
		}
	}
	return out
}
