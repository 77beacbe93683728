// Command digestbench makes a digest set of counted SHA-1 digests and looks digests up
// in it, one core, for bench/digest_peer.py.
//
//	digestbench fill FOLDER N         makes a set of N digests without a source file
//	digestbench list FILE N           writes them as a plain list instead, in the order of counting
//	digestbench probes FILE N         writes what find looks up, 20 bytes each
//	digestbench dump FILE OUT         writes the digests of a file of a set, sorted, 20 bytes each
//	digestbench find FILE N TIMES     opens a file of a set; looks up 1,000,000 digests, half of them there, TIMES times
package main

import (
	"bufio"
	"context"
	"crypto/sha1"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"semblance"
	"semblance/index/digestset"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "digestbench:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) < 3 {
		return errors.New("see the comment at the top of bench/digestbench")
	}
	if args[0] == "dump" {
		return dump(args[1], args[2])
	}
	n, err := strconv.ParseInt(args[2], 10, 64)
	if err != nil {
		return err
	}
	switch {
	case args[0] == "fill":
		return fill(args[1], n)
	case args[0] == "list":
		return list(args[1], n)
	case args[0] == "probes":
		return os.WriteFile(args[1], probes(n), 0o600)
	case args[0] == "find" && len(args) == 4:
		times, err := strconv.Atoi(args[3])
		if err != nil {
			return err
		}
		return find(args[1], n, times)
	}
	return fmt.Errorf("no command %q", args[0])
}

// digest is the i-th digest.
func digest(i int64) [20]byte {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], uint64(i))
	return sha1.Sum(b[:])
}

// A counted source gives the digests of 0 to n-1.
type counted struct {
	at, n int64
	sum   [20]byte
}

func (c *counted) Describe() (semblance.SetSource, int64) {
	return semblance.SetSource{Name: "counted", Format: "counted", Unit: "row", Bytes: c.n}, c.n
}

func (c *counted) Next(_ context.Context, r *semblance.DigestRow) error {
	if c.at == c.n {
		return io.EOF
	}
	c.sum = digest(c.at)
	c.at++
	*r = semblance.DigestRow{Row: c.at, SHA1: c.sum[:], Size: c.at % 100_000_000}
	return nil
}

func (c *counted) Position() semblance.SourcePosition {
	return semblance.SourcePosition{Offset: c.at, Row: c.at}
}

func (c *counted) Seek(_ context.Context, at semblance.SourcePosition) error {
	c.at = at.Offset
	return nil
}

func (c *counted) Sum(context.Context) (semblance.SHA256, error) { return semblance.SHA256{}, nil }

func fill(folder string, n int64) error {
	l, err := digestset.OpenLibrary(folder, digestset.Options{}, nil, nil)
	if err != nil {
		return err
	}
	start := time.Now()
	s, err := l.BuildSet(context.Background(), semblance.DigestSet{Collection: "bench", Name: "counted"}, &counted{n: n}, nil)
	if err != nil {
		return err
	}
	if err := l.FinishSet(s); err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(map[string]any{"seconds": time.Since(start).Seconds(), "set": s})
}

func list(path string, n int64) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, 1<<20)
	line := make([]byte, 41)
	line[40] = '\n'
	for i := range n {
		d := digest(i)
		hex.Encode(line, d[:])
		if _, err := w.Write(line); err != nil {
			return err
		}
	}
	return errors.Join(w.Flush(), f.Close())
}

func dump(path, out string) error {
	s, err := digestset.Open(path)
	if err != nil {
		return err
	}
	f, err := os.Create(out)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, 1<<20)
	for i := range s.Len() {
		r, err := s.Record(i)
		if err != nil {
			return err
		}
		if _, err := w.Write(r.Digest); err != nil {
			return err
		}
	}
	return errors.Join(w.Flush(), f.Close(), s.Close())
}

// probes are a million digests in no order, the first of each two there.
func probes(n int64) []byte {
	const many = 1_000_000
	out := make([]byte, 0, many*20)
	x := uint64(88172645463325252)
	for i := range many {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		at := int64(x % uint64(n))
		if i%2 == 1 {
			at += n
		}
		d := digest(at)
		out = append(out, d[:]...)
	}
	return out
}

// processor returns the seconds that this process has used, which other work on the
// machine disturbs less than the clock.
func processor() (float64, error) {
	var u unix.Rusage
	err := unix.Getrusage(unix.RUSAGE_SELF, &u)
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9, err
}

func find(path string, n int64, times int) error {
	values := probes(n)
	found := make([]int64, len(values)/20)
	start := time.Now()
	s, err := digestset.Open(path)
	if err != nil {
		return err
	}
	opened := time.Since(start)
	var seconds []float64
	for range times {
		before, err := processor()
		if err != nil {
			return err
		}
		if err := s.Find(values, found); err != nil {
			return err
		}
		after, err := processor()
		if err != nil {
			return err
		}
		seconds = append(seconds, after-before)
	}
	wrong := 0
	for i, f := range found {
		if (f >= 0) != (i%2 == 0) {
			wrong++
		}
	}
	before, err := processor() // one after the other, as a scan does
	if err != nil {
		return err
	}
	for i := 0; i < len(found); i += 10 {
		if err := s.Find(values[i*20:][:20], found[:1]); err != nil {
			return err
		}
	}
	after, err := processor()
	alone := (after - before) / float64(len(found)/10)
	return errors.Join(err, json.NewEncoder(os.Stdout).Encode(map[string]any{"open_ms": 1000 * opened.Seconds(), "lookups": len(found), "seconds": seconds, "wrong": wrong, "alone_us": 1e6 * alone}), s.Close())
}
