package api

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"semblance"
	"semblance/hashing"
)

// Paging is the parameters of every list that comes in pages.
type Paging struct {
	CaseNumber
	Exhibit string `query:"exhibit" maxLength:"500" doc:"Only this exhibit"`
	Limit   int    `query:"limit" minimum:"1" maximum:"500" default:"100" doc:"Items a page"`
	After   string `query:"after" maxLength:"20000" doc:"next of the page before"`
}

type findingInput struct {
	Paging
	Collection string `query:"collection" maxLength:"100" doc:"Only items with a finding in this collection"`
}

func (p *Paging) page() (Page, error) {
	out := Page{Exhibit: p.Exhibit, Limit: p.Limit}
	if p.After == "" {
		return out, nil
	}
	b, err := base64.RawURLEncoding.DecodeString(p.After)
	if err == nil {
		err = json.Unmarshal(b, &out.After)
	}
	if err != nil {
		return out, semblance.Errorf(semblance.Invalid, "after in the query is not what a page gave as next")
	}
	return out, nil
}

func cursor(p Position) string {
	b, _ := json.Marshal(p) // two strings: cannot fail
	return base64.RawURLEncoding.EncodeToString(b)
}

// A found is one finding with the item it was found in.
type found[T any] struct {
	Exhibit string           `json:"exhibit"`
	Path    string           `json:"path"`
	Media   semblance.SHA256 `json:"media"`
	Size    int64            `json:"size"`
	Deleted bool             `json:"deleted,omitempty" doc:"The file system no longer lists the file, or it was carved"`
	Carved  bool             `json:"carved,omitempty" doc:"Found by its signature alone"`
	Finding T                `json:"finding"`
}

// A list is a page of findings, those of one item together.
type list[T any] struct {
	Findings []found[T] `json:"findings"`
	Next     string     `json:"next,omitempty" doc:"after of the next page; absent on the last"`
}

type listOutput[T any] struct{ Body list[T] }

type (
	itemsBody struct {
		Items []ItemRow `json:"items"`
		Next  string    `json:"next,omitempty" doc:"after of the next page; absent on the last"`
	}
	itemsOutput struct{ Body itemsBody }
	mediaInput  struct {
		CaseNumber
		SHA256 string `path:"sha256" minLength:"64" maxLength:"64" doc:"SHA-256 of the media"`
	}
	mediaBody struct {
		SHA256   string              `json:"sha256"`
		SHA1     string              `json:"sha1"`
		MD5      string              `json:"md5"`
		Size     int64               `json:"size"`
		Analysis *semblance.Analysis `json:"analysis,omitempty" doc:"Without embeddings, crops, thumbnail and hashes; absent when it was never decoded"`
		Hashes   []shownHashes       `json:"hashes,omitempty" doc:"Perceptual ones, frame by frame"`
		Code     semblance.Code      `json:"code,omitempty"`
		Reason   string              `json:"reason,omitempty"`
		Findings *semblance.Findings `json:"findings"`
		Limits   map[string]string   `json:"limits" doc:"Of each engine that looked for faces, in a sentence"`
	}
	mediaOutput struct{ Body mediaBody }
	shownHashes struct {
		Frame   int    `json:"frame"`
		PDQ     string `json:"pdq,omitempty"`
		Quality *int   `json:"pdq_quality,omitempty"`
		PHash   string `json:"phash,omitempty"`
		DHash   string `json:"dhash,omitempty"`
		AHash   string `json:"ahash,omitempty"`
	}
)

func (s *Server) findingRoutes() {
	op := func(id, path, summary string) huma.Operation {
		return huma.Operation{OperationID: id, Method: http.MethodGet, Path: "/v1/cases/{number}/" + path, Summary: summary, Tags: []string{"findings"},
			Description: "By exhibit label and path. Each page is one entry in the audit chain that lists what was on it."}
	}
	do(s, op("list-items", "items", "List the items of a case"), s.listItems)
	do(s, op("list-hits", "hits", "List hits: digests that are in a collection"), listFindings(s, "hit", func(f *semblance.Findings) []semblance.Hit { return f.Hits }))
	do(s, op("list-known-good", "known-good", "List items that are in a known-good collection"), listFindings(s, "known-good", func(f *semblance.Findings) []semblance.Hit { return f.KnownGood }))
	do(s, op("list-near-matches", "near-matches", "List near matches, which a person has to verify"), listFindings(s, "near-match", func(f *semblance.Findings) []semblance.NearMatch { return f.NearMatches }))
	do(s, op("list-candidates", "candidates", "List candidates: leads for an examiner, not identifications"), listFindings(s, "candidate", func(f *semblance.Findings) []semblance.Candidate { return f.Candidates }))
	do(s, op("list-contradictions", "contradictions", "List contradictions, which a person has to decide"), listFindings(s, "contradiction", func(f *semblance.Findings) []semblance.Contradiction { return f.Contradictions }))
	do(s, op("show-media", "media/{sha256}", "Show what is known of a media and what was found in it"), s.showMedia)
}

