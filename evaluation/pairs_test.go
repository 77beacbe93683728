package evaluation_test

import (
	"encoding/csv"
	"reflect"
	"strings"
	"testing"

	"semblance"
	"semblance/evaluation"
)

func TestParsePairs(t *testing.T) {
	t.Parallel()
	want := []evaluation.LabelledPair{{Line: 2, A: "a 1.jpg", B: "b.jpg", Same: true}, {Line: 4, A: "b.jpg", B: "c,d.jpg"}}
	for name, text := range map[string]string{
		"csv with a header": "\xef\xbb\xbfa,b,label\na 1.jpg,b.jpg,same\n# a comment\nb.jpg,\"c,d.jpg\",different\n",
		"tsv":               "# tabs, and commas in names\r\na 1.jpg\tb.jpg\tSame\r\n\r\nb.jpg\tc,d.jpg\t different \r\n",
	} {
		got, err := evaluation.ParsePairs(strings.NewReader(text))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	for name, tt := range map[string]struct{ text, want string }{
		"nothing":                  {"", "has no pairs"},
		"a header only":            {"a,b,label\n", "has no pairs"},
		"an unknown label":         {"a,b,same\na,c,perhaps\n", `line 2: the label is "perhaps", not same or different`},
		"two fields":               {"a,b,same\nc\n", "line 2: 1 fields instead of 3"},
		"an empty path":            {",b,same\n", "line 1: a path is empty"},
		"a picture with itself":    {"a,a,same\n", `line 1: "a" is paired with itself`},
		"an open quote":            {"a,b,same\n\"a,b,same\n", "line 2: extraneous or missing"},
		"a contradiction":          {"a,b,same\na,b,different\n", `line 2: "a" and "b" are different here, and one person by other lines`},
		"a contradiction in three": {"a,c,different\na,b,same\nb,c,same\n", `line 1: "a" and "c" are different here`},
		"many":                     {strings.Repeat("x\n", 100), "100 lines of the pairs file are wrong: line 1: 1 fields instead of 3; line 2"},
		"a header in the middle":   {"a,b,same\na,b,label\n", `line 2: the label is "label"`},
	} {
		_, err := evaluation.ParsePairs(strings.NewReader(tt.text))
		if semblance.CodeOf(err) != semblance.Invalid || !strings.Contains(err.Error(), tt.want) || semblance.HintOf(err) == "" {
			t.Errorf("%s: %v (hint %q)", name, err, semblance.HintOf(err))
		}
	}
}

func TestMeasurePairs(t *testing.T) {
	t.Parallel()
	s := persons(8, 3, 0.8)
	vectors := map[string][]float32{}
	var labelled []evaluation.LabelledPair
	for i := range s {
		vectors[s[i].Name] = s[i].Vector
		for j := range i {
			labelled = append(labelled, evaluation.LabelledPair{Line: len(labelled) + 1, A: s[i].Name, B: s[j].Name, Same: s[i].Person == s[j].Person})
		}
	}
	folder := measure(t, s)
	e, err := evaluation.MeasurePairs(labelled, vectors, spec)
	if err != nil {
		t.Fatal(err)
	}
	if *e.AUC != *folder.AUC || e.Mated != folder.Mated || e.NonMated != folder.NonMated || e.Persons != 8 || !reflect.DeepEqual(e.Rates, folder.Rates) || !reflect.DeepEqual(e.Pairs, folder.Pairs) {
		t.Errorf("all pairs of a folder as a pairs file: %+v, as a folder %+v", e.Result, folder.Result)
	}
	if len(e.Sizes) != 0 || !strings.Contains(e.Notes[0], "says nothing of searches") {
		t.Errorf("notes %v", e.Notes)
	}
	// A picture that cannot be used takes its pairs along, and a pair that is there twice counts once.
	delete(vectors, s[0].Name)
	twice := append(labelled, evaluation.LabelledPair{Line: 999, A: s[4].Name, B: s[8].Name})
	less, err := evaluation.MeasurePairs(twice, vectors, spec)
	if err != nil || less.Mated+less.NonMated != 23*22/2 || *less.Failure.Value != 0.041667 || !strings.Contains(strings.Join(less.Notes, "\n"), "23 pairs were not compared") {
		t.Errorf("%+v, %v, %v", less.Result, less.Notes, err)
	}
	// One photograph that is called two different persons.
	vectors[s[4].Name] = s[8].Vector
	copied, err := evaluation.MeasurePairs(labelled, vectors, spec)
	if err != nil || len(copied.Copies) != 1 || copied.Copies[0].Distance != 0 {
		t.Errorf("%+v, %v", copied.Copies, err)
	}
	if _, err := evaluation.MeasurePairs(labelled, nil, spec); semblance.CodeOf(err) != semblance.Invalid {
		t.Errorf("no picture usable: %v", err)
	}
}

// FuzzParsePairs: whatever the file, the answer is pairs that make sense or an Invalid
// error; what was read and is written again reads the same.
func FuzzParsePairs(f *testing.F) {
	for _, s := range []string{"a,b,same\n", "a\tb\tdifferent\n", "a,b,label\n\"x,\"\"y\",b,same", "#\n\n,,\n", "\xef\xbb\xbfa,b,same\r\n", "\"a\nb\",c,same\n", "a,b,same\nb,a,different"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		pairs, err := evaluation.ParsePairs(strings.NewReader(string(b)))
		if err != nil {
			if semblance.CodeOf(err) != semblance.Invalid || pairs != nil {
				t.Fatalf("%d pairs and %v", len(pairs), err)
			}
			return
		}
		if len(pairs) == 0 {
			t.Fatal("no pairs and no error")
		}
		var again strings.Builder
		w := csv.NewWriter(&again)
		for i, p := range pairs {
			if p.A == "" || p.B == "" || p.A == p.B || i > 0 && p.Line <= pairs[i-1].Line {
				t.Fatalf("%+v", p)
			}
			if i == 0 && strings.ContainsRune(p.A+p.B, '\t') || strings.HasPrefix(p.A, "#") {
				return // would be read as something else
			}
			label := "different"
			if p.Same {
				label = "same"
			}
			if err := w.Write([]string{p.A, p.B, label}); err != nil {
				t.Fatal(err)
			}
		}
		w.Flush()
		back, err := evaluation.ParsePairs(strings.NewReader(again.String()))
		if err != nil || len(back) != len(pairs) {
			t.Fatalf("%v: %d pairs of %d from %q", err, len(back), len(pairs), again.String())
		}
		for i := range back {
			// A line feed within a name is kept, a carriage return before it is not: encoding/csv's way.
			if back[i].Same != pairs[i].Same {
				t.Fatalf("%+v became %+v", pairs[i], back[i])
			}
		}
	})
}
