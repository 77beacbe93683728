package exchange

import (
	"context"
	"database/sql"
	"errors"

	"semblance"
	"semblance/hashing"
)

// A kdb reads a hash database of Autopsy: a table hashes with binary digests, of which
// Autopsy itself fills in the MD5 only, and comments.
type kdb struct {
	id                int64
	md5, sha1, sha256 sql.RawBytes
	comments          map[int64]string
	values            [3][32]byte
}

func newKDB(ctx context.Context, b *base) (Source, error) {
	db, err := b.openDatabase(ctx, KDB)
	if err != nil {
		return nil, err
	}
	s, err := kdbOf(ctx, b, db)
	if err != nil {
		return nil, errors.Join(unreadableDatabase(b.about.Name, err), db.Close())
	}
	return s, nil
}

func kdbOf(ctx context.Context, b *base, db *database) (Source, error) {
	t, err := db.table(ctx, "hashes")
	if err != nil {
		return nil, err
	}
	if !t.has("id", "md5") {
		return nil, notOf(b.about.Name, KDB, "it has no table hashes with id and md5")
	}
	b.is(KDB, "hashes row")
	k := &kdb{}
	if k.comments, err = comments(ctx, db); err == nil {
		b.end, err = db.ends(ctx, t)
	}
	columns := []string{"id", "md5", t.firstOf("sha1"), t.firstOf("sha2_256")}
	return &tableSource{base: b, db: db, table: t, columns: columns, dest: []any{&k.id, &k.md5, &k.sha1, &k.sha256}, parse: k.parse}, err
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
	out.Text = k.comments[k.id]
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
func comments(ctx context.Context, db *database) (map[int64]string, error) {
	out := newNotes[int64]()
	t, err := db.table(ctx, "comments")
	if err != nil || !t.has("comment", "hash_id") {
		return out.of, err
	}
	var id sql.NullInt64
	var text sql.NullString
	w, err := db.walk(ctx, t, 0, []string{"hash_id", "comment"}, &id, &text)
	if err != nil {
		return nil, err
	}
	defer w.rows.Close()
	for {
		more, err := w.next()
		if !more || err != nil {
			return out.of, err
		}
		out.add(id.Int64, text.String)
	}
}
