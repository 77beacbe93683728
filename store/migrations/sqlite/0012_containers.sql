-- Items of containers: what the container keeps of them, and how far a container has been
-- opened (0: it is none, 1: being opened, 2: all of it).
ALTER TABLE items ADD COLUMN opened INTEGER NOT NULL DEFAULT 0;
ALTER TABLE items ADD COLUMN details TEXT; -- JSON; NULL: nothing
