package containers

import (
	"bytes"
	"database/sql"
	"encoding/base64"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	_ "modernc.org/sqlite"

	"semblance"
)

// picture is a JPEG of its own of about size bytes.
func picture(t testing.TB, seed uint64, size int) string {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 1))
	side := 8
	for side*side < size {
		side += 8
	}
	m := image.NewGray(image.Rect(0, 0, side, side))
	for i := range m.Pix {
		m.Pix[i] = byte(r.Uint32())
	}
	m.SetGray(0, 0, color.Gray{Y: byte(seed)})
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, &jpeg.Options{Quality: 75}); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// made runs statements in a new database and gives what its files hold while it is open.
// A statement may have one argument.
func made(t testing.TB, do func(exec func(query string, args ...any))) (db, wal []byte) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "x.db")
	conn, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetMaxOpenConns(1)
	do(func(query string, args ...any) {
		if _, err := conn.Exec(query, args...); err != nil {
			t.Fatalf("%s: %v", query, err)
		}
	})
	if db, err = os.ReadFile(file); err != nil {
		t.Fatal(err)
	}
	wal, _ = os.ReadFile(file + "-wal")
	return db, wal
}

// contents are the entries by name.
func contents(t testing.TB, all []held) map[string]held {
	m := map[string]held{}
	for _, h := range all {
		if _, twice := m[string(h.Name)]; twice {
			t.Errorf("%s occurs twice", h.Name)
		}
		m[string(h.Name)] = h
	}
	return m
}

func TestSQLiteValues(t *testing.T) {
	t.Parallel()
	for _, setting := range []string{
		"page_size=512", "page_size=4096", "page_size=65536", "auto_vacuum=full", "encoding='UTF-16le'", "encoding='UTF-16be'",
	} {
		t.Run(setting, func(t *testing.T) {
			t.Parallel()
			want := map[string]string{}
			small, big := picture(t, 1, 300), picture(t, 2, 200_000)
			db, _ := made(t, func(exec func(string, ...any)) {
				exec("pragma " + setting)
				exec("pragma secure_delete=off")
				exec(`create table messages (_id integer primary key, "the "" text" text, -- a comment, with a comma
					n integer generated always as (_id * 2) virtual, thumb blob default x'00', [odd name] blob, check (_id > 0))`)
				exec("create index i on messages (thumb)")
				exec("create virtual table v using fts5(x)")
				for i := 1; i <= 200; i++ {
					p := picture(t, uint64(i+10), 100+i*20)
					exec(`insert into messages (_id, "the "" text", thumb) values (?, ?, ?)`, i*3, strings.Repeat("x", i*7), []byte(p))
					want[fmt.Sprintf("messages/thumb/%d.jpg", i*3)] = p
				}
				exec(`insert into messages values (100000, ?, null, ?)`, base64.StdEncoding.EncodeToString([]byte(small)), []byte("bplist00 and "+small+" behind"))
				want[`messages/the " text/100000.jpg`] = small
				want["messages/odd name/100000+13.jpg"] = small
				exec("create table w (a blob, k text, b text, primary key (k)) without rowid")
				exec("insert into w values (?, 'second', ?), (?, 'first', 'x')", []byte(big), strings.Repeat("y", 3000), []byte(small))
				want["w/a/1.jpg"], want["w/a/2.jpg"] = small, big
				exec("create table c as select ? as z, 1.5, -7, null", []byte(big))
				want["c/z/1.jpg"] = big
				exec("alter table c add column later blob")
				exec("insert into c (later) values (?)", []byte("PK\x03\x04"+strings.Repeat("zip", 50)))
				want["c/later/2.zip"] = "PK\x03\x04" + strings.Repeat("zip", 50)
			})
			all, facts, err := list(t, "x.db", db, Options{})
			if err != nil || facts.Format != "sqlite" || len(facts.Notes) != 0 {
				t.Fatal(facts, err)
			}
			got := contents(t, all)
			for name, content := range want {
				if h := got[name]; h.content != content || h.err != nil {
					t.Errorf("%s: %d bytes, want %d; %v", name, len(h.content), len(content), h.err)
				}
			}
			for name, h := range got {
				if _, ok := want[name]; !ok && !h.Deleted {
					t.Errorf("%s was not put in", name)
				}
				if at := h.Offset; !h.Deleted && h.Size > 0 && (at < 0 || h.content[:2] != string(db[at:at+2])) {
					t.Errorf("%s does not lie at %d", name, at)
				}
			}
		})
	}
}

func TestSQLiteWriteAheadLog(t *testing.T) {
	t.Parallel()
	before, after := picture(t, 1, 5000), picture(t, 2, 50_000)
	db, wal := made(t, func(exec func(string, ...any)) {
		exec("pragma journal_mode=wal")
		exec("pragma wal_autocheckpoint=0")
		exec("create table t (p blob)")
		exec("insert into t values (?)", []byte(before))
		exec("pragma wal_checkpoint(truncate)")
		exec("update t set p = ?", []byte(after))
		exec("insert into t values (?)", []byte(before))
	})
	parts := []Part{{"x.db", bytes.NewReader(db), int64(len(db))}, {"x.db-wal", bytes.NewReader(wal), int64(len(wal))}}
	all := read(t, parts)
	if got := contents(t, all); got["t/p/1.jpg"].content != after || got["t/p/2.jpg"].content != before {
		t.Errorf("with its log: %+v", names(all))
	}
	if got := contents(t, read(t, parts[:1])); len(got) != 1 || got["t/p/1.jpg"].content != before {
		t.Errorf("without its log: %+v", names(all))
	}
	cut := parts[1]
	cut.Size -= 5000 // the last transaction is not whole
	if got := contents(t, read(t, []Part{parts[0], cut})); got["t/p/1.jpg"].content != after || len(got) != 1 {
		t.Errorf("with a log that breaks off: %+v", got)
	}
}

