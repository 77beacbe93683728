package containers

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"semblance"
)

// Names of entries of an image: "vol2@1048576/DCIM/100APPLE/IMG_0001.HEIC" is in the file
// system of the second volume, which begins at that byte of the device; without a table
// of volumes the one file system is "vol1@0". "lost@1048576/..." is a file system where no
// volume begins, ".../$Orphan/..." a file whose folder is gone, "$carved/000001048576.jpg"
// what was carved at that byte.
const (
	orphanFolder = "$OrphanFiles/" // as The Sleuth Kit calls it
	orphanName   = "$Orphan/"
	carvedName   = "$carved/"
	sectorSize   = 512
)

// maxNames bounds the names of an image, of which each costs about a hundred bytes.
const maxNames = 1 << 24

// A ref is what is kept of a name: everything else is read again when its turn comes.
type ref struct {
	name    int64 // in diskImage.names
	length  int32
	system  int16
	urgency int8
	kind    nameKind8
	key     fileKey
	listed  bool
	state   metaState8
}

type (
	nameKind8  int8
	metaState8 int8
)

// A system is a file system of an image.
type system struct {
	fileSystem
	info   fsInfo
	prefix string
	lost   bool
	names  int
}

// A diskImage is a reader of the file systems of a device and of what lies between.
type diskImage struct {
	dev     device
	o       Options
	disk    disk
	systems []*system
	names   []byte
	refs    []ref
	at      int
	unread  []semblance.Entry // volumes that are not read, after the files
	file    fsFile            // of the entry that was given last
	gone    int64             // its first byte behind the end of the image, or -1
	facts   semblance.ContainerFacts
	free    []span // to be carved
	carve   *carver
	carved  io.Reader
	deep    int
	beyond  []reach  // what reaches behind the end of the image
	lacks   []string // what of the device is not there
	spare   string   // what of it lacks unless a file lies there

	// verify checks the digests of the device, and gives notes and which of them tell of
	// something that lacks; nil: there is nothing to check. Whenever it is asked, they stand
	// behind the first noted notes and lacked lacks.
	verify        func() (notes, lacks []string)
	noted, lacked int
}

func openImage(dev device, o Options, facts semblance.ContainerFacts, lacks []string, verify func() (notes, lacks []string)) (Reader, error) {
	im := &diskImage{dev: dev, o: o, facts: facts, lacks: slices.Clone(lacks), verify: verify, noted: len(facts.Notes), lacked: len(lacks)}
	if !o.Last {
		im.verified()
	}
	d, err := openDisk(dev, im.alive)
	if err != nil {
		return nil, err
	}
	im.disk = d
	if err := im.list(); err != nil {
		im.Close()
		return nil, err
	}
	return im, nil
}

// verified checks the digests, once.
func (im *diskImage) verified() {
	if im.verify == nil {
		return
	}
	notes, lacks := im.verify()
	im.facts.Notes, im.lacks = slices.Insert(im.facts.Notes, im.noted, notes...), slices.Insert(im.lacks, im.lacked, lacks...)
	im.verify = nil
}

// alive says that work goes on.
func (im *diskImage) alive(done int64) { im.o.progress(min(done, im.dev.Size()), im.dev.Size()) }

func (im *diskImage) note(format string, args ...any) {
	im.facts.Notes = append(im.facts.Notes, fmt.Sprintf(format, args...))
}

// list finds volumes, file systems and names.
func (im *diskImage) list() error {
	if err := im.findSystems(); err != nil {
		return err
	}
	im.compareEnds()
	for i, s := range im.systems {
		im.listNames(i, s)
	}
	if im.deep > 0 {
		im.note("%d folders lie deeper than %d folders in each other; what is in them is found by carving only", im.deep, maxDepth)
	}
	im.sort()
	if im.o.Unalloc {
		im.findFree()
	}
	return nil
}

