// Command pdqbench is our side of bench/pdq_peer.py: it fills a hash index with the PDQs of a
// file and searches when it is told to.
//
//	pdqbench FOLDER
//
// FOLDER has values.pdq, 32 bytes each, and keeps the index, which is opened when it is
// there already and filled otherwise; an entry's ID is its place, from 1. Then, for each
// line of standard input:
//
//	search FILE RADIUS     search the values of FILE one after the other
//	batch FILE RADIUS      search them at once, 10,000 at a time
//	add N                  add N random entries
//	merged                 wait until the segments are merged
//	memory                 what is resident
//
// Answers go to FILE.found: for each value the number of entries, and for each of those ID and
// distance, all in 64 bits. Every answer is a line of JSON with the seconds it took; a search also tells
// those of the processor, which are all of it with GOMAXPROCS=1.
package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"log"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"semblance"
	"semblance/hashing"
	"semblance/index"
)

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: pdqbench FOLDER")
	}
	b := bench{folder: os.Args[1], out: json.NewEncoder(os.Stdout)}
	if err := b.run(context.Background(), os.Stdin); err != nil {
		log.Fatal(err)
	}
}

const collection = semblance.CollectionID("bench")

type bench struct {
	folder string
	hashes *index.Hashes
	held   semblance.HashHolding
	out    *json.Encoder
}

func (b *bench) open(ctx context.Context) (seconds float64, err error) {
	start := time.Now()
	if b.hashes, err = index.OpenHashes(filepath.Join(b.folder, "index"), index.Options{Note: log.Printf}); err != nil {
		return 0, err
	}
	seconds = time.Since(start).Seconds()
	b.held, err = b.hashes.Held(ctx, collection)
	return seconds, err
}

func (b *bench) run(ctx context.Context, in io.Reader) error {
	opened, err := b.open(ctx)
	if err != nil {
		return err
	}
	start := time.Now()
	if b.held.Version == 0 {
		if err := b.fill(ctx); err != nil {
			return err
		}
	}
	if err := b.out.Encode(map[string]any{"open_s": opened, "fill_s": time.Since(start).Seconds()}); err != nil {
		return err
	}
	for lines := bufio.NewScanner(in); lines.Scan(); {
		if err := b.do(ctx, strings.Fields(lines.Text())); err != nil {
			return err
		}
	}
	return b.hashes.Close()
}

func (b *bench) do(ctx context.Context, words []string) error {
	switch {
	case len(words) == 3 && (words[0] == "search" || words[0] == "batch"):
		radius, err := strconv.Atoi(words[2])
		if err != nil {
			return err
		}
		return b.search(ctx, words[1], radius, words[0] == "batch")
	case len(words) == 2 && words[0] == "add":
		n, err := strconv.Atoi(words[1])
		if err != nil {
			return err
		}
		return b.add(ctx, n)
	case len(words) == 1 && words[0] == "merged":
		return b.merged(ctx)
	case len(words) == 1 && words[0] == "memory":
		return b.memory()
	}
	return fmt.Errorf("%q is no command", words)
}

// fill reads the file.
func (b *bench) fill(ctx context.Context) error {
	f, err := os.Open(filepath.Join(b.folder, "values.pdq"))
	if err != nil {
		return err
	}
	defer f.Close()
	if err := b.hashes.Replace(ctx, collection, 1, entries(bufio.NewReaderSize(f, 1<<20))); err != nil {
		return err
	}
	b.held, err = b.hashes.Held(ctx, collection)
	return err
}

func entries(r io.Reader) iter.Seq2[semblance.HashEntry, error] {
	return func(yield func(semblance.HashEntry, error) bool) {
		value := make([]byte, 32)
		for id := semblance.EntryID(1); ; id++ {
			_, err := io.ReadFull(r, value)
			if errors.Is(err, io.EOF) {
				return
			}
			if !yield(semblance.HashEntry{ID: id, Algorithm: hashing.AlgorithmPDQ, Value: value}, err) {
				return
			}
		}
	}
}

func (b *bench) search(ctx context.Context, path string, radius int, batch bool) error {
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	q := semblance.HashQuery{Algorithm: hashing.AlgorithmPDQ, Collections: []semblance.CollectionID{collection}, Radius: radius}
	for ; len(content) >= 32; content = content[32:] {
		q.Values = append(q.Values, content[:32])
	}
	all, step := q.Values, 1
	if batch {
		step = 10_000
	}
	runtime.LockOSThread() // whose clock is read
	defer runtime.UnlockOSThread()
	var seconds, processor []float64
	var found []byte
	for at := 0; at < len(all); at += step {
		q.Values = all[at:min(at+step, len(all))]
		start, used := time.Now(), threadTime()
		answers, err := b.hashes.Search(ctx, q)
		if err != nil {
			return err
		}
		seconds, processor = append(seconds, time.Since(start).Seconds()), append(processor, threadTime()-used)
		for _, a := range answers {
			found = binary.LittleEndian.AppendUint64(found, uint64(len(a)))
			for _, n := range a {
				found = binary.LittleEndian.AppendUint64(found, uint64(n.Entry))
				found = binary.LittleEndian.AppendUint64(found, uint64(n.Distance))
			}
		}
	}
	if err := os.WriteFile(path+".found", found, 0o600); err != nil {
		return err
	}
	return b.out.Encode(map[string]any{"seconds": seconds, "processor": processor})
}

// add adds random entries.
func (b *bench) add(ctx context.Context, n int) error {
	r := rand.New(rand.NewPCG(uint64(b.held.Last), 1))
	var c semblance.HashChange
	for i := range n {
		var v []byte
		for range 4 {
			v = binary.LittleEndian.AppendUint64(v, r.Uint64())
		}
		c.Add = append(c.Add, semblance.HashEntry{ID: b.held.Last + semblance.EntryID(i) + 1, Algorithm: hashing.AlgorithmPDQ, Value: v})
	}
	start := time.Now()
	if err := b.hashes.Update(ctx, collection, b.held.Version+1, c); err != nil {
		return err
	}
	seconds := time.Since(start).Seconds()
	var err error
	if b.held, err = b.hashes.Held(ctx, collection); err != nil {
		return err
	}
	return b.out.Encode(map[string]any{"seconds": []float64{seconds}})
}

// merged closes the index, which waits, and opens it again.
func (b *bench) merged(ctx context.Context) error {
	start := time.Now()
	if err := b.hashes.Close(); err != nil {
		return err
	}
	seconds := time.Since(start).Seconds()
	if _, err := b.open(ctx); err != nil {
		return err
	}
	return b.out.Encode(map[string]any{"seconds": []float64{seconds}})
}

// memory tells what is resident, and how much of it is files.
func (b *bench) memory() error {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return err
	}
	out := map[string]any{}
	for line := range strings.Lines(string(status)) {
		for _, key := range []string{"RssAnon", "RssFile", "VmRSS", "VmHWM"} {
			if f := strings.Fields(line); len(f) > 1 && f[0] == key+":" {
				kib, err := strconv.Atoi(f[1])
				if err != nil {
					return err
				}
				out[key+"_MiB"] = kib / 1024
			}
		}
	}
	return b.out.Encode(out)
}
