package exchange

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"semblance"
	"semblance/hashing"
)

// An rds reads NSRL's RDSv3 database. The minimal edition has a table FILE; in the full
// one FILE is a view on a table METADATA, which is read instead, because a view has no row
// numbers to go on after. The note of a record is the application type of its package, where PKG tells it.
type rds struct {
	sha256, sha1, md5, size sql.RawBytes
	pkg                     sql.NullInt64
	types                   map[int64]string
	bySHA256, bySHA1, byMD5 [32]byte
}

func newRDS(ctx context.Context, b *base) (Source, error) {
	db, err := b.openDatabase(ctx, NSRL)
	if err != nil {
		return nil, err
	}
	s, err := rdsOf(ctx, b, db)
	if err != nil {
		return nil, errors.Join(unreadableDatabase(b.about.Name, err), db.Close())
	}
	return s, nil
}

func rdsOf(ctx context.Context, b *base, db *database) (Source, error) {
	t, err := db.table(ctx, "FILE")
	if err == nil && len(t.columns) == 0 {
		t, err = db.table(ctx, "METADATA")
	}
	if err != nil {
		return nil, err
	}
	if !t.has("sha1", "md5") {
		return nil, notOf(b.about.Name, NSRL, "it has no table FILE or METADATA with sha1 and md5")
	}
	b.is(NSRL, t.name+" row")
	r := &rds{}
	if r.types, err = packageTypes(ctx, db); err == nil {
		b.about.About, err = rdsVersion(ctx, db)
	}
	if err == nil {
		b.end, err = db.ends(ctx, t)
	}
	columns := []string{t.firstOf("sha256"), "sha1", "md5", t.firstOf("file_size", "bytes", "size"), t.firstOf("package_id")}
	return &tableSource{base: b, db: db, table: t, columns: columns, dest: []any{&r.sha256, &r.sha1, &r.md5, &r.size, &r.pkg}, parse: r.parse}, err
}

func (r *rds) parse(out *semblance.DigestRow) error {
	var err error
	if out.SHA256, err = hexDigest(r.bySHA256[:], hashing.AlgorithmSHA256, r.sha256); err != nil {
		return err
	}
	if out.SHA1, err = hexDigest(r.bySHA1[:], hashing.AlgorithmSHA1, r.sha1); err != nil {
		return err
	}
	if out.MD5, err = hexDigest(r.byMD5[:], hashing.AlgorithmMD5, r.md5); err != nil {
		return err
	}
	if out.SHA256 == nil && out.SHA1 == nil && out.MD5 == nil {
		return errNoDigest
	}
	if len(r.size) > 0 {
		if out.Size, err = strconv.ParseInt(string(r.size), 10, 64); err != nil || out.Size < 0 {
			return fmt.Errorf("%q is no size of a file", clip(r.size))
		}
	}
	if r.pkg.Valid {
		out.Text = r.types[r.pkg.Int64]
	}
	return nil
}

// packageTypes reads the application types of packages.
func packageTypes(ctx context.Context, db *database) (map[int64]string, error) {
	types := newNotes[int64]()
	t, err := db.table(ctx, "PKG")
	if err != nil || !t.has("package_id", "application_type") {
		return types.of, err
	}
	var id sql.NullInt64
	var kind sql.NullString
	w, err := db.walk(ctx, t, 0, []string{"package_id", "application_type"}, &id, &kind)
	if err != nil {
		return nil, err
	}
	defer w.rows.Close()
	for {
		more, err := w.next()
		if !more || err != nil {
			return types.of, err
		}
		types.add(id.Int64, kind.String)
	}
}

// rdsVersion is what the database says of itself.
func rdsVersion(ctx context.Context, db *database) (string, error) {
	t, err := db.table(ctx, "VERSION")
	if err != nil || !t.has("version") {
		return "RDSv3", err
	}
	var version, set sql.NullString
	err = db.QueryRowContext(ctx, `SELECT version, `+t.firstOf("build_set")+` FROM VERSION NOT INDEXED ORDER BY `+t.number+` DESC LIMIT 1`).Scan(&version, &set)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return "", err
	}
	return strings.Join(strings.Fields("RDS "+clip([]byte(version.String))+" "+clip([]byte(set.String))), " "), nil
}
