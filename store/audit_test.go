package store_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"semblance"
	"semblance/store"
)

func TestAuditChain(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	if r := must(s.VerifyAudit(t.Context()))(t); r != (store.AuditReport{OK: true}) {
		t.Errorf("%+v", r)
	}
	ev := event("search")
	ev.Seq, ev.Prev, ev.Hash = 99, "x", "y" // are the store's
	ev.Case, ev.Purpose, ev.Basis, ev.Collections = "1", "p", "b", []string{"faces"}
	ev.Detail = map[string]any{"probe": sum("p"), "candidates": 3}
	check(t, s.Append(t.Context(), ev))
	check(t, s.Append(t.Context(), event("view")))
	list := must(s.AuditEvents(t.Context(), 0, 0))(t)
	if len(list) != 2 || list[0].Seq != 1 || list[0].Prev != "" || list[1].Seq != 2 || list[1].Prev != list[0].Hash || !list[0].Time.Equal(stamped()) {
		t.Fatalf("%+v", list)
	}
	// The documented form, byte for byte, for whoever verifies with other tools.
	const first = `{"action":"search","actor":{"name":"kim@lab","via":"cli"},"basis":"b","case":"1","collections":["faces"],` +
		`"detail":{"candidates":3,"probe":"148de9c5a7a44d19e56cd9ae1a554bf67847afb0c58f6e12fa29ac7ddfca9940"},"prev":"","purpose":"p","seq":1,"time":"2026-11-23T12:00:00.123456Z"}`
	if h := sha256.Sum256([]byte(first)); hex.EncodeToString(h[:]) != list[0].Hash {
		t.Errorf("hash %s is not that of %s", list[0].Hash, first)
	}
	equal(t, "the rest", must(s.AuditEvents(t.Context(), 1, 5))(t), list[1:])
	equal(t, "one", must(s.AuditEvents(t.Context(), 0, 1))(t), list[:1])
	events, head, err := s.AuditHead(t.Context())
	check(t, err)
	report := must(s.VerifyAudit(t.Context()))(t)
	equal(t, "report", report, store.AuditReport{Events: 2, Head: list[1].Hash, Anchored: 2, OK: true})
	if events != 2 || head != report.Head {
		t.Errorf("%d %s", events, head)
	}
	refused(t, s.Append(t.Context(), semblance.AuditEvent{}), semblance.Internal)
}

func TestCanonicalJSON(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		`{"b":1,"a":[true,false,null,{}],"":"x"}`:        `{"":"x","a":[true,false,null,{}],"b":1}`,
		`{"\ufb33":1,"\ud83d\ude00":2,"\u20ac":3}`:       "{\"\u20ac\":3,\"\U0001F600\":2,\"\ufb33\":1}", // RFC 8785, 3.2.3: by UTF-16
		`"\u0000\u0008\t\n\f\r\u001f\"\\/<>&\u2028é"`:    "\"\\u0000\\b\\t\\n\\f\\r\\u001f\\\"\\\\/<>&\u2028é\"",
		`[1.0,1e2,0.5,1E-7,1e21,123456789012,-0.0,4.50]`: `[1,100,0.5,1e-7,1e+21,123456789012,0,4.5]`,
		`[9007199254740992,-9007199254740992]`:           `[9007199254740992,-9007199254740992]`,
		`[9007199254740993,-18446744073709551615,1e20]`:  `["9007199254740993","-18446744073709551615","100000000000000000000"]`,
	} {
		d := json.NewDecoder(strings.NewReader(in))
		d.UseNumber()
		var v any
		check(t, d.Decode(&v))
		got := must(store.CanonicalJSON(v))(t)
		if string(got) != want {
			t.Errorf("%s\n got %s\nwant %s", in, got, want)
		}
	}
}

// FuzzCanonicalJSON: what is canonical says the same and stays as it is.
func FuzzCanonicalJSON(f *testing.F) {
	for _, seed := range []string{`{"b":1,"a":[1.5e300,"\u0001\ud800"]}`, `[9007199254740993]`, `"\\\"<"`, `1e400`, `-0`, `1e20`} {
		f.Add(seed)
	}
	canonical := func(text []byte) ([]byte, any, error) {
		d := json.NewDecoder(strings.NewReader(string(text)))
		d.UseNumber()
		var v any
		if err := d.Decode(&v); err != nil {
			return nil, nil, err
		}
		out, err := store.CanonicalJSON(v)
		return out, v, err
	}
	f.Fuzz(func(t *testing.T, text string) {
		once, _, err := canonical([]byte(text))
		if err != nil {
			return
		}
		twice, _, err := canonical(once)
		if err != nil || string(twice) != string(once) {
			t.Fatalf("%q became %s and then %s, %v", text, once, twice, err)
		}
	})
}

