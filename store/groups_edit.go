package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	"semblance"
)

// EditGroups does an edit by hand and returns it with its ID. The error has code
// NotFound when a group is not there, Invalid when a face is not in From or none would
// be left in it.
func (s *Store) EditGroups(ctx context.Context, e semblance.GroupEdit, ev semblance.AuditEvent) (semblance.GroupEdit, error) {
	err := s.write(ctx, "edit the groups", &ev, func(tx *sql.Tx) error {
		w := groupEditor{ctx: ctx, tx: tx, edit: &e, now: s.stamp()}
		if err := w.do(); err != nil {
			return err
		}
		with(&ev, "edit", e.ID)
		return nil
	})
	return e, err
}

// A groupEditor does or undoes one edit.
type groupEditor struct {
	ctx      context.Context
	tx       *sql.Tx
	edit     *semblance.GroupEdit
	now      time.Time
	key      int64 // of the edit
	grouping int64
	from, to int64
}

func (w *groupEditor) exec(query string, args ...any) error {
	_, err := w.tx.ExecContext(w.ctx, query, args...)
	return err
}

func (w *groupEditor) do() error {
	e := w.edit
	var oldName, oldNote string
	w.from, w.to = groupKey(e.From), groupKey(e.To)
	err := w.tx.QueryRowContext(w.ctx, `SELECT grouping_key, name, note FROM face_groups WHERE key = ?`, w.from).Scan(&w.grouping, &oldName, &oldNote)
	if errors.Is(err, sql.ErrNoRows) {
		return noGroup(e.From)
	}
	if err != nil {
		return err
	}
	if err := w.target(); err != nil {
		return err
	}
	actor, err := json.Marshal(e.Actor)
	if err != nil {
		return err
	}
	err = w.tx.QueryRowContext(w.ctx, `INSERT INTO group_edits (grouping_key, kind, from_key, to_key, name, note, old_name, old_note, actor, time)
		VALUES (`+marks(10)+`) RETURNING key`, w.grouping, e.Kind, w.from, w.to, e.Name, e.Note, oldName, oldNote, string(actor), timeText(w.now)).Scan(&w.key)
	if err != nil {
		return err
	}
	e.ID, e.Grouping, e.Time = semblance.GroupEditID(typedID(editPrefix, w.key)), semblance.GroupingID(typedID(groupingPrefix, w.grouping)), w.now
	if e.Kind == semblance.GroupName {
		err = w.exec(`UPDATE face_groups SET name = ?, note = ? WHERE key = ?`, e.Name, e.Note, w.from)
	} else {
		if err = w.move(); err == nil {
			err = movedFaces(w.ctx, w.tx, w.key, e)
		}
	}
	if err != nil {
		return err
	}
	return w.touched()
}

// target checks where faces go, and makes the group when it is a new one.
func (w *groupEditor) target() error {
	e := w.edit
	if e.Kind == semblance.GroupName {
		return nil
	}
	if e.To == "" {
		err := w.tx.QueryRowContext(w.ctx, `INSERT INTO face_groups (grouping_key, name, note, core, squares, core_faces) VALUES (?, '', '', NULL, 0, 0) RETURNING key`, w.grouping).Scan(&w.to)
		e.To = groupID(w.to)
		return err
	}
	var other int64
	err := w.tx.QueryRowContext(w.ctx, `SELECT grouping_key FROM face_groups WHERE key = ?`, w.to).Scan(&other)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return noGroup(e.To)
	case err == nil && other != w.grouping:
		return semblance.Errorf(semblance.Invalid, "the groups %s and %s are of different cases or engines", e.From, e.To).
			WithHint("Group the cases together with `semblance group run`; the groups it makes can be merged.")
	}
	return err
}

// move moves faces from one group to another, and remembers which.
func (w *groupEditor) move() error {
	if w.edit.Kind == semblance.GroupMerge {
		if err := w.exec(`INSERT INTO group_moves (edit_key, face_key) SELECT ?, key FROM group_faces WHERE group_key = ?`, w.key, w.from); err != nil {
			return err
		}
	}
	for _, f := range w.edit.Faces {
		if w.edit.Kind == semblance.GroupMerge {
			break
		}
		moved, err := added(w.tx.ExecContext(w.ctx, `INSERT INTO group_moves (edit_key, face_key) SELECT ?, key FROM group_faces WHERE group_key = ? AND media = ? AND face = ? AND gone = 0 ON CONFLICT DO NOTHING`,
			w.key, w.from, f.Media[:], f.Face))
		if err == nil && !moved {
			return semblance.Errorf(semblance.Invalid, "the face %s is not in group %s, or is named twice", f, w.edit.From).WithHint("`semblance group show %s` lists its faces.", w.edit.From)
		}
		if err != nil {
			return err
		}
	}
	if err := w.shift(w.to, w.from); err != nil {
		return err
	}
	if w.edit.Kind == semblance.GroupMerge {
		if err := w.keepApart(); err != nil {
			return err
		}
		return w.emptied(w.from)
	}
	left := 0
	err := w.tx.QueryRowContext(w.ctx, `SELECT count(*) FROM group_faces WHERE group_key = ? AND gone = 0`, w.from).Scan(&left)
	if err != nil {
		return err
	}
	if left == 0 {
		return semblance.Errorf(semblance.Invalid, "that is every face of group %s, and nothing would be left in it", w.edit.From).
			WithHint("Name fewer faces; to put all of them into another group, merge the two.")
	}
	return w.exec(`INSERT INTO apart_groups (a, b, edit_key) VALUES (?, ?, ?)`, min(w.from, w.to), max(w.from, w.to), w.key)
}

