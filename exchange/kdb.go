package exchange

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"semblance"
	"semblance/hashing"
)

// A kdb reads a hash database of Autopsy: a table hashes with binary digests, of which
// Autopsy itself fills in the MD5 only, and comments.
type kdb struct {
	row               int64
	md5, sha1, sha256 sql.RawBytes
	comments          map[int64]string
	values            [3][32]byte
}

func newKDB(ctx context.Context, b *base) (Source, error) {
	db, err := b.openDatabase()
	if err != nil {
		return nil, err
	}
	s, err := kdbOf(ctx, b, db)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return s, nil
}

func kdbOf(ctx context.Context, b *base, db *sql.DB) (Source, error) {
	columns, table, err := columnsOf(ctx, db, "hashes")
	if err != nil {
		return nil, unreadableDatabase(b.about.Name, err)
	}
	if !table || !columns["id"] || !columns["md5"] {
		return nil, notOf(b.about.Name, KDB, "it has no table hashes with id and md5")
	}
	b.is(KDB, "hashes row")
	k := &kdb{}
	var last sql.NullInt64
	if k.comments, err = comments(ctx, db); err == nil {
		err = db.QueryRowContext(ctx, `SELECT max(id) FROM hashes`).Scan(&last)
	}
	if err != nil {
		return nil, unreadableDatabase(b.about.Name, err)
	}
	b.end = last.Int64
	query := fmt.Sprintf(`SELECT id, md5, %s, %s FROM hashes WHERE id > ? ORDER BY id`, firstOf(columns, "sha1"), firstOf(columns, "sha2_256"))
	return &tableSource{base: b, db: db, query: query, dest: []any{&k.row, &k.md5, &k.sha1, &k.sha256}, parse: k.parse}, nil
}

func (k *kdb) parse(out *semblance.DigestRow) error {
	var err error
	if out.MD5, err = binaryDigest(k.values[0][:], hashing.AlgorithmMD5, k.md5); err != nil {
		return err
	}
	if out.SHA1, err = binaryDigest(k.values[1][:], hashing.AlgorithmSHA1, k.sha1); err != nil {
		return err
	}
	if out.SHA256, err = binaryDigest(k.values[2][:], hashing.AlgorithmSHA256, k.sha256); err != nil {
		return err
	}
	if out.MD5 == nil && out.SHA1 == nil && out.SHA256 == nil {
		return errNoDigest
	}
	out.Text = k.comments[k.row]
	return nil
}

// binaryDigest takes a digest of bytes, or of hex text, which some programs write there.
func binaryDigest(dst []byte, alg hashing.Algorithm, b []byte) ([]byte, error) {
	if n := alg.Bits() / 8; len(b) == n {
		return dst[:copy(dst, b)], nil
	}
	return hexDigest(dst, alg, b)
}

// comments reads what is said of hashes.
func comments(ctx context.Context, db *sql.DB) (map[int64]string, error) {
	out := map[int64]string{}
	columns, table, err := columnsOf(ctx, db, "comments")
	if err != nil || !table || !columns["comment"] || !columns["hash_id"] {
		return out, err
	}
	rows, err := db.QueryContext(ctx, `SELECT hash_id, comment FROM comments ORDER BY rowid`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var id sql.NullInt64
		var text sql.NullString
		if err := rows.Scan(&id, &text); err != nil {
			return nil, err
		}
		add(out, id.Int64, text.String)
	}
	return out, rows.Err()
}
