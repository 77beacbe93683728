-- Looking back: what exhibits were compared with, the order in which media got their
-- signals, and what the owners of cases are told when a collection changes.

-- A media that gets new signals gets a new number.
CREATE TABLE kept_media (
  seq   INTEGER PRIMARY KEY AUTOINCREMENT,
  media BLOB NOT NULL UNIQUE REFERENCES media (sha256) ON DELETE CASCADE
);

INSERT INTO kept_media (media) SELECT sha256 FROM media;

CREATE INDEX media_md5 ON media (md5);
CREATE INDEX media_sha1 ON media (sha1);

-- How often a collection lost entries or digest sets; it stays when the collection is erased.
CREATE TABLE collection_losses (
  collection TEXT PRIMARY KEY,       -- id
  losses     INTEGER NOT NULL
);

-- The sets of collections that the media of an exhibit were compared with.
CREATE TABLE exhibit_plans (
  key         INTEGER PRIMARY KEY AUTOINCREMENT,
  exhibit_key INTEGER NOT NULL REFERENCES exhibits (key) ON DELETE CASCADE,
  collections TEXT NOT NULL,         -- ids, sorted, with commas
  position    INTEGER NOT NULL,      -- the later scan has the larger one, over all exhibits
  scans       INTEGER NOT NULL,      -- raised whenever a scan begins or ends
  derived     INTEGER NOT NULL,      -- 1: not recorded by a scan but told from findings, when this table was made
  UNIQUE (exhibit_key, collections)
);

CREATE TABLE plan_collections (
  plan_key   INTEGER NOT NULL REFERENCES exhibit_plans (key) ON DELETE CASCADE,
  collection TEXT NOT NULL,          -- id
  name       TEXT NOT NULL,
  kind       TEXT NOT NULL,
  entry      INTEGER NOT NULL,       -- entries up to this id were compared
  digest_set INTEGER NOT NULL,       -- digest sets up to this key
  losses     INTEGER NOT NULL,       -- of the collection, when they were
  PRIMARY KEY (plan_key, collection)
) WITHOUT ROWID;

CREATE INDEX plan_collections_collection ON plan_collections (collection);

INSERT INTO exhibit_plans (exhibit_key, collections, position, scans, derived)
  SELECT exhibit_key, group_concat(id), exhibit_key, 0, 1 FROM (
    SELECT DISTINCT i.exhibit_key, c.id FROM exhibits e JOIN findings f ON f.case_key = e.case_key AND f.kind IN ('hit', 'near-match', 'known-good')
      JOIN items i ON i.exhibit_key = e.key AND i.sha256 = f.media JOIN collections c ON c.name = f.collection ORDER BY i.exhibit_key, c.id)
  GROUP BY exhibit_key;

INSERT INTO plan_collections (plan_key, collection, name, kind, entry, digest_set, losses)
  SELECT p.key, c.id, c.name, c.kind, 0, 0, 0 FROM exhibit_plans p JOIN collections c ON instr(p.collections, c.id) > 0;

-- How far a run has come that is not at its end.
CREATE TABLE lookbacks (
  collection TEXT PRIMARY KEY,       -- id
  run        TEXT NOT NULL,          -- what of the collection it looks at
  seq        INTEGER NOT NULL        -- media up to here are done
);

CREATE TABLE notices (
  key             INTEGER PRIMARY KEY AUTOINCREMENT,
  case_key        INTEGER NOT NULL REFERENCES cases (key) ON DELETE CASCADE,
  media           BLOB NOT NULL REFERENCES media (sha256) ON DELETE CASCADE,
  what            TEXT NOT NULL,
  kind            TEXT NOT NULL,     -- of the finding
  collection      TEXT NOT NULL,     -- name; of a contradiction, the known-good one
  other           TEXT NOT NULL,     -- of a contradiction, the other one
  entry           INTEGER NOT NULL,
  record          TEXT NOT NULL,     -- what tells the findings of one media in one collection apart
  before          TEXT,              -- JSON of Findings; NULL: it is new
  finding         TEXT,              -- the same; NULL: it is withdrawn
  remark          TEXT NOT NULL,
  made            TEXT NOT NULL,
  acknowledged    TEXT,
  acknowledged_by TEXT NOT NULL
);

CREATE INDEX notices_case ON notices (case_key, key);
CREATE INDEX notices_media ON notices (media, case_key);
