package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"semblance"
)

func newLookback(e *env) *cobra.Command {
	var r semblance.LookbackRequest
	var due bool
	cmd := &cobra.Command{Use: "lookback [COLLECTION]", Short: "Compare old exhibits with what collections have gained and lost since", Args: atMost(1, "the name of a collection at most"),
		Long: `Compares what is kept of the media of old exhibits, digests and perceptual hashes, with
what the hashes and known-good collections that they were compared with have gained and
lost since. Nothing is decoded, and the exhibits need not be at hand. Findings become
those that a scan would give today; every one that is new, changed or withdrawn is told
to the owner of the case by a notice (semblance notices). An interrupted run goes on
where it was.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				r.Collection = args[0]
			}
			return e.stored(cmd.Context(), func(p *program) error {
				if due {
					return e.printDue(cmd.Context(), p)
				}
				r.Progress = e.lookbackProgress()
				res, err := p.engine.LookBack(cmd.Context(), e.who(), r)
				if err != nil && len(res.Collections) == 0 {
					return err
				}
				return errors.Join(err, e.printLookback(res))
			})
		}}
	cmd.Flags().BoolVar(&r.All, "all", false, "compare with everything in the collections, as after a threshold was changed")
	cmd.Flags().BoolVar(&due, "due", false, "only list what is due")
	return cmd
}

func (e *env) lookbackProgress() func(done, total int) {
	if e.quiet || e.json || !terminal(e.err) {
		return nil
	}
	return func(done, total int) {
		fmt.Fprintf(e.err, "\r%s of %s media compared", thousands(int64(done)), thousands(int64(total)))
		if done == total {
			fmt.Fprintln(e.err)
		}
	}
}

func (e *env) printDue(ctx context.Context, p *program) error {
	due, err := p.engine.DueLookbacks(ctx)
	if err != nil {
		return err
	}
	if e.json {
		return e.emit(due)
	}
	t := newTable("COLLECTION", "NEW", "SETS", "LOST", "EXHIBITS", "SCANNING", "CASES")
	for _, d := range due.Collections {
		lost := ""
		switch {
		case d.Gone:
			lost = "erased"
		case d.Lost:
			lost = "yes"
		}
		t.row(d.Name, d.New, d.NewSets, lost, d.Exhibits, d.Scanning, strings.Join(d.Cases, ", "))
	}
	t.print(e.out)
	e.unknown(due.Unknown)
	return nil
}

func (e *env) printLookback(res semblance.LookbackResult) error {
	if e.json {
		return e.emit(res)
	}
	for _, c := range res.Collections {
		e.say("%s: %s compared again: %d new, %d changed, %d withdrawn", c.Name, count(int64(c.Media), "media", "media"), c.Found, c.Changed, c.Withdrawn)
		if c.Lacking > 0 {
			e.say("%s: of %s not everything could be compared, because it was never decoded; scan their exhibits again", c.Name, count(int64(c.Lacking), "media", "media"))
		}
		if c.Scanning > 0 {
			e.say("%s: %s being scanned now; look back again when that has ended", c.Name, count(int64(c.Scanning), "exhibit is", "exhibits are"))
		}
	}
	if len(res.Collections) == 0 {
		e.say("nothing is due")
	}
	e.unknown(res.Unknown)
	if notices(res) > 0 {
		e.note("`semblance notices --case NUMBER` lists what was told to the owners of the cases")
	}
	return nil
}

func notices(res semblance.LookbackResult) (n int) {
	for _, c := range res.Collections {
		n += c.Found + c.Changed + c.Withdrawn
	}
	return n
}

// unknown says of which exhibits it is not known what they were compared with.
func (e *env) unknown(labels []string) {
	if len(labels) > 0 {
		e.say("not looked back at, because an earlier version scanned them and it is not recorded what they were compared with: %s; scan them again", printable(strings.Join(labels, ", ")))
	}
}

// changed is called when the content of a collection has changed: a service looks back by
// itself, a command says what would.
func (e *env) changed(ctx context.Context, p *program, name string) {
	due, err := p.engine.DueLookbacks(ctx)
	if err != nil {
		e.warn("what is due for a look-back could not be read: %v", err)
		return
	}
	for _, d := range due.Collections {
		if d.Name != name {
			continue
		}
		if p.lookback != nil {
			if err := p.lookback(ctx, e.who()); err != nil {
				e.warn("the look-back could not be queued: %v", err)
			} else {
				e.note("in %s %s compared with %s before: looked back at in the background", cases(d.Cases), count(int64(d.Exhibits), "exhibit was", "exhibits were"), name)
			}
			return
		}
		e.note("in %s %s compared with %s before: `semblance lookback` compares what is kept again", cases(d.Cases), count(int64(d.Exhibits), "exhibit was", "exhibits were"), name)
	}
}

func cases(numbers []string) string {
	if len(numbers) > 5 {
		return fmt.Sprintf("%d cases", len(numbers))
	}
	if len(numbers) == 1 {
		return "case " + numbers[0]
	}
	return "cases " + strings.Join(numbers, ", ")
}

func newNotices(e *env) *cobra.Command {
	var number string
	var all bool
	var seen []string
	f := semblance.NoticeFilter{}
	cmd := &cobra.Command{Use: "notices --case N", Short: "List what look-backs changed in a case, and acknowledge it", Args: none,
		Long: `Lists the notices of a case that nobody has acknowledged: new hits and near matches on
old exhibits, findings that say something else now, and findings that were withdrawn
because a collection lost what they rested on, with what was said until then.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if number == "" {
				return semblance.Errorf(semblance.Invalid, "it is not said whose notices are meant").WithHint("Give --case NUMBER.")
			}
			return e.stored(cmd.Context(), func(p *program) error {
				if cmd.Flags().Changed("acknowledge") {
					return e.acknowledge(cmd.Context(), p, number, list(seen))
				}
				f.Open = !all
				return e.listNotices(cmd.Context(), p, number, f)
			})
		}}
	fl := cmd.Flags()
	fl.StringVar(&number, "case", "", "number of the case")
	fl.BoolVar(&all, "all", false, "also those that were acknowledged")
	fl.StringSliceVar(&seen, "acknowledge", nil, "mark the notices of these ids as seen, or all of them: all")
	fl.Int64Var((*int64)(&f.After), "after", 0, "only notices behind this id")
	fl.IntVar(&f.Limit, "limit", 100, "notices listed")
	return cmd
}

