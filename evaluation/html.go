package evaluation

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"

	"semblance"
)

//go:embed page.html
var pageText string

// four writes a number, or one that is pointed to, as people read it.
func four(v any) string {
	if p, ok := v.(*float64); ok {
		v = *p
	}
	return fmt.Sprintf("%.4f", v)
}

// A Page is what WriteHTML writes besides the numbers.
type Page struct {
	Program string // name and version
	Source  string // what was measured with, as it was given
	Engine  semblance.EngineSpec
	Unused  []Unused
	Evaluation
}

// An Unused is a picture that could not be used, with the reason.
type Unused struct {
	Path   string `json:"path"`
	Reason string `json:"reason"`
}

// shownUnused is how many of them a page lists.
const shownUnused = 200

// WriteHTML writes one self-contained page: tables, curves as SVG, and what was not
// measurable. It has no date, so that the same pictures give the same bytes.
func WriteHTML(w io.Writer, p Page) error {
	t, err := template.New("page").Funcs(template.FuncMap{"four": four}).Parse(pageText)
	if err != nil {
		return err
	}
	view := struct {
		Page
		ROC, DET, Searches template.HTML
		More               int
	}{Page: p}
	if len(p.Curves.Pairs.Points) > 0 {
		view.ROC, view.DET = p.roc().svg(), p.det().svg()
	}
	if plot := p.detSearches(); len(plot.lines) > 0 {
		view.Searches = plot.svg()
	}
	if n := len(p.Unused); n > shownUnused {
		view.More, view.Unused = n-shownUnused, p.Unused[:shownUnused]
	}
	return t.Execute(w, view)
}
