package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"semblance"
)

func newCollection(e *env) *cobra.Command {
	return group("collection", "Create, fill, list and delete reference collections",
		newCollectionCreate(e), newCollectionAdd(e), newCollectionImport(e), newCollectionExport(e), newCollectionList(e), newCollectionShow(e),
		newCollectionSet(e), newCollectionRemove(e), newCollectionReenroll(e), newCollectionDelete(e), newCollectionCalibrate(e))
}

func newCollectionCreate(e *env) *cobra.Command {
	var c semblance.Collection
	var kind, engine string
	cmd := &cobra.Command{Use: "create NAME --kind faces|hashes|known-good --owner A --country CC --basis B", Short: "Create a collection; a faces collection keeps its engine",
		Args: exactly(1, "the collection's name"), RunE: func(cmd *cobra.Command, args []string) error {
			c.Name, c.Kind, c.Engine = args[0], semblance.CollectionKind(kind), semblance.EngineName(engine)
			return e.stored(cmd.Context(), func(p *program) error {
				got, err := p.engine.CreateCollection(cmd.Context(), e.who(), c)
				if err != nil {
					return err
				}
				if e.json {
					return e.emit(got)
				}
				e.say("collection %s created (%s)", got.Name, kindOf(got))
				return nil
			})
		}}
	f := cmd.Flags()
	f.StringVar(&kind, "kind", "", "faces, hashes or known-good")
	f.StringVar(&c.Owner, "owner", "", "agency that owns it")
	f.StringVar(&c.Country, "country", "", "its country, two letters")
	f.StringVar(&c.Basis, "basis", "", "legal basis of keeping and searching it")
	f.StringVar(&c.Handling, "handling", "", "handling code")
	f.StringVar(&c.Review, "review", "", "date it is to be reviewed, YYYY-MM-DD")
	f.StringVar(&engine, "engine", "", "face engine; empty is "+string(semblance.DefaultEngine))
	f.Float64Var(&c.FaceDistance, "face-distance", 0, "largest distance of a candidate; 0 is the engine's default")
	f.Float32Var(&c.EnrollQuality, "enroll-quality", 0, fmt.Sprintf("quality under which a face is not enrolled without an override, %d to 100; 0 is %d", semblance.MinSearchableQuality, semblance.MinSearchableQuality))
	f.IntVar(&c.PDQDistance, "pdq-distance", 0, fmt.Sprintf("largest PDQ distance of a near match, bits; 0 is %d", semblance.DefaultPDQDistance))
	f.IntVar(&c.PDQQuality, "pdq-quality", 0, fmt.Sprintf("PDQ quality under which nothing is compared; 0 is %d", semblance.DefaultPDQQuality))
	f.IntVar(&c.PhotoDNADistance, "photodna-distance", 0, fmt.Sprintf("largest distance of PhotoDNA, sum of the squared differences of the bytes; 0 is %d", semblance.DefaultPhotoDNADistance))
	f.IntVar(&c.HashDistance, "hash-distance", 0, fmt.Sprintf("largest distance of pHash, dHash and aHash, bits; 0 is %d", semblance.DefaultHashDistance))
	return cmd
}

func kindOf(c semblance.Collection) string {
	if c.Kind == semblance.Faces {
		return fmt.Sprintf("%s, engine %s", c.Kind, c.Engine)
	}
	return string(c.Kind)
}

func newCollectionList(e *env) *cobra.Command {
	return &cobra.Command{Use: "list", Short: "List collections", Args: none, RunE: func(cmd *cobra.Command, _ []string) error {
		return e.stored(cmd.Context(), func(p *program) error {
			cols, err := p.engine.Collections.Collections(cmd.Context())
			if err != nil {
				return err
			}
			t := newTable("NAME", "KIND", "OWNER", "COUNTRY", "SUBJECTS", "ENTRIES", "ENGINE", "THRESHOLD", "REVIEW")
			for _, c := range cols {
				if e.json {
					if err := e.emit(c); err != nil {
						return err
					}
					continue
				}
				t.row(c.Name, c.Kind, c.Owner, c.Country, c.Subjects, c.Entries, c.Engine, thresholdOf(c), c.Review)
			}
			if !e.json {
				t.print(e.out)
			}
			return nil
		})
	}}
}

func thresholdOf(c semblance.Collection) string {
	switch c.Kind {
	case semblance.Faces:
		return fmt.Sprintf("%.4f", c.FaceDistance)
	case semblance.Hashes:
		return fmt.Sprintf("PDQ %d bits, PhotoDNA %d", c.PDQDistance, c.PhotoDNADistance)
	}
	return "equality"
}

func newCollectionDelete(e *env) *cobra.Command {
	var yes bool
	cmd := &cobra.Command{Use: "delete NAME --yes", Short: "Erase a collection with all it holds, and prove it by counting", Args: exactly(1, "the collection's name"), RunE: func(cmd *cobra.Command, args []string) error {
		if !yes {
			return semblance.Errorf(semblance.Invalid, "deleting %q erases its references, vectors, crops and originals for good", args[0]).WithHint("Say --yes when that is meant.")
		}
		return e.stored(cmd.Context(), func(p *program) error {
			gone, err := p.engine.DeleteCollection(cmd.Context(), e.who(), args[0])
			if err != nil {
				return err
			}
			if e.json {
				return e.emit(gone)
			}
			e.say("collection %s deleted: %s before, %d after, %s erased", args[0], count(gone.Before, "row", "rows"), gone.After, count(int64(len(gone.Objects)), "original", "originals"))
			return nil
		})
	}}
	cmd.Flags().BoolVar(&yes, "yes", false, "it is meant")
	return cmd
}

func newCollectionSet(e *env) *cobra.Command {
	var quality float32
	cmd := &cobra.Command{Use: "set NAME --enroll-quality N", Short: "Change the enrollment gate of a faces collection, for what is enrolled from now on", Args: exactly(1, "the collection's name"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !cmd.Flags().Changed("enroll-quality") {
				return semblance.Errorf(semblance.Invalid, "it is not said what is to change").WithHint("Give --enroll-quality N.")
			}
			return e.stored(cmd.Context(), func(p *program) error {
				c, err := p.engine.SetEnrollQuality(cmd.Context(), e.who(), args[0], quality)
				if err != nil {
					return err
				}
				if e.json {
					return e.emit(c)
				}
				e.say("collection %s: %s", c.Name, gateOf(c))
				return nil
			})
		}}
	cmd.Flags().Float32Var(&quality, "enroll-quality", 0, fmt.Sprintf("quality under which a face is not enrolled without an override, %d to 100; 0 is %d", semblance.MinSearchableQuality, semblance.MinSearchableQuality))
	return cmd
}

func gateOf(c semblance.Collection) string {
	return fmt.Sprintf("enrolls faces of quality %.0f and more", max(c.EnrollQuality, semblance.MinSearchableQuality))
}
