-- Decks in another currency than their plan's: how the price became the cost. `rate`, `connect_fee` and the caps of such a
-- row are in `exchange_from`; `currency` is that of the cost.
ALTER TABLE ratings ADD COLUMN exchange_from TEXT;
-- What one unit of it is worth, times 10^9; null where price and cost have one currency.
ALTER TABLE ratings ADD COLUMN exchange_rate INTEGER;

-- Where a ported number leads, as the record says: the call was rated by it. Null where the record says nothing of it.
ALTER TABLE grounds ADD COLUMN routing_number;
