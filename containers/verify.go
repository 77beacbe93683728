package containers

import (
	"bytes"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"strings"

	"semblance"
	"semblance/hashing"
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
	v := func() (notes, lacking []string) {
		notes, differs := verify(dev, stored, o.progress)
		if own > 0 && differs == nil && len(lacks) == 0 {
			return notes, notes
		}
		for i, no := range differs {
			if !no || i < own {
				continue
			}
			if name := ofFile(dev, o.files, stored[i].value, o.progress); name != "" {
				notes[i] = fmt.Sprintf("the digest %s stated beside the image is that of its file %s, and agrees; of the device it says nothing", stored[i].value, name)
				differs[i] = false
			}
		}
		for i, no := range differs {
			if no {
				lacking = append(lacking, notes[i])
			}
		}
		return notes, lacking
	}
	if len(stored) == 0 && o.Verify {
		facts.Notes = append(facts.Notes, "the image was not verified: no digest of the device is stored in it or stated beside it")
	}
	if len(stored) == 0 || !o.Verify {
		v = nil
	}
	return openImage(dev, o, facts, lacks, v)
}

// ofFile returns the name of the file of an image that has a digest: of a compressed image, or
// of one in parts, people often note those of the files.
func ofFile(dev device, files []Part, value string, progress func(done, total int64)) string {
	want, err := hex.DecodeString(value)
	if j, ok := dev.(*joined); err != nil || digestNames[len(want)] == "" || ok && len(j.parts) == 1 {
		return ""
	}
	for _, f := range files {
		sums := imageDigests{len(want): nil}
		if _, err := readAll(join([]Part{f}), sums, progress); err == nil && bytes.Equal(sums[len(want)], want) {
			return f.Name
		}
	}
	return ""
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

// imageDigests are those of a device, by their length in bytes: those that are asked for.
type imageDigests map[int][]byte

// of makes the digests of what comes through pieces. Where all three cost no more than two,
// all are made.
func (d imageDigests) of(pieces <-chan []byte, done func([]byte)) {
	if hashing.DigestsTogether() && len(d) > 1 {
		all := hashing.NewDigester()
		for p := range pieces {
			all.Write(p)
			done(p)
		}
		sum := all.Sum()
		for _, v := range [][]byte{sum.MD5[:], sum.SHA1[:], sum.SHA256[:]} {
			if _, asked := d[len(v)]; asked {
				d[len(v)] = v
			}
		}
		return
	}
	each := map[int]hash.Hash{}
	for size := range d {
		each[size] = newDigest(size)
	}
	for p := range pieces {
		for _, h := range each {
			h.Write(p)
		}
		done(p)
	}
	for size, h := range each {
		d[size] = h.Sum(nil)
	}
}

// verify reads the whole device and compares. There is one note for each digest, and
// differs tells which is another, unless the device cannot be read.
func verify(dev device, stated []acquired, progress func(done, total int64)) (notes []string, differs []bool) {
	sums := imageDigests{}
	for _, a := range stated {
		if b, err := hex.DecodeString(a.value); err == nil && digestNames[len(b)] != "" {
			sums[len(b)] = nil
		}
	}
	if at, err := readAll(dev, sums, progress); err != nil {
		return []string{fmt.Sprintf("the digests of the image could not be verified: it cannot be read at byte %d (%v)", at, readable(err, at))}, nil
	}
	for _, a := range stated {
		note, no := judgeDigest(a, sums)
		notes, differs = append(notes, note), append(differs, no)
	}
	return notes, differs
}

func judgeDigest(a acquired, sums imageDigests) (note string, differs bool) {
	b, err := hex.DecodeString(a.value)
	if err != nil || digestNames[len(b)] == "" {
		return fmt.Sprintf("the digest %q %s is neither MD5, SHA-1 nor SHA-256; it was not compared", a.value, a.where), false
	}
	name, is := digestNames[len(b)], hex.EncodeToString(sums[len(b)])
	if is == a.value {
		return fmt.Sprintf("the image was verified: the %s %s agrees (%s)", name, a.where, is), false
	}
	return fmt.Sprintf("THE IMAGE DIFFERS FROM WHAT WAS ACQUIRED: the %s %s is %s, and that of the image is %s", name, a.where, a.value, is), true
}

// readAll reads a device from beginning to end, and makes its digests while it reads on;
// holes are hashed and not read.
func readAll(dev device, sums imageDigests, progress func(done, total int64)) (at int64, err error) {
	pieces, free, made := make(chan []byte, 1), make(chan []byte, 3), make(chan struct{})
	for range cap(free) {
		free <- make([]byte, 1<<20)
	}
	zeros := make([]byte, 1<<20)
	go func() {
		defer close(made)
		sums.of(pieces, func(p []byte) {
			if &p[0] != &zeros[0] {
				free <- p[:cap(p)]
			}
		})
	}()
	defer func() { close(pieces); <-made }()
	for size := dev.Size(); at < size; {
		start, end := dev.Data(at)
		if start > at {
			n := min(int64(len(zeros)), start-at)
			pieces <- zeros[:n]
			at += n
		} else {
			buf := <-free
			n, err := dev.ReadAt(buf[:min(int64(len(buf)), end-at)], at)
			if n == 0 || err != nil && err != io.EOF {
				return at + int64(n), err
			}
			pieces <- buf[:n]
			at += int64(n)
		}
		progress(at, size)
	}
	return at, nil
}
