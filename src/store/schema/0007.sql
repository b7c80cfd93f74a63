-- Months corrected after they closed, several allowances, costs beside prices, what is forgotten and what is watched.


-- Allowances of several kinds.


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
