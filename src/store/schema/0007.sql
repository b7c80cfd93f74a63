-- Months corrected after they closed, several allowances, costs beside prices, what is forgotten and what is watched.


-- Allowances of several kinds.


-- Costs beside prices.


-- Re-rating.


-- Retention.


-- Spend guard.


-- The directory as it lives.


-- Conflicts decided by hand.
