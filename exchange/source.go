package exchange

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"os"
	"path/filepath"

	"semblance"
	"semblance/hashing"
)

// A Source is a file that is read row by row, and closed afterwards.
type Source interface {
	semblance.DigestSource
	io.Closer
}

// A Format names one way to write a list of digests.
type Format string

// The formats.
const (
	Plain      Format = "plain"      // one digest a line, also as md5sum and its kin write it
	NSRL       Format = "nsrl"       // RDSv3 as a SQLite database, or the older NSRLFile.txt
	HashKeeper Format = "hashkeeper" // CSV
	EnCase     Format = "encase"     // .hash
	TSKIndex   Format = "tsk-idx"    // .idx of The Sleuth Kit's hfind
	KDB        Format = "kdb"        // .kdb of Autopsy
)

// Formats lists all formats.
func Formats() []Format { return []Format{Plain, NSRL, HashKeeper, EnCase, TSKIndex, KDB} }

// headBytes is how much of a file tells it from others of its name, and its format.
const headBytes = 1 << 20

// Open opens a list of digests. An empty format is told from the file's beginning.
// def says what 64 bare digits of a plain list are; without it they are refused, since
// they may be a SHA-256 or a PDQ hash. The error is Invalid when the file is not of the format.
func Open(ctx context.Context, path string, format Format, def hashing.Algorithm) (Source, error) {
	b, err := openBase(path)
	if err != nil {
		return nil, err
	}
	s, err := b.as(ctx, format, def)
	if err != nil {
		return nil, errors.Join(err, b.Close())
	}
	return s, nil
}

// A Look is what a glance at a file tells.
type Look struct {
	Format Format
	Bytes  int64
	// Digests says that a plain list begins without perceptual hashes, of which no digest
	// set can be made.
	Digests bool
}

// Glance looks at the beginning of a file. def is what bare digits are that do not tell.
func Glance(path string, def hashing.Algorithm) (Look, error) {
	b, err := openBase(path)
	if err != nil {
		return Look{}, err
	}
	l := Look{Format: b.sniff(), Bytes: b.about.Bytes}
	l.Digests = l.Format != Plain || b.digestsOnly(def)
	return l, b.Close()
}

func (b *base) as(ctx context.Context, format Format, def hashing.Algorithm) (Source, error) {
	told := b.sniff()
	if format == "" {
		format = told
	}
	database := bytes.HasPrefix(b.head, []byte(sqliteMagic))
	if database != (format == KDB) && !(format == NSRL) {
		return nil, notOf(b.about.Name, format, "")
	}
	switch format {
	case Plain:
		return newPlain(b, def)
	case NSRL:
		if database {
			return newRDS(ctx, b)
		}
		return newNSRLText(b)
	case HashKeeper:
		return newHashKeeper(b)
	case EnCase:
		return newEnCase(b)
	case TSKIndex:
		return newTSKIndex(b)
	case KDB:
		return newKDB(ctx, b)
	}
	return nil, semblance.Errorf(semblance.Invalid, "%q is no format of a list of digests", string(format)).WithHint("Formats are %v.", Formats())
}

const sqliteMagic = "SQLite format 3\x00"

// sniff tells the format from the beginning. Whatever is nothing else is a plain list.
func (b *base) sniff() Format {
	line, _, _ := bytes.Cut(bytes.TrimPrefix(b.head, []byte("\xef\xbb\xbf")), []byte("\n"))
	columns := splitCSV(line)
	switch {
	case bytes.HasPrefix(b.head, []byte(sqliteMagic)):
		if bytes.Contains(b.head, []byte("db_properties")) {
			return KDB
		}
		return NSRL
	case bytes.HasPrefix(b.head, []byte(encaseMagic)):
		return EnCase
	case nsrlHeader(columns) != nil:
		return NSRL
	case hashKeeperHeader(columns) != nil:
		return HashKeeper
	case isTSKHeader(line):
		return TSKIndex
	}
	return Plain
}

// notOf is the error of a file that is not of its format.
func notOf(name string, format Format, why string) error {
	if why != "" {
		why = ": " + why
	}
	return semblance.Errorf(semblance.Invalid, "%q is not of the format %s%s", name, string(format), why).
		WithHint("Leave --format out and the file is looked at; or say another one: %v.", Formats())
}

// A base is what all sources have: the file and what is said of it.
type base struct {
	f     *os.File
	path  string
	head  []byte
	about semblance.SetSource
	end   int64
}

func openBase(path string) (*base, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, semblance.Errorf(semblance.Invalid, "%q cannot be read", filepath.Base(path)).WithCause(err)
	}
	b := &base{f: f, path: path}
	if err := b.look(); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return b, nil
}

func (b *base) look() error {
	info, err := b.f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		return semblance.Errorf(semblance.Invalid, "%q is not a regular file", filepath.Base(b.path)).WithHint("Copy it into a file first: an import that is stopped goes on within it.")
	}
	if err == nil {
		b.head = make([]byte, min(headBytes, info.Size()))
		_, err = io.ReadFull(b.f, b.head)
	}
	if err != nil {
		return semblance.Errorf(semblance.Invalid, "%q cannot be read", filepath.Base(b.path)).WithCause(err)
	}
	for _, mark := range []string{"\xff\xfe", "\xfe\xff"} {
		if bytes.HasPrefix(b.head, []byte(mark)) {
			return semblance.Errorf(semblance.Invalid, "%q is text in UTF-16", filepath.Base(b.path)).WithHint("Save it as UTF-8, for instance with iconv -f UTF-16 -t UTF-8.")
		}
	}
	b.about = semblance.SetSource{Name: filepath.Base(b.path), Bytes: info.Size(), Modified: info.ModTime().UTC(), Head: sha256.Sum256(b.head)}
	b.end = info.Size()
	return nil
}

// is names the format and what a row is called.
func (b *base) is(format Format, unit string) {
	b.about.Format, b.about.Unit = string(format), unit
}

// Describe implements semblance.DigestSource.
func (b *base) Describe() (semblance.SetSource, int64) { return b.about, b.end }

// Close closes the file.
func (b *base) Close() error { return b.f.Close() }

// Sum implements semblance.DigestSource.
func (b *base) Sum(ctx context.Context) (semblance.SHA256, error) {
	h := sha256.New()
	buf := make([]byte, 1<<20)
	var n int64
	for at := int64(0); ; {
		if err := ctx.Err(); err != nil {
			return semblance.SHA256{}, err
		}
		k, err := b.f.ReadAt(buf, at)
		h.Write(buf[:k])
		at += int64(k)
		n = at
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return semblance.SHA256{}, semblance.Errorf(semblance.Invalid, "%q cannot be read to its end", b.about.Name).WithCause(err)
		}
	}
	info, err := os.Stat(b.path)
	if err != nil || n != b.about.Bytes || info.Size() != b.about.Bytes || !info.ModTime().Equal(b.about.Modified) {
		return semblance.SHA256{}, semblance.Errorf(semblance.Invalid, "%q was changed while it was read", b.about.Name).
			WithHint("Drop what was read with `semblance collection sets drop`, and import it again when nothing writes to it.").WithCause(err)
	}
	return semblance.SHA256(h.Sum(nil)), nil
}
