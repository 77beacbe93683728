package scan

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"unicode/utf8"

	"semblance"
)

// A found is one directory entry that is an item: a regular file, or something
// that cannot be read as one, with the reason.
type found struct {
	path string // as recorded: relative, slashes, odd bytes escaped
	os   string // as opened
	info fs.FileInfo
	skip *semblance.Error // set when it is not a regular file
	fail *semblance.Error // set when it cannot even be looked at

	folder bool // it could be listed: an item only where an earlier run recorded that it could not
}

// walk calls f for every item below root in byte order of the recorded path,
// without following symbolic links, until f returns an error. What cannot be
// listed is an item with fail.
func walk(ctx context.Context, root string, f func(found) error) error {
	info, err := os.Stat(root)
	if err != nil {
		return rootError(root, err)
	}
	if !info.IsDir() {
		target, err := filepath.EvalSymlinks(root) // a link is followed only when it is what was named
		if err != nil {
			return rootError(root, err)
		}
		return f(found{path: escape(filepath.Base(root)), os: target, info: info, skip: notRegular(target, info)})
	}
	return walkDir(ctx, root, "", []fs.FileInfo{info}, f)
}

// Readable says why a folder or file cannot be scanned: it is not there, or may not be
// read. The error has code Invalid.
func Readable(root string) error {
	if _, err := os.Stat(root); err != nil {
		return rootError(root, err)
	}
	return nil
}

func rootError(root string, err error) error {
	msg := "cannot be read"
	switch {
	case errors.Is(err, fs.ErrNotExist):
		msg = "does not exist"
	case errors.Is(err, fs.ErrPermission):
		msg = "may not be read by this user"
	}
	return semblance.Errorf(semblance.Invalid, "%q %s", root, msg).
		WithHint("Name a folder, an image, an archive or another file that can be read.").WithCause(err)
}

// walkDir visits one directory. above are the directories on the way to it: a
// bind mount or a damaged file system can lead back into one of them.
func walkDir(ctx context.Context, dir, rel string, above []fs.FileInfo, f func(found) error) error {
	entries, err := os.ReadDir(dir)
	if err != nil && rel == "" && len(entries) == 0 {
		return rootError(dir, err)
	}
	if err != nil {
		if ferr := f(found{path: rel, os: dir, info: above[len(above)-1], fail: unreadable("folder", err)}); ferr != nil {
			return ferr
		}
		// what ReadDir gave before the error is still walked
	} else if err := f(found{path: rel, os: dir, info: above[len(above)-1], skip: errListed, folder: true}); err != nil {
		return err
	}
	slices.SortFunc(entries, func(a, b os.DirEntry) int { return strings.Compare(sortKey(a), sortKey(b)) })
	for _, e := range entries {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := visit(ctx, dir, rel, e, above, f); err != nil {
			return err
		}
	}
	return nil
}

// errListed replaces the failure of a folder that can be listed now.
var errListed = semblance.Errorf(semblance.MediaUnsupported, "the folder could not be read by an earlier run; it has been read since")

// sortKey makes the walk's order the byte order of whole paths: a folder's
// entries sort as if its name ended in a slash.
func sortKey(e os.DirEntry) string {
	if e.IsDir() {
		return escape(e.Name()) + "/"
	}
	return escape(e.Name())
}

func visit(ctx context.Context, dir, rel string, e os.DirEntry, above []fs.FileInfo, f func(found) error) error {
	x := found{path: rel + escape(e.Name()), os: filepath.Join(dir, e.Name())}
	info, err := e.Info()
	if err != nil {
		what := "file"
		if e.IsDir() { // as the folder it lies in says: it has a folder's path, also when it can be listed again
			what, x.path = "folder", x.path+"/"
		}
		x.fail = unreadable(what, err)
		return f(x)
	}
	x.info = info
	if !info.IsDir() {
		x.skip = notRegular(x.os, info)
		return f(x)
	}
	x.path += "/"
	if slices.ContainsFunc(above, func(a fs.FileInfo) bool { return os.SameFile(a, info) }) || len(above) > maxDepth {
		x.fail = semblance.Errorf(semblance.MediaDamaged, "the folder leads back into one that contains it (a directory loop); it is entered once")
		return f(x)
	}
	return walkDir(ctx, x.os, x.path, append(slices.Clip(above), info), f)
}

// maxDepth is how deep folders may nest: deeper than any path Linux opens at
// once (PATH_MAX is 4,096 bytes).
const maxDepth = 2048

// notRegular says why something is recorded but not read.
func notRegular(path string, info fs.FileInfo) *semblance.Error {
	what := ""
	switch mode := info.Mode(); {
	case mode.IsRegular():
		return nil
	case mode&fs.ModeSymlink != 0:
		target, _ := os.Readlink(path)
		return semblance.Errorf(semblance.MediaUnsupported, "a symbolic link to %q; links are recorded and not followed", escape(target))
	case mode&fs.ModeNamedPipe != 0:
		what = "a named pipe"
	case mode&fs.ModeSocket != 0:
		what = "a socket"
	case mode&fs.ModeDevice != 0:
		what = "a device"
	default:
		what = "not a regular file"
	}
	return semblance.Errorf(semblance.MediaUnsupported, "%s; it is recorded and not read", what)
}

// unreadable turns an operating system's error into a sentence.
func unreadable(what string, err error) *semblance.Error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return semblance.Errorf(semblance.NotFound, "the %s vanished before it was read", what).WithCause(err)
	case errors.Is(err, fs.ErrPermission):
		return semblance.Errorf(semblance.Forbidden, "the %s may not be read by this user", what).
			WithHint("Run the scan as a user who may read it, or mount the evidence for this user.").WithCause(err)
	}
	var no syscall.Errno
	if errors.Is(err, syscall.EIO) {
		return semblance.Errorf(semblance.MediaDamaged, "the %s could not be read: the disk reports an input/output error", what).
			WithHint("Copy the disk with a tool that goes on after errors, like ddrescue, and scan the copy.").WithCause(err)
	}
	if errors.As(err, &no) {
		return semblance.Errorf(semblance.MediaDamaged, "the %s could not be read: %s", what, no.Error()).WithCause(err)
	}
	return semblance.Errorf(semblance.MediaDamaged, "the %s could not be read", what).WithCause(err)
}

// escape makes any file name text: bytes that are not UTF-8, control characters
// and the backslash itself become \xHH, so that two names never look alike.
func escape(name string) string {
	if utf8.ValidString(name) && !strings.ContainsFunc(name, odd) {
		return name
	}
	var b strings.Builder
	for i := 0; i < len(name); {
		r, n := utf8.DecodeRuneInString(name[i:])
		if r == utf8.RuneError && n == 1 || odd(r) {
			for _, c := range []byte(name[i : i+n]) {
				fmt.Fprintf(&b, `\x%02x`, c)
			}
		} else {
			b.WriteString(name[i : i+n])
		}
		i += n
	}
	return b.String()
}

func odd(r rune) bool { return r < 0x20 || r == 0x7f || r == '\\' }
