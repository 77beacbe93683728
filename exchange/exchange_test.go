package exchange_test

import (
	"context"
	"database/sql"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"semblance"
	"semblance/exchange"
	"semblance/hashing"
)

const (
	md5A  = "0cc175b9c0f1b6a831c399e269772661"
	md5B  = "92eb5ffee6ae2fec3ad71c777531578f"
	sha1A = "86f7e437faa5a7fce15d1ddcb9eaeaea377667b8"
	sha1B = "e9d71f5ee7c92d6dc9e92ffdad17b8bd49418f98"
	sumA  = "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"
	sumB  = "3e23e8160039594a33894f6564e1b1348bbd7a0088d42c4acb73eeaed59c009d"
)

// write makes a file and returns its path.
func write(t testing.TB, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// database makes a SQLite database.
func database(t testing.TB, name string, statements ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, s := range statements {
		if _, err := db.ExecContext(t.Context(), s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
	return path
}

// say writes what Next gave as a line.
func say(r semblance.DigestRow, err error) string {
	var bad *semblance.BadRow
	switch {
	case errors.As(err, &bad):
		return fmt.Sprintf("%d bad: %s", bad.Row, bad.Reason)
	case errors.Is(err, semblance.ErrBlankRow):
		return "blank"
	case err != nil:
		return "error: " + err.Error()
	}
	out := fmt.Sprint(r.Row)
	for _, v := range [][]byte{r.MD5, r.SHA1, r.SHA256} {
		if v != nil {
			out += " " + hex.EncodeToString(v)[:8]
		}
	}
	if r.Size != 0 {
		out += fmt.Sprintf(" size %d", r.Size)
	}
	if r.Text != "" {
		out += " " + r.Text
	}
	return out
}

// rowsFrom reads what comes after a position, and the positions after each row.
func rowsFrom(t testing.TB, s exchange.Source, at semblance.SourcePosition) (rows []string, positions []semblance.SourcePosition) {
	t.Helper()
	if err := s.Seek(t.Context(), at); err != nil {
		t.Fatal(err)
	}
	var r semblance.DigestRow
	for {
		err := s.Next(t.Context(), &r)
		if errors.Is(err, io.EOF) {
			return rows, positions
		}
		rows, positions = append(rows, say(r, err)), append(positions, s.Position())
		if strings.HasPrefix(rows[len(rows)-1], "error: ") {
			return rows, positions
		}
	}
}

// readAll demands what a file holds, from its beginning and after each of its rows.
func readAll(t *testing.T, path string, format exchange.Format, def hashing.Algorithm, want semblance.SetSource, rows ...string) {
	t.Helper()
	open := func() exchange.Source {
		s, err := exchange.Open(t.Context(), path, format, def)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
		return s
	}
	s := open()
	got, positions := rowsFrom(t, s, semblance.SourcePosition{})
	if !slices.Equal(got, rows) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(rows, "\n"))
	}
	for i, at := range positions {
		if rest, _ := rowsFrom(t, open(), at); !slices.Equal(rest, rows[i+1:]) {
			t.Errorf("after row %d: %q, want %q", i+1, rest, rows[i+1:])
		}
	}
	about, end := s.Describe()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if about.Name != filepath.Base(path) || about.Format != want.Format || about.Unit != want.Unit || about.About != want.About || about.Bytes != int64(len(content)) || about.Modified.IsZero() {
		t.Errorf("described as %+v, want %+v", about, want)
	}
	if len(positions) > 0 && positions[len(positions)-1].Offset > end {
		t.Errorf("offsets go to %d, past %d", positions[len(positions)-1].Offset, end)
	}
	sum, err := s.Sum(t.Context())
	if d := hashing.DigestBytes(content); err != nil || sum != semblance.SHA256(d.SHA256) {
		t.Errorf("sum %s, %v", sum, err)
	}
}

func TestPlain(t *testing.T) {
	t.Parallel()
	path := write(t, "list.txt", "\ufeff"+md5A+"\r\n"+strings.ToUpper(sha1B)+"\n\n# a comment\n"+sumA+"\n"+md5B+"  dir/b.jpg\nMD5 (a) = "+md5A+"\n"+
		sha1A+",seen in March, size=12\n"+md5A[:31]+"\nsha256:"+sumB+"\npdq:"+sumA+"\n"+strings.Repeat("x", 200_000)+"\n"+md5A[:31]+"g\n"+md5B)
	readAll(t, path, "", hashing.AlgorithmSHA256, semblance.SetSource{Format: "plain", Unit: "line"},
		"1 "+md5A[:8], "2 "+sha1B[:8], "blank", "blank", "5 "+sumA[:8], "6 "+md5B[:8]+" dir/b.jpg", "7 "+md5A[:8]+" a", "8 "+sha1A[:8]+" size 12 seen in March",
		"9 bad: 31 hex digits; an MD5 has 32, a SHA-1 40, a SHA-256 or PDQ 64", "10 "+sumB[:8],
		"11 bad: a digest set holds MD5, SHA-1 and SHA-256, not pdq; import such lines as entries",
		"12 bad: the line is longer than 64 KiB", "13 bad: 'g' at position 32 is not a hex digit", "14 "+md5B[:8])
	readAll(t, write(t, "empty", ""), "", "", semblance.SetSource{Format: "plain", Unit: "line"})
}

// The quick way of reading bare digits is the slow one.
func TestPlainQuickIsSlow(t *testing.T) {
	t.Parallel()
	var list, slow strings.Builder
	for i := range 600 {
		d := hashing.DigestBytes([]byte{byte(i), byte(i >> 8)})
		text := hex.EncodeToString(d.Value([]hashing.Algorithm{hashing.AlgorithmMD5, hashing.AlgorithmSHA1, hashing.AlgorithmSHA256}[i%3]))
		if i%2 == 0 {
			text = strings.ToUpper(text)
		}
		if i%5 == 0 { // one byte that is a digit or not
			b := []byte(text)
			if b[i%len(b)] = byte(i/5) % 128; b[i%len(b)] == '\n' || b[i%len(b)] == '\r' {
				b[i%len(b)] = '-'
			}
			text = string(b)
		}
		fmt.Fprintln(&list, text)
		alg, value, note, err := hashing.ParseHashLine(text, hashing.AlgorithmSHA256)
		r := semblance.DigestRow{Row: int64(i + 1), Text: note}
		switch {
		case errors.Is(err, hashing.ErrBlank):
			err = semblance.ErrBlankRow
		case err != nil:
			err = &semblance.BadRow{Row: r.Row, Reason: err.Error()}
		case alg == hashing.AlgorithmMD5:
			r.MD5 = value
		case alg == hashing.AlgorithmSHA1:
			r.SHA1 = value
		default:
			r.SHA256 = value
		}
		fmt.Fprintln(&slow, say(r, err))
	}
	s, err := exchange.Open(t.Context(), write(t, "list", list.String()), exchange.Plain, hashing.AlgorithmSHA256)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	got, _ := rowsFrom(t, s, semblance.SourcePosition{})
	if want := strings.Split(strings.TrimSuffix(slow.String(), "\n"), "\n"); !slices.Equal(got, want) {
		for i := range want {
			if got[i] != want[i] {
				t.Fatalf("%q, want %q", got[i], want[i])
			}
		}
	}
}

// 64 digits of unstated kind end the reading: they are never guessed.
func TestPlainAsks(t *testing.T) {
	t.Parallel()
	path := write(t, "list.txt", md5A+"\n"+sumA+"\n")
	s, err := exchange.Open(t.Context(), path, "", "")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Seek(t.Context(), semblance.SourcePosition{}); err != nil {
		t.Fatal(err)
	}
	var r semblance.DigestRow
	if err := s.Next(t.Context(), &r); err != nil {
		t.Fatal(err)
	}
	before := s.Position()
	if err := s.Next(t.Context(), &r); semblance.CodeOf(err) != semblance.Invalid || !strings.Contains(semblance.HintOf(err), "--format") {
		t.Fatal(err)
	}
	if after := s.Position(); after != before || after.Row != 1 {
		t.Errorf("the line that was refused counts as read: %+v, %+v", before, after)
	}
	if _, err := exchange.Open(t.Context(), path, exchange.Plain, hashing.AlgorithmPDQ); semblance.CodeOf(err) != semblance.Invalid {
		t.Errorf("a set of PDQ: %v", err)
	}
}

func TestNSRLText(t *testing.T) {
	t.Parallel()
	newer := `"SHA-1","MD5","CRC32","FileName","FileSize","ProductCode","OpSystemCode","SpecialCode"` + "\r\n"
	rows := fmt.Sprintf(`"%s","%s","AABBCCDD","a.txt",12,100,"358",""`+"\r\n"+`"%s","%s","AABBCCDD","a ""b"", `+"\xe9"+`.txt",4000000000,200,"358","M"`+"\r\n"+`"%s","","x","c"`+"\r\n\r\n"+`"%s","","x","d",-1,1,"358",""`+"\r\n"+`"","","x","d",1,1,"358",""`+"\r\n"+`"%s","%s","x","e,f",7,3,"","S"`,
		strings.ToUpper(sha1A), strings.ToUpper(md5A), sha1B, md5B, sha1A, sha1A, sha1A, md5B)
	source := semblance.SetSource{Format: "nsrl", Unit: "line", About: "NSRLFile.txt"}
	readAll(t, write(t, "NSRLFile.txt", newer+rows), "", "", source,
		"blank", "2 "+md5A[:8]+" "+sha1A[:8]+" size 12", "3 "+md5B[:8]+" "+sha1B[:8]+" size 4000000000 special code M (malicious)",
		"4 bad: the line has not the 8 columns of the heading", "blank", `6 bad: "-1" is no size of a file`, "7 bad: the row has no digest", "8 "+md5B[:8]+" "+sha1A[:8]+" size 7 special code S (special)")

	path := write(t, "NSRLFile.txt", newer+rows)
	products := "\"ProductCode\",\"ProductName\",\"ProductVersion\",\"OpSystemCode\",\"MfgCode\",\"Language\",\"ApplicationType\"\n" +
		"100,\"A, b\",\"1\",\"358\",\"9\",\"English\",\"Operating System\"\n200,\"Evil\",\"1\",\"358\",\"9\",\"English\",\"Hacker Tool\"\n200,\"Evil\",\"2\",\"358\",\"9\",\"English\",\"Security\"\n"
	if err := os.WriteFile(filepath.Join(filepath.Dir(path), "NSRLProd.txt"), []byte(products), 0o600); err != nil {
		t.Fatal(err)
	}
	source.About += " with application types of NSRLProd.txt"
	readAll(t, path, exchange.NSRL, "", source,
		"blank", "2 "+md5A[:8]+" "+sha1A[:8]+" size 12 Operating System", "3 "+md5B[:8]+" "+sha1B[:8]+" size 4000000000 Hacker Tool; Security; special code M (malicious)",
		"4 bad: the line has not the 8 columns of the heading", "blank", `6 bad: "-1" is no size of a file`, "7 bad: the row has no digest", "8 "+md5B[:8]+" "+sha1A[:8]+" size 7 special code S (special)")

	older := `"SHA-1","FileName","FileSize","ProductCode","OpSystemCode","MD4","MD5","CRC32","SpecialCode"` + "\n" +
		fmt.Sprintf(`"%s","a, ""b"".txt",12,100,"WIN","00","%s","AABBCCDD",""`+"\n", sha1A, md5A)
	readAll(t, write(t, "NSRLFile.txt", older), "", "", semblance.SetSource{Format: "nsrl", Unit: "line", About: "NSRLFile.txt"}, "blank", "2 "+md5A[:8]+" "+sha1A[:8]+" size 12")
}

// rdsTables is the schema of the minimal edition.
var rdsTables = []string{
	`CREATE TABLE FILE (sha256 VARCHAR NOT NULL, sha1 VARCHAR NOT NULL, md5 VARCHAR NOT NULL, crc32 VARCHAR NOT NULL, file_name VARCHAR NOT NULL, file_size INTEGER NOT NULL, package_id INTEGER NOT NULL,
		CONSTRAINT PK_FILE__FILE PRIMARY KEY (sha256, sha1, md5, file_name, file_size, package_id))`,
	`CREATE TABLE PKG (package_id INTEGER NOT NULL, name VARCHAR NOT NULL, version VARCHAR NOT NULL, operating_system_id INTEGER NOT NULL, manufacturer_id INTEGER NOT NULL, language VARCHAR NOT NULL, application_type VARCHAR NOT NULL,
		CONSTRAINT PK_PKG__PKG_ID PRIMARY KEY (package_id, name, version, operating_system_id, manufacturer_id, language, application_type))`,
	`CREATE TABLE OS (operating_system_id INTEGER, name VARCHAR NOT NULL, version VARCHAR NOT NULL, manufacturer_id INTEGER NOT NULL)`,
	`CREATE TABLE MFG (manufacturer_id INTEGER NOT NULL, name VARCHAR NOT NULL)`,
	`CREATE TABLE VERSION (version VARCHAR UNIQUE NOT NULL, build_set VARCHAR NOT NULL, build_date TIMESTAMP NOT NULL, release_date TIMESTAMP NOT NULL, description VARCHAR NOT NULL)`,
	`CREATE VIEW DISTINCT_HASH AS SELECT DISTINCT sha256, sha1, md5, crc32 FROM FILE`,
	`INSERT INTO VERSION VALUES ('2026.09.1', 'modern_minimal', '2026-09-01', '2026-09-15', 'x')`,
	`INSERT INTO PKG VALUES (7, 'Windows', '10', 1, 1, 'English', 'Operating System'), (8, 'Tool', '1', 1, 1, 'English', 'Hacker Tool'), (8, 'Tool', '1', 2, 1, 'English', 'Hacker Tool'), (8, 'Tool', '1', 3, 1, 'English', 'Security')`,
}

func TestRDS(t *testing.T) {
	t.Parallel()
	up := strings.ToUpper
	minimal := append(slices.Clone(rdsTables),
		fmt.Sprintf(`INSERT INTO FILE VALUES ('%s', '%s', '%s', 'AABBCCDD', 'a.dll', 12, 7), ('%s', '%s', '%s', 'AABBCCDD', 'b.exe', 5000000000, 8), ('', '%s', '', '', 'c', 0, 9), ('xyz', '%s', '', '', 'd', 0, 9), ('', '', '', '', 'e', 0, 9)`,
			up(sumA), up(sha1A), up(md5A), up(sumB), up(sha1B), up(md5B), sha1A, sha1A),
		`DELETE FROM FILE WHERE file_name = 'none'`)
	readAll(t, database(t, "RDS_2026.09.1_modern_minimal.db", minimal...), "", "", semblance.SetSource{Format: "nsrl", Unit: "FILE row", About: "RDS 2026.09.1 modern_minimal"},
		"1 "+md5A[:8]+" "+sha1A[:8]+" "+sumA[:8]+" size 12 Operating System", "2 "+md5B[:8]+" "+sha1B[:8]+" "+sumB[:8]+" size 5000000000 Hacker Tool; Security",
		"3 "+sha1A[:8], "4 bad: 'x' at position 1 is not a hex digit", "5 bad: the row has no digest")

	full := []string{
		`CREATE TABLE METADATA (metadata_id INTEGER PRIMARY KEY, object_id INTEGER, sha256 VARCHAR, sha1 VARCHAR, md5 VARCHAR, extension VARCHAR, bytes INTEGER)`,
		`CREATE VIEW FILE AS SELECT sha256, sha1, md5, '' AS file_name, bytes AS file_size, object_id AS package_id FROM METADATA`,
		fmt.Sprintf(`INSERT INTO METADATA VALUES (5, 1, '%s', '%s', '%s', 'jpg', 12), (9, 1, NULL, '%s', '%s', 'jpg', NULL)`, sumA, sha1A, md5A, sha1B, md5B),
	}
	readAll(t, database(t, "RDS_2026.03.1_modern.db", full...), exchange.NSRL, "", semblance.SetSource{Format: "nsrl", Unit: "METADATA row", About: "RDSv3"},
		"5 "+md5A[:8]+" "+sha1A[:8]+" "+sumA[:8]+" size 12", "9 "+md5B[:8]+" "+sha1B[:8])
}

func TestKDB(t *testing.T) {
	t.Parallel()
	path := database(t, "set.kdb",
		`CREATE TABLE db_properties (name TEXT NOT NULL, value TEXT)`, `INSERT INTO db_properties VALUES ('Schema Version', '1')`,
		`CREATE TABLE hashes (id INTEGER PRIMARY KEY AUTOINCREMENT, md5 BINARY(16) UNIQUE, sha1 BINARY(20), sha2_256 BINARY(32))`,
		`CREATE TABLE file_names (name TEXT NOT NULL, hash_id INTEGER NOT NULL, PRIMARY KEY(name, hash_id))`,
		`CREATE TABLE comments (comment TEXT NOT NULL, hash_id INTEGER NOT NULL, PRIMARY KEY(comment, hash_id))`,
		`CREATE INDEX md5_index ON hashes(md5)`,
		`INSERT INTO hashes (id, md5, sha1) VALUES (1, x'`+md5A+`', NULL), (3, x'`+md5B+`', x'`+sha1B+`'), (4, x'00ff', NULL), (6, NULL, NULL), (7, '`+sumA[:32]+`', NULL)`,
		`INSERT INTO comments VALUES ('case 7', 1), ('case 9', 1), ('other', 3)`)
	readAll(t, path, "", "", semblance.SetSource{Format: "kdb", Unit: "hashes row"},
		"1 "+md5A[:8]+" case 7; case 9", "3 "+md5B[:8]+" "+sha1B[:8]+" other", "4 bad: '\\x00' at position 1 is not a hex digit", "6 bad: the row has no digest", "7 "+sumA[:8])
}

func TestHashKeeper(t *testing.T) {
	t.Parallel()
	heading := `"file_id","hashset_id","file_name","directory","hash","file_size","date_modified","time_modified","time_zone","comments","date_accessed","time_accessed"` + "\r\n"
	path := write(t, "set.hke", heading+`1,5,"a, ""b"".jpg","C:\","`+strings.ToUpper(md5A)+`",12,"2001-01-01","00:00","PST","seen, twice","",""`+"\r\n"+`2,5,"x"`+"\r\n"+`3,5,"c","","`+md5B+`",,"","","","","",""`+"\r\n"+`4,5,"d","","`+md5B[:30]+`",1,"","","","","",""`+"\r\n")
	readAll(t, path, "", "", semblance.SetSource{Format: "hashkeeper", Unit: "line"},
		"blank", "2 "+md5A[:8]+" size 12 seen, twice", "3 bad: the line has 3 columns, not the 12 of the heading", "4 "+md5B[:8], "5 bad: 30 hex digits; an MD5 has 32")
}

// encaseFile makes a set as EnCase writes it.
func encaseFile(count uint32, digests ...string) string {
	b := make([]byte, 0x480)
	copy(b, "HASH\r\n\xff\x00")
	binary.LittleEndian.PutUint32(b[0x10:], count)
	for at, text := range map[int]string{0x408: "Case 7", 0x458: "Notable"} {
		for i, u := range utf16.Encode([]rune(text)) {
			binary.LittleEndian.PutUint16(b[at+2*i:], u)
		}
	}
	for _, d := range digests {
		v, _ := hex.DecodeString(d)
		b = append(append(b, v...), 0, 0)
	}
	return string(b)
}

func TestEnCase(t *testing.T) {
	t.Parallel()
	path := write(t, "set.hash", encaseFile(2, md5A, md5B)+"tail")
	readAll(t, path, "", "", semblance.SetSource{Format: "encase", Unit: "record", About: "Case 7"},
		"1 "+md5A[:8]+" Notable", "2 "+md5B[:8]+" Notable", "3 bad: the last record is cut short: it has 4 of 18 bytes")
	if _, err := exchange.Open(t.Context(), write(t, "cut.hash", encaseFile(3, md5A, md5B)), "", ""); semblance.CodeOf(err) != semblance.Invalid || semblance.HintOf(err) == "" {
		t.Errorf("a set that is cut short: %v", err)
	}
}

func TestTSKIndex(t *testing.T) {
	t.Parallel()
	zeros := strings.Repeat("0", 40)
	heading := zeros + "0|nsrl\n" + zeros + "1|NSRLFile.txt\n"
	source := semblance.SetSource{Format: "tsk-idx", Unit: "line", About: "nsrl, NSRLFile.txt"}
	readAll(t, write(t, "NSRLFile.txt-md5.idx", heading+strings.ToUpper(md5A)+"|0000000000000095\n"+md5B+"|95\n"+strings.ToUpper(md5B)+"|0000000000000195\n"), "", "", source,
		"blank", "blank", "3 "+md5A[:8], "4 bad: the line is not a digest, a bar and an offset of 16 digits", "5 "+md5B[:8])
	readAll(t, write(t, "NSRLFile.txt-sha1.idx", heading+strings.ToUpper(sha1A)+"|0000000000000095\n"+md5B+"|0000000000000095\n"), exchange.TSKIndex, "", source,
		"blank", "blank", "3 "+sha1A[:8], "4 bad: 32 hex digits; a SHA-1 has 40")
}

// What is not of the format it is said to be, or cannot be read, is refused with what to do.
func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	plain, other := write(t, "list.txt", md5A+"\n"), database(t, "x.db", `CREATE TABLE t (a)`)
	cut := write(t, "cut.db", "SQLite format 3\x00"+strings.Repeat("\x01", 5000))
	wal := database(t, "open.db", rdsTables...)
	if err := os.WriteFile(wal+"-wal", []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		path   string
		format exchange.Format
	}{
		{plain, exchange.NSRL}, {plain, exchange.HashKeeper}, {plain, exchange.EnCase}, {plain, exchange.TSKIndex}, {plain, exchange.KDB}, {plain, "csv"},
		{other, ""}, {other, exchange.NSRL}, {other, exchange.KDB}, {other, exchange.Plain}, {cut, ""}, {wal, ""},
		{write(t, "wide.txt", "\xff\xfe0\x00c\x00"), ""}, {filepath.Dir(plain), ""}, {plain + ".gone", ""},
	} {
		s, err := exchange.Open(t.Context(), c.path, c.format, "")
		if err == nil {
			t.Errorf("%s as %s was opened", filepath.Base(c.path), c.format)
			s.Close()
		} else if semblance.CodeOf(err) != semblance.Invalid {
			t.Errorf("%s as %s: %v (%s)", filepath.Base(c.path), c.format, err, semblance.CodeOf(err))
		}
	}
}

