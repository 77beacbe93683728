package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// A table prints aligned columns. Text of foreign origin is made safe for a
// terminal: a file name must not be able to move the cursor.
type table struct {
	head  []string
	rows  [][]string
	whole bool // nothing is cut; what is wider than maxCell pushes the rest of its row
}

func newTable(head ...string) *table { return &table{head: head} }

func (t *table) row(cells ...any) {
	r := make([]string, len(cells))
	for i, c := range cells {
		r[i] = printable(fmt.Sprint(c))
	}
	t.rows = append(t.rows, r)
}

// maxCell is the widest a column gets; longer text is cut in the middle, so that
// a path keeps its end. The last column has nothing to align and is left whole.
const maxCell = 60

func (t *table) print(w io.Writer) {
	width := make([]int, len(t.head))
	all := append([][]string{t.head}, t.rows...)
	for _, r := range all {
		for i := range r {
			if i < len(r)-1 && !t.whole {
				r[i] = shorten(r[i], maxCell)
			}
			if n := utf8.RuneCountInString(r[i]); n <= maxCell {
				width[i] = max(width[i], n)
			}
		}
	}
	for _, r := range all {
		var b strings.Builder
		for i, c := range r {
			b.WriteString(c)
			if i < len(r)-1 {
				b.WriteString(strings.Repeat(" ", max(width[i]-utf8.RuneCountInString(c), 0)+2))
			}
		}
		fmt.Fprintln(w, strings.TrimRight(b.String(), " "))
	}
}

// shorten cuts text to n runes, keeping both ends.
func shorten(s string, n int) string {
	r := []rune(s)
	if len(r) <= n {
		return s
	}
	keep := (n - 1) / 3
	return string(r[:keep]) + "…" + string(r[len(r)-(n-1-keep):])
}

// printable replaces control and formatting characters.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f || r >= 0x80 && r < 0xa0 || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 {
			return '?'
		}
		return r
	}, s)
}

func day(t time.Time) string { return t.UTC().Format("2006-01-02 15:04") }

// size says bytes as a person does.
func size(n int64) string {
	const unit = 1000
	if n < unit {
		return fmt.Sprintf("%d B", n)
	}
	f, i := float64(n), -1
	for f >= unit && i < 4 {
		f /= unit
		i++
	}
	return fmt.Sprintf("%.1f %cB", f, "kMGTP"[i])
}

// count says a number with its noun.
func count(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%s %s", thousands(n), many)
}

func thousands(n int64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func sortedKeys(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }
