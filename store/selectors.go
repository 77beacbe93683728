package store

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"semblance"
	"semblance/hashing"
	"semblance/selector"
)

var _ semblance.SelectorStore = (*Store)(nil)

// selectorSets replaces the sets of the countries that a has.
func (c *commit) selectorSets(sum []byte, a *semblance.Analysis) error {
	for i := range a.SelectorSets {
		s := &a.SelectorSets[i]
		for _, table := range []string{"media_selectors", "selector_sets"} {
			if err := c.run(`DELETE FROM `+table+` WHERE media = ? AND country = ?`, sum, s.Country); err != nil {
				return err
			}
		}
		err := c.run(`INSERT INTO selector_sets (media, country, version, documents, encoding, bytes, dropped) VALUES (?, ?, ?, ?, ?, ?, ?)`,
			sum, s.Country, s.Version, s.Documents, s.Encoding, s.Read, s.Dropped)
		for k := 0; k < len(s.Selectors) && err == nil; k++ {
			x := &s.Selectors[k]
			err = c.run(`INSERT INTO media_selectors (media, country, position, kind, value, raw, verified, place, count) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
				sum, s.Country, k, x.Kind, x.Value, x.Raw, x.Verified, x.Place, x.Count)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// name replaces what is known of an item's name, and the hits in it in the plan's
// collections. Those of an item that has other content now are of the other content.
func (c *commit) name(i *semblance.Item, n *semblance.NameExamination, known bool) error {
	if known {
		if err := c.forgetName(i); err != nil {
			return err
		}
	}
	for _, s := range n.Selectors {
		if err := c.run(`INSERT INTO item_selectors (exhibit_key, path, kind, value, raw, verified) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
			c.exhibitKey, i.Path, s.Kind, s.Value, s.Raw, s.Verified); err != nil {
			return err
		}
	}
	if i.SHA256 == nil {
		return nil
	}
	key := itemKey(c.exhibit, i.Path)
	for k, h := range n.Hits {
		h.Exhibit, h.Item = c.exhibit, i.Path
		if err := c.finding(*i.SHA256, k, finding{kind: KindHit, collection: h.Collection, other: key, value: h}); err != nil {
			return err
		}
	}
	return nil
}

func (c *commit) forgetName(i *semblance.Item) error {
	if err := c.run(`DELETE FROM item_selectors WHERE exhibit_key = ? AND path = ?`, c.exhibitKey, i.Path); err != nil || i.SHA256 == nil {
		return err
	}
	for _, name := range c.collections {
		if err := c.run(`DELETE FROM findings WHERE case_key = ? AND media = ? AND kind = ? AND collection = ? AND other = ?`,
			c.caseKey, i.SHA256[:], KindHit, name, itemKey(c.exhibit, i.Path)); err != nil {
			return err
		}
	}
	return nil
}

// moved forgets the hits in the name of an item that is about to get other content than
// it had before.
func (c *commit) moved(i *semblance.Item, before []byte) error {
	if before == nil || i.SHA256 != nil && bytes.Equal(before, i.SHA256[:]) {
		return nil
	}
	return c.run(`DELETE FROM findings WHERE case_key = ? AND kind = ? AND other = ? AND media = ?`, c.caseKey, KindHit, itemKey(c.exhibit, i.Path), before)
}

// itemKey names an item in the column `other` of a finding that is about its name. No
// name of a collection has a colon.
func itemKey(exhibit semblance.ExhibitID, path string) string { return string(exhibit) + ":" + path }

func (l *mediaLoader) selectorSetRow(scan scanner) error {
	var sum semblance.SHA256
	set := semblance.SelectorSet{Selectors: []semblance.MediaSelector{}}
	if err := scan(fixed(sum[:]), &set.Country, &set.Version, &set.Documents, &set.Encoding, &set.Read, &set.Dropped); err != nil {
		return err
	}
	a := l.analysis(sum)
	a.SelectorSets = append(a.SelectorSets, set)
	return nil
}

func (l *mediaLoader) selectorRow(scan scanner) error {
	var sum semblance.SHA256
	var country string
	var s semblance.MediaSelector
	if err := scan(fixed(sum[:]), &country, &s.Kind, &s.Value, &s.Raw, &s.Verified, &s.Place, &s.Count); err != nil {
		return err
	}
	a := l.analysis(sum)
	i := slices.IndexFunc(a.SelectorSets, func(s semblance.SelectorSet) bool { return s.Country == country })
	if i < 0 {
		return fmt.Errorf("a selector of no set")
	}
	a.SelectorSets[i].Selectors = append(a.SelectorSets[i].Selectors, s)
	return nil
}

// SelectorEntries implements [semblance.SelectorStore].
func (s *Store) SelectorEntries(ctx context.Context, cols []semblance.CollectionID, a hashing.Algorithm, values []string) (list []semblance.HashEntry, err error) {
	err = s.read(ctx, "look up selectors", func(tx *sql.Tx) error {
		for _, c := range cols {
			key, err := collectionKey(ctx, tx, c)
			if err != nil {
				return err
			}
			for part := range slices.Chunk(values, chunk) {
				args := []any{key, a}
				for _, v := range part {
					args = append(args, []byte(v))
				}
				rows, err := tx.QueryContext(ctx, selectEntry+`WHERE h.collection_key = ? AND h.algorithm = ? AND h.value IN (`+marks(len(part))+`) ORDER BY +h.id`, args...)
				if err != nil {
					return err
				}
				got, err := collect(rows, scanEntry)
				if err != nil {
					return err
				}
				list = append(list, got...)
			}
		}
		return nil
	})
	return list, err
}

// found selects the selectors of a case's items: in their content, as it was read for
// the country of the case, and in their names.
const found = `SELECT s.kind, s.value, s.raw, s.verified, s.count AS times, i.exhibit_key, e.label, i.path, s.media FROM exhibits e JOIN cases c ON c.key = e.case_key JOIN items i ON i.exhibit_key = e.key
		JOIN media_selectors s ON s.media = i.sha256 AND s.country = c.country WHERE %[1]s
	UNION ALL SELECT s.kind, s.value, s.raw, s.verified, 1, s.exhibit_key, e.label, s.path, i.sha256 FROM exhibits e JOIN item_selectors s ON s.exhibit_key = e.key
		JOIN items i ON i.exhibit_key = s.exhibit_key AND i.path = s.path WHERE %[1]s`

// CaseSelectors implements [semblance.SelectorStore].
func (s *Store) CaseSelectors(ctx context.Context, id semblance.CaseID, f semblance.SelectorFilter) (list []semblance.CaseSelector, total int, err error) {
	list = []semblance.CaseSelector{}
	err = s.eachSelector(ctx, id, f, func(x semblance.CaseSelector, of int) error {
		list, total = append(list, x), of
		return nil
	})
	return list, total, err
}

// EachCaseSelector calls do for every selector of a case, in the order of CaseSelectors.
func (s *Store) EachCaseSelector(ctx context.Context, id semblance.CaseID, do func(semblance.CaseSelector) error) error {
	return s.eachSelector(ctx, id, semblance.SelectorFilter{Limit: math.MaxInt32}, func(x semblance.CaseSelector, _ int) error { return calledBack(do(x)) })
}

// unitSeparator stands between the label of an exhibit and a path, so that the least of
// them is the first place.
const unitSeparator = "\x1f"

func (s *Store) eachSelector(ctx context.Context, id semblance.CaseID, f semblance.SelectorFilter, do func(x semblance.CaseSelector, total int) error) error {
	if f.Limit <= 0 {
		f.Limit = 1000
	}
	return s.read(ctx, "list the selectors", func(tx *sql.Tx) error {
		key, err := caseKey(ctx, tx, id)
		if err != nil {
			return err
		}
		labels, err := exhibitLabels(ctx, tx, key)
		if err != nil {
			return err
		}
		hits, err := selectorHits(ctx, tx, key)
		if err != nil {
			return err
		}
		where, args := `e.case_key = ?`, []any{key}
		if f.Kind != "" {
			where, args = where+` AND s.kind = ?`, append(args, f.Kind)
		}
		if f.Value != "" {
			where, args = where+` AND s.value = ?`, append(args, f.Value)
		}
		if f.Exhibit != "" {
			if !slices.Contains(slices.Collect(maps.Values(labels)), f.Exhibit) {
				return semblance.Errorf(semblance.NotFound, "the case has no exhibit %q", f.Exhibit).WithHint("Labels are written as they were given to the scan: %s.", strings.Join(slices.Sorted(maps.Values(labels)), ", "))
			}
			where, args = where+` AND e.label = ?`, append(args, f.Exhibit)
		}
		args = append(slices.Clone(args), args...)
		rows, err := tx.QueryContext(ctx, `SELECT kind, value, min(raw), max(verified), sum(times), group_concat(DISTINCT exhibit_key), count(DISTINCT media), count(DISTINCT exhibit_key || '/' || path),
				min(label || char(31) || path), count(*) OVER ()
			FROM (`+fmt.Sprintf(found, where)+`) GROUP BY kind, value HAVING count(DISTINCT exhibit_key) >= ?
			ORDER BY count(DISTINCT exhibit_key) DESC, count(DISTINCT media), kind, value LIMIT ? OFFSET ?`, append(args, f.Exhibits, f.Limit, f.After)...)
		if err != nil {
			return err
		}
		return each(rows, func(scan scanner) error {
			var x semblance.CaseSelector
			var of, first string
			var total int
			if err := scan(&x.Kind, &x.Value, &x.Raw, &x.Verified, &x.Count, &of, &x.Media, &x.Items, &first, &total); err != nil {
				return err
			}
			x.Exhibit, x.Path, _ = strings.Cut(first, unitSeparator)
			for k := range strings.SplitSeq(of, ",") {
				x.Exhibits = append(x.Exhibits, labels[k])
			}
			slices.Sort(x.Exhibits)
			x.Collections = append([]string{}, hits[selector.Selector{Kind: x.Kind, Value: x.Value}]...)
			return do(x, total)
		})
	})
}

// selectorHits are the collections in which the selectors of a case have hits.
func selectorHits(ctx context.Context, tx *sql.Tx, caseKey int64) (map[selector.Selector][]string, error) {
	rows, err := tx.QueryContext(ctx, `SELECT DISTINCT json_extract(data, '$.algorithm'), json_extract(data, '$.value'), collection FROM findings
		WHERE case_key = ? AND kind = ? AND json_extract(data, '$.algorithm') LIKE 'selector/%' ORDER BY collection`, caseKey, KindHit)
	if err != nil {
		return nil, err
	}
	hits := map[selector.Selector][]string{}
	return hits, each(rows, func(scan scanner) error {
		var algorithm, value, collection string
		if err := scan(&algorithm, &value, &collection); err != nil {
			return err
		}
		kind, _ := semblance.SelectorKind(hashing.Algorithm(algorithm))
		key := selector.Selector{Kind: kind, Value: value}
		if !slices.Contains(hits[key], collection) { // found by two versions of the rules
			hits[key] = append(hits[key], collection)
		}
		return nil
	})
}

// exhibitLabels are the labels of a case's exhibits by their internal keys.
func exhibitLabels(ctx context.Context, tx *sql.Tx, caseKey int64) (map[string]string, error) {
	rows, err := tx.QueryContext(ctx, `SELECT key, label FROM exhibits WHERE case_key = ?`, caseKey)
	if err != nil {
		return nil, err
	}
	labels := map[string]string{}
	return labels, each(rows, func(scan scanner) error {
		var key int64
		var label string
		err := scan(&key, &label)
		labels[strconv.FormatInt(key, 10)] = label
		return err
	})
}

// tallySelectors counts the texts of an exhibit and its different selectors.
func tallySelectors(ctx context.Context, tx *sql.Tx, exhibitKey int64, t *semblance.Tally) error {
	err := tx.QueryRowContext(ctx, countTexts, exhibitKey).Scan(&t.Texts)
	if err != nil {
		return err
	}
	return tx.QueryRowContext(ctx, `SELECT count(*) FROM (SELECT DISTINCT kind, value FROM (`+fmt.Sprintf(found, `e.key = ?`)+`))`, exhibitKey, exhibitKey).Scan(&t.Selectors)
}

// selectors adds the media that have one of the new selectors of a collection, in their
// content or in the name of an item.
func (a *affectedReader) selectors(d semblance.DueCollection) error {
	key, err := collectionKey(a.ctx, a.tx, d.ID)
	if err != nil {
		return err
	}
	for _, kind := range selector.Kinds() {
		for _, query := range []string{
			`SELECT k.seq FROM hash_entries h CROSS JOIN media_selectors s ON s.kind = ? AND s.value = CAST(h.value AS TEXT) CROSS JOIN media k ON k.sha256 = s.media`,
			`SELECT k.seq FROM hash_entries h CROSS JOIN item_selectors s ON s.kind = ? AND s.value = CAST(h.value AS TEXT)
				CROSS JOIN items i ON i.exhibit_key = s.exhibit_key AND i.path = s.path CROSS JOIN media k ON k.sha256 = i.sha256`,
		} {
			if err := a.add(query+` WHERE h.collection_key = ? AND h.algorithm = ? AND h.id > ? AND h.id <= ?`,
				kind, key, semblance.SelectorAlgorithm(kind), d.After.Entry, d.Through.Entry); err != nil {
				return err
			}
		}
	}
	return nil
}

// names reads the selectors in the names of a media's items, by the key of their case.
func (r *comparedReader) names(media semblance.SHA256) (map[int64][]semblance.NamedItem, error) {
	rows, err := r.tx.QueryContext(r.ctx, `SELECT e.case_key, e.id, s.path, s.kind, s.value, s.raw, s.verified FROM items i JOIN item_selectors s ON s.exhibit_key = i.exhibit_key AND s.path = i.path
		JOIN exhibits e ON e.key = i.exhibit_key WHERE i.sha256 = ? ORDER BY e.key, s.path, s.kind, s.value`, media[:])
	if err != nil {
		return nil, err
	}
	out := map[int64][]semblance.NamedItem{}
	return out, each(rows, func(scan scanner) error {
		var key int64
		var n semblance.NamedItem
		var s selector.Selector
		if err := scan(&key, &n.Exhibit, &n.Path, &s.Kind, &s.Value, &s.Raw, &s.Verified); err != nil {
			return err
		}
		list := out[key]
		if k := len(list) - 1; k < 0 || list[k].Exhibit != n.Exhibit || list[k].Path != n.Path {
			list = append(list, n)
		}
		k := len(list) - 1
		list[k].Selectors = append(list[k].Selectors, s)
		out[key] = list
		return nil
	})
}