// findSystems opens every file system of the device.
func (im *diskImage) findSystems() error {
	list, table, backup, err := im.disk.volumes(tableSure)
	if err != nil {
		return err
	}
	if protects(list) { // the other table is refused where its volumes begin behind the end
		if l, t, b, err := im.disk.volumes(tableBeyond); err != nil {
			return err
		} else if t == "gpt" {
			list, table, backup = l, t, b
		}
	}
	whole := span{0, im.dev.Size()}
	if table == "" {
		if im.open(whole, "vol1@0", false) {
			return nil
		}
		if list, table, backup, err = im.disk.volumes(tableGuessed); err != nil {
			return err
		}
	}
	if head := make([]byte, 1024); table == "" {
		if n, _ := im.dev.ReadAt(head, 0); isTable(head[:n], im.dev.Size()) {
			if list, table, backup, err = im.disk.volumes(tableBeyond); err != nil {
				return err
			}
		}
	}
	if table == "" {
		im.notRead(whole, "vol1@0", "the device")
		im.lost(whole)
		for _, s := range im.systems {
			im.reaches(im.reachOf(s.info), "the file system %s (%s)", strings.TrimSuffix(s.prefix, "/"), s.info.kind)
		}
		return nil
	}
	if backup {
		im.note("the table of volumes (%s) is damaged; its copy at the end of the device was used", table)
	}
	im.tableReaches(table, list)
	im.eachVolume(list)
	if len(im.systems) == 0 || im.systems[0].info.start > 0 {
		if im.open(whole, "vol0@0", true) {
			im.note("a file system begins at the first byte of the device, beside a table of volumes (%s)", table)
		}
	}
	return nil
}

func (im *diskImage) eachVolume(list []volume) {
	number := 0
	for _, v := range list {
		switch v.kind {
		case volumeUsed:
			number++
			name, says := fmt.Sprintf("vol%d@%d", number, v.start), fmt.Sprintf("volume %d at byte %d (%s)", number, v.start, v.what)
			if v.start >= im.dev.Size() || v.start < 0 {
				im.refuse(v.span, name, semblance.MediaDamaged, fmt.Sprintf("%s lies behind the end of the image, which ends at byte %d", says, im.dev.Size()))
			} else if !im.open(v.span, name, false) {
				im.notRead(v.span, name, says)
			}
		case volumeUnused:
			im.lost(v.span)
		}
	}
}

// open opens what file systems begin at a place, and reports whether there is one.
func (im *diskImage) open(at span, prefix string, lost bool) (any bool) {
	for i := 0; i < 100; i++ {
		fs, err := im.disk.system(at.start, i)
		if err == io.EOF {
			break
		}
		name := prefix
		if i > 0 || err == nil && !fs.info().direct && fs.info().kind == "apfs" {
			name = fmt.Sprintf("%s/apfs%d", prefix, i+1)
		}
		any = true
		if err != nil {
			im.refuse(at, name, semblance.CodeOf(err), err.Error())
			im.addFree(at)
			continue
		}
		im.systems = append(im.systems, &system{fileSystem: fs, info: fs.info(), prefix: name + "/", lost: lost})
		if end := fs.info().end; end < at.end {
			im.addFree(span{end, at.end})
		}
		if !lost && i == 0 {
			im.reaches(im.reachOf(fs.info()), "the file system %s (%s)", name, fs.info().kind)
		}
		if fs.info().direct {
			break
		}
	}
	return any
}

// lost looks for file systems in a stretch that no volume has: where partitioning tools
// let the first begin.
func (im *diskImage) lost(at span) {
	im.addFree(at)
	for _, start := range []int64{at.start, 63 * sectorSize, 1 << 20} {
		if start > 0 && start >= at.start && start+64<<10 <= at.end && !im.begins(start) && im.open(span{start, at.end}, fmt.Sprintf("lost@%d", start), true) {
			im.note("a file system was found at byte %d, where no volume begins", start)
		}
	}
}

func (im *diskImage) begins(at int64) bool {
	return slices.ContainsFunc(im.systems, func(s *system) bool { return s.info.start == at })
}

// notRead says what a volume is whose file system is not read. It is carved, unless it is
// encrypted.
func (im *diskImage) notRead(at span, name, says string) {
	what, encrypted := foreignSystem(im.dev, at.start)
	_, err := im.dev.ReadAt(make([]byte, sectorSize), at.start)
	switch {
	case err != nil && err != io.EOF:
		im.refuse(at, name, semblance.MediaDamaged, fmt.Sprintf("%s has no file system that can be read: %v", says, readable(err, at.start)))
	case encrypted:
		im.refuse(at, name, semblance.MediaEncrypted, fmt.Sprintf("%s is encrypted (%s)", says, what))
		return
	case what != "":
		im.refuse(at, name, semblance.MediaUnsupported, fmt.Sprintf("%s has a file system that is not read (%s)", says, what))
	case at.end > im.dev.Size():
		im.refuse(at, name, semblance.MediaDamaged, fmt.Sprintf("%s is cut short and has no file system that can be read: the image ends at byte %d, and it reaches to byte %d", says, im.dev.Size(), at.end))
	default:
		im.refuse(at, name, semblance.MediaUnsupported, says+" has no file system that is read")
	}
	im.addFree(at)
}

