package store

import (
	"context"
	"database/sql"
	"iter"
	"time"

	"semblance"
)

const itemColumns = `i.path, i.size, i.modified_s, i.modified_ns, i.changed_s, i.changed_ns, i.inode, i.sha256, i.status, i.code, i.reason, i.plan`

// itemDest are the columns of an item and what makes one of them.
type itemDest struct {
	item                                            semblance.Item
	modifiedS, modifiedN, changedS, changedN, inode int64
	sha256                                          []byte
}

func (d *itemDest) columns() []any {
	i := &d.item
	return []any{&i.Path, &i.Size, &d.modifiedS, &d.modifiedN, &d.changedS, &d.changedN, &d.inode, &d.sha256, &i.Status, &i.Code, &i.Reason, &i.Plan}
}

func (d *itemDest) done() (semblance.Item, error) {
	i := d.item
	i.Modified, i.Changed = time.Unix(d.modifiedS, d.modifiedN).UTC(), time.Unix(d.changedS, d.changedN).UTC()
	i.Inode = uint64(d.inode)
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

// ItemIndex returns what is recorded of every item of an exhibit, by path. It takes
// about 250 bytes and the path for each item; equal plans and statuses share their
// text. Times outside the years 1678 to 2262 wrap, as time.Time.UnixNano does.
func (s *Store) ItemIndex(ctx context.Context, exhibit semblance.ExhibitID) (map[string]semblance.ItemState, error) {
	const op = "read the items"
	key, _, err := exhibitKey(ctx, s.reader, exhibit)
	if err != nil {
		return nil, s.fail(ctx, op, err)
	}
	var n int
	if err := s.reader.QueryRowContext(ctx, `SELECT count(*) FROM items WHERE exhibit_key = ?`, key).Scan(&n); err != nil {
		return nil, s.fail(ctx, op, err)
	}
	rows, err := s.reader.QueryContext(ctx, `SELECT path, size, inode, modified_s, modified_ns, changed_s, changed_ns, sha256, status, code, plan
		FROM items WHERE exhibit_key = ? ORDER BY path`, key)
	if err != nil {
		return nil, s.fail(ctx, op, err)
	}
	index := make(map[string]semblance.ItemState, n)
	shared := interner{}
	err = each(rows, func(scan scanner) error {
		path, state, err := scanState(scan, shared)
		index[path] = state
		return err
	})
	return index, s.fail(ctx, op, err)
}

func scanState(scan scanner, shared interner) (path string, m semblance.ItemState, err error) {
	var modifiedS, modifiedN, changedS, changedN, inode int64
	var sum, status, code, plan sql.RawBytes
	err = scan(&path, &m.Size, &inode, &modifiedS, &modifiedN, &changedS, &changedN, &sum, &status, &code, &plan)
	m.Inode = uint64(inode)
	m.Modified, m.Changed = time.Unix(modifiedS, modifiedN).UnixNano(), time.Unix(changedS, changedN).UnixNano()
	copy(m.SHA256[:], sum)
	m.Status = semblance.ItemStatus(shared.text(status))
	m.Code = semblance.Code(shared.text(code))
	m.Plan = shared.text(plan)
	return path, m, err
}

// An interner gives equal texts one memory.
type interner map[string]string

func (in interner) text(b []byte) string {
	if s, ok := in[string(b)]; ok { // the compiler does not copy b here
		return s
	}
	s := string(b)
	in[s] = s
	return s
}
