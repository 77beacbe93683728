package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"semblance"
)

// Ungrouped reads what a run has to look at, on one snapshot.
func (s *Store) Ungrouped(ctx context.Context, scope semblance.GroupScope, fresh bool) (in semblance.GroupInput, err error) {
	err = s.read(ctx, "read the faces", func(tx *sql.Tx) error {
		u := ungrouped{ctx: ctx, tx: tx, scope: scope, fresh: fresh, in: &in}
		var err error
		if in.Grouping, u.key, err = groupingOf(ctx, tx, scope); err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		for _, c := range scope.Cases {
			key, err := caseKey(ctx, tx, c.ID)
			if err != nil {
				return err
			}
			u.cases = append(u.cases, fmt.Sprint(key))
		}
		return u.read()
	})
	return in, err
}

// An ungrouped reads one GroupInput.
type ungrouped struct {
	ctx   context.Context
	tx    *sql.Tx
	scope semblance.GroupScope
	fresh bool
	key   int64 // of the grouping; 0 when there is none
	cases []string
	in    *semblance.GroupInput
}

// pending selects the media of the cases that a run has to look at; the case's key
// stands beside, for a media of several cases several times.
func (u *ungrouped) pending() string {
	seen := ``
	if !u.fresh && u.key != 0 {
		seen = fmt.Sprintf(` AND NOT EXISTS (SELECT 1 FROM group_media s WHERE s.grouping_key = %d AND s.media = i.sha256)`, u.key)
	}
	return `SELECT DISTINCT i.sha256 AS media, x.case_key FROM exhibits x CROSS JOIN items i ON i.exhibit_key = x.key
		WHERE x.case_key IN (` + strings.Join(u.cases, ",") + `) AND i.sha256 IS NOT NULL` + seen
}

func (u *ungrouped) read() error {
	rows, err := u.tx.QueryContext(u.ctx, `SELECT p.media, c.number, s.version, (SELECT count(*) FROM faces f WHERE f.media = p.media AND f.engine = ?), m.analysis IS NULL
		FROM (`+u.pending()+`) p CROSS JOIN cases c ON c.key = p.case_key CROSS JOIN media m ON m.sha256 = p.media
		LEFT JOIN face_sets s ON s.media = p.media AND s.engine = ? ORDER BY p.media, c.number`, u.scope.Engine.Name, u.scope.Engine.Name)
	if err != nil {
		return err
	}
	out := exclusions{engine: u.scope.Engine, at: map[string]int{}}
	err = each(rows, func(scan scanner) error {
		var media semblance.SHA256
		var number string
		var version sql.NullInt64
		var faces int
		var undecoded bool
		if err := scan(fixed(media[:]), &number, &version, &faces, &undecoded); err != nil {
			return err
		}
		switch {
		case !version.Valid && undecoded: // not a picture, or one that could not be decoded: the scan has said so
		case !version.Valid || int(version.Int64) != u.scope.Engine.Version:
			out.add(number, version, faces)
		case len(u.in.Media) == 0 || u.in.Media[len(u.in.Media)-1] != media:
			u.in.Media = append(u.in.Media, media)
		}
		return nil
	})
	u.in.LeftOut = out.list
	if err != nil || len(u.in.Media) == 0 {
		return err
	}
	if err := u.faces(); err != nil {
		return err
	}
	return u.held()
}

// exclusions counts what is left out, by case and reason.
type exclusions struct {
	engine semblance.EngineSpec
	list   []semblance.GroupExclusion
	at     map[string]int
}

func (x *exclusions) add(number string, version sql.NullInt64, faces int) {
	reason := fmt.Sprintf("no faces were looked for with engine %s; scan the exhibit against a faces collection of it", x.engine.Name)
	if version.Valid {
		reason = fmt.Sprintf("examined with version %d of engine %s; this program has version %d, and their distances are not comparable; scan the exhibit again",
			version.Int64, x.engine.Name, x.engine.Version)
	}
	i, ok := x.at[number+"\x00"+reason]
	if !ok {
		i = len(x.list)
		x.at[number+"\x00"+reason] = i
		x.list = append(x.list, semblance.GroupExclusion{Case: number, Reason: reason})
	}
	x.list[i].Media++
	x.list[i].Faces += faces
}

// eachChunk calls f with the media of the input, some at a time.
func (u *ungrouped) eachChunk(f func(in string, args []any) error) error {
	for list := u.in.Media; len(list) > 0; {
		n := min(chunk, len(list))
		args := make([]any, n)
		for i := range args {
			args[i] = list[i][:]
		}
		if err := f(`(`+marks(n)+`)`, args); err != nil {
			return err
		}
		list = list[n:]
	}
	return nil
}

