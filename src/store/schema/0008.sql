-- Costs beside prices, months that hand something on, calls in quick succession.


-- Costs beside prices.


-- Roll-over, volume tiers, minimum spend.


-- Calls in quick succession.


-- What a closed month keeps.

