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


-- Totals in few bytes.

-- How the digits in `lines` are to be read, as JSON: for each number of a line the lowest one, what a step above it means,
-- and where its digits stand. Null: `lines` is JSON, as earlier versions wrote it and as numbers beyond 63 bits need it.
-- Numbers of `usage_recent`: period, account, group, type, currency and decimals (four bytes as one number), calls, talk,
-- billable seconds, cost in nano-units; of `allowances_recent`: period, group, meter, seconds.
ALTER TABLE usage_recent ADD COLUMN shape TEXT;
ALTER TABLE allowances_recent ADD COLUMN shape TEXT;

-- Every line of `usage_recent`.
CREATE VIEW usage_recent_lines AS
WITH RECURSIVE
shaped AS MATERIALIZED (
    -- Of an empty blob nothing can be taken, not even nothing.
    SELECT row, iif(lines = x'', x'30', lines) AS lines, json_extract(shape, '$.count') AS count, json_extract(shape, '$.stride') AS stride,
        json_extract(shape, '$.lowest[0]') AS low0, json_extract(shape, '$.at[0]') + 1 AS at0, json_extract(shape, '$.width[0]') AS width0,
        json_extract(shape, '$.lowest[1]') AS low1, json_extract(shape, '$.at[1]') + 1 AS at1, json_extract(shape, '$.width[1]') AS width1,
        json_extract(shape, '$.lowest[2]') AS low2, json_extract(shape, '$.at[2]') + 1 AS at2, json_extract(shape, '$.width[2]') AS width2,
        json_extract(shape, '$.lowest[3]') AS low3, json_extract(shape, '$.at[3]') + 1 AS at3, json_extract(shape, '$.width[3]') AS width3,
        json_extract(shape, '$.lowest[4]') AS low4, json_extract(shape, '$.at[4]') + 1 AS at4, json_extract(shape, '$.width[4]') AS width4,
        json_extract(shape, '$.lowest[5]') AS low5, json_extract(shape, '$.at[5]') + 1 AS at5, json_extract(shape, '$.width[5]') AS width5,
        json_extract(shape, '$.lowest[6]') AS low6, json_extract(shape, '$.at[6]') + 1 AS at6, json_extract(shape, '$.width[6]') AS width6,
        json_extract(shape, '$.lowest[7]') AS low7, json_extract(shape, '$.at[7]') + 1 AS at7, json_extract(shape, '$.width[7]') AS width7,
        json_extract(shape, '$.lowest[8]') AS low8, json_extract(shape, '$.at[8]') + 1 AS at8, json_extract(shape, '$.width[8]') AS width8,
        json_extract(shape, '$.step[6]') AS step6, json_extract(shape, '$.step[7]') AS step7, json_extract(shape, '$.step[8]') AS step8
    FROM usage_recent WHERE shape IS NOT NULL
),
places(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM places WHERE n + 1 < (SELECT max(count) FROM shaped)),
numbers AS (
    SELECT row,
        low0 + CAST(substr(lines, n * stride + at0, width0) AS INTEGER) AS period,
        low1 + CAST(substr(lines, n * stride + at1, width1) AS INTEGER) AS account,
        low2 + CAST(substr(lines, n * stride + at2, width2) AS INTEGER) AS billing_group,
        low3 + CAST(substr(lines, n * stride + at3, width3) AS INTEGER) AS call_type,
        low4 + CAST(substr(lines, n * stride + at4, width4) AS INTEGER) AS currency,
        low5 + CAST(substr(lines, n * stride + at5, width5) AS INTEGER) AS calls,
        low6 + CAST(substr(lines, n * stride + at6, width6) AS INTEGER) * step6 AS talk,
        low7 + CAST(substr(lines, n * stride + at7, width7) AS INTEGER) * step7 AS billable_seconds,
        low8 + CAST(substr(lines, n * stride + at8, width8) AS INTEGER) * step8 AS cost
    FROM shaped CROSS JOIN places WHERE n < count
)
SELECT row, period, account, billing_group, call_type,
    char(currency >> 24, currency >> 16 & 255, currency >> 8 & 255) AS currency, calls, talk, billable_seconds,
    (cost - (cost % 1000000000 + 1000000000) % 1000000000) / 1000000000 AS cost_units,
    (cost % 1000000000 + 1000000000) % 1000000000 AS cost_nanos
FROM numbers
UNION ALL
SELECT r.row,
    json_extract(line.value, '$[0]'), json_extract(line.value, '$[1]'), json_extract(line.value, '$[2]'),
    json_extract(line.value, '$[3]'), json_extract(line.value, '$[4]'), json_extract(line.value, '$[6]'),
    json_extract(line.value, '$[7]'), json_extract(line.value, '$[8]'), json_extract(line.value, '$[9]'),
    json_extract(line.value, '$[10]')
FROM usage_recent r, json_each(r.lines) line WHERE r.shape IS NULL;

-- As before.
DROP VIEW usage_now;
CREATE VIEW usage_now AS
-- With max(), SQLite takes the other columns from the row that has the maximum.
WITH latest AS MATERIALIZED (
    SELECT *, max(row) FROM usage_recent_lines GROUP BY period, account, billing_group, call_type, currency
)
SELECT period, account, billing_group, call_type, currency, calls, talk, billable_seconds, cost_units, cost_nanos
FROM latest
UNION ALL
SELECT period, account, billing_group, call_type, currency, calls, talk, billable_seconds, cost_units, cost_nanos
FROM usage WHERE (period, account, billing_group, call_type, currency) NOT IN
    (SELECT period, account, billing_group, call_type, currency FROM latest);


