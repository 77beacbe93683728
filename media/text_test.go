package media

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	_ "modernc.org/sqlite"

	"semblance"
)

func selectorsOf(t testing.TB, b []byte, country string) (semblance.Analysis, []string, bool) {
	t.Helper()
	a, ok, err := ReadSelectors(context.Background(), bytes.NewReader(b), int64(len(b)), semblance.SelectorRequest{Country: country})
	if err != nil {
		t.Fatal(err)
	}
	if !ok {
		return a, nil, false
	}
	var out []string
	for _, s := range a.SelectorSets[0].Selectors {
		out = append(out, string(s.Kind)+":"+s.Value)
	}
	slices.Sort(out)
	return a, out, true
}

func TestReadSelectorsTellsTexts(t *testing.T) {
	t.Parallel()
	const mail = "jo@example.org"
	for _, tt := range []struct{ name, content, mime string }{
		{"plain", "hello " + mail, "text/plain"},
		{"one that begins as a program does", "MZ hello " + mail, "text/plain"},
		{"CSV", "name,mail\nJo," + mail + "\n", "text/plain"},
		{"vCard", "BEGIN:VCARD\r\nEMAIL:" + mail + "\r\nEND:VCARD\r\n", "text/vcard"},
		{"JSON", ` {"m":"a\n` + mail + `"}`, "application/json"},
		{"HTML", "<!DOCTYPE html><p>jo&#64;example.org", "text/html"},
		{"part of HTML", "<div>jo&#64;example.org</div>", "text/plain"},
		{"XML", `<?xml version="1.0"?><m>` + mail + `</m>`, "text/xml"},
		{"drawing", `<svg><text>` + mail + `</text></svg>`, "image/svg+xml"},
		{"Latin-1", "Gr\xfc\xdfe an " + mail + ", \xe4\xf6\xfc und viel mehr Text, damit es einer ist", "text/plain"},
		{"UTF-16", "\xff\xfej\x00o\x00@\x00e\x00x\x00a\x00m\x00p\x00l\x00e\x00.\x00o\x00r\x00g\x00", "text/plain"},
	} {
		a, found, ok := selectorsOf(t, []byte(tt.content), "")
		if !ok || a.Type != tt.mime || !slices.Equal(found, []string{"email:" + mail}) {
			t.Errorf("%s: %t, %s, %q", tt.name, ok, a.Type, found)
		}
		if (a.Partial != "") != (tt.name == "drawing") || !a.IsText() || a.SelectorSets[0].Encoding == "" || a.SelectorSets[0].Read == 0 {
			t.Errorf("%s: %+v", tt.name, a)
		}
	}
	for name, content := range map[string]string{
		"a picture": "\xff\xd8\xff\xe0 jo@example.org", "a PDF": "%PDF-1.4\njo@example.org", "an archive": "PK\x03\x04 jo@example.org",
		"binary data": "\x00\x01\x02 jo@example.org", "letters of no text": strings.Repeat("\xe4\xf6\xfc", 40), "nothing": "",
	} {
		if _, _, ok := selectorsOf(t, []byte(content), ""); ok {
			t.Errorf("%s is read as text", name)
		}
	}
}

func TestReadSelectorsSaysWhatItLeftOut(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	for i := range semblance.MostSelectors + 500 {
		fmt.Fprintf(&b, "u%d@example.org\n", i)
	}
	a, found, _ := selectorsOf(t, []byte(b.String()), "")
	if len(found) != semblance.MostSelectors || a.SelectorSets[0].Dropped != 500 || len(a.Warnings) != 1 {
		t.Errorf("%d selectors, %d dropped, warnings %q", len(found), a.SelectorSets[0].Dropped, a.Warnings)
	}
}

// openDatabase makes an SQLite database as phones have them.
func openDatabase(t *testing.T, pragmas string) (*sql.DB, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "msgstore.db")
	db, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	db.SetMaxOpenConns(1)
	execAll(t, db, "PRAGMA synchronous = OFF;"+pragmas)
	return db, path
}

func execAll(t *testing.T, db *sql.DB, statements string, args ...any) {
	t.Helper()
	if _, err := db.Exec(statements, args...); err != nil {
		t.Fatal(err)
	}
}

