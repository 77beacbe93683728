package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"semblance"
	"semblance/hashing"
)

func newCollectionSets(e *env) *cobra.Command {
	return group("sets", "List, combine, verify and remove digest sets, the large lists of a collection",
		newSetsList(e), newSetsCombine(e, semblance.SetUnion, "of all that is in any of them"), newSetsCombine(e, semblance.SetDifference, "of what is in the first and in none of the others"),
		newSetsCombine(e, semblance.SetIntersection, "of what is in all of them"), newSetsCount(e), newSetsVerify(e), newSetsRemove(e), newSetsDrop(e))
}

// digestsOf is how many digests a set has, by algorithm.
func digestsOf(s semblance.DigestSet) string {
	var parts []string
	for _, f := range s.Files {
		parts = append(parts, fmt.Sprintf("%s %s", thousands(f.Records), f.Algorithm))
	}
	return strings.Join(parts, ", ")
}

func newSetsList(e *env) *cobra.Command {
	return &cobra.Command{Use: "list [NAME]", Short: "List the digest sets of a collection, or of all", Args: atMost(1, "at most one collection"), RunE: func(cmd *cobra.Command, args []string) error {
		return e.stored(cmd.Context(), func(p *program) error {
			cols, err := p.engine.Collections.Collections(cmd.Context())
			if len(args) > 0 && err == nil {
				var c semblance.Collection
				c, err = p.engine.Collections.Collection(cmd.Context(), args[0])
				cols = []semblance.Collection{c}
			}
			if err != nil {
				return err
			}
			return e.listSets(cmd.Context(), p, cols)
		})
	}}
}

// A listedSet is a set with the name of its collection. Unfinished is set of one whose
// import was stopped, or is under way; Rows then are those that were read.
type listedSet struct {
	In         string `json:"in"`
	Unfinished bool   `json:"unfinished,omitempty"`
	Rows       int64  `json:"rows,omitempty"`
	semblance.DigestSet
}

func (e *env) listSets(ctx context.Context, p *program, cols []semblance.Collection) error {
	t := newTable("SET", "COLLECTION", "DIGESTS", "LEFT OUT", "ADDED", "FORMAT", "OF")
	show := func(s listedSet) error {
		if e.json {
			return e.emit(s)
		}
		added, digests := day(s.Added), digestsOf(s.DigestSet)
		if s.Unfinished {
			added, digests = "UNFINISHED", count(s.Rows, "row read", "rows read")
		}
		format := "combined"
		if len(s.Sources) == 1 {
			format = s.Sources[0].Format
		}
		t.row(s.ID.Short(), s.In, digests, s.Counts.Bad, added, format, s.Name)
		return nil
	}
	for _, c := range cols {
		sets, err := p.store.Sets(ctx, c.ID)
		if err != nil {
			return err
		}
		for _, s := range sets {
			if err := show(listedSet{In: c.Name, DigestSet: s}); err != nil {
				return err
			}
		}
		u, err := p.sets.Unfinished(c.ID)
		if err != nil {
			return err
		}
		if u != nil {
			if err := show(listedSet{In: c.Name, Unfinished: true, Rows: u.Rows, DigestSet: u.Set}); err != nil {
				return err
			}
		}
	}
	if !e.json {
		t.print(e.out)
	}
	return nil
}

// showSets lists the sets of a collection that is shown.
func (e *env) showSets(ctx context.Context, p *program, c semblance.Collection) error {
	sets, err := p.store.Sets(ctx, c.ID)
	if err != nil {
		return err
	}
	for _, s := range sets {
		e.say("  set %s of %s: %s", s.ID.Short(), printable(s.Name), digestsOf(s))
	}
	return nil
}

func newSetsCombine(e *env, op semblance.SetOperation, what string) *cobra.Command {
	r := semblance.SetCombination{Operation: op}
	var algs []string
	cmd := &cobra.Command{Use: string(op) + " NAME SET SET...", Short: "Make a digest set for collection NAME " + what,
		Long: `Sets are named by the beginning of their ID, or by their name. They stay as they are. The
result is made algorithm by algorithm; a record that several sets have is that of the first.`,
		Args: atLeast(3, "a collection and two or more sets"), RunE: func(cmd *cobra.Command, args []string) error {
			r.Sets = args[1:]
			if err := algorithmsOf(algs, &r); err != nil {
				return err
			}
			return e.stored(cmd.Context(), func(p *program) error {
				s, err := p.engine.CombineSets(cmd.Context(), e.who(), args[0], r)
				if err != nil {
					return err
				}
				e.changed(cmd.Context(), p, args[0])
				if e.json {
					return e.emit(s)
				}
				e.say("%s: set %s, %s: %s", args[0], s.ID.Short(), printable(s.Name), digestsOf(s))
				return nil
			})
		}}
	cmd.Flags().StringSliceVar(&algs, "algorithm", nil, "only these of md5, sha1, sha256")
	cmd.Flags().StringVar(&r.Name, "name", "", "name of the new set; empty says how it was made")
	return cmd
}

func algorithmsOf(names []string, r *semblance.SetCombination) error {
	for _, n := range list(names) {
		alg, err := hashing.ParseAlgorithm(n)
		if err != nil || !alg.IsDigest() {
			return semblance.Errorf(semblance.Invalid, "%q is no digest", n).WithHint("Digest sets have md5, sha1 and sha256.")
		}
		r.Algorithms = append(r.Algorithms, alg)
	}
	return nil
}

