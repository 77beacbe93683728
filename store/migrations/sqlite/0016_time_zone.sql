-- The IANA name of the zone in which reports show times beside UTC; empty for none.
ALTER TABLE cases ADD COLUMN time_zone TEXT NOT NULL DEFAULT '';
