-- Groups of faces. Every set of cases that was grouped is a grouping of its own.
CREATE TABLE groupings (
  key           INTEGER PRIMARY KEY AUTOINCREMENT,
  engine        TEXT NOT NULL,
  version       INTEGER NOT NULL,
  scope         TEXT NOT NULL,       -- '*', or the ids of the cases, sorted, with commas
  distance      REAL NOT NULL,
  near_distance REAL NOT NULL,
  updated       TEXT NOT NULL,
  UNIQUE (engine, version, scope)
);

CREATE TABLE grouping_cases (
  grouping_key INTEGER NOT NULL REFERENCES groupings (key) ON DELETE CASCADE,
  case_key     INTEGER NOT NULL REFERENCES cases (key) ON DELETE CASCADE,
  PRIMARY KEY (grouping_key, case_key)
) WITHOUT ROWID;

-- Media that a run has looked at, as their face set is now.
CREATE TABLE group_media (
  grouping_key INTEGER NOT NULL REFERENCES groupings (key) ON DELETE CASCADE,
  media        BLOB NOT NULL REFERENCES media (sha256) ON DELETE CASCADE,
  PRIMARY KEY (grouping_key, media)
) WITHOUT ROWID;

CREATE INDEX group_media_media ON group_media (media);

CREATE TABLE face_groups (
  key          INTEGER PRIMARY KEY AUTOINCREMENT,
  grouping_key INTEGER NOT NULL REFERENCES groupings (key) ON DELETE CASCADE,
  name         TEXT NOT NULL,
  note         TEXT NOT NULL,
  core         BLOB,                 -- sum of the embeddings that count, float32, little endian; NULL: make it again
  squares      REAL NOT NULL,
  core_faces   INTEGER NOT NULL
);

CREATE INDEX face_groups_grouping ON face_groups (grouping_key, key);

CREATE TABLE group_faces (
  key          INTEGER PRIMARY KEY AUTOINCREMENT,
  grouping_key INTEGER NOT NULL REFERENCES groupings (key) ON DELETE CASCADE,
  media        BLOB NOT NULL REFERENCES media (sha256) ON DELETE CASCADE,
  engine       TEXT NOT NULL,
  face         INTEGER NOT NULL,     -- index in the face set
  frame        INTEGER NOT NULL,
  box          TEXT NOT NULL,        -- JSON; what finds the face again when its media is examined again
  poor         INTEGER NOT NULL,
  gone         INTEGER NOT NULL,     -- 1: its face set was replaced, and no run has looked since
  group_key    INTEGER NOT NULL REFERENCES face_groups (key),
  UNIQUE (grouping_key, media, face)
);

CREATE INDEX group_faces_group ON group_faces (group_key);
CREATE INDEX group_faces_media ON group_faces (media, engine, face);

-- Suggestions of a run.
CREATE TABLE near_groups (
  a        INTEGER NOT NULL REFERENCES face_groups (key) ON DELETE CASCADE,
  b        INTEGER NOT NULL REFERENCES face_groups (key) ON DELETE CASCADE,
  distance REAL NOT NULL,
  PRIMARY KEY (a, b)
) WITHOUT ROWID;

CREATE INDEX near_groups_b ON near_groups (b);

-- Groups that a person took apart: never suggested again while that edit stands.
CREATE TABLE apart_groups (
  a        INTEGER NOT NULL,
  b        INTEGER NOT NULL,
  edit_key INTEGER NOT NULL REFERENCES group_edits (key) ON DELETE CASCADE,
  PRIMARY KEY (a, b, edit_key)
) WITHOUT ROWID;

CREATE INDEX apart_groups_b ON apart_groups (b);

CREATE TABLE group_edits (
  key          INTEGER PRIMARY KEY AUTOINCREMENT,
  grouping_key INTEGER NOT NULL REFERENCES groupings (key) ON DELETE CASCADE,
  kind         TEXT NOT NULL,
  from_key     INTEGER NOT NULL,
  to_key       INTEGER NOT NULL,     -- 0 for a name
  name         TEXT NOT NULL,        -- after
  note         TEXT NOT NULL,
  old_name     TEXT NOT NULL,        -- of from, before
  old_note     TEXT NOT NULL,
  actor        TEXT NOT NULL,        -- JSON
  time         TEXT NOT NULL,
  undone       TEXT
);

CREATE INDEX group_edits_grouping ON group_edits (grouping_key, key);
CREATE INDEX group_edits_from ON group_edits (from_key);
CREATE INDEX group_edits_to ON group_edits (to_key);

CREATE TABLE group_moves (
  edit_key INTEGER NOT NULL REFERENCES group_edits (key) ON DELETE CASCADE,
  face_key INTEGER NOT NULL REFERENCES group_faces (key) ON DELETE CASCADE,
  PRIMARY KEY (edit_key, face_key)
) WITHOUT ROWID;

CREATE INDEX group_moves_face ON group_moves (face_key);

-- What is erased or examined again leaves nothing behind: no sum that a vector is in,
-- no face of media that lie in none of the cases any more, no group without a face.
CREATE TRIGGER group_face_gone AFTER DELETE ON faces BEGIN
  UPDATE face_groups SET core = NULL WHERE key IN
    (SELECT group_key FROM group_faces WHERE media = OLD.media AND engine = OLD.engine AND face = OLD.face);
  UPDATE group_faces SET gone = 1 WHERE media = OLD.media AND engine = OLD.engine AND face = OLD.face;
END;

CREATE TRIGGER group_media_again AFTER DELETE ON face_sets BEGIN
  DELETE FROM group_media WHERE media = OLD.media AND grouping_key IN (SELECT key FROM groupings WHERE engine = OLD.engine);
END;

CREATE TRIGGER group_face_erased AFTER DELETE ON group_faces BEGIN
  UPDATE face_groups SET core = NULL WHERE key = OLD.group_key;
  DELETE FROM face_groups WHERE key = OLD.group_key AND NOT EXISTS (SELECT 1 FROM group_faces WHERE group_key = OLD.group_key);
END;

CREATE TRIGGER group_item_erased AFTER DELETE ON items WHEN OLD.sha256 IS NOT NULL BEGIN
  DELETE FROM group_faces WHERE media = OLD.sha256 AND NOT EXISTS (SELECT 1 FROM items i JOIN exhibits x ON x.key = i.exhibit_key
    JOIN grouping_cases c ON c.case_key = x.case_key WHERE c.grouping_key = group_faces.grouping_key AND i.sha256 = OLD.sha256);
  DELETE FROM group_media WHERE media = OLD.sha256 AND NOT EXISTS (SELECT 1 FROM group_faces f WHERE f.grouping_key = group_media.grouping_key AND f.media = OLD.sha256);
END;

CREATE TRIGGER group_item_changed AFTER UPDATE OF sha256 ON items WHEN OLD.sha256 IS NOT NULL AND OLD.sha256 IS NOT NEW.sha256 BEGIN
  DELETE FROM group_faces WHERE media = OLD.sha256 AND NOT EXISTS (SELECT 1 FROM items i JOIN exhibits x ON x.key = i.exhibit_key
    JOIN grouping_cases c ON c.case_key = x.case_key WHERE c.grouping_key = group_faces.grouping_key AND i.sha256 = OLD.sha256);
  DELETE FROM group_media WHERE media = OLD.sha256 AND NOT EXISTS (SELECT 1 FROM group_faces f WHERE f.grouping_key = group_media.grouping_key AND f.media = OLD.sha256);
END;
