package store

import (
	"context"
	"slices"

	"semblance"
)

// Below counts the items recorded inside a container of an exhibit, however deep.
// transient are the codes of failures that may have passed.
func (s *Store) Below(ctx context.Context, exhibit semblance.ExhibitID, container string, transient func(semblance.Code) bool) (semblance.Below, error) {
	const op = "count what a container holds"
	b := semblance.Below{ByStatus: map[semblance.ItemStatus]int64{}, Errors: map[semblance.Code]int64{}}
	key, _, err := exhibitKey(ctx, s.reader, exhibit)
	if err != nil {
		return b, s.fail(ctx, op, err)
	}
	from, to := belowRange(container)
	rows, err := s.reader.QueryContext(ctx, `SELECT status, code, plan, opened, count(*) FROM items
		WHERE exhibit_key = ? AND path >= ? AND path < ? GROUP BY status, code, plan, opened ORDER BY status, code, plan, opened`, key, from, to)
	if err != nil {
		return b, s.fail(ctx, op, err)
	}
	return b, s.fail(ctx, op, each(rows, func(scan scanner) error {
		var status semblance.ItemStatus
		var code semblance.Code
		var plan string
		var opened semblance.OpenState
		var n int64
		if err := scan(&status, &code, &plan, &opened, &n); err != nil {
			return err
		}
		b.Items += n
		b.ByStatus[status] += n
		if status == semblance.ItemFailed {
			b.Errors[code] += n
			if transient(code) {
				b.Transient += n
			}
		}
		if opened != semblance.NotOpened {
			b.Containers += n
		}
		if opened == semblance.HalfOpened {
			b.HalfOpen += n
		}
		if !slices.Contains(b.Plans, plan) {
			b.Plans = append(b.Plans, plan)
		}
		return nil
	}))
}

// FailedBelow lists the failed items of a container, itself first where it has failed, then
// those inside of it by path in byte order.
func (s *Store) FailedBelow(ctx context.Context, exhibit semblance.ExhibitID, container string) ([]semblance.Item, error) {
	const op = "list what failed in a container"
	key, _, err := exhibitKey(ctx, s.reader, exhibit)
	if err != nil {
		return nil, s.fail(ctx, op, err)
	}
	from, to := belowRange(container)
	rows, err := s.reader.QueryContext(ctx, `SELECT `+itemColumns+` FROM items i
		WHERE i.exhibit_key = ? AND (i.path = ? OR i.path >= ? AND i.path < ?) AND i.status = ? ORDER BY i.path`, key, container, from, to, semblance.ItemFailed)
	if err != nil {
		return nil, s.fail(ctx, op, err)
	}
	list, err := collect(rows, func(scan scanner) (semblance.Item, error) {
		d := itemDest{item: semblance.Item{Exhibit: exhibit}}
		if err := scan(d.columns()...); err != nil {
			return d.item, err
		}
		return d.done()
	})
	return list, s.fail(ctx, op, err)
}

// belowRange is the range of paths inside a container, the end not included: the
// character after the slash ends it.
func belowRange(container string) (from, to string) {
	from = container + semblance.ContainerSeparator
	return from, from[:len(from)-1] + "0"
}
