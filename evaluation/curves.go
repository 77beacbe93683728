package evaluation

import "math"

// Curves are the error rates at all thresholds, thinned to what a picture shows.
type Curves struct {
	Pairs    Curve   `json:"verification"` // FNMR over FMR
	Searches []Curve `json:"searches"`     // FNIR over FPIR, a curve for each size of gallery
}

// A Curve is one line of a DET plot: false negatives over false positives.
type Curve struct {
	Size   int     `json:"gallery,omitempty"`
	Points []Point `json:"points"`
}

// A Point is a threshold with its two error rates.
type Point struct {
	Distance float64 `json:"distance"`
	False    float64 `json:"false_positives"` // FMR, or FPIR
	Missed   float64 `json:"false_negatives"` // FNMR, or FNIR(N,50,T)
}

// An event is one comparison or search on the way up in distance.
type event struct {
	distance float64
	positive bool // a false positive from this distance on; else a miss that ends there
}

// curve walks through all thresholds. misses that never end are in lost.
func curve(events []event, lost int) []Point {
	var positives, hits, allPositives, allHits float64
	for _, e := range events {
		if e.positive {
			allPositives++
		} else {
			allHits++
		}
	}
	allHits += float64(lost)
	if allPositives == 0 || allHits == 0 {
		return []Point{}
	}
	var out []Point
	for i := 0; i < len(events); {
		d := events[i].distance
		for ; i < len(events) && events[i].distance == d; i++ {
			if events[i].positive {
				positives++
			} else {
				hits++
			}
		}
		out = append(out, Point{d, *six(positives / allPositives), *six(1 - hits/allHits)})
	}
	return thin(out)
}

// thin keeps the points that a picture can tell apart, on linear and on log axes.
func thin(points []Point) []Point {
	var out []Point
	cell := func(v float64) [2]int {
		return [2]int{int(math.Round(v * 200)), int(math.Round(20 * math.Log10(max(v, 1e-6))))}
	}
	for i, p := range points {
		if i > 0 && i < len(points)-1 {
			last := out[len(out)-1]
			if cell(p.False) == cell(last.False) && cell(p.Missed) == cell(last.Missed) {
				continue
			}
		}
		out = append(out, p)
	}
	return out
}

func pairCurve(sorted []pair) Curve {
	events := make([]event, len(sorted))
	for i, p := range sorted {
		events[i] = event{p.distance, p.a != p.b}
	}
	return Curve{Points: curve(events, 0)}
}

// curve merges the two sorted lists of searches.
func (g *cut) curve() Curve {
	var events []event
	lost, i, j := 0, 0, 0
	for i < len(g.non) || j < len(g.mated) {
		if j == len(g.mated) || i < len(g.non) && g.non[i].distance <= g.mated[j].distance {
			events = append(events, event{g.non[i].distance, true})
			i++
			continue
		}
		if g.mated[j].rank > longest {
			lost++
		} else {
			events = append(events, event{g.mated[j].distance, false})
		}
		j++
	}
	return Curve{Size: g.size, Points: curve(events, lost)}
}
