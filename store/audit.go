package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	"semblance"
)

// A chainHead is the end of the audit chain: how many events there are and the
// hash of the last, "" when there is none.
type chainHead struct {
	Events int64  `json:"events"`
	Hash   string `json:"head"`
}

// Append adds an event that changes nothing else. It is on disk when Append
// returns. Seq, Time, Prev and Hash are filled in here.
func (s *Store) Append(ctx context.Context, ev semblance.AuditEvent) error {
	return s.write(ctx, "append to the audit chain", &ev, func(*sql.Tx) error { return nil })
}

// appendAudit links ev to the chain within a transaction.
func (s *Store) appendAudit(ctx context.Context, tx *sql.Tx, ev semblance.AuditEvent) (chainHead, error) {
	if ev.Action == "" {
		return chainHead{}, semblance.Errorf(semblance.Internal, "an audit event needs an action")
	}
	head, err := readHead(ctx, tx)
	if err != nil {
		return chainHead{}, err
	}
	s.anchor.expect(head)
	ev.Seq, ev.Time, ev.Prev = head.Events+1, s.stamp(), head.Hash
	text, err := canonicalEvent(ev)
	if err != nil {
		return chainHead{}, err
	}
	next := chainHead{Events: ev.Seq, Hash: hashText(text)}
	_, err = tx.ExecContext(ctx, `INSERT INTO audit (seq, event, hash) VALUES (?, ?, ?)`, ev.Seq, string(text), next.Hash)
	return next, err
}

func hashText(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

func readHead(ctx context.Context, q querier) (chainHead, error) {
	var h chainHead
	err := q.QueryRowContext(ctx, `SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1`).Scan(&h.Events, &h.Hash)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return h, err
}

// AuditEvents returns at most limit events after the one numbered after, in
// order. A limit of 0 means 1000.
func (s *Store) AuditEvents(ctx context.Context, after int64, limit int) ([]semblance.AuditEvent, error) {
	const op = "read the audit chain"
	if limit <= 0 {
		limit = 1000
	}
	rows, err := s.reader.QueryContext(ctx, `SELECT event, hash FROM audit WHERE seq > ? ORDER BY seq LIMIT ?`, after, limit)
	if err != nil {
		return nil, s.fail(ctx, op, err)
	}
	events, err := collect(rows, func(scan scanner) (ev semblance.AuditEvent, err error) {
		var text, hash string
		if err = scan(&text, &hash); err == nil {
			err = json.Unmarshal([]byte(text), &ev)
		}
		ev.Hash = hash
		return ev, err
	})
	return events, s.fail(ctx, op, err)
}

// An AuditReport is what verifying the audit chain gave.
type AuditReport struct {
	Events   int64  `json:"events"`    // in the data file
	Head     string `json:"head"`      // hash of the last of them
	Anchored int64  `json:"anchored"`  // how many the anchor file vouches for
	OK       bool   `json:"ok"`        // nothing was changed, removed, reordered or cut off
	BrokenAt int64  `json:"broken_at"` // number of the first event that is not as it was written; 0 when OK
	Why      string `json:"why"`       // a sentence; empty when OK
}

// LastAudit is the number of the last event, which is how many there are; 0 when there is none.
func (s *Store) LastAudit(ctx context.Context) (n int64, err error) {
	err = s.reader.QueryRowContext(ctx, `SELECT coalesce(max(seq), 0) FROM audit`).Scan(&n)
	return n, s.fail(ctx, "read the audit chain", err)
}

// VerifyAudit recomputes the whole chain and compares its end with the anchor
// file. A broken chain is a report, not an error.
//
// A chain can be longer than its anchor, when the program was killed between
// writing the one and the other; a shorter one had its tail cut off, or an older
// copy of the data file was put in its place.
func (s *Store) VerifyAudit(ctx context.Context) (AuditReport, error) {
	// The anchor is read first: read second, it could be ahead of the snapshot.
	held, anchorErr := readAnchor(s.anchor.file)
	if anchorErr != nil && !errors.Is(anchorErr, errNoAnchor) {
		return AuditReport{}, anchorErr
	}
	v := chainVerifier{anchor: held}
	err := s.read(ctx, "verify the audit chain", func(tx *sql.Tx) error {
		rows, err := tx.QueryContext(ctx, `SELECT seq, event, hash FROM audit ORDER BY seq`)
		if err != nil {
			return err
		}
		return each(rows, func(scan scanner) error {
			var seq int64
			var text, hash string
			if err := scan(&seq, &text, &hash); err != nil {
				return err
			}
			v.add(seq, text, hash)
			return nil
		})
	})
	if err != nil {
		return AuditReport{}, err
	}
	return v.report(anchorErr), nil
}

// A chainVerifier walks a chain from its beginning.
type chainVerifier struct {
	anchor chainHead
	count  int64
	last   chainHead // of the last event seen
	at     int64     // first broken event, 0 while there is none
	why    string
}

func (v *chainVerifier) broken(at int64, format string, args ...any) {
	if v.at == 0 {
		v.at, v.why = at, fmt.Sprintf(format, args...)
	}
}

// add takes the next row. After the first broken one it only counts.
func (v *chainVerifier) add(seq int64, text, hash string) {
	v.count++
	expected, prev := v.last.Events+1, v.last.Hash
	v.last = chainHead{Events: seq, Hash: hash}
	if v.at != 0 {
		return
	}
	if seq != expected {
		v.broken(expected, "event %d is missing", expected)
		return
	}
	var ev semblance.AuditEvent
	switch err := json.Unmarshal([]byte(text), &ev); {
	case hashText([]byte(text)) != hash:
		v.broken(seq, "event %d was changed: its hash is not that of its content", seq)
	case err != nil:
		v.broken(seq, "event %d is not an audit event", seq)
	case ev.Seq != seq:
		v.broken(seq, "event %d was moved: it was written as event %d", seq, ev.Seq)
	case ev.Prev != prev:
		v.broken(seq, "event %d does not follow the one before it: one of them was changed, removed or put in another order", seq)
	case seq == v.anchor.Events && hash != v.anchor.Hash:
		v.broken(seq, "event %d is not the one that the anchor file %s holds: it was changed", seq, AnchorFile)
	}
}

func (v *chainVerifier) report(anchorErr error) AuditReport {
	switch {
	case anchorErr != nil && v.count > 0:
		v.broken(v.last.Events, "the anchor file %s is missing or damaged: whether events were cut off the end cannot be told", AnchorFile)
	case v.last.Events < v.anchor.Events:
		v.broken(v.last.Events+1, "events %d to %d are missing: the end was cut off, or the data file was replaced by an older copy",
			v.last.Events+1, v.anchor.Events)
	}
	return AuditReport{Events: v.count, Head: v.last.Hash, Anchored: v.anchor.Events, OK: v.at == 0, BrokenAt: v.at, Why: v.why}
}
