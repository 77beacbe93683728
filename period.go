package semblance

import "time"

// A span is a stretch of days counted from 1970-01-01, both ends included.
type span struct{ first, last int32 }

// spanOf returns the days that a date as far as it is known covers: a year, a
// month or a day. ok is false for anything else, the empty text included.
func spanOf(date string) (s span, ok bool) {
	for _, l := range []struct {
		layout              string
		years, months, days int
	}{{"2006", 1, 0, 0}, {"2006-01", 0, 1, 0}, {"2006-01-02", 0, 0, 1}} {
		if t, err := time.Parse(l.layout, date); err == nil {
			return span{dayOf(t), dayOf(t.AddDate(l.years, l.months, l.days)) - 1}, true
		}
	}
	return span{}, false
}

// dayOf counts the days from 1970-01-01 to a midnight in UTC.
func dayOf(t time.Time) int32 { return int32(t.Unix() / 86400) }

// indexDay is the day under which an index holds a reference: the first of those it
// can be from, 0 when that is not known. 1970-01-01, which would read as unknown,
// is held a day later; indexBounds allows for that.
func indexDay(date string) int32 {
	s, ok := spanOf(date)
	if ok && s.first == 0 {
		return 1
	}
	return s.first
}

// A period narrows a search to references that can have been captured in it. The
// zero period is all of them.
type period struct {
	from, to *span
	dated    bool // references of unknown date are left out
}

// newPeriod reads the bounds as a person writes them: each a year, a month or a
// day, and all of it belongs to the period.
func newPeriod(from, to string, dated bool) (period, error) {
	p := period{dated: dated}
	for _, b := range []struct {
		text, name string
		into       **span
	}{{from, "from", &p.from}, {to, "to", &p.to}} {
		if b.text == "" {
			continue
		}
		s, ok := spanOf(b.text)
		if !ok {
			return p, Errorf(Invalid, "%q is not a date to search %s", b.text, b.name).WithHint("Write a day, a month or a year: 2019-05-04, 2019-05 or 2019.")
		}
		*b.into = &s
	}
	if p.from != nil && p.to != nil && p.from.first > p.to.last {
		return p, Errorf(Invalid, "the dates to search end (%s) before they begin (%s)", to, from).WithHint("Give the earlier date as the first.")
	}
	if dated && p.from == nil && p.to == nil {
		return p, Errorf(Invalid, "references without a date are left out only together with dates").WithHint("Say from when or to when the pictures are.")
	}
	return p, nil
}

// all reports whether the period leaves nothing out.
func (p period) all() bool { return p.from == nil && p.to == nil }

// has reports whether a reference can have been captured within the period: one
// known to the year belongs to every period that has a day of that year.
func (p period) has(captured string) bool {
	if p.all() {
		return true
	}
	s, ok := spanOf(captured)
	if !ok {
		return !p.dated
	}
	return (p.from == nil || s.last >= p.from.first) && (p.to == nil || s.first <= p.to.last)
}

// yearDays is how much earlier than its last day a reference known to the year is
// held in an index, at most.
const yearDays = 365

// indexBounds are the bounds for an index that holds indexDay: wide enough that
// nothing is left out that has would keep. 0, which is no bound there, is avoided.
func (p period) indexBounds() (from, to int32) {
	if p.from != nil {
		if from = p.from.first - yearDays; from == 0 {
			from = -1
		}
	}
	if p.to != nil {
		if to = p.to.last + 1; to == 0 {
			to = 1
		}
	}
	return from, to
}

// text says the period for people and the audit chain.
func (p period) text(from, to string) string {
	out := ""
	switch {
	case p.all():
		return ""
	case from == "":
		out = "captured up to " + to
	case to == "":
		out = "captured from " + from + " on"
	default:
		out = "captured from " + from + " to " + to
	}
	if p.dated {
		return out
	}
	return out + ", and of unknown date"
}
