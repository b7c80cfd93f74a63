-- The tables. Amounts and times are whole numbers: microseconds since 1970 (UTC), microseconds of talk, nano-units of
-- money (10^-9 of a currency unit) unless a column says otherwise. Columns without a type hold whole numbers where the
-- value could be packed, and text (or a blob, where it is no UTF-8) where it could not; the views show all as text.

-- Where the store stands: everything here is the fold of the journal up to `position`.
CREATE TABLE state (
    id       INTEGER PRIMARY KEY CHECK (id = 1),
    position INTEGER NOT NULL,
    flush    INTEGER NOT NULL
);
INSERT INTO state VALUES (1, 0, 0);

CREATE TABLE flushes (
    number        INTEGER PRIMARY KEY,
    from_position INTEGER NOT NULL,
    upto_position INTEGER NOT NULL,
    at            INTEGER NOT NULL,
    first_row     INTEGER NOT NULL,   -- of `calls`; meaningless where calls = 0
    calls         INTEGER NOT NULL
);
-- Grows at its end only: leads from a record's position to its flush.
CREATE INDEX flushes_by_position ON flushes (upto_position);

CREATE TABLE accounts (
    key           INTEGER PRIMARY KEY,
    name          TEXT NOT NULL UNIQUE,
    billing_group INTEGER             -- of its first call; calls name a group only where it differs
);
CREATE TABLE billing_groups (key INTEGER PRIMARY KEY, name TEXT NOT NULL);

CREATE TABLE tariffs (
    slot INTEGER PRIMARY KEY, position INTEGER NOT NULL, digest TEXT NOT NULL,
    effective_from INTEGER, activated_at INTEGER NOT NULL, activated_by TEXT NOT NULL
);
CREATE TABLE directories (
    slot INTEGER PRIMARY KEY, position INTEGER NOT NULL, digest TEXT NOT NULL,
    effective_from INTEGER, activated_at INTEGER NOT NULL, activated_by TEXT NOT NULL
);
CREATE TABLE sources (
    position INTEGER NOT NULL, source INTEGER NOT NULL, profile TEXT NOT NULL,
    PRIMARY KEY (position, source)
) WITHOUT ROWID;

CREATE TABLE call_types (id INTEGER PRIMARY KEY, name TEXT NOT NULL);

-- What is equal for very many calls of a month: all that decided type and price.
-- The same tuple may stand here twice; calls point to either.
CREATE TABLE ratings (
    id           INTEGER PRIMARY KEY,
    period       INTEGER NOT NULL,    -- 202610
    leg          INTEGER NOT NULL,    -- 0 outbound, 1 inbound
    call_type    INTEGER NOT NULL,
    cost_scale   INTEGER NOT NULL,    -- calls.cost counts 10^-cost_scale of the currency
    currency     TEXT    NOT NULL,
    decimals     INTEGER NOT NULL,    -- to which costs were rounded
    rule         INTEGER NOT NULL,    -- 6 to 12
    tariff_slot  INTEGER NOT NULL,
    plan_index   INTEGER NOT NULL,
    row_index    INTEGER,
    tariff       TEXT NOT NULL,       -- BLAKE3 of the image
    plan         TEXT NOT NULL,
    deck         TEXT NOT NULL,
    prefix       TEXT NOT NULL,
    destination  TEXT NOT NULL,
    step_mode    TEXT NOT NULL,
    initial      INTEGER NOT NULL,
    increment    INTEGER NOT NULL,
    minimum      INTEGER NOT NULL,
    free_below   INTEGER NOT NULL,    -- microseconds
    rate         INTEGER NOT NULL,    -- nano-units a minute
    connect_fee  INTEGER NOT NULL,    -- nano-units
    minimum_cost INTEGER,
    maximum_cost INTEGER
);

CREATE TABLE nodes (id INTEGER PRIMARY KEY, name NOT NULL);

-- How a dialled number differs from its E.164 form: drop so many digits from the front, put the prefix before.
CREATE TABLE dial_forms (id INTEGER PRIMARY KEY, prefix TEXT NOT NULL, dropped INTEGER NOT NULL);

-- One row a leg, in the order of flushes, within a flush by account, period and answer. No index: one over millions of
-- rows in another order costs more than all the rest; `segments` and `locators` lead to an account's rows instead.
CREATE TABLE calls (
    row                 INTEGER PRIMARY KEY,
    position            INTEGER NOT NULL,   -- of the record in the journal
    account             INTEGER NOT NULL,
    billing_group       INTEGER,            -- none: the account's own in `accounts`
    answer              INTEGER NOT NULL,
    setup               INTEGER,            -- answer minus start, microseconds
    duration            INTEGER NOT NULL,   -- microseconds
    source,                                 -- E.164 digits as a number
    source_dialled,                         -- a whole number points to `dial_forms`
    destination,
    destination_dialled,
    rating              INTEGER NOT NULL,
    billable_seconds    INTEGER NOT NULL,
    included_seconds    INTEGER NOT NULL,
    cost                INTEGER NOT NULL,   -- 10^-ratings.cost_scale
    node                NOT NULL,           -- a whole number points to `nodes`
    call_id             NOT NULL            -- packed where it is hexadecimal, a UUID or a number
);

