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


-- The directory as it lives.


-- Conflicts decided by hand.
