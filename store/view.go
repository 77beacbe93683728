package store

import (
	"context"
	"database/sql"
	"slices"

	"semblance"
)

// An ItemView is an item with all that is known of it in a case. Media and
// Findings can be shared by views of the same media; they are not to be changed.
type ItemView struct {
	Exhibit  semblance.Exhibit
	Item     semblance.Item
	Media    *semblance.Media    // without embeddings, crops and thumbnail; nil when the file could not be read
	Findings *semblance.Findings // nil when there are none
}

// EachItem calls f for every item of a case, by exhibit label and then by path in
// byte order, until f returns an error, which it returns. What f sees is one
// state: changes made meanwhile do not show. f may use the Store.
func (s *Store) EachItem(ctx context.Context, id semblance.CaseID, f func(ItemView) error) error {
	return s.read(ctx, "read the items", func(tx *sql.Tx) error {
		key, err := caseKey(ctx, tx, id)
		if err != nil {
			return err
		}
		list, err := exhibits(ctx, tx, id)
		if err != nil {
			return err
		}
		for _, e := range list {
			v := viewer{tx: tx, caseKey: key, exhibit: e}
			if err := v.each(ctx, f); err != nil {
				return err
			}
		}
		return nil
	})
}

// A viewer goes through one exhibit page by page, so that media and findings are
// loaded by a few statements for many items.
type viewer struct {
	tx      *sql.Tx
	caseKey int64
	exhibit semblance.Exhibit
}

func (v viewer) each(ctx context.Context, f func(ItemView) error) error {
	key, _, err := exhibitKey(ctx, v.tx, v.exhibit.ID)
	if err != nil {
		return err
	}
	first, after := true, ""
	for {
		rows, err := v.tx.QueryContext(ctx, `SELECT `+itemColumns+` FROM items i
			WHERE i.exhibit_key = ? AND (? OR i.path > ?) ORDER BY i.path LIMIT ?`, key, first, after, chunk)
		if err != nil {
			return err
		}
		page, err := collect(rows, func(scan scanner) (semblance.Item, error) {
			d := itemDest{item: semblance.Item{Exhibit: v.exhibit.ID}}
			if err := scan(d.columns()...); err != nil {
				return semblance.Item{}, err
			}
			return d.done()
		})
		if err != nil || len(page) == 0 {
			return err
		}
		if err := v.page(ctx, page, f); err != nil {
			return err
		}
		first, after = false, page[len(page)-1].Path
	}
}

