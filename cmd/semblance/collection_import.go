package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"

	"github.com/spf13/cobra"

	"semblance"
	"semblance/hashing"
)

func newCollectionImport(e *env) *cobra.Command {
	var format string
	cmd := &cobra.Command{Use: "import NAME FILE [--format F]", Short: "Import a plain list of hashes, one a line; FILE may be - for standard input",
		Long: `Lines are hexadecimal MD5 (32 digits), SHA-1 (40) or SHA-256 (64), each optionally
followed by a comma and a note; or ALGORITHM:HEX (pdq:..., phash:...); or photodna:
and 192 characters of base64 or 288 hex digits; or as md5sum writes them. A note size=N gives the file's size, which a known-good SHA-1 needs. 64
digits are SHA-256 unless --format pdq. Lines that cannot be read are left out and
reported.`,
		Args: exactly(2, "the collection's name and a file"), RunE: func(cmd *cobra.Command, args []string) error {
			def := hashing.AlgorithmSHA256
			if format != "" && format != "plain" {
				var err error
				if def, err = hashing.ParseAlgorithm(format); err != nil {
					return semblance.Errorf(semblance.Invalid, "%v", err).WithHint("Formats of this version are plain lists: md5, sha1, sha256, pdq, phash, dhash, ahash, photodna.")
				}
			}
			return e.stored(cmd.Context(), func(p *program) error { return e.importList(cmd.Context(), p, args[0], args[1], def) })
		}}
	cmd.Flags().StringVar(&format, "format", "", "md5, sha1, sha256, pdq, phash, dhash, ahash or photodna")
	return cmd
}

func (e *env) importList(ctx context.Context, p *program, name, path string, def hashing.Algorithm) error {
	var r io.Reader = e.stdin(ctx)
	source := "standard input"
	if path != "-" {
		f, err := e.open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		r, source = f, filepath.Base(path)
	}
	res, err := p.engine.ImportHashes(ctx, e.who(), name, source, def, r)
	if e.json {
		if jerr := e.emit(res); err == nil {
			err = jerr
		}
	} else if res.Lines > 0 || err == nil {
		for _, b := range res.BadLines {
			fmt.Fprintf(e.err, "line %d: %s\n", b.Line, printable(b.Reason))
		}
		if more := res.Bad - len(res.BadLines); more > 0 {
			fmt.Fprintf(e.err, "and %d more lines that cannot be read\n", more)
		}
		e.say("%s: %s read, %d added, %d there already, %d of nothing (empty file, all zeros) dropped, %d empty lines and comments, %d left out",
			name, count(int64(res.Lines), "line", "lines"), res.Added, res.Duplicate, res.Trivial, res.Blank, res.Bad)
	}
	switch {
	case err != nil:
		return err
	case res.Bad > 0 && res.Added+res.Duplicate+res.Trivial == 0:
		return semblance.Errorf(semblance.Invalid, "no line of the list could be read").WithHint("The first: line %d: %s", res.BadLines[0].Line, res.BadLines[0].Reason)
	case res.Bad > 0:
		return errSomeFailed
	}
	return nil
}
