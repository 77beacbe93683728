package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"time"

	"semblance"
)

var _ semblance.NoticeStore = (*Store)(nil)

// noticeItems is how many places of a media a notice lists.
const noticeItems = 20

// Notices implements [semblance.NoticeStore].
func (s *Store) Notices(ctx context.Context, id semblance.CaseID, f semblance.NoticeFilter) (list []semblance.Notice, err error) {
	if f.Limit <= 0 {
		f.Limit = 100
	}
	err = s.read(ctx, "list the notices", func(tx *sql.Tx) error {
		key, err := caseKey(ctx, tx, id)
		if err != nil {
			return err
		}
		rows, err := tx.QueryContext(ctx, `SELECT n.key, c.number, n.what, n.kind, n.media, n.collection, n.other, n.entry, n.record, n.before, n.finding, n.remark, n.made,
			n.acknowledged, n.acknowledged_by FROM notices n JOIN cases c ON c.key = n.case_key
			WHERE n.case_key = ? AND n.key > ? AND (NOT ? OR n.acknowledged IS NULL) ORDER BY n.key LIMIT ?`, key, f.After, f.Open, f.Limit)
		if err != nil {
			return err
		}
		if list, err = collect(rows, scanNotice); err != nil {
			return err
		}
		for i := range list {
			if err := fillNotice(ctx, tx, key, &list[i]); err != nil {
				return err
			}
		}
		return nil
	})
	return list, err
}

func scanNotice(scan scanner) (n semblance.Notice, err error) {
	var before, finding, seen sql.NullString
	err = scan(&n.ID, &n.Case, &n.What, &n.Kind, fixed(n.Media[:]), &n.Collection, &n.Other, &n.Entry, &n.Record, &before, &finding, &n.Remark, textTime{&n.Made}, &seen, &n.AcknowledgedBy)
	if err != nil {
		return n, err
	}
	for _, x := range []struct {
		text sql.NullString
		into **semblance.Findings
	}{{before, &n.Before}, {finding, &n.Finding}} {
		if x.text.Valid {
			if err := json.Unmarshal([]byte(x.text.String), x.into); err != nil {
				return n, err
			}
		}
	}
	if seen.Valid {
		n.Acknowledged = new(time.Time)
		err = textTime{n.Acknowledged}.Scan(seen.String)
	}
	return n, err
}

// fillNotice lists where the media lies in the case.
func fillNotice(ctx context.Context, tx *sql.Tx, caseKey int64, n *semblance.Notice) error {
	const from = ` FROM items i JOIN exhibits e ON e.key = i.exhibit_key WHERE i.sha256 = ? AND e.case_key = ?`
	if err := tx.QueryRowContext(ctx, `SELECT count(*)`+from, n.Media[:], caseKey).Scan(&n.ItemCount); err != nil {
		return err
	}
	rows, err := tx.QueryContext(ctx, `SELECT e.label, i.path`+from+` ORDER BY e.label, i.path LIMIT ?`, n.Media[:], caseKey, noticeItems)
	if err != nil {
		return err
	}
	n.Items, err = collect(rows, func(scan scanner) (x semblance.NoticeItem, err error) { return x, scan(&x.Exhibit, &x.Path) })
	return err
}

// AcknowledgeNotices implements [semblance.NoticeStore].
func (s *Store) AcknowledgeNotices(ctx context.Context, id semblance.CaseID, ids []semblance.NoticeID, who semblance.Actor, ev semblance.AuditEvent) (int, error) {
	var open int
	err := s.write(ctx, "acknowledge notices", &ev, func(tx *sql.Tx) error {
		key, err := caseKey(ctx, tx, id)
		if err != nil {
			return err
		}
		now := timeText(s.stamp())
		if len(ids) == 0 {
			res, err := tx.ExecContext(ctx, `UPDATE notices SET acknowledged = ?, acknowledged_by = ? WHERE case_key = ? AND acknowledged IS NULL`, now, who.Name, key)
			if err != nil {
				return err
			}
			n, err := res.RowsAffected()
			open = int(n)
			with(&ev, "acknowledged", open)
			return err
		}
		for _, n := range ids {
			var there bool
			if err := tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM notices WHERE key = ? AND case_key = ?)`, n, key).Scan(&there); err != nil {
				return err
			}
			if !there {
				return semblance.Errorf(semblance.NotFound, "the case has no notice %d", n).WithHint("`semblance notices --case N --all` lists them.")
			}
			fresh, err := added(tx.ExecContext(ctx, `UPDATE notices SET acknowledged = ?, acknowledged_by = ? WHERE key = ? AND acknowledged IS NULL`, now, who.Name, n))
			if err != nil {
				return err
			}
			if fresh {
				open++
			}
		}
		with(&ev, "notices", ids)
		with(&ev, "acknowledged", open)
		return nil
	})
	return open, err
}
