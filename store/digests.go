package store

import (
	"bytes"
	"cmp"
	"context"
	"database/sql"
	"slices"

	"semblance/hashing"
)

// A digestOrder says when the MD5 and SHA-1 of media are put into the table that is ordered
// by them. Doing so with every media would change a page for nearly each of them; those
// that are not in it yet are found by going through all of them.
type digestOrder struct {
	few         int64 // so many, or a 64th of those in the table, need not be in it
	least, most int64 // how many are put in at once: they change most pages of the table, and are sorted in memory
}

func defaultDigestOrder() digestOrder {
	return digestOrder{few: 1 << 14, least: 1 << 14, most: 1 << 18}
}

// sortDigests puts the digests of media that came since the last time into order, when they
// are many.
func (s *Store) sortDigests(ctx context.Context, o digestOrder) error {
	for more := true; more; {
		err := s.write(ctx, "put digests in order", nil, func(tx *sql.Tx) error {
			last, sorted, err := digestNumbers(ctx, tx)
			if more = last-sorted > max(o.few, sorted/64); err != nil || !more {
				return err
			}
			through := min(last, sorted+min(max(sorted/16, o.least), o.most))
			for _, alg := range []hashing.Algorithm{hashing.AlgorithmMD5, hashing.AlgorithmSHA1} {
				if err := putInOrder(ctx, tx, alg, sorted, through); err != nil {
					return err
				}
			}
			_, err = tx.ExecContext(ctx, `UPDATE numbers SET last = ? WHERE name = 'sorted'`, through)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// putInOrder inserts one digest after the other: for one statement that inserts all, SQLite
// would keep a copy of every page that it changes in memory.
func putInOrder(ctx context.Context, tx *sql.Tx, alg hashing.Algorithm, after, through int64) error {
	type digest struct {
		start [8]byte
		seq   int64
	}
	rows, err := tx.QueryContext(ctx, `SELECT substr(`+string(alg)+`, 1, 8), seq FROM media WHERE seq > ? AND seq <= ?`, after, through)
	if err != nil {
		return err
	}
	list, err := collect(rows, func(scan scanner) (d digest, err error) {
		err = scan(fixed(d.start[:]), &d.seq)
		return d, err
	})
	if err != nil {
		return err
	}
	slices.SortFunc(list, func(a, b digest) int { return cmp.Or(bytes.Compare(a.start[:], b.start[:]), cmp.Compare(a.seq, b.seq)) })
	insert, err := tx.PrepareContext(ctx, `INSERT INTO media_digests (algorithm, start, seq) VALUES (?, ?, ?)`)
	if err != nil {
		return err
	}
	defer insert.Close()
	for i := range list {
		if err := ctx.Err(); err != nil {
			return err
		}
		if _, err := insert.ExecContext(context.WithoutCancel(ctx), alg, list[i].start[:], list[i].seq); err != nil {
			return err
		}
	}
	return nil
}

// digestNumbers returns the last number that a media has got, and the last whose digests
// are in order.
func digestNumbers(ctx context.Context, tx *sql.Tx) (last, sorted int64, err error) {
	err = tx.QueryRowContext(ctx, `SELECT m.last, s.last FROM numbers m, numbers s WHERE m.name = 'media' AND s.name = 'sorted'`).Scan(&last, &sorted)
	return last, sorted, err
}

// digestJoins are the questions for the media that have one of a collection's entries as
// their own digest or as that of a picture embedded in them, by the collection, the
// algorithm, and the entries after one and up to another. CROSS JOIN keeps SQLite to the
// order that is written.
func digestJoins(a hashing.Algorithm, fromMedia bool) []string {
	const which = ` WHERE h.collection_key = ? AND h.algorithm = ? AND h.id > ? AND h.id <= ?`
	column := string(a) // they are named so
	if fromMedia {
		return []string{
			`SELECT m.seq FROM media m CROSS JOIN hash_entries h ON h.value = m.` + column + which,
			`SELECT m.seq FROM media m CROSS JOIN embedded e ON e.media = m.sha256 CROSS JOIN hash_entries h ON h.value = e.` + column + which,
		}
	}
	joins := []string{`SELECT m.seq FROM hash_entries h CROSS JOIN embedded e ON e.` + column + ` = h.value CROSS JOIN media m ON m.sha256 = e.media` + which}
	if a == hashing.AlgorithmSHA256 {
		return append(joins, `SELECT m.seq FROM hash_entries h CROSS JOIN media m ON m.sha256 = h.value`+which)
	}
	return append(joins,
		`SELECT m.seq FROM hash_entries h CROSS JOIN media_digests d ON d.algorithm = h.algorithm AND d.start = substr(h.value, 1, 8)
			CROSS JOIN media m ON m.seq = d.seq AND m.`+column+` = h.value`+which,
		`SELECT m.seq FROM media m CROSS JOIN hash_entries h ON h.value = m.`+column+which+` AND m.seq > (SELECT last FROM numbers WHERE name = 'sorted')`)
}
