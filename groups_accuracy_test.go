package semblance

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"
)

// heldOut reads the descriptors of those persons of idols.json on whom no threshold
// was chosen.
func heldOut(t *testing.T) (faces [][]float32, persons []string) {
	t.Helper()
	dir := os.Getenv("SEMBLANCE_TESTDATA")
	text, err := os.ReadFile(filepath.Join(dir, "faces", "idols.json"))
	if dir == "" || err != nil {
		t.Skip("SEMBLANCE_TESTDATA has no faces/idols.json")
	}
	var file struct {
		Faces []struct {
			Descriptor []byte // base64
			Idol       string `json:"idol_id"`
		}
	}
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	for _, f := range file.Faces {
		if sha256.Sum256([]byte(f.Idol))[0]%2 == 0 {
			continue
		}
		v := make([]float32, len(f.Descriptor)/4)
		for i := range v {
			v[i] = math.Float32frombits(binary.LittleEndian.Uint32(f.Descriptor[4*i:]))
		}
		faces, persons = append(faces, v), append(persons, f.Idol)
	}
	return faces, persons
}

// bCubed is the share of a face's group that is of its person, over all faces.
func bCubed(groups [][]int, persons []string) float64 {
	sum := 0.0
	for _, g := range groups {
		in := map[string]float64{}
		for _, i := range g {
			in[persons[i]]++
		}
		for _, n := range in {
			sum += n * n / float64(len(g))
		}
	}
	return sum / float64(len(persons))
}

// TestGroupsOfPersonsNotChosenOn: on persons that had no part in choosing the threshold,
// groups are as pure as docs/groups.md says, and purer than where the nearest pair decides.
func TestGroupsOfPersonsNotChosenOn(t *testing.T) {
	t.Parallel()
	faces, persons := heldOut(t)
	join, near, ok := groupDistances(DlibHOG)
	if !ok || len(faces) != 586 {
		t.Fatalf("%d faces and a threshold %v; docs/groups.md speaks of 586", len(faces), ok)
	}
	pictures := make([]int32, len(faces))
	for i := range pictures {
		pictures[i] = int32(i)
	}
	within := func(i, j int) bool { return Euclid.Distance(faces[i], faces[j]) <= near }
	groups := linked(t, faces, pictures, Euclid.asSquare(join), Euclid.asSquare(near), within)
	precision := bCubed(groups, persons)
	if math.Abs(precision-0.978) > 0.0005 || len(groups) != 480 {
		t.Errorf("B-cubed precision %.4f in %d groups; docs/groups.md says 0.978 in 480", precision, len(groups))
	}
	if single := bCubed(singleLinkage(faces, join), persons); single > precision-0.1 {
		t.Errorf("single linkage has %.4f, which docs/groups.md says is far below %.4f", single, precision)
	}
}

// singleLinkage joins whatever is connected by pairs within a distance.
func singleLinkage(faces [][]float32, join float64) [][]int {
	l := &linker{}
	for _, f := range faces {
		l.add(f, 0, 1)
	}
	for i := range faces {
		for j := range i {
			if Euclid.Distance(faces[i], faces[j]) <= join {
				a, b := l.find(int32(i)), l.find(int32(j))
				l.parent[max(a, b)] = min(a, b)
			}
		}
	}
	return l.partition(len(faces))
}
