package evaluation

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"semblance"
)

// A LabelledPair is a line of a pairs file: two pictures, and whether they show one
// person.
type LabelledPair struct {
	Line int
	A, B string
	Same bool
}

// Bounds of a pairs file, far above what embedding that many pictures would take.
const (
	maxPairLines = 1_000_000
	maxPairBytes = 1 << 30
	maxBadLines  = 20 // shown
)

// ParsePairs reads a pairs file: path, path and "same" or "different" a line, parted by
// tabs or, as CSV, by commas. Empty lines and lines that begin with # are left out; the
// first may be a header whose third field is "label". The error is Invalid and names
// the lines that cannot be read: a part of a pairs file would measure something else.
func ParsePairs(r io.Reader) ([]LabelledPair, error) {
	in := bufio.NewReader(io.LimitReader(r, maxPairBytes))
	head, err := in.Peek(4096)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, bufio.ErrBufferFull) {
		return nil, semblance.Errorf(semblance.Invalid, "the pairs file cannot be read").WithCause(err)
	}
	if bom := []byte("\xef\xbb\xbf"); bytes.HasPrefix(head, bom) {
		_, _ = in.Discard(len(bom))
	}
	c := csv.NewReader(in)
	c.Comment, c.FieldsPerRecord, c.ReuseRecord = '#', -1, true
	if firstRecordHasTab(head) {
		c.Comma = '\t'
	}
	out, bad, err := readPairs(c)
	if err != nil {
		return nil, err
	}
	_, contradictions := personsOf(out)
	bad.lines, bad.n = append(bad.lines, contradictions.lines...), bad.n+contradictions.n
	if err := bad.err(); err != nil {
		return nil, err
	}
	if len(out) == 0 {
		return nil, semblance.Errorf(semblance.Invalid, "the pairs file has no pairs").WithHint(pairsHint)
	}
	return out, nil
}

// readPairs reads lines until the end and notes those that are wrong.
func readPairs(c *csv.Reader) (out []LabelledPair, bad badLines, err error) {
	for first := true; ; first = false {
		fields, err := c.Read()
		if errors.Is(err, io.EOF) {
			return out, bad, nil
		}
		var broken *csv.ParseError
		if errors.As(err, &broken) {
			bad.add(broken.StartLine, broken.Err.Error())
			continue
		}
		if err != nil {
			return nil, bad, semblance.Errorf(semblance.Invalid, "the pairs file cannot be read").WithCause(err)
		}
		line, _ := c.FieldPos(0)
		if first && len(fields) == 3 && strings.EqualFold(strings.TrimSpace(fields[2]), "label") {
			continue
		}
		p, why := parsePair(fields)
		if p.Line = line; why != "" {
			bad.add(line, why)
			continue
		}
		if out = append(out, p); len(out) > maxPairLines {
			return nil, bad, semblance.Errorf(semblance.Invalid, "the pairs file has more than %d pairs", maxPairLines)
		}
	}
}

const pairsHint = "Write a pair a line: path,path,same or path,path,different. Paths are relative to the pairs file."

func firstRecordHasTab(head []byte) bool {
	for line := range bytes.Lines(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf"))) {
		if line = bytes.TrimRight(line, "\r\n"); len(line) > 0 && line[0] != '#' {
			return bytes.IndexByte(line, '\t') >= 0
		}
	}
	return false
}

func parsePair(fields []string) (p LabelledPair, why string) {
	if len(fields) != 3 {
		return p, fmt.Sprintf("%d fields instead of 3", len(fields))
	}
	p.A, p.B = strings.TrimSpace(fields[0]), strings.TrimSpace(fields[1])
	switch label := strings.ToLower(strings.TrimSpace(fields[2])); {
	case p.A == "" || p.B == "":
		return p, "a path is empty"
	case strings.ContainsRune(p.A+p.B, 0):
		return p, "a path has a zero byte"
	case p.A == p.B:
		return p, fmt.Sprintf("%q is paired with itself", p.A)
	case label == "same":
		p.Same = true
	case label != "different":
		return p, fmt.Sprintf("the label is %q, not same or different", label)
	}
	return p, ""
}

// badLines collects what is wrong with a file, line by line.
type badLines struct {
	lines []string
	n     int
}

func (b *badLines) add(line int, why string) {
	if b.n++; len(b.lines) < maxBadLines {
		b.lines = append(b.lines, fmt.Sprintf("line %d: %s", line, why))
	}
}

