package main

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"semblance"
)

// searchFlags are what a face search is asked with at the command line.
type searchFlags struct {
	r        semblance.SearchRequest
	engine   string
	faces    string
	distance float64
	undated  string
	rerank   string
	fuse     bool
	probes   string
	sheet    string
	force    bool // --sheet writes over a file
}

func newSearch(e *env) *cobra.Command {
	var s searchFlags
	cmd := &cobra.Command{Use: "search [IMAGE...] --against NAME,... --case N", Short: "Search the faces of a picture in faces collections; the request is kept",
		Long: `Each face of the picture is searched for itself. --face 0,2 chooses some of them; with
--together the outcome is a potential candidate only when every chosen face has one,
and the collections that have all of them are named.

--fuse takes several pictures of one person and searches the template they make
together; --face 0,-,2 then says which face of each is meant.

--probes takes a folder of pictures, or a CSV list with the columns path, reference and,
where a picture has several faces, face, and answers with one sheet: probe by collection.
--sheet writes it to a file, .csv or .html. Each probe is a request of its own; one that
fails is on the sheet too, and the exit code is 3.

The filters narrow the collections that are named and never add to them.`,
		Args: cobra.ArbitraryArgs, RunE: func(cmd *cobra.Command, args []string) error { return e.search(cmd, &s, args) }}
	s.add(cmd)
	return cmd
}

// search runs one of the kinds of search.
func (e *env) search(cmd *cobra.Command, s *searchFlags, args []string) error {
	switch {
	case s.probes != "" && (len(args) > 0 || s.fuse || s.faces != ""):
		return semblance.Errorf(semblance.Invalid, "--probes takes its pictures and their faces from the folder or list").WithHint("Leave the pictures, --fuse and --face away.")
	case s.sheet != "" && s.probes == "":
		return semblance.Errorf(semblance.Invalid, "--sheet is for the probes of a folder or list").WithHint("Give --probes FOLDER or --probes LIST.csv.")
	case s.fuse && s.r.Together:
		return semblance.Errorf(semblance.Invalid, "fused pictures are one person, and --together is for several faces of one picture").WithHint("Leave one of them away.")
	case len(args) > 1 && !s.fuse:
		return semblance.Errorf(semblance.Invalid, "%d pictures were given, and it is not said how they belong together", len(args)).
			WithHint("Add --fuse when they show one person; else put them in a folder and give --probes FOLDER.")
	case len(args) == 0 && s.probes == "":
		return wrongArgs(cmd, "a picture, or --probes")
	}
	r, err := s.request(cmd)
	switch {
	case err != nil:
		return err
	case s.probes != "":
		return e.searchSheet(cmd, r, s.probes, s.sheet, s.force)
	case s.fuse:
		return e.searchFused(cmd.Context(), r, s.faces, args)
	}
	if r.Faces, err = faceNumbers(s.faces); err != nil {
		return err
	}
	f, err := e.open(args[0])
	if err != nil {
		return err
	}
	defer f.Close()
	r.File, r.Name = f, filepath.Base(args[0])
	return e.stored(cmd.Context(), func(p *program) error {
		res, err := p.engine.Search(cmd.Context(), e.who(), r)
		if err != nil {
			return err
		}
		return e.printSearch(res)
	})
}

func (s *searchFlags) add(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&s.r.Case, "case", "", "number of the case")
	f.StringSliceVar(&s.r.Collections, "against", nil, "faces collections, all of one engine")
	f.StringVar(&s.engine, "engine", "", "engine the collections must have")
	f.StringVar(&s.faces, "face", "", "search only these faces, from 0: 1 or 0,2")
	f.BoolVar(&s.r.Together, "together", false, "a potential candidate only when every chosen face has one")
	f.IntVar(&s.r.Top, "top", semblance.DefaultTop, "candidates of a face")
	f.Float64Var(&s.distance, "distance", 0, "largest distance, instead of the collections' own; audited")
	f.StringSliceVar(&s.r.Countries, "country", nil, "of the collections named, only those of these countries")
	f.StringVar(&s.r.From, "captured-from", "", "references captured then or later: 2019, 2019-05 or 2019-05-04")
	f.StringVar(&s.r.To, "captured-to", "", "references captured then or earlier; all of a year or month belongs to it")
	f.StringVar(&s.undated, "undated", "include", "with a date: include or exclude references of unknown date")
	f.BoolVar(&s.fuse, "fuse", false, "the pictures show one person and are one probe")
	f.StringVar(&s.probes, "probes", "", "folder of probes, or a CSV list of them")
	f.StringVar(&s.sheet, "sheet", "", "with --probes: the file to write, .csv or .html")
	f.BoolVar(&s.force, "force", false, "with --sheet: write over the file when it is there already")
	f.StringVar(&s.rerank, "rerank", "", "another engine that ranks the candidates again, from the kept originals")
	detectionFlags(cmd, &s.r.Detection)
}

