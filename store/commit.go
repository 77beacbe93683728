package store

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"maps"

	"semblance"
)

// CommitItems stores what a scan made of some items of an exhibit, in one
// transaction: all of it is on disk when it returns, or nothing is.
//
// An item replaces the one recorded of its path, and so does what is in its name; one that is ItemUnchanged only
// gets its Plan, and must be recorded. Media adds to what is known: a face set
// replaces that of its engine, a perceptual hash those of its algorithm and a set of
// selectors that of its country, and
// what was decoded stays when Analysis is nil. Findings replace those of the case
// and the media in collections, and in every collection they name themselves.
//
// The scan's own audit events say what was done; items have none.
func (s *Store) CommitItems(ctx context.Context, id semblance.CaseID, exhibit semblance.ExhibitID, records []semblance.ItemRecord, collections []semblance.CollectionID) error {
	return s.write(ctx, "record the items", nil, func(tx *sql.Tx) error {
		c, err := s.newCommit(ctx, tx, id, exhibit, collections)
		if err != nil {
			return err
		}
		defer c.close()
		for i := range records {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := c.record(&records[i]); err != nil {
				return err
			}
		}
		return c.end()
	})
}

// A commit is one transaction of CommitItems. Statements run without the caller's
// cancellation, which costs a goroutine each; the loop above looks at it.
//
// What a scan does for every file is written so that SQLite keeps no journal of the single
// statement, which is a copy of each page that it changes: no upsert and no RETURNING on
// tables with foreign keys or triggers.
type commit struct {
	ctx         context.Context
	tx          *sql.Tx
	statements  map[string]*sql.Stmt
	caseKey     int64
	exhibitKey  int64
	exhibit     semblance.ExhibitID
	collections []string // names
	number      int64    // the last that a media was given; 0: none was asked for
	allNames    bool     // findings have the hits in the names of all items, which give way too
}

func (s *Store) newCommit(ctx context.Context, tx *sql.Tx, id semblance.CaseID, exhibit semblance.ExhibitID, collections []semblance.CollectionID) (*commit, error) {
	c := &commit{ctx: context.WithoutCancel(ctx), tx: tx, statements: map[string]*sql.Stmt{}, exhibit: exhibit}
	var err error
	if c.exhibitKey, c.caseKey, err = exhibitKey(ctx, tx, exhibit); err != nil {
		return nil, err
	}
	if key, err := caseKey(ctx, tx, id); err != nil {
		return nil, err
	} else if key != c.caseKey {
		return nil, semblance.Errorf(semblance.Invalid, "the exhibit belongs to another case")
	}
	c.collections, err = collectionNames(ctx, tx, collections)
	return c, err
}

func (c *commit) close() {
	for _, st := range c.statements {
		_ = st.Close()
	}
}

// exec runs a statement that is prepared once.
func (c *commit) exec(query string, args ...any) (sql.Result, error) {
	st, err := c.statement(query)
	if err != nil {
		return nil, err
	}
	return st.ExecContext(c.ctx, args...)
}

func (c *commit) statement(query string) (*sql.Stmt, error) {
	st := c.statements[query]
	if st == nil {
		var err error
		if st, err = c.tx.PrepareContext(c.ctx, query); err != nil {
			return nil, err
		}
		c.statements[query] = st
	}
	return st, nil
}

// ask runs a question of one row that is prepared once.
func (c *commit) ask(query string, args []any, dest ...any) error {
	st, err := c.statement(query)
	if err != nil {
		return err
	}
	return st.QueryRowContext(c.ctx, args...).Scan(dest...)
}

// run is exec for statements whose result says nothing.
func (c *commit) run(query string, args ...any) error {
	_, err := c.exec(query, args...)
	return err
}

func (c *commit) record(r *semblance.ItemRecord) error {
	if r.Media != nil {
		if err := c.media(r.Media); err != nil {
			return err
		}
	}
	before, known, err := c.recorded(r.Item.Path)
	if err != nil {
		return err
	}
	if known && r.Item.Status != semblance.ItemUnchanged {
		if err := c.moved(&r.Item, before); err != nil {
			return err
		}
	}
	if err := c.item(&r.Item, known); err != nil {
		return err
	}
	if r.Findings != nil {
		if r.Item.SHA256 == nil {
			return semblance.Errorf(semblance.Internal, "an item without digests cannot have findings")
		}
		if err := c.findings(*r.Item.SHA256, r.Findings); err != nil {
			return err
		}
	}
	if r.Name == nil {
		return nil
	}
	return c.name(&r.Item, r.Name, known)
}

// recorded returns the content that an item has in the record, and whether it is there.
// What only an item that is there can have is not looked for otherwise: most are new, and
// SQLite makes a table of its own for a deletion even where nothing is to be deleted.
func (c *commit) recorded(path string) (sum []byte, known bool, err error) {
	err = c.ask(`SELECT sha256 FROM items WHERE exhibit_key = ? AND path = ?`, []any{c.exhibitKey, path}, &sum)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, false, nil
	}
	return sum, err == nil, err
}