// listFindings is the handler of one kind of finding.
func listFindings[T any](s *Server, kind string, of func(*semblance.Findings) []T) func(context.Context, *findingInput) (*listOutput[T], error) {
	return func(ctx context.Context, in *findingInput) (*listOutput[T], error) {
		c, err := s.parts.Cases.Case(ctx, in.Number)
		if err != nil {
			return nil, err
		}
		p, err := in.page()
		if err != nil {
			return nil, err
		}
		rows, err := s.parts.Records.Findings(ctx, c.ID, kind, in.Collection, p)
		if err != nil {
			return nil, err
		}
		out := list[T]{Findings: []found[T]{}}
		media := []string{}
		for i := range rows {
			r := &rows[i]
			media = append(media, r.Media.String())
			for _, f := range of(&r.Findings) {
				out.Findings = append(out.Findings, found[T]{Exhibit: r.Exhibit, Path: r.Path, Media: r.Media, Size: r.Size, Deleted: r.Deleted, Carved: r.Carved, Finding: f})
			}
		}
		if len(rows) == p.Limit {
			last := rows[len(rows)-1]
			out.Next = cursor(Position{Exhibit: last.Exhibit, Path: last.Path})
		}
		return &listOutput[T]{out}, s.viewed(ctx, c, map[string]any{"list": kind, "media": media})
	}
}

func (s *Server) listItems(ctx context.Context, in *Paging) (*itemsOutput, error) {
	c, err := s.parts.Cases.Case(ctx, in.Number)
	if err != nil {
		return nil, err
	}
	p, err := in.page()
	if err != nil {
		return nil, err
	}
	rows, err := s.parts.Records.Items(ctx, c.ID, p)
	if err != nil {
		return nil, err
	}
	zone, err := c.Location()
	if err != nil {
		return nil, err
	}
	if zone != nil {
		for i := range rows {
			rows[i].CaseTimes = rows[i].Item.ShowTimes(zone)
		}
	}
	out := itemsBody{Items: some(rows)}
	if len(rows) == p.Limit {
		last := rows[len(rows)-1]
		out.Next = cursor(Position{Exhibit: last.Exhibit, Path: last.Item.Path})
	}
	return &itemsOutput{out}, s.viewed(ctx, c, map[string]any{"list": "items", "exhibit": in.Exhibit, "items": len(rows)})
}

func (s *Server) showMedia(ctx context.Context, in *mediaInput) (*mediaOutput, error) {
	c, sum, found, err := s.mediaOf(ctx, in.Number, in.SHA256)
	if err != nil {
		return nil, err
	}
	known, err := s.parts.Media.Media(ctx, sum)
	if err != nil {
		return nil, err
	}
	if len(known) == 0 || known[0] == nil {
		return nil, errNoMedia()
	}
	m := known[0]
	d := m.Digests
	b := mediaBody{SHA256: sum.String(), SHA1: hex.EncodeToString(d.SHA1[:]), MD5: hex.EncodeToString(d.MD5[:]), Size: d.Size, Analysis: bare(m.Analysis),
		Hashes: hashesOf(m.Analysis), Code: m.Code, Reason: redact(m.Reason), Findings: found, Limits: map[string]string{}}
	if b.Findings == nil {
		b.Findings = &semblance.Findings{}
	}
	if b.Analysis != nil {
		for _, set := range b.Analysis.FaceSets {
			b.Limits[string(set.Engine)] = s.parts.Engines.Limits(set.Engine)
		}
	}
	return &mediaOutput{b}, s.viewed(ctx, c, map[string]any{"media": sum.String()})
}

// bare is an analysis without what may not leave by the way, embeddings and pixels, and
// without the signals of videos, which are megabytes.
func bare(a *semblance.Analysis) *semblance.Analysis {
	if a == nil {
		return nil
	}
	out := *a
	out.Thumbnail, out.FaceSets, out.Hashes, out.Signals = nil, nil, nil, nil
	out.Video = out.Video.WithoutPixels()
	for _, set := range a.FaceSets {
		faces := make([]semblance.Face, len(set.Faces))
		for i, f := range set.Faces {
			f.Embedding, f.Crop = nil, nil
			faces[i] = f
		}
		set.Faces = faces
		out.FaceSets = append(out.FaceSets, set)
	}
	return &out
}

// hashesOf writes the perceptual hashes as everywhere else: in hexadecimal.
func hashesOf(a *semblance.Analysis) []shownHashes {
	if a == nil {
		return nil
	}
	var out []shownHashes
	for _, h := range a.Hashes {
		f := shownHashes{Frame: h.Frame}
		if h.PDQ != nil {
			f.PDQ, f.Quality = h.PDQ.Hash.String(), &h.PDQ.Quality
		}
		for _, x := range []struct {
			hash *hashing.Hash64
			text *string
		}{{h.PHash, &f.PHash}, {h.DHash, &f.DHash}, {h.AHash, &f.AHash}} {
			if x.hash != nil {
				*x.text = x.hash.String()
			}
		}
		out = append(out, f)
	}
	return out
}

// mediaOf returns a case and what was found in one of its media. A media of other
// cases only is not found.
func (s *Server) mediaOf(ctx context.Context, number, hexSum string) (semblance.Case, semblance.SHA256, *semblance.Findings, error) {
	var sum semblance.SHA256
	c, err := s.parts.Cases.Case(ctx, number)
	if err != nil {
		return c, sum, nil, err
	}
	if err := sum.UnmarshalText([]byte(hexSum)); err != nil {
		return c, sum, nil, semblance.Errorf(semblance.Invalid, "a media is named by the 64 hexadecimal digits of its SHA-256")
	}
	found, held, err := s.parts.Records.MediaFindings(ctx, c.ID, sum)
	if err == nil && !held {
		err = errNoMedia()
	}
	return c, sum, found, err
}

func errNoMedia() error {
	return semblance.Errorf(semblance.NotFound, "the case has no such media")
}
