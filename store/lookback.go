package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"semblance"
	"semblance/hashing"
)

var _ semblance.LookbackStore = (*Store)(nil)

// Due implements [semblance.LookbackStore].
func (s *Store) Due(ctx context.Context, all bool) (due semblance.LookbackDue, err error) {
	err = s.read(ctx, "read what is due", func(tx *sql.Tx) error {
		d := dueReader{ctx: ctx, tx: tx, all: all, leased: s.leased(), byID: map[semblance.CollectionID]*semblance.DueCollection{}}
		if err := d.read(); err != nil {
			return err
		}
		due.Collections = d.list()
		due.Unknown, err = unknownExhibits(ctx, tx)
		return err
	})
	return due, err
}

// leased lists the exhibits that scans hold.
func (s *Store) leased() map[semblance.ExhibitID]bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make(map[semblance.ExhibitID]bool, len(s.leases))
	for id := range s.leases {
		out[id] = true
	}
	return out
}

// A dueReader reads what is due.
type dueReader struct {
	ctx    context.Context
	tx     *sql.Tx
	all    bool
	leased map[semblance.ExhibitID]bool
	byID   map[semblance.CollectionID]*semblance.DueCollection
}

// A planRow is a collection of an exhibit's plan, and what there is of it now.
type planRow struct {
	d         semblance.DueCollection
	plan      semblance.DuePlan
	exhibit   semblance.ExhibitID
	number    string
	seen, now semblance.ContentMark
}

func (d *dueReader) read() error {
	rows, err := d.tx.QueryContext(d.ctx, `SELECT pc.collection, coalesce(c.name, pc.name), pc.kind, c.id IS NULL, p.key, p.scans, e.id, s.number, pc.entry, pc.digest_set, pc.losses,
		(SELECT coalesce(max(h.id), 0) FROM hash_entries h WHERE h.collection_key = c.key),
		(SELECT coalesce(max(d.key), 0) FROM digest_sets d WHERE d.collection_key = c.key), coalesce(l.losses, 0)
		FROM plan_collections pc JOIN exhibit_plans p ON p.key = pc.plan_key JOIN exhibits e ON e.key = p.exhibit_key JOIN cases s ON s.key = e.case_key
		LEFT JOIN collections c ON c.id = pc.collection LEFT JOIN collection_losses l ON l.collection = pc.collection
		WHERE pc.kind IN (?, ?, ?) ORDER BY p.key`, semblance.Hashes, semblance.KnownGood, semblance.Selectors)
	if err != nil {
		return err
	}
	list, err := collect(rows, func(scan scanner) (r planRow, err error) {
		err = scan(&r.d.ID, &r.d.Name, &r.d.Kind, &r.d.Gone, &r.plan.Key, &r.plan.Scans, &r.exhibit, &r.number, &r.seen.Entry, &r.seen.Set, &r.seen.Losses, &r.now.Entry, &r.now.Set, &r.now.Losses)
		return r, err
	})
	for _, r := range list {
		d.add(r)
	}
	if err != nil {
		return err
	}
	for _, c := range d.byID {
		if err := d.complete(c); err != nil {
			return err
		}
	}
	return nil
}

// add counts a plan in when it has not seen everything.
func (d *dueReader) add(r planRow) {
	if d.all {
		r.seen, r.d.Lost = semblance.ContentMark{}, true
	}
	r.d.Lost = r.d.Lost || r.seen.Losses < r.now.Losses
	if !r.d.Gone && !r.d.Lost && r.seen.Entry >= r.now.Entry && r.seen.Set >= r.now.Set {
		return
	}
	c := d.byID[r.d.ID]
	if c == nil {
		c = &r.d
		c.After, c.Through = r.seen, r.now
		d.byID[c.ID] = c
	}
	c.After.Entry, c.After.Set = min(c.After.Entry, r.seen.Entry), min(c.After.Set, r.seen.Set)
	c.Lost, c.Exhibits = c.Lost || r.d.Lost, c.Exhibits+1
	if !slices.Contains(c.Cases, r.number) {
		c.Cases = append(c.Cases, r.number)
	}
	if d.leased[r.exhibit] {
		c.Scanning++
		return
	}
	c.Plans = append(c.Plans, r.plan)
}

