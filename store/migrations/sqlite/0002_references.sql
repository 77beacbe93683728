-- What is known of a reference besides its face, the enrollment gate, and
-- re-enrolling in the background.

ALTER TABLE collections ADD COLUMN enroll_quality REAL NOT NULL DEFAULT 0;         -- 0: the least there is

ALTER TABLE subject_references ADD COLUMN captured TEXT NOT NULL DEFAULT '';       -- YYYY, YYYY-MM, YYYY-MM-DD; '' unknown
ALTER TABLE subject_references ADD COLUMN captured_from TEXT NOT NULL DEFAULT '';  -- stated, exif; '' unknown
ALTER TABLE subject_references ADD COLUMN age INTEGER;                             -- years when the picture was taken; NULL unknown
ALTER TABLE subject_references ADD COLUMN note TEXT NOT NULL DEFAULT '';
ALTER TABLE subject_references ADD COLUMN override TEXT NOT NULL DEFAULT '';       -- JSON: by whom and why it passed the gate; '' it did by itself
ALTER TABLE subject_references ADD COLUMN left_out TEXT NOT NULL DEFAULT '';       -- why the collection's engine has no embedding of it; '' it has one

CREATE INDEX subject_references_left_out ON subject_references (collection_key) WHERE left_out <> '';

-- A collection that is being enrolled again. It is searched as it was until the
-- staged references take the place of its own, in one transaction.
CREATE TABLE reenrollments (
  collection_key INTEGER PRIMARY KEY REFERENCES collections (key),
  engine         TEXT NOT NULL,
  engine_version INTEGER NOT NULL,
  face_distance  REAL NOT NULL,
  actor          TEXT NOT NULL,      -- JSON
  started        TEXT NOT NULL
);

CREATE TABLE staged_references (
  reference_seq  INTEGER PRIMARY KEY REFERENCES subject_references (seq),
  collection_key INTEGER NOT NULL REFERENCES reenrollments (collection_key),
  face           TEXT NOT NULL,      -- JSON without embedding and crop
  embedding      BLOB,               -- float32, little endian; NULL: it has none
  decoder        TEXT NOT NULL,
  jpeg           BLOB,               -- of the face; NULL: none
  left_out       TEXT NOT NULL       -- why it has no embedding; '' it has one
);

CREATE INDEX staged_references_collection ON staged_references (collection_key, left_out);
