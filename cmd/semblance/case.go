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
	f.StringVar(&c.TimeZone, "time-zone", "", "IANA name of the zone in which reports show times beside UTC: Europe/Amsterdam")
	return cmd
}

func newCaseSet(e *env) *cobra.Command {
	var yes bool
	var zone string
	cmd := &cobra.Command{Use: "set NUMBER [--threat-to-life[=false]] [--time-zone ZONE]", Short: "Say whether life is at risk in a case, and in which zone its times are shown",
		Long: `With --threat-to-life the work of the case goes before that of others. With --time-zone
reports show each time in UTC and in that zone, by its IANA name; an empty name is no zone.
Times are kept as they are.`,
		Args: exactly(1, "the case number"), RunE: func(cmd *cobra.Command, args []string) error {
			var change semblance.CaseChange
			if cmd.Flags().Changed("threat-to-life") {
				change.ThreatToLife = &yes
			}
			if cmd.Flags().Changed("time-zone") {
				change.TimeZone = &zone
			}
			if change == (semblance.CaseChange{}) {
				return semblance.Errorf(semblance.Invalid, "nothing is to be set").WithHint("Give --threat-to-life, --threat-to-life=false or --time-zone ZONE.")
			}
			return e.stored(cmd.Context(), func(p *program) error {
				c, err := p.engine.SetCase(cmd.Context(), e.who(), args[0], change)
				if err != nil {
					return err
				}
				if e.json {
					return e.emit(c)
				}
				e.sayCase(c, change)
				return nil
			})
		}}
	cmd.Flags().BoolVar(&yes, "threat-to-life", false, "life is at risk")
	cmd.Flags().StringVar(&zone, "time-zone", "", "IANA name of the zone in which times are shown beside UTC: Europe/Amsterdam; empty for none")
	return cmd
}

// sayCase says what a change made of a case.
func (e *env) sayCase(c semblance.Case, change semblance.CaseChange) {
	switch {
	case change.ThreatToLife == nil:
	case c.ThreatToLife:
		e.say("case %s: life is at risk; its work goes before that of others", c.Number)
	default:
		e.say("case %s: its work takes its turn", c.Number)
	}
	switch {
	case change.TimeZone == nil:
	case c.TimeZone != "":
		e.say("case %s: times are shown in UTC and in %s", c.Number, c.TimeZone)
	default:
		e.say("case %s: times are shown in UTC alone", c.Number)
	}
}

func newCaseList(e *env) *cobra.Command {
	return &cobra.Command{Use: "list", Short: "List cases", Args: none, RunE: func(cmd *cobra.Command, _ []string) error {
		return e.stored(cmd.Context(), func(p *program) error {
			cases, err := p.engine.Cases.Cases(cmd.Context())
			if err != nil {
				return err
			}
			t := newTable("NUMBER", "AGENCY", "COUNTRY", "PURPOSE", "BASIS", "CREATED", "THREAT TO LIFE", "TIME ZONE")
			for _, c := range cases {
				if e.json {
					if err := e.emit(c); err != nil {
						return err
					}
					continue
				}
				t.row(c.Number, c.Agency, c.Country, c.Purpose, c.Basis, day(c.Created), map[bool]string{true: "yes"}[c.ThreatToLife], c.TimeZone)
			}
			if !e.json {
				t.print(e.out)
			}
			return nil
		})
	}}
}
