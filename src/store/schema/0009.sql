-- Minimum spend of plans.

-- What sealed months bill beside their calls, so that an account spends what its plan asks at least: one row for each account
-- and currency of which a month's plan asks anything (`own` is `period`), and one where a later month `period` bills calls of
-- the sealed month `own` (late ones, corrections), which may change what was short there. Rows of a month that is not sealed
-- yet are a draft. Sums of money: whole units, rounded down, and nano-units, 0 to 999 999 999; exact together.
CREATE TABLE minimums (
    own           INTEGER NOT NULL,   -- 202610: the month whose minimum it is
    account       INTEGER NOT NULL,
    currency      TEXT    NOT NULL,
    period        INTEGER NOT NULL,   -- the month that bills it
    billing_group INTEGER NOT NULL,   -- the account's, at the end of `own`
    decimals      INTEGER NOT NULL,   -- in which amounts are shown
    minimum       INTEGER NOT NULL,   -- nano-units: what the account is to spend at least in `own`
    charged_units INTEGER NOT NULL,   -- calls of `own`, as far as `period` and the months sealed before it bill them
    charged_nanos INTEGER NOT NULL,
    cost_units    INTEGER NOT NULL,   -- what `period` bills: what is short; below zero: given back
    cost_nanos    INTEGER NOT NULL,
    PRIMARY KEY (own, account, currency, period)
) WITHOUT ROWID;
CREATE INDEX minimums_by_period ON minimums (period, account) WHERE own <> period;

-- In which months others' calls are billed, which are few.
CREATE INDEX ratings_adjusting ON ratings (period, adjusts) WHERE adjusts IS NOT NULL;

CREATE VIEW minimum_spend AS
SELECT
    a.name AS account,
    g.name AS billing_group,
    printf('%04d-%02d', m.period / 100, m.period % 100) AS period,
    printf('%04d-%02d', m.own / 100, m.own % 100) AS own_period,
    m.currency AS currency,
    printf('%d.%09d', m.minimum / 1000000000, m.minimum % 1000000000) AS minimum,
    CASE WHEN m.charged_units < 0 AND m.charged_nanos > 0
        THEN printf('-%d.%09d', -(m.charged_units + 1), 1000000000 - m.charged_nanos)
        ELSE printf('%d.%09d', m.charged_units, m.charged_nanos) END AS charged,
    CASE WHEN m.cost_units < 0 AND m.cost_nanos > 0
        THEN printf('-%d.%09d', -(m.cost_units + 1), 1000000000 - m.cost_nanos)
        ELSE printf('%d.%09d', m.cost_units, m.cost_nanos) END AS cost
FROM minimums m
JOIN periods p ON p.period = m.period AND p.sealed IS NOT NULL
JOIN accounts a ON a.key = m.account
LEFT JOIN billing_groups g ON g.key = m.billing_group;
