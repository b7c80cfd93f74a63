//! A line of the totals or an allowance as SQLite holds it, packed chunks hold it, and JSON.
//!
//! Does not know when lines are written or folded.

use rusqlite::{Row, Statement};

use super::cell::{Cell, bytes_of};
use super::{call_type_of, damaged, failed, period_number, period_of, whole};
use crate::call::{AccountKey, CallType, GroupKey, Meter, Usage};
use crate::store::{AllowanceLine, StoreError, UsageLine};
use crate::time::Period;

const NANOS: i128 = 1_000_000_000;

/// A line that belongs to an owner (an account or a group) and a period.
pub trait Line: Copy {
    /// What makes it one line: period and owner first.
    type Key: Ord + Copy;

    /// Appends a chunk: row, period, owner, lines, shape.
    const APPEND: &'static str;
    /// Deletes chunks before a row.
    const FORGET: &'static str;
    /// All chunks' lines and shapes by row.
    const CHUNKS: &'static str;
    /// The last chunk of rows ?1 ≤ row < ?2 that begins at or before (?3, ?4).
    const CHUNK: &'static str;
    /// Writes a line to its place.
    const FOLD: &'static str;
    /// All lines in their places, by key.
    const PLACES: &'static str;
    /// The lines of a period and an owner in their places.
    const OF_OWNER: &'static str;

    fn key(&self) -> Self::Key;
    fn period(&self) -> Period;
    fn owner(&self) -> u32;
    /// For each number of [`Line::numbers`] by what the distances between lines can often be divided.
    const STEPS: &'static [&'static [i64]];

    /// Appends its numbers, to be packed; false where one of them is too large for that.
    fn numbers(&self, out: &mut Vec<i64>) -> bool;
    /// What [`Line::numbers`] told.
    fn of_numbers(numbers: &[i64]) -> Option<Self>;
    /// Appends it as a JSON array.
    fn write(&self, out: &mut Vec<u8>) -> Result<(), StoreError>;
    /// Reads a JSON array of what [`Line::write`] wrote.
    fn parse(lines: &[u8]) -> Result<Vec<Self>, StoreError>;
    /// Binds it to [`Line::FOLD`].
    fn bind(&self, statement: &mut Statement<'_>) -> Result<(), StoreError>;
    /// Reads a row of [`Line::PLACES`].
    fn read(row: &Row<'_>) -> Result<Self, StoreError>;
}

/// The columns of `usage`.
type UsageColumns<'a> = (i64, u32, u32, i64, &'a str, u8, i64, i64, i64, i64, i64);

fn usage_columns(line: &UsageLine) -> Result<UsageColumns<'_>, StoreError> {
    let too_large = |what: &str| StoreError::Unstorable(format!("{what} of an account's month is beyond 63 bits"));
    let currency = std::str::from_utf8(&line.currency).ok().filter(|c| c.bytes().all(|b| b.is_ascii_alphanumeric()));
    let usage = &line.usage;
    Ok((
        period_number(line.period),
        line.account.0,
        line.group.0,
        i64::from(line.call_type as u8),
        currency.ok_or_else(|| StoreError::Unstorable(format!("{:?} is no currency", line.currency)))?,
        line.decimals,
        usage.calls,
        i64::try_from(usage.talk).map_err(|_| too_large("talk time"))?,
        usage.billable_seconds,
        i64::try_from(usage.cost.div_euclid(NANOS)).map_err(|_| too_large("cost"))?,
        usage.cost.rem_euclid(NANOS) as i64,
    ))
}

fn usage_line(columns: UsageColumns<'_>) -> Option<UsageLine> {
    let (period, account, group, call_type, currency, decimals, calls, talk, billable_seconds, units, nanos) = columns;
    Some(UsageLine {
        period: period_of(period)?,
        account: AccountKey(account),
        group: GroupKey(group),
        decimals,
        call_type: call_type_of(call_type)?,
        currency: currency.as_bytes().try_into().ok()?,
        usage: Usage {
            calls,
            talk: i128::from(talk),
            billable_seconds,
            cost: i128::from(units) * NANOS + i128::from(nanos),
        },
    })
}

fn allowance_line((period, group, meter, used): (i64, u32, u32, i64)) -> Option<AllowanceLine> {
    Some(AllowanceLine {
        period: period_of(period)?,
        group: GroupKey(group),
        meter: Meter(meter),
        used_seconds: u64::try_from(used).ok()?,
    })
}

fn allowance_columns(line: &AllowanceLine) -> Result<[i64; 4], StoreError> {
    let used = whole(line.used_seconds)?;
    Ok([period_number(line.period), i64::from(line.group.0), i64::from(line.meter.0), used])
}

