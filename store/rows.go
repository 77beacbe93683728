package store

import (
	"context"
	"database/sql"
	"encoding/binary"
	"math"
	"strings"
)

// A querier is a database or a transaction.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// A scanner reads the columns of one row.
type scanner func(dest ...any) error

// each calls f for every row and closes rows.
func each(rows *sql.Rows, f func(scanner) error) error {
	defer rows.Close()
	for rows.Next() {
		if err := f(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

// collect returns what f makes of every row and closes rows. It is never nil.
func collect[T any](rows *sql.Rows, f func(scanner) (T, error)) ([]T, error) {
	list := []T{}
	err := each(rows, func(scan scanner) error {
		v, err := f(scan)
		list = append(list, v)
		return err
	})
	return list, err
}

// marks returns n placeholders: "?,?,?".
func marks(n int) string { return strings.TrimSuffix(strings.Repeat("?,", n), ",") }

// added reports whether an insert that leaves what is there did insert.
func added(r sql.Result, err error) (bool, error) {
	if err != nil {
		return false, err
	}
	n, err := r.RowsAffected()
	return n > 0, err
}

// vectorBytes writes float32 little endian, bit for bit; nil stays nil.
func vectorBytes(v []float32) []byte {
	if v == nil {
		return nil
	}
	b := make([]byte, 0, 4*len(v))
	for _, f := range v {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(f))
	}
	return b
}

// bytesVector reads what vectorBytes wrote.
func bytesVector(b []byte) []float32 {
	if b == nil {
		return nil
	}
	v := make([]float32, len(b)/4)
	for i := range v {
		v[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
	return v
}
