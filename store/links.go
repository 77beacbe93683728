package store

import (
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"time"

	"semblance"
	"semblance/hashing"
	"semblance/selector"
)

var _ semblance.LinkStore = (*Store)(nil)

// linkSources give, for each kind, rows of value, label, face_of, exhibit_key, path and time. The
// exhibits are those of the temporary table of the query, scope.
var linkSources = map[semblance.LinkKind]string{
	semblance.LinkMedia: `SELECT lower(hex(i.sha256)) AS value, '' AS label, '' AS face_of, i.exhibit_key, i.path, ` + rankedPath + ` AS place, i.modified_s
		FROM items i JOIN media m ON m.sha256 = i.sha256 WHERE i.exhibit_key IN (SELECT key FROM scope) AND i.status <> 'known-good' AND m.size > 0 AND (? OR m.analysis IS NOT NULL AND coalesce(json_extract(m.analysis, '$.decoder'), '') <> '` + selector.Signal + `')`, // that of a text
	semblance.LinkSound: `SELECT lower(t.value) AS value, '' AS label, lower(hex(t.media)) AS face_of, i.exhibit_key, i.path, ` + rankedPath + ` AS place, i.modified_s
		FROM traces t JOIN items i ON i.sha256 = t.media WHERE i.exhibit_key IN (SELECT key FROM scope) AND i.status <> 'known-good' AND (? OR 1) AND t.kind = 'same sound'`,
	semblance.LinkFace: `SELECT 'G' || f.group_key AS value, g.name AS label, lower(hex(f.media)) AS face_of, i.exhibit_key, i.path, ` + rankedPath + ` AS place, i.modified_s
		FROM group_faces f JOIN face_groups g ON g.key = f.group_key JOIN items i ON i.sha256 = f.media
		WHERE i.exhibit_key IN (SELECT key FROM scope) AND i.status <> 'known-good' AND f.gone = 0 AND (? OR 1)`,
	// in contents, as they were read for the country of the case, and in names, where it does not matter what the file is
	semblance.LinkSelector: `SELECT s.kind || ':' || s.value AS value, '' AS label, '' AS face_of, i.exhibit_key, i.path, ` + rankedPath + ` AS place, i.modified_s
		FROM exhibits e JOIN cases c ON c.key = e.case_key JOIN items i ON i.exhibit_key = e.key JOIN media_selectors s ON s.media = i.sha256 AND s.country = c.country
		WHERE e.key IN (SELECT key FROM scope) AND i.status <> 'known-good' AND (? OR 1)
		UNION ALL SELECT s.kind || ':' || s.value, '', '', i.exhibit_key, i.path, ` + rankedPath + ` AS place, i.modified_s
		FROM item_selectors s JOIN items i ON i.exhibit_key = s.exhibit_key AND i.path = s.path WHERE s.exhibit_key IN (SELECT key FROM scope)`,
}

// rankedPath is a path behind a digit, so that the least one is what is told first
// ([semblance.ItemDetails.Rank]).
const rankedPath = `CASE WHEN json_extract(i.details, '$.carved') THEN 2 WHEN json_extract(i.details, '$.deleted') THEN 1 ELSE 0 END || i.path`

// linkTraces are the kinds that are kept as traces, by their names there.
var linkTraces = []semblance.LinkKind{semblance.LinkSerial, semblance.LinkLens, semblance.LinkImage, semblance.LinkDocument, semblance.LinkOwner}

func linkSource(kind semblance.LinkKind) (string, []any) {
	if slices.Contains(linkTraces, kind) {
		return `SELECT trim(t.maker || ' ' || t.value) AS value, '' AS label, '' AS face_of, i.exhibit_key, i.path, ` + rankedPath + ` AS place, i.modified_s
			FROM traces t JOIN items i ON i.sha256 = t.media WHERE i.exhibit_key IN (SELECT key FROM scope) AND i.status <> 'known-good' AND (? OR 1) AND t.kind = ?`, []any{string(kind)}
	}
	return linkSources[kind], nil
}