func newSetsCount(e *env) *cobra.Command {
	var r semblance.SetCombination
	var algs []string
	cmd := &cobra.Command{Use: "count SET SET...", Short: "Count what digest sets have in common", Args: atLeast(2, "two or more sets"), RunE: func(cmd *cobra.Command, args []string) error {
		r.Sets = args
		if err := algorithmsOf(algs, &r); err != nil {
			return err
		}
		return e.stored(cmd.Context(), func(p *program) error {
			sets, counts, err := p.engine.CountSets(cmd.Context(), r)
			if err != nil {
				return err
			}
			head := []string{"ALGORITHM"}
			for _, s := range sets {
				head = append(head, s.ID.Short())
			}
			t := newTable(append(head, "UNION", "INTERSECTION")...)
			for _, c := range counts {
				if e.json {
					if err := e.emit(c); err != nil {
						return err
					}
					continue
				}
				cells := []any{c.Algorithm}
				for _, n := range c.Sets {
					cells = append(cells, thousands(n))
				}
				t.row(append(cells, thousands(c.Union), thousands(c.Intersection))...)
			}
			if !e.json {
				t.print(e.out)
			}
			return nil
		})
	}}
	cmd.Flags().StringSliceVar(&algs, "algorithm", nil, "only these of md5, sha1, sha256")
	return cmd
}

func newSetsVerify(e *env) *cobra.Command {
	return &cobra.Command{Use: "verify [NAME]", Short: "Read every file of digest sets and compare its SHA-256 with the recorded one", Args: atMost(1, "at most one collection"), RunE: func(cmd *cobra.Command, args []string) error {
		return e.stored(cmd.Context(), func(p *program) error {
			var id semblance.CollectionID
			if len(args) > 0 {
				c, err := p.engine.Collections.Collection(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				id = c.ID
			}
			sets, err := p.store.Sets(cmd.Context(), id)
			if err != nil {
				return err
			}
			for _, s := range sets {
				if err := p.sets.Verify(s); err != nil {
					return fmt.Errorf("set %s of %s: %w", s.ID.Short(), s.Name, err)
				}
			}
			e.say("%s sound", count(int64(len(sets)), "set is", "sets are"))
			return nil
		})
	}}
}

func newSetsRemove(e *env) *cobra.Command {
	return &cobra.Command{Use: "remove NAME SET", Short: "Take a digest set out of a collection and erase its files", Args: exactly(2, "the collection's name and a set"), RunE: func(cmd *cobra.Command, args []string) error {
		return e.stored(cmd.Context(), func(p *program) error {
			s, err := p.engine.RemoveSet(cmd.Context(), e.who(), args[0], args[1])
			if err != nil {
				return err
			}
			e.changed(cmd.Context(), p, args[0])
			if e.json {
				return e.emit(s)
			}
			e.say("%s: set %s of %s removed: %s", args[0], s.ID.Short(), printable(s.Name), digestsOf(s))
			return nil
		})
	}}
}

func newSetsDrop(e *env) *cobra.Command {
	return &cobra.Command{Use: "drop NAME", Short: "Give up the import of a digest set that was stopped", Args: exactly(1, "the collection's name"), RunE: func(cmd *cobra.Command, args []string) error {
		return e.stored(cmd.Context(), func(p *program) error {
			if err := p.engine.DropImport(cmd.Context(), args[0]); err != nil {
				return err
			}
			e.note("%s: no import is unfinished", args[0])
			return nil
		})
	}}
}

// A setView tells how far the making of a set is: on a line that is written over for a
// person who watches, else every ten seconds.
type setView struct {
	e       *env
	watched bool
	shown   time.Time
	began   time.Time
	stage   string
	first   int64 // of the stage
}

func newSetView(e *env) *setView { return &setView{e: e, watched: terminal(e.err)} }

func (v *setView) progress(p semblance.SetProgress) {
	now := time.Now()
	if p.Stage != v.stage {
		v.stage, v.began, v.first = p.Stage, now, p.Done
		if p.Stage == "reading" {
			v.first = p.Rows
		}
	}
	every := 10 * time.Second
	if v.watched {
		every = 500 * time.Millisecond
	}
	if v.e.quiet || v.e.json || now.Sub(v.shown) < every {
		return
	}
	v.shown = now
	text := v.line(p, now.Sub(v.began).Seconds())
	if v.watched {
		fmt.Fprintf(v.e.err, "\r\033[K%s", text)
		return
	}
	v.e.note("%s", text)
}

func (v *setView) line(p semblance.SetProgress, seconds float64) string {
	done := p.Done
	if p.Stage == "reading" {
		done = p.Rows
	}
	if p.Stage == "hashing" {
		return "hashing the list"
	}
	text := fmt.Sprintf("%s: %s", p.Stage, count(done, "row", "rows"))
	if p.Total > 0 {
		text += fmt.Sprintf(", %.1f%%", 100*float64(p.Done)/float64(p.Total))
	}
	if rate := float64(done-v.first) / max(seconds, 1e-3); rate > 0 && seconds > 1 {
		text += fmt.Sprintf(", %s a second", thousands(int64(rate)))
	}
	return text
}

// done clears the line.
func (v *setView) done() {
	if v.watched && !v.shown.IsZero() {
		fmt.Fprint(v.e.err, "\r\033[K")
	}
}
