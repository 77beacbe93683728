package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"semblance"
	"semblance/hashing"
)

// A labelled is a face whose person is known.
type labelled struct {
	person  string
	picture string
	face    semblance.Face
}

// readLabelled reads what `semblance faces --json --embedding` printed, or idols.json.
func readLabelled(path string) ([]labelled, error) {
	if strings.HasSuffix(path, "idols.json") {
		return readIdols(path)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var out []labelled
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		var l struct {
			Path  string
			Faces []struct {
				Box       [4]float32
				Quality   float32
				Embedding []float32
			}
		}
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
			return nil, err
		}
		for _, f := range l.Faces {
			out = append(out, labelled{personOf(l.Path), l.Path, semblance.Face{Box: semblance.Box{X: f.Box[0], Y: f.Box[1], W: f.Box[2], H: f.Box[3]}, Quality: f.Quality, Embedding: f.Embedding}})
		}
	}
	return out, lines.Err()
}

// personOf is the person a picture is named after; "" where that is not one person.
func personOf(path string) string {
	dir, name := filepath.Base(filepath.Dir(path)), strings.TrimRight(strings.TrimSuffix(filepath.Base(path), ".jpg"), "0123456789")
	switch {
	case dir == "groups" || slices.Contains([]string{"jimin", "yujin", "pristin"}, name):
		return ""
	case dir == "faces":
		return name
	}
	return dir
}

func readIdols(path string) ([]labelled, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var file struct {
		Faces []struct {
			Descriptor string
			Idol       string `json:"idol_id"`
		}
	}
	if err := json.Unmarshal(text, &file); err != nil {
		return nil, err
	}
	var out []labelled
	for i, f := range file.Faces {
		raw, err := base64.StdEncoding.DecodeString(f.Descriptor)
		if err != nil {
			return nil, err
		}
		v := make([]float32, len(raw)/4)
		for j := range v {
			v[j] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*j:]))
		}
		out = append(out, labelled{f.Idol, fmt.Sprint("idol ", i), semblance.Face{Box: semblance.Box{W: 9, H: 9}, Quality: 80, Embedding: v}})
	}
	return out, nil
}

// half keeps the persons of one half: which one says their name's digest alone.
func half(all []labelled, which string) []labelled {
	if which == "" {
		return all
	}
	return slices.DeleteFunc(slices.Clone(all), func(l labelled) bool {
		even := sha256.Sum256([]byte(l.person))[0]%2 == 0
		return even != (which == "fit")
	})
}

// measure groups labelled faces at a distance and prints how well.
func measure(ctx context.Context, faces []labelled, engine semblance.EngineName, distance float64, title string) error {
	b, done, err := throwawayBench(ctx)
	if err != nil {
		return err
	}
	defer done()
	spec, err := semblance.EngineByName(engine)
	if err != nil {
		return err
	}
	person, err := b.scanLabelled(ctx, faces, spec)
	if err != nil {
		return err
	}
	res, err := b.engine.GroupFaces(ctx, who, semblance.GroupRequest{Cases: []string{"B"}, Engine: engine, Distance: distance})
	if err != nil {
		return err
	}
	groups, err := b.store.Groups(ctx, res.Grouping.ID, semblance.GroupFilter{Limit: math.MaxInt32})
	if err != nil {
		return err
	}
	var labels [][]string
	mixed := 0
	for _, g := range groups {
		full, _, err := b.store.Group(ctx, g.ID)
		if err != nil {
			return err
		}
		var of []string
		media := map[semblance.SHA256]bool{}
		for _, m := range full.Members {
			media[m.Media] = true
			if p := person[m.FaceRef]; p != "" {
				of = append(of, p)
			}
		}
		labels = append(labels, of)
		if len(media) > 1 {
			mixed++
		}
	}
	s := score(labels)
	fmt.Printf("%s, %s, distance %.2f: %d faces, %d persons, %d groups (%d over several pictures); B-cubed precision %.3f recall %.3f; pairs precision %.3f recall %.3f; wrong pairs %d\n",
		title, engine, res.Grouping.Distance, s.faces, s.persons, len(groups), mixed, s.precision, s.recall, s.pairPrecision, s.pairRecall, s.wrong)
	return nil
}

