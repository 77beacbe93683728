package semblance_test

import (
	"fmt"
	"strings"
	"testing"

	"semblance"
)

func TestReadProbes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text string
		want string // probes and bad lines
		err  string
	}{
		"plain":                     {"path,reference\na.jpg,R1\nb/c.jpg,R2\n", "2 a.jpg R1 -; 3 b/c.jpg R2 -", ""},
		"a face and other columns":  {"Reference,note,PATH,face\nR1,x,a.jpg,2\nR2,,b.jpg,\n", "2 a.jpg R1 2; 3 b.jpg R2 -", ""},
		"a spreadsheet's":           {"\ufeffpath;reference\r\na,1.jpg;R1\r\n", "2 a,1.jpg R1 -", ""},
		"quoted":                    {"path,reference\n\"a, b.jpg\",\"R\"\"1\"\"\"\n", `2 a, b.jpg R"1" -`, ""},
		"nothing":                   {"", "", "no line with the names of its columns"},
		"no columns":                {"a.jpg,R1\nb.jpg,R2\n", "", "no column path and none reference"},
		"no references":             {"path\na.jpg\n", "", "no column reference"},
		"only a head":               {"path,reference\n", "", ""},
		"a reference twice":         {"path,reference\na,R1\nb,R1\nc,R2\n", `2 a R1 -; 4 c R2 -; bad 3 its reference "R1" is that of line 2 already`, ""},
		"no path, no reference":     {"path,reference\n,R1\nb,\n", "bad 2 it has no path; bad 3 it has no reference", ""},
		"a short line":              {"path,reference\na\nb,R2\n", "3 b R2 -; bad 2 it has no reference", ""},
		"a face that is no number":  {"path,reference,face\na,R1,left\nb,R2,-1\n", `bad 2 its face "left" is not a number; bad 3 its face "-1" is not a number`, ""},
		"a quote in the middle":     {"path,reference\na\"b,R1\nc,R2\n", "3 c R2 -; bad 2 it is not CSV", ""},
		"a quote that never closes": {"path,reference\n\"a,R1\nb,R2\nc,R3\n", "bad 2 it is not CSV: extraneous or missing \" in quoted-field, and with it nothing up to line 4 could be read", ""},
		"another encoding":          {"path,reference\nM\xfcller.jpg,R1\n", "bad 2 it is not UTF-8", ""},
	} {
		probes, bad, err := semblance.ReadProbes(strings.NewReader(c.text))
		if (err == nil) != (c.err == "") || err != nil && (!strings.Contains(err.Error(), c.err) || semblance.CodeOf(err) != semblance.Invalid) {
			t.Errorf("%s: %v, want %q", name, err, c.err)
			continue
		}
		var got []string
		for _, p := range probes {
			face := "-"
			if p.Face != nil {
				face = fmt.Sprint(*p.Face)
			}
			got = append(got, fmt.Sprintf("%d %s %s %s", p.Line, p.Path, p.Reference, face))
		}
		for _, b := range bad {
			got = append(got, fmt.Sprintf("bad %d %s", b.Line, b.Reason))
		}
		want := strings.Split(c.want, "; ")
		if c.want == "" {
			want = nil
		}
		if len(got) != len(want) {
			t.Errorf("%s: got %q, want %q", name, got, want)
			continue
		}
		for i := range want {
			if !strings.HasPrefix(got[i], want[i]) {
				t.Errorf("%s: got %q, want %q", name, got[i], want[i])
			}
		}
	}
}

// FuzzReadProbes reads lists of anybody: nothing is lost without a word.
func FuzzReadProbes(f *testing.F) {
	f.Add([]byte("path,reference,face\na.jpg,R1,0\n\"b\",R2,\n"))
	f.Add([]byte("\xef\xbb\xbfreference;path\nR;p\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		probes, bad, err := semblance.ReadProbes(strings.NewReader(string(text)))
		if err != nil {
			return
		}
		seen := map[string]bool{}
		for _, p := range probes {
			if p.Path == "" || p.Reference == "" || seen[p.Reference] || p.Line < 2 || p.Face != nil && *p.Face < 0 {
				t.Fatalf("took %+v", p)
			}
			seen[p.Reference] = true
		}
		for _, b := range bad {
			if b.Reason == "" || b.Line < 2 {
				t.Fatalf("left out %+v", b)
			}
		}
	})
}