// request is what the flags ask for.
func (s *searchFlags) request(cmd *cobra.Command) (semblance.SearchRequest, error) {
	r := s.r
	if r.Case == "" {
		return r, semblance.Errorf(semblance.Invalid, "a search belongs to a case").WithHint("Give --case NUMBER; `semblance case list` shows them.")
	}
	r.Engine, r.Rerank, r.Collections, r.Countries = semblance.EngineName(s.engine), semblance.EngineName(s.rerank), list(r.Collections), list(r.Countries)
	if cmd.Flags().Changed("distance") {
		r.Distance = &s.distance
	}
	switch s.undated {
	case "include":
	case "exclude":
		r.Dated = true
	default:
		return r, semblance.Errorf(semblance.Invalid, "references of unknown date can be included or excluded, not %q", s.undated).WithHint("Give --undated include or --undated exclude.")
	}
	return r, nil
}

// faceNumbers reads a list of face numbers; nothing is every face.
func faceNumbers(text string) ([]int, error) {
	if text == "" || text == "all" {
		return nil, nil
	}
	var out []int
	for part := range strings.SplitSeq(text, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(part))
		if err != nil || n < 0 {
			return nil, semblance.Errorf(semblance.Invalid, "%q is not a list of faces", text).WithHint("Give their numbers from 0, such as --face 1 or --face 0,2; `semblance faces` lists them.")
		}
		if !slices.Contains(out, n) {
			out = append(out, n)
		}
	}
	slices.Sort(out)
	return out, nil
}

// An outcomeLine ends the candidates of a search.
type outcomeLine struct {
	Event       string                   `json:"event"`
	Outcome     semblance.Outcome        `json:"outcome"`
	Reason      string                   `json:"reason,omitempty"`
	Request     string                   `json:"request"`
	Probe       semblance.SHA256         `json:"probe"`
	Pictures    []semblance.ProbePicture `json:"pictures,omitempty"`
	Engine      semblance.EngineName     `json:"engine"`
	Faces       int                      `json:"faces"`
	Candidates  int                      `json:"candidates"`
	NotSearched []semblance.BadLine      `json:"not_searched,omitempty"`
	Excluded    []string                 `json:"excluded,omitempty"`
	TogetherIn  []string                 `json:"together_in,omitempty"`
	Warnings    []string                 `json:"warnings,omitempty"`
	Limits      string                   `json:"limits"`
}

func (e *env) printSearch(res semblance.SearchResult) error {
	r := res.Request
	if e.json {
		for _, c := range r.Candidates {
			if err := e.emit(c); err != nil {
				return err
			}
		}
		return e.emit(outcomeLine{"outcome", r.Outcome, r.Reason, r.ID, r.Probe, r.Pictures, r.Engine, len(res.Faces), len(r.Candidates), res.NotSearched, res.Excluded, res.TogetherIn, res.Warnings, res.Limits})
	}
	e.say("%s: %s, engine %s", printable(r.ProbeName), count(int64(len(res.Faces)), "face", "faces"), r.Engine)
	for _, name := range res.Excluded {
		e.say("  not searched: collection %s is of another country", name)
	}
	for i, n := range res.NotSearched {
		if i == mostLines {
			e.say("  not searched: %d more faces; --json lists them", len(res.NotSearched)-i)
			break
		}
		e.say("  not searched: %s %s%s", n.Text, n.Reason, labels(res, n.Line))
	}
	for _, p := range r.Pictures {
		e.say("  %s", pictureLine(p))
	}
	e.printCandidates(res)
	if n := withoutCandidate(res); len(n) > 0 && len(r.Candidates) > 0 {
		e.say("searched, no candidate: face %s", someNumbers(n))
	}
	for _, w := range res.Warnings {
		e.say("warning: %s", printable(w))
	}
	switch {
	case !r.Terms.Together || r.Outcome != semblance.PotentialCandidate:
	case len(res.TogetherIn) == 0:
		e.say("every face has a candidate, but no collection has one for all of them")
	default:
		e.say("every face has a candidate in: %s", strings.Join(res.TogetherIn, ", "))
	}
	why := ""
	if r.Reason != "" {
		why = " (" + r.Reason + ")"
	}
	e.say("outcome: %s%s", r.Outcome, why)
	e.say("%s", res.Limits)
	return nil
}

