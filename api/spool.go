package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"mime"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"unicode"
	"unicode/utf8"

	"semblance"
)

// A Spool is the folder uploads wait in until their job has ended. It is safe for
// concurrent use; one process uses a folder at a time.
type Spool struct {
	dir   string
	bytes int64
	files int
}

// DefaultUploadFiles is how many files one upload may have: more are a device, and
// that is scanned where it lies.
const DefaultUploadFiles = 10_000

// OpenSpool makes the folder (mode 0700) when it is not there. bytes and files bound
// one upload; zero files is DefaultUploadFiles.
func OpenSpool(dir string, bytes int64, files int) (*Spool, error) {
	if files <= 0 {
		files = DefaultUploadFiles
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the spool: %w", err)
	}
	return &Spool{dir: dir, bytes: bytes, files: files}, nil
}

// Path is the folder of an upload.
func (s *Spool) Path(id string) string { return filepath.Join(s.dir, filepath.Base(id)) }

// Remove deletes an upload; one that is not there is no error.
func (s *Spool) Remove(id string) error { return os.RemoveAll(s.Path(id)) }

// Sweep removes every upload that keep does not want: what an interrupted request
// left.
func (s *Spool) Sweep(keep func(id string) bool) error {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !keep(e.Name()) {
			err = errors.Join(err, os.RemoveAll(filepath.Join(s.dir, e.Name())))
		}
	}
	return err
}

// Receive streams a request's files into a new folder and returns its id. Nothing
// is left when it fails.
func (s *Spool) Receive(r *http.Request, name string) (id string, files int, bytes int64, err error) {
	if r.ContentLength > s.bytes+multipartSlack {
		return "", 0, 0, s.tooMany()
	}
	r.Body = http.MaxBytesReader(nil, r.Body, s.bytes+multipartSlack) // fields that are no files count too
	id = semblance.NewID()
	if err := os.Mkdir(s.Path(id), 0o700); err != nil {
		return "", 0, 0, spoolError(err)
	}
	in := &intake{spool: s, dir: s.Path(id), names: map[string]bool{}}
	if err := in.all(r, name); err != nil {
		return "", 0, 0, errors.Join(err, s.Remove(id))
	}
	return id, in.files, in.bytes, nil
}

// multipartSlack is what the wrapping of an upload may add to its files.
const multipartSlack = 16 << 20

func (s *Spool) tooMany() error {
	return overLimit(s.bytes, "the upload is larger than %d bytes", s.bytes)
}

// One streams the one file of a request into a file that has no name any more: it
// is gone when it is closed. name is what the request calls it, or "".
func (s *Spool) One(r *http.Request, limit int64) (f *os.File, name string, err error) {
	limit = min(limit, s.bytes)
	r.Body = http.MaxBytesReader(nil, r.Body, limit+multipartSlack)
	if f, err = os.CreateTemp(s.dir, "one-*"); err != nil {
		return nil, "", spoolError(err)
	}
	defer func() {
		if err != nil {
			f.Close()
		}
	}()
	if err = os.Remove(f.Name()); err != nil {
		return nil, "", spoolError(err)
	}
	body, name, err := firstFile(r)
	if err != nil {
		return nil, "", err
	}
	n, err := io.Copy(f, io.LimitReader(body, limit+1))
	switch {
	case err != nil:
		return nil, "", bodyError(err)
	case n > limit:
		return nil, "", overLimit(limit, "the file is larger than %d bytes", limit)
	case n == 0:
		return nil, "", semblance.Errorf(semblance.Invalid, "no file came with the request").WithHint("Send the file as the body, or as a part of multipart/form-data.")
	}
	_, err = f.Seek(0, io.SeekStart)
	return f, name, err
}

// firstFile is the body, or the first file of a multipart body.
func firstFile(r *http.Request) (io.Reader, string, error) {
	if !isMultipart(r) {
		return r.Body, "", nil
	}
	parts, err := openForm(r)
	if err != nil {
		return nil, "", err
	}
	for {
		p, err := parts.next()
		if errors.Is(err, errFormEnd) {
			return strings.NewReader(""), "", nil
		}
		if err != nil {
			return nil, "", err
		}
		if p.FileName() != "" {
			return p, SafeName(p.FileName()), nil
		}
	}
}

