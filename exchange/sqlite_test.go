package exchange_test

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"semblance"
	"semblance/exchange"
)

// rowsOf reads a database to its end, or to the error that ends it. Whatever the file
// holds, row numbers rise, a digest has its length, and there are no more rows than there
// are bytes.
func rowsOf(t testing.TB, path string, format exchange.Format) (rows int, err error) {
	t.Helper()
	s, err := exchange.Open(context.Background(), path, format, "")
	if err != nil {
		return 0, err
	}
	defer s.Close()
	about, _ := s.Describe()
	if err := s.Seek(context.Background(), semblance.SourcePosition{}); err != nil {
		return 0, err
	}
	var r semblance.DigestRow
	for last := int64(0); ; rows++ {
		err := s.Next(context.Background(), &r)
		var bad *semblance.BadRow
		switch at := s.Position().Row; {
		case errors.Is(err, io.EOF):
			return rows, nil
		case errors.As(err, &bad):
			if bad.Row != at || bad.Reason == "" || at <= last {
				t.Fatalf("after row %d: %+v at %d", last, bad, at)
			}
			last = at
		case err != nil:
			return rows, err
		case r.Row != at || at <= last || len(r.MD5)+len(r.SHA1)+len(r.SHA256) == 0 || r.MD5 != nil && len(r.MD5) != 16 || r.SHA1 != nil && len(r.SHA1) != 20 || r.SHA256 != nil && len(r.SHA256) != 32 || r.Size < 0:
			t.Fatalf("after row %d: %+v", last, r)
		default:
			last = at
		}
		if int64(rows) > about.Bytes {
			t.Fatalf("%d rows in %d bytes", rows, about.Bytes)
		}
	}
}

// A database can be made to take forever, or all memory, in ways that are no damage. Each
// ends in a sentence that says what to do.
func TestHostileDatabases(t *testing.T) {
	t.Parallel()
	file := `CREATE TABLE FILE (sha256 VARCHAR, sha1 VARCHAR, md5 VARCHAR, file_size INTEGER, package_id INTEGER)`
	one := fmt.Sprintf(`INSERT INTO FILE (sha1, md5) VALUES ('%s', '%s')`, sha1A, md5A)
	doctor := func(set string) []string {
		return []string{file, one, `CREATE TABLE other (sha1, md5)`, `PRAGMA writable_schema = 1`, `UPDATE sqlite_master SET ` + set}
	}
	endless := `SELECT sha1, sha1 AS md5 FROM (WITH RECURSIVE r(sha1) AS (SELECT 1 UNION ALL SELECT sha1 + 1 FROM r) SELECT sha1 FROM r)`
	for name, statements := range map[string][]string{
		"a virtual table":                     {`CREATE VIRTUAL TABLE FILE USING fts5(sha1, md5)`},
		"a view":                              {`CREATE VIEW FILE AS ` + endless, `CREATE VIEW METADATA AS ` + endless},
		"a view under the name of a table":    doctor(`sql = 'CREATE TABLE gone (x)' WHERE name = 'FILE'; UPDATE sqlite_master SET type = 'view', rootpage = 0, sql = 'CREATE VIEW FILE AS ` + endless + `' WHERE name = 'other'`),
		"a virtual table under another name":  doctor(`type = 'table', rootpage = 2, sql = 'CREATE VIRTUAL TABLE other USING fts5(sha1, md5)' WHERE name = 'other'`),
		"computed columns":                    {`CREATE TABLE FILE (sha1 AS (hex(zeroblob(4000000))), md5 AS (hex(zeroblob(4000000))), x)`, `INSERT INTO FILE (x) VALUES (1)`},
		"row numbers that are computed":       {`CREATE TABLE FILE (sha1, md5, rowid AS (hex(zeroblob(4000000))), oid, _rowid_)`},
		"no row numbers":                      {`CREATE TABLE FILE (sha1, md5, PRIMARY KEY (sha1)) WITHOUT ROWID`},
		"a row number below one":              {file, one, `UPDATE FILE SET rowid = -5`},
		"a value of two million bytes":        {file, `INSERT INTO FILE (sha1, md5) VALUES ('` + sha1A + `', hex(zeroblob(1000000)))`},
		"packages of two million bytes":       {file, one, `CREATE TABLE PKG (package_id, application_type)`, `INSERT INTO PKG VALUES (1, hex(zeroblob(1000000)))`},
		"packages that are another's numbers": {file, one, `CREATE TABLE PKG (package_id INTEGER, application_type, PRIMARY KEY (package_id)) WITHOUT ROWID`},
	} {
		_, err := rowsOf(t, database(t, "x.db", statements...), exchange.NSRL)
		if semblance.CodeOf(err) != semblance.Invalid || semblance.HintOf(err) == "" {
			t.Errorf("%s: %v (%s)", name, err, semblance.CodeOf(err))
		}
	}
}

