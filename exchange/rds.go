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
	row                     int64
	sha256, sha1, md5, size sql.RawBytes
	pkg                     sql.NullInt64
	types                   map[int64]string
	bySHA256, bySHA1, byMD5 [32]byte
}

func newRDS(ctx context.Context, b *base) (Source, error) {
	db, err := b.openDatabase()
	if err != nil {
		return nil, err
	}
	s, err := rdsOf(ctx, b, db)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return s, nil
}

func rdsOf(ctx context.Context, b *base, db *sql.DB) (Source, error) {
	name := "FILE"
	columns, table, err := columnsOf(ctx, db, name)
	if err == nil && columns != nil && !table {
		name = "METADATA"
		columns, table, err = columnsOf(ctx, db, name)
	}
	if err != nil {
		return nil, unreadableDatabase(b.about.Name, err)
	}
	if !table || !columns["sha1"] || !columns["md5"] {
		return nil, notOf(b.about.Name, NSRL, "it has no table "+name+" with sha1 and md5")
	}
	b.is(NSRL, name+" row")
	r := &rds{}
	if r.types, err = packageTypes(ctx, db); err == nil {
		b.about.About, err = rdsVersion(ctx, db)
	}
	var last sql.NullInt64
	if err == nil {
		err = db.QueryRowContext(ctx, `SELECT max(rowid) FROM `+name).Scan(&last)
	}
	if err != nil {
		return nil, unreadableDatabase(b.about.Name, err)
	}
	b.end = last.Int64
	query := fmt.Sprintf(`SELECT rowid, %s, sha1, md5, %s, %s FROM %s WHERE rowid > ? ORDER BY rowid`,
		firstOf(columns, "sha256"), firstOf(columns, "file_size", "bytes", "size"), firstOf(columns, "package_id"), name)
	return &tableSource{base: b, db: db, query: query, dest: []any{&r.row, &r.sha256, &r.sha1, &r.md5, &r.size, &r.pkg}, parse: r.parse}, nil
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
func packageTypes(ctx context.Context, db *sql.DB) (map[int64]string, error) {
	types := map[int64]string{}
	columns, table, err := columnsOf(ctx, db, "PKG")
	if err != nil || !table || !columns["package_id"] || !columns["application_type"] {
		return types, err
	}
	rows, err := db.QueryContext(ctx, `SELECT package_id, application_type FROM PKG ORDER BY package_id, application_type`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	names := map[string]string{} // each text once in memory
	for rows.Next() {
		var id sql.NullInt64
		var kind sql.NullString
		if err := rows.Scan(&id, &kind); err != nil {
			return nil, err
		}
		text := strings.TrimSpace(kind.String)
		if _, ok := names[text]; !ok {
			names[text] = text
		}
		add(types, id.Int64, names[text])
	}
	return types, rows.Err()
}

// rdsVersion is what the database says of itself.
func rdsVersion(ctx context.Context, db *sql.DB) (string, error) {
	columns, table, err := columnsOf(ctx, db, "VERSION")
	if err != nil || !table || !columns["version"] {
		return "RDSv3", err
	}
	var version, set sql.NullString
	err = db.QueryRowContext(ctx, `SELECT version, `+firstOf(columns, "build_set")+` FROM VERSION ORDER BY rowid DESC`).Scan(&version, &set)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return "", err
	}
	return strings.Join(strings.Fields("RDS "+clip([]byte(version.String))+" "+clip([]byte(set.String))), " "), nil
}