func (u *ungrouped) faces() error {
	return u.eachChunk(func(in string, args []any) error {
		rows, err := u.tx.QueryContext(u.ctx, `SELECT media, face, quality, json_extract(data, '$.frame'), json_extract(data, '$.box'), json_extract(data, '$.appearance'), embedding
			FROM faces WHERE engine = ? AND media IN `+in+` ORDER BY media, face`, append([]any{u.scope.Engine.Name}, args...)...)
		if err != nil {
			return err
		}
		return each(rows, func(scan scanner) error {
			var f semblance.GroupFace
			var box, appearance, embedding sql.RawBytes
			err := scan(fixed(f.Media[:]), &f.Face, &f.Quality, &f.Frame, &box, &appearance, &embedding)
			if err == nil {
				err = unmarshalFace(box, appearance, &f.Box, &f.Appearance)
			}
			f.Embedding = bytesVector(embedding)
			u.in.Faces = append(u.in.Faces, f)
			return err
		})
	})
}

// held reads what the grouping has of the same media: all of it, or, where a run begins
// again, what is in groups edited by hand.
func (u *ungrouped) held() error {
	if u.key == 0 {
		return nil
	}
	where := ``
	if u.fresh {
		where = ` AND (` + isEdited + `)`
	}
	return u.eachChunk(func(in string, args []any) error {
		rows, err := u.tx.QueryContext(u.ctx, `SELECT m.key, m.media, m.face, m.frame, m.box, m.group_key, m.gone,
			(SELECT json_extract(f.data, '$.appearance') FROM faces f WHERE f.media = m.media AND f.engine = m.engine AND f.face = m.face AND NOT m.gone)
			FROM group_faces m JOIN face_groups g ON g.key = m.group_key WHERE m.grouping_key = ? AND m.media IN `+in+where+` ORDER BY m.media, m.face`, append([]any{u.key}, args...)...)
		if err != nil {
			return err
		}
		return each(rows, func(scan scanner) error {
			var h semblance.HeldFace
			var box, appearance []byte
			var group int64
			err := scan(&h.Key, fixed(h.Ref.Media[:]), &h.Ref.Face, &h.Frame, &box, &group, &h.Gone, &appearance)
			if err == nil {
				err = unmarshalFace(box, appearance, &h.Box, &h.Appearance)
			}
			h.Group = groupID(group)
			u.in.Held = append(u.in.Held, h)
			return err
		})
	})
}

// SaveGroups stores what a run decided. The error has code Conflict when the grouping
// was changed since the run read it.
func (s *Store) SaveGroups(ctx context.Context, r semblance.GroupRun, ev semblance.AuditEvent) (g semblance.Grouping, err error) {
	err = s.write(ctx, "store the groups", &ev, func(tx *sql.Tx) error {
		w := groupWriter{commit: commit{ctx: context.WithoutCancel(ctx), tx: tx, statements: map[string]*sql.Stmt{}}, made: &r}
		defer w.close()
		if err := w.open(s.now().UTC().Format(timeLayout)); err != nil {
			return err
		}
		for _, step := range []func() error{w.begin, w.rebind, w.media, w.place, w.near} {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := step(); err != nil {
				return err
			}
		}
		g, _, err = grouping(ctx, tx, `key = ?`, w.key)
		return err
	})
	return g, err
}

// A groupWriter stores one run.
type groupWriter struct {
	commit
	made *semblance.GroupRun
	key  int64
	keys []int64 // of the groups, by placing
}

// open finds the grouping as the run read it, or makes it.
func (w *groupWriter) open(now string) error {
	scope := w.made.Scope
	stored, key, err := groupingOf(w.ctx, w.tx, scope)
	switch g := w.made.Grouping; {
	case errors.Is(err, sql.ErrNoRows) && g.ID == "":
		err = w.tx.QueryRowContext(w.ctx, `INSERT INTO groupings (engine, version, scope, distance, near_distance, updated) VALUES (?, ?, ?, ?, ?, ?) RETURNING key`,
			scope.Engine.Name, scope.Engine.Version, scopeText(scope), g.Distance, g.NearDistance, now).Scan(&key)
	case err == nil && (stored.ID != g.ID || !stored.Updated.Equal(g.Updated)):
		return semblance.Errorf(semblance.Conflict, "the groups were changed while these were made; nothing was stored").WithHint("Run it again.")
	case err == nil:
		err = w.run(`UPDATE groupings SET distance = ?, near_distance = ?, updated = ? WHERE key = ?`, g.Distance, g.NearDistance, now, key)
	}
	if err != nil {
		return err
	}
	w.key = key
	for _, c := range scope.Cases {
		if err := w.run(`INSERT INTO grouping_cases (grouping_key, case_key) SELECT ?, key FROM cases WHERE id = ? ON CONFLICT DO NOTHING`, key, c.ID); err != nil {
			return err
		}
	}
	return nil
}

