-- Calls that nodes tell in parts (RADIUS Start and Stop, SIP messages): what waits, and where the parts of a whole call lie.

-- Calls that are not whole, or were over a moment ago. The key is a hash in 16 bytes; the state holds the pieces.
-- Rows with pieces stay out of the key tree.
CREATE TABLE open_calls (row INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, state BLOB NOT NULL);

-- Where the pieces of a call lie in the journal: whole numbers of 8 bytes, little-endian, in order. `position` is that of
-- the piece that completed the call, by which `calls`, `suspense` and `conflicts` name it.
CREATE TABLE assembled (position INTEGER PRIMARY KEY, pieces BLOB NOT NULL);
