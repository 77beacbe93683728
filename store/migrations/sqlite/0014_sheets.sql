-- Contact sheets of videos; what their cells are, the analysis says.
CREATE TABLE sheets (
  media BLOB NOT NULL PRIMARY KEY REFERENCES media (sha256),
  jpeg  BLOB NOT NULL
);
