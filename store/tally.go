package store

import (
	"context"
	"database/sql"
	"strconv"

	"semblance"
)

// Tally counts what is recorded of an exhibit: each finding once for every item it
// is about, media and faces once for each content. Where several engines looked at
// a media, the faces are those of the engine that found most.
func (s *Store) Tally(ctx context.Context, id semblance.CaseID, exhibit semblance.ExhibitID) (semblance.Tally, error) {
	var t semblance.Tally
	err := s.read(ctx, "count the items", func(tx *sql.Tx) error {
		key, of, err := exhibitKey(ctx, tx, exhibit)
		if err != nil {
			return err
		}
		if c, err := caseKey(ctx, tx, id); err != nil {
			return err
		} else if c != of {
			return semblance.Errorf(semblance.Invalid, "the exhibit belongs to another case")
		}
		if err := tallyItems(ctx, tx, key, &t); err != nil {
			return err
		}
		if err := tallyFaces(ctx, tx, key, &t); err != nil {
			return err
		}
		if err := tallyFindings(ctx, tx, key, of, exhibit, &t); err != nil {
			return err
		}
		if err := tallySelectors(ctx, tx, key, &t); err != nil {
			return err
		}
		t.Floods, err = floods(ctx, tx, key, of, t.Media)
		return err
	})
	return t, err
}

// isFirst asks whether item i is the first of its exhibit that has its content. So contents
// are counted without a table of all of them in memory, as DISTINCT makes one. content is
// the column of it that is known last, or SQLite asks before it is needed.
func isFirst(content string) string {
	return ` NOT EXISTS (SELECT 1 FROM items earlier WHERE earlier.sha256 = ` + content + ` AND earlier.exhibit_key = i.exhibit_key AND earlier.path < i.path)`
}

// ofExhibit asks whether a finding is about the content of an exhibit.
const ofExhibit = ` EXISTS (SELECT 1 FROM items i WHERE i.sha256 = f.media AND i.exhibit_key = ?)`

// What is asked about every item of an exhibit.
var (
	countItems = `SELECT count(*), count(CASE WHEN i.sha256 IS NOT NULL AND` + isFirst(`i.sha256`) + ` THEN 1 END), count(CASE WHEN i.status = ? THEN 1 END)
		FROM items i WHERE i.exhibit_key = ?`
	countPartial = `SELECT count(*) FROM items i CROSS JOIN media m ON m.sha256 = i.sha256 WHERE i.exhibit_key = ? AND m.partial = 1 AND` + isFirst(`m.sha256`)
	countFaces   = `SELECT f.media, count(*), count(CASE WHEN f.quality < ? THEN 1 END)
		FROM items i CROSS JOIN faces f ON f.media = i.sha256 WHERE i.exhibit_key = ? AND` + isFirst(`f.media`) + `
		GROUP BY i.path, f.engine ORDER BY i.path, f.engine`
	countTexts = `SELECT count(*) FROM exhibits e CROSS JOIN cases c ON c.key = e.case_key CROSS JOIN items i ON i.exhibit_key = e.key
		CROSS JOIN selector_sets t ON t.media = i.sha256 AND t.country = c.country WHERE e.key = ? AND t.encoding <> '' AND` + isFirst(`t.media`)
)

func tallyItems(ctx context.Context, tx *sql.Tx, exhibitKey int64, t *semblance.Tally) error {
	err := tx.QueryRowContext(ctx, countItems, semblance.ItemFailed, exhibitKey).Scan(&t.Items, &t.Media, &t.Failed)
	if err != nil {
		return err
	}
	return tx.QueryRowContext(ctx, countPartial, exhibitKey).Scan(&t.Partial)
}

func tallyFaces(ctx context.Context, tx *sql.Tx, exhibitKey int64, t *semblance.Tally) error {
	rows, err := tx.QueryContext(ctx, countFaces, semblance.MinSearchableQuality, exhibitKey)
	if err != nil {
		return err
	}
	var current semblance.SHA256
	var most, poorOfMost int64
	err = each(rows, func(scan scanner) error {
		var sum semblance.SHA256
		var faces, poor int64
		if err := scan(fixed(sum[:]), &faces, &poor); err != nil {
			return err
		}
		if sum != current {
			t.Faces, t.FacesPoor = t.Faces+most, t.FacesPoor+poorOfMost
			current, most, poorOfMost = sum, 0, 0
		}
		if faces > most {
			most, poorOfMost = faces, poor
		}
		return nil
	})
	t.Faces, t.FacesPoor = t.Faces+most, t.FacesPoor+poorOfMost
	return err
}