// complete counts the new entries and finds out how far a run was that had the same to do.
func (d *dueReader) complete(c *semblance.DueCollection) error {
	slices.Sort(c.Cases)
	err := d.tx.QueryRowContext(d.ctx, `SELECT (SELECT count(*) FROM hash_entries h WHERE h.collection_key = c.key AND h.id > ? AND h.id <= ?),
		(SELECT count(*) FROM digest_sets s WHERE s.collection_key = c.key AND s.key > ?) FROM collections c WHERE c.id = ?`,
		c.After.Entry, c.Through.Entry, c.After.Set, c.ID).Scan(&c.New, &c.NewSets)
	if errors.Is(err, sql.ErrNoRows) { // it is gone
		err = nil
	}
	if err != nil || d.all {
		return err
	}
	err = d.tx.QueryRowContext(d.ctx, `SELECT seq FROM lookbacks WHERE collection = ? AND run = ?`, c.ID, runText(c)).Scan(&c.Seq)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return err
}

// runText tells runs apart: one that was interrupted goes on only at what it had to do.
func runText(c *semblance.DueCollection) string { return fmt.Sprint(c.After, c.Through, c.Lost) }

func (d *dueReader) list() []semblance.DueCollection {
	out := []semblance.DueCollection{}
	for _, c := range d.byID {
		out = append(out, *c)
	}
	slices.SortFunc(out, func(a, b semblance.DueCollection) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID))
	})
	return out
}

// unknownExhibits lists exhibits with media and without a plan.
func unknownExhibits(ctx context.Context, tx *sql.Tx) ([]string, error) {
	rows, err := tx.QueryContext(ctx, `SELECT c.number || '/' || e.label FROM exhibits e JOIN cases c ON c.key = e.case_key
		WHERE NOT EXISTS (SELECT 1 FROM exhibit_plans p WHERE p.exhibit_key = e.key) AND EXISTS (SELECT 1 FROM items i WHERE i.exhibit_key = e.key)
		ORDER BY c.number, e.label`)
	if err != nil {
		return nil, err
	}
	return collect(rows, func(scan scanner) (label string, err error) { return label, scan(&label) })
}

// Affected implements [semblance.LookbackStore].
func (s *Store) Affected(ctx context.Context, d semblance.DueCollection) (seqs []int64, err error) {
	err = s.read(ctx, "look for affected media", func(tx *sql.Tx) error {
		a := affectedReader{ctx: ctx, tx: tx, seen: map[int64]bool{}}
		if !d.Gone && d.After.Entry < d.Through.Entry {
			look := a.digests
			if d.Kind == semblance.Selectors {
				look = a.selectors
			}
			if err := look(d); err != nil {
				return err
			}
		}
		if d.Gone || d.Lost {
			if err := a.add(`SELECT DISTINCT k.seq FROM findings f JOIN media k ON k.sha256 = f.media WHERE f.collection = ? OR f.other = ?`, d.Name, d.Name); err != nil {
				return err
			}
		}
		for seq := range a.seen {
			seqs = append(seqs, seq)
		}
		slices.Sort(seqs)
		return nil
	})
	return seqs, err
}

type affectedReader struct {
	ctx  context.Context
	tx   *sql.Tx
	seen map[int64]bool
}

func (a *affectedReader) add(query string, args ...any) error {
	rows, err := a.tx.QueryContext(a.ctx, query, args...)
	if err != nil {
		return err
	}
	return each(rows, func(scan scanner) error {
		var seq int64
		err := scan(&seq)
		a.seen[seq] = true
		return err
	})
}

// digests joins the new entries with the media, from the side that has fewer rows.
func (a *affectedReader) digests(d semblance.DueCollection) error {
	key, err := collectionKey(a.ctx, a.tx, d.ID)
	if err != nil {
		return err
	}
	var count int64
	if err := a.tx.QueryRowContext(a.ctx, `SELECT count(*) FROM media`).Scan(&count); err != nil {
		return err
	}
	for _, alg := range []hashing.Algorithm{hashing.AlgorithmMD5, hashing.AlgorithmSHA1, hashing.AlgorithmSHA256} {
		for _, query := range digestJoins(alg, d.New > 4*count) {
			if err := a.add(query, key, alg, d.After.Entry, d.Through.Entry); err != nil {
				return err
			}
		}
	}
	return nil
}

// selectKept reads the media after a number, with their signals.
const selectKept = `SELECT m.seq, m.md5, m.sha1, m.sha256, m.size, s.algorithm, s.frame, s.value, s.quality, s.turned, coalesce(s.provider, ''), coalesce(s.provider_version, '')
	FROM media m LEFT JOIN signals s ON s.media = m.sha256 WHERE m.seq > ? ORDER BY m.seq, s.frame`