func TestReadSelectorsOfDatabases(t *testing.T) {
	t.Parallel()
	for name, pragmas := range map[string]string{
		"UTF-8": `PRAGMA page_size = 1024`, "UTF-16LE": `PRAGMA encoding = "UTF-16le"`, "UTF-16BE": `PRAGMA encoding = "UTF-16be"; PRAGMA page_size = 65536`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db, path := openDatabase(t, pragmas)
			execAll(t, db, `CREATE TABLE message (id INTEGER PRIMARY KEY, jid TEXT, body TEXT, raw BLOB);
				CREATE TABLE contact (number TEXT PRIMARY KEY, name TEXT) WITHOUT ROWID; CREATE INDEX by_body ON message (jid)`)
			var want []string
			for i := range 300 {
				jid := fmt.Sprintf("4917112%05d@s.whatsapp.net", i)
				execAll(t, db, `INSERT INTO message (jid, body, raw) VALUES (?, ?, ?)`, jid, fmt.Sprintf(`{"u":"https:\/\/example.com\/%d"}`, i), []byte(fmt.Sprintf("blob%d@example.org", i)))
				execAll(t, db, `INSERT INTO contact VALUES (?, ?)`, fmt.Sprintf("+31 6 1234%04d", i), "Jo")
				want = append(want, fmt.Sprintf("phone:+4917112%05d", i), fmt.Sprintf("url:https://example.com/%d", i), fmt.Sprintf("email:blob%d@example.org", i), fmt.Sprintf("phone:+3161234%04d", i))
			}
			// One that goes over several pages, with a selector at its end, and beside it columns
			// that would make others of them.
			execAll(t, db, `INSERT INTO message (jid, body, raw) VALUES ('x', ?, '9')`, strings.Repeat("bla ", 9000)+"last@example.org")
			want = append(want, "email:last@example.org")
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			content, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			a, found, ok := selectorsOf(t, content, "")
			slices.Sort(want)
			if !ok || a.Type != "application/vnd.sqlite3" || a.Partial != "" || !slices.Equal(found, want) {
				t.Errorf("%t, %s, %q: %d selectors, want %d", ok, a.Type, a.Partial, len(found), len(want))
			}
		})
	}
}

// TestReadSelectorsOfLogs reads what was written last and is not in the database yet.
func TestReadSelectorsOfLogs(t *testing.T) {
	t.Parallel()
	db, path := openDatabase(t, `PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0`)
	execAll(t, db, `CREATE TABLE message (body TEXT); INSERT INTO message VALUES ('new@example.org')`)
	execAll(t, db, `INSERT INTO message VALUES (?)`, strings.Repeat("bla ", 9000)+"last@example.org")
	content, err := os.ReadFile(path + "-wal")
	if err != nil {
		t.Fatal(err)
	}
	a, found, ok := selectorsOf(t, content, "")
	if !ok || a.Type != "application/vnd.sqlite3-wal" || !slices.Equal(found, []string{"email:last@example.org", "email:new@example.org"}) {
		t.Errorf("%t, %s, %q", ok, a.Type, found)
	}
}

func FuzzReadSelectors(f *testing.F) {
	for _, s := range []string{"jo@example.org", `{"a":"b\u0040"}`, "<p>&#64;", "\xff\xfej\x00", "BEGIN:VCARD\nTEL:1", "\x37\x7f\x06\x82" + strings.Repeat("\x00\x00\x04\x00", 300)} {
		f.Add([]byte(s))
	}
	page := make([]byte, 1024)
	copy(page, "SQLite format 3\x00\x04\x00")
	copy(page[100:], "\x0d\x00\x00\x00\x01\x03\x00\x00\x03\x00")
	copy(page[768:], "\x0f\x01\x02\x29jo@example.org")
	f.Add(page)
	f.Fuzz(func(t *testing.T, b []byte) {
		a, ok, err := ReadSelectors(context.Background(), bytes.NewReader(b), int64(len(b)), semblance.SelectorRequest{Country: "DE"})
		if ok && (err != nil || !a.IsText()) {
			t.Errorf("%+v, %v", a, err)
		}
	})
}
