package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/spf13/cobra"

	"semblance"
	"semblance/evaluation"
)

// evaluateOptions are the flags of `semblance evaluate`.
type evaluateOptions struct {
	engine string
	html   string
	force  bool // html writes over a file
	self   string
	look   semblance.Detection
}

func newEvaluate(e *env) *cobra.Command {
	var o evaluateOptions
	cmd := &cobra.Command{Use: "evaluate DIR|PAIRS", Short: "Measure an engine on pictures of your own, or a collection on itself",
		Long: `DIR holds a folder per person with pictures of that person; every picture's best face is
used. Measured are pairs (AUC, ROC, FNMR at fixed FMR), searches in galleries of several
sizes (FNIR at rank 1, 5, 20 and 50, and at FPIR 0.003 and 0.01), both by quality of the
probe, and failure to enroll. PAIRS is a file instead: path,path,same or
path,path,different, one a line, CSV or TSV, paths relative to the file; it measures
pairs only.

Every rate has a 95% interval (bootstrap over persons) and says on how many pictures, pairs or
searches it rests. What your pictures cannot carry is "not measurable", with what it would
take. The same pictures always give the same bytes. --html writes tables and curves
as one page.

With --self, a faces collection is measured with its own references: each subject is
searched among all others, which says how often a search for somebody who is not in it
returns anyone. In a large collection the probes are a sample of 10,000.

Exit code 3 says that some pictures could not be used. docs/evaluation.md explains each number.`,
		Args: atMost(1, "one folder or pairs file"), RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case o.self != "" && (len(args) > 0 || o.html != "" || o.engine != ""):
				return semblance.Errorf(semblance.Invalid, "--self measures a collection with its own references and engine").WithHint("Leave the folder, --engine and --html away.")
			case o.self != "":
				return e.stored(cmd.Context(), func(p *program) error { return e.evaluateSelf(cmd.Context(), p, o.self) })
			case len(args) == 0:
				return semblance.Errorf(semblance.Invalid, "it is not said what to measure with").WithHint("Name a folder with a folder per person, a pairs file, or --self COLLECTION.")
			}
			if o.html != "" {
				if err := e.writable(o.html, o.force); err != nil {
					return err
				}
			}
			return e.local(func(eng *semblance.Engine) error {
				spec, err := eng.Engines.ByName(semblance.EngineName(o.engine))
				if err != nil {
					return err
				}
				if err := eng.CheckEngine(cmd.Context(), spec.Name); err != nil {
					return err
				}
				v := evaluator{e: e, eng: eng, spec: spec, source: args[0], html: o.html, force: o.force, look: o.look, unused: []evaluation.Unused{}}
				return v.run(cmd.Context())
			})
		}}
	f := cmd.Flags()
	f.StringVar(&o.engine, "engine", "", "face engine; empty is "+string(semblance.DefaultEngine))
	f.StringVar(&o.html, "html", "", "write tables and curves to this file as one self-contained page")
	f.BoolVar(&o.force, "force", false, "with --html: write over the file when it is there already")
	f.StringVar(&o.self, "self", "", "measure this faces collection with its own references")
	detectionFlags(cmd, &o.look)
	return cmd
}

// An evaluator is one run of `semblance evaluate` on pictures.
type evaluator struct {
	e      *env
	eng    *semblance.Engine
	spec   semblance.EngineSpec
	source string
	html   string
	force  bool // html writes over a file
	look   semblance.Detection
	unused []evaluation.Unused
	empty  []string // folders
}

// An evaluationLine is the answer as JSON.
type evaluationLine struct {
	Engine  semblance.EngineName `json:"engine"`
	Version int                  `json:"version"`
	Metric  semblance.Metric     `json:"metric"`
	evaluation.Evaluation
	Unused []evaluation.Unused `json:"unused"`
}

func (v *evaluator) run(ctx context.Context) error {
	info, err := os.Stat(v.e.path(v.source))
	if err != nil {
		return semblance.Errorf(semblance.Invalid, "%q cannot be read", v.source).WithHint("Name a folder with a folder per person, or a pairs file.").WithCause(err)
	}
	measure := v.folder
	if !info.IsDir() {
		measure = v.pairs
	}
	result, err := measure(ctx)
	if err != nil {
		return err
	}
	slices.SortFunc(v.unused, func(a, b evaluation.Unused) int { return strings.Compare(a.Path, b.Path) })
	for _, name := range v.empty {
		result.Notes = append(result.Notes, fmt.Sprintf("the folder %q has no pictures", name))
	}
	if v.html != "" {
		if err := v.writePage(result); err != nil {
			return err
		}
	}
	if v.e.json {
		err = v.e.emit(evaluationLine{v.spec.Name, v.spec.Version, v.spec.Metric, result, v.unused})
	} else {
		v.print(result)
	}
	if err == nil && len(v.unused) > 0 {
		return errSomeFailed
	}
	return err
}

func (v *evaluator) writePage(result evaluation.Evaluation) error {
	return v.e.writeFile(v.html, v.force, func(w io.Writer) error {
		return evaluation.WriteHTML(w, evaluation.Page{Program: "semblance " + version, Source: filepath.Base(v.source), Engine: v.spec, Unused: v.unused, Evaluation: result})
	})
}