// A file that changes while it is read does not pass for what it was.
func TestSumOfChangedFile(t *testing.T) {
	t.Parallel()
	path := write(t, "list.txt", md5A+"\n")
	s, err := exchange.Open(t.Context(), path, "", "")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := os.WriteFile(path, []byte(md5A+"\n"+md5B+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Sum(t.Context()); semblance.CodeOf(err) != semblance.Invalid || semblance.HintOf(err) == "" {
		t.Error(err)
	}
}

// Whatever a file holds and is said to be, its rows are numbered in order, digests have
// their length, and reading ends.
func FuzzText(f *testing.F) {
	zeros := strings.Repeat("0", 40)
	for i, content := range []string{
		md5A + "\n" + sha1A + ",note size=5\nSHA256 (x) = " + sumA + "\n\xff",
		`"SHA-1","MD5","CRC32","FileName","FileSize","ProductCode","OpSystemCode","SpecialCode"` + "\n" + `"` + sha1A + `","` + md5A + `","x","n ""m"", o",12,7,"",""` + "\n",
		`"file_id","hashset_id","file_name","directory","hash","file_size","date_modified","time_modified","time_zone","comments"` + "\n1,2,\"a\",\"b\"," + md5A + ",5,,,,\"c\n",
		encaseFile(2, md5A, md5B),
		zeros + "0|md5sum\n" + zeros + "1|x\n" + md5A + "|0000000000000001\n",
	} {
		f.Add(content, i)
	}
	dir := f.TempDir()
	formats := []exchange.Format{exchange.Plain, exchange.NSRL, exchange.HashKeeper, exchange.EnCase, exchange.TSKIndex, ""}
	f.Fuzz(func(t *testing.T, content string, which int) {
		if strings.HasPrefix(content, "SQLite format 3\x00") {
			return
		}
		path := filepath.Join(dir, "list")
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := exchange.Open(context.Background(), path, formats[uint(which)%uint(len(formats))], hashing.AlgorithmSHA256)
		if err != nil {
			if semblance.CodeOf(err) != semblance.Invalid {
				t.Fatal(err)
			}
			return
		}
		defer s.Close()
		if err := s.Seek(context.Background(), semblance.SourcePosition{}); err != nil {
			t.Fatal(err)
		}
		var r semblance.DigestRow
		for n := int64(1); ; n++ {
			err := s.Next(context.Background(), &r)
			if errors.Is(err, io.EOF) {
				return
			}
			at := s.Position()
			var bad *semblance.BadRow
			switch {
			case at.Row != n || at.Offset > int64(len(content)):
				t.Fatalf("row %d is followed by %+v", n, at)
			case errors.As(err, &bad):
				if bad.Row != n || bad.Reason == "" {
					t.Fatalf("row %d: %+v", n, bad)
				}
			case errors.Is(err, semblance.ErrBlankRow):
			case err != nil:
				t.Fatal(err)
			case r.Row != n || len(r.MD5)+len(r.SHA1)+len(r.SHA256) == 0 || r.MD5 != nil && len(r.MD5) != 16 || r.SHA1 != nil && len(r.SHA1) != 20 || r.SHA256 != nil && len(r.SHA256) != 32 || r.Size < 0:
				t.Fatalf("row %d: %+v", n, r)
			}
		}
	})
}
