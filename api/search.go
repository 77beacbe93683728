package api

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/labstack/echo/v4"

	"semblance"
)

func (s *Server) searchRoutes() {
	tags := []string{"search"}
	s.raw(huma.Operation{OperationID: "search", Method: http.MethodPost, Path: "/v1/cases/{number}/searches", Summary: "Search the faces of a picture in faces collections", Tags: tags,
		Description: "The picture is not kept; the request and its answer are, and are audited. Candidates are leads for a trained examiner, never identifications; no candidate is an answer too. " +
			"margin is the distance to the next subject's minus this one, over all collections searched; absent when there is none or it is not certain. " +
			"references counts the subject's references within the threshold; captured and age_at_capture are the reference's, where they are known.",
		Parameters: append([]*huma.Param{inPath("number", "Number of the case"), inQuery("against", "string", "Faces collections, with commas, all of one engine", true),
			inQuery("face", "string", "Only these faces, from 0: 1 or 0,2", false),
			inQuery("together", "boolean", "A potential candidate only when every chosen face has one", false), inQuery("name", "string", "What the picture is called", false)}, termParams()...),
		RequestBody: fileBody("One picture"), Responses: answers("200", "Faces with crops, and candidates", "application/json", s.schemaOf(semblance.SearchResult{}))}, s.search)
	s.probeRoutes()
	s.raw(huma.Operation{OperationID: "lookup", Method: http.MethodPost, Path: "/v1/cases/{number}/lookups", Summary: "Look hashes and selectors up, one a line, any number", Tags: tags,
		Description: "Answers stream while hashes are still being sent, in their order, up to 1024 lines behind. A line in no collection has an answer without collection; one in several has several. " +
			"The trailers Semblance-Lines, Semblance-Found, Semblance-Bad and Semblance-Complete tell whether the answer is whole.",
		Parameters: []*huma.Param{inPath("number", "Number of the case"), inQuery("against", "string", "Hashes, known-good and selectors collections, with commas", true),
			inQuery("format", "string", "What 64 or 16 bare digits are: sha256 (the default), pdq, phash, dhash, ahash", false)},
		RequestBody: linesBody("md5, sha1, sha256, pdq:HEX, phone:..., email:..., user:..., url:..., onion:..., wallet:... and the like, one a line"),
		Responses:   answers("200", "One line of JSON for each answer", "application/x-ndjson", s.schemaOf(semblance.LookupResult{}))}, s.lookup)
}

// search searches one picture.
func (s *Server) search(c echo.Context) error {
	r, err := searchOf(c)
	if err != nil {
		return err
	}
	if r.Faces, err = faceList(c); err != nil {
		return err
	}
	ctx := c.Request().Context()
	if err := s.searchable(ctx, r); err != nil {
		return err
	}
	f, name, err := s.parts.Spool.One(c.Request(), s.opts.MediaBytes)
	if err != nil {
		return err
	}
	defer f.Close()
	if name != "" && c.QueryParam("name") == "" {
		r.Name = name
	}
	r.File = f
	res, err := s.parts.Searcher.Search(ctx, who(ctx), r)
	if err != nil {
		return err
	}
	res.Request.Candidates, res.Faces = some(res.Request.Candidates), some(res.Faces)
	return c.JSON(http.StatusOK, res)
}

// termParams are the query's part of a search besides its faces.
func termParams() []*huma.Param {
	return []*huma.Param{inQuery("top", "integer", "Candidates of a face", false),
		inQuery("distance", "number", "Largest distance, instead of the collections' own; audited", false),
		inQuery("country", "string", "Of the collections named, only those of these countries, with commas", false),
		inQuery("captured_from", "string", "References captured then or later: YYYY, YYYY-MM or YYYY-MM-DD", false),
		inQuery("captured_to", "string", "References captured then or earlier; all of a year or month belongs to it", false),
		inQuery("undated", "string", "With a date: include (the default) or exclude references of unknown date", false),
		inQuery("rerank", "string", "Another engine that ranks the candidates again, from the kept originals", false),
		inQuery("min_face", "integer", minFaceHelp, false), inQuery("min_score", "number", minScoreHelp, false)}
}

// searchOf reads a search from the query.
func searchOf(c echo.Context) (r semblance.SearchRequest, err error) {
	r = semblance.SearchRequest{Case: c.Param("number"), Collections: names(c, "against"), Name: SafeName(c.QueryParam("name"))}
	r.Countries, r.From, r.To, r.Rerank = names(c, "country"), c.QueryParam("captured_from"), c.QueryParam("captured_to"), semblance.EngineName(c.QueryParam("rerank"))
	top, err := whole(c, "top")
	if err != nil {
		return r, err
	}
	if top != nil {
		r.Top = min(*top, 1000)
	}
	if r.Distance, err = number(c, "distance"); err != nil {
		return r, err
	}
	if r.Detection, err = detection(c); err != nil {
		return r, err
	}
	switch v := c.QueryParam("undated"); v {
	case "", "include":
	case "exclude":
		r.Dated = true
	default:
		return r, semblance.Errorf(semblance.Invalid, "the query's undated is %q, not include or exclude", v)
	}
	switch v := c.QueryParam("together"); v {
	case "", "false":
	case "true":
		r.Together = true
	default:
		return r, semblance.Errorf(semblance.Invalid, "the query's together is %q, not true or false", v)
	}
	return r, nil
}