// keepApart says of the merged group what was said of the one that goes: from which
// others it was taken apart.
func (w *groupEditor) keepApart() error {
	return w.exec(`INSERT INTO apart_groups (a, b, edit_key) SELECT min(other, ?), max(other, ?), ? FROM
		(SELECT DISTINCT CASE WHEN a = ? THEN b ELSE a END AS other FROM apart_groups WHERE a = ? OR b = ?) WHERE other <> ?`,
		w.to, w.to, w.key, w.from, w.from, w.from, w.to)
}

// shift puts the faces of the edit that are in one group into another.
func (w *groupEditor) shift(to, from int64) error {
	return w.exec(`UPDATE group_faces SET group_key = ? WHERE group_key = ? AND key IN (SELECT face_key FROM group_moves WHERE edit_key = ?)`, to, from, w.key)
}

// emptied removes a group when it has no face.
func (w *groupEditor) emptied(key int64) error {
	return w.exec(`DELETE FROM face_groups WHERE key = ? AND NOT EXISTS (SELECT 1 FROM group_faces WHERE group_key = ?)`, key, key)
}

// touched says that the sums of the edit's groups are to be made again, that what was
// suggested about them is no longer so, and that the grouping has changed.
func (w *groupEditor) touched() error {
	if w.edit.Kind != semblance.GroupName {
		if err := w.exec(`UPDATE face_groups SET core = NULL WHERE key IN (?, ?)`, w.from, w.to); err != nil {
			return err
		}
		if err := w.exec(`DELETE FROM near_groups WHERE a IN (?, ?) OR b IN (?, ?)`, w.from, w.to, w.from, w.to); err != nil {
			return err
		}
	}
	return w.exec(`UPDATE groupings SET updated = ? WHERE key = ?`, timeText(w.now), w.grouping)
}

// UndoGroupEdit takes an edit back: the faces it moved that are still where it put them
// go back, and faces that a run has added since stay. The error has code NotFound when
// there is no such edit, Conflict when it was undone or a later edit rests on it.
func (s *Store) UndoGroupEdit(ctx context.Context, id semblance.GroupEditID, ev semblance.AuditEvent) (semblance.GroupEdit, error) {
	var e semblance.GroupEdit
	err := s.write(ctx, "undo the edit", &ev, func(tx *sql.Tx) error {
		var oldName, oldNote string
		w := groupEditor{ctx: ctx, tx: tx, edit: &e, now: s.stamp(), key: typedKey(editPrefix, string(id))}
		err := tx.QueryRowContext(ctx, `SELECT grouping_key, from_key, to_key, old_name, old_note FROM group_edits WHERE key = ?`, w.key).
			Scan(&w.grouping, &w.from, &w.to, &oldName, &oldNote)
		if errors.Is(err, sql.ErrNoRows) {
			return semblance.Errorf(semblance.NotFound, "there is no edit %q", string(id)).WithHint("`semblance group history` lists the edits.")
		}
		if err == nil {
			e, err = groupEdit(ctx, tx, w.key)
		}
		if err == nil {
			err = w.undoable()
		}
		if err == nil {
			err = w.undo(oldName, oldNote)
		}
		if err == nil {
			err = w.audited(&ev)
		}
		return err
	})
	return e, err
}

// audited says in an event what is undone, and of which cases.
func (w *groupEditor) audited(ev *semblance.AuditEvent) error {
	g, _, err := grouping(w.ctx, w.tx, `key = ?`, w.grouping)
	if err != nil {
		return err
	}
	with(ev, "edit", w.edit.ID)
	with(ev, "cases", g.Cases)
	if len(g.Cases) != 1 {
		return nil
	}
	ev.Case = g.Cases[0]
	return w.tx.QueryRowContext(w.ctx, `SELECT purpose, basis FROM cases WHERE number = ?`, ev.Case).Scan(&ev.Purpose, &ev.Basis)
}