// EachKept implements [semblance.LookbackStore]. What f sees is one state.
func (s *Store) EachKept(ctx context.Context, after int64, f func(semblance.KeptMedia) error) error {
	return s.read(ctx, "read the kept signals", func(tx *sql.Tx) error {
		rows, err := tx.QueryContext(ctx, selectKept, after)
		if err != nil {
			return err
		}
		defer rows.Close()
		embedded, err := openKeptEmbedded(ctx, tx, after)
		if err != nil {
			return err
		}
		defer embedded.rows.Close()
		give := func(m semblance.KeptMedia) (err error) {
			if m.Embedded, err = embedded.of(m.Seq); err != nil {
				return err
			}
			return calledBack(f(m))
		}
		var m semblance.KeptMedia
		err = each(rows, func(scan scanner) error {
			var now semblance.KeptMedia
			d := &now.Digests
			var algorithm sql.Null[hashing.Algorithm]
			var frame, quality sql.Null[int]
			var value, turned []byte
			var provider semblance.ProviderName
			var version string
			if err := scan(&now.Seq, fixed(d.MD5[:]), fixed(d.SHA1[:]), fixed(d.SHA256[:]), &d.Size, &algorithm, &frame, &value, &quality, &turned, &provider, &version); err != nil {
				return err
			}
			if now.Seq != m.Seq {
				if m.Seq != 0 {
					if err := give(m); err != nil {
						return err
					}
				}
				m = now
			}
			if !algorithm.Valid {
				return nil
			}
			if algorithm.V.IsVideo() {
				m.Signals = append(m.Signals, semblance.VideoSignal{Algorithm: algorithm.V, Value: value})
				return nil
			}
			if n := len(m.Hashes); n == 0 || m.Hashes[n-1].Frame != frame.V {
				m.Hashes = append(m.Hashes, semblance.FrameHashes{Frame: frame.V})
			}
			return signal{algorithm.V, value, quality.V, turned, provider, version}.put(&m.Hashes[len(m.Hashes)-1])
		})
		if err != nil || m.Seq == 0 {
			return err
		}
		return give(m)
	})
}

// Compared implements [semblance.LookbackStore].
func (s *Store) Compared(ctx context.Context, c semblance.CollectionID, seqs ...int64) (list []semblance.ComparedMedia, err error) {
	err = s.read(ctx, "read what media were compared with", func(tx *sql.Tx) error {
		for part := range slices.Chunk(seqs, chunk) {
			r := comparedReader{ctx: ctx, tx: tx, collection: c}
			got, err := r.read(part)
			if err != nil {
				return err
			}
			list = append(list, got...)
		}
		return nil
	})
	return list, err
}

// A comparedReader reads a chunk of ComparedMedia.
type comparedReader struct {
	ctx        context.Context
	tx         *sql.Tx
	collection semblance.CollectionID
}

func (r *comparedReader) read(seqs []int64) ([]semblance.ComparedMedia, error) {
	args := make([]any, len(seqs))
	for i, seq := range seqs {
		args[i] = seq
	}
	rows, err := r.tx.QueryContext(r.ctx, `SELECT DISTINCT k.seq, k.sha256, e.case_key, p.key FROM media k JOIN items i ON i.sha256 = k.sha256
		JOIN exhibits e ON e.key = i.exhibit_key JOIN exhibit_plans p ON p.exhibit_key = e.key
		WHERE k.seq IN (`+marks(len(seqs))+`) ORDER BY k.seq, e.case_key, p.position`, args...)
	if err != nil {
		return nil, err
	}
	type place struct {
		seq, caseKey, plan int64
		media              semblance.SHA256
	}
	places, err := collect(rows, func(scan scanner) (p place, err error) {
		err = scan(&p.seq, fixed(p.media[:]), &p.caseKey, &p.plan)
		return p, err
	})
	if err != nil {
		return nil, err
	}
	var out []semblance.ComparedMedia
	var digests []semblance.SHA256
	plans, cases := map[int64]semblance.ComparedPlan{}, map[int64]semblance.Case{}
	for len(places) > 0 {
		n := len(places)
		for i := range places {
			if places[i].seq != places[0].seq {
				n = i
				break
			}
		}
		m := semblance.ComparedMedia{Seq: places[0].seq}
		names, err := r.names(places[0].media)
		if err != nil {
			return nil, err
		}
		asked := map[int64]bool{} // cases that compared with the collection
		at := map[int64]int{}
		for _, p := range places[:n] {
			cp, err := r.plan(plans, p.plan)
			if err != nil {
				return nil, err
			}
			i, known := at[p.caseKey]
			if !known {
				c, err := r.caseOf(cases, p.caseKey)
				if err != nil {
					return nil, err
				}
				i = len(m.Cases)
				at[p.caseKey] = i
				m.Cases = append(m.Cases, semblance.ComparedCase{Case: c, Names: names[p.caseKey]})
			}
			m.Cases[i].Plans = append(m.Cases[i].Plans, cp)
			asked[p.caseKey] = asked[p.caseKey] || slices.Contains(cp.Collections, r.collection)
		}
		for key, i := range at {
			if !asked[key] {
				m.Cases[i].Plans = nil
			}
		}
		m.Cases = slices.DeleteFunc(m.Cases, func(c semblance.ComparedCase) bool { return len(c.Plans) == 0 })
		if len(m.Cases) > 0 {
			out, digests = append(out, m), append(digests, places[0].media)
		}
		places = places[n:]
	}
	media, err := loadMediaWith(r.ctx, r.tx, digests, mediaLoader{selectors: true})
	for i := range out {
		out[i].Media = media[digests[i]]
	}
	return out, err
}

