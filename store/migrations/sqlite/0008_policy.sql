-- What a curator decides about a collection, and what agencies say of their entries.

ALTER TABLE collections ADD COLUMN policy TEXT NOT NULL DEFAULT '{}';      -- JSON: whether it is off, its category set

ALTER TABLE hash_entries ADD COLUMN category TEXT NOT NULL DEFAULT '';     -- as the source wrote it

-- A set is never changed: another version is another set.
CREATE TABLE category_sets (
  id   TEXT PRIMARY KEY,             -- NAME/VERSION
  data TEXT NOT NULL                 -- JSON
);
