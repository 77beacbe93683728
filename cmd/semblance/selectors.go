package main

import (
	"strings"

	"github.com/spf13/cobra"

	"semblance"
	"semblance/selector"
)

func newSelectors(e *env) *cobra.Command {
	var f semblance.SelectorFilter
	var kind string
	cmd := &cobra.Command{Use: "selectors CASE", Short: "List the selectors found in a case, in a collection or not: phone numbers, addresses, user names, wallets", Args: exactly(1, "the case number"),
		Long: `Lists every selector that scans found in the contents and names of a case's items, also
those that are in no collection: those that most exhibits have first, and of them the
rarest. COLLECTIONS says where scans and look-backs had hits on it. A user name is the
name alone: the same one may be anybody's.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if kind != "" {
				k, err := selector.ParseKind(kind)
				if err != nil {
					return semblance.Errorf(semblance.Invalid, "%s", err.Error())
				}
				f.Kind = k
			}
			return e.stored(cmd.Context(), func(p *program) error {
				list, total, err := p.engine.CaseSelectors(cmd.Context(), e.who(), args[0], f)
				if err != nil {
					return err
				}
				return e.printSelectors(list, total)
			})
		}}
	fl := cmd.Flags()
	fl.StringVar(&kind, "kind", "", "only phone, email, url, user, onion, wallet or document")
	fl.StringVar(&f.Exhibit, "exhibit", "", "only what this exhibit has; counts are of it alone")
	fl.IntVar(&f.Limit, "limit", 1000, "selectors listed")
	fl.IntVar(&f.After, "after", 0, "selectors to skip")
	return cmd
}

func (e *env) printSelectors(list []semblance.CaseSelector, total int) error {
	if e.json {
		for _, x := range list {
			if err := e.emit(x); err != nil {
				return err
			}
		}
		return nil
	}
	t := newTable("KIND", "VALUE", "AS WRITTEN", "TIMES", "ITEMS", "EXHIBITS", "COLLECTIONS", "FIRST PATH")
	for _, x := range list {
		collections := "-"
		if len(x.Collections) > 0 {
			collections = strings.Join(x.Collections, ", ")
		}
		t.row(string(x.Kind), x.Value, x.Raw, x.Count, x.Items, strings.Join(x.Exhibits, ", "), collections, x.Exhibit+" "+x.Path)
	}
	t.print(e.out)
	e.note("%s, %s listed", count(int64(total), "selector", "selectors"), thousands(int64(len(list))))
	return nil
}
