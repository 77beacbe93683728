package scan

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// exists reports whether a path is a regular file.
func exists(path string) bool {
	info, err := os.Lstat(path)
	return err == nil && info.Mode().IsRegular()
}

// mostSegments bounds the files one container may lie in: EWF ends at .ZZZ.
const mostSegments = 15_000

// mostMissing bounds the names of missing ones.
const mostMissing = 100

// segments are the further files a container lies in, in order, when path is the first of
// several: image.E01, image.001, archive.part1.rar, archive.rar with .r00, archive.zip
// with .z01. Those of an EWF image are found beyond missing ones, because they are
// numbered inside; the others are not joined over a gap, and missing are the names in it.
func segments(path string, exists func(string) bool) (more, missing []string) {
	if wal := path + "-wal"; exists(wal) { // of a SQLite database: what is not yet in it
		return []string{wal}, nil
	}
	name := filepath.Base(path)
	more = unbroken(path, exists)
	next, ewf := following(path), ewfFirst.MatchString(name)
	if next == nil || !ewf && !numFirst.MatchString(name) {
		return more, nil
	}
	there := namesIn(filepath.Dir(path))
	for i := len(more) + 1; i < mostSegments; i++ {
		p := next(i)
		if p == "" {
			break
		}
		switch base := filepath.Base(p); {
		case !there[base]:
			if len(missing) < mostMissing {
				missing = append(missing, base)
			}
		case !ewf && len(base) == len(name):
			return more, missing
		case ewf && holdsEWF(p):
			more = append(more, p)
		}
	}
	return more, nil
}

// unbroken are the further files up to the first that is missing.
func unbroken(path string, exists func(string) bool) (more []string) {
	next := following(path)
	for i := 1; next != nil && i < mostSegments; i++ {
		p := next(i)
		if p == "" || !exists(p) {
			break
		}
		more = append(more, p)
	}
	return more
}

// namesIn are the names in a folder; of one that cannot be read there are none.
func namesIn(dir string) map[string]bool {
	f, err := os.Open(dir)
	if err != nil {
		return nil
	}
	defer f.Close()
	names, _ := f.Readdirnames(-1)
	there := make(map[string]bool, len(names))
	for _, n := range names {
		there[n] = true
	}
	return there
}

// holdsEWF reports whether a file begins as a segment of an EWF image. Names do not tell:
// beside disk.E01, disk.EXE would be its segment 702.
func holdsEWF(path string) bool {
	f, err := openRegular(path)
	if err != nil {
		return false
	}
	defer f.Close()
	head := make([]byte, 5)
	_, err = io.ReadFull(f, head)
	switch string(head) {
	case "EVF\x09\x0d", "LVF\x09\x0d", "EVF2\x0d", "LVF2\x0d":
		return err == nil
	}
	return false
}

var (
	ewfFirst  = regexp.MustCompile(`(?i)^(.*\.(?:e|l|s|ex|lx))01$`)
	numFirst  = regexp.MustCompile(`^(.*\.)(0*)([01])$`)
	rarFirst  = regexp.MustCompile(`(?i)^(.*\.part)(0*)1(\.rar)$`)
	vmdkFirst = regexp.MustCompile(`(?i)^(.*)\.vmdk$`)
)

// following gives the name of the i-th file after the first, nil when path is not the
// first of any scheme.
func following(path string) func(i int) string {
	dir, name := filepath.Split(path)
	if m := ewfFirst.FindStringSubmatch(name); m != nil {
		return func(i int) string { return dir + ewfName(m[1], i+1) }
	}
	if m := rarFirst.FindStringSubmatch(name); m != nil {
		return func(i int) string { return dir + m[1] + pad(i+1, len(m[2])+1) + m[3] }
	}
	if m := numFirst.FindStringSubmatch(name); m != nil && len(m[2]) >= 1 {
		first := int(m[3][0] - '0')
		return func(i int) string { return dir + m[1] + pad(first+i, len(m[2])+1) }
	}
	if m := vmdkFirst.FindStringSubmatch(name); m != nil {
		if flat := dir + m[1] + "-flat.vmdk"; exists(flat) {
			return func(i int) string {
				if i == 1 {
					return flat
				}
				return ""
			}
		}
		return func(i int) string { return dir + fmt.Sprintf("%s-s%03d.vmdk", m[1], i) }
	}
	base := strings.TrimSuffix(name, filepath.Ext(name))
	switch strings.ToLower(filepath.Ext(name)) {
	case ".rar":
		return func(i int) string { return dir + base + fmt.Sprintf(".r%02d", i-1) }
	case ".zip":
		return func(i int) string { return dir + base + fmt.Sprintf(".z%02d", i) }
	}
	return nil
}

