package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"semblance"
	"semblance/evaluation"
)

func newEvaluate(e *env) *cobra.Command {
	var engine string
	cmd := &cobra.Command{Use: "evaluate DIR", Short: "Measure an engine on pictures of your own: a folder per person",
		Long: `DIR holds a folder per person with pictures of that person. Every picture's best face
is compared with every other's. Printed are the area under the ROC curve with a 95%
interval (bootstrap over persons), the true positive rate at false positive rates of 1%
and 0.1%, and what could not be used. Few persons give wide intervals: read those.`,
		Args: exactly(1, "the folder"), RunE: func(cmd *cobra.Command, args []string) error {
			return e.local(func(eng *semblance.Engine) error {
				spec, err := eng.Engines.ByName(semblance.EngineName(engine))
				if err != nil {
					return err
				}
				if err := eng.CheckEngine(cmd.Context(), spec.Name); err != nil {
					return err
				}
				return e.evaluate(cmd.Context(), eng, spec, e.path(args[0]))
			})
		}}
	cmd.Flags().StringVar(&engine, "engine", "", "face engine; empty is "+string(semblance.DefaultEngine))
	return cmd
}

// An evaluationLine is the answer as JSON.
type evaluationLine struct {
	Engine  semblance.EngineName `json:"engine"`
	Version int                  `json:"version"`
	Metric  semblance.Metric     `json:"metric"`
	evaluation.Result
	Pictures int             `json:"pictures"`
	Unused   []unusedPicture `json:"unused"`
}

type unusedPicture struct {
	Path   string `json:"path"`
	Reason string `json:"reason"`
}

func (e *env) evaluate(ctx context.Context, eng *semblance.Engine, spec semblance.EngineSpec, dir string) error {
	paths, err := pictures(dir)
	if err != nil {
		return err
	}
	line := evaluationLine{Engine: spec.Name, Version: spec.Version, Metric: spec.Metric, Pictures: len(paths), Unused: []unusedPicture{}}
	var samples []evaluation.Sample
	for i, rel := range paths {
		person, _, _ := strings.Cut(rel, "/")
		v, err := e.bestEmbedding(ctx, eng, spec, filepath.Join(dir, filepath.FromSlash(rel)))
		switch {
		case err != nil && stopsAll(err):
			return err
		case err != nil:
			line.Unused = append(line.Unused, unusedPicture{rel, err.Error()})
		default:
			samples = append(samples, evaluation.Sample{Person: person, Vector: v})
		}
		if terminal(e.err) && !e.quiet {
			fmt.Fprintf(e.err, "\r%d of %d pictures", i+1, len(paths))
		}
	}
	if terminal(e.err) && !e.quiet {
		fmt.Fprintln(e.err)
	}
	if line.Result, err = evaluation.Verify(samples, spec.Metric); err != nil {
		return err
	}
	return e.printEvaluation(line)
}

// pictures lists files two levels down, sorted.
func pictures(dir string) ([]string, error) {
	persons, err := os.ReadDir(dir)
	if err != nil {
		return nil, semblance.Errorf(semblance.Invalid, "%q cannot be listed", dir).WithCause(err)
	}
	var out []string
	for _, p := range persons {
		if !p.IsDir() {
			continue
		}
		files, err := os.ReadDir(filepath.Join(dir, p.Name()))
		if err != nil {
			return nil, semblance.Errorf(semblance.Invalid, "%q cannot be listed", p.Name()).WithCause(err)
		}
		for _, f := range files {
			if f.Type().IsRegular() {
				out = append(out, p.Name()+"/"+f.Name())
			}
		}
	}
	if len(out) == 0 {
		return nil, semblance.Errorf(semblance.Invalid, "%q has no pictures to evaluate with", dir).
			WithHint("Lay them out as DIR/<person>/<picture>, with at least two persons and two pictures of one.")
	}
	slices.Sort(out)
	return out, nil
}

// bestEmbedding returns the embedding of the face of highest quality.
func (e *env) bestEmbedding(ctx context.Context, eng *semblance.Engine, spec semblance.EngineSpec, path string) ([]float32, error) {
	f, err := e.open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	_, a, err := eng.Signals(ctx, f, semblance.AnalyzeRequest{Engines: []semblance.EngineName{spec.Name}})
	if err != nil {
		return nil, err
	}
	set, _ := a.Faces(spec.Name)
	faces := slices.DeleteFunc(slices.Clone(set.Faces), func(f semblance.Face) bool { return len(f.Embedding) == 0 })
	if len(faces) == 0 {
		return nil, semblance.Errorf(semblance.FaceCount, "no face that can be compared was found")
	}
	best := slices.MaxFunc(faces, func(a, b semblance.Face) int {
		return cmp.Or(cmp.Compare(a.Quality, b.Quality), cmp.Compare(a.Box.W*a.Box.H, b.Box.W*b.Box.H))
	})
	return best.Embedding, nil
}

func (e *env) printEvaluation(l evaluationLine) error {
	if e.json {
		return e.emit(l)
	}
	for _, u := range l.Unused {
		e.say("not used: %s: %s", printable(u.Path), u.Reason)
	}
	e.say("engine %s, %s, %s, %d of %d pictures used", l.Engine, count(int64(l.Persons), "person", "persons"), count(int64(l.Samples), "face", "faces"), l.Samples, l.Pictures)
	e.say("%d mated and %d non-mated pairs", l.Mated, l.NonMated)
	e.say("AUC %.4f (95%% interval %.4f to %.4f, bootstrap over persons)", l.AUC, l.AUCLow, l.AUCHigh)
	if l.Note != "" {
		e.say("%s", l.Note)
	}
	for _, r := range l.Rates {
		note := ""
		if r.Note != "" {
			note = "  (" + r.Note + ")"
		}
		e.say("TPR %.4f at FPR %g%%, distance %.4f%s", r.TPR, r.FPR*100, r.Distance, note)
	}
	return nil
}
