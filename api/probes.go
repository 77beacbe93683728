package api

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/labstack/echo/v4"

	"semblance"
)

// probesList is the name of the file that is a list of probes and no probe.
const probesList = "probes.csv"

func (s *Server) probeRoutes() {
	tags := []string{"search"}
	params := func(more ...*huma.Param) []*huma.Param {
		return append(append([]*huma.Param{inPath("number", "Number of the case"), inQuery("against", "string", "Faces collections, with commas, all of one engine", true)}, more...), termParams()...)
	}
	s.raw(huma.Operation{OperationID: "search-fused", Method: http.MethodPost, Path: "/v1/cases/{number}/fused-searches", Summary: "Search one person of whom there are several pictures", Tags: tags,
		Description: "The embeddings of the pictures make one template, which is searched as one probe. Pictures that are the same, or whose face is too poor, are left out, and pictures says so. " +
			"A picture with several faces needs a face.",
		Parameters:  params(inQuery("face", "string", "Which face of a picture, as NAME:NUMBER; repeated for others", false)),
		RequestBody: fileBody("Two or more pictures"), Responses: answers("200", "Candidates of the template", "application/json", s.schemaOf(semblance.SearchResult{}))}, s.searchFused)
	s.raw(huma.Operation{OperationID: "search-sheet", Method: http.MethodPost, Path: "/v1/cases/{number}/sheets", Summary: "Search many probes in every collection for itself", Tags: tags,
		Description: "Each picture is a probe, in the order of names, and a request of its own; its name without the extension is its reference. A file probes.csv is a list instead, with the columns path, reference and, " +
			"where a picture has several faces, face: only what it names is searched, and its references count. Answers are lines with event probe in their order and one with event summary; " +
			"when something fails after the first, the last line has problem. A probe that cannot be read has a line with error.",
		Parameters: params(), RequestBody: fileBody("Pictures, and probes.csv where there is a list"),
		Responses: answers("200", "One line of JSON for each probe, and a summary", "application/x-ndjson", s.schemaOf(semblance.SheetRow{}))}, s.searchSheet)
}

// received takes the files of a request and lists them by name. done removes them.
func (s *Server) received(c echo.Context) (paths []string, done func(), err error) {
	id, _, _, err := s.parts.Spool.Receive(c.Request(), c.QueryParam("name"))
	if err != nil {
		return nil, nil, err
	}
	done = func() {
		if err := s.parts.Spool.Remove(id); err != nil {
			s.parts.Log.Error("remove the pictures of a search", "cause", err)
		}
	}
	entries, err := os.ReadDir(s.parts.Spool.Path(id)) // by name
	if err != nil {
		done()
		return nil, nil, spoolError(err)
	}
	for _, e := range entries {
		paths = append(paths, filepath.Join(s.parts.Spool.Path(id), e.Name()))
	}
	return paths, done, nil
}

func probeOf(path string) semblance.Probe {
	name := filepath.Base(path)
	return semblance.Probe{Name: name, Reference: strings.TrimSuffix(name, filepath.Ext(name)), Open: func() (*os.File, error) {
		f, err := os.Open(path)
		if err != nil {
			return nil, spoolError(err)
		}
		return f, nil
	}}
}

// searchOfPictures reads a search and the pictures sent with it, which are received only
// when the search can be answered.
func (s *Server) searchOfPictures(c echo.Context) (r semblance.SearchRequest, paths []string, done func(), err error) {
	if r, err = searchOf(c); err != nil {
		return r, nil, nil, err
	}
	if err := s.searchable(c.Request().Context(), r); err != nil {
		return r, nil, nil, err
	}
	paths, done, err = s.received(c)
	return r, paths, done, err
}

func (s *Server) searchFused(c echo.Context) error {
	ctx := c.Request().Context()
	r, paths, done, err := s.searchOfPictures(c)
	if err != nil {
		return err
	}
	defer done()
	f := semblance.FusedRequest{SearchRequest: r}
	for _, p := range paths {
		f.Pictures = append(f.Pictures, probeOf(p))
	}
	if err := chosenFaces(f.Pictures, c.QueryParams()["face"]); err != nil {
		return err
	}
	res, err := s.parts.Searcher.SearchFused(ctx, who(ctx), f)
	if err != nil {
		return unnamed(err, f.Pictures)
	}
	res.Request.Candidates, res.Faces = some(res.Request.Candidates), some(res.Faces)
	return c.JSON(http.StatusOK, res)
}