/// A recent line: of one allowance for each group and month, as earlier versions wrote them, or of several.
#[derive(serde::Deserialize)]
#[serde(untagged)]
enum RecentAllowance {
    Of((i64, u32, u32, i64)),
    Single((i64, u32, i64)),
}

fn number(value: i64, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

fn numbers(values: &[i64], out: &mut Vec<u8>) {
    for (i, value) in values.iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        number(*value, out);
    }
}

impl Line for UsageLine {
    type Key = (Period, AccountKey, GroupKey, CallType, [u8; 3]);

    const APPEND: &'static str =
        "INSERT INTO usage_recent (row, period, owner, lines, shape) VALUES (?1, ?2, ?3, ?4, ?5)";
    const FORGET: &'static str = "DELETE FROM usage_recent WHERE row < ?1";
    const CHUNKS: &'static str = "SELECT lines, shape FROM usage_recent ORDER BY row";
    const CHUNK: &'static str = "SELECT lines, shape FROM usage_recent WHERE row >= ?1 AND row < ?2
         AND (period, owner) <= (?3, ?4) ORDER BY row DESC LIMIT 1";
    const FOLD: &'static str = "INSERT INTO usage VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
         ON CONFLICT DO UPDATE SET decimals = ?6, calls = ?7, talk = ?8, billable_seconds = ?9, cost_units = ?10,
         cost_nanos = ?11";
    const PLACES: &'static str = "SELECT * FROM usage ORDER BY period, account, billing_group, call_type, currency";
    const OF_OWNER: &'static str = "SELECT * FROM usage WHERE period = ?1 AND account = ?2";

    fn key(&self) -> Self::Key {
        (self.period, self.account, self.group, self.call_type, self.currency)
    }

    fn period(&self) -> Period {
        self.period
    }

    fn owner(&self) -> u32 {
        self.account.0
    }

    // Period, account, group, type, currency and decimals, calls, talk, billable seconds, cost. Talk mostly in whole
    // milliseconds, costs in the decimals of an amount.
    const STEPS: &'static [&'static [i64]] =
        &[&[], &[], &[], &[], &[], &[], &[1_000_000, 1000], &[60], &[10_000_000, 100_000, 1000]];

    fn numbers(&self, out: &mut Vec<i64>) -> bool {
        let UsageLine { period, account, group, decimals, call_type, currency, usage } = self;
        let (Ok(talk), Ok(cost)) = (i64::try_from(usage.talk), i64::try_from(usage.cost)) else { return false };
        let [a, b, c] = *currency;
        if !currency.is_ascii() {
            return false;
        }
        out.extend_from_slice(&[
            period_number(*period),
            i64::from(account.0),
            i64::from(group.0),
            i64::from(*call_type as u8),
            i64::from(u32::from_be_bytes([a, b, c, *decimals])),
            usage.calls,
            talk,
            usage.billable_seconds,
            cost,
        ]);
        true
    }

    fn of_numbers(numbers: &[i64]) -> Option<UsageLine> {
        let [period, account, group, call_type, currency, calls, talk, billable_seconds, cost] = *numbers else {
            return None;
        };
        let [a, b, c, decimals] = u32::try_from(currency).ok()?.to_be_bytes();
        Some(UsageLine {
            period: period_of(period)?,
            account: AccountKey(u32::try_from(account).ok()?),
            group: GroupKey(u32::try_from(group).ok()?),
            decimals,
            call_type: call_type_of(call_type)?,
            currency: [a, b, c],
            usage: Usage { calls, talk: talk.into(), billable_seconds, cost: cost.into() },
        })
    }

    fn write(&self, out: &mut Vec<u8>) -> Result<(), StoreError> {
        let (period, account, group, call_type, currency, decimals, calls, talk, billable, units, nanos) =
            usage_columns(self)?;
        out.push(b'[');
        numbers(&[period, i64::from(account), i64::from(group), call_type], out);
        out.extend_from_slice(b",\"");
        out.extend_from_slice(currency.as_bytes());
        out.extend_from_slice(b"\",");
        numbers(&[i64::from(decimals), calls, talk, billable, units, nanos], out);
        out.push(b']');
        Ok(())
    }

    fn parse(lines: &[u8]) -> Result<Vec<UsageLine>, StoreError> {
        let bad = || damaged("recent lines of the totals");
        let lines: Vec<UsageColumns<'_>> = serde_json::from_slice(lines).map_err(|_| bad())?;
        lines.into_iter().map(|line| usage_line(line).ok_or_else(bad)).collect()
    }

    fn bind(&self, statement: &mut Statement<'_>) -> Result<(), StoreError> {
        let (period, account, group, call_type, currency, decimals, calls, talk, billable, units, nanos) =
            usage_columns(self)?;
        let cells = [
            Cell::Int(period),
            Cell::Int(i64::from(account)),
            Cell::Int(i64::from(group)),
            Cell::Int(call_type),
            Cell::Text(currency.as_bytes()),
            Cell::Int(i64::from(decimals)),
            Cell::Int(calls),
            Cell::Int(talk),
            Cell::Int(billable),
            Cell::Int(units),
            Cell::Int(nanos),
        ];
        for (i, cell) in cells.iter().enumerate() {
            statement.raw_bind_parameter(i + 1, cell).map_err(failed)?;
        }
        Ok(())
    }

    fn read(row: &Row<'_>) -> Result<UsageLine, StoreError> {
        let bad = || damaged("a line of the totals");
        let number = |i: usize| row.get::<_, i64>(i).map_err(failed);
        let currency = bytes_of(row.get_ref(4).map_err(failed)?).and_then(|c| std::str::from_utf8(c).ok());
        let columns = (
            number(0)?,
            row.get(1).map_err(failed)?,
            row.get(2).map_err(failed)?,
            number(3)?,
            currency.ok_or_else(bad)?,
            row.get(5).map_err(failed)?,
            number(6)?,
            number(7)?,
            number(8)?,
            number(9)?,
            number(10)?,
        );
        usage_line(columns).ok_or_else(bad)
    }
}

