-- Selectors: phone numbers, e-mail addresses and the like, found in media and in the names of
-- items, and in collections.

ALTER TABLE hash_entries ADD COLUMN raw TEXT NOT NULL DEFAULT ''; -- of a selector, as its source wrote it

-- One row for each country for whose cases a media was looked at, no selector included.
CREATE TABLE selector_sets (
  media     BLOB NOT NULL REFERENCES media (sha256) ON DELETE CASCADE,
  country   TEXT NOT NULL,
  version   INTEGER NOT NULL,        -- of the rules
  documents INTEGER NOT NULL,        -- 1: document numbers were looked for
  encoding  TEXT NOT NULL,           -- of the text; empty: only metadata was looked at
  bytes     INTEGER NOT NULL,        -- of the text that were looked at
  dropped   INTEGER NOT NULL,        -- finds over the limit
  PRIMARY KEY (media, country)
) WITHOUT ROWID;

CREATE TABLE media_selectors (
  media    BLOB NOT NULL,
  country  TEXT NOT NULL,
  position INTEGER NOT NULL,
  kind     TEXT NOT NULL,
  value    TEXT NOT NULL,            -- normalized
  raw      TEXT NOT NULL,
  verified INTEGER NOT NULL,         -- 1: a checksum within it agrees
  place    TEXT NOT NULL,            -- of the first
  count    INTEGER NOT NULL,
  PRIMARY KEY (media, country, position),
  FOREIGN KEY (media, country) REFERENCES selector_sets (media, country) ON DELETE CASCADE
) WITHOUT ROWID;

CREATE INDEX media_selectors_value ON media_selectors (kind, value);

CREATE TABLE item_selectors (
  exhibit_key INTEGER NOT NULL,
  path        TEXT NOT NULL,
  kind        TEXT NOT NULL,
  value       TEXT NOT NULL,
  raw         TEXT NOT NULL,
  verified    INTEGER NOT NULL,
  PRIMARY KEY (exhibit_key, path, kind, value),
  FOREIGN KEY (exhibit_key, path) REFERENCES items (exhibit_key, path) ON DELETE CASCADE
) WITHOUT ROWID;

CREATE INDEX item_selectors_value ON item_selectors (kind, value);
