-- Months corrected after they closed, several allowances, costs beside prices, what is forgotten and what is watched.


-- Allowances of several kinds.


-- Costs beside prices.


-- Re-rating.


-- Retention.


-- Spend guard.


-- The directory as it lives.


-- Conflicts decided by hand.

-- Which version of a record an operator took; the latest entry of a record counts.
CREATE TABLE decisions (
    entry          INTEGER PRIMARY KEY,  -- position of the journal entry
    first_position INTEGER NOT NULL,     -- of the record that came first
    kept_position  INTEGER NOT NULL,     -- of the version taken
    why            TEXT    NOT NULL,
    by             TEXT    NOT NULL,
    at             INTEGER NOT NULL
);

-- What the system that bills today charges, as it said it: only of calls whose records tell.
CREATE TABLE incumbents (
    position INTEGER PRIMARY KEY,  -- of the record
    cost     NOT NULL,
    currency NOT NULL,
    seconds  NOT NULL              -- which it bills
);
-- The same of what nobody answered, which is kept for no other reason.
CREATE TABLE incumbents_unanswered (position INTEGER PRIMARY KEY, received_at INTEGER NOT NULL, record BLOB NOT NULL);