// What is asked about the findings of every item of an exhibit. A hit in the name of an
// item is about that one alone.
var (
	aboutItem     = ` (f.kind <> '` + string(KindHit) + `' OR f.other IN ('', ? || i.path))`
	countFindings = `SELECT f.kind, f.collection, count(*), sum(f.weak) FROM items i JOIN findings f ON f.case_key = ? AND f.media = i.sha256
		WHERE i.exhibit_key = ? AND` + aboutItem + ` GROUP BY f.collection, f.kind ORDER BY f.collection, f.kind`
	// Of each content that the exhibit has the first finding of a kind, by the first item alone.
	countFound = `SELECT f.kind, count(*) FROM items i CROSS JOIN findings f ON f.case_key = ? AND f.media = i.sha256
		WHERE i.exhibit_key = ? AND` + isFirst(`f.media`) + ` AND` + aboutAny(`f`) + ` AND NOT EXISTS (
			SELECT 1 FROM findings o WHERE o.case_key = f.case_key AND o.media = f.media AND o.kind = f.kind
			AND (o.collection, o.other, o.position) < (f.collection, f.other, f.position) AND` + aboutAny(`o`) + `)
		GROUP BY f.kind`
)

// aboutAny asks whether a finding in a content of the exhibit of item i is about any of its
// items: a hit in a name is when that item is there.
func aboutAny(f string) string {
	return ` (` + f + `.kind <> '` + string(KindHit) + `' OR ` + f + `.other = '' OR EXISTS (SELECT 1 FROM items named
		WHERE named.exhibit_key = i.exhibit_key AND named.path = substr(` + f + `.other, instr(` + f + `.other, ':') + 1) AND named.sha256 = ` + f + `.media AND ` + f + `.other = ? || named.path))`
}

func tallyFindings(ctx context.Context, tx *sql.Tx, exhibitKey, caseKey int64, exhibit semblance.ExhibitID, t *semblance.Tally) error {
	name := itemKey(exhibit, "")
	rows, err := tx.QueryContext(ctx, countFindings, caseKey, exhibitKey, name)
	if err != nil {
		return err
	}
	err = each(rows, func(scan scanner) error {
		var kind FindingKind
		var collection string
		var n, weak int64
		if err := scan(&kind, &collection, &n, &weak); err != nil || kind == KindKnownGood {
			return err
		}
		if last := len(t.Collections); last == 0 || t.Collections[last-1].Collection != collection {
			t.Collections = append(t.Collections, semblance.CollectionTally{Collection: collection})
		}
		in := &t.Collections[len(t.Collections)-1]
		switch kind {
		case KindHit:
			in.Hits, t.Hits, t.WeakHits = n, t.Hits+n, t.WeakHits+weak
		case KindNearMatch:
			in.NearMatches, t.NearMatches = n, t.NearMatches+n
		case KindCandidate:
			in.Candidates, t.Candidates = n, t.Candidates+n
		case KindContradiction:
			in.Contradictions, t.Contradictions = n, t.Contradictions+n
		}
		return nil
	})
	if err != nil {
		return err
	}
	if rows, err = tx.QueryContext(ctx, countFound, caseKey, exhibitKey, name, name); err != nil {
		return err
	}
	return each(rows, func(scan scanner) error {
		var kind FindingKind
		var n int64
		if err := scan(&kind, &n); err != nil {
			return err
		}
		switch kind {
		case KindHit:
			t.HitMedia = n
		case KindNearMatch:
			t.NearMatchMedia = n
		case KindCandidate:
			t.CandidateMedia = n
		}
		return nil
	})
}

// mostFloods is how many flooding entries are named.
const mostFloods = 100

// floods lists the collections and then the entries that are near an absurd share of
// the media of an exhibit, the worst first, and then the selectors that are in as many.
func floods(ctx context.Context, tx *sql.Tx, exhibitKey, caseKey, media int64) ([]semblance.Flood, error) {
	const near = ` FROM findings f WHERE f.case_key = ? AND f.kind = ? AND` + ofExhibit + ` `
	var out []semblance.Flood
	for i, query := range []string{
		`SELECT f.collection, 0, count(DISTINCT f.media) AS n` + near + `GROUP BY f.collection ORDER BY n DESC, 1`,
		`SELECT f.collection, json_extract(f.data, '$.entry') AS entry, count(DISTINCT f.media) AS n` + near +
			`GROUP BY f.collection, entry HAVING entry IS NOT NULL AND n >= ` + strconv.Itoa(semblance.LeastFlood) + ` ORDER BY n DESC, 1, 2 LIMIT ` + strconv.Itoa(mostFloods),
		`SELECT f.collection, json_extract(f.data, '$.entry') AS entry, count(DISTINCT f.media) AS n` + near + `AND json_extract(f.data, '$.place') IS NOT NULL GROUP BY f.collection, entry
			HAVING entry IS NOT NULL AND n >= ` + strconv.Itoa(semblance.LeastFlood) + ` ORDER BY n DESC, 1, 2 LIMIT ` + strconv.Itoa(mostFloods),
	} {
		selectors := i == 2
		kind := KindNearMatch
		if selectors {
			kind = KindHit
		}
		rows, err := tx.QueryContext(ctx, query, caseKey, kind, exhibitKey)
		if err != nil {
			return nil, err
		}
		err = each(rows, func(scan scanner) error {
			f := semblance.Flood{Of: media, Selector: selectors}
			err := scan(&f.Collection, &f.Entry, &f.Media)
			if err == nil && f.Floods() {
				out = append(out, f)
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}