func pad(n, width int) string { return fmt.Sprintf("%0*d", width, n) }

// ewfName is the name of segment n: E01 to E99, then EAA to EZZ, FAA, and so on; capitals
// as in stem.
func ewfName(stem string, n int) string {
	if n < 100 {
		return stem + fmt.Sprintf("%02d", n)
	}
	n -= 100
	letter := stem[len(stem)-1]
	base := byte('A')
	if letter >= 'a' {
		base = 'a'
	}
	third := letter + byte(n/(26*26))
	if third > base+25 {
		return ""
	}
	n %= 26 * 26
	return stem[:len(stem)-1] + string([]byte{third, base + byte(n/26), base + byte(n%26)})
}

var laterForms = []struct {
	form  *regexp.Regexp
	first func(m []string, n int) []string
}{
	{regexp.MustCompile(`(?i)^(.*\.(?:e|l|s|ex|lx))(\d\d)$`), func(m []string, n int) []string {
		if n < 2 {
			return nil
		}
		return []string{m[1] + "01"}
	}},
	{regexp.MustCompile(`(?i)^(.*\.)([e-z])[a-z][a-z]$`), func(m []string, _ int) []string { return []string{m[1] + "E01", m[1] + "e01"} }},
	{regexp.MustCompile(`^(.*\.)(\d{2,6})$`), func(m []string, n int) []string {
		if n < 1 {
			return nil
		}
		var firsts []string
		if n > 1 {
			firsts = append(firsts, m[1]+pad(1, len(m[2])))
		}
		return append(firsts, m[1]+pad(0, len(m[2])))
	}},
	{regexp.MustCompile(`(?i)^(.*\.part)(\d+)(\.rar)$`), func(m []string, n int) []string {
		if n < 2 {
			return nil
		}
		return []string{m[1] + pad(1, len(m[2])) + m[3]}
	}},
	{regexp.MustCompile(`(?i)^(.*\.)r(\d\d)$`), func(m []string, _ int) []string { return []string{m[1] + "rar", m[1] + "RAR"} }},
	{regexp.MustCompile(`(?i)^(.*\.)z(\d\d)$`), func(m []string, _ int) []string { return []string{m[1] + "zip", m[1] + "ZIP"} }},
	{regexp.MustCompile(`(?i)^(.*)-(?:flat|s(\d{3}))\.vmdk$`), func(m []string, _ int) []string { return []string{m[1] + ".vmdk"} }},
}

// laterSegment reports whether a file is a segment of a container whose first file lies
// beside it. One of an EWF image is, whatever lies between.
func laterSegment(path string, exists func(string) bool) bool {
	dir, name := filepath.Split(path)
	for _, l := range laterForms {
		m := l.form.FindStringSubmatch(name)
		if m == nil {
			continue
		}
		n, _ := strconv.Atoi(m[2])
		for _, first := range l.first(m, n) {
			if !exists(dir + first) {
				continue
			}
			if ewfFirst.MatchString(first) && holdsEWF(path) || slices.Contains(unbroken(dir+first, exists), path) {
				return true
			}
		}
	}
	return false
}

var hexDigest = regexp.MustCompile(`(?i)\b(?:[0-9a-f]{64}|[0-9a-f]{40}|[0-9a-f]{32})\b`)

// statedDigests are the digests that tools write beside an image, in small text files
// named after it.
func statedDigests(path string) (digests []string) {
	base := strings.TrimSuffix(path, filepath.Ext(path))
	for _, stem := range []string{path, base} {
		for _, ext := range []string{".txt", ".md5", ".sha1", ".sha256", ".log", ".info"} {
			f, err := openRegular(stem + ext)
			if err != nil {
				continue
			}
			text, err := io.ReadAll(io.LimitReader(f, 64<<10))
			f.Close()
			if err == nil {
				digests = append(digests, hexDigest.FindAllString(string(text), 16)...)
			}
		}
	}
	return digests[:min(len(digests), 64)]
}
