package main

import (
	"github.com/spf13/cobra"

	"semblance"
)

func newCase(e *env) *cobra.Command {
	return group("case", "Create and list cases", newCaseCreate(e), newCaseList(e))
}

func newCaseCreate(e *env) *cobra.Command {
	var c semblance.Case
	cmd := &cobra.Command{Use: "create NUMBER --agency A --country CC --purpose P --basis B", Short: "Open a case; every search is answered for with it",
		Args: exactly(1, "the case number"), RunE: func(cmd *cobra.Command, args []string) error {
			c.Number = args[0]
			return e.stored(cmd.Context(), func(p *program) error {
				got, err := p.engine.CreateCase(cmd.Context(), e.who(), c)
				if err != nil {
					return err
				}
				if e.json {
					return e.emit(got)
				}
				e.say("case %s created", got.Number)
				return nil
			})
		}}
	f := cmd.Flags()
	f.StringVar(&c.Agency, "agency", "", "agency that runs the case")
	f.StringVar(&c.Country, "country", "", "its country, two letters")
	f.StringVar(&c.Purpose, "purpose", "", "what the case is for")
	f.StringVar(&c.Basis, "basis", "", "legal basis of searching in it")
	return cmd
}

func newCaseList(e *env) *cobra.Command {
	return &cobra.Command{Use: "list", Short: "List cases", Args: none, RunE: func(cmd *cobra.Command, _ []string) error {
		return e.stored(cmd.Context(), func(p *program) error {
			cases, err := p.engine.Cases.Cases(cmd.Context())
			if err != nil {
				return err
			}
			t := newTable("NUMBER", "AGENCY", "COUNTRY", "PURPOSE", "BASIS", "CREATED")
			for _, c := range cases {
				if e.json {
					if err := e.emit(c); err != nil {
						return err
					}
					continue
				}
				t.row(c.Number, c.Agency, c.Country, c.Purpose, c.Basis, day(c.Created))
			}
			if !e.json {
				t.print(e.out)
			}
			return nil
		})
	}}
}
