package exchange

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"semblance"
	"semblance/hashing"
)

// NSRLFile.txt has one line for each file of each product, in ISO-8859-1. Its first line
// names the columns; there were two orders of them. File names may have commas and quotes
// in them, so that what is before the name is split from the left and what is after it from
// the right.
type nsrlText struct {
	left, right int // columns before and after the name
	columns     [5]int
	types       map[string]string // application type by product code
	md5         [16]byte
	sha1        [20]byte
	fields      [][]byte
	all         map[string]string // texts by type and special code
}

const (
	nsrlSHA1 = iota
	nsrlMD5
	nsrlSize
	nsrlProduct
	nsrlSpecial
)

// nsrlHeader returns a reader for the columns of a first line, nil when they are others.
func nsrlHeader(columns []string) *nsrlText {
	for i := range columns {
		columns[i] = strings.TrimSpace(columns[i])
	}
	name := slices.Index(columns, "FileName")
	if name < 0 || slices.Index(columns, "SHA-1") < 0 || slices.Index(columns, "ProductCode") < 0 {
		return nil
	}
	n := &nsrlText{left: name, right: len(columns) - name - 1, all: map[string]string{}}
	for i, c := range []string{"SHA-1", "MD5", "FileSize", "ProductCode", "SpecialCode"} {
		n.columns[i] = slices.Index(columns, c)
		if n.columns[i] > name {
			n.columns[i]-- // the name is not among the fields
		}
	}
	return n
}

func newNSRLText(b *base) (Source, error) {
	line, _, _ := bytes.Cut(b.head, []byte("\n"))
	n := nsrlHeader(splitCSV(bytes.TrimPrefix(line, []byte("\xef\xbb\xbf"))))
	if n == nil {
		return nil, notOf(b.about.Name, NSRL, "its first line does not name the columns of NSRLFile.txt")
	}
	b.is(NSRL, "line")
	var err error
	if n.types, err = productTypes(filepath.Join(filepath.Dir(b.path), "NSRLProd.txt")); err != nil {
		return nil, err
	}
	b.about.About = "NSRLFile.txt"
	if len(n.types) > 0 {
		b.about.About += " with application types of NSRLProd.txt"
	}
	return b.lines(n.parse), nil
}

// parse reads a line; the first is the heading.
func (n *nsrlText) parse(line []byte, r *semblance.DigestRow) error {
	if r.Row == 1 || len(bytes.TrimSpace(line)) == 0 {
		return semblance.ErrBlankRow
	}
	fields, ok := n.split(line)
	if !ok {
		return fmt.Errorf("the line has not the %d columns of the heading", n.left+n.right+1)
	}
	var err error
	if r.SHA1, err = hexDigest(n.sha1[:], hashing.AlgorithmSHA1, n.field(fields, nsrlSHA1)); err != nil {
		return err
	}
	if r.MD5, err = hexDigest(n.md5[:], hashing.AlgorithmMD5, n.field(fields, nsrlMD5)); err != nil {
		return err
	}
	if r.SHA1 == nil && r.MD5 == nil {
		return errNoDigest
	}
	if size := n.field(fields, nsrlSize); len(size) > 0 {
		if r.Size, err = strconv.ParseInt(string(size), 10, 64); err != nil || r.Size < 0 {
			return fmt.Errorf("%q is no size of a file", clip(size))
		}
	}
	r.Text = n.text(n.field(fields, nsrlProduct), n.field(fields, nsrlSpecial))
	return nil
}

var errNoDigest = errors.New("the row has no digest")

func (n *nsrlText) field(fields [][]byte, i int) []byte {
	if c := n.columns[i]; c >= 0 {
		return fields[c]
	}
	return nil
}

// split returns the fields but for the name.
func (n *nsrlText) split(line []byte) ([][]byte, bool) {
	n.fields = slices.Grow(n.fields[:0], n.left+n.right)[:n.left+n.right]
	for i := range n.left {
		at := bytes.IndexByte(line, ',')
		if at < 0 {
			return nil, false
		}
		n.fields[i], line = unquote(line[:at]), line[at+1:]
	}
	for i := range n.right {
		at := bytes.LastIndexByte(line, ',')
		if at < 0 {
			return nil, false
		}
		n.fields[n.left+n.right-1-i], line = unquote(line[at+1:]), line[:at]
	}
	return n.fields, true
}

