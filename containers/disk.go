package containers

import (
	"io"
)

// A disk tells volumes and file systems of a device. The Sleuth Kit's is in tsk.go.
type disk interface {
	// volumes lists what a table of volumes says, in the order of the device. table is
	// empty when there is none.
	volumes(how tableSearch) (list []volume, table string, backup bool, err error)
	// system opens the file system at an offset; index counts those that share a place
	// (volumes of an APFS container). io.EOF: there is none; any other error is a
	// sentence about one that there is.
	system(offset int64, index int) (fileSystem, error)
	close()
}

// A fileSystem is one that is open.
type fileSystem interface {
	info() fsInfo
	// walk calls yield for every name, also those of deleted files, until it is false.
	walk(yield func(fsName) bool) error
	// free calls yield for every stretch of the device that nothing uses.
	free(yield func(span) bool) error
	open(f fileKey) (fsFile, error)
	close()
}

// An fsFile is the content of a file. ReadAt is as The Sleuth Kit reads it, runs are where
// it lies; the latter are enough where meta says plain.
type fsFile interface {
	io.ReaderAt
	meta() fsMeta
	runs() []fsRun
	close()
}

// A volumeKind says what a stretch of a disk is to the table of volumes.
type volumeKind int

const (
	volumeUsed   volumeKind = 1
	volumeUnused volumeKind = 2
	volumeTable  volumeKind = 3
)

// A tableSearch says which tables of volumes count.
type tableSearch int

const (
	tableSure    tableSearch = iota
	tableGuessed             // also those that boot sectors of file systems pass for
	tableBeyond              // also those whose volumes begin behind the end of the device
)

type volume struct {
	span
	kind volumeKind
	what string // as the table calls it
}

type fsInfo struct {
	kind      string // "ext4", "ntfs", "fat32", ...
	span             // in the device
	reach     int64  // where it would end if the image did not end before
	block     int64  // bytes
	base      int64  // of block 0 in the device
	direct    bool   // blocks lie in the device as they are
	zoned     bool   // its times are UTC; else they have no zone
	encrypted bool
}

// A fileKey is what a file system finds content by.
type fileKey struct {
	inode    uint64
	kind, id uint16 // of the attribute; 0, 0: the usual one
}

type nameKind int

const (
	nameOther nameKind = iota
	nameFile
	nameFolder
	nameLink
	nameVirtual // made up by The Sleuth Kit
)

type metaState int

const (
	metaNone   metaState = iota // the name points to nothing, or to something newer
	metaUsed                    // to what is in use
	metaUnused                  // to what is not in use anymore
)

type fsName struct {
	path   string // with the stream, if it is one
	key    fileKey
	kind   nameKind
	listed bool // the name is in use
	state  metaState
}

// An fsTime is a time that is kept; seconds since 1970, zero: none.
type fsTime struct {
	seconds int64
	nanos   uint32
}

type fsMeta struct {
	size              int64
	times             [5]fsTime // modified, accessed, changed, created, deleted
	nameTimes         [4]fsTime // NTFS: those of $FILE_NAME
	unused            bool      // the inode is not in use
	none              bool      // it has no content of the kind asked for
	plain             bool      // all of it lies in runs
	resident          bool      // it lies in the inode
	compressed        bool
	encrypted         bool
	initialized, skip int64 // bytes that were ever written; bytes before the content in the first run
	blocks, others    int64 // of a deleted file: blocks looked at, and those that are in use again
	link              string
}

// An fsRun is a stretch of blocks of a file.
type fsRun struct {
	offset, addr, blocks int64 // addr -1: zeros
}
