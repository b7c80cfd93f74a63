-- Months corrected after they closed, several allowances, costs beside prices, what is forgotten and what is watched.


-- Allowances of several kinds.


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
    currency TEXT NOT NULL, own_period INTEGER NOT NULL, calls INTEGER NOT NULL,
    talk TEXT NOT NULL, billable_seconds INTEGER NOT NULL,
    cost TEXT NOT NULL,                -- nano-units, exact
    included_seconds INTEGER NOT NULL,
    PRIMARY KEY (period, account, billing_group, call_type, currency, own_period)
) WITHOUT ROWID;

-- Whose it was, where that was known.
ALTER TABLE discarded ADD COLUMN account INTEGER;


-- Spend guard.


-- The directory as it lives.


-- Conflicts decided by hand.
