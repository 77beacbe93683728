// Command indexbench is our side of bench/index_peer.py: it fills a flat index with the
// rows of a file and searches when it is told to.
//
//	indexbench FOLDER ROWS DIMS COLLECTIONS
//
// FOLDER has rows.f32, vectors of float32 one after the other, and keeps the index,
// which is opened when it is there already and filled otherwise. The rows are shared
// out evenly over the collections, every row its own subject with its number as ID. Then, for each line of standard input:
//
//	search FILE K TIMES    search the vectors of FILE; the answers go to FILE.ids and FILE.distances
//	add N | remove N       change N rows
//	memory                 what is resident
//
// Every answer is a line of JSON with the seconds it took.
package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"log"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"semblance"
	"semblance/index"
)

func main() {
	if len(os.Args) != 5 {
		log.Fatal("usage: indexbench FOLDER ROWS DIMS COLLECTIONS")
	}
	b := bench{folder: os.Args[1], rows: number(os.Args[2]), collections: number(os.Args[4]), out: json.NewEncoder(os.Stdout)}
	b.space = semblance.EngineSpec{Name: "bench", Version: 1, Dimensions: number(os.Args[3]), Metric: semblance.Euclid}
	if err := b.run(context.Background(), os.Stdin); err != nil {
		log.Fatal(err)
	}
}

func number(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		log.Fatal(err)
	}
	return n
}

type bench struct {
	folder            string
	rows, collections int
	space             semblance.EngineSpec
	flat              *index.Flat
	version           int64
	added             int
	out               *json.Encoder
}

func (b *bench) name(i int) semblance.CollectionID {
	return semblance.CollectionID("collection " + strconv.Itoa(i))
}

func (b *bench) run(ctx context.Context, in io.Reader) (err error) {
	start := time.Now()
	if b.flat, err = index.OpenFlat(filepath.Join(b.folder, "index"), index.Options{}); err != nil {
		return err
	}
	defer b.flat.Close()
	opened := time.Since(start)
	filled := 0.0
	for i := range b.collections {
		if v, err := b.flat.Version(ctx, b.space, b.name(i)); err != nil || v == 1 {
			continue
		}
		start := time.Now()
		if err := b.fill(ctx, i); err != nil {
			return err
		}
		filled += time.Since(start).Seconds()
	}
	b.version = 1
	if err := b.out.Encode(map[string]any{"open_s": opened.Seconds(), "fill_s": filled}); err != nil {
		return err
	}
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		if err := b.command(ctx, strings.Fields(lines.Text())); err != nil {
			return err
		}
	}
	return lines.Err()
}

func (b *bench) command(ctx context.Context, words []string) error {
	switch {
	case len(words) == 4 && words[0] == "search":
		return b.search(ctx, words[1], number(words[2]), number(words[3]))
	case len(words) == 2 && words[0] == "add":
		return b.change(ctx, true, number(words[1]))
	case len(words) == 2 && words[0] == "remove":
		return b.change(ctx, false, number(words[1]))
	case len(words) == 1 && words[0] == "memory":
		return b.memory()
	}
	return fmt.Errorf("%q is no command", words)
}

// fill reads the rows of one collection from the file.
func (b *bench) fill(ctx context.Context, i int) error {
	f, err := os.Open(filepath.Join(b.folder, "rows.f32"))
	if err != nil {
		return err
	}
	defer f.Close()
	each := b.rows / b.collections
	if _, err := f.Seek(int64(i)*int64(each)*int64(b.space.Dimensions)*4, io.SeekStart); err != nil {
		return err
	}
	return b.flat.Replace(ctx, b.space, b.name(i), 1, entries(bufio.NewReaderSize(f, 1<<20), b.space.Dimensions, i*each, each))
}

func entries(r io.Reader, dims, first, n int) iter.Seq2[semblance.VectorEntry, error] {
	return func(yield func(semblance.VectorEntry, error) bool) {
		for i := first; i < first+n; i++ {
			v, err := read(r, dims)
			if !yield(semblance.VectorEntry{ID: id(i), Subject: strconv.Itoa(i), Vector: v}, err) {
				return
			}
		}
	}
}

// id is as long as the program's own.
func id(i int) semblance.ReferenceID { return semblance.ReferenceID(fmt.Sprintf("%032d", i)) }

func read(r io.Reader, n int) ([]float32, error) {
	v := make([]float32, n)
	err := binary.Read(r, binary.LittleEndian, v)
	return v, err
}

func (b *bench) search(ctx context.Context, path string, k, times int) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	q := semblance.VectorQuery{Space: b.space, Subjects: k}
	for range int(info.Size()) / 4 / b.space.Dimensions {
		v, err := read(f, b.space.Dimensions)
		if err != nil {
			return err
		}
		q.Vectors = append(q.Vectors, v)
	}
	for i := range b.collections {
		q.Collections = append(q.Collections, b.name(i))
	}
	var seconds []float64
	var answers [][]semblance.Neighbor
	for range times {
		start := time.Now()
		if answers, err = b.flat.Search(ctx, q); err != nil {
			return err
		}
		seconds = append(seconds, time.Since(start).Seconds())
	}
	var ids []byte
	var distances []byte
	for _, a := range answers {
		for _, n := range a {
			ids = binary.LittleEndian.AppendUint64(ids, uint64(number(strings.TrimLeft(string(n.ID[:len(n.ID)-1]), "0")+string(n.ID[len(n.ID)-1]))))
			distances = binary.LittleEndian.AppendUint64(distances, math.Float64bits(n.Distance))
		}
	}
	if err := os.WriteFile(path+".ids", ids, 0o600); err != nil {
		return err
	}
	if err := os.WriteFile(path+".distances", distances, 0o600); err != nil {
		return err
	}
	return b.out.Encode(map[string]any{"seconds": seconds})
}

// change adds rows that are new, or removes rows that were there from the start.
func (b *bench) change(ctx context.Context, add bool, n int) error {
	var c semblance.VectorChange
	r := rand.New(rand.NewPCG(uint64(b.version), 1))
	for range n {
		if !add {
			c.Remove = append(c.Remove, id(r.IntN(b.rows/b.collections)))
			continue
		}
		v := make([]float32, b.space.Dimensions)
		for i := range v {
			v[i] = float32(r.NormFloat64())
		}
		b.added++
		c.Add = append(c.Add, semblance.VectorEntry{ID: id(b.rows + b.added), Subject: strconv.Itoa(b.rows + b.added), Vector: v})
	}
	b.version++
	start := time.Now()
	if err := b.flat.Update(ctx, b.space, b.name(0), b.version, c); err != nil {
		return err
	}
	return b.out.Encode(map[string]any{"seconds": []float64{time.Since(start).Seconds()}})
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
				out[key+"_MiB"] = number(f[1]) / 1024
			}
		}
	}
	return b.out.Encode(out)
}
