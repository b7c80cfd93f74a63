-- Costs beside prices, months that hand something on, calls in quick succession.


-- Costs beside prices.


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