func (e *env) listNotices(ctx context.Context, p *program, number string, f semblance.NoticeFilter) error {
	found, err := p.engine.ListNotices(ctx, e.who(), number, f)
	if err != nil {
		return err
	}
	t := newTable("NOTICE", "DAY", "WHAT", "COLLECTION", "MEDIA", "WHERE", "SEEN BY")
	err = rows(e, t, found, func(n semblance.Notice) {
		what, where, in := n.What, "", n.Collection
		if n.What == semblance.NoticeChanged || n.What == semblance.NoticeWithdrawn {
			what = n.Kind + " " + n.What
		}
		if n.Other != "" {
			in += " and " + n.Other
		}
		if len(n.Items) > 0 {
			where = n.Items[0].Exhibit + "/" + n.Items[0].Path
			if n.ItemCount > 1 {
				where += fmt.Sprintf(" and %d more", n.ItemCount-1)
			}
		}
		t.row(n.ID, day(n.Made), what, in, n.Media.String()[:16], where, n.AcknowledgedBy)
	})
	if err == nil && !e.json {
		for _, n := range found {
			if n.Remark != "" {
				e.say("%d: %s", n.ID, n.Remark)
			}
		}
		if len(found) == f.Limit {
			e.note("there may be more: --after %d", found[len(found)-1].ID)
		}
	}
	return err
}

func (e *env) acknowledge(ctx context.Context, p *program, number string, texts []string) error {
	var ids []semblance.NoticeID
	for _, s := range texts {
		id, err := strconv.ParseInt(s, 10, 64)
		if err != nil && (s != "all" || len(texts) > 1) {
			return semblance.Errorf(semblance.Invalid, "%q is not the id of a notice", s).WithHint("Give ids with commas, or all.")
		}
		if err == nil {
			ids = append(ids, semblance.NoticeID(id))
		}
	}
	if len(texts) == 0 {
		return semblance.Errorf(semblance.Invalid, "it is not said which notices are acknowledged").WithHint("Give ids with commas, or all.")
	}
	n, err := p.engine.AcknowledgeNotices(ctx, e.who(), number, ids...)
	if err != nil {
		return err
	}
	if e.json {
		return e.emit(map[string]int{"acknowledged": n})
	}
	e.say("%s acknowledged", count(int64(n), "notice", "notices"))
	return nil
}