// plan reads the collections of a plan that are looked back at, once.
func (r *comparedReader) plan(known map[int64]semblance.ComparedPlan, key int64) (semblance.ComparedPlan, error) {
	if p, ok := known[key]; ok {
		return p, nil
	}
	rows, err := r.tx.QueryContext(r.ctx, `SELECT pc.collection, coalesce(c.name, pc.name) FROM plan_collections pc LEFT JOIN collections c ON c.id = pc.collection
		WHERE pc.plan_key = ? AND pc.kind IN (?, ?, ?) ORDER BY pc.collection`, key, semblance.Hashes, semblance.KnownGood, semblance.Selectors)
	if err != nil {
		return semblance.ComparedPlan{}, err
	}
	var p semblance.ComparedPlan
	err = each(rows, func(scan scanner) error {
		var id semblance.CollectionID
		var name string
		err := scan(&id, &name)
		p.Collections, p.Names = append(p.Collections, id), append(p.Names, name)
		return err
	})
	known[key] = p
	return p, err
}

func (r *comparedReader) caseOf(known map[int64]semblance.Case, key int64) (semblance.Case, error) {
	if c, ok := known[key]; ok {
		return c, nil
	}
	c, err := scanCase(r.tx.QueryRowContext(r.ctx, `SELECT `+caseColumns+` FROM cases WHERE key = ?`, key).Scan)
	known[key] = c
	return c, err
}

// SaveLookback implements [semblance.LookbackStore].
func (s *Store) SaveLookback(ctx context.Context, who semblance.Actor, step semblance.LookbackStep) (list []semblance.Notice, err error) {
	err = s.writeEvents(ctx, "store the look-back", func(tx *sql.Tx) ([]semblance.AuditEvent, error) {
		w := lookbackWriter{ctx: context.WithoutCancel(ctx), tx: tx, step: &step, made: s.stamp()}
		for i := range step.Updates {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			if err := w.update(&step.Updates[i]); err != nil {
				return nil, err
			}
		}
		list = w.notices
		if step.Done {
			return w.events(who), w.end()
		}
		return w.events(who), w.progress()
	})
	if err != nil {
		return nil, err
	}
	return list, nil
}

// writeEvents is write for a change that turns out to have no event, or several.
func (s *Store) writeEvents(ctx context.Context, op string, f func(tx *sql.Tx) ([]semblance.AuditEvent, error)) error {
	tx, err := s.writer.BeginTx(ctx, nil)
	if err != nil {
		return s.fail(ctx, op, err)
	}
	defer func() { _ = tx.Rollback() }() // does nothing after Commit
	events, err := f(tx)
	if err != nil {
		return s.fail(ctx, op, err)
	}
	var head chainHead
	for _, ev := range events {
		if head, err = s.appendAudit(ctx, tx, ev); err != nil {
			return s.fail(ctx, op, err)
		}
	}
	if err := tx.Commit(); err != nil {
		return s.fail(ctx, op, err)
	}
	if len(events) > 0 {
		s.anchor.advance(head)
	}
	return nil
}
