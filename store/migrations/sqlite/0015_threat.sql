-- Whether life is at risk: the work of such a case goes before that of others.
ALTER TABLE cases ADD COLUMN threat_to_life INTEGER NOT NULL DEFAULT 0;
