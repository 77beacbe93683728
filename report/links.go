package report

import (
	"bufio"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"semblance"
)

// A LinkGraph is what exhibits share, as nodes and edges: a node for each exhibit and for
// each shared thing, an edge from a thing to each exhibit that has it.
type LinkGraph struct {
	Nodes []LinkNode `json:"nodes"`
	Edges []LinkEdge `json:"edges"`
	Total int        `json:"total"` // links; fewer may be told
	Told  int        `json:"told"`
	Notes []string   `json:"notes,omitempty"` // what was not compared
}

// A LinkNode is an exhibit or a shared thing.
type LinkNode struct {
	ID        string                  `json:"id"`
	Kind      string                  `json:"kind"` // "exhibit", or that of the link
	Label     string                  `json:"label"`
	Case      string                  `json:"case,omitempty"`
	Country   string                  `json:"country,omitempty"`
	Value     string                  `json:"value,omitempty"`
	Exhibits  int                     `json:"exhibits,omitempty"`
	Distance  *int                    `json:"distance,omitempty"`
	Transform string                  `json:"transform,omitempty"`
	Pair      []semblance.LinkedMedia `json:"pair,omitempty"`
	Second    *float64                `json:"second,omitempty"`
	Overlap   *semblance.LinkOverlap  `json:"overlap,omitempty"`
	FirstSeen string                  `json:"first_seen_on,omitempty"` // id of the exhibit
}

// A LinkEdge says that an exhibit has a thing.
type LinkEdge struct {
	Source  string `json:"source"` // the thing
	Target  string `json:"target"` // the exhibit
	Items   int64  `json:"items"`
	First   string `json:"first,omitempty"` // RFC 3339, UTC
	Path    string `json:"path"`
	Deleted bool   `json:"deleted,omitempty"`
	Carved  bool   `json:"carved,omitempty"`
}

// NewLinkGraph makes a graph of the links; ids are the same for the same links.
func NewLinkGraph(l semblance.Links) LinkGraph {
	g := LinkGraph{Nodes: []LinkNode{}, Edges: []LinkEdge{}, Total: l.Total, Told: len(l.Links), Notes: l.Notes}
	exhibits := map[string]string{}
	for _, x := range l.Links {
		for _, e := range x.Exhibits {
			key := e.Case + "\x00" + e.Exhibit
			if exhibits[key] == "" {
				exhibits[key] = "x" + strconv.Itoa(len(exhibits)+1)
				g.Nodes = append(g.Nodes, LinkNode{ID: exhibits[key], Kind: "exhibit", Label: e.Exhibit, Case: e.Case, Country: e.Country})
			}
		}
	}
	for i, x := range l.Links {
		n := LinkNode{ID: "s" + strconv.Itoa(i+1), Kind: string(x.Kind), Label: x.Label, Value: x.Value, Exhibits: len(x.Exhibits), Distance: x.Distance, Transform: x.Transform, Pair: x.Pair, Second: x.Second, Overlap: x.Overlap}
		for j, e := range x.Exhibits {
			id := exhibits[e.Case+"\x00"+e.Exhibit]
			edge := LinkEdge{Source: n.ID, Target: id, Items: e.Items, Path: e.Path, Deleted: e.Deleted, Carved: e.Carved}
			if e.Time != nil {
				edge.First = e.Time.Format(time.RFC3339)
			}
			if x.First != nil && *x.First == j {
				n.FirstSeen = id
			}
			g.Edges = append(g.Edges, edge)
		}
		g.Nodes = append(g.Nodes, n)
	}
	return g
}

// WriteJSON writes the graph as one JSON object.
func (g LinkGraph) WriteJSON(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(g)
}

// WriteGraphML writes the graph as GraphML (http://graphml.graphdrawing.org), which Gephi,
// yEd, Cytoscape and Maltego read.
func (g LinkGraph) WriteGraphML(w io.Writer) error {
	out := bufio.NewWriter(w)
	fmt.Fprint(out, xml.Header+`<graphml xmlns="http://graphml.graphdrawing.org/xmlns">`+"\n")
	for _, k := range []string{"kind", "label", "case", "country", "value", "first_seen_on", "transform"} {
		fmt.Fprintf(out, "  <key id=%q for=\"node\" attr.name=%q attr.type=\"string\"/>\n", k, k)
	}
	fmt.Fprint(out, `  <key id="exhibits" for="node" attr.name="exhibits" attr.type="int"/>
  <key id="distance" for="node" attr.name="distance" attr.type="int"/>
  <key id="second" for="node" attr.name="second" attr.type="double"/>
  <key id="seconds" for="node" attr.name="seconds" attr.type="double"/>
  <key id="percent" for="node" attr.name="percent" attr.type="double"/>
  <key id="uncertain" for="node" attr.name="uncertain" attr.type="boolean"/>
  <key id="items" for="edge" attr.name="items" attr.type="long"/>
  <key id="first" for="edge" attr.name="first" attr.type="string"/>
  <key id="path" for="edge" attr.name="path" attr.type="string"/>
  <key id="state" for="edge" attr.name="state" attr.type="string"/>
  <key id="notes" for="graph" attr.name="notes" attr.type="string"/>
  <graph id="links" edgedefault="undirected">
`)
	if len(g.Notes) > 0 {
		fmt.Fprint(out, "    ")
		data(out, "notes", strings.Join(g.Notes, "\n"))
		fmt.Fprintln(out)
	}
	for _, n := range g.Nodes {
		fmt.Fprintf(out, "    <node id=%q>", n.ID)
		data(out, "kind", n.Kind)
		data(out, "label", n.Label)
		data(out, "case", n.Case)
		data(out, "country", n.Country)
		data(out, "value", n.Value)
		data(out, "first_seen_on", n.FirstSeen)
		transform := n.Transform
		if n.Overlap != nil && n.Overlap.Mirrored {
			transform = "mirrored"
		}
		data(out, "transform", transform)
		if n.Exhibits > 0 {
			data(out, "exhibits", strconv.Itoa(n.Exhibits))
		}
		if n.Distance != nil {
			data(out, "distance", strconv.Itoa(*n.Distance))
		}
		if n.Second != nil {
			data(out, "second", strconv.FormatFloat(*n.Second, 'f', -1, 64))
		}
		if o := n.Overlap; o != nil {
			data(out, "seconds", strconv.FormatFloat(o.Seconds, 'f', -1, 64))
			data(out, "percent", strconv.FormatFloat(o.FirstPercent, 'f', -1, 64))
			if o.Uncertain {
				data(out, "uncertain", "true")
			}
		}
		fmt.Fprint(out, "</node>\n")
	}
	for i, e := range g.Edges {
		fmt.Fprintf(out, "    <edge id=\"e%d\" source=%q target=%q>", i+1, e.Source, e.Target)
		data(out, "items", strconv.FormatInt(e.Items, 10))
		data(out, "first", e.First)
		data(out, "path", e.Path)
		switch {
		case e.Carved:
			data(out, "state", "carved")
		case e.Deleted:
			data(out, "state", "deleted")
		}
		fmt.Fprint(out, "</edge>\n")
	}
	fmt.Fprint(out, "  </graph>\n</graphml>\n")
	return out.Flush()
}

func data(w io.Writer, key, text string) {
	if text == "" {
		return
	}
	fmt.Fprintf(w, "<data key=%q>", key)
	_ = xml.EscapeText(w, []byte(text)) // a bufio.Writer keeps its error
	fmt.Fprint(w, "</data>")
}
