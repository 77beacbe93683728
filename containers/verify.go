package containers

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"strings"

	"semblance"
)

// An acquired is a digest that was made of the device when it was imaged.
type acquired struct {
	value string // hexadecimal
	where string // "stored in the image", "stated beside the image"
}

// openVerified checks the digests of a device, and opens it whatever comes of it: a copy
// that does not agree is examined, and the notes say so. lacks are what is known to be
// missing.
func openVerified(dev device, o Options, facts semblance.ContainerFacts, stored []acquired, lacks ...string) (Reader, error) {
	own := len(stored)
	for _, a := range o.Acquired {
		stored = append(stored, acquired{strings.ToLower(strings.TrimSpace(a)), "stated beside the image"})
	}
	if len(stored) > 0 && o.Verify {
		notes, differs := verify(dev, stored, o.progress)
		facts.Notes = append(facts.Notes, notes...)
		if own > 0 && differs == nil && len(lacks) == 0 {
			lacks = notes
		}
		for i, no := range differs[:min(own, len(differs))] {
			if no {
				lacks = append(lacks, notes[i])
			}
		}
	}
	return openImage(dev, o, facts, lacks)
}

// digestNames are by the length of a digest in bytes.
var digestNames = map[int]string{md5.Size: "MD5", sha1.Size: "SHA-1", sha256.Size: "SHA-256"}

func newDigest(size int) hash.Hash {
	switch size {
	case md5.Size:
		return md5.New()
	case sha1.Size:
		return sha1.New()
	}
	return sha256.New()
}

// verify reads the whole device and compares. There is one note for each digest, and
// differs tells which is another, unless the device cannot be read.
func verify(dev device, stated []acquired, progress func(done, total int64)) (notes []string, differs []bool) {
	sums := map[int]hash.Hash{}
	for _, a := range stated {
		if b, err := hex.DecodeString(a.value); err == nil && digestNames[len(b)] != "" && sums[len(b)] == nil {
			sums[len(b)] = newDigest(len(b))
		}
	}
	var made []io.Writer
	for _, size := range []int{md5.Size, sha1.Size, sha256.Size} {
		if sums[size] != nil {
			made = append(made, sums[size])
		}
	}
	if at, err := readAll(dev, io.MultiWriter(made...), progress); err != nil {
		return []string{fmt.Sprintf("the digests of the image could not be verified: it cannot be read at byte %d (%v)", at, readable(err, at))}, nil
	}
	for _, a := range stated {
		note, no := judgeDigest(a, sums)
		notes, differs = append(notes, note), append(differs, no)
	}
	return notes, differs
}

func judgeDigest(a acquired, sums map[int]hash.Hash) (note string, differs bool) {
	b, err := hex.DecodeString(a.value)
	if err != nil || digestNames[len(b)] == "" {
		return fmt.Sprintf("the digest %q %s is neither MD5, SHA-1 nor SHA-256; it was not compared", a.value, a.where), false
	}
	name, is := digestNames[len(b)], hex.EncodeToString(sums[len(b)].Sum(nil))
	if is == a.value {
		return fmt.Sprintf("the image was verified: the %s %s agrees (%s)", name, a.where, is), false
	}
	return fmt.Sprintf("THE IMAGE DIFFERS FROM WHAT WAS ACQUIRED: the %s %s is %s, and that of the image is %s", name, a.where, a.value, is), true
}

// readAll reads a device from beginning to end; holes are hashed and not read.
func readAll(dev device, w io.Writer, progress func(done, total int64)) (at int64, err error) {
	buf := make([]byte, 1<<20)
	hole := false // what buf holds
	for size := dev.Size(); at < size; {
		start, end := dev.Data(at)
		if start > at {
			if !hole {
				clear(buf)
				hole = true
			}
			end = start
		} else {
			hole = false
		}
		n := int(min(int64(len(buf)), end-at))
		if !hole {
			if n, err = dev.ReadAt(buf[:n], at); n == 0 || err != nil && err != io.EOF {
				return at + int64(n), err
			}
		}
		if _, err := w.Write(buf[:n]); err != nil {
			return at, err
		}
		at += int64(n)
		progress(at, size)
	}
	return at, nil
}
