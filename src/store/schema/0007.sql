-- Months corrected after they closed, several allowances, costs beside prices, what is forgotten and what is watched.


-- Allowances of several kinds.


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
