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
	return s.write(ctx, "record what an exhibit was compared with", nil, func(tx *sql.Tx) error {
		exhibit, _, err := exhibitKey(ctx, tx, id)
		if err != nil {
			return err
		}
		var key int64
		err = tx.QueryRowContext(ctx, `UPDATE exhibit_plans SET scans = scans + 1 WHERE exhibit_key = ? AND collections = ? RETURNING key`, exhibit, planText(p)).Scan(&key)
		if err != nil || !complete {
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