func TestOddDetailsAreAudited(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	ev := event("odd \xff \u2028 <>")
	ev.Detail = map[string]any{"big": int64(math.MaxInt64), "float32": float32(0.1), "nested": map[string]any{"z": []int{1}, "a": nil}, "é": "\x00"}
	check(t, s.Append(t.Context(), ev))
	if r := must(s.VerifyAudit(t.Context()))(t); !r.OK {
		t.Errorf("%+v", r)
	}
	d := must(s.AuditEvents(t.Context(), 0, 0))(t)[0].Detail
	if d["big"] != "9223372036854775807" || d["float32"] != 0.1 {
		t.Errorf("%v", d)
	}
	ev.Detail = map[string]any{"nan": math.NaN()}
	refused(t, s.Append(t.Context(), ev), semblance.Internal)
}

// forge writes event n of a chain anew, as somebody would who knows the form.
func forge(n int, actor, prev string) (text, hash string) {
	text = fmt.Sprintf(`{"action":"view","actor":{"name":%q,"via":"cli"},"prev":%q,"seq":%d,"time":"2026-11-23T12:00:00.123456Z"}`, actor, prev, n)
	h := sha256.Sum256([]byte(text))
	return text, hex.EncodeToString(h[:])
}

func TestTamperingIsFound(t *testing.T) {
	t.Parallel()
	text7, hash7 := forge(7, "somebody else", "")
	for name, test := range map[string]struct {
		sql    string
		anchor func(old string) string // nil: left
		at     int64
		why    string
	}{
		"nothing":             {sql: `SELECT 1`},
		"edited":              {sql: `UPDATE audit SET event = replace(event, 'kim@lab', 'eve@lab') WHERE seq = 4`, at: 4, why: "was changed"},
		"edited with hash":    {sql: `UPDATE audit SET event = '` + text7 + `', hash = '` + hash7 + `' WHERE seq = 7`, at: 7, why: "does not follow"},
		"first removed":       {sql: `DELETE FROM audit WHERE seq = 1`, at: 1, why: "event 1 is missing"},
		"middle removed":      {sql: `DELETE FROM audit WHERE seq BETWEEN 4 AND 5`, at: 4, why: "event 4 is missing"},
		"removed, renumbered": {sql: `DELETE FROM audit WHERE seq = 4; UPDATE audit SET seq = seq - 1 WHERE seq > 4`, at: 4, why: "written as event 5"},
		"reordered": {sql: `UPDATE audit SET seq = -1 WHERE seq = 3; UPDATE audit SET seq = 3 WHERE seq = 4; UPDATE audit SET seq = 4 WHERE seq = -1`,
			at: 3, why: "written as event 4"},
		"inserted in front": {sql: `INSERT INTO audit SELECT 0, event, hash FROM audit WHERE seq = 1`, at: 1, why: "event 1 is missing"},
		"not an event":      {sql: `UPDATE audit SET event = 'x', hash = '2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881' WHERE seq = 2`, at: 2, why: "not an audit event"},
		"tail cut off":      {sql: `DELETE FROM audit WHERE seq > 8`, at: 9, why: "events 9 to 10 are missing"},
		"all removed":       {sql: `DELETE FROM audit`, at: 1, why: "events 1 to 10 are missing"},
		"hash of the last":  {sql: `UPDATE audit SET hash = 'x' WHERE seq = 10`, at: 10, why: "was changed"},
		"anchor removed":    {sql: `SELECT 1`, anchor: func(string) string { return "" }, at: 10, why: "missing or damaged"},
		"anchor damaged":    {sql: `SELECT 1`, anchor: func(string) string { return "\x00\x00" }, at: 10, why: "missing or damaged"},
		"anchor of another": {sql: `SELECT 1`, anchor: func(old string) string { return strings.Replace(old, `"head":"`, `"head":"0`, 1) }, at: 10, why: "anchor file"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			s := must(store.Open(t.Context(), dir, store.Options{Now: clock}))(t)
			for range 10 {
				check(t, s.Append(t.Context(), event("view")))
			}
			check(t, s.Close())
			raw(t, dir, test.sql)
			if test.anchor != nil {
				name := filepath.Join(dir, store.AnchorFile)
				old := must(os.ReadFile(name))(t)
				check(t, os.Remove(name))
				if text := test.anchor(string(old)); text != "" {
					check(t, os.WriteFile(name, []byte(text), 0o600))
				}
			}
			// Neither opening nor working on hides it, however long it goes on.
			for round := range 3 {
				s := must(store.Open(t.Context(), dir, store.Options{Now: clock}))(t)
				r := must(s.VerifyAudit(t.Context()))(t)
				if r.OK != (test.at == 0) || (round == 0 && r.BrokenAt != test.at) || !strings.Contains(r.Why, test.why) && round == 0 {
					t.Errorf("round %d: %+v", round, r)
				}
				for range 7 {
					check(t, s.Append(t.Context(), event("view later"))) // the clock stands still: the same event again would be the one that was cut off
				}
				check(t, s.Close())
			}
		})
	}
}