-- Legs that were stored later than the flush of their record (resolved by a retry).
CREATE TABLE late_calls (
    position INTEGER NOT NULL, row INTEGER NOT NULL,
    PRIMARY KEY (position, row)
) WITHOUT ROWID;

-- A segment covers a stretch of `calls` (one flush, later many); its locators list, by account and period, where the
-- rows lie: runs of (first row, count). A locator's id is segment * 2^32 + its first account.
CREATE TABLE segments (
    id         INTEGER PRIMARY KEY,
    level      INTEGER NOT NULL,
    first_row  INTEGER NOT NULL,
    calls      INTEGER NOT NULL,
    period_min INTEGER NOT NULL,
    period_max INTEGER NOT NULL
);
CREATE TABLE locators (id INTEGER PRIMARY KEY, runs BLOB NOT NULL);

-- Totals. A flush appends the new values of what it touched to `…_recent` and brings one sixteenth of the accounts up
-- to date here, so that every line is here at most sixteen flushes later and a flush never touches every page. The
-- latest recent line counts, else the line here: the view `usage_now` says so in SQL.
-- A recent row (flush * 2^24 + n) holds some 256 lines, sorted, as JSON arrays in the order of the table's columns;
-- period and owner are those of its first line.
CREATE TABLE usage (
    period           INTEGER NOT NULL,
    account          INTEGER NOT NULL,
    billing_group    INTEGER NOT NULL,   -- whose allowance the calls drew
    call_type        INTEGER NOT NULL,
    currency         TEXT    NOT NULL,
    decimals         INTEGER NOT NULL,   -- in which amounts are shown
    calls            INTEGER NOT NULL,
    talk             INTEGER NOT NULL,   -- microseconds
    billable_seconds INTEGER NOT NULL,
    cost_units       INTEGER NOT NULL,   -- whole units, rounded down; exact together with
    cost_nanos       INTEGER NOT NULL,   -- 0 to 999 999 999
    PRIMARY KEY (period, account, billing_group, call_type, currency)
) WITHOUT ROWID;
CREATE TABLE usage_recent (
    row INTEGER PRIMARY KEY, period INTEGER NOT NULL, owner INTEGER NOT NULL, lines TEXT NOT NULL
);
CREATE TABLE allowances (
    period INTEGER NOT NULL, billing_group INTEGER NOT NULL, used_seconds INTEGER NOT NULL,
    PRIMARY KEY (period, billing_group)
) WITHOUT ROWID;
CREATE TABLE allowances_recent (
    row INTEGER PRIMARY KEY, period INTEGER NOT NULL, owner INTEGER NOT NULL, lines TEXT NOT NULL
);

-- What could not be rated. leg: 0 outbound, 1 inbound, -1 the whole record. Rows with records stay out of the key trees.
CREATE TABLE suspense (
    row                 INTEGER PRIMARY KEY,
    position            INTEGER NOT NULL,
    leg                 INTEGER NOT NULL,
    reason              TEXT    NOT NULL,
    attempt             INTEGER NOT NULL,
    account             INTEGER,
    period              INTEGER,          -- of a leg
    answer              INTEGER,
    received_at         INTEGER NOT NULL,
    source_profile      INTEGER NOT NULL,
    node                NOT NULL,
    call_id             NOT NULL,
    source_dialled      NOT NULL,
    destination_dialled NOT NULL,
    detail              TEXT    NOT NULL,
    record              BLOB    NOT NULL
);
CREATE UNIQUE INDEX suspense_by_key ON suspense (position, leg);
CREATE INDEX suspense_by_reason ON suspense (reason, position, leg);

CREATE TABLE retried (
    position INTEGER NOT NULL, leg INTEGER NOT NULL, attempt INTEGER NOT NULL,
    PRIMARY KEY (position, leg)
) WITHOUT ROWID;

CREATE TABLE conflicts (position INTEGER PRIMARY KEY, first_position INTEGER NOT NULL, record BLOB NOT NULL);

-- Counts, and nano-units of money, which may be beyond 63 bits: as text, exact.
CREATE TABLE books (name TEXT PRIMARY KEY, ordinal INTEGER NOT NULL, value TEXT NOT NULL) WITHOUT ROWID;
