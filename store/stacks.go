package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"slices"

	"semblance"
	"semblance/hashing"
)

var _ semblance.StackStore = (*Store)(nil)

// StackInput implements [semblance.StackStore].
func (s *Store) StackInput(ctx context.Context, id semblance.CaseID) (in semblance.StackInput, err error) {
	err = s.read(ctx, "read what is stacked", func(tx *sql.Tx) error {
		key, err := caseKey(ctx, tx, id)
		if err != nil {
			return err
		}
		err = tx.QueryRowContext(ctx, `SELECT distance, quality FROM stackings WHERE case_key = ?`, key).Scan(&in.Distance, &in.Quality)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		rows, err := tx.QueryContext(ctx, `SELECT m.sha256, m.size, coalesce(json_extract(m.analysis, '$.width') * json_extract(m.analysis, '$.height'), 0), m.seq, s.value, coalesce(s.quality, 0),
			t.key, t.seq, t.representative, t.distance
			FROM (SELECT DISTINCT i.sha256 FROM exhibits e JOIN items i ON i.exhibit_key = e.key WHERE e.case_key = ? AND i.sha256 IS NOT NULL) c
			JOIN media m ON m.sha256 = c.sha256
			LEFT JOIN signals s ON s.media = c.sha256 AND s.algorithm = ? LEFT JOIN stack_media t ON t.case_key = ? AND t.media = c.sha256
			ORDER BY m.sha256`, key, hashing.AlgorithmPDQ, key)
		if err != nil {
			return err
		}
		if err := each(rows, func(scan scanner) error { return scanStacked(scan, &in) }); err != nil {
			return err
		}
		var stored int
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM stack_media WHERE case_key = ?`, key).Scan(&stored); err != nil {
			return err
		}
		there := 0
		for i := range in.Media {
			if in.Media[i].Key != 0 {
				there++
			}
		}
		in.Changed = in.Changed || stored != there
		slices.SortStableFunc(in.Media, func(a, b semblance.StackMedia) int { return cmp.Compare(a.Key, b.Key) })
		return nil
	})
	return in, err
}

// scanStacked reads a media, which comes once for each of its frames.
func scanStacked(scan scanner, in *semblance.StackInput) error {
	var m semblance.StackMedia
	var value, representative []byte
	var key, seq, distance sql.Null[int64]
	if err := scan(fixed(m.Media[:]), &m.Size, &m.Pixels, &m.Seq, &value, &m.Quality, &key, &seq, &representative, &distance); err != nil {
		return err
	}
	if n := len(in.Media); n > 0 && in.Media[n-1].Media == m.Media {
		in.Media[n-1].PDQ = nil // several frames: no one hash says what it shows
		return nil
	}
	if len(value) == len(hashing.PDQ{}) {
		h := hashing.PDQ(value)
		m.PDQ = &h
	}
	if key.Valid {
		m.Key, m.Distance = key.V, int(distance.V)
		in.Changed = in.Changed || seq.V != m.Seq || len(representative) != len(m.Representative)
		copy(m.Representative[:], representative)
	}
	in.Media = append(in.Media, m)
	return nil
}

// SaveStacks implements [semblance.StackStore].
func (s *Store) SaveStacks(ctx context.Context, id semblance.CaseID, st semblance.Stacking, media []semblance.StackMedia, fresh bool, ev semblance.AuditEvent) (keys []int64, err error) {
	err = s.write(ctx, "store the stacks", &ev, func(tx *sql.Tx) error {
		free := context.WithoutCancel(ctx) // see commit
		key, err := caseKey(ctx, tx, id)
		if err != nil {
			return err
		}
		if fresh {
			if _, err := tx.ExecContext(free, `DELETE FROM stackings WHERE case_key = ?`, key); err != nil {
				return err
			}
		}
		if _, err := tx.ExecContext(free, `INSERT INTO stackings (case_key, distance, quality) VALUES (?, ?, ?) ON CONFLICT DO NOTHING`, key, st.Distance, st.Quality); err != nil {
			return err
		}
		insert, err := tx.PrepareContext(free, `INSERT INTO stack_media (case_key, media, seq, representative, distance) VALUES (?, ?, ?, ?, ?) RETURNING key`)
		if err != nil {
			return err
		}
		defer insert.Close()
		update, err := tx.PrepareContext(free, `UPDATE stack_media SET representative = ?, distance = ? WHERE key = ?`)
		if err != nil {
			return err
		}
		defer update.Close()
		for i := range media {
			m := &media[i]
			if err := ctx.Err(); err != nil {
				return err
			}
			if m.Key != 0 {
				if _, err := update.ExecContext(free, m.Representative[:], m.Distance, m.Key); err != nil {
					return err
				}
				keys = append(keys, m.Key)
				continue
			}
			var k int64
			place := m.Representative[:]
			if m.Representative == (semblance.SHA256{}) {
				place = []byte{} // none yet: a run that breaks off here is begun again
			}
			if err := insert.QueryRowContext(free, key, m.Media[:], m.Seq, place, m.Distance).Scan(&k); err != nil {
				return err
			}
			keys = append(keys, k)
		}
		return nil
	})
	return keys, err
}

// Stacks implements [semblance.StackStore].
func (s *Store) Stacks(ctx context.Context, id semblance.CaseID, f semblance.StackFilter) (list []semblance.Stack, err error) {
	if f.Limit <= 0 {
		f.Limit = 100
	}
	err = s.read(ctx, "list the stacks", func(tx *sql.Tx) error {
		key, err := caseKey(ctx, tx, id)
		if err != nil {
			return err
		}
		all, err := allStacks(ctx, tx, key)
		if err != nil {
			return err
		}
		for _, st := range all {
			if st.Media >= f.Least {
				list = append(list, *st)
			}
		}
		slices.SortFunc(list, func(a, b semblance.Stack) int {
			return cmp.Or(-compareGravity(&a.Findings, &b.Findings), cmp.Compare(b.Media, a.Media), a.Representative.Compare(b.Representative))
		})
		list = list[min(f.After, len(list)):]
		list = list[:min(f.Limit, len(list))]
		return fillStackItems(ctx, tx, key, list)
	})
	return list, err
}

// compareGravity orders stacks by what an examiner has to see first.
func compareGravity(a, b *semblance.StackFindings) int {
	has := func(n int) int { return min(n, 1) }
	return cmp.Or(cmp.Compare(has(a.Hits-a.WeakHits), has(b.Hits-b.WeakHits)), cmp.Compare(has(a.Contradictions), has(b.Contradictions)), cmp.Compare(has(a.NearMatches), has(b.NearMatches)),
		cmp.Compare(has(a.WeakHits), has(b.WeakHits)), cmp.Compare(has(a.Candidates), has(b.Candidates)), cmp.Compare(has(a.KnownGood), has(b.KnownGood)))
}

// allStacks reads the stacks of a case with their findings.
func allStacks(ctx context.Context, tx *sql.Tx, caseKey int64) (map[semblance.SHA256]*semblance.Stack, error) {
	all := map[semblance.SHA256]*semblance.Stack{}
	rows, err := tx.QueryContext(ctx, `SELECT representative, count(*) FROM stack_media WHERE case_key = ? AND length(representative) = 32 GROUP BY representative`, caseKey)
	if err != nil {
		return nil, err
	}
	err = each(rows, func(scan scanner) error {
		st := new(semblance.Stack)
		err := scan(fixed(st.Representative[:]), &st.Media)
		all[st.Representative] = st
		return err
	})
	if err != nil {
		return nil, err
	}
	// Findings are fewer than media: from them to their stacks, whatever SQLite thinks.
	rows, err = tx.QueryContext(ctx, `SELECT t.representative, f.kind, f.weak, count(*) FROM (SELECT DISTINCT media, kind, weak FROM findings WHERE case_key = ?) f
		CROSS JOIN stack_media t ON t.case_key = ? AND t.media = f.media WHERE length(t.representative) = 32 GROUP BY t.representative, f.kind, f.weak`, caseKey, caseKey)
	if err != nil {
		return nil, err
	}
	err = each(rows, func(scan scanner) error {
		var sum semblance.SHA256
		var kind FindingKind
		var weak bool
		var n int
		if err := scan(fixed(sum[:]), &kind, &weak, &n); err != nil {
			return err
		}
		countStack(&all[sum].Findings, kind, weak, n)
		return nil
	})
	return all, err
}

func countStack(f *semblance.StackFindings, kind FindingKind, weak bool, n int) {
	switch kind {
	case KindHit:
		f.Hits += n
		if weak {
			f.WeakHits += n
		}
	case KindNearMatch:
		f.NearMatches += n
	case KindCandidate:
		f.Candidates += n
	case KindContradiction:
		f.Contradictions += n
	case KindKnownGood:
		f.KnownGood += n
	}
}

// fillStackItems counts the items of stacks.
func fillStackItems(ctx context.Context, tx *sql.Tx, caseKey int64, list []semblance.Stack) error {
	for i := range list {
		err := tx.QueryRowContext(ctx, `SELECT count(*) FROM stack_media t JOIN items i ON i.sha256 = t.media JOIN exhibits e ON e.key = i.exhibit_key AND e.case_key = t.case_key
			WHERE t.case_key = ? AND t.representative = ?`, caseKey, list[i].Representative[:]).Scan(&list[i].Items)
		if err != nil {
			return err
		}
	}
	return nil
}

// Stack implements [semblance.StackStore].
func (s *Store) Stack(ctx context.Context, id semblance.CaseID, media semblance.SHA256) (st semblance.Stack, err error) {
	err = s.read(ctx, "read the stack", func(tx *sql.Tx) error {
		key, err := caseKey(ctx, tx, id)
		if err != nil {
			return err
		}
		err = tx.QueryRowContext(ctx, `SELECT representative FROM stack_media WHERE case_key = ? AND media = ? AND length(representative) = 32`, key, media[:]).Scan(fixed(st.Representative[:]))
		if errors.Is(err, sql.ErrNoRows) {
			return semblance.Errorf(semblance.NotFound, "the case has no such media in a stack").WithHint("`semblance stack CASE` stacks what is new.")
		}
		if err != nil {
			return err
		}
		rows, err := tx.QueryContext(ctx, `SELECT t.media, t.distance, m.size, coalesce(json_extract(m.analysis, '$.width'), 0), coalesce(json_extract(m.analysis, '$.height'), 0)
			FROM stack_media t JOIN media m ON m.sha256 = t.media WHERE t.case_key = ? AND t.representative = ? ORDER BY t.media <> t.representative, t.distance, t.media`, key, st.Representative[:])
		if err != nil {
			return err
		}
		st.Members, err = collect(rows, func(scan scanner) (m semblance.StackMember, err error) {
			err = scan(fixed(m.Media[:]), &m.Distance, &m.Size, &m.Width, &m.Height)
			return m, err
		})
		if err != nil {
			return err
		}
		return fillStack(ctx, tx, key, &st)
	})
	return st, err
}

// fillStack adds findings and places of the members.
func fillStack(ctx context.Context, tx *sql.Tx, caseKey int64, st *semblance.Stack) error {
	digests := make([]semblance.SHA256, len(st.Members))
	for i := range st.Members {
		digests[i] = st.Members[i].Media
	}
	found, err := loadFindings(ctx, tx, caseKey, digests, nil)
	if err != nil {
		return err
	}
	st.Media = len(st.Members)
	for i := range st.Members {
		m := &st.Members[i]
		if m.Findings = found[m.Media]; m.Findings != nil {
			countMember(&st.Findings, m.Findings)
		}
		n := semblance.Notice{Media: m.Media}
		if err := fillNotice(ctx, tx, caseKey, &n); err != nil {
			return err
		}
		m.Items, m.Count = n.Items, n.ItemCount
		st.Items += int(n.ItemCount)
	}
	return nil
}

// countMember counts a media's findings, each kind once, as allStacks does.
func countMember(f *semblance.StackFindings, of *semblance.Findings) {
	strong := slices.ContainsFunc(of.Hits, func(h semblance.Hit) bool { return !h.Weak })
	weak := slices.ContainsFunc(of.Hits, func(h semblance.Hit) bool { return h.Weak })
	for _, k := range []struct {
		kind FindingKind
		weak bool
		has  bool
	}{{KindHit, false, strong}, {KindHit, true, weak}, {KindNearMatch, false, len(of.NearMatches) > 0}, {KindCandidate, false, len(of.Candidates) > 0},
		{KindContradiction, false, len(of.Contradictions) > 0}} {
		if k.has {
			countStack(f, k.kind, k.weak, 1)
		}
	}
	for _, w := range []bool{false, true} {
		if slices.ContainsFunc(of.KnownGood, func(h semblance.Hit) bool { return h.Weak == w }) {
			countStack(f, KindKnownGood, w, 1)
		}
	}
}
