package containers

const sqliteMagic = "SQLite format 3\x00"
const oleMagic = "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