// faceList reads the faces of a search; none is every one.
func faceList(c echo.Context) ([]int, error) {
	var out []int
	for _, text := range names(c, "face") {
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 {
			return nil, semblance.Errorf(semblance.Invalid, "the query's face is %q, not a list of whole numbers", c.QueryParam("face")).WithHint("Name faces from 0, with commas: face=0,2.")
		}
		out = append(out, n)
	}
	return out, nil
}

// searchable says what is wrong with a search before its picture is taken.
func (s *Server) searchable(ctx context.Context, r semblance.SearchRequest) error {
	if _, err := s.parts.Cases.Case(ctx, r.Case); err != nil {
		return err
	}
	if err := against(r.Collections); err != nil {
		return err
	}
	for _, n := range r.Collections {
		if _, err := s.parts.Collections.Collection(ctx, n); err != nil {
			return err
		}
	}
	return nil
}

func against(names []string) error {
	if len(names) == 0 {
		return semblance.Errorf(semblance.Invalid, "no collection was named to compare with").WithHint("Name one or more in the query: against=NAME,NAME.")
	}
	return nil
}

// lookup answers hashes while they come.
func (s *Server) lookup(c echo.Context) error {
	def, err := algorithm(c)
	if err != nil {
		return err
	}
	r := semblance.LookupRequest{Case: c.Param("number"), Collections: names(c, "against"), Default: def}
	if err := against(r.Collections); err != nil {
		return err
	}
	ctx := c.Request().Context()
	a := newAnswerer(c)
	rc := http.NewResponseController(c.Response())
	_ = rc.EnableFullDuplex() // else HTTP/1 reads the whole body before it answers; HTTP/2 needs nothing
	in := newReadAhead(c.Request().Body)
	defer in.close(func() { _ = rc.SetReadDeadline(time.Now()) })
	sum, err := s.parts.Searcher.Lookup(ctx, who(ctx), r, a.next(in), a.emit)
	s.metrics.lookups.Add(float64(sum.Lines))
	return s.finish(c, a, sum, err)
}

// An answerer writes NDJSON. The headers go with the first answer, so that what is
// wrong before it can still be told by its status.
type answerer struct {
	c   echo.Context
	out *bufio.Writer
}

func newAnswerer(c echo.Context) *answerer {
	a := &answerer{c: c}
	a.out = bufio.NewWriterSize(c.Response(), 32<<10)
	return a
}

// trailers of a lookup.
const (
	trailerLines    = "Semblance-Lines"
	trailerFound    = "Semblance-Found"
	trailerBad      = "Semblance-Bad"
	trailerComplete = "Semblance-Complete"
)

// begin sends the headers.
func (a *answerer) begin() {
	if a.c.Response().Committed {
		return
	}
	h := a.c.Response().Header()
	h.Set(echo.HeaderContentType, "application/x-ndjson")
	h.Set("Trailer", strings.Join([]string{trailerLines, trailerFound, trailerBad, trailerComplete}, ", "))
	a.c.Response().WriteHeader(http.StatusOK)
}

// next reads lines. What was answered so far is sent before more is read: a caller
// that waits for answers gets them, and one that does not read stops us here.
func (a *answerer) next(body io.Reader) func() (string, error) {
	in := bufio.NewReaderSize(body, 64<<10)
	return func() (string, error) {
		if a.out.Buffered() > 0 {
			if err := a.flush(); err != nil {
				return "", err
			}
		}
		text, err := readLine(in)
		if err != nil && !errors.Is(err, io.EOF) {
			err = bodyError(err)
		}
		return text, err
	}
}

// readLine reads a line of up to 64 KiB; a longer one is cut there and is no hash.
func readLine(in *bufio.Reader) (string, error) {
	b, err := in.ReadSlice('\n')
	text := strings.TrimRight(string(b), "\r\n")
	for errors.Is(err, bufio.ErrBufferFull) {
		_, err = in.ReadSlice('\n')
	}
	if errors.Is(err, io.EOF) && len(b) > 0 {
		err = nil
	}
	return text, err
}

func (a *answerer) flush() error {
	if err := a.out.Flush(); err != nil {
		return err
	}
	return http.NewResponseController(a.c.Response()).Flush()
}

func (a *answerer) emit(l semblance.LookupResult) error {
	a.begin()
	b, err := line(l)
	if err == nil {
		_, err = a.out.Write(b)
	}
	return err
}

// finish ends an answer. What goes wrong after the first line is its last line, and
// the trailer says that it is not whole.
func (s *Server) finish(c echo.Context, a *answerer, sum semblance.LookupSummary, err error) error {
	ctx := c.Request().Context()
	if err != nil && !c.Response().Committed {
		return err
	}
	if gone(ctx, err) {
		return nil
	}
	a.begin()
	complete := err == nil
	if err != nil {
		if b, lerr := line(map[string]any{"problem": s.problem(ctx, err)}); lerr == nil {
			_, _ = a.out.Write(b)
		}
	}
	h := c.Response().Header()
	h.Set(trailerLines, strconv.Itoa(sum.Lines))
	h.Set(trailerFound, strconv.Itoa(sum.Found))
	h.Set(trailerBad, strconv.Itoa(sum.Bad))
	h.Set(trailerComplete, strconv.FormatBool(complete))
	return a.flush()
}
