-- What proves a call when its record has left the journal, months that are closed, and corrections beside what they
-- correct. Rows of `calls` stay what they are for ever: a correction is a new row, and the old one is listed here.

-- What a record said beside its numbers and times, and by which settings and directory its call was resolved. Equal for
-- very many calls; the same tuple may stand here twice.
CREATE TABLE grounds (
    id           INTEGER PRIMARY KEY,
    source       INTEGER NOT NULL,     -- of the record's frame
    profile      INTEGER NOT NULL,     -- position of the entry in `sources`
    directory    INTEGER NOT NULL,     -- slot in `directories`
    direction    INTEGER NOT NULL,     -- as the record has it: 0 outbound, 1 inbound, -1 not said
    account      NOT NULL,             -- as the record names it
    forwarded_by NOT NULL
);

ALTER TABLE calls ADD COLUMN grounds INTEGER;       -- none: stored by a version that did not keep them
ALTER TABLE calls ADD COLUMN used_before INTEGER;   -- allowance seconds drawn before this call; none: no allowance asked
ALTER TABLE calls ADD COLUMN revision INTEGER;      -- none: as first rated

ALTER TABLE ratings ADD COLUMN adjusts INTEGER;     -- the month of a late call, 202610, where `period` is where it is billed

ALTER TABLE conflicts ADD COLUMN source_profile INTEGER;
ALTER TABLE conflicts ADD COLUMN received_at INTEGER;

-- Rows of `calls` that no longer count: a later revision stands for them, or none does.
CREATE TABLE superseded (row INTEGER PRIMARY KEY, flush INTEGER NOT NULL);

-- Months that are not simply open. `state`: sealing, sealed.
CREATE TABLE periods (
    period       INTEGER PRIMARY KEY,  -- 202610
    state        TEXT    NOT NULL,
    seal         INTEGER NOT NULL,     -- position of the entry that closed it: what was known there, counts
    sealed       INTEGER,              -- position of the entry behind which its revisions count
    requested_at INTEGER NOT NULL,
    requested_by TEXT    NOT NULL,
    digest       TEXT,                 -- BLAKE3 of what the manifest covers
    manifest     BLOB                  -- JSON, given out byte for byte
);

-- What the job that seals a month prepares, before one transaction makes it count.
CREATE TABLE seal_drafts (
    period INTEGER PRIMARY KEY, seal INTEGER NOT NULL, digest TEXT NOT NULL, manifest BLOB NOT NULL, outcome BLOB NOT NULL,
    superseded BLOB NOT NULL   -- rows of `calls`, whole numbers of 8 bytes, little-endian
);
CREATE TABLE seal_draft_rows (
    period INTEGER NOT NULL, number INTEGER NOT NULL, rows BLOB NOT NULL,
    PRIMARY KEY (period, number)
) WITHOUT ROWID;

-- Which job took which manifest.
CREATE TABLE acks (
    position INTEGER PRIMARY KEY, period INTEGER NOT NULL, digest TEXT NOT NULL, job TEXT NOT NULL, at INTEGER NOT NULL
);

-- What was taken out of suspense for good, by whom and why.
CREATE TABLE discarded (
    position  INTEGER NOT NULL, leg INTEGER NOT NULL,
    reason    TEXT    NOT NULL,        -- for which it was kept
    why       TEXT    NOT NULL,        -- in the words of whoever discarded it
    by        TEXT    NOT NULL,
    at        INTEGER NOT NULL,
    entry     INTEGER NOT NULL,        -- position of the journal entry
    node      NOT NULL,
    call_id   NOT NULL,
    record    BLOB    NOT NULL,
    PRIMARY KEY (position, leg)
);

-- As before, without what no longer counts.
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
    c.position AS position,
    coalesce(c.revision, 0) AS revision,
    CASE WHEN r.adjusts IS NOT NULL THEN printf('%04d-%02d', r.adjusts / 100, r.adjusts % 100) END AS adjusts
FROM calls c
JOIN ratings r ON r.id = c.rating
JOIN call_types t ON t.id = r.call_type
JOIN accounts a ON a.key = c.account
LEFT JOIN billing_groups g ON g.key = coalesce(c.billing_group, a.billing_group)
WHERE c.row NOT IN (SELECT row FROM superseded);