// LinkRows implements [semblance.LinkStore].
func (s *Store) LinkRows(ctx context.Context, cases []semblance.CaseID, kind semblance.LinkKind, allFiles bool) (list []semblance.LinkRow, err error) {
	source, more := linkSource(kind)
	if source == "" { // no link is only ever the answer of a query that ran
		return nil, semblance.Errorf(semblance.Internal, "nothing is kept of links by %q", string(kind))
	}
	err = s.read(ctx, "look for what exhibits share", func(tx *sql.Tx) error {
		scope, args := linkScope(cases)
		args = append(append(args, allFiles), more...)
		rows, err := tx.QueryContext(ctx, `WITH scope AS (`+scope+`), had AS (`+source+`),
			each_one AS MATERIALIZED (SELECT value, max(label) AS label, group_concat(DISTINCT face_of ORDER BY face_of) AS faces_of, exhibit_key, count(DISTINCT path) AS items, min(place) AS place, min(CASE WHEN modified_s > `+unknownTime+` THEN modified_s END) AS at
				FROM had GROUP BY value, exhibit_key)
			SELECT x.value, x.label, x.faces_of, c.number, c.country, e.label, x.items, x.place, x.at FROM each_one x
			JOIN exhibits e ON e.key = x.exhibit_key JOIN cases c ON c.key = e.case_key
			WHERE x.value IN (SELECT value FROM each_one GROUP BY value HAVING count(*) > 1) ORDER BY x.value, c.number, e.label`, args...)
		if err != nil {
			return err
		}
		list, err = collect(rows, func(scan scanner) (r semblance.LinkRow, err error) {
			r.Kind = kind
			err = scanLinked(scan, &r.LinkedExhibit, &r.Value, &r.Label, &r.Media)
			if r.Label == "" {
				r.Label = r.Place()
			}
			return r, err
		})
		return err
	})
	return list, err
}

// unknownTime is what the zero time is stored as.
const unknownTime = `-62135596800`

func scanLinked(scan scanner, x *semblance.LinkedExhibit, before ...any) error {
	var at sql.Null[int64]
	var place string
	err := scan(append(before, &x.Case, &x.Country, &x.Exhibit, &x.Items, &place, &at)...)
	if err == nil {
		x.Path, x.Deleted, x.Carved = place[1:], place[0] > '0', place[0] > '1'
	}
	if at.Valid {
		t := time.Unix(at.V, 0).UTC()
		x.Time = &t
	}
	return err
}

// linkScope selects the exhibits of cases.
func linkScope(cases []semblance.CaseID) (string, []any) {
	args := make([]any, len(cases))
	for i, c := range cases {
		args[i] = c
	}
	return `SELECT e.key FROM exhibits e JOIN cases c ON c.key = e.case_key WHERE c.id IN (` + strings.TrimSuffix(strings.Repeat("?,", len(cases)), ",") + `)`, args
}

// LinkHashes implements [semblance.LinkStore].
func (s *Store) LinkHashes(ctx context.Context, cases []semblance.CaseID, quality int) (list []semblance.LinkHash, err error) {
	err = s.read(ctx, "read the hashes of cases", func(tx *sql.Tx) error {
		scope, args := linkScope(cases)
		rows, err := tx.QueryContext(ctx, `WITH scope AS (`+scope+`)
			SELECT s.media, s.frame, s.value FROM signals s
			WHERE s.algorithm = ? AND s.quality >= ? AND s.media IN (SELECT i.sha256 FROM items i WHERE i.exhibit_key IN (SELECT key FROM scope) AND i.status <> 'known-good')
			ORDER BY s.media, s.frame`, append(args, hashing.AlgorithmPDQ, quality)...)
		if err != nil {
			return err
		}
		list, err = collect(rows, func(scan scanner) (h semblance.LinkHash, err error) {
			err = scan(fixed(h.Media[:]), &h.Frame, fixed(h.PDQ[:]))
			return h, err
		})
		list = slices.DeleteFunc(list, func(h semblance.LinkHash) bool { return hashing.IsTrivial(hashing.AlgorithmPDQ, h.PDQ[:]) })
		return err
	})
	return list, err
}

// LinkTracks implements [semblance.LinkStore].
func (s *Store) LinkTracks(ctx context.Context, cases []semblance.CaseID) (list []semblance.LinkTrack, without int, err error) {
	err = s.read(ctx, "look for the videos of cases", func(tx *sql.Tx) error {
		scope, args := linkScope(cases)
		rows, err := tx.QueryContext(ctx, `WITH scope AS (`+scope+`)
			SELECT m.sha256, coalesce(s.algorithm, '') FROM media m LEFT JOIN signals s ON s.media = m.sha256 AND s.algorithm IN (?, ?, ?, ?)
			WHERE m.sha256 IN (SELECT i.sha256 FROM items i WHERE i.exhibit_key IN (SELECT key FROM scope) AND i.status <> 'known-good')
				AND (json_extract(m.analysis, '$.video') IS NOT NULL OR m.analysis IS NULL AND m.reason LIKE 'this is a video (%')
			ORDER BY m.sha256, s.algorithm`, append(args, hashing.AlgorithmVPDQ, hashing.AlgorithmVPDQKeyframes, hashing.AlgorithmVPDQUpright, hashing.AlgorithmVPDQMirrored)...)
		if err != nil {
			return err
		}
		return each(rows, func(scan scanner) error {
			var t semblance.LinkTrack
			if err := scan(fixed(t.Media[:]), &t.Algorithm); err != nil {
				return err
			}
			if t.Algorithm == "" {
				without++
				return nil
			}
			list = append(list, t)
			return nil
		})
	})
	return list, without, err
}