// A table whose pages point to the same page again and again has more rows than could ever
// be read, in a file of a few kilobytes.
func TestDatabaseOfCycles(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"FILE", "PKG", "sqlite_stat1", "sqlite_master"} {
		path := database(t, "x.db", `PRAGMA page_size = 512`,
			`CREATE TABLE FILE (sha256 VARCHAR, sha1 VARCHAR, md5 VARCHAR, file_size INTEGER, package_id INTEGER)`,
			`CREATE TABLE PKG (package_id, application_type)`, `CREATE INDEX x ON FILE (md5)`, `ANALYZE`,
			`WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 9000) INSERT INTO FILE (sha1) SELECT printf('%040x', n) FROM r`,
			`INSERT INTO PKG SELECT rowid, sha1 FROM FILE`, `INSERT INTO sqlite_stat1 SELECT 'FILE', sha1, '1' FROM FILE`,
			`CREATE TABLE many ("`+strings.Repeat("a long name of a column, ", 18)+`")`, `CREATE TABLE more ("`+strings.Repeat("a long name of a column, ", 18)+`")`)
		if name != "sqlite_master" {
			knot(t, path, name)
		} else {
			knotRoot(t, path, 1)
		}
		if _, err := rowsOf(t, path, exchange.NSRL); name != "sqlite_stat1" && semblance.CodeOf(err) != semblance.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// knot makes the interior pages of a table point to their first page only.
func knot(t *testing.T, path, name string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var root int
	if err := db.QueryRowContext(t.Context(), `SELECT rootpage FROM sqlite_master WHERE name = ?`, name).Scan(&root); err != nil {
		t.Fatal(err)
	}
	knotRoot(t, path, root)
}

func knotRoot(t *testing.T, path string, root int) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	size := int(binary.BigEndian.Uint16(b[16:]))
	depth := 0
	for ; ; depth++ {
		at, page := 0, b[(root-1)*size:][:size]
		if root == 1 {
			at = 100
		}
		if page[at] != 5 { // an interior page of a table: https://www.sqlite.org/fileformat2.html, 1.6
			break
		}
		cells := int(binary.BigEndian.Uint16(page[at+3:]))
		first := binary.BigEndian.Uint32(page[binary.BigEndian.Uint16(page[at+12:]):])
		for i := range cells {
			binary.BigEndian.PutUint32(page[binary.BigEndian.Uint16(page[at+12+2*i:]):], first)
		}
		binary.BigEndian.PutUint32(page[at+8:], first)
		root = int(first)
	}
	if depth == 0 {
		t.Fatal("the table has one page only")
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// A list of packages says what there is, each once and in one order.
func TestPackageNotes(t *testing.T) {
	t.Parallel()
	path := database(t, "x.db", append(slices.Clone(rdsTables), `DELETE FROM PKG`,
		`INSERT INTO PKG VALUES (1, '', '', 1, 1, '', 'Tool'), (1, '', '', 2, 1, '', 'Game'), (2, '', '', 1, 1, '', 'Game '), (2, '', '', 2, 1, '', 'Tool'), (2, '', '', 3, 1, '', 'Tool'), (3, '', '', 1, 1, '', '')`,
		fmt.Sprintf(`INSERT INTO FILE VALUES ('', '%s', '', '', '', 0, 1), ('', '%s', '', '', '', 0, 2), ('', '%[1]s', '', '', '', 0, 3)`, sha1A, sha1B))...)
	readAll(t, path, exchange.NSRL, "", semblance.SetSource{Format: "nsrl", Unit: "FILE row", About: "RDS 2026.09.1 modern_minimal"},
		"1 "+sha1A[:8]+" Game; Tool", "2 "+sha1B[:8]+" Game; Tool", "3 "+sha1A[:8])
}

// Whatever bytes of a database are others, and wherever it is cut: rows in order or a
// sentence, and an end. Patches are offset, two bytes, and value.
func FuzzDatabase(f *testing.F) {
	var seeds [][]byte
	seed := func(statements ...string) {
		b, err := os.ReadFile(database(f, "seed.db", append([]string{`PRAGMA page_size = 512`}, statements...)...))
		if err != nil {
			f.Fatal(err)
		}
		seeds = append(seeds, b)
	}
	row := fmt.Sprintf(`INSERT INTO FILE VALUES ('%s', '%s', '%s', '', 'a', 12, 7), ('', '%s', 'x', '', 'b', -1, 8)`, sumA, sha1A, md5A, sha1B)
	seed(append(slices.Clone(rdsTables), row)...)
	seed(append(slices.Clone(rdsTables), row, `WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 50) INSERT INTO FILE SELECT '', sha1, '', '', '', n, 7 FROM FILE, r`, `ANALYZE`)...)
	seed(`CREATE TABLE METADATA (metadata_id INTEGER PRIMARY KEY, sha256, sha1, md5, bytes INTEGER)`, `CREATE VIEW FILE AS SELECT sha1 FROM METADATA`, `INSERT INTO METADATA VALUES (5, NULL, '`+sha1A+`', NULL, 1)`)
	seed(`CREATE TABLE db_properties (name TEXT, value TEXT)`, `CREATE TABLE hashes (id INTEGER PRIMARY KEY AUTOINCREMENT, md5 BINARY(16) UNIQUE, sha1 BINARY(20), sha2_256 BINARY(32))`,
		`CREATE TABLE comments (comment TEXT NOT NULL, hash_id INTEGER NOT NULL)`, `INSERT INTO hashes (md5) VALUES (x'`+md5A+`'), (x'00')`, `INSERT INTO comments VALUES ('case 7', 1)`)
	for i := range seeds {
		f.Add(byte(i), []byte{}, uint16(0))
		f.Add(byte(i), []byte{0, 28, 255, 2, 3, 0, 4, 9, 128}, uint16(100))
	}
	path := filepath.Join(f.TempDir(), "x.db")
	f.Fuzz(func(t *testing.T, which byte, patches []byte, cut uint16) {
		b := bytes.Clone(seeds[int(which)%len(seeds)])
		for ; len(patches) > 2; patches = patches[3:] {
			b[int(binary.BigEndian.Uint16(patches))%len(b)] = patches[2]
		}
		if b = b[:len(b)-int(cut)%len(b)]; !bytes.HasPrefix(b, []byte("SQLite format 3\x00")) {
			return
		}
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		for _, format := range []exchange.Format{exchange.NSRL, exchange.KDB} {
			if _, err := rowsOf(t, path, format); err != nil && (semblance.CodeOf(err) != semblance.Invalid || semblance.HintOf(err) == "") {
				t.Fatalf("%v (%s)", err, semblance.CodeOf(err))
			}
		}
	})
}
