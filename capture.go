package semblance

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// A partialDate is a day known as far as its text goes: YYYY, YYYY-MM or
// YYYY-MM-DD. first and last are the days it can be.
type partialDate struct{ first, last time.Time }

// firstPhotograph is the year before which no picture was taken.
const firstPhotograph = 1826

// parsePartial reads a partial date; what names it in the message.
func parsePartial(what, text string) (partialDate, error) {
	for _, form := range []struct {
		layout              string
		years, months, days int
	}{{"2006", 1, 0, 0}, {"2006-01", 0, 1, 0}, {time.DateOnly, 0, 0, 1}} {
		if t, err := time.Parse(form.layout, text); err == nil {
			return partialDate{t, t.AddDate(form.years, form.months, form.days-1)}, nil
		}
	}
	return partialDate{}, Errorf(Invalid, "%s %q is not a date", what, text).WithHint("Write it as far as it is known: 2019, 2019-05 or 2019-05-04.")
}

// parseCaptured reads when a picture was taken.
func parseCaptured(text string, now time.Time) (partialDate, error) {
	d, err := parsePartial("the date of capture", text)
	switch {
	case err != nil:
		return d, err
	case d.first.After(now.AddDate(0, 0, 1)): // a day for zones ahead of ours
		return d, Errorf(Invalid, "the date of capture %q lies in the future", text)
	case d.first.Year() < firstPhotograph:
		return d, Errorf(Invalid, "the date of capture %q lies before the first photograph", text)
	}
	return d, nil
}

// maxAge is older than anybody has become.
const maxAge = 125

// ageAt is how old somebody born then was when a picture was taken: the least and
// the most it can be.
func ageAt(captured, born partialDate) (least, most int) {
	return yearsBetween(born.last, captured.first), yearsBetween(born.first, captured.last)
}

// yearsBetween counts birthdays.
func yearsBetween(born, day time.Time) int {
	years := day.Year() - born.Year()
	if day.Month() < born.Month() || day.Month() == born.Month() && day.Day() < born.Day() {
		years--
	}
	return years
}

// capture fills in when the picture was taken and how old the person was: what is
// stated goes before what the camera wrote. An age that is not known to the year is
// the least it can be.
func (r *EnrollRequest) capture(ref *Reference, taken string, now time.Time) (warning string, err error) {
	var captured partialDate
	switch {
	case r.Captured != "":
		if captured, err = parseCaptured(r.Captured, now); err != nil {
			return "", err
		}
		ref.Captured, ref.CapturedFrom = r.Captured, CapturedStated
	case taken != "":
		day, _, _ := strings.Cut(taken, "T")
		if captured, err = parseCaptured(day, now); err != nil {
			warning = "the camera's date is not kept: " + err.Error()
			break
		}
		ref.Captured, ref.CapturedFrom = day, CapturedExif
	}
	if r.Age != nil {
		if *r.Age < 0 || *r.Age > maxAge {
			return "", Errorf(Invalid, "an age of %d years is outside 0 to %d", *r.Age, maxAge)
		}
		ref.Age = r.Age
	}
	if r.Born != "" {
		return warning, r.fromBirth(ref, captured, now)
	}
	return warning, nil
}

// fromBirth works the age out from the date of birth, which is not kept.
func (r *EnrollRequest) fromBirth(ref *Reference, captured partialDate, now time.Time) error {
	born, err := parsePartial("the date of birth", r.Born)
	if err != nil {
		return err
	}
	if born.first.After(now) {
		return Errorf(Invalid, "the date of birth %q lies in the future", r.Born)
	}
	if ref.Captured == "" {
		if r.Age == nil {
			return Errorf(Invalid, "an age at capture cannot be told from a date of birth alone: it is not known when the picture was taken").
				WithHint("State when it was taken, or the age.")
		}
		return nil
	}
	least, most := ageAt(captured, born)
	switch {
	case most < 0:
		return Errorf(Invalid, "the picture was taken (%s) before the person was born (%s)", ref.Captured, r.Born)
	case least > maxAge:
		return Errorf(Invalid, "the person, born %s, would have been %d when the picture was taken (%s)", r.Born, least, ref.Captured)
	case r.Age != nil && (*r.Age < least || *r.Age > most):
		return Errorf(Invalid, "an age of %d does not fit: born %s, taken %s", *r.Age, r.Born, ref.Captured)
	case r.Age == nil:
		age := max(0, least)
		ref.Age = &age
	}
	return nil
}

// childAge is the age under which a declared age is a reliability label: children
// change fast, and the models know few of them.
const childAge = 18

// label adds the reliability label of a declared age, once.
func (r *Reference) label() {
	if r.Age == nil || *r.Age >= childAge {
		return
	}
	if l := fmt.Sprintf("child by declared age (%d)", *r.Age); !slices.Contains(r.Face.Labels, l) {
		r.Face.Labels = append(slices.Clip(r.Face.Labels), l)
	}
}
