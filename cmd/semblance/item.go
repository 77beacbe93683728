package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"semblance"
	"semblance/report"
)

func newItem(e *env) *cobra.Command {
	var exhibit string
	cmd := &cobra.Command{Use: "item CASE WHAT [--exhibit LABEL]", Short: "Show all that is recorded of an item: times, metadata, findings and why", Args: exactly(2, "the case number and a path or a digest"),
		Long: `WHAT is a path as a scan or a report gives it, the end of one from a / on, or an MD5, SHA-1
or SHA-256. Every item it fits is shown, with the fields of the jsonl report; --json prints
those lines.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return e.stored(cmd.Context(), func(p *program) error { return e.item(cmd.Context(), p, args[0], exhibit, args[1]) })
		}}
	cmd.Flags().StringVar(&exhibit, "exhibit", "", "of this exhibit only")
	return cmd
}

func (e *env) item(ctx context.Context, p *program, number, exhibit, what string) error {
	c, err := p.store.Case(ctx, number)
	if err != nil {
		return err
	}
	ev := semblance.AuditEvent{Actor: e.who(), Action: "item", Case: c.Number, Purpose: c.Purpose, Basis: c.Basis, Detail: map[string]any{"item": what, "exhibit": exhibit}}
	if err := p.store.Append(ctx, ev); err != nil {
		return err
	}
	var text bytes.Buffer
	found := 0
	s := report.Source{Case: c, Program: "semblance " + version, Rows: func(yield func(report.Row, error) bool) {
		for row, err := range p.rows(ctx, c.ID) {
			if err == nil && (exhibit != "" && row.Exhibit != exhibit || !fits(row, what)) {
				continue
			}
			found++
			if !yield(row, err) || err != nil {
				return
			}
		}
	}}
	if err := report.Write(&text, report.JSONL, s); err != nil {
		return err
	}
	if found == 0 {
		return semblance.Errorf(semblance.NotFound, "case %s has no item %q", number, what).
			WithHint("Give a path as `semblance report %s --format jsonl` writes it, or the end of one from a / on, or a digest.", number)
	}
	if e.json {
		_, err := text.WriteTo(e.out)
		return err
	}
	for line := range bytes.Lines(text.Bytes()) {
		if err := e.fields(line); err != nil {
			return err
		}
	}
	return nil
}

// withUnit is a value as a person reads it: a report has durations of sound in nanoseconds.
func withUnit(name string, t json.Token) string {
	if n, ok := t.(json.Number); ok && strings.HasSuffix(name, ".duration") {
		if ns, err := n.Int64(); err == nil {
			return time.Duration(ns).Round(time.Millisecond).String()
		}
	}
	return fmt.Sprint(t)
}

// fits reports whether an item is meant by a path, the end of a path or a digest.
func fits(r report.Row, what string) bool {
	if path := r.Item.Path; path == what || strings.HasSuffix(path, "/"+strings.TrimPrefix(what, "/")) {
		return true
	}
	if r.Item.SHA256 == nil {
		return false
	}
	digest, err := hex.DecodeString(what)
	if err != nil || len(digest) == 0 {
		return false
	}
	return bytes.Equal(r.Item.SHA256[:], digest) || r.Media != nil && (bytes.Equal(r.Media.Digests.MD5[:], digest) || bytes.Equal(r.Media.Digests.SHA1[:], digest))
}

// fields prints a line of the report, one field a line, in its order.
func (e *env) fields(line []byte) error {
	d := json.NewDecoder(bytes.NewReader(line))
	d.UseNumber()
	return e.value(d, "")
}

// value prints the next value of a line, which name leads to.
func (e *env) value(d *json.Decoder, name string) error {
	t, err := d.Token()
	if err != nil {
		if err == io.EOF {
			return nil
		}
		return err
	}
	switch t {
	case json.Delim('{'):
		for d.More() {
			key, err := d.Token()
			if err != nil {
				return err
			}
			sub := fmt.Sprint(key)
			if name != "" {
				sub = name + "." + sub
			}
			if err := e.value(d, sub); err != nil {
				return err
			}
		}
		_, err = d.Token()
		return err
	case json.Delim('['):
		for i := 1; d.More(); i++ {
			if err := e.value(d, fmt.Sprintf("%s %d", name, i)); err != nil {
				return err
			}
		}
		_, err = d.Token()
		return err
	}
	if name == "event" { // each line begins with it
		e.say("\n%s", strings.ToUpper(fmt.Sprint(t)))
		return nil
	}
	e.say("  %s: %s", printable(name), printable(withUnit(name, t)))
	return nil
}
