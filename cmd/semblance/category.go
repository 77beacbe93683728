package main

import (
	"bytes"
	"encoding/json"
	"io"

	"github.com/spf13/cobra"

	"semblance"
)

func newCategory(e *env) *cobra.Command {
	return group("category", "Add and list category sets: what the numbers of a jurisdiction's lists mean", newCategoryAdd(e), newCategoryList(e))
}

// mostCategorySet is how long a file of a category set may be.
const mostCategorySet = 1 << 20

func newCategoryAdd(e *env) *cobra.Command {
	return &cobra.Command{Use: "add FILE", Short: "Keep a category set for good; what is new gets another version",
		Long: `FILE is JSON:

  {"name": "example", "version": "2026-1", "country": "XX", "source": "the document that defines it",
   "categories": [{"value": "1", "label": "what is looked for", "concern": "pertinent"},
                  {"value": "5", "label": "known and harmless", "concern": "non-pertinent"},
                  {"value": "0", "label": "not graded yet", "concern": "undecided"}]}

A collection names its set: "semblance collection set NAME --category-set example/2026-1".
Values are kept and shown as the source wrote them; sets are never translated into each
other, because one number means different things in different countries.`,
		Args: exactly(1, "the file"), RunE: func(cmd *cobra.Command, args []string) error {
			set, err := e.readCategorySet(args[0])
			if err != nil {
				return err
			}
			return e.stored(cmd.Context(), func(p *program) error {
				set, err := p.engine.AddCategorySet(cmd.Context(), e.who(), set)
				if err != nil {
					return err
				}
				if e.json {
					return e.emit(set)
				}
				e.say("category set %s added: %s", set.ID(), count(int64(len(set.Categories)), "category", "categories"))
				return nil
			})
		}}
}

func (e *env) readCategorySet(name string) (set semblance.CategorySet, err error) {
	f, err := e.open(name)
	if err != nil {
		return set, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, mostCategorySet))
	if err != nil {
		return set, err
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&set); err != nil {
		return set, semblance.Errorf(semblance.Invalid, "%s is not a category set: %v", name, err).WithHint("`semblance category add --help` shows one.")
	}
	return set, nil
}

func newCategoryList(e *env) *cobra.Command {
	return &cobra.Command{Use: "list", Short: "List category sets with their categories", Args: none, RunE: func(cmd *cobra.Command, _ []string) error {
		return e.stored(cmd.Context(), func(p *program) error {
			sets, err := p.engine.Categories.CategorySets(cmd.Context())
			if err != nil {
				return err
			}
			t := newTable("SET", "COUNTRY", "VALUE", "LABEL", "CONCERN", "SOURCE")
			for _, s := range sets {
				if e.json {
					if err := e.emit(s); err != nil {
						return err
					}
					continue
				}
				for _, c := range s.Categories {
					t.row(s.ID(), s.Country, c.Value, c.Label, c.Concern, s.Source)
				}
			}
			if !e.json {
				t.print(e.out)
			}
			return nil
		})
	}}
}
