package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"semblance"
)

func newGroup(e *env) *cobra.Command {
	c := group("group", "Put unknown faces of exhibits and cases into groups that may be of one person",
		newGroupRun(e), newGroupList(e), newGroupShow(e), newGroupNear(e), newGroupMerge(e), newGroupSplit(e), newGroupMove(e), newGroupName(e), newGroupUndo(e), newGroupHistory(e))
	c.Long = `A group is faces that may be of one person: a lead for a trained examiner, never an
identification. Only faces of the cases that are named are looked at, and every set of
cases has groups of its own. Two faces of one picture are never put together. What is
changed by hand is kept through later runs and can be undone.`
	return c
}

// scoped adds the flags that say whose faces are meant.
func scoped(cmd *cobra.Command, r *semblance.GroupRequest) *cobra.Command {
	f := cmd.Flags()
	f.StringSliceVar(&r.Cases, "case", nil, "numbers of the cases whose faces are meant")
	f.BoolVar(&r.All, "all", false, "the faces of every case")
	f.StringVar((*string)(&r.Engine), "engine", "", "face engine; empty is "+string(semblance.DefaultEngine))
	return cmd
}

func newGroupRun(e *env) *cobra.Command {
	var r semblance.GroupRequest
	cmd := &cobra.Command{Use: "run --case N[,M...]|--all", Short: "Group the faces of cases, or add what is new to their groups", Args: none,
		Long: `The first run groups every face that scans of the cases have found. A later one looks at
new media only: faces join groups or form new ones; no group is taken apart and no two
that exist are joined (group near suggests such pairs). --fresh begins again, and keeps
the groups that were edited by hand.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			r.Cases = list(r.Cases)
			r.Progress = e.groupProgress()
			return e.stored(cmd.Context(), func(p *program) error {
				res, err := p.engine.GroupFaces(cmd.Context(), e.who(), r)
				if err != nil {
					return err
				}
				return e.printGrouping(res)
			})
		}}
	cmd.Flags().BoolVar(&r.Fresh, "fresh", false, "begin again; groups edited by hand stay")
	cmd.Flags().Float64Var(&r.Distance, "distance", 0, "largest mean distance of faces in a group; 0 is the engine's own; audited")
	return scoped(cmd, &r)
}

// groupProgress tells a person that watches how far a long run is.
func (e *env) groupProgress() func(done, total int) {
	if e.quiet || e.json || !terminal(e.err) {
		return nil
	}
	return func(done, total int) {
		if done%4096 == 0 || done == total {
			fmt.Fprintf(e.err, "\r%s of %s faces compared", thousands(int64(done)), thousands(int64(total)))
			if done == total {
				fmt.Fprintln(e.err)
			}
		}
	}
}

func (e *env) printGrouping(res semblance.GroupResult) error {
	if e.json {
		return e.emit(res)
	}
	e.say("%s looked at, %s new: %d joined groups that were there, %s of several, %d by themselves",
		count(int64(res.Media), "media", "media"), count(int64(res.Faces), "face", "faces"), res.Joined, count(int64(res.Formed), "new group", "new groups"), res.Alone)
	if res.Gone > 0 {
		e.say("%s no longer found, and taken out of their groups", count(int64(res.Gone), "face is", "faces are"))
	}
	for _, x := range res.LeftOut {
		e.say("left out: %s", exclusion(x))
	}
	if res.Near > 0 {
		e.say("%s may be of one person: `semblance group near` lists them", count(int64(res.Near), "pair of groups", "pairs of groups"))
	}
	e.say("engine %s version %d, mean distance up to %.4f; %.1f s", res.Grouping.Engine, res.Grouping.Version, res.Grouping.Distance, res.Seconds)
	e.say("%s", res.Limits)
	return nil
}

func exclusion(x semblance.GroupExclusion) string {
	var what []string
	if x.Case != "" {
		what = append(what, "case "+x.Case)
	}
	if x.Media > 0 {
		what = append(what, count(int64(x.Media), "media", "media"))
	}
	if x.Faces > 0 {
		what = append(what, count(int64(x.Faces), "face", "faces"))
	}
	return strings.Join(what, ", ") + ": " + x.Reason
}

func newGroupList(e *env) *cobra.Command {
	var r semblance.GroupRequest
	var f semblance.GroupFilter
	cmd := &cobra.Command{Use: "list --case N[,M...]|--all", Short: "List groups, the largest first", Args: none, RunE: func(cmd *cobra.Command, _ []string) error {
		r.Cases = list(r.Cases)
		return e.stored(cmd.Context(), func(p *program) error {
			_, groups, err := p.engine.ListGroups(cmd.Context(), e.who(), r, f)
			if err != nil {
				return err
			}
			t := newTable("GROUP", "FACES", "POOR", "EXHIBITS", "CASES", "EDITED", "NAME", "NOTE")
			return rows(e, t, groups, func(g semblance.FaceGroup) {
				t.row(g.ID, g.Faces, g.Poor, g.Exhibits, g.Cases, yes(g.Edited), g.Name, g.Note)
			})
		})
	}}
	fl := cmd.Flags()
	fl.BoolVar(&f.Exhibits, "by-exhibits", false, "those seen in most exhibits first")
	fl.BoolVar(&f.CrossCase, "cross-case", false, "only groups seen in several cases")
	fl.IntVar(&f.Least, "least", 1, "only groups of so many faces or more")
	fl.IntVar(&f.Limit, "limit", 100, "groups listed")
	fl.IntVar(&f.After, "after", 0, "groups to skip")
	return scoped(cmd, &r)
}

func yes(b bool) string {
	if b {
		return "by hand"
	}
	return ""
}

// rows prints a list, for programs a line each, for people as a table.
func rows[T any](e *env, t *table, list []T, row func(T)) error {
	for _, x := range list {
		if e.json {
			if err := e.emit(x); err != nil {
				return err
			}
			continue
		}
		row(x)
	}
	if !e.json {
		t.print(e.out)
	}
	return nil
}

func newGroupShow(e *env) *cobra.Command {
	return &cobra.Command{Use: "show ID", Short: "Show the faces of a group, where they were seen, and the groups near it", Args: exactly(1, "the group's id"), RunE: func(cmd *cobra.Command, args []string) error {
		return e.stored(cmd.Context(), func(p *program) error {
			v, err := p.engine.ShowGroup(cmd.Context(), e.who(), semblance.GroupID(args[0]))
			if err != nil {
				return err
			}
			if e.json {
				return e.emit(v)
			}
			e.showGroup(v)
			return nil
		})
	}}
}

func (e *env) showGroup(v semblance.GroupView) {
	g := v.Group
	name := ""
	if g.Name != "" {
		name = " " + printable(g.Name)
	}
	e.say("group %s%s: %s in %s of %s", g.ID, name, count(int64(g.Faces), "face", "faces"), count(int64(g.Exhibits), "exhibit", "exhibits"), count(int64(g.Cases), "case", "cases"))
	if g.Note != "" {
		e.say("  %s", printable(g.Note))
	}
	t := newTable("FACE", "QUALITY", "DISTANCE", "CASE", "EXHIBIT", "PATH")
	for _, m := range g.Members {
		ref, quality, distance := m.Media.String()[:16]+fmt.Sprint(":", m.Face), fmt.Sprintf("%.0f", m.Quality), ""
		if m.Poor {
			quality += " poor"
		}
		if m.Appearance != nil {
			ref += " " + m.Appearance.String()
		}
		if m.Distance != nil {
			distance = fmt.Sprintf("%.4f", *m.Distance)
		}
		for _, s := range m.Seen {
			t.row(ref, quality, distance, s.Case, s.Exhibit, s.Path)
			ref, quality, distance = "", "", ""
		}
	}
	t.print(e.out)
	for _, n := range v.Near {
		e.say("near: group %s, mean distance %.4f", n.B, n.Distance)
	}
	e.say("Faces of a group may be of one person: a lead for a trained examiner, never an identification.")
	e.say("%s", v.Limits)
}

func newGroupNear(e *env) *cobra.Command {
	var r semblance.GroupRequest
	var limit int
	cmd := &cobra.Command{Use: "near --case N[,M...]|--all", Short: "List pairs of groups that were left apart and may be of one person", Args: none, RunE: func(cmd *cobra.Command, _ []string) error {
		r.Cases = list(r.Cases)
		return e.stored(cmd.Context(), func(p *program) error {
			_, pairs, err := p.engine.NearGroups(cmd.Context(), e.who(), r, limit)
			if err != nil {
				return err
			}
			t := newTable("GROUP", "AND", "DISTANCE")
			return rows(e, t, pairs, func(n semblance.NearGroups) { t.row(n.A, n.B, fmt.Sprintf("%.4f", n.Distance)) })
		})
	}}
	cmd.Flags().IntVar(&limit, "limit", 100, "pairs listed")
	return scoped(cmd, &r)
}

func newGroupMerge(e *env) *cobra.Command {
	var anyway bool
	cmd := &cobra.Command{Use: "merge A B", Short: "Put all faces of group B into group A", Args: exactly(2, "two groups"), RunE: func(cmd *cobra.Command, args []string) error {
		return e.groupEdit(cmd.Context(), func(p *program) (semblance.GroupEdit, error) {
			return p.engine.MergeGroups(cmd.Context(), e.who(), semblance.GroupID(args[0]), semblance.GroupID(args[1]), anyway)
		})
	}}
	cmd.Flags().BoolVar(&anyway, "anyway", false, "although both have a face in one picture (a collage); audited")
	return cmd
}

func newGroupSplit(e *env) *cobra.Command {
	var faces []string
	cmd := &cobra.Command{Use: "split ID --faces MEDIA:FACE,...", Short: "Put some faces of a group into a new one", Args: exactly(1, "the group's id"), RunE: func(cmd *cobra.Command, args []string) error {
		return e.groupEdit(cmd.Context(), func(p *program) (semblance.GroupEdit, error) {
			return p.engine.SplitGroup(cmd.Context(), e.who(), semblance.GroupID(args[0]), list(faces))
		})
	}}
	cmd.Flags().StringSliceVar(&faces, "faces", nil, "faces as `semblance group show` prints them; 8 digits of the media are enough")
	return cmd
}

func newGroupMove(e *env) *cobra.Command {
	var faces []string
	var anyway bool
	cmd := &cobra.Command{Use: "move FROM TO --faces MEDIA:FACE,...", Short: "Put some faces of a group into another", Args: exactly(2, "two groups"), RunE: func(cmd *cobra.Command, args []string) error {
		return e.groupEdit(cmd.Context(), func(p *program) (semblance.GroupEdit, error) {
			return p.engine.MoveFaces(cmd.Context(), e.who(), semblance.GroupID(args[0]), semblance.GroupID(args[1]), list(faces), anyway)
		})
	}}
	cmd.Flags().StringSliceVar(&faces, "faces", nil, "faces as `semblance group show` prints them; 8 digits of the media are enough")
	cmd.Flags().BoolVar(&anyway, "anyway", false, "although both have a face in one picture (a collage); audited")
	return cmd
}

func newGroupName(e *env) *cobra.Command {
	var note string
	cmd := &cobra.Command{Use: "name ID NAME", Short: "Give a group a name and a note; '' takes the name away", Args: exactly(2, "the group's id and a name"), RunE: func(cmd *cobra.Command, args []string) error {
		return e.groupEdit(cmd.Context(), func(p *program) (semblance.GroupEdit, error) {
			return p.engine.NameGroup(cmd.Context(), e.who(), semblance.GroupID(args[0]), args[1], note)
		})
	}}
	cmd.Flags().StringVar(&note, "note", "", "a note to the group")
	return cmd
}

func newGroupUndo(e *env) *cobra.Command {
	return &cobra.Command{Use: "undo EDIT", Short: "Take an edit by hand back, unless a later one rests on it", Args: exactly(1, "the edit's id"), RunE: func(cmd *cobra.Command, args []string) error {
		return e.groupEdit(cmd.Context(), func(p *program) (semblance.GroupEdit, error) {
			return p.engine.UndoGroupEdit(cmd.Context(), e.who(), semblance.GroupEditID(args[0]))
		})
	}}
}

// groupEdit does an edit and says what was done.
func (e *env) groupEdit(ctx context.Context, do func(*program) (semblance.GroupEdit, error)) error {
	return e.stored(ctx, func(p *program) error {
		edit, err := do(p)
		if err != nil {
			return err
		}
		if e.json {
			return e.emit(edit)
		}
		what := editText(edit)
		if edit.Undone != nil {
			e.say("undone: %s", what)
			return nil
		}
		e.say("%s", what)
		e.note("`semblance group undo %s` takes it back", edit.ID)
		return nil
	})
}

func editText(x semblance.GroupEdit) string {
	switch x.Kind {
	case semblance.GroupName:
		return fmt.Sprintf("%s: group %s is named %q", x.ID, x.From, x.Name)
	case semblance.GroupMerge:
		return fmt.Sprintf("%s: group %s merged into %s", x.ID, x.From, x.To)
	}
	return fmt.Sprintf("%s: %s of group %s moved to %s", x.ID, count(int64(len(x.Faces)), "face", "faces"), x.From, x.To)
}

func newGroupHistory(e *env) *cobra.Command {
	var r semblance.GroupRequest
	cmd := &cobra.Command{Use: "history --case N[,M...]|--all", Short: "List what was done to groups by hand", Args: none, RunE: func(cmd *cobra.Command, _ []string) error {
		r.Cases = list(r.Cases)
		return e.stored(cmd.Context(), func(p *program) error {
			_, edits, err := p.engine.GroupEdits(cmd.Context(), e.who(), r)
			if err != nil {
				return err
			}
			t := newTable("EDIT", "TIME", "BY", "UNDONE", "WHAT")
			return rows(e, t, edits, func(x semblance.GroupEdit) {
				undone := ""
				if x.Undone != nil {
					undone = day(*x.Undone)
				}
				_, what, _ := strings.Cut(editText(x), ": ")
				t.row(x.ID, day(x.Time), x.Actor.Name, undone, what)
			})
		})
	}}
	return scoped(cmd, &r)
}
