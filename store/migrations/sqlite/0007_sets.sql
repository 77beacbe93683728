-- Digest sets: lists of any size, whose digests are in files of their own.
CREATE TABLE digest_sets (
  key            INTEGER PRIMARY KEY AUTOINCREMENT,
  id             TEXT NOT NULL UNIQUE,
  collection_key INTEGER NOT NULL REFERENCES collections (key),
  name           TEXT NOT NULL,
  digests        INTEGER NOT NULL,      -- of all algorithms
  data           TEXT NOT NULL,         -- JSON: sources, files with their SHA-256, counts, who
  added          TEXT NOT NULL
);

CREATE INDEX digest_sets_collection ON digest_sets (collection_key, key);
