-- 1 from when a scan of the exhibit begins until one comes to its end.
ALTER TABLE exhibits ADD COLUMN unfinished INTEGER NOT NULL DEFAULT 0;
