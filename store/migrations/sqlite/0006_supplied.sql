-- Supplied values: PhotoDNA of lists, and what an agency's own programs give.

ALTER TABLE collections ADD COLUMN photodna_distance INTEGER NOT NULL DEFAULT 0; -- sum of squared differences of bytes, inclusive
UPDATE collections SET photodna_distance = 40000 WHERE kind IN ('hashes', 'known-good');

ALTER TABLE signals ADD COLUMN provider TEXT NOT NULL DEFAULT '';                -- of a supplied value: the program that gave it
ALTER TABLE signals ADD COLUMN provider_version TEXT NOT NULL DEFAULT '';
