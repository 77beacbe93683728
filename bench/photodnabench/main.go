// Command photodnabench is our side of bench/photodna_peer.py: it fills an index of supplied
// values with the 144-byte values of a file and searches when it is told to.
//
//	photodnabench FOLDER
//
// FOLDER has values.bin, one value after the other, and keeps the index, which is opened when
// it is there already and filled otherwise; an entry's ID is its place, from 1. Then, for each
// line of standard input:
//
//	search FILE DISTANCE   search the values of FILE one after the other
//	batch FILE DISTANCE    search them at once
//	add N | remove N       change N entries
//	memory                 what is resident
//
// Answers go to FILE.found: for each value the number of entries, and for each of those ID and
// distance, all in 64 bits. Every answer is a line of JSON with the seconds it took.
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
	"strconv"
	"strings"
	"time"

	"semblance"
	"semblance/hashing"
	"semblance/index/supplied"
)

const (
	collection = semblance.CollectionID("bench")
	width      = 144
)

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: photodnabench FOLDER")
	}
	b := bench{folder: os.Args[1], out: json.NewEncoder(os.Stdout)}
	if err := b.run(context.Background(), os.Stdin); err != nil {
		log.Fatal(err)
	}
}

type bench struct {
	folder string
	index  *supplied.Index
	held   semblance.HashHolding
	out    *json.Encoder
}

func (b *bench) run(ctx context.Context, in io.Reader) error {
	start := time.Now()
	var err error
	if b.index, err = supplied.Open(filepath.Join(b.folder, "index"), supplied.Options{Note: log.Printf}); err != nil {
		return err
	}
	opened := time.Since(start).Seconds()
	if b.held, err = b.index.Held(ctx, collection); err != nil {
		return err
	}
	start = time.Now()
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
	return b.index.Close()
}

func (b *bench) do(ctx context.Context, words []string) error {
	n, err := 0, error(nil)
	if len(words) > 1 {
		if n, err = strconv.Atoi(words[len(words)-1]); err != nil {
			return err
		}
	}
	switch {
	case len(words) == 3 && (words[0] == "search" || words[0] == "batch"):
		return b.search(ctx, words[1], n, words[0] == "batch")
	case len(words) == 2 && (words[0] == "add" || words[0] == "remove"):
		return b.change(ctx, n, words[0] == "add")
	case len(words) == 1 && words[0] == "memory":
		return b.memory()
	}
	return fmt.Errorf("%q is no command", words)
}

func (b *bench) fill(ctx context.Context) error {
	f, err := os.Open(filepath.Join(b.folder, "values.bin"))
	if err != nil {
		return err
	}
	defer f.Close()
	if err := b.index.Replace(ctx, collection, 1, entries(bufio.NewReaderSize(f, 1<<20))); err != nil {
		return err
	}
	b.held, err = b.index.Held(ctx, collection)
	return err
}

func entries(r io.Reader) iter.Seq2[semblance.HashEntry, error] {
	return func(yield func(semblance.HashEntry, error) bool) {
		value := make([]byte, width)
		for id := semblance.EntryID(1); ; id++ {
			_, err := io.ReadFull(r, value)
			if errors.Is(err, io.EOF) {
				return
			}
			if !yield(semblance.HashEntry{ID: id, Algorithm: hashing.AlgorithmPhotoDNA, Value: value}, err) {
				return
			}
		}
	}
}

func (b *bench) search(ctx context.Context, path string, distance int, batch bool) error {
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	q := semblance.HashQuery{Algorithm: hashing.AlgorithmPhotoDNA, Collections: []semblance.CollectionID{collection}, Radius: distance}
	var all [][]byte
	for ; len(content) >= width; content = content[width:] {
		all = append(all, content[:width])
	}
	step := 1
	if batch {
		step = len(all)
	}
	var seconds []float64
	var found []byte
	for at := 0; at < len(all); at += step {
		q.Values = all[at : at+step]
		start := time.Now()
		answers, err := b.index.Search(ctx, q)
		if err != nil {
			return err
		}
		seconds = append(seconds, time.Since(start).Seconds())
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
	return b.out.Encode(map[string]any{"seconds": seconds})
}

// change adds random entries, or removes entries at random places.
func (b *bench) change(ctx context.Context, n int, add bool) error {
	r := rand.New(rand.NewPCG(uint64(b.held.Version), 1))
	var c semblance.HashChange
	for i := range n {
		if !add {
			c.Remove = append(c.Remove, semblance.EntryID(1+r.Int64N(int64(b.held.Last))))
			continue
		}
		v := make([]byte, width)
		for k := range v {
			v[k] = byte(r.Uint32())
		}
		c.Add = append(c.Add, semblance.HashEntry{ID: b.held.Last + semblance.EntryID(i) + 1, Algorithm: hashing.AlgorithmPhotoDNA, Value: v})
	}
	start := time.Now()
	if err := b.index.Update(ctx, collection, b.held.Version+1, c); err != nil {
		return err
	}
	seconds := time.Since(start).Seconds()
	var err error
	if b.held, err = b.index.Held(ctx, collection); err != nil {
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
		for _, key := range []string{"RssAnon", "RssFile", "VmHWM"} {
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
