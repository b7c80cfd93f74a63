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


-- Retention.


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