// begin drops, for a run that begins again, every group that no hand has touched.
func (w *groupWriter) begin() error {
	if !w.made.Fresh {
		return nil
	}
	if err := w.run(`DELETE FROM group_faces WHERE group_key IN (SELECT g.key FROM face_groups g WHERE g.grouping_key = ? AND NOT (`+isEdited+`))`, w.key); err != nil {
		return err
	}
	if err := w.run(`DELETE FROM near_groups WHERE a IN (SELECT key FROM face_groups WHERE grouping_key = ?)`, w.key); err != nil {
		return err
	}
	return w.run(`DELETE FROM group_media WHERE grouping_key = ?`, w.key)
}

// rebind stores what held faces are called now; their numbers may have changed places.
func (w *groupWriter) rebind() error {
	for _, h := range w.made.Gone {
		if err := w.run(`DELETE FROM group_faces WHERE key = ?`, h.Key); err != nil {
			return err
		}
	}
	for _, h := range w.made.Rebound {
		if err := w.run(`UPDATE group_faces SET face = -key WHERE key = ?`, h.Key); err != nil {
			return err
		}
	}
	for _, h := range w.made.Rebound {
		box, err := json.Marshal(h.Box)
		if err != nil {
			return err
		}
		err = w.run(`UPDATE group_faces SET face = ?, box = ?, gone = 0,
			poor = (SELECT f.quality < ? OR f.embedding IS NULL FROM faces f WHERE f.media = group_faces.media AND f.engine = group_faces.engine AND f.face = ?)
			WHERE key = ?`, h.Ref.Face, string(box), semblance.GroupCoreQuality, h.Ref.Face, h.Key)
		if err == nil {
			err = w.run(`UPDATE face_groups SET core = NULL WHERE key = ?`, groupKey(h.Group))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (w *groupWriter) media() error {
	for i := range w.made.Media {
		if err := w.run(`INSERT INTO group_media (grouping_key, media) VALUES (?, ?) ON CONFLICT DO NOTHING`, w.key, w.made.Media[i][:]); err != nil {
			return err
		}
	}
	return nil
}

func (w *groupWriter) place() error {
	for i := range w.made.Placings {
		p := &w.made.Placings[i]
		key := groupKey(p.Group)
		if key == 0 {
			if err := w.tx.QueryRowContext(w.ctx, `INSERT INTO face_groups (grouping_key, name, note, core, squares, core_faces) VALUES (?, '', '', NULL, 0, 0) RETURNING key`, w.key).
				Scan(&key); err != nil {
				return err
			}
		}
		w.keys = append(w.keys, key)
		if err := w.placing(key, p); err != nil {
			return err
		}
	}
	return nil
}

func (w *groupWriter) placing(key int64, p *semblance.GroupPlacing) error {
	for _, f := range p.Joined {
		box, err := json.Marshal(f.Box)
		if err != nil {
			return err
		}
		if err := w.run(`INSERT INTO group_faces (grouping_key, media, engine, face, frame, box, poor, gone, group_key) VALUES (?, ?, ?, ?, ?, ?, ?, 0, ?)`,
			w.key, f.Media[:], w.made.Scope.Engine.Name, f.Face, f.Frame, string(box), f.Poor, key); err != nil {
			return err
		}
	}
	for _, from := range p.Moved {
		if err := w.run(`UPDATE group_faces SET group_key = ? WHERE group_key = ?`, key, groupKey(from)); err != nil {
			return err
		}
		if err := w.run(`DELETE FROM face_groups WHERE key = ?`, groupKey(from)); err != nil {
			return err
		}
	}
	if p.Core.Vector == nil {
		return nil
	}
	return w.run(`UPDATE face_groups SET core = ?, squares = ?, core_faces = ? WHERE key = ?`, vectorBytes(p.Core.Vector), p.Core.Squares, p.Core.Count, key)
}

// near stores suggestions, but for groups that share a picture.
func (w *groupWriter) near() error {
	for _, n := range w.made.Near {
		a, b := w.keys[n.A], w.keys[n.B]
		if a > b {
			a, b = b, a
		}
		if err := w.run(`INSERT INTO near_groups (a, b, distance) SELECT ?, ?, ? WHERE NOT EXISTS
			(SELECT 1 FROM group_faces x JOIN group_faces y ON y.grouping_key = x.grouping_key AND y.media = x.media AND y.frame = x.frame AND y.group_key = ? WHERE x.group_key = ?)
			ON CONFLICT (a, b) DO UPDATE SET distance = excluded.distance`, a, b, semblance.RoundDistance(n.Distance), b, a); err != nil {
			return err
		}
	}
	return nil
}
