-- Exchange rates in the view of call details.

-- `rate` and `connect_fee` are the deck's, in the currency `exchange_from` where that is not null; the call's price is what they
-- are times `exchange_rate`, which is how much of `currency` one of it is.
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
    CASE WHEN r.adjusts IS NOT NULL THEN printf('%04d-%02d', r.adjusts / 100, r.adjusts % 100) END AS adjusts,
    r.exchange_from AS exchange_from,
    CASE WHEN r.exchange_rate IS NOT NULL
        THEN printf('%d.%09d', r.exchange_rate / 1000000000, r.exchange_rate % 1000000000) END AS exchange_rate
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
