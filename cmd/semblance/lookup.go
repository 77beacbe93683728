package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"semblance"
	"semblance/hashing"
)

func newLookup(e *env) *cobra.Command {
	var r semblance.LookupRequest
	var def string
	cmd := &cobra.Command{Use: "lookup --against NAME,... --case N [FILE|-]", Short: "Look hashes and selectors up, one a line: md5, sha1, sha256, pdq:HEX, phone:NUMBER, email:ADDRESS and the like",
		Args: atMost(1, "at most one file"), RunE: func(cmd *cobra.Command, args []string) error {
			r.Collections = list(r.Collections)
			if def != "" {
				alg, err := semblance.ParseListFormat(def)
				if err != nil {
					return semblance.Errorf(semblance.Invalid, "%v", err)
				}
				r.Default = alg
			}
			if r.Case == "" {
				return semblance.Errorf(semblance.Invalid, "a lookup belongs to a case").WithHint("Give --case NUMBER; `semblance case list` shows them.")
			}
			var in io.Reader = e.stdin(cmd.Context())
			if len(args) == 1 && args[0] != "-" {
				f, err := e.open(args[0])
				if err != nil {
					return err
				}
				defer f.Close()
				in = f
			}
			return e.stored(cmd.Context(), func(p *program) error { return e.lookup(cmd.Context(), p, r, in) })
		}}
	f := cmd.Flags()
	f.StringVar(&r.Case, "case", "", "number of the case")
	f.StringSliceVar(&r.Collections, "against", nil, "hashes, known-good and selectors collections")
	f.StringVar(&def, "format", "", "what 64 or 16 bare digits are: sha256 (the default), pdq, phash, dhash, ahash; or photodna, for bare base64; or phone, email, url, user, onion, wallet, document, for selectors without their kind")
	return cmd
}

func (e *env) lookup(ctx context.Context, p *program, r semblance.LookupRequest, in io.Reader) error {
	out := bufio.NewWriter(e.out)
	sum, err := p.engine.Lookup(ctx, e.who(), r, lines(in), func(l semblance.LookupResult) error {
		if e.json {
			return json.NewEncoder(out).Encode(l)
		}
		_, err := fmt.Fprintln(out, lookupLine(l))
		return err
	})
	if ferr := out.Flush(); err == nil {
		err = ferr
	}
	if err != nil {
		return err
	}
	for _, w := range sum.Warnings {
		e.warn("%s", w)
	}
	e.note("%s looked up, %d found, %d could not be read", count(int64(sum.Lines), "line", "lines"), sum.Found, sum.Bad)
	if sum.Bad > 0 {
		if sum.Bad == sum.Lines {
			return errReported
		}
		return errSomeFailed
	}
	return nil
}

// lines reads lines of up to 64 KiB; a longer one is cut there and will not parse.
func lines(r io.Reader) func() (string, error) {
	s := bufio.NewReaderSize(r, 64<<10)
	return func() (string, error) {
		line, err := s.ReadSlice('\n')
		text := strings.TrimRight(string(line), "\r\n")
		for errors.Is(err, bufio.ErrBufferFull) {
			_, err = s.ReadSlice('\n')
		}
		if errors.Is(err, io.EOF) && len(line) > 0 {
			err = nil
		}
		return text, err
	}
}

// unitOf says what a distance of hashes counts.
func unitOf(m hashing.Metric) string {
	if m == hashing.Hamming || m == "" { // older findings are of bits
		return "bits"
	}
	return string(m)
}

func lookupLine(l semblance.LookupResult) string {
	q := printable(shorten(l.Query, 100))
	switch {
	case l.Error != "":
		return fmt.Sprintf("%s  error: %s", q, l.Error)
	case l.Collection == "":
		return q + "  -"
	case l.Distance != nil:
		return fmt.Sprintf("%s  %s in %s: %d of %d %s, %s", q, l.Kind, l.Collection, *l.Distance, *l.Threshold, unitOf(l.Metric), printable(categorized(l.Category, note(l.Note, l.Source))))
	}
	weak := ""
	if l.Weak {
		weak = " (MD5 only: weak)"
	}
	return fmt.Sprintf("%s  %s in %s%s: %s", q, l.Kind, l.Collection, weak, printable(categorized(l.Category, note(l.Note, l.Source))))
}