-- Times in few bytes.

-- `calls.answer` counts ticks from the epoch (in microseconds since 1970, the middle of the month), `setup` and `duration`
-- count ticks; a tick is so many microseconds. Null: earlier versions counted microseconds since 1970.
ALTER TABLE ratings ADD COLUMN epoch INTEGER;
ALTER TABLE ratings ADD COLUMN tick INTEGER;

-- As before.
DROP VIEW call_details;
CREATE VIEW call_details AS
SELECT
    c.row AS row,
    a.name AS account,
    g.name AS billing_group,
    printf('%04d-%02d', r.period / 100, r.period % 100) AS period,
    CASE r.leg WHEN 0 THEN 'outbound' ELSE 'inbound' END AS leg,
    t.name AS call_type,
    CAST(c.source AS TEXT) AS source,
    CAST(c.destination AS TEXT) AS destination,
    CASE typeof(c.source_dialled)
        WHEN 'integer' THEN
            (SELECT f.prefix || substr(c.source, f.dropped + 1) FROM dial_forms f WHERE f.id = c.source_dialled)
        WHEN 'null' THEN ''
        ELSE CAST(c.source_dialled AS TEXT) END AS source_dialled,
    CASE typeof(c.destination_dialled)
        WHEN 'integer' THEN
            (SELECT f.prefix || substr(c.destination, f.dropped + 1) FROM dial_forms f WHERE f.id = c.destination_dialled)
        WHEN 'null' THEN ''
        ELSE CAST(c.destination_dialled AS TEXT) END AS destination_dialled,
    strftime('%Y-%m-%dT%H:%M:%S', (c.started - (c.started % 1000000 + 1000000) % 1000000) / 1000000, 'unixepoch')
        || printf('.%06dZ', (c.started % 1000000 + 1000000) % 1000000) AS start,
    strftime('%Y-%m-%dT%H:%M:%S', (c.answered - (c.answered % 1000000 + 1000000) % 1000000) / 1000000, 'unixepoch')
        || printf('.%06dZ', (c.answered % 1000000 + 1000000) % 1000000) AS answer,
    printf('%d.%06d', c.talk / 1000000, c.talk % 1000000) AS duration_seconds,
    c.billable_seconds AS billable_seconds,
    c.included_seconds AS included_seconds,
    r.currency AS currency,
    CASE r.cost_scale WHEN 0 THEN CAST(c.cost AS TEXT) ELSE
        CASE WHEN c.cost < 0 THEN '-' ELSE '' END
        || CAST(CAST(substr(printf('%020d', abs(c.cost)), 1, 20 - r.cost_scale) AS INTEGER) AS TEXT)
        || '.' || substr(printf('%020d', abs(c.cost)), -r.cost_scale) END AS cost,
    printf('%s%d.%09d', CASE WHEN r.rate < 0 THEN '-' ELSE '' END, abs(r.rate) / 1000000000, abs(r.rate) % 1000000000) AS rate,
    printf('%s%d.%09d', CASE WHEN r.connect_fee < 0 THEN '-' ELSE '' END, abs(r.connect_fee) / 1000000000, abs(r.connect_fee) % 1000000000) AS connect_fee,
    r.rule AS rule,
    r.plan AS plan,
    r.deck AS deck,
    r.prefix AS prefix,
    r.destination AS destination_name,
    r.step_mode AS step_mode,
    r.initial AS initial,
    r.increment AS increment,
    r.minimum AS minimum,
    r.tariff AS tariff,
    CASE typeof(c.node)
        WHEN 'integer' THEN (SELECT CAST(n.name AS TEXT) FROM nodes n WHERE n.id = c.node)
        ELSE CAST(c.node AS TEXT) END AS node,
    CASE typeof(c.call_id)
        WHEN 'blob' THEN CASE substr(hex(c.call_id), 1, 2)
            WHEN '01' THEN lower(substr(hex(c.call_id), 3))
            WHEN '02' THEN substr(hex(c.call_id), 3)
            WHEN '03' THEN lower(substr(hex(c.call_id), 3, 8) || '-' || substr(hex(c.call_id), 11, 4) || '-'
                || substr(hex(c.call_id), 15, 4) || '-' || substr(hex(c.call_id), 19, 4) || '-' || substr(hex(c.call_id), 23))
            WHEN '04' THEN substr(hex(c.call_id), 3, 8) || '-' || substr(hex(c.call_id), 11, 4) || '-'
                || substr(hex(c.call_id), 15, 4) || '-' || substr(hex(c.call_id), 19, 4) || '-' || substr(hex(c.call_id), 23)
            ELSE CAST(substr(c.call_id, 2) AS TEXT) END
        ELSE CAST(c.call_id AS TEXT) END AS call_id,
    c.position AS position,
    coalesce(c.revision, 0) AS revision,
    CASE WHEN r.adjusts IS NOT NULL THEN printf('%04d-%02d', r.adjusts / 100, r.adjusts % 100) END AS adjusts
FROM (
    SELECT calls.*, coalesce(epoch, 0) + answer * coalesce(tick, 1) AS answered,
        coalesce(epoch, 0) + (answer - setup) * coalesce(tick, 1) AS started, duration * coalesce(tick, 1) AS talk
    FROM calls JOIN ratings ON id = calls.rating
) c
JOIN ratings r ON r.id = c.rating
JOIN call_types t ON t.id = r.call_type
JOIN accounts a ON a.key = c.account
LEFT JOIN billing_groups g ON g.key = coalesce(c.billing_group, a.billing_group)
WHERE c.row NOT IN (SELECT row FROM superseded);
