package store

import (
	"context"
	"database/sql"

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
	return digestOrder{few: 1 << 14, least: 1 << 16, most: 1 << 19}
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
			through := min(last, sorted+min(max(sorted/4, o.least), o.most))
			for _, alg := range []hashing.Algorithm{hashing.AlgorithmMD5, hashing.AlgorithmSHA1} {
				_, err := tx.ExecContext(ctx, `INSERT INTO media_digests (algorithm, start, seq) SELECT ?, substr(`+digestColumn(alg)+`, 1, 8) AS start, seq
					FROM media WHERE seq > ? AND seq <= ? ORDER BY start, seq`, alg, sorted, through)
				if err != nil {
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

// digestNumbers returns the last number that a media has got, and the last whose digests
// are in order.
func digestNumbers(ctx context.Context, tx *sql.Tx) (last, sorted int64, err error) {
	err = tx.QueryRowContext(ctx, `SELECT m.last, s.last FROM numbers m, numbers s WHERE m.name = 'media' AND s.name = 'sorted'`).Scan(&last, &sorted)
	return last, sorted, err
}

func digestColumn(a hashing.Algorithm) string {
	switch a {
	case hashing.AlgorithmMD5:
		return "md5"
	case hashing.AlgorithmSHA1:
		return "sha1"
	default:
		return "sha256"
	}
}

// digestJoins are the questions for the media that have one of a collection's entries as
// their own digest or as that of a picture embedded in them, by the collection, the
// algorithm, and the entries after one and up to another. CROSS JOIN keeps SQLite to the
// order that is written.
func digestJoins(a hashing.Algorithm, fromMedia bool) []string {
	const which = ` WHERE h.collection_key = ? AND h.algorithm = ? AND h.id > ? AND h.id <= ?`
	column := digestColumn(a)
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
