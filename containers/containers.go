// Package containers opens what holds files: archives, disk images, documents, mailboxes,
// databases, caches. It parses foreign bytes and is linked into the worker only, where it
// runs in the cage; it reads through descriptors that were passed in and writes nothing.
//
// The name most callers need is [Open].
package containers

import (
	"io"
	"slices"

	"semblance"
)

// A Part is one of the files a container lies in. The first is the one that was found;
// further ones are segments in their order.
type Part struct {
	Name string // base name; formats are told by content, segments also by name
	// R may be an *os.File, which is then asked where its holes are (SEEK_DATA): an image
	// of terabytes that is empty is not read.
	R    io.ReaderAt
	Size int64
}

// A Reader goes through the entries of a container. It is used by one goroutine.
//
// The order of entries is a function of the bytes alone. A reader that knows all its
// entries beforehand and can read them in any order gives them sorted with [Sort], what
// pays first; a reader that has to read in sequence gives them as they come.
type Reader interface {
	// Next returns the next entry; io.EOF after the last. Any other error ends the
	// container: what came before stands, what would have come after is lost, and the
	// error's sentence says so (MediaDamaged, MediaEncrypted, MediaTooLarge).
	Next() (semblance.Entry, error)
	// Open returns the content of the entry that Next gave last; it is valid until the
	// next call. Content that turns out to be damaged (a checksum that does not agree, a
	// stream cut short) ends with a *semblance.Error instead of io.EOF; what was read
	// before is what there is.
	Open() (io.Reader, error)
	// Facts are what is known so far; complete after io.EOF.
	Facts() semblance.ContainerFacts
	Close() error
}

// Options say how to open a container.
type Options struct {
	semblance.ContainerOptions
	// Progress is called during work that takes long before an entry comes, such as the
	// verification of an image, with bytes done of bytes in all. A reader that stays
	// silent for a minute is taken for one that hangs. It may be nil.
	Progress func(done, total int64)
	// MotionVideo finds the video inside a motion photo. It may be nil.
	MotionVideo func(r io.ReaderAt, size int64) (off, n int64, ok bool)
	// SequenceFilm makes a film, of the size of the file, of the image sequence that a HEIC
	// or AVIF file has beside its picture. It may be nil.
	SequenceFilm func(r io.ReaderAt, size int64) (film io.ReaderAt, ok bool)

	files []Part // that are being opened
}

func (o *Options) progress(done, total int64) {
	if o.Progress != nil {
		o.Progress(done, total)
	}
}

// A format is a kind of container.
type format struct {
	name string
	// is reports whether a file is of this format. head is the first headLen bytes of
	// it, or less; it decides by content, with the name as a hint where content cannot
	// decide (an mbox, a raw image). It must be cheap: it is asked of every file that is
	// not a picture or a video.
	is   func(head []byte, p Part) bool
	open func(parts []Part, o Options) (Reader, error)
}

// headLen is how many bytes of a file formats see at once.
const headLen = 4096

// formats are asked in this order: those with a strong signature first, those that have
// to guess last.
var formats = slices.Concat([]format{{"picture", isPicture, openPicture}}, archiveFormats, []format{
	{"ewf", isEWF, openEWF},
	{"vhd", isVHD, openVHD},
	{"vmdk", isVMDK, openVMDK},
	{"image", isForeignImage, openForeignImage},
	{"sqlite", isSQLite, openSQLite},
	{"ole", isOLE, openOLE},
	{"pst", isPST, openPST},
	{"tnef", isTNEF, openTNEF},
	{"thumbcache", isThumbCache, openThumbCache},
	{"browser cache", isSimpleCache, openSimpleCache},
	{"pdf", isPDF, openPDF},
	{"rtf", isRTF, openRTF},
	{"emlx", isEmlx, openEmlx},
	{"mbox", isMbox, openMbox},
	{"eml", isMessage, openMessage},
	{"raw", isRaw, openRaw}, // any file may be named like one
	{"text with pictures", isText, openText},
	{"embedded pictures", isCarvable, openCarvable},
})

// Sniff returns the name of the container format of a file, "" when it is none.
func Sniff(p Part) (string, error) {
	f, err := sniff(p)
	if f == nil {
		return "", err
	}
	return f.name, err
}

func sniff(p Part) (*format, error) {
	head := make([]byte, min(headLen, p.Size))
	n, err := p.R.ReadAt(head, 0)
	if err != nil && err != io.EOF {
		return nil, semblance.Errorf(semblance.MediaDamaged, "the file could not be read").WithCause(err)
	}
	for i := range formats {
		if formats[i].is(head[:n], p) {
			return &formats[i], nil
		}
	}
	return nil, nil
}

// Open opens a container. The reader is nil, without an error, when the first part is no
// container. The error has code MediaDamaged, MediaEncrypted, MediaUnsupported or
// MediaTooLarge and says what a person can do; Unavailable is that of a disk that does
// not give the bytes, here as with every entry and at the end.
func Open(parts []Part, o Options) (Reader, error) {
	s := &source{}
	parts = s.parts(parts)
	o.files = parts
	f, err := sniff(parts[0])
	if f == nil || err != nil {
		return nil, s.take(err)
	}
	r, err := f.open(parts, o)
	if r == nil || err != nil {
		return nil, s.take(err)
	}
	return &careful{r, s}, nil
}
