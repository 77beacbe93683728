-- The number of a media is its own, and its MD5 and SHA-1 are put in order after scans:
-- tables by random keys that grow with every file are what a file costs most.

-- The numbers that look-backs go by: a media that gets new signals gets a new one, and none
-- is ever given again.
ALTER TABLE media ADD COLUMN seq INTEGER;

UPDATE media SET seq = (SELECT k.seq FROM kept_media k WHERE k.media = media.sha256);

CREATE UNIQUE INDEX media_seq ON media (seq);

CREATE TABLE numbers (
  name TEXT PRIMARY KEY,
  last INTEGER NOT NULL              -- the last that was given
);

-- sorted: digests of media up to here are in media_digests, later ones are not.
INSERT INTO numbers (name, last) VALUES
  ('media', max(coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'kept_media'), 0), coalesce((SELECT max(seq) FROM media), 0))),
  ('sorted', 0);

DROP INDEX media_md5;
DROP INDEX media_sha1;
DROP TABLE kept_media;

CREATE TABLE media_digests (
  algorithm TEXT NOT NULL,           -- md5, sha1
  start     BLOB NOT NULL,           -- the first 8 bytes of the digest
  seq       INTEGER NOT NULL,        -- of the media
  PRIMARY KEY (algorithm, start, seq)
) WITHOUT ROWID;

CREATE TRIGGER media_digests_gone AFTER DELETE ON media BEGIN
  DELETE FROM media_digests WHERE algorithm = 'md5' AND start = substr(OLD.md5, 1, 8) AND seq = OLD.seq;
  DELETE FROM media_digests WHERE algorithm = 'sha1' AND start = substr(OLD.sha1, 1, 8) AND seq = OLD.seq;
END;

CREATE TRIGGER media_digests_renumbered AFTER UPDATE OF seq ON media
WHEN OLD.seq <> NEW.seq AND OLD.seq <= (SELECT last FROM numbers WHERE name = 'sorted') BEGIN
  DELETE FROM media_digests WHERE algorithm = 'md5' AND start = substr(OLD.md5, 1, 8) AND seq = OLD.seq;
  DELETE FROM media_digests WHERE algorithm = 'sha1' AND start = substr(OLD.sha1, 1, 8) AND seq = OLD.seq;
END;
