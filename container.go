package semblance

// A container is an item that holds files: an archive, a disk image, a document, a
// mailbox, a database, a cache of thumbnails. What it holds are entries; each becomes an
// item whose path is that of the container, "//" and the entry's name, however deep
// containers lie in each other: "phone.zip//DCIM/100APPLE/IMG_0001.HEIC".

// ContainerSeparator stands between a container's path and the names of its entries. No
// path of a folder contains it.
const ContainerSeparator = "//"

// An EntryKind says what an entry of a container is.
type EntryKind string

// The kinds. Only files have content.
const (
	EntryFile    EntryKind = "file"
	EntryFolder  EntryKind = "folder"  // named for its times only; folders are not items
	EntryLink    EntryKind = "link"    // recorded and not followed
	EntrySpecial EntryKind = "special" // a device, a pipe, a stream of a kind that is not read
)

// An Entry is one thing a container holds, as the container describes it. It comes from
// foreign bytes: nothing in it is to be trusted.
type Entry struct {
	// Name is the path inside the container: components between slashes, in the
	// container's own bytes, which need not be UTF-8. Absolute names, "..", empty
	// components and names that occur twice are as they are there; whoever makes a path
	// of them makes them harmless and distinct.
	Name []byte    `json:"name"`
	Kind EntryKind `json:"kind"`
	// Origin is the path on the device where the file was taken, as an extraction of a
	// phone states it, in UTF-8; empty when nothing states one.
	Origin string `json:"origin,omitempty"`
	Size   int64  `json:"size"` // bytes; -1: not known before it has been read
	// Times are in a fixed order: modified, accessed, changed, created, deleted.
	Times   []FileTime `json:"times,omitempty"`
	Deleted bool       `json:"deleted,omitempty"` // the file system no longer lists it, or it was carved
	Carved  bool       `json:"carved,omitempty"`  // found by its signature alone, without a file system
	Inode   uint64     `json:"inode,omitempty"`   // its number in a file system, a mailbox, a cache
	Offset  int64      `json:"offset"`            // of its first byte in the container (of an image: in the imaged device); -1: not known
	Target  string     `json:"target,omitempty"`  // of a link
	// Code and Reason say why it cannot be read: MediaEncrypted, MediaUnsupported (a
	// compression method, say), MediaDamaged. An empty code: it can be tried, and a reason is
	// a remark: "carved; the picture breaks off ...".
	Code   Code   `json:"code,omitempty"`
	Reason string `json:"reason,omitempty"`
}

// A FileTime is a time a file system or an archive keeps of a file.
type FileTime struct {
	What   string `json:"what"`   // "modified", "accessed", "changed" (the record), "created", "deleted"
	Time   string `json:"time"`   // RFC 3339; without a zone where the source keeps local time and no zone: "2019-05-04T10:11:12"
	Source string `json:"source"` // where it is kept: "zip extended timestamp", "FAT directory entry", "ext4 inode"
}

// A ContainerPart is one of the files a container lies in.
type ContainerPart struct {
	Name string // base name, by which segments are told apart
	Size int64
}

// ContainerOptions bound and help the opening of a container.
type ContainerOptions struct {
	Passwords []string `json:"passwords,omitempty"` // tried in this order
	Unalloc   bool     `json:"unalloc,omitempty"`   // carve what no file system claims
	Verify    bool     `json:"verify,omitempty"`    // check the acquisition hashes of an image before anything else
	Acquired  []string `json:"acquired,omitempty"`  // hexadecimal digests stated beside the image: MD5, SHA-1 or SHA-256 of the imaged device
}

// ContainerFacts are what opening a container told.
type ContainerFacts struct {
	Format string `json:"format"` // "zip", "7z", "ewf", "pdf", "sqlite", ...
	// Notes are sentences for the report: "the image's MD5 was verified: ...", "3 of 5
	// partitions have a file system that is not read". In a fixed order.
	Notes    []string `json:"notes,omitempty"`
	Password int      `json:"password,omitempty"` // from 1: which of the passwords opened it; 0: none was needed
}