// refuse makes an entry of a volume that is not read, so that it is counted.
func (im *diskImage) refuse(at span, name string, code semblance.Code, reason string) {
	im.note("%s: %s", name, reason)
	im.unread = append(im.unread, semblance.Entry{Name: []byte(name), Kind: semblance.EntryFile, Size: max(at.end-at.start, 0), Offset: at.start, Code: code, Reason: reason})
}

func (im *diskImage) addFree(s span) {
	if s.start < s.end {
		im.free = append(im.free, s)
	}
}

// maxDepth is how deep The Sleuth Kit follows folders.
const maxDepth = 127

// listNames keeps the names of one file system.
func (im *diskImage) listNames(i int, s *system) {
	full := false
	err := s.walk(func(n fsName) bool {
		if full = len(im.refs) >= maxNames || len(im.names) > 4<<30; full {
			return false
		}
		im.add(i, s, n)
		if len(im.refs)%4096 == 0 {
			im.alive(0)
		}
		return true
	})
	if full {
		im.note("%s has more than %d names; the others are found by carving only", strings.TrimSuffix(s.prefix, "/"), maxNames)
	}
	if err != nil {
		im.note("%s (%s): %v", strings.TrimSuffix(s.prefix, "/"), s.info.kind, err)
	}
	where := ""
	if s.info.encrypted {
		where = ", parts of which are encrypted"
	}
	im.note("%s: %s%s, %s", strings.TrimSuffix(s.prefix, "/"), s.info.kind, where, several(s.names, "name", "names"))
}

func (im *diskImage) add(i int, s *system, n fsName) {
	if n.kind == nameFolder && strings.Count(n.path, "/") >= maxDepth {
		im.deep++
	}
	if n.kind == nameVirtual || n.kind == nameFolder || s.ofTheSystem(n) {
		return
	}
	path := strings.TrimPrefix(n.path, "/")
	if rest, ok := strings.CutPrefix(path, orphanFolder); ok {
		path, n.listed = orphanName+rest, false
	}
	start := len(im.names)
	im.names = append(append(im.names, s.prefix...), path...)
	s.names++
	im.refs = append(im.refs, ref{name: int64(start), length: int32(len(im.names) - start), system: int16(i), urgency: int8(semblance.Urgency(path)),
		kind: nameKind8(n.kind), key: n.key, listed: n.listed && !s.lost, state: metaState8(n.state)})
}

// ofTheSystem reports whether a file is the file system's own, not a user's: the tables
// of NTFS and HFS+. What Windows moves into $Deleted is a user's.
func (s *system) ofTheSystem(n fsName) bool {
	switch s.info.kind {
	case "ntfs":
		own := strings.HasPrefix(n.path, "$Extend/") && !strings.HasPrefix(n.path, "$Extend/$Deleted/")
		return own || n.key.inode < 24 && n.state != metaNone
	case "hfs":
		return n.key.inode > 0 && n.key.inode < 16
	case "exfat":
		return n.path == "$ALLOC_BITMAP" || n.path == "$UPCASE_TABLE"
	}
	return false
}

func (im *diskImage) name(r *ref) []byte { return im.names[r.name : r.name+int64(r.length)] }

// sort orders as Sort does.
func (im *diskImage) sort() {
	slices.SortStableFunc(im.refs, func(a, b ref) int {
		if a.urgency != b.urgency {
			return int(a.urgency) - int(b.urgency)
		}
		return slices.Compare(im.name(&a), im.name(&b))
	})
}

// findFree gathers what is to be carved.
func (im *diskImage) findFree() {
	for _, s := range im.systems {
		last := int64(0)
		err := s.free(func(r span) bool {
			im.addFree(r)
			if r.start-last > 64<<20 {
				last = r.start
				im.alive(r.start)
			}
			return len(im.free) < maxNames
		})
		if err != nil {
			im.note("%s (%s): %v", strings.TrimSuffix(s.prefix, "/"), s.info.kind, err)
		}
	}
	im.free = merge(im.free, im.dev.Size())
	im.carve = newCarver(im.dev, im.free, im.o.progress)
}

// merge sorts stretches and joins those that touch or overlap.
func merge(spans []span, size int64) []span {
	slices.SortFunc(spans, func(a, b span) int {
		switch {
		case a.start < b.start:
			return -1
		case a.start > b.start:
			return 1
		}
		return 0
	})
	out := spans[:0]
	for _, s := range spans {
		s.start, s.end = max(s.start, 0), min(s.end, size)
		if s.start >= s.end {
			continue
		}
		if n := len(out); n > 0 && s.start <= out[n-1].end {
			out[n-1].end = max(out[n-1].end, s.end)
			continue
		}
		out = append(out, s)
	}
	return out
}

