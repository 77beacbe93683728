package main

import (
	"context"
	"strconv"

	"github.com/spf13/cobra"

	"semblance"
)

func newCollectionRemove(e *env) *cobra.Command {
	var r semblance.Removal
	var ids, entries []string
	var source string
	cmd := &cobra.Command{Use: "remove NAME --subject S | --reference ID,... | --entry ID,... | --source FILE", Short: "Erase a subject or references from a faces collection, or entries from another, and count", Args: exactly(1, "the collection's name"),
		Long: `Erases references with their vectors and crops, and their originals when no other
reference needs those, and counts before and after. "collection show NAME --references"
lists the ids. The pictures can be enrolled again afterwards.

From a hashes or known-good collection it removes entries, by the ids that findings
name, or all that came from a file. What rests on them in cases is withdrawn by a
look-back, which tells the owners of the cases.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			for _, id := range list(ids) {
				r.IDs = append(r.IDs, semblance.ReferenceID(id))
			}
			return e.stored(cmd.Context(), func(p *program) error {
				if len(entries) > 0 || source != "" {
					return e.removeEntries(cmd.Context(), p, args[0], list(entries), source)
				}
				gone, err := p.engine.RemoveReferences(cmd.Context(), e.who(), args[0], r)
				if err != nil {
					return err
				}
				if e.json {
					return e.emit(gone)
				}
				e.say("%s: %s removed: %s before, %d after, %s erased", args[0], count(int64(len(gone.References)), "reference", "references"),
					count(gone.Before, "row", "rows"), gone.After, count(int64(len(gone.Objects)), "original", "originals"))
				return nil
			})
		}}
	cmd.Flags().StringVar(&r.Subject, "subject", "", "all references of this subject")
	cmd.Flags().StringSliceVar(&ids, "reference", nil, "the references of these ids")
	cmd.Flags().StringSliceVar(&entries, "entry", nil, "the entries of these ids")
	cmd.Flags().StringVar(&source, "source", "", "all entries that came from this file")
	return cmd
}

func (e *env) removeEntries(ctx context.Context, p *program, name string, texts []string, source string) error {
	r := semblance.EntryRemoval{Source: source}
	for _, s := range texts {
		id, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			return semblance.Errorf(semblance.Invalid, "%q is not the id of an entry", s).WithHint("Findings name the entry they rest on: semblance report CASE --format jsonl leaves it out, the API and --json have it.")
		}
		r.IDs = append(r.IDs, semblance.EntryID(id))
	}
	n, err := p.engine.RemoveEntries(ctx, e.who(), name, r)
	if err != nil {
		return err
	}
	if e.json {
		err = e.emit(map[string]int{"removed": n})
	} else {
		e.say("%s: %s removed", name, count(int64(n), "entry", "entries"))
	}
	e.changed(ctx, p, name)
	return err
}
