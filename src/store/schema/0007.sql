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


-- Spend guard.


-- The directory as it lives.

-- Where an account, or a number (with its +), was changed by itself: the position of the entry. A hint for a history, which
-- compares what the directories say before and behind it.
CREATE TABLE directory_changes (
    name     TEXT NOT NULL,
    position INTEGER NOT NULL,
    PRIMARY KEY (name, position)
) WITHOUT ROWID;


-- Conflicts decided by hand.