// LinkFrames implements [semblance.LinkStore].
func (s *Store) LinkFrames(ctx context.Context, tracks []semblance.LinkTrack) ([][]byte, error) {
	list := make([][]byte, len(tracks))
	err := s.read(ctx, "read the signals of videos", func(tx *sql.Tx) error {
		q, err := tx.PrepareContext(ctx, `SELECT value FROM signals WHERE media = ? AND algorithm = ?`)
		if err != nil {
			return err
		}
		defer q.Close()
		for i, t := range tracks {
			if err := q.QueryRowContext(ctx, t.Media[:], t.Algorithm).Scan(&list[i]); err != nil && !errors.Is(err, sql.ErrNoRows) {
				return err
			}
		}
		return nil
	})
	return list, err
}

// LinkPlaces implements [semblance.LinkStore].
func (s *Store) LinkPlaces(ctx context.Context, cases []semblance.CaseID, media []semblance.SHA256) (map[semblance.SHA256][]semblance.LinkedExhibit, error) {
	places := map[semblance.SHA256][]semblance.LinkedExhibit{}
	err := s.read(ctx, "look where media are", func(tx *sql.Tx) error {
		for part := range slices.Chunk(media, chunk) {
			scope, args := linkScope(cases)
			for _, m := range part {
				args = append(args, slices.Clone(m[:]))
			}
			rows, err := tx.QueryContext(ctx, `WITH scope AS (`+scope+`)
				SELECT lower(hex(i.sha256)), c.number, c.country, e.label, count(*), min(`+rankedPath+`), min(CASE WHEN i.modified_s > `+unknownTime+` THEN i.modified_s END)
				FROM items i JOIN exhibits e ON e.key = i.exhibit_key JOIN cases c ON c.key = e.case_key
				WHERE i.exhibit_key IN (SELECT key FROM scope) AND i.status <> 'known-good' AND i.sha256 IN (`+strings.TrimSuffix(strings.Repeat("?,", len(part)), ",")+`)
				GROUP BY i.sha256, i.exhibit_key ORDER BY c.number, e.label`, args...)
			if err != nil {
				return err
			}
			err = each(rows, func(scan scanner) error {
				var x semblance.LinkedExhibit
				var text string
				if err := scanLinked(scan, &x, &text); err != nil {
					return err
				}
				var sum semblance.SHA256
				if _, err := hex.Decode(sum[:], []byte(text)); err != nil {
					return err
				}
				places[sum] = append(places[sum], x)
				return nil
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	return places, err
}

// LinkTurned implements [semblance.LinkStore].
func (s *Store) LinkTurned(ctx context.Context, hashes []semblance.LinkHash) ([]*[8]hashing.PDQ, error) {
	list := make([]*[8]hashing.PDQ, len(hashes))
	err := s.read(ctx, "read the hashes of turned pictures", func(tx *sql.Tx) error {
		q, err := tx.PrepareContext(ctx, `SELECT turned FROM signals WHERE media = ? AND algorithm = ? AND frame = ?`)
		if err != nil {
			return err
		}
		defer q.Close()
		for i, h := range hashes {
			var b []byte
			if err := q.QueryRowContext(ctx, h.Media[:], hashing.AlgorithmPDQ, h.Frame).Scan(&b); err != nil && !errors.Is(err, sql.ErrNoRows) {
				return err
			}
			if b != nil {
				turned := bytesTurned(b)
				list[i] = &turned
			}
		}
		return nil
	})
	return list, err
}

// LinkScope implements [semblance.LinkStore].
func (s *Store) LinkScope(ctx context.Context, cases []semblance.CaseID) (exhibits int, unfinished []string, err error) {
	err = s.read(ctx, "count the exhibits", func(tx *sql.Tx) error {
		scope, args := linkScope(cases)
		rows, err := tx.QueryContext(ctx, `WITH scope AS (`+scope+`)
			SELECT c.number || ' ' || e.label, e.unfinished FROM exhibits e JOIN cases c ON c.key = e.case_key WHERE e.key IN (SELECT key FROM scope) ORDER BY c.number, e.label`, args...)
		if err != nil {
			return err
		}
		return each(rows, func(scan scanner) error {
			var name string
			var open bool
			if err := scan(&name, &open); err != nil {
				return err
			}
			if exhibits++; open {
				unfinished = append(unfinished, name)
			}
			return nil
		})
	})
	return exhibits, unfinished, err
}
