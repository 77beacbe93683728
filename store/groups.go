package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"

	"semblance"
)

var (
	_ semblance.GroupingStore = (*Store)(nil)
	_ semblance.GroupStore    = (*Store)(nil)
)

// Ids of groups are typed by people: a letter and the row's key.
const (
	groupingPrefix = "s"
	groupPrefix    = "g"
	editPrefix     = "e"
)

func typedID(prefix string, key int64) string { return prefix + strconv.FormatInt(key, 10) }

// typedKey returns the key of an id, 0 when it is not one of ours.
func typedKey(prefix, id string) int64 {
	rest, ok := strings.CutPrefix(id, prefix)
	key, err := strconv.ParseInt(rest, 10, 64)
	if !ok || err != nil || key < 0 || typedID(prefix, key) != id {
		return 0
	}
	return key
}

func groupID(key int64) semblance.GroupID { return semblance.GroupID(typedID(groupPrefix, key)) }

func groupKey(id semblance.GroupID) int64 { return typedKey(groupPrefix, string(id)) }

// scopeText names a scope in the groupings table.
func scopeText(s semblance.GroupScope) string {
	if s.All {
		return "*"
	}
	var ids []string
	for _, c := range s.Cases {
		ids = append(ids, string(c.ID))
	}
	slices.Sort(ids)
	return strings.Join(ids, ",")
}

const groupingColumns = `key, engine, version, scope, distance, near_distance, updated`

// grouping reads a grouping by a condition.
func grouping(ctx context.Context, q querier, where string, args ...any) (g semblance.Grouping, key int64, err error) {
	var scope string
	err = q.QueryRowContext(ctx, `SELECT `+groupingColumns+` FROM groupings WHERE `+where, args...).
		Scan(&key, &g.Engine, &g.Version, &scope, &g.Distance, &g.NearDistance, textTime{&g.Updated})
	if err != nil {
		return g, 0, err
	}
	g.ID, g.All = semblance.GroupingID(typedID(groupingPrefix, key)), scope == "*"
	rows, err := q.QueryContext(ctx, `SELECT c.number FROM grouping_cases g JOIN cases c ON c.key = g.case_key WHERE g.grouping_key = ? ORDER BY c.number`, key)
	if err != nil {
		return g, 0, err
	}
	g.Cases, err = collect(rows, func(scan scanner) (n string, err error) { return n, scan(&n) })
	return g, key, err
}

func groupingOf(ctx context.Context, q querier, s semblance.GroupScope) (semblance.Grouping, int64, error) {
	return grouping(ctx, q, `engine = ? AND version = ? AND scope = ?`, s.Engine.Name, s.Engine.Version, scopeText(s))
}

// Grouping returns the grouping of a scope. The error has code NotFound when its faces
// were never grouped.
func (s *Store) Grouping(ctx context.Context, scope semblance.GroupScope) (g semblance.Grouping, err error) {
	err = s.read(ctx, "read the grouping", func(tx *sql.Tx) error {
		g, _, err = groupingOf(ctx, tx, scope)
		if errors.Is(err, sql.ErrNoRows) {
			return semblance.Errorf(semblance.NotFound, "the faces of these cases were never grouped together with engine %s", scope.Engine.Name).
				WithHint("Run `semblance group run` with the same cases; cases that were grouped one by one are not grouped with each other.")
		}
		return err
	})
	return g, err
}

// isEdited is true of a group g that an edit by hand, not undone, is about.
const isEdited = `EXISTS (SELECT 1 FROM group_edits e WHERE e.undone IS NULL AND e.from_key = g.key)
	OR EXISTS (SELECT 1 FROM group_edits e WHERE e.undone IS NULL AND e.to_key = g.key)`

// GroupCores returns the groups of a grouping, or only those edited by hand, in the
// order of their age. Of one whose sum is not known the faces are there instead.
func (s *Store) GroupCores(ctx context.Context, id semblance.GroupingID, edited bool) (list []semblance.GroupCore, err error) {
	err = s.read(ctx, "read the groups", func(tx *sql.Tx) error {
		where := ``
		if edited {
			where = ` AND (` + isEdited + `)`
		}
		rows, err := tx.QueryContext(ctx, `SELECT g.key, g.core, g.squares, g.core_faces, `+isEdited+`
			FROM face_groups g WHERE g.grouping_key = ?`+where+` ORDER BY g.key`, typedKey(groupingPrefix, string(id)))
		if err != nil {
			return err
		}
		list, err = collect(rows, scanCore)
		if err != nil {
			return err
		}
		return fillCores(ctx, tx, list)
	})
	return list, err
}

