package store

import (
	"context"
	"database/sql"
	"slices"
	"strings"

	"semblance"
)

// BeginPlan records that the media of an exhibit are being compared with a plan's
// collections. What was seen of a collection by an earlier scan that is not known to be
// seen by this one counts as not seen.
func (s *Store) BeginPlan(ctx context.Context, id semblance.ExhibitID, p *semblance.Plan) error {
	return s.write(ctx, "record what an exhibit is compared with", nil, func(tx *sql.Tx) error {
		exhibit, _, err := exhibitKey(ctx, tx, id)
		if err != nil {
			return err
		}
		var key int64
		err = tx.QueryRowContext(ctx, `INSERT INTO exhibit_plans (exhibit_key, collections, position, scans, derived)
			VALUES (?, ?, (SELECT coalesce(max(position), 0) + 1 FROM exhibit_plans), 1, 0)
			ON CONFLICT (exhibit_key, collections) DO UPDATE SET position = excluded.position, scans = scans + 1, derived = 0 RETURNING key`,
			exhibit, planText(p)).Scan(&key)
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `UPDATE exhibits SET unfinished = 1 WHERE key = ?`, exhibit); err != nil {
			return err
		}
		for _, c := range p.Collections {
			_, err := tx.ExecContext(ctx, `INSERT INTO plan_collections (plan_key, collection, name, kind, entry, digest_set, losses) VALUES (?, ?, ?, ?, ?, ?, ?)
				ON CONFLICT (plan_key, collection) DO UPDATE SET entry = min(entry, excluded.entry), digest_set = min(digest_set, excluded.digest_set), losses = min(losses, excluded.losses)`,
				key, c.ID, c.Name, c.Kind, c.Content.Entry, c.Content.Set, c.Content.Losses)
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// EndPlan records that a scan has ended. When it is complete, every item was compared
// with what the plan's collections held when the plan was made.
func (s *Store) EndPlan(ctx context.Context, id semblance.ExhibitID, p *semblance.Plan, complete bool) error {
	err := s.write(ctx, "record what an exhibit was compared with", nil, func(tx *sql.Tx) error {
		exhibit, _, err := exhibitKey(ctx, tx, id)
		if err != nil {
			return err
		}
		var key int64
		err = tx.QueryRowContext(ctx, `UPDATE exhibit_plans SET scans = scans + 1 WHERE exhibit_key = ? AND collections = ? RETURNING key`, exhibit, planText(p)).Scan(&key)
		if err != nil || !complete {
			return err
		}
		if _, err := tx.ExecContext(ctx, `UPDATE exhibits SET unfinished = 0 WHERE key = ?`, exhibit); err != nil {
			return err
		}
		for _, c := range p.Collections {
			if _, err := tx.ExecContext(ctx, `UPDATE plan_collections SET entry = ?, digest_set = ?, losses = ?, name = ? WHERE plan_key = ? AND collection = ?`,
				c.Content.Entry, c.Content.Set, c.Content.Losses, c.Name, key, c.ID); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return s.sortDigests(ctx, defaultDigestOrder())
}

// planText names a plan's set of collections.
func planText(p *semblance.Plan) string {
	var ids []string
	for _, c := range p.Collections {
		ids = append(ids, string(c.ID))
	}
	slices.Sort(ids)
	return strings.Join(ids, ",")
}

// An ExhibitPlan is what an exhibit was compared with.
type ExhibitPlan struct {
	Exhibit     string // label
	Collections []PlanCollection
}

// A PlanCollection is a collection as an exhibit has seen it.
type PlanCollection struct {
	Name, Kind  string
	Entry, Sets int64 // entries up to this id, and digest sets up to this key, were compared
}

// ComparedWith lists what the exhibits of a case were compared with, by label, then by
// name; collections that are gone since are among them.
func (s *Store) ComparedWith(ctx context.Context, id semblance.CaseID) (list []ExhibitPlan, err error) {
	err = s.read(ctx, "read what exhibits were compared with", func(tx *sql.Tx) error {
		rows, err := tx.QueryContext(ctx, `SELECT e.label, coalesce(c.name, pc.name), pc.kind, max(pc.entry), max(pc.digest_set) FROM cases s JOIN exhibits e ON e.case_key = s.key
			JOIN exhibit_plans p ON p.exhibit_key = e.key JOIN plan_collections pc ON pc.plan_key = p.key LEFT JOIN collections c ON c.id = pc.collection
			WHERE s.id = ? GROUP BY e.label, pc.collection ORDER BY e.label, 2, pc.collection`, id)
		if err != nil {
			return err
		}
		return each(rows, func(scan scanner) error {
			var label string
			var c PlanCollection
			if err := scan(&label, &c.Name, &c.Kind, &c.Entry, &c.Sets); err != nil {
				return err
			}
			if n := len(list); n == 0 || list[n-1].Exhibit != label {
				list = append(list, ExhibitPlan{Exhibit: label})
			}
			l := &list[len(list)-1]
			l.Collections = append(l.Collections, c)
			return nil
		})
	})
	return list, err
}