func (c *commit) item(i *semblance.Item, known bool) error {
	if i.Status == semblance.ItemUnchanged {
		if !known {
			return semblance.Errorf(semblance.Internal, "an item that is not recorded cannot be unchanged")
		}
		return c.run(`UPDATE items SET plan = ? WHERE exhibit_key = ? AND path = ?`, i.Plan, c.exhibitKey, i.Path)
	}
	var sum []byte
	if i.SHA256 != nil {
		sum = i.SHA256[:]
	}
	var details any // NULL
	if !i.ItemDetails.Empty() {
		text, err := json.Marshal(i.ItemDetails)
		if err != nil {
			return err
		}
		details = string(text)
	}
	query := `INSERT INTO items (size, modified_s, modified_ns, changed_s, changed_ns, inode, sha256, status, code, reason, plan, opened, details, exhibit_key, path)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
	if known {
		query = `UPDATE items SET size = ?, modified_s = ?, modified_ns = ?, changed_s = ?, changed_ns = ?, inode = ?, sha256 = ?, status = ?, code = ?, reason = ?,
			plan = ?, opened = ?, details = ? WHERE exhibit_key = ? AND path = ?`
	}
	return c.run(query, i.Size, i.Modified.Unix(), i.Modified.Nanosecond(), i.Changed.Unix(), i.Changed.Nanosecond(),
		int64(i.Inode), sum, i.Status, i.Code, i.Reason, i.Plan, i.OpenState(), details, c.exhibitKey, i.Path)
}

func (c *commit) media(m *semblance.Media) error {
	d, a := &m.Digests, m.Analysis
	var analysis any // NULL
	if a != nil {
		var err error
		if analysis, err = bareAnalysis(a); err != nil {
			return err
		}
	}
	number, err := c.next()
	if err != nil {
		return err
	}
	partial := a != nil && a.Partial != ""
	isNew, err := added(c.exec(`INSERT INTO media (sha256, md5, sha1, size, analysis, partial, code, reason, seq) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
		d.SHA256[:], d.MD5[:], d.SHA1[:], d.Size, analysis, partial, m.Code, m.Reason, number))
	// Without an analysis of its own, a media keeps the one it has, and why an
	// earlier decoding failed only gives way to a newer reason.
	switch {
	case err != nil || isNew:
	case a != nil: // a new number: look-backs go through its new signals
		err = c.run(`UPDATE media SET analysis = ?, partial = ?, code = ?, reason = ?, seq = ? WHERE sha256 = ?`, analysis, partial, m.Code, m.Reason, number, d.SHA256[:])
	case m.Code != "":
		err = c.run(`UPDATE media SET code = ?, reason = ? WHERE sha256 = ? AND analysis IS NULL`, m.Code, m.Reason, d.SHA256[:])
	}
	if err != nil || a == nil {
		return err
	}
	if err := c.signals(d.SHA256[:], a); err != nil {
		return err
	}
	if err := c.videoSignals(d.SHA256[:], a); err != nil {
		return err
	}
	if err := c.embedded(d.SHA256[:], a.Embedded); err != nil {
		return err
	}
	if err := c.traces(d.SHA256[:], &a.Metadata); err != nil {
		return err
	}
	if err := c.selectorSets(d.SHA256[:], a); err != nil {
		return err
	}
	for i := range a.FaceSets {
		if err := c.faceSet(d.SHA256[:], &a.FaceSets[i]); err != nil {
			return err
		}
	}
	return c.pictures(d.SHA256[:], a)
}

// pictures stores the thumbnail and the contact sheet that are given.
func (c *commit) pictures(sum []byte, a *semblance.Analysis) error {
	if a.Video != nil && a.Video.Sheet != nil && len(a.Video.Sheet.JPEG) > 0 {
		err := c.run(`INSERT INTO sheets (media, jpeg) VALUES (?, ?) ON CONFLICT (media) DO UPDATE SET jpeg = excluded.jpeg`, sum, a.Video.Sheet.JPEG)
		if err != nil {
			return err
		}
	}
	if len(a.Thumbnail) == 0 {
		return nil
	}
	return c.run(`INSERT INTO thumbnails (media, jpeg) VALUES (?, ?) ON CONFLICT (media) DO UPDATE SET jpeg = excluded.jpeg`, sum, a.Thumbnail)
}

// next gives a number that no media has had.
func (c *commit) next() (int64, error) {
	if c.number == 0 {
		if err := c.ask(`SELECT last FROM numbers WHERE name = 'media'`, nil, &c.number); err != nil {
			return 0, err
		}
	}
	c.number++
	return c.number, nil
}

// end records the numbers that were given.
func (c *commit) end() error {
	if c.number == 0 {
		return nil
	}
	return c.run(`UPDATE numbers SET last = ? WHERE name = 'media'`, c.number)
}

