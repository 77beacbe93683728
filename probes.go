package semblance

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A ProbeLine is one line of a list of probes.
type ProbeLine struct {
	Line      int    // in the list, from 1
	Path      string // as written; relative to the list
	Reference string // the officer's own, unique in the list
	Face      *int   // which one, where the picture has several
}

// Bounds of a list of probes.
const (
	MaxProbes     = 100_000
	maxProbesText = 64 << 20
)

// ReadProbes reads a list of probes: CSV with a line of column names, of which path
// and reference are needed and face may be there; further columns are left alone.
// Columns end at commas or, as some spreadsheets write, semicolons. Lines that
// cannot be meant come back with the reason; the error is about the whole list.
func ReadProbes(r io.Reader) ([]ProbeLine, []BadLine, error) {
	bounded := &io.LimitedReader{R: r, N: maxProbesText + 1}
	in := bufio.NewReader(bounded)
	head, err := in.Peek(3)
	if err == nil && bytes.Equal(head, []byte("\xef\xbb\xbf")) {
		_, _ = in.Discard(3) // the mark with which spreadsheets begin UTF-8
	}
	first, _ := in.Peek(4096)
	rows := csv.NewReader(in)
	rows.FieldsPerRecord, rows.TrimLeadingSpace = -1, true
	line, _, _ := bytes.Cut(first, []byte("\n"))
	if bytes.Count(line, []byte(";")) > bytes.Count(line, []byte(",")) {
		rows.Comma = ';'
	}
	l := probeList{references: map[string]int{}}
	if err := l.columns(rows); err != nil {
		return nil, nil, err
	}
	for {
		row, err := rows.Read()
		var pe *csv.ParseError
		switch {
		case errors.Is(err, io.EOF) && bounded.N > 0:
			return l.probes, l.bad, nil
		case bounded.N <= 0 || len(l.probes)+len(l.bad) == MaxProbes:
			return nil, nil, Errorf(Invalid, "the list has more than %d probes or %d bytes", MaxProbes, maxProbesText).WithHint("Split it.")
		case errors.As(err, &pe):
			l.bad = append(l.bad, notCSV(pe))
		case err != nil:
			return nil, nil, Errorf(Invalid, "the list of probes cannot be read").WithCause(err)
		default:
			at, _ := rows.FieldPos(0)
			l.add(at, row)
		}
	}
}

// notCSV says what is wrong with a line. A quote that is not closed takes the lines
// after it along, and that has to be said.
func notCSV(pe *csv.ParseError) BadLine {
	why := "it is not CSV: " + pe.Err.Error()
	if pe.Line > pe.StartLine {
		why += fmt.Sprintf(", and with it nothing up to line %d could be read", pe.Line)
	}
	return BadLine{Line: pe.StartLine, Reason: why}
}

// A probeList is a list of probes as it is read.
type probeList struct {
	path, reference, face int // columns
	references            map[string]int
	probes                []ProbeLine
	bad                   []BadLine
}

func (l *probeList) columns(rows *csv.Reader) error {
	names, err := rows.Read()
	if err != nil {
		return Errorf(Invalid, "the list of probes has no line with the names of its columns").WithHint("Its first line is path,reference or path,reference,face.").WithCause(err)
	}
	for i := range names {
		names[i] = strings.ToLower(strings.TrimSpace(names[i]))
	}
	l.path, l.reference, l.face = slices.Index(names, "path"), slices.Index(names, "reference"), slices.Index(names, "face")
	var missing []string
	for _, c := range []struct {
		name string
		at   int
	}{{"path", l.path}, {"reference", l.reference}} {
		if c.at < 0 {
			missing = append(missing, c.name)
		}
	}
	if len(missing) > 0 {
		return Errorf(Invalid, "the list of probes has no column %s", strings.Join(missing, " and none ")).
			WithHint("Its first line names the columns: path,reference or path,reference,face.")
	}
	return nil
}

// add takes a line, or notes why it cannot.
func (l *probeList) add(line int, row []string) {
	cell := func(i int) string {
		if i < 0 || i >= len(row) {
			return ""
		}
		return strings.TrimSpace(row[i])
	}
	p := ProbeLine{Line: line, Path: cell(l.path), Reference: cell(l.reference)}
	why := ""
	switch earlier, taken := l.references[p.Reference]; {
	case !utf8.ValidString(strings.Join(row, "")):
		why = "it is not UTF-8; save the list as CSV UTF-8"
	case strings.ContainsRune(p.Path, 0):
		why = "its path has a character that no path has"
	case p.Path == "":
		why = "it has no path"
	case p.Reference == "":
		why = "it has no reference: the sheet could not say whose answer a row is"
	case taken:
		why = fmt.Sprintf("its reference %q is that of line %d already; give each probe its own, or fuse pictures of one person", p.Reference, earlier)
	}
	if text := cell(l.face); why == "" && text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 {
			why = fmt.Sprintf("its face %q is not a number from 0", text)
		}
		p.Face = &n
	}
	if why != "" {
		l.bad = append(l.bad, BadLine{Line: line, Text: p.Reference, Reason: why})
		return
	}
	l.references[p.Reference] = line
	l.probes = append(l.probes, p)
}
