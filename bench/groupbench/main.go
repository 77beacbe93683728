// Command groupbench measures the grouping of many faces: how long a first run takes,
// how much memory, and how long it takes to add some more. The vectors are made up and
// serve for nothing but speed.
package main

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"semblance"
	"semblance/hashing"
	"semblance/index"
	"semblance/store"
)

func main() {
	persons := flag.Int("persons", 20000, "persons")
	each := flag.Int("each", 5, "faces of a person")
	more := flag.Int("more", 100, "faces to add afterwards")
	keep := flag.String("dir", "", "data folder to keep; one that was filled is taken as it is")
	fill := flag.Bool("fill", false, "only fill the data folder")
	labels := flag.String("labelled", "", "measure on this file of labelled faces instead: what semblance faces --json --embedding printed, or idols.json")
	engine := flag.String("engine", string(semblance.DefaultEngine), "of the labelled faces")
	distance := flag.Float64("distance", 0, "for the labelled faces; 0 is the engine's own")
	peer := flag.String("peer", "", "grouppeer, to group the same faces at the same distance with dlib's Chinese whispers")
	part := flag.String("half", "", "fit or test: only these of the persons")
	flag.Parse()
	if *labels != "" {
		all, err := readLabelled(*labels)
		if err == nil {
			err = measure(context.Background(), half(all, *part), semblance.EngineName(*engine), *distance, filepath.Base(*labels)+" "+*part)
		}
		if err == nil && *peer != "" {
			err = measurePeer(context.Background(), *peer, half(all, *part), semblance.EngineName(*engine), *distance, filepath.Base(*labels)+" "+*part)
		}
		exit(err)
	}
	if *peer != "" {
		exit(beside(context.Background(), *peer, *persons, *each))
	}
	exit(run(context.Background(), *persons, *each, *more, *keep, *fill))
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "groupbench:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func run(ctx context.Context, persons, each, more int, dir string, fill bool) error {
	if dir == "" {
		var err error
		if dir, err = os.MkdirTemp("", "groupbench"); err != nil {
			return err
		}
		defer os.RemoveAll(dir)
	}
	b, err := newBench(ctx, dir)
	if err != nil {
		return err
	}
	defer b.store.Close()
	if !b.filled {
		if err := b.scan(ctx, persons*each, func(i int) int { return i / each }); err != nil {
			return err
		}
	}
	b.made = int(time.Now().UnixNano() % 1e9 * 1e6) // what is added is new
	if fill {
		return nil
	}
	if b, err = b.again(ctx, dir); err != nil {
		return err
	}
	resetPeak()
	cpu := cpuSeconds()
	first, err := b.group(ctx)
	if err != nil {
		return err
	}
	fmt.Printf("grouped %d faces in %.1f s (%.1f s of processor time), peak memory %.0f MiB: %d groups, %d alone, %d pairs near\n",
		first.Faces, first.Seconds, cpuSeconds()-cpu, peak(), first.Formed, first.Alone, first.Near)
	if err := b.scan(ctx, more, func(i int) int { return b.rand.IntN(persons + persons/4) }); err != nil {
		return err
	}
	if b, err = b.again(ctx, dir); err != nil {
		return err
	}
	defer b.store.Close()
	cpu = cpuSeconds()
	added, err := b.group(ctx)
	if err != nil {
		return err
	}
	fmt.Printf("added %d faces in %.3f s (%.3f s of processor time): %d joined, %d groups, %d alone\n", added.Faces, added.Seconds, cpuSeconds()-cpu, added.Joined, added.Formed, added.Alone)
	start := time.Now()
	_, list, err := b.engine.ListGroups(ctx, who, semblance.GroupRequest{Cases: []string{"B"}}, semblance.GroupFilter{})
	if err != nil || len(list) == 0 {
		return fmt.Errorf("list: %w", err)
	}
	fmt.Printf("listed the largest in %.2f s\n", time.Since(start).Seconds())
	start = time.Now()
	if _, err = b.engine.ShowGroup(ctx, who, list[0].ID); err != nil {
		return err
	}
	fmt.Printf("showed one with the groups near it in %.2f s\n", time.Since(start).Seconds())
	return nil
}

// throwawayBench is a bench over a data folder that done removes.
func throwawayBench(ctx context.Context) (b *bench, done func(), err error) {
	dir, err := os.MkdirTemp("", "groupbench")
	if err != nil {
		return nil, nil, err
	}
	if b, err = newBench(ctx, dir); err != nil {
		os.RemoveAll(dir)
		return nil, nil, err
	}
	return b, func() { b.store.Close(); os.RemoveAll(dir) }, nil
}

// beside groups the same made-up faces here and with dlib's Chinese whispers.
func beside(ctx context.Context, peer string, persons, each int) error {
	b, done, err := throwawayBench(ctx)
	if err != nil {
		return err
	}
	defer done()
	if err := b.scan(ctx, persons*each, func(i int) int { return i / each }); err != nil {
		return err
	}
	ours, err := b.group(ctx)
	if err != nil {
		return err
	}
	var faces []labelled
	again := &bench{rand: rand.New(rand.NewPCG(1, 2)), spread: spread()}
	for i := range persons * each {
		faces = append(faces, labelled{face: again.record(i / each).Media.Analysis.FaceSets[0].Faces[0]})
	}
	_, seconds, err := whispers(ctx, peer, faces, semblance.Engines()[0], ours.Grouping.Distance)
	fmt.Printf("%d faces: ours %.1f s, stored; Chinese whispers %.1f s\n", len(faces), ours.Seconds, seconds)
	return err
}

var who = semblance.Actor{Name: "bench", Via: "cli"}

