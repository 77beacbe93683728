-- What lies in the metadata of pictures: the pictures embedded in it with their signals,
-- and the values by which media are linked.
CREATE TABLE embedded (
  media    BLOB NOT NULL REFERENCES media (sha256) ON DELETE CASCADE,
  position INTEGER NOT NULL,
  kind     TEXT NOT NULL,
  md5      BLOB NOT NULL,
  sha1     BLOB NOT NULL,
  sha256   BLOB NOT NULL,
  size     INTEGER NOT NULL,
  width    INTEGER NOT NULL,
  height   INTEGER NOT NULL,
  reason   TEXT NOT NULL,            -- why it has no signals, or what is wrong with it
  PRIMARY KEY (media, position)
) WITHOUT ROWID;

CREATE INDEX embedded_md5 ON embedded (md5);
CREATE INDEX embedded_sha1 ON embedded (sha1);
CREATE INDEX embedded_sha256 ON embedded (sha256);

CREATE TABLE embedded_signals (
  media     BLOB NOT NULL,
  position  INTEGER NOT NULL,
  frame     INTEGER NOT NULL,        -- 0: as stored; 1: between its black bars
  algorithm TEXT NOT NULL,
  value     BLOB NOT NULL,
  quality   INTEGER NOT NULL,
  turned    BLOB,
  PRIMARY KEY (media, position, frame, algorithm),
  FOREIGN KEY (media, position) REFERENCES embedded (media, position) ON DELETE CASCADE
) WITHOUT ROWID;

-- Derived from the metadata in media.analysis: upper case, single blanks, no placeholders.
CREATE TABLE traces (
  media BLOB NOT NULL REFERENCES media (sha256) ON DELETE CASCADE,
  kind  TEXT NOT NULL,               -- camera model, camera serial, lens serial, image id, document id, camera owner
  maker TEXT NOT NULL,
  value TEXT NOT NULL,
  PRIMARY KEY (media, kind, maker, value)
) WITHOUT ROWID;

CREATE INDEX traces_value ON traces (kind, value, maker);

INSERT INTO traces (media, kind, maker, value)
  SELECT sha256, 'camera model', upper(trim(coalesce(analysis ->> '$.metadata.make', ''))), upper(trim(analysis ->> '$.metadata.model'))
  FROM media WHERE trim(coalesce(analysis ->> '$.metadata.model', '')) <> '';
INSERT INTO traces (media, kind, maker, value)
  SELECT sha256, 'camera serial', upper(trim(coalesce(analysis ->> '$.metadata.make', ''))), upper(trim(analysis ->> '$.metadata.serial'))
  FROM media WHERE trim(coalesce(analysis ->> '$.metadata.serial', ''), ' 0-.') <> '';
