package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"semblance"
)

func TestDetailsAreReadAsSpreadsheetsWriteThem(t *testing.T) {
	t.Parallel()
	want := detailFields{path: "ann/1.jpg", captured: "2019-05", age: "9", note: "school, 2nd form"}
	for name, text := range map[string]string{
		"commas":           "path,captured,age,note\nann/1.jpg,2019-05,9,\"school, 2nd form\"\n",
		"semicolons":       "path;captured;age;note\r\nann/1.jpg;2019-05;9;school, 2nd form\r\n",
		"a mark":           "\xef\xbb\xbfpath,captured,age,note\nann/1.jpg,2019-05,9,\"school, 2nd form\"",
		"another order":    "Note, Age ,captured,PATH\n\"school, 2nd form\", 9,2019-05,ann/1.jpg\n",
		"an empty line":    "path,captured,age,note\n\nann/1.jpg,2019-05,9,\"school, 2nd form\"\n",
		"an empty column":  "path,captured,born,age,note\nann/1.jpg,2019-05,,9,\"school, 2nd form\"\n",
		"a quoted newline": "path,captured,age,note\nann/1.jpg,2019-05,9,\"school, 2nd form\n\"\n",
	} {
		rows, err := parseDetails(strings.NewReader(text))
		if err != nil || len(rows) != 1 || rows[0].detailFields != want {
			t.Errorf("%s: %+v, %v", name, rows, err)
		}
	}
}

func TestDetailsThatCannotBeReadSayWhere(t *testing.T) {
	t.Parallel()
	for text, say := range map[string]string{
		"": "empty", "subject,age\nann,9\n": "no column path", "path,shoe size\na.jpg,43\n": `column "shoe size"`, "path,age,age\na.jpg,1,2\n": `column "age"`,
		"path,age\na.jpg,1\nb.jpg\n": "line 3", "path,age\n,1\n": "line 2 of the details names no picture", "path,age\n\"a.jpg,1\n": "cannot be read at line",
	} {
		rows, err := parseDetails(strings.NewReader(text))
		if semblance.CodeOf(err) != semblance.Invalid || !strings.Contains(err.Error(), say) {
			t.Errorf("%q: %+v, %v", text, rows, err)
		}
	}
}

func TestTwoRowsAboutOnePictureAreRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "d.csv")
	if err := os.WriteFile(file, []byte("path\na.jpg\nb.jpg\n./x/../a.jpg\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := (&env{streams: streams{cwd: dir}}).openDetails("d.csv")
	if semblance.CodeOf(err) != semblance.Invalid || !strings.Contains(err.Error(), "lines 2 and 4") {
		t.Error(err)
	}
}

func FuzzDetails(f *testing.F) {
	f.Add("path,age\na.jpg,9\n")
	f.Add("\xef\xbb\xbfpath;note\r\na;\"b\nc\"\r\n")
	f.Fuzz(func(t *testing.T, text string) {
		rows, err := parseDetails(strings.NewReader(text))
		if err != nil && semblance.CodeOf(err) != semblance.Invalid {
			t.Errorf("%v", err)
		}
		for _, r := range rows {
			if r.path == "" || r.line < 2 {
				t.Errorf("%+v", r)
			}
		}
	})
}
