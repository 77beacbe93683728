package store

import (
	"context"
	"database/sql"
	"encoding/json"

	"semblance"
	"semblance/hashing"
)

// embedded replaces the embedded pictures of a media.
func (c *commit) embedded(sum []byte, list []semblance.EmbeddedPicture) error {
	if err := c.run(`DELETE FROM embedded WHERE media = ?`, sum); err != nil {
		return err
	}
	for i := range list {
		e := &list[i]
		d := &e.Digests
		err := c.run(`INSERT INTO embedded (media, position, kind, md5, sha1, sha256, size, width, height, reason) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
			sum, i, e.Kind, d.MD5[:], d.SHA1[:], d.SHA256[:], d.Size, e.Width, e.Height, e.Reason)
		if err != nil {
			return err
		}
		for _, f := range e.Hashes {
			for _, h := range signalsOf(f) {
				err := c.run(`INSERT INTO embedded_signals (media, position, frame, algorithm, value, quality, turned) VALUES (?, ?, ?, ?, ?, ?, ?)`,
					sum, i, f.Frame, h.algorithm, h.value, h.quality, h.turned)
				if err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// traces replaces the traces of a media.
func (c *commit) traces(sum []byte, m *semblance.Metadata) error {
	if err := c.run(`DELETE FROM traces WHERE media = ?`, sum); err != nil {
		return err
	}
	for _, t := range m.Traces() {
		if err := c.run(`INSERT INTO traces (media, kind, maker, value) VALUES (?, ?, ?, ?)`, sum, t.Kind, t.Maker, t.Value); err != nil {
			return err
		}
	}
	return nil
}

// embeddedColumns are those of a row for every embedded picture and signal of it, one
// behind the other; embeddedRow reads them.
const embeddedColumns = `e.media, e.position, e.kind, e.md5, e.sha1, e.sha256, e.size, e.width, e.height, e.reason, s.frame, s.algorithm, s.value, s.quality, s.turned`

const embeddedJoin = `embedded e LEFT JOIN embedded_signals s ON s.media = e.media AND s.position = e.position`

// An embeddedRow is one of them.
type embeddedRow struct {
	media     semblance.SHA256
	position  int
	picture   semblance.EmbeddedPicture
	frame     sql.Null[int]
	algorithm sql.Null[hashing.Algorithm]
	value     []byte
	quality   sql.Null[int]
	turned    []byte
}

func (r *embeddedRow) columns() []any {
	p := &r.picture
	d := &p.Digests
	return []any{fixed(r.media[:]), &r.position, &p.Kind, fixed(d.MD5[:]), fixed(d.SHA1[:]), fixed(d.SHA256[:]), &d.Size, &p.Width, &p.Height, &p.Reason,
		&r.frame, &r.algorithm, &r.value, &r.quality, &r.turned}
}

// addTo puts what the row says into the list of its media, whose rows come in order.
func (r *embeddedRow) addTo(list *[]semblance.EmbeddedPicture) error {
	if r.position == len(*list) {
		*list = append(*list, r.picture)
	}
	if !r.algorithm.Valid || len(*list) == 0 {
		return nil
	}
	hashes := &(*list)[len(*list)-1].Hashes
	if n := len(*hashes); n == 0 || (*hashes)[n-1].Frame != r.frame.V {
		*hashes = append(*hashes, semblance.FrameHashes{Frame: r.frame.V})
	}
	return signal{algorithm: r.algorithm.V, value: r.value, quality: r.quality.V, turned: r.turned}.put(&(*hashes)[len(*hashes)-1])
}

func (l *mediaLoader) embeddedRow(scan scanner) error {
	var r embeddedRow
	if err := scan(r.columns()...); err != nil {
		return err
	}
	return r.addTo(&l.analysis(r.media).Embedded)
}

// A keptEmbedded gives the embedded pictures of kept media in the order of their numbers,
// beside a walk over these.
type keptEmbedded struct {
	rows *sql.Rows
	seq  int64 // of row; 0 at the end
	row  embeddedRow
}

func openKeptEmbedded(ctx context.Context, tx *sql.Tx, after int64) (*keptEmbedded, error) {
	// CROSS JOIN keeps SQLite to the order that is written, which needs no sorting.
	rows, err := tx.QueryContext(ctx, `SELECT k.seq, `+embeddedColumns+` FROM media k CROSS JOIN embedded e ON e.media = k.sha256
		LEFT JOIN embedded_signals s ON s.media = e.media AND s.position = e.position WHERE k.seq > ? ORDER BY k.seq, e.position, s.frame`, after)
	if err != nil {
		return nil, err
	}
	k := &keptEmbedded{rows: rows}
	if err := k.next(); err != nil {
		_ = rows.Close() // err says why
		return nil, err
	}
	return k, nil
}

func (k *keptEmbedded) next() error {
	k.seq, k.row = 0, embeddedRow{}
	if !k.rows.Next() {
		return k.rows.Err()
	}
	return k.rows.Scan(append([]any{&k.seq}, k.row.columns()...)...)
}

// of returns those of a media; the walk asks for every one, in order.
func (k *keptEmbedded) of(seq int64) (list []semblance.EmbeddedPicture, err error) {
	for k.seq != 0 && k.seq <= seq && err == nil {
		if k.seq == seq {
			err = k.row.addTo(&list)
		}
		if err == nil {
			err = k.next()
		}
	}
	return list, err
}

// MediaWith returns the media that have a trace, in the order of their SHA-256.
func (s *Store) MediaWith(ctx context.Context, t semblance.Trace) (list []semblance.SHA256, err error) {
	err = s.read(ctx, "look for a trace", func(tx *sql.Tx) error {
		rows, err := tx.QueryContext(ctx, `SELECT media FROM traces WHERE kind = ? AND value = ? AND maker = ? ORDER BY media`, t.Kind, t.Value, t.Maker)
		if err != nil {
			return err
		}
		list, err = collect(rows, func(scan scanner) (sum semblance.SHA256, err error) { return sum, scan(fixed(sum[:])) })
		return err
	})
	return list, err
}

// bareAnalysis is what is kept of an analysis as JSON: all that has no table.
func bareAnalysis(a *semblance.Analysis) (string, error) {
	bare := *a
	bare.Hashes, bare.Signals, bare.FaceSets, bare.Thumbnail, bare.Pictures, bare.Embedded, bare.SelectorSets = nil, nil, nil, nil, nil, nil, nil
	bare.Video = bare.Video.WithoutPixels()
	text, err := json.Marshal(bare)
	return string(text), err
}