// signals replaces the hashes of the algorithms that a has, in all frames.
func (c *commit) signals(sum []byte, a *semblance.Analysis) error {
	for _, r := range a.Providers {
		if r.Failed != "" {
			continue
		}
		if err := c.run(`DELETE FROM signals WHERE media = ? AND provider = ?`, sum, r.Provider); err != nil { // also where it gives nothing any more
			return err
		}
	}
	seen := map[string]bool{}
	for _, frame := range a.Hashes {
		for _, h := range signalsOf(frame) {
			if !seen[string(h.algorithm)] {
				seen[string(h.algorithm)] = true
				if err := c.run(`DELETE FROM signals WHERE media = ? AND algorithm = ?`, sum, h.algorithm); err != nil {
					return err
				}
			}
			err := c.run(`INSERT INTO signals (media, algorithm, frame, value, quality, turned, decoder, provider, provider_version) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
				sum, h.algorithm, frame.Frame, h.value, h.quality, h.turned, a.Decoder, h.provider, h.version)
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// videoSignals replaces the signals of the algorithms that a has. One of a whole video
// is one row: it is used as a whole.
func (c *commit) videoSignals(sum []byte, a *semblance.Analysis) error {
	for _, s := range a.Signals {
		err := c.run(`INSERT INTO signals (media, algorithm, frame, value, quality, turned, decoder) VALUES (?, ?, 0, ?, -1, NULL, ?)
			ON CONFLICT (media, algorithm, frame) DO UPDATE SET value = excluded.value, decoder = excluded.decoder`, sum, s.Algorithm, s.Value, a.Decoder)
		if err != nil {
			return err
		}
	}
	return nil
}

// faceSet replaces the face set of an engine. One that is stored already keeps its
// crops: what Media returned comes back without them.
func (c *commit) faceSet(sum []byte, set *semblance.FaceSet) error {
	same, err := c.sameFaceSet(sum, set)
	if err != nil {
		return err
	}
	if same {
		return c.crops(sum, set)
	}
	replaced := false
	for _, table := range []string{"face_crops", "faces", "face_sets"} {
		if replaced, err = added(c.exec(`DELETE FROM `+table+` WHERE media = ? AND engine = ?`, sum, set.Engine)); err != nil {
			return err
		}
	}
	if replaced {
		if err := c.rebind(sum, set); err != nil {
			return err
		}
	}
	models, err := json.Marshal(set.Models)
	if err != nil {
		return err
	}
	err = c.run(`INSERT INTO face_sets (media, engine, version, models, dropped, min_face, min_score) VALUES (?, ?, ?, ?, ?, ?, ?)`,
		sum, set.Engine, set.Version, string(models), set.Dropped, set.MinFace, set.MinScore)
	for i := 0; i < len(set.Faces) && err == nil; i++ {
		err = c.face(sum, set.Engine, i, set.Faces[i])
	}
	if err != nil {
		return err
	}
	return c.crops(sum, set)
}

// sameFaceSet reports whether a face set is stored already, but for its crops.
func (c *commit) sameFaceSet(sum []byte, set *semblance.FaceSet) (bool, error) {
	l := mediaLoader{q: c.tx, known: map[semblance.SHA256]*semblance.Media{}, in: `(?)`, keys: []any{sum}, embeddings: true}
	if err := l.load(c.ctx); err != nil {
		return false, err
	}
	stored, ok := l.analysis(semblance.SHA256(sum)).Faces(set.Engine)
	if !ok || stored.Version != set.Version || stored.Dropped != set.Dropped || stored.Detection != set.Detection || len(stored.Faces) != len(set.Faces) || !maps.Equal(stored.Models, set.Models) {
		return false, nil
	}
	for i, f := range set.Faces {
		want, wantVector, err := encodeFace(f)
		if err != nil {
			return false, err
		}
		got, gotVector, err := encodeFace(stored.Faces[i])
		if err != nil || got != want || !bytes.Equal(gotVector, wantVector) {
			return false, err
		}
	}
	return true, nil
}

// crops stores the crops that are given.
func (c *commit) crops(sum []byte, set *semblance.FaceSet) error {
	for i, f := range set.Faces {
		if len(f.Crop) == 0 {
			continue
		}
		err := c.run(`INSERT INTO face_crops (media, engine, face, jpeg) VALUES (?, ?, ?, ?)
			ON CONFLICT (media, engine, face) DO UPDATE SET jpeg = excluded.jpeg`, sum, set.Engine, i, f.Crop)
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *commit) face(sum []byte, engine semblance.EngineName, i int, f semblance.Face) error {
	data, embedding, err := encodeFace(f)
	if err != nil {
		return err
	}
	return c.run(`INSERT INTO faces (media, engine, face, quality, data, embedding) VALUES (?, ?, ?, ?, ?, ?)`, sum, engine, i, f.Quality, data, embedding)
}