// chosenFaces reads which face of a picture is meant, as NAME:NUMBER.
func chosenFaces(pics []semblance.Probe, chosen []string) error {
	for _, text := range chosen {
		at := strings.LastIndexByte(text, ':')
		n, err := strconv.Atoi(text[at+1:])
		i := slices.IndexFunc(pics, func(p semblance.Probe) bool { return p.Name == text[:max(at, 0)] })
		if at < 0 || err != nil || n < 0 || i < 0 {
			return semblance.Errorf(semblance.Invalid, "a face in the query does not name a picture of the request and a number from 0").WithHint("Write face=NAME:NUMBER with the name the picture was sent with.")
		}
		pics[i].Face = &n
	}
	return nil
}

// unnamed is an error without the names of uploaded files: a problem tells pictures
// by their number.
func unnamed(err error, pics []semblance.Probe) error {
	e, ok := errors.AsType[*semblance.Error](err)
	if !ok {
		return err
	}
	text := err.Error()
	order := make([]int, len(pics))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(len(pics[b].Name), len(pics[a].Name)) }) // a name may be part of another
	for _, i := range order {
		text = strings.ReplaceAll(text, pics[i].Name, fmt.Sprintf("picture %d by name", i+1))
	}
	return semblance.Errorf(e.Code, "%s", text).WithHint("%s", e.Hint).WithCause(err)
}

func (s *Server) searchSheet(c echo.Context) error {
	ctx := c.Request().Context()
	r, paths, done, err := s.searchOfPictures(c)
	if err != nil {
		return err
	}
	defer done()
	probes, bad, err := sheetProbes(paths)
	if err != nil {
		return err
	}
	a := newAnswerer(c)
	sh, err := s.parts.Searcher.SearchSheet(ctx, who(ctx), semblance.SheetRequest{SearchRequest: r, Probes: probes}, func(row semblance.SheetRow) error {
		return a.row(sheetLine{"probe", row})
	})
	if err == nil {
		err = a.row(sheetEnd{"summary", sh, bad})
	}
	return s.endRows(ctx, a, err)
}

// A sheetLine is one probe of a sheet; a sheetEnd ends them.
type sheetLine struct {
	Event string `json:"event"`
	semblance.SheetRow
}

type sheetEnd struct {
	Event string `json:"event"`
	semblance.Sheet
	Bad []semblance.BadLine `json:"bad_lines,omitempty"`
}

// row writes a line and sends it: the next may take a while.
func (a *answerer) row(v any) error {
	if h := a.c.Response().Header(); !a.c.Response().Committed {
		h.Set(echo.HeaderContentType, "application/x-ndjson")
		a.c.Response().WriteHeader(http.StatusOK)
	}
	b, err := line(v)
	if err == nil {
		_, err = a.out.Write(b)
	}
	if err == nil {
		err = a.flush()
	}
	return err
}

// endRows says what went wrong after the first line in a last one.
func (s *Server) endRows(ctx context.Context, a *answerer, err error) error {
	if err == nil || gone(ctx, err) && a.c.Response().Committed {
		return nil
	}
	if !a.c.Response().Committed {
		return err
	}
	return a.row(map[string]any{"problem": s.problem(ctx, err)})
}

// sheetProbes are the pictures of a request, or those its list names.
func sheetProbes(paths []string) ([]semblance.Probe, []semblance.BadLine, error) {
	at := slices.IndexFunc(paths, func(p string) bool { return strings.EqualFold(filepath.Base(p), probesList) })
	var probes []semblance.Probe
	if at < 0 {
		for _, p := range paths {
			probes = append(probes, probeOf(p))
		}
		return probes, nil, nil
	}
	f, err := os.Open(paths[at])
	if err != nil {
		return nil, nil, spoolError(err)
	}
	defer f.Close()
	lines, bad, err := semblance.ReadProbes(f)
	if err != nil {
		return nil, nil, err
	}
	for _, l := range lines {
		i := slices.IndexFunc(paths, func(p string) bool { return filepath.Base(p) == SafeName(l.Path) })
		p := semblance.Probe{Name: l.Path, Open: func() (*os.File, error) {
			return nil, semblance.Errorf(semblance.Invalid, "no picture of that name was sent")
		}}
		if i >= 0 {
			p = probeOf(paths[i])
		}
		p.Reference, p.Face = l.Reference, l.Face
		probes = append(probes, p)
	}
	return probes, bad, nil
}