impl Line for AllowanceLine {
    type Key = (Period, GroupKey, Meter);

    const APPEND: &'static str =
        "INSERT INTO allowances_recent (row, period, owner, lines, shape) VALUES (?1, ?2, ?3, ?4, ?5)";
    const FORGET: &'static str = "DELETE FROM allowances_recent WHERE row < ?1";
    const CHUNKS: &'static str = "SELECT lines, shape FROM allowances_recent ORDER BY row";
    const CHUNK: &'static str = "SELECT lines, shape FROM allowances_recent WHERE row >= ?1 AND row < ?2
         AND (period, owner) <= (?3, ?4) ORDER BY row DESC LIMIT 1";
    const FOLD: &'static str = "INSERT INTO meters VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT DO UPDATE SET used_seconds = ?4";
    const PLACES: &'static str = "SELECT * FROM meters ORDER BY period, billing_group, meter";
    const OF_OWNER: &'static str = "SELECT * FROM meters WHERE period = ?1 AND billing_group = ?2";

    fn key(&self) -> Self::Key {
        (self.period, self.group, self.meter)
    }

    fn period(&self) -> Period {
        self.period
    }

    fn owner(&self) -> u32 {
        self.group.0
    }

    // Period, group, meter, seconds.
    const STEPS: &'static [&'static [i64]] = &[&[], &[], &[], &[60]];

    fn numbers(&self, out: &mut Vec<i64>) -> bool {
        allowance_columns(self).map(|columns| out.extend_from_slice(&columns)).is_ok()
    }

    fn of_numbers(numbers: &[i64]) -> Option<AllowanceLine> {
        let [period, group, meter, used] = *numbers else { return None };
        allowance_line((period, u32::try_from(group).ok()?, u32::try_from(meter).ok()?, used))
    }

    fn write(&self, out: &mut Vec<u8>) -> Result<(), StoreError> {
        out.push(b'[');
        numbers(&allowance_columns(self)?, out);
        out.push(b']');
        Ok(())
    }

    fn parse(lines: &[u8]) -> Result<Vec<AllowanceLine>, StoreError> {
        let bad = || damaged("recent allowances");
        let lines: Vec<RecentAllowance> = serde_json::from_slice(lines).map_err(|_| bad())?;
        let columns = |line| match line {
            RecentAllowance::Of(columns) => columns,
            RecentAllowance::Single((period, group, used)) => (period, group, Meter::PLAN.0, used),
        };
        lines.into_iter().map(|line| allowance_line(columns(line)).ok_or_else(bad)).collect()
    }

    fn bind(&self, statement: &mut Statement<'_>) -> Result<(), StoreError> {
        for (i, column) in allowance_columns(self)?.into_iter().enumerate() {
            statement.raw_bind_parameter(i + 1, column).map_err(failed)?;
        }
        Ok(())
    }

    fn read(row: &Row<'_>) -> Result<AllowanceLine, StoreError> {
        let get = |i: usize| row.get::<_, i64>(i).map_err(failed);
        let (group, meter) = (row.get(1).map_err(failed)?, row.get(2).map_err(failed)?);
        allowance_line((get(0)?, group, meter, get(3)?)).ok_or_else(|| damaged("an allowance"))
    }
}