func scanCore(scan scanner) (c semblance.GroupCore, err error) {
	var key int64
	var core sql.RawBytes
	err = scan(&key, &core, &c.Squares, &c.Count, &c.Edited)
	c.Group, c.Vector = groupID(key), bytesVector(core)
	if c.Vector != nil && c.Count == 0 {
		c.Poor = 1 // a sum of no face that counts is only kept of a poor face alone
	}
	return c, err
}

// fillCores reads the faces of groups whose sum is not known.
func fillCores(ctx context.Context, tx *sql.Tx, list []semblance.GroupCore) error {
	for i := range list {
		if list[i].Vector != nil {
			continue
		}
		var err error
		if list[i].Faces, err = groupFaces(ctx, tx, groupKey(list[i].Group)); err != nil {
			return err
		}
		list[i].Count, list[i].Poor = 0, 0
		for _, f := range list[i].Faces {
			if f.Poor {
				list[i].Poor++
			}
		}
	}
	return nil
}

// groupFaces reads the faces of a group that are there, with embeddings.
func groupFaces(ctx context.Context, q querier, key int64) ([]semblance.GroupFace, error) {
	rows, err := q.QueryContext(ctx, `SELECT m.media, m.face, m.frame, m.box, m.poor, f.quality, f.embedding, json_extract(f.data, '$.appearance')
		FROM group_faces m JOIN faces f ON f.media = m.media AND f.engine = m.engine AND f.face = m.face
		WHERE m.group_key = ? AND m.gone = 0 ORDER BY m.media, m.face`, key)
	if err != nil {
		return nil, err
	}
	return collect(rows, func(scan scanner) (f semblance.GroupFace, err error) {
		var box, embedding, appearance []byte
		err = scan(fixed(f.Media[:]), &f.Face, &f.Frame, &box, &f.Poor, &f.Quality, &embedding, &appearance)
		if err == nil {
			err = unmarshalFace(box, appearance, &f.Box, &f.Appearance)
		}
		f.Embedding = bytesVector(embedding)
		return f, err
	})
}

// unmarshalFace reads the parts of a face that a grouping needs; appearance is empty but
// for a face in a video.
func unmarshalFace(box, appearance []byte, b *semblance.Box, a **semblance.Appearance) error {
	if err := json.Unmarshal(box, b); err != nil || len(appearance) == 0 {
		return err
	}
	return json.Unmarshal(appearance, a)
}

// groupCounts counts what a group g is made of now.
const groupCounts = `SELECT g.key, g.name, g.note, ` + isEdited + `,
	(SELECT count(*) FROM group_faces m WHERE m.group_key = g.key AND m.gone = 0) AS faces,
	(SELECT count(*) FROM group_faces m WHERE m.group_key = g.key AND m.gone = 0 AND m.poor) AS poor,
	(SELECT count(DISTINCT i.exhibit_key) ` + groupPlaces + ` WHERE m.group_key = g.key AND m.gone = 0) AS exhibits,
	(SELECT count(DISTINCT x.case_key) ` + groupPlaces + ` WHERE m.group_key = g.key AND m.gone = 0) AS cases
	FROM face_groups g `

// groupPlaces joins the faces of a group with where they lie, in the grouping's cases.
const groupPlaces = `FROM group_faces m JOIN items i ON i.sha256 = m.media JOIN exhibits x ON x.key = i.exhibit_key
	JOIN grouping_cases s ON s.case_key = x.case_key AND s.grouping_key = m.grouping_key`

func scanGroup(scan scanner) (g semblance.FaceGroup, err error) {
	var key int64
	err = scan(&key, &g.Name, &g.Note, &g.Edited, &g.Faces, &g.Poor, &g.Exhibits, &g.Cases)
	g.ID = groupID(key)
	return g, err
}

