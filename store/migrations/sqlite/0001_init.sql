-- Times of our own are text, RFC 3339 in UTC with microseconds, so that they sort.
-- Times of foreign files are seconds and nanoseconds since 1970, because they can
-- lie outside what RFC 3339 can say. Keys are internal; ids are what others see.

CREATE TABLE settings (
  name  TEXT PRIMARY KEY,
  value TEXT NOT NULL
);

CREATE TABLE cases (
  key     INTEGER PRIMARY KEY AUTOINCREMENT,
  id      TEXT NOT NULL UNIQUE,
  number  TEXT NOT NULL UNIQUE,
  agency  TEXT NOT NULL,
  country TEXT NOT NULL,
  purpose TEXT NOT NULL,
  basis   TEXT NOT NULL,
  created TEXT NOT NULL
);

CREATE TABLE exhibits (
  key      INTEGER PRIMARY KEY AUTOINCREMENT,
  id       TEXT NOT NULL UNIQUE,
  case_key INTEGER NOT NULL REFERENCES cases (key),
  label    TEXT NOT NULL,
  source   TEXT NOT NULL,
  serial   TEXT NOT NULL,
  acquirer TEXT NOT NULL,
  created  TEXT NOT NULL,
  UNIQUE (case_key, label)
);

CREATE TABLE media (
  sha256   BLOB NOT NULL PRIMARY KEY,
  md5      BLOB NOT NULL,
  sha1     BLOB NOT NULL,
  size     INTEGER NOT NULL,
  analysis TEXT,                     -- JSON without hashes, face sets and thumbnail; NULL: never decoded
  partial  INTEGER NOT NULL,         -- 1 when only a part could be decoded
  code     TEXT NOT NULL,
  reason   TEXT NOT NULL
);

CREATE TABLE items (
  exhibit_key INTEGER NOT NULL REFERENCES exhibits (key),
  path        TEXT NOT NULL,
  size        INTEGER NOT NULL,
  modified_s  INTEGER NOT NULL,
  modified_ns INTEGER NOT NULL,
  changed_s   INTEGER NOT NULL,
  changed_ns  INTEGER NOT NULL,
  inode       INTEGER NOT NULL,      -- as a signed number of the same 64 bits
  sha256      BLOB REFERENCES media (sha256),
  status      TEXT NOT NULL,
  code        TEXT NOT NULL,
  reason      TEXT NOT NULL,
  plan        TEXT NOT NULL,
  PRIMARY KEY (exhibit_key, path)
) WITHOUT ROWID;

CREATE INDEX items_sha256 ON items (sha256);

-- Perceptual hashes.
CREATE TABLE signals (
  media     BLOB NOT NULL REFERENCES media (sha256),
  algorithm TEXT NOT NULL,
  frame     INTEGER NOT NULL,
  value     BLOB NOT NULL,
  quality   INTEGER NOT NULL,        -- of a PDQ, 0 to 100; -1 for the others
  turned    BLOB,                    -- of a PDQ, those of the turned picture: 8 of 32 bytes; NULL: not made
  decoder   TEXT NOT NULL,
  PRIMARY KEY (media, algorithm, frame)
) WITHOUT ROWID;

-- One row for each engine that ran, no face included.
CREATE TABLE face_sets (
  media   BLOB NOT NULL REFERENCES media (sha256),
  engine  TEXT NOT NULL,
  version INTEGER NOT NULL,
  models  TEXT NOT NULL,             -- JSON, name to sha256
  dropped INTEGER NOT NULL,
  PRIMARY KEY (media, engine)
) WITHOUT ROWID;

CREATE TABLE faces (
  media     BLOB NOT NULL,
  engine    TEXT NOT NULL,
  face      INTEGER NOT NULL,        -- index in the face set
  quality   REAL NOT NULL,           -- 0 to 100
  data      TEXT NOT NULL,           -- JSON without embedding and crop
  embedding BLOB,                    -- float32, little endian
  PRIMARY KEY (media, engine, face),
  FOREIGN KEY (media, engine) REFERENCES face_sets (media, engine)
);

-- Pictures have tables of their own, so that reading records does not read them.
CREATE TABLE face_crops (
  media  BLOB NOT NULL,
  engine TEXT NOT NULL,
  face   INTEGER NOT NULL,
  jpeg   BLOB NOT NULL,
  PRIMARY KEY (media, engine, face),
  FOREIGN KEY (media, engine, face) REFERENCES faces (media, engine, face)
);

CREATE TABLE thumbnails (
  media BLOB NOT NULL PRIMARY KEY REFERENCES media (sha256),
  jpeg  BLOB NOT NULL
);