func (b *badLines) err() error {
	if b.n == 0 {
		return nil
	}
	more := ""
	if b.n > len(b.lines) {
		more = fmt.Sprintf("; and %d more", b.n-len(b.lines))
	}
	return semblance.Errorf(semblance.Invalid, "%d lines of the pairs file are wrong: %s%s", b.n, strings.Join(b.lines, "; "), more).WithHint(pairsHint)
}

// personsOf gathers the pictures that "same" makes one person, and finds the lines that
// call two pictures of one person different. A person whose pictures no line connects
// counts as several.
func personsOf(pairs []LabelledPair) (person map[string]int, bad badLines) {
	parent := map[string]string{}
	find := func(s string) string {
		for parent[s] != s {
			parent[s] = parent[parent[s]]
			s = parent[s]
		}
		return s
	}
	for _, p := range pairs {
		for _, s := range [2]string{p.A, p.B} {
			if _, ok := parent[s]; !ok {
				parent[s] = s
			}
		}
		if a, b := find(p.A), find(p.B); p.Same && a != b {
			parent[max(a, b)] = min(a, b)
		}
	}
	person = map[string]int{}
	roots := map[string]int{}
	for _, s := range sortedKeys(parent) {
		root := find(s)
		if _, ok := roots[root]; !ok {
			roots[root] = len(roots)
		}
		person[s] = roots[root]
	}
	for _, p := range pairs {
		if !p.Same && person[p.A] == person[p.B] {
			bad.add(p.Line, fmt.Sprintf("%q and %q are different here, and one person by other lines", p.A, p.B))
		}
	}
	return person, bad
}

// MeasurePairs evaluates an engine on labelled pairs. vectors has the embedding of each
// picture that could be used; pairs with another one are left out. A pairs file says
// nothing of searches: galleries need a folder per person.
func MeasurePairs(labelled []LabelledPair, vectors map[string][]float32, spec semblance.EngineSpec) (Evaluation, error) {
	person, bad := personsOf(labelled)
	if err := bad.err(); err != nil {
		return Evaluation{}, err
	}
	var failures []Failure
	var used []Sample
	for _, name := range sortedKeys(person) {
		s := Sample{Person: fmt.Sprint(person[name]), Name: name, Vector: vectors[name]}
		if s.Vector == nil {
			failures = append(failures, Failure{s.Person, name})
			continue
		}
		used = append(used, s)
	}
	if err := check(used, spec); err != nil {
		return Evaluation{}, err
	}
	e := Evaluation{Pictures: len(person), Failure: failureToEnroll(used, failures), Sizes: []Gallery{}, Quality: []Bin{}, Copies: []Copy{}}
	pairs, copies, left := comparePairs(labelled, vectors, person, spec)
	e.Copies = copies
	persons := 0
	for _, n := range person {
		persons = max(persons, n+1)
	}
	e.Result = resultOf(pairs, persons)
	e.Persons, e.Samples = persons, len(used)
	e.Pairs, e.Curves = e.atFMR(persons), Curves{Pairs: pairCurve(e.sorted), Searches: []Curve{}}
	e.Notes = []string{"a pairs file says nothing of searches: FPIR and FNIR need a folder per person"}
	if left > 0 {
		e.Notes = append(e.Notes, fmt.Sprintf("%d pairs were not compared, because a picture of theirs could not be used", left))
	}
	if len(e.Copies) > 0 {
		e.Notes = append(e.Notes, fmt.Sprintf("%d pairs that are labelled different are one photograph: they are left out", len(e.Copies)))
	}
	return e, nil
}

// comparePairs compares each labelled pair once. left counts those with a picture that
// could not be used; pairs that are called different and are one photograph are copies.
func comparePairs(labelled []LabelledPair, vectors map[string][]float32, person map[string]int, spec semblance.EngineSpec) (pairs []pair, copies []Copy, left int) {
	copies = []Copy{}
	seen := map[[2]string]bool{}
	for _, l := range labelled {
		a, b := vectors[l.A], vectors[l.B]
		key := [2]string{min(l.A, l.B), max(l.A, l.B)}
		switch {
		case seen[key]:
			continue
		case a == nil || b == nil:
			left++
			continue
		}
		seen[key] = true
		d := semblance.RoundDistance(spec.Metric.Distance(a, b))
		if !l.Same && d <= spec.CopyDistance() {
			copies = append(copies, Copy{A: key[0], B: key[1], Distance: d})
			continue
		}
		pairs = append(pairs, pair{min(person[l.A], person[l.B]), max(person[l.A], person[l.B]), d})
	}
	slices.SortFunc(copies, compareCopies)
	return pairs, copies, left
}