func (v viewer) page(ctx context.Context, items []semblance.Item, f func(ItemView) error) error {
	var digests []semblance.SHA256
	for _, i := range items {
		if i.SHA256 != nil {
			digests = append(digests, *i.SHA256)
		}
	}
	media, err := loadMedia(ctx, v.tx, digests, false)
	if err != nil {
		return err
	}
	found, err := loadFindings(ctx, v.tx, v.caseKey, digests, nil)
	if err != nil {
		return err
	}
	for _, i := range items {
		view := ItemView{Exhibit: v.exhibit, Item: i}
		if i.SHA256 != nil {
			view.Media, view.Findings = media[*i.SHA256], found[*i.SHA256].Of(v.exhibit.ID, i.Path)
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := f(view); err != nil {
			return calledBack(err)
		}
	}
	return nil
}

// A Position is a place in a case's items: after the item of that exhibit label
// and path. The zero Position is the beginning.
type Position struct {
	Exhibit string `json:"exhibit"`
	Path    string `json:"path"`
}

// A FindingFilter narrows FindingRows. Zero fields narrow nothing.
type FindingFilter struct {
	Exhibit    string        // label
	Kinds      []FindingKind // any of them; findings of other kinds are left out of the rows
	Collection string        // name; items with a finding in it, with all findings of Kinds
	After      Position      // the last row of the page before
	Limit      int           // rows; 0 means 100
}

// A FindingRow is an item with findings.
type FindingRow struct {
	Exhibit  string               `json:"exhibit"` // label
	Path     string               `json:"path"`
	Media    semblance.SHA256     `json:"media"`
	Size     int64                `json:"size"`
	Status   semblance.ItemStatus `json:"status"`
	Deleted  bool                 `json:"deleted,omitempty"` // see semblance.ItemDetails
	Carved   bool                 `json:"carved,omitempty"`
	Findings semblance.Findings   `json:"findings"`
}

// Position returns the row's place, to ask for what comes after it.
func (r FindingRow) Position() Position { return Position{Exhibit: r.Exhibit, Path: r.Path} }

// FindingRows lists the items of a case that have findings, by exhibit label and
// then by path in byte order, a page at a time. The error has code NotFound when
// there is no such case.
func (s *Store) FindingRows(ctx context.Context, id semblance.CaseID, filter FindingFilter) ([]FindingRow, error) {
	var list []FindingRow
	var exhibits []semblance.ExhibitID // of list
	err := s.read(ctx, "read the findings", func(tx *sql.Tx) error {
		key, err := caseKey(ctx, tx, id)
		if err != nil {
			return err
		}
		query, args := filter.query(key)
		rows, err := tx.QueryContext(ctx, query, args...)
		if err != nil {
			return err
		}
		list, err = collect(rows, func(scan scanner) (r FindingRow, err error) {
			var id semblance.ExhibitID
			err = scan(&id, &r.Exhibit, &r.Path, fixed(r.Media[:]), &r.Size, &r.Status, &r.Deleted, &r.Carved)
			exhibits = append(exhibits, id)
			return r, err
		})
		if err != nil {
			return err
		}
		return fillFindings(ctx, tx, key, filter.Kinds, list, exhibits)
	})
	return list, err
}

// query selects the items; their findings are loaded afterwards.
func (f FindingFilter) query(caseKey int64) (string, []any) {
	if f.Limit <= 0 {
		f.Limit = 100
	}
	kinds, kindArgs := kindCondition(f.Kinds)
	inner, args := `SELECT media FROM findings WHERE case_key = ?`+kinds+` AND NOT (kind = '`+string(KindHit)+`' AND other <> '')`, append([]any{caseKey, caseKey}, kindArgs...)
	if f.Collection != "" {
		inner += ` AND (collection = ? OR other = ?)`
		args = append(args, f.Collection, f.Collection)
	}
	where := `i.sha256 IN (` + inner + `)`
	if len(f.Kinds) == 0 || slices.Contains(f.Kinds, KindHit) { // in the name of this item
		own := `SELECT 1 FROM findings f WHERE f.case_key = ? AND f.media = i.sha256 AND f.kind = '` + string(KindHit) + `' AND f.other = e.id || ':' || i.path`
		args = append(args, caseKey)
		if f.Collection != "" {
			own += ` AND f.collection = ?`
			args = append(args, f.Collection)
		}
		where += ` OR EXISTS (` + own + `)`
	}
	where = `e.case_key = ? AND (` + where + `)`
	if f.Exhibit != "" {
		where += ` AND e.label = ?`
		args = append(args, f.Exhibit)
	}
	if f.After != (Position{}) {
		where += ` AND (e.label > ? OR (e.label = ? AND i.path > ?))`
		args = append(args, f.After.Exhibit, f.After.Exhibit, f.After.Path)
	}
	return `SELECT e.id, e.label, i.path, i.sha256, i.size, i.status, coalesce(json_extract(i.details, '$.deleted'), 0), coalesce(json_extract(i.details, '$.carved'), 0) FROM exhibits e JOIN items i ON i.exhibit_key = e.key
		WHERE ` + where + ` ORDER BY e.label, i.path LIMIT ?`, append(args, f.Limit)
}

func fillFindings(ctx context.Context, tx *sql.Tx, caseKey int64, kinds []FindingKind, list []FindingRow, of []semblance.ExhibitID) error {
	digests := make([]semblance.SHA256, len(list))
	for i := range list {
		digests[i] = list[i].Media
	}
	found, err := loadFindings(ctx, tx, caseKey, digests, kinds)
	if err != nil {
		return err
	}
	for i := range list {
		if f := found[list[i].Media].Of(of[i], list[i].Path); f != nil {
			list[i].Findings = *f
		}
	}
	return nil
}

// Findings returns what is recorded of media in a case, in order; nil where
// nothing is.
func (s *Store) Findings(ctx context.Context, id semblance.CaseID, digests ...semblance.SHA256) ([]*semblance.Findings, error) {
	list := make([]*semblance.Findings, len(digests))
	err := s.read(ctx, "read the findings", func(tx *sql.Tx) error {
		key, err := caseKey(ctx, tx, id)
		if err != nil {
			return err
		}
		found, err := loadFindings(ctx, tx, key, digests, nil)
		for i, d := range digests {
			list[i] = found[d]
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return list, nil
}