func read(t testing.TB, parts []Part) (all []held) {
	t.Helper()
	r, err := Open(parts, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	all, _, err = listReader(r)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func names(all []held) (n []string) {
	for _, h := range all {
		n = append(n, string(h.Name))
	}
	return n
}

// TestSQLiteDeleted deletes rows in the ways that a phone does; every picture comes back
// as long as nothing was written over it.
func TestSQLiteDeleted(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		story, delete string
		gone          func(i int) bool
	}{
		{"a row here and there", "delete from t where id % 5 = 0", func(i int) bool { return i%5 == 0 }},
		{"all rows", "delete from t", func(int) bool { return true }},
		{"the table", "drop table t", func(int) bool { return true }},
	} {
		t.Run(test.story, func(t *testing.T) {
			t.Parallel()
			var pictures []string
			db, _ := made(t, func(exec func(string, ...any)) {
				exec("pragma secure_delete=off")
				exec("create table t (id integer primary key, name text, p blob)")
				for i := range 60 {
					pictures = append(pictures, picture(t, uint64(i), []int{300, 900, 3000, 20_000, 100_000}[i/5%5]))
					exec("insert into t values (?, ?, ?)", i+1000, fmt.Sprintf("picture %d", i), []byte(pictures[i]))
				}
				exec(test.delete)
			})
			all, facts, err := list(t, "x.db", db, Options{})
			if err != nil || len(all) == 0 {
				t.Fatal(facts, err)
			}
			overwritten := 0
			for i, p := range pictures {
				found := slices.IndexFunc(all, func(h held) bool { return h.content == p })
				switch {
				case found < 0 && test.gone(i) && !stillThere(db, p):
					overwritten++
				case found < 0:
					t.Errorf("picture %d of %d bytes is there and not found", i, len(p))
				case all[found].Deleted != test.gone(i) || all[found].Carved != test.gone(i):
					t.Errorf("%s: deleted %v, want %v", all[found].Name, all[found].Deleted, test.gone(i))
				}
			}
			if overwritten > 5 {
				t.Errorf("the test has nothing to find: %d pictures are overwritten", overwritten)
			}
		})
	}
}

// stillThere reports whether all of a picture is somewhere in a database of 4 KiB pages,
// but for the pieces that lie over the end of a page.
func stillThere(db []byte, p string) bool {
	missing := 0
	for i := 0; i+32 <= len(p); i += 32 {
		if !bytes.Contains(db, []byte(p[i:i+32])) {
			missing++
		}
	}
	return missing <= len(p)/4000+1
}

// TestSQLiteDamaged takes databases apart: sentences, never a hang, and what is whole
// comes out.
func TestSQLiteDamaged(t *testing.T) {
	t.Parallel()
	db, _ := made(t, func(exec func(string, ...any)) {
		exec("create table t (p blob)")
		for i := range 100 {
			exec("insert into t values (?)", []byte(picture(t, uint64(i), 3000)))
		}
	})
	whole, _, _ := list(t, "x.db", db, Options{})
	if len(whole) != 100 {
		t.Fatal(len(whole))
	}
	all, facts, err := list(t, "x.db", db[:len(db)/2], Options{})
	if err != nil || len(all) < 30 || len(facts.Notes) == 0 {
		t.Errorf("half: %d entries, %v, %v", len(all), facts.Notes, err)
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		b := bytes.Clone(db)
		for range 200 {
			b[r.IntN(len(b))] = byte(r.Uint32())
		}
		copy(b, db[:18])
		all, _, err := list(t, "x.db", b, Options{})
		if err != nil {
			code(t, err)
		}
		total := 0
		for _, h := range all {
			total += len(h.content)
		}
		if total > 2*len(b) {
			t.Errorf("%d bytes out of %d", total, len(b))
		}
	}
	_, _, err = list(t, "x.db", append([]byte(sqliteMagic+"\x00\x03"), make([]byte, 200)...), Options{})
	if code(t, err) != semblance.MediaDamaged {
		t.Error(err)
	}
}

func TestColumns(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		sql     string
		want    []string
		without bool
	}{
		{"CREATE TABLE t(a,b)", []string{"a", "b"}, false},
		{"create table [x(y] (\n'a,''b' varchar(10), /* , c */ \"d\" integer, unique(a), foreign key(d) references z(q))", []string{"a,'b", "d"}, false},
		{"CREATE TABLE t(a, b DEFAULT (cast('x' as text)), c AS (a||b) STORED, d INT AS(a), PRIMARY KEY(c, b)) STRICT, without  rowid", []string{"c", "b", "a"}, true},
		{"CREATE TABLE t(a text, b text primary key) WITHOUT ROWID", []string{"b", "a"}, true},
		{"CREATE TABLE t(a, (((", []string{"a"}, false},
		{"", nil, false},
	} {
		got, without := columnsOf(test.sql)
		got = slices.DeleteFunc(got, func(s string) bool { return strings.HasPrefix(s, "(") })
		if !slices.Equal(got, test.want) || without != test.without {
			t.Errorf("%s: %q %v", test.sql, got, without)
		}
	}
}

func sqliteSeeds(t testing.TB) [][]byte {
	db, _ := made(t, func(exec func(string, ...any)) {
		exec("pragma page_size=512")
		exec("create table t (id integer primary key, p blob)")
		exec("create table w (k text primary key, p blob) without rowid")
		exec("insert into t values (1, ?), (2, ?)", []byte(photo), []byte(picture(t, 1, 64)))
		exec("insert into w values ('k', ?)", []byte(photo))
		exec("delete from t where id = 1")
	})
	return [][]byte{db}
}
