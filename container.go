package semblance

import (
	"bytes"
	"os"
)

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
	Verify    bool     `json:"verify,omitempty"`    // check the acquisition hashes of an image, before anything else
	Last      bool     `json:"last,omitempty"`      // ... or when all that is in it was given
	Acquired  []string `json:"acquired,omitempty"`  // hexadecimal digests stated beside the image: MD5, SHA-1 or SHA-256 of the imaged device
	Sound     bool     `json:"sound,omitempty"`     // the file is opened for its audio streams, each an entry as a Matroska file, and nothing else
	Missing   []string `json:"missing,omitempty"`   // names of parts that are not there though later ones are, which were not joined over the gap
}

// ContainerFacts are what opening a container told.
type ContainerFacts struct {
	Format string `json:"format"` // "zip", "7z", "ewf", "pdf", "sqlite", ...
	// Notes are sentences for the report: "the image's MD5 was verified: ...", "3 of 5
	// partitions have a file system that is not read". In a fixed order.
	Notes    []string `json:"notes,omitempty"`
	Password int      `json:"password,omitempty"` // from 1: which of the passwords opened it; 0: none was needed
}

// A ContainerFile is one of the files a container lies in, open for reading.
type ContainerFile struct {
	Name string // base name, as in the exhibit
	File *os.File
}

// An Opened is what opening an item as a container gave.
type Opened struct {
	ContainerFacts
	Entries  int64  `json:"entries"`          // items made of it
	Complete bool   `json:"complete"`         // nothing is left to be done; false while it is open, and after an interruption
	Code     Code   `json:"code,omitempty"`   // why it ended before its end
	Reason   string `json:"reason,omitempty"` // the same as a sentence
}

// An OpenState says how far the opening of an item as a container has come.
type OpenState int

// The states.
const (
	NotOpened  OpenState = iota // it is no container
	HalfOpened                  // it was being opened when the scan ended
	WholeOpened
)

// Below counts the items recorded inside a container, however deep.
type Below struct {
	Items      int64
	Containers int64
	ByStatus   map[ItemStatus]int64
	Errors     map[Code]int64 // of failed ones
	Plans      []string       // different plans they were examined under
	HalfOpen   int64          // containers among them that were being opened when the scan ended
	Transient  int64          // failed for a reason that may have passed
}

// HoldsHead is how many bytes of a file [Holds] wants to see.
const HoldsHead = 33 << 10

// Holds reports whether a file begins as disk images and archives do, with one of the marks
// that the usual kinds have at a fixed place. Only the worker knows what it is.
func Holds(head []byte) bool {
	for _, m := range []struct {
		at   int
		mark string
	}{
		{0, "EVF\x09\x0d\x0a\xff\x00"}, {0, "KDMV"}, {0, "# Disk Descriptor"}, {0, "conectix"}, // EWF, VMDK, VHD
		{510, "\x55\xaa"}, {512, "EFI PART"}, {0, "ER\x02\x00"}, // MBR, and the boot sectors of FAT and NTFS; GPT; Apple's table
		{1080, "\x53\xef"}, {1024, "H+"}, {1024, "HX"}, {32, "NXSB"}, {32769, "CD001"}, // ext, HFS+, APFS, ISO 9660
		{0, "PK\x03\x04"}, {0, "Rar!\x1a\x07"}, {0, "7z\xbc\xaf\x27\x1c"}, {257, "ustar"},
		{0, "\x1f\x8b\x08"}, {0, "BZh"}, {0, "\xfd7zXZ\x00"}, {0, "\x28\xb5\x2f\xfd"}, {0, "ANDROID BACKUP\n"},
	} {
		if len(head) >= m.at+len(m.mark) && string(head[m.at:m.at+len(m.mark)]) == m.mark {
			return true
		}
	}
	return false
}

// MayHold reports whether a file may be a container, from its first CarriesHead bytes and
// its last CarriesTail. Only the worker knows; this spares it the question about pictures, videos and programs
// that plainly hold nothing.
func MayHold(head, tail []byte) bool {
	if len(head) < 16 {
		return false
	}
	if Carries(head, tail) {
		return true
	}
	for _, magic := range []string{"\xff\xd8\xff", "\x89PNG\r\n\x1a\n", "GIF8", "BM", "II*\x00", "MM\x00*", "\x1aE\xdf\xa3", "ID3", "OggS", "fLaC", "RIFF"} {
		if bytes.HasPrefix(head, []byte(magic)) {
			return false
		}
	}
	switch string(head[4:8]) {
	case "ftyp", "moov", "mdat", "wide":
		return false
	}
	return true
}
