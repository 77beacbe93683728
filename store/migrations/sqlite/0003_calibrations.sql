-- What the distances of a faces collection mean, as it was measured; the latest of a
-- collection counts, earlier ones say what was shown then. Pairs point at references,
-- so that they go with them.
CREATE TABLE calibrations (
  key            INTEGER PRIMARY KEY AUTOINCREMENT,
  collection_key INTEGER NOT NULL REFERENCES collections (key),
  version        INTEGER NOT NULL,   -- of the collection
  data           TEXT NOT NULL,      -- JSON of a Calibration without its pairs
  created        TEXT NOT NULL
);
CREATE INDEX calibrations_collection ON calibrations (collection_key, key);

CREATE TABLE calibration_pairs (
  calibration_key INTEGER NOT NULL REFERENCES calibrations (key) ON DELETE CASCADE,
  left_out        INTEGER NOT NULL,  -- 1: one photograph under two names
  reference_a     INTEGER NOT NULL REFERENCES subject_references (seq) ON DELETE CASCADE,
  reference_b     INTEGER NOT NULL REFERENCES subject_references (seq) ON DELETE CASCADE,
  distance        REAL NOT NULL
);
CREATE INDEX calibration_pairs_calibration ON calibration_pairs (calibration_key);
CREATE INDEX calibration_pairs_a ON calibration_pairs (reference_a);
CREATE INDEX calibration_pairs_b ON calibration_pairs (reference_b);
