package containers

import (
	"bufio"
	"bytes"
	"hash/fnv"
	"io"
	"path"
	"regexp"
	"strings"

	"semblance"
)

// Extractions of phones are archives that tell, each in its own way, where on the device a
// file was: Cellebrite's reports in a list beside the files, iOS backups in a database,
// the others in the names themselves.

// maxOrigins bounds the memory for what a list states; a million files need 200 MiB.
const maxOrigins = 512 << 20

// origins are the device paths of an archive's entries.
type origins struct {
	name   func(int) []byte
	texts  []byte  // an origin's fields, each ended by a NUL
	at     []int64 // by entry: its place in texts, from 1; 0: none is stated
	source string  // of the times
	// locked are entries whose content is encrypted by the phone, and why.
	locked map[int32]bool
	why    string
}

// An origin is what a list says of a file.
type origin struct {
	path    string
	deleted bool
	times   [3]string // created, modified, accessed; RFC 3339 or empty
}

func (o *origins) set(i int, f origin) bool {
	if o.at[i] != 0 || len(o.texts) > maxOrigins {
		return false
	}
	o.at[i] = int64(len(o.texts)) + 1
	state := ""
	if f.deleted {
		state = "deleted"
	}
	for _, s := range []string{f.path, state, f.times[0], f.times[1], f.times[2]} {
		o.texts = append(append(o.texts, strings.ReplaceAll(s, "\x00", "")...), 0)
	}
	return true
}

func (o *origins) field(at *int64) string {
	s := o.texts[*at:]
	n := bytes.IndexByte(s, 0)
	*at += int64(n) + 1
	return string(s[:n])
}

// path is the origin of an entry; where no list states one, its name may be one.
func (o *origins) path(i int) string {
	if at := o.at[i] - 1; at >= 0 {
		return o.field(&at)
	}
	return devicePath(o.name(i))
}

// describe adds what is known to an entry, and returns the times that are stated.
func (o *origins) describe(i int, e *semblance.Entry) (times []semblance.FileTime) {
	e.Origin = o.path(i)
	at := o.at[i] - 1
	if at < 0 {
		return nil
	}
	o.field(&at)
	e.Deleted = e.Deleted || o.field(&at) != ""
	for _, what := range []string{"created", "modified", "accessed"} {
		if t := o.field(&at); t != "" {
			times = append(times, semblance.FileTime{What: what, Time: t, Source: o.source})
		}
	}
	return times
}

// deviceFolders begin paths of a phone's own file system, wherever an extraction put it:
// UFED's "filesystem1/", "Dump/", or nothing at all (GrayKey).
var deviceFolders = regexp.MustCompile(`^(?:/?(?:filesystem\d+|Dump|fs)/)?/?((?:private/var|var/mobile|data/data|data/media|data/user|data/user_de|data/app|data/system|storage/emulated|mnt/sdcard|sdcard)/.*)$`)

// devicePath is the device path that a name states by itself; empty when it states none.
func devicePath(name []byte) string {
	m := deviceFolders.FindSubmatch(name)
	if m == nil {
		return ""
	}
	return "/" + strings.ToValidUTF8(string(m[1]), "\ufffd")
}

// phone finds out what kind of extraction an archive is, and reads its list.
func (z *zipReader) phone(o *Options) *origins {
	out := &origins{name: z.name, at: make([]int64, len(z.refs))}
	for i := range z.refs {
		switch name := z.name(i); {
		case strings.EqualFold(string(name), "report.xml"):
			z.ufdr(i, out, o)
		case path.Base(string(name)) == "Manifest.db":
			z.iosBackup(i, out, o)
		}
	}
	z.disagree = 0
	return out
}

// read opens an entry for the reader's own use.
func (z *zipReader) read(i int) (io.Reader, *semblance.Error) {
	e := semblance.Entry{Kind: semblance.EntryFile}
	ref := z.refs[i]
	z.entry, z.opener = z.header(i), nil
	if _, err := z.readLocal(ref); err != nil || ref.flags&zipOverlaps != 0 {
		return nil, damaged("it is damaged")
	}
	if z.prepare(&e); e.Code != "" {
		return nil, semblance.Errorf(e.Code, "%s", e.Reason)
	}
	r, err := z.opener()
	if err != nil {
		return nil, damaged("it is damaged").WithCause(err)
	}
	return r, nil
}

// byPath is the archive's entries by a hash of their names.
func (z *zipReader) byPath() map[uint64]int32 {
	m := make(map[uint64]int32, len(z.refs))
	for i := range z.refs {
		m[pathHash(string(z.name(i)))] = int32(i)
	}
	return m
}