// Groups lists the groups of a grouping that have faces, those with most faces (or
// exhibits) first, ties by age.
func (s *Store) Groups(ctx context.Context, id semblance.GroupingID, f semblance.GroupFilter) ([]semblance.FaceGroup, error) {
	const op = "list the groups"
	order, least := `faces DESC, exhibits DESC, key`, max(f.Least, 1)
	if f.Exhibits {
		order = `exhibits DESC, faces DESC, key`
	}
	if f.Limit <= 0 {
		f.Limit = 100
	}
	rows, err := s.reader.QueryContext(ctx, `SELECT * FROM (`+groupCounts+`WHERE g.grouping_key = ?) WHERE faces >= ? AND cases >= ? ORDER BY `+order+` LIMIT ? OFFSET ?`,
		typedKey(groupingPrefix, string(id)), least, 1+b2i(f.CrossCase), f.Limit, f.After)
	if err != nil {
		return nil, s.fail(ctx, op, err)
	}
	list, err := collect(rows, scanGroup)
	for i := range list {
		list[i].Grouping = id
	}
	return list, s.fail(ctx, op, err)
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// Group returns a group with its members, their embeddings and where they were seen.
// The error has code NotFound when there is none.
func (s *Store) Group(ctx context.Context, id semblance.GroupID) (g semblance.FaceGroup, of semblance.Grouping, err error) {
	err = s.read(ctx, "read the group", func(tx *sql.Tx) error {
		key := groupKey(id)
		g, err = scanGroup(tx.QueryRowContext(ctx, groupCounts+`WHERE g.key = ?`, key).Scan)
		if errors.Is(err, sql.ErrNoRows) {
			return noGroup(id)
		}
		if err != nil {
			return err
		}
		if of, _, err = grouping(ctx, tx, `key = (SELECT grouping_key FROM face_groups WHERE key = ?)`, key); err != nil {
			return err
		}
		g.Grouping = of.ID
		if g.Members, err = groupFaces(ctx, tx, key); err != nil {
			return err
		}
		return sightings(ctx, tx, key, g.Members)
	})
	return g, of, err
}

func noGroup(id semblance.GroupID) error {
	return semblance.Errorf(semblance.NotFound, "there is no group %q", string(id)).
		WithHint("It may have been merged into another; `semblance group list` shows what there is, `semblance group history` what was done.")
}

// sightings fills in where the members of a group were seen.
func sightings(ctx context.Context, q querier, key int64, members []semblance.GroupFace) error {
	at := map[semblance.SHA256][]int{}
	for i, m := range members {
		at[m.Media] = append(at[m.Media], i)
	}
	rows, err := q.QueryContext(ctx, `SELECT DISTINCT m.media, c.number, x.label, i.path `+groupPlaces+`
		JOIN cases c ON c.key = x.case_key WHERE m.group_key = ? AND m.gone = 0 ORDER BY c.number, x.label, i.path`, key)
	if err != nil {
		return err
	}
	return each(rows, func(scan scanner) error {
		var media semblance.SHA256
		var s semblance.Sighting
		if err := scan(fixed(media[:]), &s.Case, &s.Exhibit, &s.Path); err != nil {
			return err
		}
		for _, i := range at[media] {
			members[i].Seen = append(members[i].Seen, s)
		}
		return nil
	})
}

// NearGroups lists the suggestions of the last runs, nearest first; those about groups
// that were edited since or taken apart by hand are not among them. A limit of 0 means 100.
func (s *Store) NearGroups(ctx context.Context, id semblance.GroupingID, limit int) ([]semblance.NearGroups, error) {
	const op = "list the near groups"
	if limit <= 0 {
		limit = 100
	}
	rows, err := s.reader.QueryContext(ctx, `SELECT n.a, n.b, n.distance FROM near_groups n JOIN face_groups g ON g.key = n.a
		WHERE g.grouping_key = ? AND NOT EXISTS (SELECT 1 FROM apart_groups x WHERE x.a = n.a AND x.b = n.b)
		ORDER BY n.distance, n.a, n.b LIMIT ?`, typedKey(groupingPrefix, string(id)), limit)
	if err != nil {
		return nil, s.fail(ctx, op, err)
	}
	list, err := collect(rows, func(scan scanner) (n semblance.NearGroups, err error) {
		var a, b int64
		err = scan(&a, &b, &n.Distance)
		n.A, n.B = groupID(a), groupID(b)
		return n, err
	})
	return list, s.fail(ctx, op, err)
}
