package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"semblance"
	"semblance/hashing"
	"semblance/index/digestset"
)

func newCollectionExport(e *env) *cobra.Command {
	var format string
	var force bool
	cmd := &cobra.Command{Use: "export NAME FILE [--format F]", Short: "Export the hashes or selectors of a collection as a plain list that import reads; FILE may be - for standard output",
		Long: `Each line is ALGORITHM:HEX (PhotoDNA in base64), or of a selector KIND:VALUE in its normalized form, followed by a comma and the note where there is one. With
--format, only values of that algorithm, as bare digits. The export is audited before
its first line is written.`,
		Args: exactly(2, "the collection's name and a file"), RunE: func(cmd *cobra.Command, args []string) error {
			var only hashing.Algorithm
			if format != "" && format != "plain" {
				var err error
				if only, err = semblance.ParseListFormat(format); err != nil {
					return semblance.Errorf(semblance.Invalid, "%v", err).WithHint("Formats of this version are plain lists: md5, sha1, sha256, pdq, phash, dhash, ahash, photodna, and the kinds of selectors.")
				}
			}
			if err := e.writable(args[1], force); err != nil {
				return err
			}
			return e.stored(cmd.Context(), func(p *program) error { return e.exportList(cmd.Context(), p, args[0], args[1], force, only) })
		}}
	cmd.Flags().StringVar(&format, "format", "", "md5, sha1, sha256, pdq, phash, dhash, ahash or photodna; or phone, email, url, user, onion, wallet, document; empty is all of them")
	forceFlag(cmd, &force)
	return cmd
}

func (e *env) exportList(ctx context.Context, p *program, name, path string, force bool, only hashing.Algorithm) error {
	c, err := p.engine.Collections.Collection(ctx, name)
	if err != nil {
		return err
	}
	if c.Kind == semblance.Faces {
		return semblance.Errorf(semblance.Invalid, "collection %q holds %s; only hashes and selectors are exported as a list", c.Name, c.Kind)
	}
	ev := semblance.AuditEvent{Actor: e.who(), Action: "collection.export", Basis: c.Basis, Collections: []string{c.Name},
		Detail: map[string]any{"format": string(only), "version": c.Version, "entries": c.Entries}}
	if c.Digests > 0 {
		ev.Detail["digests"] = c.Digests // in sets
	}
	if err := p.store.Append(ctx, ev); err != nil {
		return err
	}
	n, left := 0, 0
	err = e.writeFile(path, force, func(w io.Writer) error {
		out := bufio.NewWriter(w)
		err := p.engine.Entries.EachEntry(ctx, c.ID, 0, func(h semblance.HashEntry) error {
			if only != "" && h.Algorithm != only {
				return nil
			}
			if h.Algorithm.IsVideo() {
				left++
				return nil
			}
			n++
			_, err := fmt.Fprintln(out, exportLine(h, only != ""))
			return err
		})
		if err == nil {
			err = exportSets(ctx, p, c, only, func(h semblance.HashEntry) error {
				n++
				_, err := fmt.Fprintln(out, exportLine(h, only != ""))
				return err
			})
		}
		return errors.Join(err, out.Flush())
	})
	if err == nil && left > 0 {
		e.warn("%s of videos left out: a signal of a video is no line of a list", count(int64(left), "entry", "entries"))
	}
	if err == nil {
		e.note("%s: %s exported", c.Name, count(int64(n), "entry", "entries"))
	}
	return err
}

// exportSets gives the records of a collection's digest sets as entries.
func exportSets(ctx context.Context, p *program, c semblance.Collection, only hashing.Algorithm, f func(semblance.HashEntry) error) error {
	sets, err := p.store.Sets(ctx, c.ID)
	if err != nil {
		return err
	}
	for _, s := range sets {
		err := p.sets.Each(ctx, s, only, func(alg hashing.Algorithm, r digestset.Record) error {
			return f(semblance.HashEntry{Algorithm: alg, Value: r.Digest, Size: r.Size, Note: r.Text})
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// exportLine is an entry as import reads it. The size goes into the note, which is
// where import looks for it.
func exportLine(h semblance.HashEntry, bare bool) string {
	if _, ok := semblance.SelectorKind(h.Algorithm); ok {
		return semblance.SelectorLine(h)
	}
	line := h.Algorithm.Text(h.Value)
	if name := string(h.Algorithm); !bare && h.Algorithm.IsSupplied() {
		line = name + ":" + line
	} else if !bare {
		line = shortName(name) + ":" + line
	}
	note := strings.Map(func(r rune) rune {
		if r == '\n' || r == '\r' {
			return ' '
		}
		return r
	}, h.Note)
	if size := fmt.Sprintf("size=%d", h.Size); h.Size > 0 && !strings.Contains(note, size) {
		note = strings.TrimSpace(note + " " + size)
	}
	if note != "" {
		line += "," + note
	}
	return line
}
