-- What a face set was made with; 0: the engine's own.
ALTER TABLE face_sets ADD COLUMN min_face INTEGER NOT NULL DEFAULT 0;
ALTER TABLE face_sets ADD COLUMN min_score REAL NOT NULL DEFAULT 0;