-- What was found stays a record of what was found: collections are named, not
-- referred to, and may be gone.
CREATE TABLE findings (
  case_key   INTEGER NOT NULL REFERENCES cases (key),
  media      BLOB NOT NULL REFERENCES media (sha256),
  kind       TEXT NOT NULL,          -- hit, near-match, candidate, contradiction, known-good
  collection TEXT NOT NULL,          -- of a contradiction, the known-good one
  other      TEXT NOT NULL,          -- of a contradiction, the other one
  position   INTEGER NOT NULL,
  weak       INTEGER NOT NULL,       -- 1 for a hit that rests on MD5 alone
  data       TEXT NOT NULL,          -- JSON
  PRIMARY KEY (case_key, media, kind, collection, other, position)
) WITHOUT ROWID;

CREATE TABLE collections (
  key            INTEGER PRIMARY KEY AUTOINCREMENT,
  id             TEXT NOT NULL UNIQUE,
  name           TEXT NOT NULL UNIQUE,
  kind           TEXT NOT NULL,
  owner          TEXT NOT NULL,
  country        TEXT NOT NULL,
  basis          TEXT NOT NULL,
  handling       TEXT NOT NULL,
  review         TEXT NOT NULL,
  engine         TEXT NOT NULL,
  engine_version INTEGER NOT NULL,
  face_distance  REAL NOT NULL,
  pdq_distance   INTEGER NOT NULL,
  pdq_quality    INTEGER NOT NULL,
  hash_distance  INTEGER NOT NULL,
  created        TEXT NOT NULL,
  version        INTEGER NOT NULL,
  subjects       INTEGER NOT NULL,
  entries        INTEGER NOT NULL
);

CREATE TABLE subjects (
  key            INTEGER PRIMARY KEY AUTOINCREMENT,
  id             TEXT NOT NULL UNIQUE,
  collection_key INTEGER NOT NULL REFERENCES collections (key),
  label          TEXT NOT NULL,
  UNIQUE (collection_key, label)
);

CREATE TABLE subject_references (
  seq            INTEGER PRIMARY KEY AUTOINCREMENT,
  id             TEXT NOT NULL UNIQUE,
  collection_key INTEGER NOT NULL REFERENCES collections (key),
  subject_key    INTEGER NOT NULL REFERENCES subjects (key),
  source         TEXT NOT NULL,
  sha256         BLOB NOT NULL,
  type           TEXT NOT NULL,
  face           TEXT NOT NULL,      -- JSON without embedding and crop
  embedding      BLOB,               -- float32, little endian
  engine         TEXT NOT NULL,
  version        INTEGER NOT NULL,
  decoder        TEXT NOT NULL,
  created        TEXT NOT NULL,
  UNIQUE (subject_key, sha256)
);

CREATE INDEX subject_references_collection ON subject_references (collection_key, id);
CREATE INDEX subject_references_sha256 ON subject_references (sha256);

CREATE TABLE reference_crops (
  reference_seq INTEGER PRIMARY KEY REFERENCES subject_references (seq),
  jpeg          BLOB NOT NULL
);

CREATE TABLE hash_entries (
  id             INTEGER PRIMARY KEY AUTOINCREMENT,
  collection_key INTEGER NOT NULL REFERENCES collections (key),
  algorithm      TEXT NOT NULL,
  value          BLOB NOT NULL,
  size           INTEGER NOT NULL,
  quality        INTEGER NOT NULL,
  note           TEXT NOT NULL,
  source         TEXT NOT NULL,
  record         TEXT NOT NULL,
  decoder        TEXT NOT NULL,
  UNIQUE (collection_key, algorithm, value)
);

CREATE INDEX hash_entries_collection ON hash_entries (collection_key, id);

CREATE TABLE requests (
  key      INTEGER PRIMARY KEY AUTOINCREMENT,
  id       TEXT NOT NULL UNIQUE,
  case_key INTEGER NOT NULL REFERENCES cases (key),
  data     TEXT NOT NULL             -- JSON
);

CREATE INDEX requests_case ON requests (case_key, key);

CREATE TABLE jobs (
  key      INTEGER PRIMARY KEY AUTOINCREMENT,
  id       TEXT NOT NULL UNIQUE,
  kind     TEXT NOT NULL,
  case_id  TEXT NOT NULL,
  exhibit  TEXT NOT NULL,
  spec     TEXT NOT NULL,            -- JSON
  state    TEXT NOT NULL,
  attempts INTEGER NOT NULL,
  counts   TEXT NOT NULL,            -- JSON
  code     TEXT NOT NULL,
  error    TEXT NOT NULL,
  created  TEXT NOT NULL,
  updated  TEXT NOT NULL
);

CREATE INDEX jobs_case ON jobs (case_id, key);
CREATE INDEX jobs_state ON jobs (state, key);

CREATE TABLE tokens (
  id      TEXT PRIMARY KEY,
  name    TEXT NOT NULL UNIQUE,
  hash    BLOB NOT NULL UNIQUE,      -- SHA-256 of the token
  created TEXT NOT NULL,
  revoked TEXT
);

CREATE TABLE audit (
  seq   INTEGER PRIMARY KEY,
  event TEXT NOT NULL,               -- canonical JSON without hash
  hash  TEXT NOT NULL                -- SHA-256 of event, hexadecimal
);