// undoable reports why the edit cannot be undone.
func (w *groupEditor) undoable() error {
	if w.edit.Undone != nil {
		return semblance.Errorf(semblance.Conflict, "edit %s was undone already, on %s", w.edit.ID, w.edit.Undone.Format(time.DateTime))
	}
	var later int64
	err := w.tx.QueryRowContext(w.ctx, `SELECT key FROM group_edits WHERE undone IS NULL AND key > ? AND (from_key IN (?, ?) OR to_key IN (?, ?)) AND grouping_key = ? ORDER BY key DESC LIMIT 1`,
		w.key, w.from, w.to, w.from, w.to, w.grouping).Scan(&later)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err == nil {
		id := typedID(editPrefix, later)
		err = semblance.Errorf(semblance.Conflict, "edit %s cannot be undone: %s was done to the same groups after it", w.edit.ID, id).WithHint("Undo %s first.", id)
	}
	return err
}

func (w *groupEditor) undo(oldName, oldNote string) error {
	t := w.now
	w.edit.Undone = &t
	if err := w.exec(`UPDATE group_edits SET undone = ? WHERE key = ?`, timeText(t), w.key); err != nil {
		return err
	}
	if err := w.exec(`DELETE FROM apart_groups WHERE edit_key = ?`, w.key); err != nil {
		return err
	}
	if w.edit.Kind == semblance.GroupName {
		if err := w.exec(`UPDATE face_groups SET name = ?, note = ? WHERE key = ?`, oldName, oldNote, w.from); err != nil {
			return err
		}
		return w.touched()
	}
	err := w.exec(`INSERT INTO face_groups (key, grouping_key, name, note, core, squares, core_faces) VALUES (?, ?, ?, ?, NULL, 0, 0) ON CONFLICT DO NOTHING`, w.from, w.grouping, oldName, oldNote)
	if err == nil {
		err = w.shift(w.from, w.to)
	}
	for _, key := range []int64{w.from, w.to} {
		if err == nil {
			err = w.emptied(key)
		}
	}
	if err != nil {
		return err
	}
	return w.touched()
}

const editColumns = `key, grouping_key, kind, from_key, to_key, name, note, actor, time, undone`

func scanGroupEdit(scan scanner) (e semblance.GroupEdit, err error) {
	var key, grouping, from, to int64
	var actor []byte
	var undone sql.NullString
	err = scan(&key, &grouping, &e.Kind, &from, &to, &e.Name, &e.Note, &actor, textTime{&e.Time}, &undone)
	if err != nil {
		return e, err
	}
	e.ID, e.Grouping, e.From = semblance.GroupEditID(typedID(editPrefix, key)), semblance.GroupingID(typedID(groupingPrefix, grouping)), groupID(from)
	if to != 0 {
		e.To = groupID(to)
	}
	if undone.Valid {
		e.Undone = new(time.Time)
		if err := (textTime{e.Undone}).Scan(undone.String); err != nil {
			return e, err
		}
	}
	return e, json.Unmarshal(actor, &e.Actor)
}

// groupEdit reads an edit with the faces it moved that are there still.
func groupEdit(ctx context.Context, q querier, key int64) (e semblance.GroupEdit, err error) {
	if e, err = scanGroupEdit(q.QueryRowContext(ctx, `SELECT `+editColumns+` FROM group_edits WHERE key = ?`, key).Scan); err != nil {
		return e, err
	}
	return e, movedFaces(ctx, q, key, &e)
}

func movedFaces(ctx context.Context, q querier, key int64, e *semblance.GroupEdit) error {
	rows, err := q.QueryContext(ctx, `SELECT f.media, f.face FROM group_moves m JOIN group_faces f ON f.key = m.face_key WHERE m.edit_key = ? AND f.gone = 0 ORDER BY f.media, f.face`, key)
	if err != nil {
		return err
	}
	e.Faces, err = collect(rows, func(scan scanner) (f semblance.FaceRef, err error) { return f, scan(fixed(f.Media[:]), &f.Face) })
	return err
}

// GroupEdits lists the edits of a grouping, oldest first.
func (s *Store) GroupEdits(ctx context.Context, id semblance.GroupingID) (list []semblance.GroupEdit, err error) {
	err = s.read(ctx, "list the edits", func(tx *sql.Tx) error {
		rows, err := tx.QueryContext(ctx, `SELECT `+editColumns+` FROM group_edits WHERE grouping_key = ? ORDER BY key`, typedKey(groupingPrefix, string(id)))
		if err != nil {
			return err
		}
		if list, err = collect(rows, scanGroupEdit); err != nil {
			return err
		}
		for i := range list {
			if err := movedFaces(ctx, tx, typedKey(editPrefix, string(list[i].ID)), &list[i]); err != nil {
				return err
			}
		}
		return nil
	})
	return list, err
}
