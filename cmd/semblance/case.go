package main

import (
	"github.com/spf13/cobra"

	"semblance"
)

func newCase(e *env) *cobra.Command {
	return group("case", "Create and list cases", newCaseCreate(e), newCaseList(e), newCaseSet(e))
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
	f.BoolVar(&c.ThreatToLife, "threat-to-life", false, "life is at risk: the work of this case goes before that of others")
	return cmd
}

func newCaseSet(e *env) *cobra.Command {
	var yes bool
	cmd := &cobra.Command{Use: "set NUMBER --threat-to-life[=false]", Short: "Say whether life is at risk in a case: its work then goes before that of others",
		Args: exactly(1, "the case number"), RunE: func(cmd *cobra.Command, args []string) error {
			if !cmd.Flags().Changed("threat-to-life") {
				return semblance.Errorf(semblance.Invalid, "nothing is to be set").WithHint("Give --threat-to-life or --threat-to-life=false.")
			}
			return e.stored(cmd.Context(), func(p *program) error {
				c, err := p.engine.SetThreatToLife(cmd.Context(), e.who(), args[0], yes)
				switch {
				case err != nil:
					return err
				case e.json:
					return e.emit(c)
				case c.ThreatToLife:
					e.say("case %s: life is at risk; its work goes before that of others", c.Number)
				default:
					e.say("case %s: its work takes its turn", c.Number)
				}
				return nil
			})
		}}
	cmd.Flags().BoolVar(&yes, "threat-to-life", false, "life is at risk")
	return cmd
}

func newCaseList(e *env) *cobra.Command {
	return &cobra.Command{Use: "list", Short: "List cases", Args: none, RunE: func(cmd *cobra.Command, _ []string) error {
		return e.stored(cmd.Context(), func(p *program) error {
			cases, err := p.engine.Cases.Cases(cmd.Context())
			if err != nil {
				return err
			}
			t := newTable("NUMBER", "AGENCY", "COUNTRY", "PURPOSE", "BASIS", "CREATED", "THREAT TO LIFE")
			for _, c := range cases {
				if e.json {
					if err := e.emit(c); err != nil {
						return err
					}
					continue
				}
				t.row(c.Number, c.Agency, c.Country, c.Purpose, c.Basis, day(c.Created), map[bool]string{true: "yes"}[c.ThreatToLife])
			}
			if !e.json {
				t.print(e.out)
			}
			return nil
		})
	}}
}