// mostLines and mostRows bound what a picture with hundreds of faces prints for a
// person; programs get all of it.
const (
	mostLines = 20
	mostRows  = 200
)

func (e *env) printCandidates(res semblance.SearchResult) {
	cands := res.Request.Candidates
	if len(cands) == 0 {
		return
	}
	second := res.Request.Terms.Rerank != ""
	head := []string{"FACE", "QUALITY", "RANK", "SUBJECT", "COLLECTION", "DISTANCE", "THRESHOLD", "BAND", "MARGIN", "REFS", "CAPTURED", "AGE"}
	if second {
		head = append(head, "SECOND", "FIRST RANK")
	}
	t := newTable(append(head, "REFERENCE")...)
	var bands footnotes
	var warned []int
	for _, c := range cands[:min(len(cands), mostRows)] {
		cells := []any{c.Face, fmt.Sprintf("%.0f", c.Quality), c.Rank, c.Subject, c.Collection, four(c.Distance), four(c.Threshold), bands.mark(c.Band),
			fourOrNot(c.Margin), c.References, cmp.Or(c.Captured, "-"), ageText(c.Age)}
		if second {
			cells = append(cells, fourOrNot(c.Reranked.Distance), c.Reranked.Rank)
		}
		source := c.Source
		if len(c.RefLabels) > 0 {
			source += " (" + strings.Join(c.RefLabels, "; ") + ")"
		}
		t.row(append(cells, source)...)
		if len(c.Labels) > 0 && !slices.Contains(warned, c.Face) {
			warned = append(warned, c.Face)
		}
	}
	t.print(e.out)
	e.printBands(bands, len(res.Request.Collections))
	for _, i := range warned[:min(len(warned), mostLines)] {
		e.say("face %d is less reliable than a portrait:%s", i, labels(res, i))
	}
	if n := len(cands) - mostRows; n > 0 {
		e.say("%s more; --json lists them, --top and --face narrow them", count(int64(n), "candidate", "candidates"))
	}
}

func four(d float64) string { return fmt.Sprintf("%.4f", d) }

// fourOrNot says a distance that may not be known.
func fourOrNot(d *float64) string {
	if d == nil {
		return "-"
	}
	return four(*d)
}

func ageText(age *int) string {
	if age == nil {
		return "unknown"
	}
	return strconv.Itoa(*age)
}

// labels says what makes the distances of a face less reliable.
func labels(res semblance.SearchResult, face int) string {
	if face >= len(res.Faces) || len(res.Faces[face].Reliability()) == 0 {
		return ""
	}
	return " (" + printable(strings.Join(res.Faces[face].Reliability(), "; ")) + ")"
}

func pictureLine(p semblance.ProbePicture) string {
	if p.LeftOut != "" {
		return fmt.Sprintf("%s: left out: %s", printable(p.Name), printable(p.LeftOut))
	}
	return fmt.Sprintf("%s: face %d, quality %.0f, %s from the template of all", printable(p.Name), *p.Face, p.Quality, fourOrNot(p.Distance))
}

func someNumbers(n []int) string {
	var out []string
	for _, i := range n[:min(len(n), mostLines)] {
		out = append(out, strconv.Itoa(i))
	}
	if more := len(n) - mostLines; more > 0 {
		out = append(out, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(out, ", ")
}

// withoutCandidate lists the faces that were searched and have none.
func withoutCandidate(res semblance.SearchResult) []int {
	taken := map[int]bool{}
	for _, n := range res.NotSearched {
		taken[n.Line] = true
	}
	for _, c := range res.Request.Candidates {
		taken[c.Face] = true
	}
	var out []int
	for i := range res.Faces {
		if !taken[i] && (len(res.Only) == 0 || slices.Contains(res.Only, i)) {
			out = append(out, i)
		}
	}
	return out
}