func pathHash(p string) uint64 {
	h := fnv.New64a()
	io.WriteString(h, strings.ToLower(strings.ReplaceAll(p, `\`, "/")))
	return h.Sum64()
}

// ufdr reads the list of files of a Cellebrite report.
func (z *zipReader) ufdr(i int, out *origins, o *Options) {
	r, serr := z.read(i)
	if serr != nil {
		z.note("report.xml cannot be read, so that no device path is known: %s", serr.Msg)
		return
	}
	in := bufio.NewReaderSize(&progressReader{r: r, o: o, total: z.entry.size}, 1<<20)
	if head, _ := in.Peek(4 << 10); !bytes.Contains(bytes.ToLower(head), []byte("cellebrite")) {
		return
	}
	z.facts.Format, out.source = "ufdr", "Cellebrite report.xml"
	files := z.byPath()
	found, twice, absent := 0, 0, 0
	err := readUFDR(in, func(local string, f origin) {
		switch at, ok := files[pathHash(local)]; {
		case !ok:
			absent++
		case !out.set(int(at), f):
			twice++
		default:
			found++
		}
	})
	z.note("report.xml states the device path of %s", several(found, "file", "files"))
	if absent > 0 {
		z.note("files that report.xml names and the archive does not hold: %d", absent)
	}
	if twice > 0 {
		z.note("files for which report.xml has more than one device path, of which the first is shown, or that were too many: %d", twice)
	}
	if err != nil {
		z.note("report.xml is damaged or cut short; device paths behind that are not known")
	}
}

var backupName = regexp.MustCompile(`^[0-9a-f]{2}/[0-9a-f]{40}$`)

// maxManifest bounds the memory of a Manifest.db: that of a million files has 600 MiB.
const maxManifest = 1 << 30

// iosBackup reads the database of an iOS backup that tells what its files, named by a
// digest, were called on the phone.
func (z *zipReader) iosBackup(i int, out *origins, o *Options) {
	prefix := strings.TrimSuffix(string(z.name(i)), "Manifest.db")
	files := map[string]int32{}
	for k := range z.refs {
		if rest, ok := strings.CutPrefix(string(z.name(k)), prefix); ok && backupName.MatchString(rest) {
			files[rest[3:]] = int32(k)
		}
	}
	if len(files) == 0 {
		return
	}
	z.facts.Format = "ios-backup"
	r, serr := z.read(i)
	if serr != nil {
		z.note("Manifest.db cannot be read, so that no device path is known: %s", serr.Msg)
		return
	}
	b, err := io.ReadAll(io.LimitReader(&progressReader{r: r, o: o, total: z.entry.size}, maxManifest+1))
	if err != nil || len(b) > maxManifest {
		z.note("Manifest.db is damaged or has more than %d MiB, so that no device path is known", maxManifest>>20)
		return
	}
	if !isSQLite(b[:min(len(b), 100)], Part{}) {
		out.lock(files)
		z.note("the iOS backup is encrypted by the phone: its %d files are not examined", len(files))
		return
	}
	found := 0
	err = readManifest(b, *o, func(id, domain, relative string) {
		if k, ok := files[id]; ok && out.set(int(k), origin{path: domain + "/" + relative}) {
			found++
		}
	})
	z.note("Manifest.db states domain and path of %d of %d files", found, len(files))
	if err != nil {
		z.note("Manifest.db is damaged: %v", err)
	}
}

func (o *origins) lock(files map[string]int32) {
	if o.locked == nil {
		o.locked = map[int32]bool{}
	}
	for _, i := range files {
		o.locked[i] = true
	}
	o.why = "encrypted by the phone (an encrypted iOS backup); make the backup readable with the phone's backup password and scan that"
}

// readManifest goes through the table Files of a Manifest.db.
func readManifest(b []byte, o Options, each func(id, domain, relative string)) error {
	db := &database{file: Part{R: bytes.NewReader(b), Size: int64(len(b))}, cache: map[uint32][]byte{}, damaged: map[uint32]bool{}, o: o}
	if err := db.header(b); err != nil {
		return err
	}
	tables, err := db.schema()
	if err != nil {
		return err
	}
	for _, t := range tables {
		if t.name != "Files" {
			continue
		}
		err := db.tree(t.root, t.index, 0, func(c cell) error {
			row := map[string]string{}
			values, _ := record(&c.payload)
			for _, v := range values {
				if name := t.column(v.column); name == "fileID" || name == "domain" || name == "relativePath" {
					row[name] = db.text(&c.payload, v)
				}
			}
			each(row["fileID"], row["domain"], row["relativePath"])
			return nil
		})
		if err != nil {
			return err
		}
	}
	if len(db.damaged) > 0 {
		return damaged("%d of its pages cannot be read", len(db.damaged))
	}
	return nil
}
