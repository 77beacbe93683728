package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"slices"
	"time"

	"semblance"
)

// A lookbackWriter stores one step.
type lookbackWriter struct {
	ctx     context.Context
	tx      *sql.Tx
	step    *semblance.LookbackStep
	made    time.Time
	notices []semblance.Notice
	cases   []semblance.Case // of the notices, in the same order
}

// update replaces the findings of a media in a case as the scans of its exhibits, one
// after the other, would, and makes notices of what that changes.
func (w *lookbackWriter) update(u *semblance.LookbackUpdate) error {
	key, err := caseKey(w.ctx, w.tx, u.Case.ID)
	if err != nil {
		return err
	}
	before, err := w.findings(key, u.Media)
	if err != nil {
		return err
	}
	c := &commit{ctx: w.ctx, tx: w.tx, statements: map[string]*sql.Stmt{}, caseKey: key, allNames: true}
	defer c.close()
	for i := range u.Plans {
		c.collections = u.Plans[i].Names
		if err := c.findings(u.Media, &u.Plans[i].Findings); err != nil {
			return err
		}
	}
	after, err := w.findings(key, u.Media)
	if err != nil {
		return err
	}
	for _, n := range semblance.NoticesOf(before, after) {
		n.Case, n.Media, n.Remark, n.Made = u.Case.Number, u.Media, u.Remark, w.made
		if err := w.notice(key, &n); err != nil {
			return err
		}
		w.notices, w.cases = append(w.notices, n), append(w.cases, u.Case)
	}
	return nil
}

func (w *lookbackWriter) findings(caseKey int64, sum semblance.SHA256) (*semblance.Findings, error) {
	found, err := loadFindings(w.ctx, w.tx, caseKey, []semblance.SHA256{sum}, nil)
	return found[sum], err
}

func (w *lookbackWriter) notice(caseKey int64, n *semblance.Notice) error {
	before, err := findingsText(n.Before)
	if err != nil {
		return err
	}
	finding, err := findingsText(n.Finding)
	if err != nil {
		return err
	}
	return w.tx.QueryRowContext(w.ctx, `INSERT INTO notices (case_key, media, what, kind, collection, other, entry, record, before, finding, remark, made, acknowledged_by)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, '') RETURNING key`,
		caseKey, n.Media[:], n.What, n.Kind, n.Collection, n.Other, n.Entry, n.Record, before, finding, n.Remark, timeText(n.Made)).Scan(&n.ID)
}

func findingsText(f *semblance.Findings) (any, error) {
	if f == nil {
		return nil, nil
	}
	b, err := json.Marshal(f)
	return string(b), err
}

// events are one for each case that has notices.
func (w *lookbackWriter) events(who semblance.Actor) []semblance.AuditEvent {
	var out []semblance.AuditEvent
	var ids [][]semblance.NoticeID
	for i, n := range w.notices {
		at := slices.IndexFunc(out, func(e semblance.AuditEvent) bool { return e.Case == n.Case })
		if at < 0 {
			c := w.cases[i]
			at = len(out)
			out, ids = append(out, semblance.AuditEvent{Time: w.made, Actor: who, Action: "lookback.notice", Case: c.Number, Purpose: c.Purpose, Basis: c.Basis,
				Collections: []string{w.step.Due.Name}, Detail: map[string]any{}}), append(ids, nil)
		}
		ids[at] = append(ids[at], n.ID)
		count, _ := out[at].Detail[n.What].(int)
		out[at].Detail[n.What] = count + 1
	}
	for i := range out {
		out[i].Detail["notices"] = ids[i]
	}
	if w.step.Done {
		out = append(out, semblance.AuditEvent{Time: w.made, Actor: who, Action: "lookback.end", Collections: []string{w.step.Due.Name}})
	}
	return out
}

// progress records how far the run is.
func (w *lookbackWriter) progress() error {
	d := &w.step.Due
	_, err := w.tx.ExecContext(w.ctx, `INSERT INTO lookbacks (collection, run, seq) VALUES (?, ?, ?)
		ON CONFLICT (collection) DO UPDATE SET run = excluded.run, seq = excluded.seq`, d.ID, runText(d), w.step.Seq)
	return err
}

// end brings the plans up to date that no scan has touched since the run began.
func (w *lookbackWriter) end() error {
	d := &w.step.Due
	for _, p := range d.Plans {
		query, args := `UPDATE plan_collections SET entry = max(entry, ?), digest_set = max(digest_set, ?), losses = max(losses, ?)`, []any{d.Through.Entry, d.Through.Set, d.Through.Losses}
		if d.Gone {
			query, args = `DELETE FROM plan_collections`, nil
		}
		args = append(args, d.ID, p.Key, p.Scans)
		if _, err := w.tx.ExecContext(w.ctx, query+` WHERE collection = ? AND plan_key = (SELECT key FROM exhibit_plans WHERE key = ? AND scans = ?)`, args...); err != nil {
			return err
		}
	}
	_, err := w.tx.ExecContext(w.ctx, `DELETE FROM lookbacks WHERE collection = ?`, d.ID)
	return err
}
