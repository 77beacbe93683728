package api

import (
	"bytes"
	"html"
	"io/fs"
	"net/http"
	"path"
	"regexp"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"semblance"
)

// openRoutes are those without a token: the page, which asks for one, whether the
// service is alive, what its routes are, and what its problems mean. /metrics needs
// a token.
func (s *Server) openRoutes() {
	s.opened("/", s.page("index.html", "text/html; charset=utf-8"))
	s.opened("/app.js", s.page("app.js", "text/javascript; charset=utf-8"))
	s.opened("/style.css", s.page("style.css", "text/css; charset=utf-8"))
	s.opened("/healthz", func(c echo.Context) error { return c.JSON(http.StatusOK, map[string]string{"status": "ok"}) })
	s.opened("/openapi.json", func(c echo.Context) error {
		return c.Blob(http.StatusOK, "application/openapi+json", s.openapi)
	})
	s.opened("/problems/:code", s.problemPage)
	s.raw(huma.Operation{OperationID: "metrics", Method: http.MethodGet, Path: "/metrics", Summary: "Counters for Prometheus", Tags: []string{"service"},
		Responses: answers("200", "Prometheus text format", "text/plain", stringSchema())},
		echo.WrapHandler(promhttp.HandlerFor(s.metrics.registry, promhttp.HandlerOpts{DisableCompression: true})))
}

// opened registers a route that needs no token.
func (s *Server) opened(route string, h echo.HandlerFunc) {
	s.open[route] = true
	s.echo.GET(route, h)
	s.echo.HEAD(route, h)
}

func (s *Server) page(name, contentType string) echo.HandlerFunc {
	return func(c echo.Context) error {
		b, err := fs.ReadFile(s.parts.Pages, name)
		if err != nil {
			return err
		}
		return c.Blob(http.StatusOK, contentType, b)
	}
}

// problemPage shows the page of a code, to people.
func (s *Server) problemPage(c echo.Context) error {
	code := semblance.Code(path.Base(c.Param("code")))
	if _, known := kindOf(code); !known {
		return semblance.Errorf(semblance.NotFound, "there is no problem of this code")
	}
	b, err := fs.ReadFile(s.parts.Problems, "problems/"+string(code)+".md")
	if err != nil {
		return err
	}
	return c.Blob(http.StatusOK, "text/html; charset=utf-8", markdown(string(code), b))
}

var (
	strong = regexp.MustCompile(`\*\*([^*]+)\*\*`)
	coded  = regexp.MustCompile("`([^`]+)`")
)

// markdown shows the little of it that the problem pages use: a heading, paragraphs,
// bold and code.
func markdown(title string, text []byte) []byte {
	var out bytes.Buffer
	out.WriteString("<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>" + html.EscapeString(title) + "</title><link rel=\"stylesheet\" href=\"/style.css\"><main class=\"text\">")
	for para := range strings.SplitSeq(strings.TrimSpace(string(text)), "\n\n") {
		s := coded.ReplaceAllString(strong.ReplaceAllString(html.EscapeString(para), "<strong>$1</strong>"), "<code>$1</code>")
		if h, ok := strings.CutPrefix(s, "# "); ok {
			out.WriteString("<h1>" + h + "</h1>")
			continue
		}
		out.WriteString("<p>" + s + "</p>")
	}
	out.WriteString("</main></html>\n")
	return out.Bytes()
}
