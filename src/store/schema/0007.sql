-- Months corrected after they closed, several allowances, costs beside prices, what is forgotten and what is watched.


-- Allowances of several kinds.

-- Seconds drawn by a group in a month, by meter: 0 is that of the plan's minutes, the one that `allowances` had; a pool has
-- the number of its name (FNV-1a, 32 bits). Lines of `allowances_recent` have the columns of this table, those of earlier
-- versions none for the meter.
CREATE TABLE meters (
    period INTEGER NOT NULL, billing_group INTEGER NOT NULL, meter INTEGER NOT NULL, used_seconds INTEGER NOT NULL,
    PRIMARY KEY (period, billing_group, meter)
) WITHOUT ROWID;
INSERT INTO meters SELECT period, billing_group, 0, used_seconds FROM allowances;
DROP TABLE allowances;

-- `calls.used_before` is text where a call asked other pools than the plan's minutes, JSON: for each pool in the order in
-- which they were asked its name (the plan's minutes have none), seconds drawn, seconds drawn before, seconds left before.


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

-- What was ordered, as the journal has it. `row_at`: how far a deletion is in `calls`.
CREATE TABLE retention (
    position INTEGER PRIMARY KEY,      -- of the journal entry
    what     TEXT    NOT NULL,         -- delete, hold, release, erase
    entry    TEXT    NOT NULL,         -- JSON
    row_at   INTEGER NOT NULL DEFAULT 0,
    stored   INTEGER NOT NULL DEFAULT 0,   -- the store has nothing more of it
    done_at  INTEGER                   -- nothing is left to do
);

-- Accounts of which nothing goes.
CREATE TABLE holds (account TEXT PRIMARY KEY, position INTEGER NOT NULL) WITHOUT ROWID;

-- Months whose details went by a rule, and accounts whose details stayed then because they were held.
CREATE TABLE deleted_months (period INTEGER PRIMARY KEY, retention INTEGER NOT NULL);
CREATE TABLE deletion_held (period INTEGER NOT NULL, account INTEGER NOT NULL, PRIMARY KEY (period, account)) WITHOUT ROWID;

-- Whose details of which month are gone, and between which positions of the journal their records lay.
CREATE TABLE deleted_details (
    period INTEGER NOT NULL, account INTEGER NOT NULL, retention INTEGER NOT NULL,
    rows INTEGER NOT NULL, first_position INTEGER NOT NULL, last_position INTEGER NOT NULL,
    PRIMARY KEY (period, account)
) WITHOUT ROWID;

-- What they added up to, so that totals and books can be checked without them.
CREATE TABLE deleted_sums (
    period INTEGER NOT NULL, account INTEGER NOT NULL, billing_group INTEGER NOT NULL, call_type INTEGER NOT NULL,
    currency TEXT NOT NULL, calls INTEGER NOT NULL,
    talk TEXT NOT NULL, billable_seconds INTEGER NOT NULL,
    cost TEXT NOT NULL,                -- nano-units, exact
    PRIMARY KEY (period, account, billing_group, call_type, currency)
) WITHOUT ROWID;

-- What they drew of allowances; the month is their own, as in `meters`.
CREATE TABLE deleted_draws (
    period INTEGER NOT NULL, billing_group INTEGER NOT NULL, meter INTEGER NOT NULL, seconds INTEGER NOT NULL,
    PRIMARY KEY (period, billing_group, meter)
) WITHOUT ROWID;

-- Whose it was, where that was known.
ALTER TABLE discarded ADD COLUMN account INTEGER;


-- Spend guard.

-- Rules that were in force, each from its position on.
CREATE TABLE guards (
    position INTEGER PRIMARY KEY,
    at       INTEGER NOT NULL,             -- microseconds since 1970
    by       TEXT NOT NULL,
    rules    TEXT NOT NULL                 -- JSON
);

-- Windows of the accounts that are watched, as of the stored position, in the program's own bytes.
CREATE TABLE guarded (
    account       INTEGER NOT NULL REFERENCES accounts (key),
    billing_group INTEGER NOT NULL,
    state         BLOB NOT NULL,
    PRIMARY KEY (account, billing_group)
) WITHOUT ROWID;

-- What was told.
CREATE TABLE guard_events (
    number  INTEGER PRIMARY KEY,           -- in the order of flushes
    id      TEXT NOT NULL UNIQUE,
    account INTEGER NOT NULL REFERENCES accounts (key),
    at      INTEGER NOT NULL,              -- receipt of the record, microseconds since 1970
    rule    TEXT NOT NULL,
    level   TEXT NOT NULL,
    summary TEXT NOT NULL,
    body    TEXT NOT NULL                  -- JSON
);

-- What became of it. May stand here before its event does.
CREATE TABLE guard_deliveries (
    event    TEXT NOT NULL,
    webhook  TEXT NOT NULL,
    at       INTEGER NOT NULL,
    given_up TEXT,                         -- why; NULL: it was taken
    PRIMARY KEY (event, webhook)
) WITHOUT ROWID;

-- The directory as it lives.

-- Where an account, or a number (with its +), was changed by itself: the position of the entry. A hint for a history, which
-- compares what the directories say before and behind it.
CREATE TABLE directory_changes (
    name     TEXT NOT NULL,
    position INTEGER NOT NULL,
    PRIMARY KEY (name, position)
) WITHOUT ROWID;


-- Conflicts decided by hand.

-- Which version of a record an operator took; the latest entry of a record counts.
CREATE TABLE decisions (
    entry          INTEGER PRIMARY KEY,  -- position of the journal entry
    first_position INTEGER NOT NULL,     -- of the record that came first
    kept_position  INTEGER NOT NULL,     -- of the version taken
    why            TEXT    NOT NULL,
    by             TEXT    NOT NULL,
    at             INTEGER NOT NULL
);

-- What the system that bills today charges, as it said it: only of calls whose records tell.
CREATE TABLE incumbents (
    position INTEGER PRIMARY KEY,  -- of the record
    cost     NOT NULL,
    currency NOT NULL,
    seconds  NOT NULL              -- which it bills
);
-- The same of what nobody answered, which is kept for no other reason.
CREATE TABLE incumbents_unanswered (position INTEGER PRIMARY KEY, received_at INTEGER NOT NULL, record BLOB NOT NULL);
