package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"

	"semblance"
)

// AddCalibration stores a calibration of a collection beside earlier ones. The error
// has code NotFound when the collection, or a reference of a pair, is not there.
func (s *Store) AddCalibration(ctx context.Context, c semblance.CollectionID, cal semblance.Calibration, ev semblance.AuditEvent) error {
	cal.Created = s.created(cal.Created)
	pairs := [][]semblance.ClosePair{cal.Closest, cal.Left}
	cal.Closest, cal.Left = nil, nil
	data, err := json.Marshal(cal)
	if err != nil {
		return err
	}
	return s.write(ctx, "keep the calibration", &ev, func(tx *sql.Tx) error {
		key, err := collectionKey(ctx, tx, c)
		if err != nil {
			return err
		}
		var calibration int64
		err = tx.QueryRowContext(ctx, `INSERT INTO calibrations (collection_key, version, data, created) VALUES (?, ?, ?, ?) RETURNING key`,
			key, cal.Version, string(data), timeText(cal.Created)).Scan(&calibration)
		if err != nil {
			return err
		}
		for left, list := range pairs {
			for _, p := range list {
				if err := insertPair(ctx, tx, calibration, left, p); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

func insertPair(ctx context.Context, tx *sql.Tx, calibration int64, left int, p semblance.ClosePair) error {
	fresh, err := added(tx.ExecContext(ctx, `INSERT INTO calibration_pairs (calibration_key, left_out, reference_a, reference_b, distance)
		SELECT ?, ?, a.seq, b.seq, ? FROM subject_references a, subject_references b WHERE a.id = ? AND b.id = ?`,
		calibration, left, p.Distance, p.ReferenceA, p.ReferenceB))
	if err == nil && !fresh {
		return semblance.Errorf(semblance.NotFound, "a reference of %q or %q is not there any more", p.SubjectA, p.SubjectB).
			WithHint("The collection was changed while it was measured. Try again.")
	}
	return err
}

// Calibration returns the latest calibration of a collection. Pairs whose references
// are gone have gone with them. The error has code NotFound when there is none.
func (s *Store) Calibration(ctx context.Context, c semblance.CollectionID) (semblance.Calibration, error) {
	var cal semblance.Calibration
	err := s.read(ctx, "read the calibration", func(tx *sql.Tx) error {
		var key int64
		var data []byte
		err := tx.QueryRowContext(ctx, `SELECT k.key, k.data FROM calibrations k JOIN collections c ON c.key = k.collection_key
			WHERE c.id = ? ORDER BY k.key DESC LIMIT 1`, c).Scan(&key, &data)
		if errors.Is(err, sql.ErrNoRows) {
			return semblance.Errorf(semblance.NotFound, "the collection is not calibrated")
		}
		if err != nil {
			return err
		}
		if err := json.Unmarshal(data, &cal); err != nil {
			return err
		}
		for left, list := range []*[]semblance.ClosePair{&cal.Closest, &cal.Left} {
			if *list, err = calibrationPairs(ctx, tx, key, left); err != nil {
				return err
			}
		}
		return nil
	})
	return cal, err
}

func calibrationPairs(ctx context.Context, tx *sql.Tx, calibration int64, left int) ([]semblance.ClosePair, error) {
	rows, err := tx.QueryContext(ctx, `SELECT sa.label, a.id, a.source, sb.label, b.id, b.source, p.distance FROM calibration_pairs p
		JOIN subject_references a ON a.seq = p.reference_a JOIN subjects sa ON sa.key = a.subject_key
		JOIN subject_references b ON b.seq = p.reference_b JOIN subjects sb ON sb.key = b.subject_key
		WHERE p.calibration_key = ? AND p.left_out = ? ORDER BY p.rowid`, calibration, left)
	if err != nil {
		return nil, err
	}
	return collect(rows, func(scan scanner) (p semblance.ClosePair, err error) {
		err = scan(&p.SubjectA, &p.ReferenceA, &p.SourceA, &p.SubjectB, &p.ReferenceB, &p.SourceB, &p.Distance)
		return p, err
	})
}