func isMultipart(r *http.Request) bool {
	t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return err == nil && t == "multipart/form-data"
}

// An intake takes the files of one upload.
type intake struct {
	spool *Spool
	dir   string
	names map[string]bool
	files int
	bytes int64
}

func (in *intake) all(r *http.Request, name string) error {
	if !isMultipart(r) {
		if err := in.file(r.Context(), SafeName(name), r.Body); err != nil {
			return err
		}
		return in.some()
	}
	parts, err := openForm(r)
	if err != nil {
		return err
	}
	for {
		p, err := parts.next()
		if errors.Is(err, errFormEnd) {
			return in.some()
		}
		if err != nil {
			return err
		}
		if p.FileName() == "" {
			continue // a field: everything but the files is in the query
		}
		if err := in.file(r.Context(), SafeName(p.FileName()), p); err != nil {
			return err
		}
	}
}

func (in *intake) some() error {
	if in.files == 0 || in.bytes == 0 && in.files == 1 {
		return semblance.Errorf(semblance.Invalid, "no file came with the upload").
			WithHint("Send files as parts of multipart/form-data with file names, or one file as the body.")
	}
	return nil
}

// file writes one file to the disk, all the way: the job that follows is durable,
// and so must be what it examines.
func (in *intake) file(ctx context.Context, name string, r io.Reader) (err error) {
	if in.files++; in.files > in.spool.files {
		return overLimit(int64(in.spool.files), "the upload has more than %d files", in.spool.files)
	}
	f, err := os.OpenFile(filepath.Join(in.dir, in.unique(name)), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return spoolError(err)
	}
	defer func() {
		if cerr := f.Close(); err == nil && cerr != nil {
			err = spoolError(cerr)
		}
	}()
	left := in.spool.bytes - in.bytes
	n, err := io.Copy(f, io.LimitReader(r, left+1))
	in.bytes += n
	switch {
	case err != nil:
		return bodyError(err)
	case n > left:
		return in.spool.tooMany()
	case ctx.Err() != nil:
		return ctx.Err()
	}
	if err := f.Sync(); err != nil {
		return spoolError(err)
	}
	return nil
}

// unique makes a name that this upload does not have yet.
func (in *intake) unique(name string) string {
	ext := filepath.Ext(name)
	for n := 2; in.names[name]; n++ {
		if try := fmt.Sprintf("%s (%d)%s", strings.TrimSuffix(name, ext), n, ext); !in.names[try] {
			name = try
		}
	}
	in.names[name] = true
	return name
}

// longestName is the longest file name that is kept: file systems take 255 bytes,
// and a number may be added.
const longestName = 200

// SafeName makes a plain file name of what a client calls a file: the last element
// of any path, without control characters, not hidden, never empty.
func SafeName(name string) string {
	if i := strings.LastIndexAny(name, `/\`); i >= 0 {
		name = name[i+1:]
	}
	name = strings.Map(func(r rune) rune {
		if r == utf8.RuneError || unicode.IsControl(r) || unicode.Is(unicode.Cf, r) {
			return '_'
		}
		return r
	}, name)
	name = strings.TrimLeft(strings.TrimSpace(name), ".")
	if len(name) > longestName {
		ext := filepath.Ext(name)
		if len(ext) > 20 {
			ext = ""
		}
		name = strings.ToValidUTF8(name[:longestName-len(ext)], "") + ext
	}
	if name == "" {
		return "file"
	}
	return name
}

// bodyError tells trouble with the disk from a caller that stopped sending.
func bodyError(err error) error {
	var pe *fs.PathError
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &pe):
		return spoolError(err)
	case errors.As(err, &tooLarge):
		return overLimit(tooLarge.Limit, "the body is larger than %d bytes", tooLarge.Limit)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return semblance.Errorf(semblance.Timeout, "the body stopped coming").WithCause(err)
	}
	return semblance.Errorf(semblance.Invalid, "the body ended before it was whole").WithHint("Send it again; nothing of it was kept.").WithCause(err)
}

func spoolError(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return semblance.Errorf(semblance.Unavailable, "the disk of the service is full").WithHint("Make room in the data folder, and send it again.").WithCause(err)
	}
	return fmt.Errorf("spool: %w", err)
}
