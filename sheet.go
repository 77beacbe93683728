package semblance

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// A SheetRequest asks for each of many probes what every collection has. Faces and
// Rerank of the terms are not used: a probe says its own face.
type SheetRequest struct {
	SearchRequest
	Probes []Probe
}

// A SheetRow is what a sheet says of one probe.
type SheetRow struct {
	Number      int         `json:"number"` // of the probe, from 1
	Reference   string      `json:"reference"`
	Probe       string      `json:"probe"`
	SHA256      *SHA256     `json:"sha256,omitempty"` // nil when it could not be read
	Faces       int         `json:"faces"`
	Searched    []int       `json:"searched"` // faces that were searched
	Face        *int        `json:"face,omitempty"`
	Quality     float32     `json:"quality"`                // of the face with the best candidate, else the best searched, else the best found
	Reliability []string    `json:"reliability,omitempty"`  // of the same face
	NotSearched []BadLine   `json:"not_searched,omitempty"` // faces asked for that were not, and why
	Outcome     Outcome     `json:"outcome"`
	Reason      string      `json:"reason,omitempty"`
	Notes       []string    `json:"notes,omitempty"`
	Candidates  int         `json:"candidates"` // over all collections
	Best        *Candidate  `json:"best,omitempty"`
	Cells       []SheetCell `json:"collections"`
	Code        Code        `json:"code,omitempty"` // why the probe failed
	Error       string      `json:"error,omitempty"`
	Request     string      `json:"request,omitempty"`
}

// A SheetCell is what one collection has for one probe. Rank and margin of its
// candidate are within the collection.
type SheetCell struct {
	Collection string     `json:"collection"`
	Outcome    Outcome    `json:"outcome"`
	Candidates int        `json:"candidates"`
	Best       *Candidate `json:"best,omitempty"`
}

// A Sheet is what a sheet has besides its rows.
type Sheet struct {
	ID          string       `json:"sheet"`
	Case        Case         `json:"case"`
	Collections []Collection `json:"collections"` // as they were searched
	Engine      EngineSpec   `json:"engine"`
	Terms       Terms        `json:"terms"`
	Excluded    []string     `json:"excluded,omitempty"`
	Warnings    []string     `json:"warnings,omitempty"` // references that no search can find
	Probes      int          `json:"probes"`
	Potential   int          `json:"potential_candidate"` // probes, by outcome
	None        int          `json:"no_candidate"`
	Open        int          `json:"inconclusive"`
	Failed      int          `json:"failed"` // of Open: probes that could not be read
}

// sheetBatch is how many probes are searched at once: enough for the index to work
// on many at a time, few enough that an interruption loses little.
const sheetBatch = 64

// SearchSheet searches many probes in every collection for itself. emit gets the
// rows in the order of the probes, each after its request was stored and audited; a
// probe that cannot be read is a row too, and the others go on. What was emitted
// before an error is kept.
func (e *Engine) SearchSheet(ctx context.Context, who Actor, r SheetRequest, emit func(SheetRow) error) (Sheet, error) {
	if len(r.Probes) == 0 {
		return Sheet{}, Errorf(Invalid, "there is no probe to search").WithHint("Give a folder with pictures, or a list with a line for each.")
	}
	if r.Rerank != "" || r.Together || len(r.Faces) > 0 {
		return Sheet{}, Errorf(Invalid, "the probes of a sheet are not ranked again, and each says its own face").
			WithHint("Search the probes that matter one by one for that; a list of probes can have a column face.")
	}
	s, err := e.newSearch(ctx, who, r.SearchRequest)
	if err != nil {
		return Sheet{}, err
	}
	sh := Sheet{ID: NewID(), Case: s.c, Collections: s.query.cols, Engine: s.spec, Terms: s.terms, Excluded: s.excluded, Warnings: leftOutOf(s.query.cols), Probes: len(r.Probes)}
	ev := e.event(who, "search.sheet", &s.c, names(s.query.cols)...)
	ev.Detail["sheet"], ev.Detail["probes"], ev.Detail["engine"] = sh.ID, sh.Probes, s.spec.Signal()
	s.detail(ev.Detail)
	if err := e.Audit.Append(ctx, ev); err != nil {
		return sh, err
	}
	err = s.sheet(ctx, r.Probes, &sh, emit)
	ev = e.event(who, "search.sheet.end", &s.c, names(s.query.cols)...)
	ev.Detail["sheet"], ev.Detail["potential candidate"], ev.Detail["no candidate"], ev.Detail["inconclusive"], ev.Detail["failed"] = sh.ID, sh.Potential, sh.None, sh.Open, sh.Failed
	return sh, errors.Join(err, e.Audit.Append(context.WithoutCancel(ctx), ev))
}

