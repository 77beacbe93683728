package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"semblance"
	"semblance/hashing"
)

func newSearch(e *env) *cobra.Command {
	var r semblance.SearchRequest
	var engine string
	var face int
	var distance float64
	cmd := &cobra.Command{Use: "search IMAGE --against NAME,... --case N", Short: "Search the faces of a picture in faces collections; the request is kept",
		Args: exactly(1, "one picture"), RunE: func(cmd *cobra.Command, args []string) error {
			f, err := e.open(args[0])
			if err != nil {
				return err
			}
			defer f.Close()
			r.File, r.Name, r.Engine, r.Collections = f, filepath.Base(args[0]), semblance.EngineName(engine), list(r.Collections)
			if cmd.Flags().Changed("face") {
				r.Face = &face
			}
			if cmd.Flags().Changed("distance") {
				r.Distance = &distance
			}
			if r.Case == "" {
				return semblance.Errorf(semblance.Invalid, "a search belongs to a case").WithHint("Give --case NUMBER; `semblance case list` shows them.")
			}
			return e.stored(cmd.Context(), func(p *program) error {
				res, err := p.engine.Search(cmd.Context(), e.who(), r)
				if err != nil {
					return err
				}
				return e.printSearch(res)
			})
		}}
	f := cmd.Flags()
	f.StringVar(&r.Case, "case", "", "number of the case")
	f.StringSliceVar(&r.Collections, "against", nil, "faces collections, all of one engine")
	f.StringVar(&engine, "engine", "", "engine the collections must have")
	f.IntVar(&face, "face", 0, "search only this face, from 0")
	f.IntVar(&r.Top, "top", semblance.DefaultTop, "candidates of a face")
	f.Float64Var(&distance, "distance", 0, "largest distance, instead of the collections' own; audited")
	return cmd
}

// An outcomeLine ends the candidates of a search.
type outcomeLine struct {
	Event       string               `json:"event"`
	Outcome     semblance.Outcome    `json:"outcome"`
	Reason      string               `json:"reason,omitempty"`
	Request     string               `json:"request"`
	Probe       semblance.SHA256     `json:"probe"`
	Engine      semblance.EngineName `json:"engine"`
	Faces       int                  `json:"faces"`
	Candidates  int                  `json:"candidates"`
	NotSearched []semblance.BadLine  `json:"not_searched,omitempty"`
	Limits      string               `json:"limits"`
}

func (e *env) printSearch(res semblance.SearchResult) error {
	r := res.Request
	if e.json {
		for _, c := range r.Candidates {
			if err := e.emit(c); err != nil {
				return err
			}
		}
		return e.emit(outcomeLine{"outcome", r.Outcome, r.Reason, r.ID, r.Probe, r.Engine, len(res.Faces), len(r.Candidates), res.NotSearched, res.Limits})
	}
	e.say("%s: %s, engine %s", printable(r.ProbeName), count(int64(len(res.Faces)), "face", "faces"), r.Engine)
	for _, n := range res.NotSearched {
		e.say("  not searched: %s %s", n.Text, n.Reason)
	}
	if len(r.Candidates) > 0 {
		t := newTable("FACE", "QUALITY", "RANK", "SUBJECT", "COLLECTION", "DISTANCE", "THRESHOLD", "BAND", "REFERENCE")
		for _, c := range r.Candidates {
			t.row(c.Face, fmt.Sprintf("%.0f", c.Quality), c.Rank, c.Subject, c.Collection, fmt.Sprintf("%.4f", c.Distance), fmt.Sprintf("%.4f", c.Threshold), c.Band, c.Source)
		}
		t.print(e.out)
	}
	if n := len(withoutCandidate(res)); n > 0 && len(r.Candidates) > 0 {
		e.say("searched, no candidate: face %v", withoutCandidate(res))
	}
	why := ""
	if r.Reason != "" {
		why = " (" + r.Reason + ")"
	}
	e.say("outcome: %s%s", r.Outcome, why)
	e.say("%s", res.Limits)
	return nil
}

