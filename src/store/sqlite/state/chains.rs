//! The table of calls in quick succession that are under way.
//!
//! Does not know what joins calls.

use rusqlite::{Connection, Row, Transaction};

use super::super::periods::{period_number, period_of};
use super::super::{failed, whole};
use crate::batch::Position;
use crate::call::{Before, Chain, GroupKey, Pair, TariffSlot, TierCounted};
use crate::money::Money;
use crate::number::Number;
use crate::store::{ChainRow, FlushBatch, StoreError};
use crate::time::{Micros, Timestamp};

/// Writes what a flush brings.
pub fn write(transaction: &Transaction<'_>, batch: &FlushBatch<'_>) -> Result<(), StoreError> {
    if batch.chains.is_empty() {
        return Ok(());
    }
    let prepare = |sql| transaction.prepare_cached(sql).map_err(failed);
    let mut replace =
        prepare("INSERT OR REPLACE INTO chains VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)")?;
    let mut forget = prepare("DELETE FROM chains WHERE billing_group = ?1 AND source = ?2 AND destination = ?3")?;
    for ChainRow { group, pair, chain } in batch.chains {
        let (source, destination) = (format!("+{}", pair.source), format!("+{}", pair.destination));
        let Some((at, chain)) = chain else {
            forget.execute((group.0, source, destination)).map_err(failed)?;
            continue;
        };
        let Before { billed, included, cost, tier } = chain.before;
        // Behind the amount what a tier has counted: "0.47 0,42,18".
        let counted = tier.map_or_else(Vec::new, |tier| tier.list());
        let counted: Vec<String> = counted.iter().map(u32::to_string).collect();
        let cost = format!("{cost} {}", counted.join(","));
        replace
            .execute(rusqlite::params![
                group.0,
                source,
                destination,
                whole(at.0)?,
                period_number(chain.month),
                chain.tariff.0,
                chain.plan,
                chain.rule,
                chain.begin.0,
                chain.end.0,
                chain.talk.0,
                billed,
                included,
                cost.trim_end(),
            ])
            .map_err(failed)?;
    }
    Ok(())
}

/// All of them, those that wait longest first.
pub fn all(connection: &Connection) -> Result<Vec<ChainRow>, StoreError> {
    super::all(connection, "SELECT * FROM chains ORDER BY position, 1, 2, 3", (), row)
}

fn row(row: &Row<'_>) -> rusqlite::Result<ChainRow> {
    let strange = |at: usize| rusqlite::Error::IntegralValueOutOfRange(at, 0);
    let number = |at: usize| -> rusqlite::Result<Number> {
        let text: String = row.get(at)?;
        text.strip_prefix('+').and_then(|digits| Number::from_digits(digits.as_bytes())).ok_or_else(|| strange(at))
    };
    let text: String = row.get(13)?;
    let (cost, counted) = text.split_once(' ').unwrap_or((&text, ""));
    let counted: Result<Vec<u32>, _> = counted.split_terminator(',').map(str::parse).collect();
    let tier = TierCounted::of(&counted.map_err(|_| strange(13))?);
    let chain = Chain {
        month: period_of(row.get(4)?).ok_or_else(|| strange(4))?,
        tariff: TariffSlot(row.get(5)?),
        plan: row.get(6)?,
        rule: row.get(7)?,
        begin: Timestamp(row.get(8)?),
        end: Timestamp(row.get(9)?),
        talk: Micros(row.get(10)?),
        before: Before {
            billed: row.get(11)?,
            included: row.get(12)?,
            cost: Money::parse(cost).map_err(|_| strange(13))?,
            tier,
        },
    };
    let pair = Pair { source: number(1)?, destination: number(2)? };
    Ok(ChainRow { group: GroupKey(row.get(0)?), pair, chain: Some((Position(row.get::<_, i64>(3)? as u64), chain)) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::LEVELS;
    use crate::store::Store;
    use crate::store::sqlite::SqliteStore;
    use crate::time::Period;

    #[test]
    fn what_was_written_is_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&folder.path().join("store.db")).unwrap();
        let number = |text: &str| Number::from_digits(text.as_bytes()).unwrap();
        let row = |to: &str, at: u64, tier: Option<TierCounted>| {
            let before = Before { billed: 48, included: 6, cost: Money::parse("0.47").unwrap(), tier };
            let chain = Chain {
                month: Period(24_321),
                tariff: TariffSlot(2),
                plan: 3,
                rule: 10,
                begin: Timestamp(1_000_000),
                end: Timestamp(9_000_000),
                talk: Micros(8_500_000),
                before,
            };
            let pair = Pair { source: number("5511987654321"), destination: number(to) };
            ChainRow { group: GroupKey(7), pair, chain: Some((Position(at), chain)) }
        };
        let mut seconds = [0; LEVELS];
        (seconds[0], seconds[2]) = (42, 18);
        let rows = [
            row("551133334444", 1, None),
            row("551133335555", 2, Some(TierCounted { tier: 0, seconds })),
            row("551133336666", 3, Some(TierCounted { tier: 5, seconds: [0; LEVELS] })),
            row("551133337777", 4, Some(TierCounted { tier: 7, seconds: [u32::MAX; LEVELS] })),
        ];
        let batch = FlushBatch { chains: &rows, ..FlushBatch::empty(Position(0), Position(9), Timestamp(0)) };
        store.flush(&batch).unwrap();
        assert_eq!(store.load().unwrap().chains, rows);
        // As it is when it is told with a call, and nothing else is one.
        for tier in rows.iter().filter_map(|row| row.chain?.1.before.tier) {
            assert_eq!(TierCounted::of(&tier.list()), Some(tier));
        }
        assert_eq!(
            (TierCounted::of(&[]), TierCounted::of(&[256]), TierCounted::of(&[0; LEVELS + 2])),
            (None, None, None)
        );
    }
}