// A sheetProbe is a probe on its way through a sheet.
type sheetProbe struct {
	Probe
	faces    []Face
	only     []int
	request  Request
	row      SheetRow
	which    []int // faces to search
	rankings [][]ranking
}

// sheet analyzes one batch while the one before is searched.
func (s *search) sheet(ctx context.Context, probes []Probe, sh *Sheet, emit func(SheetRow) error) error {
	type batch struct {
		probes []sheetProbe
		err    error
	}
	ready := make(chan batch, 1)
	ctx, cancel := context.WithCancel(ctx)
	defer func() { // nothing reads a file any more when this has returned
		cancel()
		for range ready {
		}
	}()
	go func() {
		defer close(ready)
		for from := 0; from < len(probes); from += sheetBatch {
			b := batch{probes: make([]sheetProbe, min(sheetBatch, len(probes)-from))}
			b.err = inParallel(ctx, len(b.probes), func(ctx context.Context, i int) error {
				b.probes[i] = sheetProbe{Probe: probes[from+i], row: SheetRow{Number: from + i + 1}}
				return s.look(ctx, &b.probes[i], sh.ID)
			})
			select {
			case ready <- b:
			case <-ctx.Done():
				return
			}
			if b.err != nil {
				return
			}
		}
	}()
	for b := range ready {
		if b.err != nil {
			return b.err
		}
		if err := s.searchBatch(ctx, b.probes); err != nil {
			return err
		}
		for i := range b.probes {
			if err := s.row(ctx, &b.probes[i], sh, emit); err != nil {
				return err
			}
		}
	}
	return ctx.Err()
}

// look reads one probe. What is wrong with it is noted; the error is about us.
func (s *search) look(ctx context.Context, p *sheetProbe, sheet string) error {
	p.request = s.result().Request
	p.request.Sheet, p.request.Reference, p.request.ProbeName = sheet, p.Reference, p.Name
	p.row.Reference, p.row.Probe, p.row.Request = p.Reference, p.Name, p.request.ID
	err := s.lookAt(ctx, p)
	switch code := CodeOf(err); {
	case err == nil:
	case ctx.Err() != nil:
		return ctx.Err()
	case code == Unavailable:
		return err
	default:
		p.faces, p.which = nil, nil
		p.row.Code, p.row.Error = code, err.Error()
		if code == Internal {
			p.row.Error = "something went wrong in this program while it was read"
		}
	}
	return nil
}

func (s *search) lookAt(ctx context.Context, p *sheetProbe) error {
	f, err := p.Open()
	if err != nil {
		return err
	}
	defer f.Close()
	d, err := s.e.digest(ctx, f)
	if err != nil {
		return err
	}
	sum := SHA256(d.SHA256)
	p.request.Probe, p.row.SHA256 = sum, &sum
	if d.Size == 0 {
		return Errorf(MediaDamaged, "the file is empty")
	}
	a, err := s.e.analyzeOnly(ctx, f, AnalyzeRequest{Engines: s.engines(), Detection: s.terms.Detection})
	if err != nil {
		return err
	}
	set, _ := a.Faces(s.spec.Name)
	if p.Face != nil {
		p.only = []int{*p.Face}
		p.request.Terms.Faces = p.only
	}
	if p.faces, err = onlyFaces(set.Faces, p.only); err != nil {
		return err
	}
	p.row.Faces = len(p.faces)
	if a.Partial != "" {
		p.row.Notes = append(p.row.Notes, "only a part of the picture could be read: "+a.Partial)
	}
	p.which, _ = searchableOf(p.faces)
	return nil
}

// searchBatch searches the faces of all probes of a batch at once.
func (s *search) searchBatch(ctx context.Context, probes []sheetProbe) error {
	var vectors [][]float32
	for i := range probes {
		for _, f := range probes[i].which {
			vectors = append(vectors, probes[i].faces[f].Embedding)
		}
	}
	if len(vectors) == 0 {
		return nil
	}
	res, err := s.e.rankings(ctx, s.query, s.query.each(), vectors)
	if err != nil {
		return err
	}
	for i := range probes {
		n := len(probes[i].which)
		probes[i].rankings, res = res[:n], res[n:]
	}
	return nil
}