type bench struct {
	store   *store.Store
	engine  *semblance.Engine
	case_   semblance.Case
	exhibit semblance.Exhibit
	made    int
	filled  bool
	rand    *rand.Rand
	spread  []float64
}

func newBench(ctx context.Context, dir string) (*bench, error) {
	b := &bench{rand: rand.New(rand.NewPCG(1, 2)), spread: spread()}
	if err := b.open(ctx, dir); err != nil {
		return nil, err
	}
	ev := semblance.AuditEvent{Actor: who, Action: "bench"}
	var err error
	if b.case_, err = b.store.Case(ctx, "B"); err == nil {
		list, err := b.store.Exhibits(ctx, b.case_.ID)
		b.exhibit, b.filled = list[0], true
		return b, err
	}
	if b.case_, err = b.store.CreateCase(ctx, semblance.Case{Number: "B", Agency: "b", Country: "XX", Purpose: "p", Basis: "b"}, ev); err != nil {
		return nil, err
	}
	b.exhibit, _, err = b.store.OpenExhibit(ctx, semblance.Exhibit{Case: b.case_.ID, Label: "1", Source: "/x"}, ev)
	return b, err
}

func (b *bench) open(ctx context.Context, dir string) (err error) {
	if b.store, err = store.Open(ctx, dir, store.DefaultOptions()); err == nil {
		b.engine = semblance.New(semblance.Parts{Cases: b.store, Groupings: b.store, Groups: b.store, Audit: b.store, Vectors: index.NewFlat()})
	}
	return err
}

// again opens the data folder anew, as another command would.
func (b *bench) again(ctx context.Context, dir string) (*bench, error) {
	if err := b.store.Close(); err != nil {
		return nil, err
	}
	return b, b.open(ctx, dir)
}

func (b *bench) group(ctx context.Context) (semblance.GroupResult, error) {
	return b.engine.GroupFaces(ctx, who, semblance.GroupRequest{Cases: []string{"B"}})
}

// scan records n pictures of one face each.
func (b *bench) scan(ctx context.Context, n int, person func(i int) int) error {
	const batch = 2000
	for from := 0; from < n; from += batch {
		var records []semblance.ItemRecord
		for i := from; i < min(from+batch, n); i++ {
			records = append(records, b.record(person(i)))
		}
		if err := b.store.CommitItems(ctx, b.case_.ID, b.exhibit.ID, records, nil); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) record(person int) semblance.ItemRecord {
	var n [8]byte
	binary.LittleEndian.PutUint64(n[:], uint64(b.made))
	b.made++
	sum := semblance.SHA256(sha256.Sum256(n[:]))
	quality, least, most := float32(80), 0.05, 0.5
	if b.rand.IntN(5) == 0 { // poor ones lie further off
		quality, least, most = 30, 0.3, 0.7
	}
	face := semblance.Face{Box: semblance.Box{X: 10, Y: 10, W: 90, H: 110}, Score: 0.9, Quality: quality,
		Embedding: b.face(person, least+(most-least)*b.rand.Float64())}
	m := &semblance.Media{Digests: hashing.Digests{SHA256: sum, Size: 1}, Analysis: &semblance.Analysis{Type: "image/jpeg", Decoder: "none",
		FaceSets: []semblance.FaceSet{{Engine: semblance.DefaultEngine, Version: semblance.Engines()[0].Version, Faces: []semblance.Face{face}}}}}
	return semblance.ItemRecord{Item: semblance.Item{Exhibit: b.exhibit.ID, Path: fmt.Sprintf("folder/%02d/picture-%07d.jpg", b.made%100, b.made), Size: 1, SHA256: &sum, Status: semblance.ItemNew}, Media: m}
}

// spread says how unequal the dimensions are: as if there were about 60 of them, which
// gives the distances between persons the width that real ones have (0.13).
func spread() []float64 {
	s := make([]float64, semblance.Engines()[0].Dimensions)
	for i := range s {
		s[i] = math.Exp(-float64(i) / 60)
	}
	return s
}

func (b *bench) draw(r *rand.Rand) []float64 {
	v := make([]float64, len(b.spread))
	sum := 0.0
	for i := range v {
		v[i] = b.spread[i] * r.NormFloat64()
		sum += v[i] * v[i]
	}
	for i := range v {
		v[i] /= math.Sqrt(sum)
	}
	return v
}

// face is a person's own vector and noise: two faces of a person with noise x and y are
// 1 - √((1-x)(1-y)) apart.
func (b *bench) face(person int, noise float64) []float32 {
	own, n := b.draw(rand.New(rand.NewPCG(uint64(person), 7))), b.draw(b.rand)
	v := make([]float32, len(own))
	sum := 0.0
	for i := range v {
		x := math.Sqrt(1-noise)*own[i] + math.Sqrt(noise)*n[i]
		v[i] = float32(x)
		sum += x * x
	}
	for i := range v {
		v[i] = float32(float64(v[i]) / math.Sqrt(sum))
	}
	return v
}

// peak is the largest resident memory of this process so far, MiB.
func peak() float64 {
	text, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(text)) {
		var kib float64
		if n, _ := fmt.Sscanf(line, "VmHWM: %f kB", &kib); n == 1 {
			return kib / 1024
		}
	}
	return math.NaN()
}

// cpuSeconds is the processor time of this process so far. On a machine that others use
// too it says more than the clock.
func cpuSeconds() float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return math.NaN()
	}
	return float64(u.Utime.Sec+u.Stime.Sec) + float64(u.Utime.Usec+u.Stime.Usec)/1e6
}

// resetPeak lets the peak begin again at what is resident now.
func resetPeak() { _ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) }