// Next gives files first, what pays first before the others, then volumes that are not
// read, and then what is carved, in the order of the device.
func (im *diskImage) Next() (semblance.Entry, error) {
	im.closeFile()
	im.carved, im.gone = nil, -1
	if im.at < len(im.refs) {
		r := &im.refs[im.at]
		im.at++
		return im.entry(r), nil
	}
	if len(im.unread) > 0 {
		e := im.unread[0]
		im.unread = im.unread[1:]
		return e, nil
	}
	if im.carve == nil {
		return semblance.Entry{}, im.end()
	}
	e, content, err := im.carve.next()
	if err == io.EOF {
		im.facts.Notes = append(im.facts.Notes, im.carve.notes()...)
		im.carve, err = nil, im.end()
	}
	im.carved = content
	return e, err
}

func (im *diskImage) closeFile() {
	if im.file != nil {
		im.file.close()
		im.file = nil
	}
}

// entry reads again what a name points to.
func (im *diskImage) entry(r *ref) semblance.Entry {
	s := im.systems[r.system]
	e := semblance.Entry{Name: slices.Clone(im.name(r)), Kind: semblance.EntryFile, Size: -1, Deleted: !r.listed, Inode: r.key.inode, Offset: -1}
	switch nameKind(r.kind) {
	case nameLink:
		e.Kind = semblance.EntryLink
	case nameOther:
		e.Kind = semblance.EntrySpecial
	}
	state := metaState(r.state)
	if e.Deleted && state == metaNone {
		return lostContent(e, "only its name is left")
	}
	f, err := s.open(r.key)
	if err != nil {
		e.Code, e.Reason = semblance.MediaDamaged, err.Error()
		return e
	}
	im.file = f
	m := f.meta()
	if e.Deleted && state == metaUsed && !s.lost && !m.unused {
		im.closeFile() // what it says is of another file
		return lostContent(e, "what it pointed to belongs to another file by now")
	}
	e.Deleted = e.Deleted || m.unused
	e.Size, e.Target, e.Times = m.size, m.link, timesOf(&s.info, &m)
	if e.Kind == semblance.EntryFile {
		im.judge(&e, s, m)
	}
	return e
}

func lostContent(e semblance.Entry, why string) semblance.Entry {
	e.Code, e.Reason = semblance.MediaDamaged, "deleted, and "+why
	return e
}

// judge says where content lies, and what of it can be read.
func (im *diskImage) judge(e *semblance.Entry, s *system, m fsMeta) {
	switch {
	case m.encrypted:
		e.Code, e.Reason = semblance.MediaEncrypted, "the file is encrypted by the file system ("+s.info.kind+")"
		return
	case m.none && m.size > 0:
		e.Code, e.Reason = semblance.MediaDamaged, "the file system does not tell where its content lies"
	case e.Deleted && m.size == 0:
		*e = lostContent(*e, "the file system does not tell anymore where its content lay, or it was empty")
	case m.others > 0:
		e.Reason = fmt.Sprintf("deleted; %d of %d blocks are in use by other files by now, and its content there may be theirs", m.others, m.blocks)
	}
	if s.info.direct && !m.resident && !m.none {
		runs := im.file.runs()
		im.gone = im.behind(s.info, m, runs)
		for _, run := range runs {
			if run.addr >= 0 {
				e.Offset = s.info.base + run.addr*s.info.block + m.skip
				break
			}
		}
	}
}

// Open returns the content of the entry that Next gave last.
func (im *diskImage) Open() (io.Reader, error) {
	if im.carved != nil {
		return im.carved, nil
	}
	if im.file == nil {
		return nil, semblance.Errorf(semblance.MediaDamaged, "the entry has no content that can be read")
	}
	m := im.file.meta()
	if m.none || m.size <= 0 {
		return strings.NewReader(""), nil
	}
	if !m.plain {
		return &fileReader{r: im.file, size: m.size, gone: im.gone}, nil
	}
	return newRunReader(im.dev, im.systems[im.refs[im.at-1].system].info, im.file.runs(), m), nil
}

// Facts tell volumes and file systems; what carving came to, after io.EOF.
func (im *diskImage) Facts() semblance.ContainerFacts {
	f := im.facts
	f.Notes = slices.Clone(f.Notes)
	if im.verify != nil { // whoever ends here has to know
		f.Notes = slices.Insert(f.Notes, im.noted, "the digests of the image were not verified, because it was not gone through to its end")
	}
	return f
}

// Close ends it.
func (im *diskImage) Close() error {
	im.closeFile()
	for _, s := range im.systems {
		s.close()
	}
	im.systems = nil
	if im.disk != nil {
		im.disk.close()
		im.disk = nil
	}
	return nil
}
