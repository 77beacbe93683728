package main

import (
	"github.com/spf13/cobra"

	"semblance"
)

func newCollectionRemove(e *env) *cobra.Command {
	var r semblance.Removal
	var ids []string
	cmd := &cobra.Command{Use: "remove NAME --subject S | --reference ID,...", Short: "Erase a subject or references from a faces collection, and prove it by counting", Args: exactly(1, "the collection's name"),
		Long: `Erases references with their vectors and crops, and their originals when no other
reference needs those, and counts before and after. "collection show NAME --references"
lists the ids. The pictures can be enrolled again afterwards.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			for _, id := range list(ids) {
				r.IDs = append(r.IDs, semblance.ReferenceID(id))
			}
			return e.stored(cmd.Context(), func(p *program) error {
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
	return cmd
}
