package main

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"semblance"
)

// A detailsFile is what is stated of pictures that are enrolled, from a CSV file with a
// head: a row a picture, found by its path.
type detailsFile struct {
	rows []detail
	used map[string]bool // by file
}

// A detail is one row.
type detail struct {
	line int
	file string // absolute
	detailFields
}

// detailFields are what a row can state.
type detailFields struct {
	path, subject, captured, born, age, note string
}

// detailColumns names the columns; path is needed.
const detailColumns = "path, subject, captured, born, age, note"

func (d *detailFields) column(name string) *string {
	switch name {
	case "path":
		return &d.path
	case "subject":
		return &d.subject
	case "captured":
		return &d.captured
	case "born":
		return &d.born
	case "age":
		return &d.age
	case "note":
		return &d.note
	}
	return nil
}

// openDetails reads the file; the paths in it begin in its folder.
func (e *env) openDetails(name string) (*detailsFile, error) {
	f, err := e.open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	rows, err := parseDetails(f)
	if err != nil {
		return nil, err
	}
	dir, err := filepath.EvalSymlinks(filepath.Dir(e.path(name)))
	if err != nil {
		return nil, err
	}
	seen := map[string]int{}
	for i := range rows {
		r := &rows[i]
		if r.file = filepath.FromSlash(r.path); !filepath.IsAbs(r.file) {
			r.file = filepath.Join(dir, r.file)
		}
		if real, err := filepath.EvalSymlinks(r.file); err == nil {
			r.file = real
		}
		if first, ok := seen[r.file]; ok {
			return nil, semblance.Errorf(semblance.Invalid, "lines %d and %d of %q are about the same picture, %q", first, r.line, name, r.path)
		}
		seen[r.file] = r.line
	}
	return &detailsFile{rows: rows, used: map[string]bool{}}, nil
}

// parseDetails reads rows. Separators are commas, or semicolons, as spreadsheets of
// half of Europe write them.
func parseDetails(in io.Reader) ([]detail, error) {
	buffered := bufio.NewReader(in)
	if mark, _ := buffered.Peek(3); bytes.Equal(mark, []byte("\xef\xbb\xbf")) {
		_, _ = buffered.Discard(3)
	}
	start, _ := buffered.Peek(1024)
	head, _, _ := bytes.Cut(start, []byte("\n"))
	r := csv.NewReader(buffered)
	if bytes.IndexByte(head, ',') < 0 && bytes.IndexByte(head, ';') >= 0 {
		r.Comma = ';'
	}
	names, err := r.Read()
	if err != nil {
		return nil, badDetails(err)
	}
	for i := range names {
		names[i] = strings.ToLower(strings.TrimSpace(names[i]))
		if new(detailFields).column(names[i]) == nil || slices.Contains(names[:i], names[i]) {
			return nil, semblance.Errorf(semblance.Invalid, "column %q of the details is not known, or there twice", names[i]).WithHint("Columns are %s; path is needed.", detailColumns)
		}
	}
	if !slices.Contains(names, "path") {
		return nil, semblance.Errorf(semblance.Invalid, "the details have no column path").WithHint("The first line names the columns: %s.", detailColumns)
	}
	var rows []detail
	for {
		cells, err := r.Read()
		if errors.Is(err, io.EOF) {
			return rows, nil
		}
		if err != nil {
			return nil, badDetails(err)
		}
		var d detail
		d.line, _ = r.FieldPos(0)
		for i, name := range names {
			*d.column(name) = strings.TrimSpace(cells[i])
		}
		if d.path == "" {
			return nil, semblance.Errorf(semblance.Invalid, "line %d of the details names no picture", d.line)
		}
		rows = append(rows, d)
	}
}

func badDetails(err error) error {
	if errors.Is(err, io.EOF) {
		return semblance.Errorf(semblance.Invalid, "the details are empty").WithHint("The first line names the columns: %s.", detailColumns)
	}
	if p, ok := errors.AsType[*csv.ParseError](err); ok {
		return semblance.Errorf(semblance.Invalid, "the details cannot be read at line %d: %v", p.Line, p.Err).WithHint("It is a CSV file with the columns %s.", detailColumns)
	}
	return err
}

// of returns what is stated of a file, nil when nothing is.
func (d *detailsFile) of(file string) *detail {
	if d == nil {
		return nil
	}
	for i := range d.rows {
		if d.rows[i].file == file {
			d.used[file] = true
			return &d.rows[i]
		}
	}
	return nil
}

// unused lists the rows whose picture did not come.
func (d *detailsFile) unused() []detail {
	if d == nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(d.rows), func(r detail) bool { return d.used[r.file] })
}

// apply states what a row does in a request; what the command line states of all
// pictures stands where the row says nothing.
func (d *detail) apply(r *semblance.EnrollRequest) error {
	for _, f := range []struct {
		from string
		to   *string
	}{{d.captured, &r.Captured}, {d.born, &r.Born}, {d.note, &r.Note}} {
		if f.from != "" {
			*f.to = f.from
		}
	}
	if d.age != "" {
		n, err := strconv.Atoi(d.age)
		if err != nil {
			return semblance.Errorf(semblance.Invalid, "line %d of the details: age %q is not a number of years", d.line, d.age)
		}
		r.Age = &n
	}
	switch {
	case d.subject == "":
	case r.Subject != "" && r.Subject != d.subject:
		return semblance.Errorf(semblance.Invalid, "line %d of the details says subject %q, and the folder or --subject says %q", d.line, d.subject, r.Subject)
	default:
		r.Subject = d.subject
	}
	return nil
}