// withoutCandidate lists the faces that were searched and have none.
func withoutCandidate(res semblance.SearchResult) []int {
	var out []int
	for i := range res.Faces {
		poor := slices.ContainsFunc(res.NotSearched, func(n semblance.BadLine) bool { return n.Line == i })
		has := slices.ContainsFunc(res.Request.Candidates, func(c semblance.Candidate) bool { return c.Face == i })
		if !poor && !has && (res.Only == nil || *res.Only == i) {
			out = append(out, i)
		}
	}
	return out
}

func newLookup(e *env) *cobra.Command {
	var r semblance.LookupRequest
	var def string
	cmd := &cobra.Command{Use: "lookup --against NAME,... --case N [FILE|-]", Short: "Look hashes up, one a line: md5, sha1, sha256, or pdq:HEX and the like",
		Args: atMost(1, "at most one file"), RunE: func(cmd *cobra.Command, args []string) error {
			r.Collections = list(r.Collections)
			if def != "" {
				alg, err := hashing.ParseAlgorithm(def)
				if err != nil {
					return semblance.Errorf(semblance.Invalid, "%v", err)
				}
				r.Default = alg
			}
			if r.Case == "" {
				return semblance.Errorf(semblance.Invalid, "a lookup belongs to a case").WithHint("Give --case NUMBER; `semblance case list` shows them.")
			}
			var in io.Reader = e.stdin(cmd.Context())
			if len(args) == 1 && args[0] != "-" {
				f, err := e.open(args[0])
				if err != nil {
					return err
				}
				defer f.Close()
				in = f
			}
			return e.stored(cmd.Context(), func(p *program) error { return e.lookup(cmd.Context(), p, r, in) })
		}}
	f := cmd.Flags()
	f.StringVar(&r.Case, "case", "", "number of the case")
	f.StringSliceVar(&r.Collections, "against", nil, "hashes and known-good collections")
	f.StringVar(&def, "format", "", "what 64 or 16 bare digits are: sha256 (the default), pdq, phash, dhash, ahash")
	return cmd
}

func (e *env) lookup(ctx context.Context, p *program, r semblance.LookupRequest, in io.Reader) error {
	out := bufio.NewWriter(e.out)
	sum, err := p.engine.Lookup(ctx, e.who(), r, lines(in), func(l semblance.LookupResult) error {
		if e.json {
			return json.NewEncoder(out).Encode(l)
		}
		_, err := fmt.Fprintln(out, lookupLine(l))
		return err
	})
	if ferr := out.Flush(); err == nil {
		err = ferr
	}
	if err != nil {
		return err
	}
	e.note("%s looked up, %d found, %d could not be read", count(int64(sum.Lines), "line", "lines"), sum.Found, sum.Bad)
	if sum.Bad > 0 {
		if sum.Bad == sum.Lines {
			return errReported
		}
		return errSomeFailed
	}
	return nil
}

// lines reads lines of up to 64 KiB; a longer one is cut there and will not parse.
func lines(r io.Reader) func() (string, error) {
	s := bufio.NewReaderSize(r, 64<<10)
	return func() (string, error) {
		line, err := s.ReadSlice('\n')
		text := strings.TrimRight(string(line), "\r\n")
		for errors.Is(err, bufio.ErrBufferFull) {
			_, err = s.ReadSlice('\n')
		}
		if errors.Is(err, io.EOF) && len(line) > 0 {
			err = nil
		}
		return text, err
	}
}

func lookupLine(l semblance.LookupResult) string {
	q := printable(shorten(l.Query, 100))
	switch {
	case l.Error != "":
		return fmt.Sprintf("%s  error: %s", q, l.Error)
	case l.Collection == "":
		return q + "  -"
	case l.Distance != nil:
		return fmt.Sprintf("%s  %s in %s: %d of %d bits, %s", q, l.Kind, l.Collection, *l.Distance, *l.Threshold, printable(note(l.Note, l.Source)))
	}
	weak := ""
	if l.Weak {
		weak = " (MD5 only: weak)"
	}
	return fmt.Sprintf("%s  %s in %s%s: %s", q, l.Kind, l.Collection, weak, printable(note(l.Note, l.Source)))
}
