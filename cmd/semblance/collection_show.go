package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"semblance"
	"semblance/hashing"
)

func newCollectionShow(e *env) *cobra.Command {
	var all bool
	cmd := &cobra.Command{Use: "show NAME", Short: "Show a collection and what it holds", Args: exactly(1, "the collection's name"),
		Long: `Shows a collection with the first of its references or entries. With --references all
references of a faces collection are listed; with --json each is a line then:
{"event":"reference","id","subject","source","captured","age_at_capture",...}.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return e.stored(cmd.Context(), func(p *program) error { return e.showCollection(cmd.Context(), p, args[0], all) })
		}}
	cmd.Flags().BoolVar(&all, "references", false, "list every reference")
	return cmd
}

// shownReferences is how many references and entries `show` prints.
const shownReferences = 50

var errEnough = errors.New("enough")

// A shownCollection is a collection and, while it is on its way to another engine,
// how far it is.
type shownCollection struct {
	semblance.Collection
	Reenrollment *semblance.Reenrollment `json:"reenrollment,omitempty"`
}

func (e *env) showCollection(ctx context.Context, p *program, name string, all bool) error {
	c, err := p.engine.Collections.Collection(ctx, name)
	if err != nil {
		return err
	}
	if all && c.Kind != semblance.Faces {
		return semblance.Errorf(semblance.Invalid, "collection %q holds %s; only faces have references", c.Name, c.Kind)
	}
	moving, err := p.engine.Reenrollment(ctx, c.ID)
	if err != nil {
		return err
	}
	if e.json {
		if err := e.emit(shownCollection{c, moving}); err != nil || !all {
			return err
		}
		return p.engine.References.EachReference(ctx, c.ID, func(r semblance.Reference) error {
			r.Face.Embedding = nil
			return e.emit(struct {
				Event string `json:"event"`
				semblance.Reference
			}{"reference", r})
		})
	}
	e.say("%s: %s", c.Name, kindOf(c))
	e.say("  owner %s, %s; basis: %s", c.Owner, c.Country, c.Basis)
	if c.Handling+c.Review != "" {
		e.say("  handling %q, review %q", c.Handling, c.Review)
	}
	e.say("  %s, %s, threshold %s, version %d", count(c.Subjects, "subject", "subjects"), count(c.Entries, "entry", "entries"), thresholdOf(c), c.Version)
	e.say("  %s", settingsOf(c))
	if c.Kind == semblance.Faces {
		return e.showFaces(ctx, p, c, moving, all)
	}
	if err := e.showSets(ctx, p, c); err != nil {
		return err
	}
	t := newTable("ALGORITHM", "VALUE", "QUALITY", "CATEGORY", "SOURCE", "NOTE")
	err = p.engine.Entries.EachEntry(ctx, c.ID, 0, func(h semblance.HashEntry) error {
		if len(t.rows) == shownReferences {
			return errEnough
		}
		q := ""
		if h.Quality >= 0 {
			q = fmt.Sprint(h.Quality)
		}
		t.row(h.Algorithm, valueOf(h), q, h.Category, h.Source, h.Note)
		return nil
	})
	t.print(e.out)
	return e.more(err, c.Entries)
}

// valueOf is the value of an entry as a person reads it.
func valueOf(h semblance.HashEntry) string {
	if !h.Algorithm.IsVideo() {
		return semblance.ValueText(h.Algorithm, h.Value)
	}
	if v, err := hashing.ParseVPDQBinary(h.Value); err == nil && len(v) > 0 {
		return fmt.Sprintf("%s over %s", count(int64(len(v)), "frame", "frames"), v[len(v)-1].Time.Round(time.Second))
	}
	if t, err := hashing.ParseTMK(h.Value); err == nil {
		return fmt.Sprintf("of %s", (time.Duration(t.Frames) * time.Second / hashing.TMKFramesPerSecond).Round(time.Second))
	}
	return size(int64(len(h.Value)))
}

func (e *env) showFaces(ctx context.Context, p *program, c semblance.Collection, moving *semblance.Reenrollment, all bool) error {
	if c.LeftOut > 0 {
		e.say("  NOT SEARCHED: %s; the table says why, last column", count(c.LeftOut, "reference", "references"))
	}
	if moving != nil {
		e.say("  being enrolled again with engine %s, version %d: %s", moving.Engine, moving.Version, howFar(*moving))
	}
	t := newTable("SUBJECT", "REFERENCE", "SOURCE", "QUALITY", "CAPTURED", "AGE", "ENROLLED", "REMARKS")
	err := p.engine.References.EachReference(ctx, c.ID, func(r semblance.Reference) error {
		if !all && len(t.rows) == shownReferences {
			return errEnough
		}
		t.row(r.Subject, r.ID, r.Source, fmt.Sprintf("%.0f", r.Face.Quality), capturedOf(r), ageOf(r), day(r.Created), remarksOf(r))
		return nil
	})
	t.print(e.out)
	return e.more(err, c.Entries)
}

// howFar is one line about a re-enrollment.
func howFar(r semblance.Reenrollment) string {
	text := fmt.Sprintf("%d of %s made", r.Staged, count(r.References, "reference", "references"))
	if r.LeftOut > 0 {
		text += fmt.Sprintf(", %d of them cannot be", r.LeftOut)
	}
	return text + fmt.Sprintf(" (begun %s by %s)", day(r.Started), r.By.Name)
}

func capturedOf(r semblance.Reference) string {
	if r.CapturedFrom == semblance.CapturedExif {
		return r.Captured + " (camera)"
	}
	return r.Captured
}

func ageOf(r semblance.Reference) string {
	if r.Age == nil {
		return ""
	}
	return fmt.Sprint(*r.Age)
}

func remarksOf(r semblance.Reference) string {
	var out []string
	if r.LeftOut != "" {
		out = append(out, "NOT SEARCHED: "+r.LeftOut)
	}
	out = append(out, r.Face.Labels...)
	if o := r.Override; o != nil {
		out = append(out, fmt.Sprintf("enrolled by %s although %s; why: %s", o.By, strings.Join(o.Against, ", "), o.Why))
	}
	if r.Note != "" {
		out = append(out, r.Note)
	}
	return strings.Join(out, "; ")
}

func (e *env) more(err error, total int64) error {
	if errors.Is(err, errEnough) {
		e.say("and %d more", total-shownReferences)
		return nil
	}
	return err
}
