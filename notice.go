package semblance

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// A NoticeID identifies a notice.
type NoticeID int64

// A Notice tells the owner of a case what a look-back changed in its findings. It stays,
// with what was said before, whatever becomes of the collection.
type Notice struct {
	ID         NoticeID     `json:"id"`
	Case       string       `json:"case"` // number
	What       string       `json:"what"` // "new hit on old exhibit", "new near match on old exhibit", ..., "changed" or "withdrawn"
	Kind       string       `json:"kind"` // of the finding: "hit", "near match", "known-good" or "contradiction"
	Media      SHA256       `json:"media"`
	Collection string       `json:"collection"`      // of a contradiction, the known-good one
	Other      string       `json:"other,omitempty"` // of a contradiction, the other one
	Entry      EntryID      `json:"entry,omitempty"`
	Before     *Findings    `json:"before,omitempty"`  // what was said until Made; nil: nothing
	Finding    *Findings    `json:"finding,omitempty"` // what is said since; nil: nothing
	Remark     string       `json:"remark,omitempty"`  // what could not be compared
	Made       time.Time    `json:"made"`
	Items      []NoticeItem `json:"items"`      // where the media lies in the case: the first of them
	ItemCount  int64        `json:"item_count"` // all of them

	Acknowledged   *time.Time `json:"acknowledged,omitempty"`
	AcknowledgedBy string     `json:"acknowledged_by,omitempty"`

	// Record tells the findings of a media in a collection apart.
	Record string `json:"-"`
}

// A NoticeItem is a place of a media.
type NoticeItem struct {
	Exhibit string `json:"exhibit"` // label
	Path    string `json:"path"`
}

// What a notice says of a finding that was there or is not there any more.
const (
	NoticeChanged   = "changed"
	NoticeWithdrawn = "withdrawn"
)

// A NoticeFilter narrows a list of notices. Zero fields narrow nothing.
type NoticeFilter struct {
	Open  bool     // only those that nobody has acknowledged
	After NoticeID // those behind it
	Limit int      // 0 means 100
}

// A NoticeStore keeps notices.
type NoticeStore interface {
	// Notices lists those of a case, oldest first.
	Notices(ctx context.Context, c CaseID, f NoticeFilter) ([]Notice, error)
	// AcknowledgeNotices marks notices of a case as seen, all open ones when ids is empty,
	// and returns how many were open. NotFound, and nothing marked, when one is not of the case.
	AcknowledgeNotices(ctx context.Context, c CaseID, ids []NoticeID, who Actor, ev AuditEvent) (int, error)
}

// NoticesOf tells what is new, changed or gone between two states of a media's findings:
// Kind, Collection, Other, Entry, Record, What, Before and Finding are set. Candidates are
// not looked at.
func NoticesOf(before, after *Findings) []Notice {
	old, now := said(before), said(after)
	var out []Notice
	for _, o := range old {
		i := slices.IndexFunc(now, func(n Notice) bool { return n.same(o) })
		o.Before, o.Finding = o.Finding, nil
		switch {
		case i < 0:
			o.What = NoticeWithdrawn
			out = append(out, o)
		case !equalJSON(o.Before, now[i].Finding):
			n := now[i]
			n.What, n.Before = NoticeChanged, o.Before
			out = append(out, n)
		}
	}
	for _, n := range now {
		if !slices.ContainsFunc(old, n.same) {
			n.What = "new " + n.Kind + " on old exhibit"
			if n.Kind == "known-good" {
				n.What = "new known-good hit on old exhibit"
			}
			out = append(out, n)
		}
	}
	slices.SortStableFunc(out, func(a, b Notice) int {
		return strings.Compare(a.Kind+"\x00"+a.Collection+"\x00"+a.Other+"\x00"+a.Record, b.Kind+"\x00"+b.Collection+"\x00"+b.Other+"\x00"+b.Record)
	})
	return out
}

func (n Notice) same(o Notice) bool {
	return n.Kind == o.Kind && n.Collection == o.Collection && n.Other == o.Other && n.Record == o.Record
}

func equalJSON(a, b any) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && string(x) == string(y)
}

// said lists findings one by one, as what is said now.
func said(f *Findings) (out []Notice) {
	if f == nil {
		return nil
	}
	for _, h := range f.Hits {
		out = append(out, Notice{Kind: "hit", Collection: h.Collection, Entry: h.Entry, Record: h.selectorKey(), Finding: &Findings{Hits: []Hit{h}}})
	}
	for _, n := range f.NearMatches {
		out = append(out, Notice{Kind: "near match", Collection: n.Collection, Entry: n.Entry, Record: n.recordKey(), Finding: &Findings{NearMatches: []NearMatch{n}}})
	}
	for _, h := range f.KnownGood {
		out = append(out, Notice{Kind: "known-good", Collection: h.Collection, Entry: h.Entry, Finding: &Findings{KnownGood: []Hit{h}}})
	}
	for _, c := range f.Contradictions {
		out = append(out, Notice{Kind: "contradiction", Collection: c.KnownGood, Other: c.Other, Entry: c.Entry, Finding: &Findings{Contradictions: []Contradiction{c}}})
	}
	return out
}

// selectorKey tells the hits of a media's selectors in one collection apart; it is empty for
// those of its digests, which are one.
func (h *Hit) selectorKey() string {
	if _, ok := SelectorKind(h.Algorithm); !ok {
		return ""
	}
	return string(h.Algorithm) + "\x00" + h.Value + "\x00" + string(h.Exhibit) + ":" + h.Item
}

// ListNotices lists the notices of a case for a person; the view is audited.
func (e *Engine) ListNotices(ctx context.Context, who Actor, number string, f NoticeFilter) ([]Notice, error) {
	c, err := e.Cases.Case(ctx, number)
	if err != nil {
		return nil, err
	}
	list, err := e.Notices.Notices(ctx, c.ID, f)
	if err != nil {
		return nil, err
	}
	ev := e.event(who, "notice.list", &c)
	var ids []NoticeID
	for _, n := range list {
		ids = append(ids, n.ID)
	}
	ev.Detail["notices"] = ids
	return list, e.Audit.Append(ctx, ev)
}

// AcknowledgeNotices marks notices of a case as seen by a person, all open ones when ids is
// empty, and returns how many were open.
func (e *Engine) AcknowledgeNotices(ctx context.Context, who Actor, number string, ids ...NoticeID) (int, error) {
	c, err := e.Cases.Case(ctx, number)
	if err != nil {
		return 0, err
	}
	return e.Notices.AcknowledgeNotices(ctx, c.ID, ids, who, e.event(who, "notice.acknowledge", &c))
}