// measurePeer lets dlib's Chinese whispers group the same faces at a threshold.
func measurePeer(ctx context.Context, program string, faces []labelled, engine semblance.EngineName, distance float64, title string) error {
	spec, err := semblance.EngineByName(engine)
	if err != nil {
		return err
	}
	groups, seconds, err := whispers(ctx, program, faces, spec, distance)
	if err != nil {
		return err
	}
	var labels [][]string
	for _, g := range groups {
		var of []string
		for _, i := range g {
			if p := faces[i].person; p != "" {
				of = append(of, p)
			}
		}
		labels = append(labels, of)
	}
	s := score(labels)
	fmt.Printf("%s, %s, Chinese whispers at %.2f: %d faces, %d groups in %.1f s; B-cubed precision %.3f recall %.3f; pairs precision %.3f recall %.3f; wrong pairs %d\n",
		title, engine, distance, s.faces, len(groups), seconds, s.precision, s.recall, s.pairPrecision, s.pairRecall, s.wrong)
	return nil
}

// whispers runs the peer.
func whispers(ctx context.Context, program string, faces []labelled, spec semblance.EngineSpec, distance float64) (map[string][]int, float64, error) {
	dir, err := os.MkdirTemp("", "grouppeer")
	if err != nil {
		return nil, 0, err
	}
	defer os.RemoveAll(dir)
	var raw []byte
	for _, f := range faces {
		for _, x := range f.face.Embedding {
			raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(x))
		}
	}
	in, out := filepath.Join(dir, "in"), filepath.Join(dir, "out")
	if err := os.WriteFile(in, raw, 0o600); err != nil {
		return nil, 0, err
	}
	if spec.Metric == semblance.Cosine {
		distance = math.Sqrt(2 * distance)
	}
	said, err := exec.CommandContext(ctx, program, in, fmt.Sprint(spec.Dimensions), fmt.Sprint(distance), out).Output()
	if err != nil {
		return nil, 0, fmt.Errorf("%s: %w", program, err)
	}
	text, err := os.ReadFile(out)
	if err != nil {
		return nil, 0, err
	}
	groups := map[string][]int{}
	for i, label := range strings.Fields(string(text)) {
		groups[label] = append(groups[label], i)
	}
	var seconds float64
	_, err = fmt.Sscan(string(said), &seconds)
	return groups, seconds, err
}

func (b *bench) scanLabelled(ctx context.Context, faces []labelled, spec semblance.EngineSpec) (map[semblance.FaceRef]string, error) {
	person := map[semblance.FaceRef]string{}
	at := map[string]int{}
	var records []semblance.ItemRecord
	for _, l := range faces {
		sum := semblance.SHA256(sha256.Sum256([]byte(l.picture)))
		i, ok := at[l.picture]
		if !ok {
			i = len(records)
			at[l.picture] = i
			records = append(records, semblance.ItemRecord{Item: semblance.Item{Path: l.picture, SHA256: &sum, Status: semblance.ItemNew},
				Media: &semblance.Media{Digests: hashing.Digests{SHA256: sum}, Analysis: &semblance.Analysis{Decoder: "d", FaceSets: []semblance.FaceSet{{Engine: spec.Name, Version: spec.Version}}}}})
		}
		set := &records[i].Media.Analysis.FaceSets[0]
		person[semblance.FaceRef{Media: sum, Face: len(set.Faces)}] = l.person
		set.Faces = append(set.Faces, l.face)
	}
	return person, b.store.CommitItems(ctx, b.case_.ID, b.exhibit.ID, records, nil)
}

type scores struct {
	faces, persons, wrong                        int
	precision, recall, pairPrecision, pairRecall float64
}

// score computes B-cubed and pairwise precision and recall of groups of persons' names.
func score(groups [][]string) (s scores) {
	size := map[string]int{}
	for _, g := range groups {
		for _, p := range g {
			size[p]++
			s.faces++
		}
	}
	s.persons = len(size)
	var together, right, mated float64
	for _, g := range groups {
		in := map[string]int{}
		for _, p := range g {
			in[p]++
		}
		together += float64(len(g)*(len(g)-1)) / 2
		for p, n := range in {
			right += float64(n*(n-1)) / 2
			s.precision += float64(n*n) / float64(len(g))
			s.recall += float64(n*n) / float64(size[p])
		}
	}
	for _, n := range size {
		mated += float64(n*(n-1)) / 2
	}
	s.precision /= float64(s.faces)
	s.recall /= float64(s.faces)
	s.pairPrecision, s.pairRecall, s.wrong = right/together, right/mated, int(together-right)
	return s
}
