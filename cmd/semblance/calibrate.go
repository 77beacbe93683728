package main

import (
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"semblance"
)

func newCollectionCalibrate(e *env) *cobra.Command {
	var show bool
	cmd := &cobra.Command{Use: "calibrate NAME", Short: "Measure what the distances of a faces collection mean, and list possible double enrollments",
		Long: `Every subject's references are searched among all other subjects: searches for people
who are not there. From their nearest distances follows, with 95% intervals and for
each range of quality of the probe, at what distance fewer than one in so many such
searches return anyone. Candidates carry that as their band from then on. It speaks of
this collection alone, of people and pictures like those enrolled, and never of how
likely a candidate is to be the person.

A collection that has changed by more than a tenth is measured again by the next search.
The nearest references of two subjects are listed: look at them, they may be one
person. One photograph enrolled under two names is left out of the measurement and
listed too.`,
		Args: exactly(1, "the collection's name"), RunE: func(cmd *cobra.Command, args []string) error {
			return e.stored(cmd.Context(), func(p *program) error {
				calibrate := func() (semblance.Calibration, error) { return p.engine.Calibrate(cmd.Context(), e.who(), args[0]) }
				if show {
					calibrate = func() (semblance.Calibration, error) { return p.engine.Calibration(cmd.Context(), args[0]) }
				}
				cal, err := calibrate()
				if err != nil {
					return err
				}
				if e.json {
					return e.emit(cal)
				}
				e.printCalibration(cal)
				return nil
			})
		}}
	cmd.Flags().BoolVar(&show, "show", false, "show the calibration that is in use instead of measuring")
	return cmd
}

func (e *env) printCalibration(c semblance.Calibration) {
	e.say("collection %s, version %d, engine %s version %d: %s, %s", c.Collection, c.Version, c.Engine, c.EngineVersion,
		count(c.Subjects, "subject", "subjects"), count(c.References, "reference", "references"))
	e.say("%s for people who are not in it; within the threshold of %.4f, %s of them return someone",
		count(int64(c.Searches), "search", "searches"), c.Threshold, rateText(c.AtThreshold))
	t := newTable("QUALITY", "SUBJECTS", "SEARCHES", "FEWER THAN", "WITHIN", "MEASURED", "95% INTERVAL", "")
	for _, b := range c.Bins {
		quality := fmt.Sprintf("%g to %g", b.From, b.To)
		if len(b.Levels) == 0 {
			why := b.Why
			if why == "" {
				why = "too few subjects"
			}
			t.row(quality, b.Subjects, b.Searches, "-", "-", "-", "-", "not calibrated: "+why)
		}
		for _, l := range b.Levels {
			note := ""
			if l.Extrapolated {
				note = "extrapolated"
			}
			t.row(quality, b.Subjects, b.Searches, "1 in "+fmt.Sprint(l.OneIn), fmt.Sprintf("%.4f", l.Distance), fmt.Sprintf("%.6f", l.Rate.Value),
				fmt.Sprintf("%.6f to %.6f", l.Rate.Low, l.Rate.High), note)
		}
	}
	t.print(e.out)
	e.printPairs("nearest references of two subjects; look whether they are one person:", c.Closest, len(c.Closest))
	e.printPairs("left out: one photograph under two names. Remove the wrong one:", c.Left, c.LeftCount)
}

// rateText is a rate with its interval, as a share and never as a percentage, which
// people take for one of identity.
func rateText(r semblance.Rate) string {
	return fmt.Sprintf("%.4f (95%% interval %.4f to %.4f)", r.Value, r.Low, r.High)
}

func (e *env) printPairs(head string, pairs []semblance.ClosePair, all int) {
	if len(pairs) == 0 {
		return
	}
	e.say("%s", head)
	t := newTable("DISTANCE", "SUBJECT", "REFERENCE", "SUBJECT", "REFERENCE")
	for _, p := range pairs {
		t.row(fmt.Sprintf("%.4f", p.Distance), p.SubjectA, p.SourceA, p.SubjectB, p.SourceB)
	}
	t.print(e.out)
	if all > len(pairs) {
		e.say("and %d more", all-len(pairs))
	}
}

// footnotes are bands that are too long for a column.
type footnotes []string

// mark is what stands in the column: the band itself when it says nothing, else a
// letter.
func (f *footnotes) mark(band string) string {
	if band == semblance.NotCalibrated {
		return band
	}
	i := slices.Index(*f, band)
	if i < 0 {
		i = len(*f)
		*f = append(*f, band)
	}
	return letters(i)
}

// letters counts a, b, ... z, aa, ab.
func letters(i int) string {
	s := string(rune('a' + i%26))
	if i >= 26 {
		return letters(i/26-1) + s
	}
	return s
}

// printBands explains the letters of a table of candidates.
func (e *env) printBands(f footnotes, collections int) {
	for i, band := range f {
		e.say("band %s: %s", letters(i), printable(band))
	}
	if len(f) > 0 && collections > 1 {
		e.say("a band speaks of searches of its candidate's own collection; of all %d together, at most the sum of their rates return anyone", collections)
	}
}
