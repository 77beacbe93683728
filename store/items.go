package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"time"

	"semblance"
)

const itemColumns = `i.path, i.size, i.modified_s, i.modified_ns, i.changed_s, i.changed_ns, i.inode, i.sha256, i.status, i.code, i.reason, i.plan, i.details`

// itemDest are the columns of an item and what makes one of them.
type itemDest struct {
	item                                            semblance.Item
	modifiedS, modifiedN, changedS, changedN, inode int64
	sha256                                          []byte
	details                                         sql.RawBytes
}

func (d *itemDest) columns() []any {
	i := &d.item
	return []any{&i.Path, &i.Size, &d.modifiedS, &d.modifiedN, &d.changedS, &d.changedN, &d.inode, &d.sha256, &i.Status, &i.Code, &i.Reason, &i.Plan, &d.details}
}

func (d *itemDest) done() (semblance.Item, error) {
	i := d.item
	i.Modified, i.Changed = time.Unix(d.modifiedS, d.modifiedN).UTC(), time.Unix(d.changedS, d.changedN).UTC()
	i.Inode = uint64(d.inode)
	if d.details != nil {
		if err := json.Unmarshal(d.details, &i.ItemDetails); err != nil {
			return i, fmt.Errorf("the details of an item: %w", err)
		}
	}
	if d.sha256 == nil {
		return i, nil
	}
	i.SHA256 = new(semblance.SHA256)
	return i, fixedBytes(i.SHA256[:]).Scan(d.sha256)
}

// Items yields the items of an exhibit in the byte order of their paths, as they
// were when the loop began. An error ends it.
func (s *Store) Items(ctx context.Context, exhibit semblance.ExhibitID) iter.Seq2[semblance.Item, error] {
	return func(yield func(semblance.Item, error) bool) {
		for item, err := range s.items(ctx, exhibit) {
			if !yield(item, s.fail(ctx, "read the items", err)) || err != nil {
				return
			}
		}
	}
}

func (s *Store) items(ctx context.Context, exhibit semblance.ExhibitID) iter.Seq2[semblance.Item, error] {
	return func(yield func(semblance.Item, error) bool) {
		key, _, err := exhibitKey(ctx, s.reader, exhibit)
		if err != nil {
			yield(semblance.Item{}, err)
			return
		}
		rows, err := s.reader.QueryContext(ctx, `SELECT `+itemColumns+` FROM items i WHERE i.exhibit_key = ? ORDER BY i.path`, key)
		if err != nil {
			yield(semblance.Item{}, err)
			return
		}
		defer rows.Close()
		for rows.Next() {
			d := itemDest{item: semblance.Item{Exhibit: exhibit}}
			err := rows.Scan(d.columns()...)
			item, bad := d.done()
			if err == nil {
				err = bad
			}
			if !yield(item, err) {
				return
			}
		}
		if err := rows.Err(); err != nil {
			yield(semblance.Item{}, err)
		}
	}
}

// ItemCount counts the items recorded of an exhibit.
func (s *Store) ItemCount(ctx context.Context, exhibit semblance.ExhibitID) (n int64, err error) {
	key, _, err := exhibitKey(ctx, s.reader, exhibit)
	if err == nil {
		err = s.reader.QueryRowContext(ctx, `SELECT count(*) FROM items WHERE exhibit_key = ?`, key).Scan(&n)
	}
	return n, s.fail(ctx, "count the items", err)
}

// ItemState returns what is recorded of one item, and false when nothing is. Times outside
// the years 1678 to 2262 wrap, as time.Time.UnixNano does.
func (s *Store) ItemState(ctx context.Context, exhibit semblance.ExhibitID, path string) (m semblance.ItemState, known bool, err error) {
	err = s.ask(ctx, `SELECT size, inode, modified_s, modified_ns, changed_s, changed_ns, sha256, status, code, plan, opened
		FROM items WHERE exhibit_key = (SELECT key FROM exhibits WHERE id = ?) AND path = ?`, []any{exhibit, path}, stateDest(&m)...)
	if errors.Is(err, sql.ErrNoRows) {
		return m, false, nil
	}
	return m, err == nil, s.fail(ctx, "read what is recorded of an item", err)
}

// FirstItem returns the path of the item of an exhibit that counts as the first of its
// media, "" when none does.
func (s *Store) FirstItem(ctx context.Context, exhibit semblance.ExhibitID, sum semblance.SHA256) (path string, err error) {
	err = s.ask(ctx, `SELECT path FROM items WHERE sha256 = ? AND exhibit_key = (SELECT key FROM exhibits WHERE id = ?) AND status = ?
		ORDER BY path LIMIT 1`, []any{sum[:], exhibit, semblance.ItemNew}, &path)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return path, s.fail(ctx, "look for the first item of a media", err)
}

// stateDest are the columns of an ItemState.
func stateDest(m *semblance.ItemState) []any {
	return []any{&m.Size, unsigned{&m.Inode}, unixNano{&m.Modified, true}, unixNano{&m.Modified, false}, unixNano{&m.Changed, true}, unixNano{&m.Changed, false},
		optionalBytes(m.SHA256[:]), &m.Status, &m.Code, &m.Plan, &m.Opened}
}

// unsigned is a number that is stored as a signed one of the same bits.
type unsigned struct{ n *uint64 }

func (u unsigned) Scan(v any) error {
	n, ok := v.(int64)
	if !ok {
		return fmt.Errorf("%T is no number", v)
	}
	*u.n = uint64(n)
	return nil
}

// unixNano is a time that is stored in two columns, seconds first.
type unixNano struct {
	n       *int64
	seconds bool
}

func (u unixNano) Scan(v any) error {
	n, ok := v.(int64)
	if !ok {
		return fmt.Errorf("%T is no number", v)
	}
	if u.seconds {
		*u.n = n * int64(time.Second)
	} else {
		*u.n += n
	}
	return nil
}

// optionalBytes are as many bytes as there is room for, or NULL.
type optionalBytes []byte

func (o optionalBytes) Scan(v any) error {
	if v == nil {
		return nil
	}
	return fixedBytes(o).Scan(v)
}
