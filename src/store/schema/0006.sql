-- What a call told in parts is known by, so that a lost index of identities learns it again when the journal no longer has
-- its parts. Null in rows of earlier versions.

-- The identity in 16 bytes, little-endian; the digest of the content as a signed number.
ALTER TABLE assembled ADD COLUMN identity BLOB;
ALTER TABLE assembled ADD COLUMN content INTEGER;