// row makes a probe's row, stores its request and hands the row on.
func (s *search) row(ctx context.Context, p *sheetProbe, sh *Sheet, emit func(SheetRow) error) error {
	row, asked := &p.row, askedOf(p.faces, p.only)
	poor := notSearched(p.faces, asked)
	cells := make([]SheetCell, len(s.query.cols))
	for k, i := range p.which {
		p.request.Candidates = append(p.request.Candidates, s.query.candidates(i, &p.faces[i], merge(p.rankings[k]))...)
		for g := range cells {
			got := s.query.candidates(i, &p.faces[i], p.rankings[k][g])
			s.e.giveBands(ctx, s.query.cols[g:g+1], got, false)
			cells[g].Candidates += len(got)
			cells[g].Best = nearer(cells[g].Best, got)
		}
	}
	s.e.giveBands(ctx, s.query.cols, p.request.Candidates, false)
	row.Best, row.Candidates = nearer(nil, p.request.Candidates), len(p.request.Candidates)
	row.Outcome, row.Reason = outcome(asked, poor, p.request.Candidates, false)
	if row.Error != "" {
		row.Outcome, row.Reason = Inconclusive, "the probe could not be searched: "+row.Error
	}
	for g, c := range s.query.cols {
		cells[g].Collection, cells[g].Outcome = c.Name, PotentialCandidate
		if cells[g].Best == nil {
			if cells[g].Outcome = NoCandidate; row.Error != "" || len(asked) == 0 || len(poor) > 0 {
				cells[g].Outcome = Inconclusive
			}
		}
	}
	row.Cells, row.Searched = cells, append([]int{}, p.which...)
	p.say(asked, poor)
	p.request.Outcome, p.request.Reason = row.Outcome, row.Reason
	res := SearchResult{Request: p.request, Faces: p.faces}
	if row.SHA256 != nil {
		if err := s.keep(ctx, &res); err != nil {
			return err
		}
	} else if err := s.unread(ctx, p, sh); err != nil {
		return err
	}
	sh.count(row)
	return emit(*row)
}

// unread audits a probe of which there is not even a digest, and so no request.
func (s *search) unread(ctx context.Context, p *sheetProbe, sh *Sheet) error {
	p.row.Request = ""
	ev := s.e.event(s.who, "search.unread", &s.c, names(s.query.cols)...)
	ev.Detail["sheet"], ev.Detail["reference"], ev.Detail["code"] = sh.ID, p.Reference, p.row.Code
	return s.e.Audit.Append(ctx, ev)
}

// say fills in what a row tells of the probe's faces.
func (p *sheetProbe) say(asked []int, poor []BadLine) {
	row := &p.row
	row.NotSearched = poor
	shown := -1
	switch {
	case row.Best != nil:
		shown = row.Best.Face
	case len(p.which) > 0:
		shown = slices.MaxFunc(p.which, p.byQuality)
	case len(asked) > 0:
		shown = slices.MaxFunc(asked, p.byQuality)
	}
	if shown >= 0 {
		row.Face, row.Quality, row.Reliability = &shown, p.faces[shown].Quality, p.faces[shown].Reliability()
	}
	if len(p.only) == 0 && len(p.faces) > 1 {
		row.Notes = append(row.Notes, fmt.Sprintf("the picture has %d faces and none was chosen; %d were searched, and the nearest candidate of any is shown", len(p.faces), len(p.which)))
	}
}

// byQuality orders faces by quality, of equal ones the first last, so that the
// largest is the first of the best.
func (p *sheetProbe) byQuality(a, b int) int {
	switch x, y := p.faces[a].Quality, p.faces[b].Quality; {
	case x < y:
		return -1
	case x > y:
		return 1
	}
	return b - a
}

// nearer returns the nearest of best and the candidates, best where they are equal.
func nearer(best *Candidate, cands []Candidate) *Candidate {
	for i := range cands {
		if best == nil || cands[i].Distance < best.Distance {
			best = &cands[i]
		}
	}
	return best
}

func (sh *Sheet) count(r *SheetRow) {
	switch r.Outcome {
	case PotentialCandidate:
		sh.Potential++
	case NoCandidate:
		sh.None++
	default:
		sh.Open++
	}
	if r.Error != "" {
		sh.Failed++
	}
}
