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
-- What calls share that cost us the same way: which row of which cost deck, for which carrier. Where no row is known, `deck`,
-- `prefix` and `destination` are those by which the call was sold.
CREATE TABLE cost_bases (
    id          INTEGER PRIMARY KEY,
    tariff_slot INTEGER NOT NULL,
    plan_index  INTEGER NOT NULL,
    carrier_index INTEGER,             -- null: the plan's own cost decks
    row_index   INTEGER,               -- null: nobody is paid, or the cost is not known
    sold_index  INTEGER,               -- row by which it was sold, where row_index is null
    call_type   INTEGER NOT NULL,
    cost_scale  INTEGER NOT NULL,      -- amounts of call_costs count 10^-cost_scale of the currency
    currency    TEXT    NOT NULL,
    decimals    INTEGER NOT NULL,
    tariff      TEXT    NOT NULL,
    plan        TEXT    NOT NULL,
    carrier     TEXT    NOT NULL,
    deck        TEXT    NOT NULL,
    prefix      TEXT    NOT NULL,
    destination TEXT    NOT NULL
);
-- One row for each call of a plan that says how it is bought; other calls take nothing here. Amounts: null is not known.
CREATE TABLE call_costs (
    row              INTEGER PRIMARY KEY,   -- of `calls`
    basis            INTEGER NOT NULL,
    billable_seconds INTEGER NOT NULL,      -- by the carrier's steps
    cost             INTEGER,
    resale_1         INTEGER,               -- under the plan by which the account's is resold, and so on
    resale_2         INTEGER,
    resale_3         INTEGER
);
-- What they add up to, of calls that count. Sums of money are nano-units as text, exact, since they may be beyond 63 bits;
-- `resale` is a JSON array of [calls, "nano-units"] for each level, of calls whose price is known there.
CREATE TABLE margin_routes (
    period INTEGER NOT NULL, basis INTEGER NOT NULL,
    calls INTEGER NOT NULL, unknown INTEGER NOT NULL, talk INTEGER NOT NULL, billable_seconds INTEGER NOT NULL,
    revenue TEXT NOT NULL, revenue_known TEXT NOT NULL, cost TEXT NOT NULL, resale TEXT NOT NULL,
    PRIMARY KEY (period, basis)
) WITHOUT ROWID;
CREATE TABLE margin_accounts (
    period INTEGER NOT NULL, account INTEGER NOT NULL, currency TEXT NOT NULL,
    calls INTEGER NOT NULL, unknown INTEGER NOT NULL, talk INTEGER NOT NULL, billable_seconds INTEGER NOT NULL,
    revenue TEXT NOT NULL, revenue_known TEXT NOT NULL, cost TEXT NOT NULL, resale TEXT NOT NULL,
    decimals INTEGER NOT NULL,
    PRIMARY KEY (period, account, currency)
) WITHOUT ROWID;
-- Who carried the call on, as the record says. Null where it says nothing of it.
ALTER TABLE grounds ADD COLUMN carrier;


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
