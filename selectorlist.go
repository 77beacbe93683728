package semblance

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"semblance/hashing"
	"semblance/selector"
)

// selectorLine reads one line of a list of selectors: a selector, or a kind, a colon and
// a selector, each also followed by a comma or tab and a note. A selector that has a comma
// itself is in double quotes, as in CSV. def is the kind of what has none in front; without
// it only selectors that can be of one kind alone are read. Phone numbers without a country
// code are of the country.
//
// The error is hashing.ErrBlank or a *selector.SyntaxError.
func selectorLine(line string, def selector.Kind, country string) (s selector.Selector, note string, err error) {
	text := strings.TrimSpace(strings.TrimPrefix(line, "\ufeff"))
	if text == "" || text[0] == '#' {
		return s, "", hashing.ErrBlank
	}
	if !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
		return s, "", &selector.SyntaxError{Msg: "the line is not UTF-8; save the list in that encoding"}
	}
	kind := def
	if before, rest, ok := strings.Cut(text, ":"); ok && len(before) <= 16 {
		if k, err := selector.ParseKind(strings.Trim(before, `"`)); err == nil {
			quote := ""
			if strings.HasPrefix(before, `"`) { // "kind:value"
				quote = `"`
			}
			kind, text = k, quote+strings.TrimSpace(rest)
		}
	}
	text, note = cutQuoted(text)
	if kind == "" {
		if kind, err = selector.Tell(text); err != nil {
			return s, "", err
		}
	}
	s, err = selector.Normalize(kind, text, country)
	return s, note, err
}

// cutQuoted splits a value, in double quotes or not, from the note behind it.
func cutQuoted(s string) (value, note string) {
	if strings.HasPrefix(s, `"`) {
		var b strings.Builder
		for i := 1; i < len(s); i++ {
			if s[i] != '"' {
				b.WriteByte(s[i])
				continue
			}
			if i+1 < len(s) && s[i+1] == '"' { // two are one
				b.WriteByte('"')
				i++
				continue
			}
			return strings.TrimSpace(b.String()), strings.Trim(s[i+1:], ",;\t ")
		}
	}
	if i := strings.IndexAny(s, ",\t"); i >= 0 {
		return strings.TrimSpace(s[:i]), strings.TrimSpace(s[i+1:])
	}
	return s, ""
}

// SelectorLine is an entry of a selectors collection as a list has it that import reads.
func SelectorLine(h HashEntry) string {
	kind, _ := SelectorKind(h.Algorithm)
	value := string(kind) + ":" + string(h.Value)
	if strings.ContainsAny(value, ",\"\t") {
		value = `"` + strings.ReplaceAll(value, `"`, `""`) + `"`
	}
	note := strings.Map(func(r rune) rune {
		if r == '\n' || r == '\r' {
			return ' '
		}
		return r
	}, h.Note)
	if note != "" {
		value += "," + note
	}
	return value
}

// selectorEntry parses one line of a list of selectors.
func selectorEntry(c *Collection, line string, def hashing.Algorithm) (parsedLine, error) {
	kind, _ := SelectorKind(def)
	s, note, err := selectorLine(line, kind, c.Country)
	return parsedLine{algorithm: SelectorAlgorithm(s.Kind), value: []byte(s.Value), note: note, raw: s.Raw}, err
}

// errAmbiguous is the error (Invalid) of a list of selectors of which a line may be of
// several kinds.
func errAmbiguous(line int, err *selector.SyntaxError) error {
	return Errorf(Invalid, "line %d of the list: %s", line, err.Msg).
		WithHint("Say with --format, or format in the query, what the lines are that do not say it: phone, email, url, user, onion, wallet or document. It is not guessed: the wrong one would find nothing, or somebody else.")
}

// unstated returns the error of a line that a list has to be asked about, nil for any other.
func unstated(line int, def hashing.Algorithm, err error) error {
	var hash *hashing.SyntaxError
	var sel *selector.SyntaxError
	switch {
	case def != "":
		return nil
	case errors.As(err, &hash) && hash.Unstated:
		return ErrUnstated(int64(line), hash)
	case errors.As(err, &sel) && sel.Ambiguous:
		return errAmbiguous(line, sel)
	}
	return nil
}

// ParseListFormat reads what the values of a list are that do not say it: the name of an
// algorithm of hashes, or of a kind of selector.
func ParseListFormat(name string) (hashing.Algorithm, error) {
	if alg, err := hashing.ParseAlgorithm(name); err == nil {
		return alg, nil
	} else if kind, bad := selector.ParseKind(name); bad == nil {
		return SelectorAlgorithm(kind), nil
	} else {
		return "", fmt.Errorf("%w, and no kind of selector is", err)
	}
}

// parse reads one line of a lookup: a hash, or a selector with its kind in front.
// Where only selectors collections are asked, what can be of one kind alone needs none.
func (q *lookupQuery) parse(line string) (hashing.Algorithm, []byte, error) {
	before, _, named := strings.Cut(line, ":")
	_, err := selector.ParseKind(before)
	_, def := SelectorKind(q.def)
	if !(named && err == nil) && !def && q.hashes {
		alg, value, _, err := hashing.ParseHashLine(line, q.def)
		return alg, value, err
	}
	kind, _ := SelectorKind(q.def)
	s, _, err := selectorLine(line, kind, q.country)
	if err != nil {
		return "", nil, err
	}
	return SelectorAlgorithm(s.Kind), []byte(s.Value), nil
}

// A lookupQuery says how the lines of a lookup are read.
type lookupQuery struct {
	def     hashing.Algorithm
	country string // of phone numbers without a country code
	hashes  bool   // collections of hashes are asked too
}

// lookupSelectors answers the lines that are selectors of one kind.
func (e *Engine) lookupSelectors(ctx context.Context, cols []Collection, alg hashing.Algorithm, which []int, batch []lookupLine) error {
	cols = ofKind(cols, Selectors)
	if len(cols) == 0 {
		return nil
	}
	at, byID := map[string][]int{}, map[CollectionID]Collection{}
	var values []string
	for _, i := range which {
		v := string(batch[i].value)
		if at[v] == nil {
			values = append(values, v)
		}
		at[v] = append(at[v], i)
	}
	for _, c := range cols {
		byID[c.ID] = c
	}
	entries, err := e.Selectors.SelectorEntries(ctx, idsOf(cols), alg, values)
	if err != nil {
		return err
	}
	labels := e.labeler()
	for _, en := range entries {
		c := byID[en.Collection]
		category, err := labels.label(ctx, c, en.Category)
		if err != nil {
			return err
		}
		for _, i := range at[string(en.Value)] {
			a := batch[i].LookupResult
			a.Kind, a.Collection, a.Owner, a.Entry, a.EntryValue, a.EntryRaw = "hit", c.Name, c.Owner, en.ID, string(en.Value), en.Raw
			a.Note, a.Source, a.Record, a.Category = en.Note, en.Source, en.Record, category
			batch[i].answers = append(batch[i].answers, a)
		}
	}
	return nil
}