// raw runs SQL on the data file as a stranger would.
func raw(t testing.TB, dir, sql string) {
	t.Helper()
	db := must(store.RawDB(filepath.Join(dir, store.DataFile)))(t)
	defer db.Close()
	_, err := db.ExecContext(t.Context(), sql)
	check(t, err)
}

func TestTamperingUnderARunningStoreIsFound(t *testing.T) {
	t.Parallel()
	for name, sql := range map[string]string{
		"cut off": `DELETE FROM audit WHERE seq > 8`,
		"changed": `UPDATE audit SET event = replace(event, 'kim', 'eve'), hash = 'x' WHERE seq = 10`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			s := open(t, dir)
			for range 10 {
				check(t, s.Append(t.Context(), event("view")))
			}
			raw(t, dir, sql)
			for range 10 {
				check(t, s.Append(t.Context(), event("view later")))
			}
			if r := must(s.VerifyAudit(t.Context()))(t); r.OK || r.BrokenAt == 0 || r.Why == "" {
				t.Errorf("%+v", r)
			}
		})
	}
}

// TestChainAheadOfItsAnchorIsSound: the program can be killed between the commit of
// an event and the writing of the anchor.
func TestChainAheadOfItsAnchorIsSound(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	name := filepath.Join(dir, store.AnchorFile)
	s := must(store.Open(t.Context(), dir, store.Options{Now: clock}))(t)
	var anchors [][]byte
	for range 3 {
		anchors = append(anchors, must(os.ReadFile(name))(t))
		check(t, s.Append(t.Context(), event("view")))
	}
	check(t, os.WriteFile(name, anchors[1], 0o600))
	if r := must(s.VerifyAudit(t.Context()))(t); !r.OK || r.Anchored != 1 || r.Events != 3 {
		t.Errorf("%+v", r)
	}
	check(t, s.Close())
	check(t, os.WriteFile(name, anchors[0], 0o600))
	s = open(t, dir)
	if r := must(s.VerifyAudit(t.Context()))(t); !r.OK || r.Anchored != 3 {
		t.Errorf("opening does not catch up: %+v", r)
	}
	raw(t, dir, `DELETE FROM audit WHERE seq = 3`)
	if r := must(s.VerifyAudit(t.Context()))(t); r.OK || r.BrokenAt != 3 {
		t.Errorf("%+v", r)
	}
}

// TestOlderCopyIsFound: the data file alone was put back from a backup.
func TestOlderCopyIsFound(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func() {
		s := must(store.Open(t.Context(), dir, store.Options{}))(t)
		check(t, s.Append(t.Context(), event("view")))
		check(t, s.Close())
	}
	write()
	file := filepath.Join(dir, store.DataFile)
	old := must(os.ReadFile(file))(t)
	write()
	check(t, os.WriteFile(file, old, 0o600))
	if r := must(open(t, dir).VerifyAudit(t.Context()))(t); r.OK || !strings.Contains(r.Why, "older copy") {
		t.Errorf("%+v", r)
	}
}
