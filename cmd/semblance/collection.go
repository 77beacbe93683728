package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"semblance"
)

func newCollection(e *env) *cobra.Command {
	return group("collection", "Create, fill, list and delete reference collections",
		newCollectionCreate(e), newCollectionAdd(e), newCollectionImport(e), newCollectionSets(e), newCollectionExport(e), newCollectionList(e), newCollectionShow(e),
		newCollectionSet(e), newCollectionRemove(e), newCollectionReenroll(e), newCollectionDelete(e), newCollectionCalibrate(e))
}

func newCollectionCreate(e *env) *cobra.Command {
	var c semblance.Collection
	var kind, engine string
	cmd := &cobra.Command{Use: "create NAME --kind faces|hashes|selectors|known-good --owner A --country CC --basis B", Short: "Create a collection; a faces collection keeps its engine",
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
	f.StringVar(&kind, "kind", "", "faces, hashes, selectors or known-good")
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
			t := newTable("NAME", "KIND", "OWNER", "COUNTRY", "SUBJECTS", "ENTRIES", "ENGINE", "THRESHOLD", "STATE", "REVIEW")
			for _, c := range cols {
				if e.json {
					if err := e.emit(c); err != nil {
						return err
					}
					continue
				}
				t.row(c.Name, c.Kind, c.Owner, c.Country, c.Subjects, entriesOf(c), c.Engine, thresholdOf(c), stateOf(c), c.Review)
			}
			if !e.json {
				t.print(e.out)
			}
			return nil
		})
	}}
}

// entriesOf is what a collection holds, digest sets included.
func entriesOf(c semblance.Collection) string {
	if c.Digests == 0 {
		return fmt.Sprint(c.Entries)
	}
	return fmt.Sprintf("%d + %s in sets", c.Entries, thousands(c.Digests))
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

// stateOf is a word for a table.
func stateOf(c semblance.Collection) string {
	if c.IsOff(time.Now()) {
		return "OFF"
	}
	return "on"
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
			e.changed(cmd.Context(), p, args[0])
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
	var x collectionFlags
	cmd := &cobra.Command{Use: "set NAME [--pdq-distance N] [--off WHY --until DAY] ...", Short: "Change what a collection is compared with at: thresholds, least quality, category set, on and off",
		Long: `What changes is audited with what it was. Thresholds and least qualities count from the
next comparison on; what was found before stays until its media are compared again.
A collection that is off is not compared with, and every scan, search and lookup that
names it says so. --off needs a reason; with --until it ends by itself on that day.`,
		Args: exactly(1, "the collection's name"),
		RunE: func(cmd *cobra.Command, args []string) error {
			change, err := x.change(cmd)
			if err != nil {
				return err
			}
			return e.stored(cmd.Context(), func(p *program) error {
				c, err := p.engine.ChangeCollection(cmd.Context(), e.who(), args[0], change)
				if err != nil {
					return err
				}
				if e.json {
					return e.emit(c)
				}
				e.say("collection %s: %s", c.Name, settingsOf(c))
				return nil
			})
		}}
	x.flags(cmd)
	return cmd
}

// collectionFlags are the flags of `collection set`.
type collectionFlags struct {
	enroll                  float32
	face                    float64
	pdq, quality, hash, dna int
	set, off, until         string
	on                      bool
}

func (x *collectionFlags) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.Float32Var(&x.enroll, "enroll-quality", 0, fmt.Sprintf("quality under which a face is not enrolled without an override, %d to 100; 0 is %d", semblance.MinSearchableQuality, semblance.MinSearchableQuality))
	f.Float64Var(&x.face, "face-distance", 0, "largest distance of a candidate")
	f.IntVar(&x.pdq, "pdq-distance", 0, "largest PDQ distance of a near match, bits")
	f.IntVar(&x.quality, "pdq-quality", 0, "PDQ quality under which nothing is compared, 0 to 100")
	f.IntVar(&x.hash, "hash-distance", 0, "largest distance of pHash, dHash and aHash, bits")
	f.IntVar(&x.dna, "photodna-distance", 0, "largest PhotoDNA distance, sum of squared differences of the bytes")
	f.StringVar(&x.set, "category-set", "", "set that the categories of its entries are of, NAME/VERSION; empty is none")
	f.StringVar(&x.off, "off", "", "switch it off, with the reason")
	f.StringVar(&x.until, "until", "", "with --off: first day on which it is compared with again, YYYY-MM-DD")
	f.BoolVar(&x.on, "on", false, "switch it on")
}

// change is what the flags that were given ask for.
func (x *collectionFlags) change(cmd *cobra.Command) (semblance.CollectionChange, error) {
	given := cmd.Flags().Changed
	c := semblance.CollectionChange{On: x.on}
	if given("enroll-quality") {
		c.EnrollQuality = &x.enroll
	}
	if given("face-distance") {
		c.FaceDistance = &x.face
	}
	if given("pdq-distance") {
		c.PDQDistance = &x.pdq
	}
	if given("pdq-quality") {
		c.PDQQuality = &x.quality
	}
	if given("hash-distance") {
		c.HashDistance = &x.hash
	}
	if given("photodna-distance") {
		c.PhotoDNADistance = &x.dna
	}
	if given("category-set") {
		c.CategorySet = &x.set
	}
	if given("off") {
		c.Off = &semblance.Off{Why: x.off, Until: x.until}
	} else if given("until") {
		return c, semblance.Errorf(semblance.Invalid, "--until says when --off ends, and --off is not given").WithHint("Give --off WHY too.")
	}
	return c, nil
}

// settingsOf is one line about what a collection is compared with at.
func settingsOf(c semblance.Collection) string {
	var parts []string
	switch c.Kind {
	case semblance.Faces:
		parts = append(parts, fmt.Sprintf("distance %.4f", c.FaceDistance), gateOf(c))
	case semblance.Hashes:
		parts = append(parts, fmt.Sprintf("PDQ within %d bits from quality %d, 64-bit hashes within %d bits, PhotoDNA within %d", c.PDQDistance, c.PDQQuality, c.HashDistance, c.PhotoDNADistance))
	default:
		parts = append(parts, "equality")
	}
	if c.CategorySet != "" {
		parts = append(parts, "categories of "+c.CategorySet)
	}
	return strings.Join(append(parts, offOf(c)), "; ")
}

// offOf says whether a collection is compared with.
func offOf(c semblance.Collection) string {
	switch {
	case !c.IsOff(time.Now()):
		return "on"
	case c.Off.Until != "":
		return fmt.Sprintf("OFF until %s (%s, by %s)", c.Off.Until, c.Off.Why, c.Off.By)
	}
	return fmt.Sprintf("OFF (%s, by %s)", c.Off.Why, c.Off.By)
}

func gateOf(c semblance.Collection) string {
	return fmt.Sprintf("enrolls faces of quality %.0f and more", max(c.EnrollQuality, semblance.MinSearchableQuality))
}
