-- Stacks: identical and nearly identical media of a case. Derived: it may be thrown away,
-- and is made again.
CREATE TABLE stackings (
  case_key INTEGER PRIMARY KEY REFERENCES cases (key) ON DELETE CASCADE,
  distance INTEGER NOT NULL,         -- bits
  quality  INTEGER NOT NULL          -- PDQ under it are not stacked
);

CREATE TABLE stack_media (
  key            INTEGER PRIMARY KEY AUTOINCREMENT, -- what the index of hashes calls it
  case_key       INTEGER NOT NULL REFERENCES stackings (case_key) ON DELETE CASCADE,
  media          BLOB NOT NULL REFERENCES media (sha256) ON DELETE CASCADE,
  seq            INTEGER NOT NULL,   -- of kept_media, when it was stacked
  representative BLOB NOT NULL,
  distance       INTEGER NOT NULL,   -- from the representative, bits
  UNIQUE (case_key, media)
);

CREATE INDEX stack_media_representative ON stack_media (case_key, representative);
CREATE INDEX stack_media_media ON stack_media (media);
