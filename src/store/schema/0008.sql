-- Costs beside prices, months that hand something on, calls in quick succession.


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
    billable_seconds INTEGER NOT NULL,      -- by the carrier's steps; of a reversal it and all amounts are below zero
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
-- The same of calls whose details are deleted, which stay in the tables above: so that these can be checked without them.
CREATE TABLE deleted_margins (
    period INTEGER NOT NULL, account INTEGER NOT NULL, currency TEXT NOT NULL,
    calls INTEGER NOT NULL, unknown INTEGER NOT NULL, talk INTEGER NOT NULL, billable_seconds INTEGER NOT NULL,
    revenue TEXT NOT NULL, revenue_known TEXT NOT NULL, cost TEXT NOT NULL, resale TEXT NOT NULL,
    decimals INTEGER NOT NULL,
    PRIMARY KEY (period, account, currency)
) WITHOUT ROWID;
-- Who carried the call on, as the record says. Null where it says nothing of it.
ALTER TABLE grounds ADD COLUMN carrier;


-- Roll-over, volume tiers, minimum spend.


-- Calls in quick succession.

-- Calls between two numbers that count as one call, of which a next one may be a part (rule R28); forgotten a while after.
CREATE TABLE chains (
    billing_group    INTEGER NOT NULL,
    source           TEXT    NOT NULL,    -- E.164 with +
    destination      TEXT    NOT NULL,
    position         INTEGER NOT NULL,    -- of the last call
    period           INTEGER NOT NULL,
    tariff           INTEGER NOT NULL,    -- slot
    plan             INTEGER NOT NULL,    -- its place in that tariff
    rule             INTEGER NOT NULL,    -- that decided the kind of call
    begin            INTEGER NOT NULL,    -- answer of the first, microseconds since 1970
    end              INTEGER NOT NULL,    -- end of the last
    talk             INTEGER NOT NULL,    -- microseconds, of all
    billable_seconds INTEGER NOT NULL,
    included_seconds INTEGER NOT NULL,
    cost             TEXT    NOT NULL,    -- so far
    PRIMARY KEY (billing_group, source, destination)
) WITHOUT ROWID;

-- `calls.used_before` of a call that is a part of one with calls before it is an object: `after`, what those came to (answer
-- of the first and talk time in microseconds, seconds billed, seconds covered, cost), and `draws`, the list of 0007.


-- What a closed month keeps.

