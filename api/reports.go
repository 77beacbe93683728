package api

import (
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/labstack/echo/v4"

	"semblance"
)

func (s *Server) reportRoutes() {
	r := answers("200", "The report", "text/html", stringSchema())
	r["200"].Content["application/x-ndjson"] = &huma.MediaType{Schema: stringSchema()}
	r["200"].Content["application/zip"] = &huma.MediaType{Schema: stringSchema()}
	r["200"].Content["application/pdf"] = &huma.MediaType{Schema: stringSchema()}
	s.raw(huma.Operation{OperationID: "report", Method: http.MethodGet, Path: "/v1/cases/{number}/report", Summary: "Write a case's report: numbers and hashes, never pixels", Tags: []string{"reports"},
		Description: "The export is audited before its first byte.",
		Parameters:  []*huma.Param{inPath("number", "Number of the case"), inQuery("format", "string", "html (the default), csv (a ZIP of tables), jsonl or pdf", false)}, Responses: r}, s.report)
}

func (s *Server) report(c echo.Context) error {
	format := c.QueryParam("format")
	if format == "" {
		format = "html"
	}
	types := map[string]string{"html": "text/html; charset=utf-8", "jsonl": "application/x-ndjson", "csv": "application/zip", "pdf": "application/pdf"}
	contentType, known := types[format]
	if !known {
		return semblance.Errorf(semblance.Invalid, "format in the query is no report format of this version").WithHint("The formats are html, csv, jsonl and pdf.")
	}
	ctx := c.Request().Context()
	w := &lateWriter{c: c, contentType: contentType, name: "report." + format}
	if format == "csv" {
		w.name = "report.zip"
	}
	if err := s.parts.Report(ctx, w, format, c.Param("number"), who(ctx)); err != nil {
		if w.begun { // what came so far is not whole: the connection is cut, so that it is not taken for it
			s.cut(c, err)
			return nil
		}
		return err
	}
	w.begin()
	return nil
}

// cut logs an error and closes the connection under an answer that has begun.
func (s *Server) cut(c echo.Context, err error) {
	s.parts.Log.Error("an answer was cut off", "request", requestIDOf(c.Request().Context()), "cause", causes(err))
	if conn, _, herr := http.NewResponseController(c.Response()).Hijack(); herr == nil {
		_ = conn.Close()
	}
}

// A lateWriter sends the headers with the first byte.
type lateWriter struct {
	c           echo.Context
	contentType string
	name        string
	begun       bool
}

func (w *lateWriter) begin() {
	if w.begun {
		return
	}
	w.begun = true
	h := w.c.Response().Header()
	h.Set(echo.HeaderContentType, w.contentType)
	h.Set(echo.HeaderContentDisposition, `attachment; filename="`+w.name+`"`)
	w.c.Response().WriteHeader(http.StatusOK)
}

// Write implements io.Writer.
func (w *lateWriter) Write(p []byte) (int, error) {
	w.begin()
	return w.c.Response().Write(p)
}
