-- Views in which everything can be read: text, ISO times in UTC, exact decimals. `sqlite3 callrated.db` is enough.

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
    strftime('%Y-%m-%dT%H:%M:%S', (c.answer - c.setup - ((c.answer - c.setup) % 1000000 + 1000000) % 1000000) / 1000000, 'unixepoch')
        || printf('.%06dZ', ((c.answer - c.setup) % 1000000 + 1000000) % 1000000) AS start,
    strftime('%Y-%m-%dT%H:%M:%S', (c.answer - (c.answer % 1000000 + 1000000) % 1000000) / 1000000, 'unixepoch')
        || printf('.%06dZ', (c.answer % 1000000 + 1000000) % 1000000) AS answer,
    printf('%d.%06d', c.duration / 1000000, c.duration % 1000000) AS duration_seconds,
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
    c.position AS position
FROM calls c
JOIN ratings r ON r.id = c.rating
JOIN call_types t ON t.id = r.call_type
JOIN accounts a ON a.key = c.account
LEFT JOIN billing_groups g ON g.key = coalesce(c.billing_group, a.billing_group);

-- The lines of `usage`, each with its latest value.
CREATE VIEW usage_now AS
WITH lines AS (
    SELECT r.row AS row,
        json_extract(line.value, '$[0]') AS period, json_extract(line.value, '$[1]') AS account,
        json_extract(line.value, '$[2]') AS billing_group, json_extract(line.value, '$[3]') AS call_type,
        json_extract(line.value, '$[4]') AS currency, json_extract(line.value, '$[6]') AS calls,
        json_extract(line.value, '$[7]') AS talk, json_extract(line.value, '$[8]') AS billable_seconds,
        json_extract(line.value, '$[9]') AS cost_units, json_extract(line.value, '$[10]') AS cost_nanos
    FROM usage_recent r, json_each(r.lines) line
),
-- With max(), SQLite takes the other columns from the row that has the maximum.
latest AS MATERIALIZED (
    SELECT *, max(row) FROM lines GROUP BY period, account, billing_group, call_type, currency
)
SELECT period, account, billing_group, call_type, currency, calls, talk, billable_seconds, cost_units, cost_nanos
FROM latest
UNION ALL
SELECT period, account, billing_group, call_type, currency, calls, talk, billable_seconds, cost_units, cost_nanos
FROM usage WHERE (period, account, billing_group, call_type, currency) NOT IN
    (SELECT period, account, billing_group, call_type, currency FROM latest);

CREATE VIEW account_usage AS
SELECT
    a.name AS account,
    g.name AS billing_group,
    printf('%04d-%02d', u.period / 100, u.period % 100) AS period,
    t.name AS call_type,
    u.currency AS currency,
    u.calls AS calls,
    printf('%d.%06d', u.talk / 1000000, u.talk % 1000000) AS seconds,
    u.billable_seconds AS billable_seconds,
    CASE WHEN u.cost_units < 0 AND u.cost_nanos > 0
        THEN printf('-%d.%09d', -(u.cost_units + 1), 1000000000 - u.cost_nanos)
        ELSE printf('%d.%09d', u.cost_units, u.cost_nanos) END AS cost
FROM usage_now u
JOIN accounts a ON a.key = u.account
LEFT JOIN billing_groups g ON g.key = u.billing_group
JOIN call_types t ON t.id = u.call_type;

CREATE VIEW suspended AS
SELECT
    s.position AS position,
    CASE s.leg WHEN 0 THEN 'outbound' WHEN 1 THEN 'inbound' ELSE '' END AS leg,
    s.reason AS reason,
    a.name AS account,
    CAST(s.node AS TEXT) AS node,
    CAST(s.call_id AS TEXT) AS call_id,
    CAST(s.source_dialled AS TEXT) AS source_dialled,
    CAST(s.destination_dialled AS TEXT) AS destination_dialled,
    strftime('%Y-%m-%dT%H:%M:%S', (s.answer - (s.answer % 1000000 + 1000000) % 1000000) / 1000000, 'unixepoch')
        || printf('.%06dZ', (s.answer % 1000000 + 1000000) % 1000000) AS answer,
    strftime('%Y-%m-%dT%H:%M:%SZ', s.received_at / 1000000, 'unixepoch') AS received_at,
    s.detail AS detail
FROM suspense s LEFT JOIN accounts a ON a.key = s.account;
