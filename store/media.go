package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"

	"semblance"
	"semblance/hashing"
)

// chunk is how many media are loaded by one statement: large enough that the cost
// of a statement vanishes, small enough for every limit on placeholders.
const chunk = 400

// Media returns what is known of each media of digests, in order; nil where
// nothing is. Embeddings are there; crops, thumbnails and contact sheets are not, see
// FaceCrop, Thumbnail and ContactSheet. Face sets are in the order of engine names, hashes of frames;
// of a PDQ, Dihedral is not kept and Turned is.
func (s *Store) Media(ctx context.Context, digests ...semblance.SHA256) ([]*semblance.Media, error) {
	list := make([]*semblance.Media, len(digests))
	if len(digests) == 1 { // a scan asks for each of its files, and most are new
		if known, err := s.isMedia(ctx, digests[0]); err != nil {
			return nil, err
		} else if !known {
			return list, nil
		}
	}
	err := s.read(ctx, "read media", func(tx *sql.Tx) error {
		known, err := loadMedia(ctx, tx, digests, true)
		for i, d := range digests {
			list[i] = known[d]
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return list, nil
}

// isMedia reports whether anything is known of a media.
func (s *Store) isMedia(ctx context.Context, sum semblance.SHA256) (known bool, err error) {
	err = s.ask(ctx, `SELECT EXISTS (SELECT 1 FROM media WHERE sha256 = ?)`, []any{sum[:]}, &known)
	return known, s.fail(ctx, "read media", err)
}

// FaceCrop returns the JPEG of a face: that of index face in media's face set of an
// engine. The error has code NotFound when none was kept.
func (s *Store) FaceCrop(ctx context.Context, media semblance.SHA256, engine semblance.EngineName, face int) ([]byte, error) {
	return s.picture(ctx, `SELECT jpeg FROM face_crops WHERE media = ? AND engine = ? AND face = ?`, media[:], engine, face)
}

// Thumbnail returns the JPEG thumbnail of media. The error has code NotFound when
// none was kept.
func (s *Store) Thumbnail(ctx context.Context, media semblance.SHA256) ([]byte, error) {
	return s.picture(ctx, `SELECT jpeg FROM thumbnails WHERE media = ?`, media[:])
}

// ContactSheet returns the JPEG of a video's contact sheet. The error has code NotFound
// when none was kept.
func (s *Store) ContactSheet(ctx context.Context, media semblance.SHA256) ([]byte, error) {
	return s.picture(ctx, `SELECT jpeg FROM sheets WHERE media = ?`, media[:])
}

func (s *Store) picture(ctx context.Context, query string, args ...any) ([]byte, error) {
	var jpeg []byte
	err := s.reader.QueryRowContext(ctx, query, args...).Scan(&jpeg)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, semblance.Errorf(semblance.NotFound, "no such picture was kept")
	}
	return jpeg, s.fail(ctx, "read a picture", err)
}

// loadMedia returns the media of digests that are known.
func loadMedia(ctx context.Context, q querier, digests []semblance.SHA256, embeddings bool) (map[semblance.SHA256]*semblance.Media, error) {
	return loadMediaWith(ctx, q, digests, mediaLoader{embeddings: embeddings})
}

// loadMediaWith is loadMedia with what the loader says is to be read.
func loadMediaWith(ctx context.Context, q querier, digests []semblance.SHA256, with mediaLoader) (map[semblance.SHA256]*semblance.Media, error) {
	known := make(map[semblance.SHA256]*semblance.Media, len(digests))
	for len(digests) > 0 {
		n := min(chunk, len(digests))
		l := with
		l.q, l.known, l.in = q, known, `(`+marks(n)+`)`
		for i := range digests[:n] {
			l.keys = append(l.keys, digests[i][:])
		}
		if err := l.load(ctx); err != nil {
			return nil, err
		}
		digests = digests[n:]
	}
	return known, nil
}

// A mediaLoader loads one chunk.
type mediaLoader struct {
	q          querier
	known      map[semblance.SHA256]*semblance.Media
	in         string
	keys       []any
	embeddings bool
	selectors  bool // also without embeddings
	found      bool // one of the chunk at least
}

func (l *mediaLoader) load(ctx context.Context) error {
	for _, step := range []struct {
		query string
		row   func(scanner) error
	}{
		{`SELECT sha256, md5, sha1, size, analysis, code, reason FROM media WHERE sha256 IN ` + l.in, l.mediaRow},
		{`SELECT media, algorithm, frame, value, quality, turned, provider, provider_version FROM signals WHERE media IN ` + l.in + ` ORDER BY media, frame`, l.signalRow},
		{`SELECT ` + embeddedColumns + ` FROM ` + embeddedJoin + ` WHERE e.media IN ` + l.in + ` ORDER BY e.media, e.position, s.frame`, l.embeddedRow},
		{`SELECT media, country, version, documents, encoding, bytes, dropped FROM selector_sets WHERE media IN ` + l.in + ` ORDER BY media, country`, l.selectorSetRow},
		{`SELECT media, engine, version, models, dropped, min_face, min_score FROM face_sets WHERE media IN ` + l.in + ` ORDER BY media, engine`, l.faceSetRow},
		{`SELECT media, engine, data, ` + l.embedding() + ` FROM faces WHERE media IN ` + l.in + ` ORDER BY media, engine, face`, l.faceRow},
		{`SELECT media, country, kind, value, raw, verified, place, count FROM media_selectors WHERE media IN ` + l.in + l.selectorsToo() + ` ORDER BY media, country, position`, l.selectorRow},
	} {
		rows, err := l.q.QueryContext(ctx, step.query, l.keys...)
		if err != nil {
			return err
		}
		if err := each(rows, step.row); err != nil {
			return err
		}
		if !l.found {
			return nil // the other tables have nothing of what is no media
		}
	}
	return nil
}

// selectorsToo leaves out the selectors of media that are only listed, where they can be
// many.
func (l *mediaLoader) selectorsToo() string {
	if l.embeddings || l.selectors {
		return ``
	}
	return ` AND 0`
}

func (l *mediaLoader) embedding() string {
	if l.embeddings {
		return `embedding`
	}
	return `NULL`
}

func (l *mediaLoader) mediaRow(scan scanner) error {
	m := new(semblance.Media)
	var analysis sql.NullString
	d := &m.Digests
	err := scan(fixed(d.SHA256[:]), fixed(d.MD5[:]), fixed(d.SHA1[:]), &d.Size, &analysis, &m.Code, &m.Reason)
	if err != nil {
		return err
	}
	if analysis.Valid {
		m.Analysis = new(semblance.Analysis)
		if err := json.Unmarshal([]byte(analysis.String), m.Analysis); err != nil {
			return err
		}
	}
	l.known[d.SHA256], l.found = m, true
	return nil
}

// analysis returns the analysis that a row of another table belongs to.
func (l *mediaLoader) analysis(sum semblance.SHA256) *semblance.Analysis {
	m := l.known[sum]
	if m.Analysis == nil {
		m.Analysis = new(semblance.Analysis)
	}
	return m.Analysis
}

func (l *mediaLoader) signalRow(scan scanner) error {
	var sum semblance.SHA256
	var algorithm hashing.Algorithm
	var frame, quality int
	var value, turned []byte
	var provider semblance.ProviderName
	var version string
	if err := scan(fixed(sum[:]), &algorithm, &frame, &value, &quality, &turned, &provider, &version); err != nil {
		return err
	}
	a := l.analysis(sum)
	if algorithm.IsVideo() {
		if err := algorithm.CheckValue(value); err != nil {
			return err
		}
		a.Signals = append(a.Signals, semblance.VideoSignal{Algorithm: algorithm, Value: value})
		return nil
	}
	if n := len(a.Hashes); n == 0 || a.Hashes[n-1].Frame != frame {
		a.Hashes = append(a.Hashes, semblance.FrameHashes{Frame: frame})
	}
	return signal{algorithm, value, quality, turned, provider, version}.put(&a.Hashes[len(a.Hashes)-1])
}

func (l *mediaLoader) faceSetRow(scan scanner) error {
	var sum semblance.SHA256
	var models string
	set := semblance.FaceSet{Faces: []semblance.Face{}}
	if err := scan(fixed(sum[:]), &set.Engine, &set.Version, &models, &set.Dropped, &set.MinFace, &set.MinScore); err != nil {
		return err
	}
	if err := json.Unmarshal([]byte(models), &set.Models); err != nil {
		return err
	}
	a := l.analysis(sum)
	a.FaceSets = append(a.FaceSets, set)
	return nil
}

func (l *mediaLoader) faceRow(scan scanner) error {
	var sum semblance.SHA256
	var engine semblance.EngineName
	var data string
	var embedding []byte
	if err := scan(fixed(sum[:]), &engine, &data, &embedding); err != nil {
		return err
	}
	face, err := decodeFace(data, embedding)
	if err != nil {
		return err
	}
	sets := l.analysis(sum).FaceSets
	for i := range sets {
		if sets[i].Engine == engine {
			sets[i].Faces = append(sets[i].Faces, face)
		}
	}
	return nil
}

// fixed scans a blob of exactly the length of dest into it.
func fixed(dest []byte) sql.Scanner { return fixedBytes(dest) }

type fixedBytes []byte

func (d fixedBytes) Scan(v any) error {
	b, _ := v.([]byte)
	if len(b) != len(d) {
		return errors.New("a stored digest has the wrong length")
	}
	copy(d, b)
	return nil
}

// encodeFace splits a face into what is kept as JSON and its embedding.
func encodeFace(f semblance.Face) (data string, embedding []byte, err error) {
	embedding = vectorBytes(f.Embedding)
	f.Embedding, f.Crop = nil, nil
	text, err := json.Marshal(f)
	return string(text), embedding, err
}

func decodeFace(data string, embedding []byte) (f semblance.Face, err error) {
	err = json.Unmarshal([]byte(data), &f)
	f.Embedding = bytesVector(embedding)
	return f, err
}