// folder measures with a folder per person.
func (v *evaluator) folder(ctx context.Context) (evaluation.Evaluation, error) {
	dir := v.e.path(v.source)
	paths, err := v.pictures(dir)
	if err != nil {
		return evaluation.Evaluation{}, err
	}
	faces, err := v.embed(ctx, dir, paths)
	if err != nil {
		return evaluation.Evaluation{}, err
	}
	var samples []evaluation.Sample
	var failures []evaluation.Failure
	for _, rel := range paths {
		person, _, _ := strings.Cut(rel, "/")
		if f, ok := faces[rel]; ok {
			samples = append(samples, evaluation.Sample{Person: person, Name: rel, Quality: f.Quality, Vector: f.Embedding})
		} else {
			failures = append(failures, evaluation.Failure{Person: person, Name: rel})
		}
	}
	result, err := evaluation.Measure(samples, failures, v.spec)
	if err != nil {
		v.printUnused()
	}
	return result, err
}

// pairs measures with a pairs file.
func (v *evaluator) pairs(ctx context.Context) (evaluation.Evaluation, error) {
	f, err := v.e.open(v.source)
	if err != nil {
		return evaluation.Evaluation{}, err
	}
	defer f.Close()
	labelled, err := evaluation.ParsePairs(f)
	if err != nil {
		return evaluation.Evaluation{}, err
	}
	var paths []string
	for _, p := range labelled {
		paths = append(paths, p.A, p.B)
	}
	slices.Sort(paths)
	faces, err := v.embed(ctx, filepath.Dir(v.e.path(v.source)), slices.Compact(paths))
	if err != nil {
		return evaluation.Evaluation{}, err
	}
	vectors := map[string][]float32{}
	for path, face := range faces {
		vectors[path] = face.Embedding
	}
	result, err := evaluation.MeasurePairs(labelled, vectors, v.spec)
	if err != nil {
		v.printUnused()
	}
	return result, err
}

// pictures lists files two levels down, sorted. What lies elsewhere is named, so that
// nobody believes it was measured.
func (v *evaluator) pictures(dir string) ([]string, error) {
	persons, err := os.ReadDir(dir)
	if err != nil {
		return nil, semblance.Errorf(semblance.Invalid, "%q cannot be listed", dir).WithCause(err)
	}
	var out []string
	for _, p := range persons {
		if !p.IsDir() {
			v.unused = append(v.unused, evaluation.Unused{Path: p.Name(), Reason: "it lies in no person's folder"})
			continue
		}
		files, err := os.ReadDir(filepath.Join(dir, p.Name()))
		if err != nil {
			return nil, semblance.Errorf(semblance.Invalid, "%q cannot be listed", p.Name()).WithCause(err)
		}
		if len(files) == 0 {
			v.empty = append(v.empty, p.Name())
		}
		for _, f := range files {
			if rel := p.Name() + "/" + f.Name(); f.Type().IsRegular() {
				out = append(out, rel)
			} else {
				v.unused = append(v.unused, evaluation.Unused{Path: rel, Reason: "it is no regular file; pictures lie directly in the person's folder"})
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

// embed makes the embedding of the best face of each picture, on all workers. Pictures
// without one are noted as unused, in the order of paths.
func (v *evaluator) embed(ctx context.Context, dir string, paths []string) (map[string]semblance.Face, error) {
	faces, errs := make([]semblance.Face, len(paths)), make([]error, len(paths))
	var next, done atomic.Int64
	var wg sync.WaitGroup
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	for range max(1, v.e.cfg.Workers) {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(paths) && ctx.Err() == nil; i = int(next.Add(1)) - 1 {
				path := paths[i]
				if !filepath.IsAbs(path) {
					path = filepath.Join(dir, filepath.FromSlash(path))
				}
				faces[i], errs[i] = v.best(ctx, path)
				if errs[i] != nil && stopsAll(errs[i]) {
					cancel(errs[i])
				}
				if n := done.Add(1); terminal(v.e.err) && !v.e.quiet {
					fmt.Fprintf(v.e.err, "\r%d of %d pictures", n, len(paths))
				}
			}
		})
	}
	wg.Wait()
	if terminal(v.e.err) && !v.e.quiet {
		fmt.Fprintln(v.e.err)
	}
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	out := map[string]semblance.Face{}
	for i, path := range paths {
		if errs[i] == nil {
			out[path] = faces[i]
		} else {
			v.unused = append(v.unused, evaluation.Unused{Path: path, Reason: errs[i].Error()})
		}
	}
	return out, nil
}

// best returns the face of highest quality that can be searched with.
func (v *evaluator) best(ctx context.Context, path string) (semblance.Face, error) {
	f, err := v.e.open(path)
	if err != nil {
		return semblance.Face{}, err
	}
	defer f.Close()
	_, a, err := v.eng.Signals(ctx, f, semblance.AnalyzeRequest{Engines: []semblance.EngineName{v.spec.Name}, Detection: v.look})
	if err != nil {
		return semblance.Face{}, err
	}
	set, _ := a.Faces(v.spec.Name)
	if len(set.Faces) == 0 {
		return semblance.Face{}, semblance.Errorf(semblance.FaceCount, "no face was found")
	}
	faces := slices.DeleteFunc(slices.Clone(set.Faces), func(f semblance.Face) bool { return !f.Searchable() })
	if len(faces) == 0 {
		return semblance.Face{}, semblance.Errorf(semblance.FaceCount, "no face is good enough to compare (%s)", strings.Join(set.Faces[0].Reasons, "; "))
	}
	return slices.MaxFunc(faces, func(a, b semblance.Face) int {
		return cmp.Or(cmp.Compare(a.Quality, b.Quality), cmp.Compare(a.Box.W*a.Box.H, b.Box.W*b.Box.H))
	}), nil
}
