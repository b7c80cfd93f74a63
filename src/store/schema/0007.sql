-- Months corrected after they closed, several allowances, costs beside prices, what is forgotten and what is watched.


-- Allowances of several kinds.


-- Costs beside prices.


-- Re-rating.

-- Runs of re-rating. `state`: rating, counts, given up.
CREATE TABLE rerate_runs (
    run      INTEGER PRIMARY KEY,   -- from 1
    state    TEXT    NOT NULL,
    begun    INTEGER NOT NULL,      -- position of the entry that began it: what stands before it is rated again
    settled  INTEGER,               -- position of the entry behind which it counts, or that gave it up
    flush    INTEGER,               -- the flush that made it count: no other correction is in it
    entry    TEXT    NOT NULL,      -- JSON: scope, author, cause, instant
    report   BLOB,                  -- JSON: what it changed
    outcome  BLOB,                  -- what it changed beside rows of calls
    why_not  TEXT                   -- why it was given up
);

ALTER TABLE calls ADD COLUMN run INTEGER;           -- the run that wrote the row; none: rated as it came, or by a seal
-- 1: takes a call of a closed month back: cost, billable and included seconds are below zero. 2: an operator named the
-- tariff, so that sealing keeps it. None: neither.
ALTER TABLE calls ADD COLUMN correction INTEGER;

-- Rows of closed months that were taken back in an open one. They count in their month for ever.
CREATE TABLE reversed (row INTEGER PRIMARY KEY, flush INTEGER NOT NULL);

-- In drafts, `period` is minus the number of a run. Both are rows of `calls`, in whole numbers of 8 bytes, little-endian.
ALTER TABLE seal_drafts ADD COLUMN reversed BLOB;   -- taken back from now on
ALTER TABLE seal_drafts ADD COLUMN restored BLOB;   -- no longer taken back

-- Every row that a run wrote, with who asked for it and why. Reversals stand here with amounts below zero.
CREATE VIEW corrections AS
SELECT
    c.run AS run,
    json_extract(r.entry, '$.by') AS by,
    json_extract(r.entry, '$.why') AS why,
    coalesce(c.correction, 0) & 1 AS reversal,
    s.flush IS NULL AS counts,
    d.*
FROM calls c
JOIN rerate_runs r ON r.run = c.run
LEFT JOIN superseded s ON s.row = c.row
LEFT JOIN call_details d ON d.row = c.row
WHERE c.run IS NOT NULL;


-- Retention.


-- Spend guard.


-- The directory as it lives.


-- Conflicts decided by hand.
