package evaluation

import (
	"fmt"
	"html/template"
	"math"
	"strings"
)

// A plot is one picture of curves.
type plot struct {
	title, x, y string
	log         bool       // both axes; else 0 to 1
	least       [2]float64 // where log axes end
	lines       []line
}

// A line is one curve of a plot.
type line struct {
	name   string
	points [][2]float64
}

// The size of a plot, and where its axes lie.
const (
	plotWidth, plotHeight            = 560, 400
	left, right, top, bottom         = 64, 150, 34, 48
	innerWidth, innerHeight  float64 = plotWidth - left - right, plotHeight - top - bottom
)

// strokes tell lines apart without color, too.
var strokes = [...][2]string{{"#0b62a4", ""}, {"#c44601", "7 3"}, {"#2a7f3e", "2 3"}, {"#7a3b9a", "9 3 2 3"}, {"#5c5c5c", "4 4"}, {"#a8174e", "1 2"}}

// svg draws the plot. Numbers are written with one decimal, so that the bytes are the
// same wherever it is drawn.
func (p plot) svg() template.HTML {
	var b strings.Builder
	esc := template.HTMLEscapeString
	fmt.Fprintf(&b, `<svg viewBox="0 0 %d %d" width="%d" height="%d" role="img" aria-label="%s" font-family="sans-serif" font-size="11">`, plotWidth, plotHeight, plotWidth, plotHeight, esc(p.title))
	fmt.Fprintf(&b, `<text x="%d" y="18" font-size="13" font-weight="bold">%s</text>`, left, esc(p.title))
	for _, v := range p.ticks(0) {
		x, _ := p.at(v, 1)
		fmt.Fprintf(&b, `<path d="M%.1f %d V%.1f" stroke="#d7dbe0"/><text x="%.1f" y="%.1f" text-anchor="middle">%g</text>`, x, top, top+innerHeight, x, top+innerHeight+15, v)
	}
	for _, v := range p.ticks(1) {
		_, y := p.at(1, v)
		fmt.Fprintf(&b, `<path d="M%d %.1f H%.1f" stroke="#d7dbe0"/><text x="%d" y="%.1f" text-anchor="end">%g</text>`, left, y, left+innerWidth, left-6, y+4, v)
	}
	fmt.Fprintf(&b, `<rect x="%d" y="%d" width="%.0f" height="%.0f" fill="none" stroke="#333"/>`, left, top, innerWidth, innerHeight)
	fmt.Fprintf(&b, `<text x="%.1f" y="%d" text-anchor="middle">%s</text>`, left+innerWidth/2, plotHeight-10, esc(p.x))
	fmt.Fprintf(&b, `<text transform="translate(14 %.1f) rotate(-90)" text-anchor="middle">%s</text>`, top+innerHeight/2, esc(p.y))
	for i, l := range p.lines {
		stroke := strokes[i%len(strokes)]
		fmt.Fprintf(&b, `<path d="%s" fill="none" stroke="%s" stroke-width="1.8" stroke-dasharray="%s"/>`, p.path(l), stroke[0], stroke[1])
		y := top + 12 + 18*i
		fmt.Fprintf(&b, `<path d="M%.1f %d h24" stroke="%s" stroke-width="1.8" stroke-dasharray="%s"/><text x="%.1f" y="%d">%s</text>`,
			left+innerWidth+10, y, stroke[0], stroke[1], left+innerWidth+38, y+4, esc(l.name))
	}
	b.WriteString(`</svg>`)
	return template.HTML(b.String()) //nolint:gosec // built here, what is foreign is escaped
}

// ticks are the numbers along an axis, 0 across and 1 up.
func (p plot) ticks(axis int) []float64 {
	if !p.log {
		return []float64{0, 0.2, 0.4, 0.6, 0.8, 1}
	}
	out := []float64{1}
	for v := 0.1; v >= p.least[axis]*0.99; v /= 10 {
		out = append(out, math.Round(v*1e9)/1e9)
	}
	return out
}

// at places a point.
func (p plot) at(x, y float64) (float64, float64) {
	if p.log {
		scale := func(v, least float64) float64 { return 1 - math.Log10(max(v, least))/math.Log10(least) }
		x, y = scale(x, p.least[0]), scale(y, p.least[1])
	}
	return left + x*innerWidth, top + (1-y)*innerHeight
}

// path is a staircase: between two thresholds nothing changes.
func (p plot) path(l line) string {
	var b strings.Builder
	for i, pt := range l.points {
		x, y := p.at(pt[0], pt[1])
		if i == 0 {
			fmt.Fprintf(&b, "M%.1f %.1f", x, y)
			continue
		}
		fmt.Fprintf(&b, "H%.1fV%.1f", x, y)
	}
	return b.String()
}

// decade is the power of ten at or below the smallest rate that can be read off.
func decade(trials int) float64 {
	return math.Pow(10, math.Floor(math.Log10(1/float64(max(trials, 10)))))
}

// roc is the share of mated pairs found over that of non-mated pairs let through.
func (e *Evaluation) roc() plot {
	l := line{name: "pairs", points: [][2]float64{{0, 0}}}
	for _, p := range e.Curves.Pairs.Points {
		l.points = append(l.points, [2]float64{p.False, 1 - p.Missed})
	}
	return plot{title: "ROC: pairs", x: "false match rate (FMR)", y: "true match rate (1 - FNMR)", lines: []line{l}}
}

func detLine(name string, c Curve) line {
	l := line{name: name}
	for _, p := range c.Points {
		l.points = append(l.points, [2]float64{p.False, p.Missed})
	}
	return l
}

// det is the same as error rates on log axes.
func (e *Evaluation) det() plot {
	return plot{title: "DET: pairs", x: "false match rate (FMR)", y: "false non-match rate (FNMR)", log: true,
		least: [2]float64{decade(min(e.NonMated, 1_000_000)), decade(e.Mated)}, lines: []line{detLine("pairs", e.Curves.Pairs)}}
}

// detSearches has a line for each size of gallery.
func (e *Evaluation) detSearches() plot {
	p := plot{title: "DET: searches", x: "FPIR(N,T)", y: "FNIR(N,50,T)", log: true, least: [2]float64{0.1, 0.1}}
	for i, c := range e.Curves.Searches {
		if len(c.Points) == 0 {
			continue
		}
		p.least = [2]float64{min(p.least[0], decade(e.Sizes[i].NonMated)), min(p.least[1], decade(e.Sizes[i].Mated))}
		p.lines = append(p.lines, detLine(fmt.Sprintf("N = %d", c.Size), c))
	}
	return p
}