func unquote(b []byte) []byte {
	b = bytes.TrimSpace(b)
	if len(b) >= 2 && b[0] == '"' && b[len(b)-1] == '"' {
		b = b[1 : len(b)-1]
	}
	return b
}

// text is the application type, where NSRLProd.txt tells it, and the special code.
func (n *nsrlText) text(product, special []byte) string {
	var key [32]byte
	k := append(append(append(key[:0], product...), 0), special...)
	if t, ok := n.all[string(k)]; ok {
		return t
	}
	t := n.types[string(product)]
	if s := strings.TrimSpace(readable(special)); s != "" {
		t = strings.TrimPrefix(t+"; special code "+strings.ToValidUTF8(s[:min(len(s), 40)], "")+specialMeaning(s), "; ")
	}
	if len(n.all) < 1<<20 {
		n.all[string(k)] = t
	}
	return t
}

// specialMeaning is what the data dictionary says of a code.
func specialMeaning(code string) string {
	switch code {
	case "M":
		return " (malicious)"
	case "S":
		return " (special)"
	}
	return ""
}

// productTypes reads the application types of NSRLProd.txt; one that is not there gives none.
func productTypes(path string) (map[string]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil
	}
	defer f.Close()
	types := newNotes[string]()
	in := bufio.NewScanner(f)
	in.Buffer(make([]byte, 0, maxLine), 1<<20)
	code, kind := -1, -1
	for in.Scan() {
		cols := splitCSV(in.Bytes())
		if code < 0 {
			code, kind = slices.Index(cols, "ProductCode"), slices.Index(cols, "ApplicationType")
			if code < 0 || kind < 0 {
				return nil, nil
			}
			continue
		}
		if len(cols) > max(code, kind) {
			types.add(strings.TrimSpace(cols[code]), cols[kind])
		}
	}
	if err := in.Err(); err != nil {
		return nil, semblance.Errorf(semblance.Invalid, "NSRLProd.txt beside the list cannot be read").WithHint("Mend it or move it away: without it hits have no application types.").WithCause(err)
	}
	return types.of, nil
}

// maxProducts bounds what is remembered of products and packages, maxNotes the bytes of
// different notes, and longestNote those of one, which is what a set keeps of it.
const (
	maxProducts = 4 << 20
	maxNotes    = 64 << 20
	longestNote = 512
)

// noteLost stands for a note there was no room for.
const noteLost = "(not kept: the list has more different notes than are remembered)"

// Notes are what a list says of its products, packages or digests, each text once in memory.
type notes[K comparable] struct {
	of    map[K]string
	texts map[string]string
	bytes int
}

func newNotes[K comparable]() *notes[K] {
	return &notes[K]{of: map[K]string{}, texts: map[string]string{"": "", noteLost: noteLost}}
}

// add adds a note to those of a product; several are said together, in order.
func (n *notes[K]) add(key K, note string) {
	note = n.once(strings.TrimSpace(note))
	before, there := n.of[key]
	switch {
	case note == "" || len(n.of) >= maxProducts && !there:
	case !there:
		n.of[key] = note
	default:
		all := strings.Split(before, "; ")
		if at, found := slices.BinarySearch(all, note); !found && len(before) < 400 {
			n.of[key] = n.once(strings.Join(slices.Insert(all, at, note), "; "))
		}
	}
}

func (n *notes[K]) once(text string) string {
	if len(text) > longestNote {
		text = strings.ToValidUTF8(text[:longestNote], "")
	}
	if held, ok := n.texts[text]; ok {
		return held
	}
	if n.bytes += len(text); n.bytes > maxNotes {
		return noteLost
	}
	text = strings.Clone(text)
	n.texts[text] = text
	return text
}
