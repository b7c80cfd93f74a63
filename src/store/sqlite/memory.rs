//! What the writer remembers between flushes, so that a row costs no look-up in the file: known ratings, nodes and
//! dialling forms, each account's usual group, the totals not yet folded.
//!
//! All of it is a copy of what is stored. After a failed flush it is forgotten and read again.
//!
//! Does not know batches.

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use rusqlite::Connection;

use super::cell::{DialForm, bytes_of};
use super::{call_type_of, costs, damaged, failed, leg_of, period_of, usage};
use crate::batch::{Position, SourceId};
use crate::call::{Basis, CallType, Exchange, StepMode, StepRule, TariffSlot};
use crate::money::{Money, Price};
use crate::record::Direction;
use crate::store::{AllowanceLine, BasisText, Grounds, StoreError, UsageLine};
use crate::time::{Micros, Period};

/// What calls share: a row of `ratings`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Rating {
    pub basis: Basis,
    pub period: Period,
    pub leg: Direction,
    pub call_type: CallType,
    /// Costs count 10^-scale.
    pub scale: u8,
    /// Month of a late call.
    pub adjusts: Option<Period>,
}

/// Ratings remembered; beyond, all are forgotten and written again when needed, which costs rows, not correctness.
/// 200 bytes each.
pub const RATINGS_MAX: usize = 300_000;
/// Grounds remembered; as with ratings. 120 bytes each.
pub const GROUNDS_MAX: usize = 200_000;
/// Nodes with a number; a name beyond is kept in the call's own row.
pub const NODES_MAX: usize = 65_536;
/// Dialling forms with a number; a form beyond is kept in the call's own row.
pub const FORMS_MAX: usize = 4096;
/// An account without a usual group yet.
pub const NO_GROUP: u32 = u32::MAX;
/// How far a key may lie beyond the known ones and still be remembered.
const GROUP_GAP_MAX: usize = 1 << 24;
type Map<K, V> = HashMap<K, V, FixedState>;

/// The writer's memory.
pub struct Memory {
    /// Number of the flush it stands behind.
    pub flush: u64,
    pub ratings: Map<Rating, u32>,
    /// The latest one: neighbouring calls of an account mostly share it.
    pub rating_last: Option<(Rating, u32)>,
    pub rating_next: u32,
    pub nodes: Map<Box<[u8]>, u32>,
    pub forms: Map<DialForm, u32>,
    pub grounds: Map<Grounds, u32>,
    /// The latest one: most calls of a frame share it.
    pub grounds_last: Option<(Grounds, u32)>,
    pub grounds_next: u32,
    /// By account key.
    pub groups: Vec<u32>,
    /// What calls cost us.
    pub costs: costs::CostMemory,
    /// Lines of the latest flushes that wait to be folded.
    pub usage: usage::Slices<UsageLine>,
    pub allowances: usage::Slices<AllowanceLine>,
}

impl Memory {
    pub fn load(connection: &Connection, flush: u64) -> Result<Memory, StoreError> {
        let mut memory = Memory {
            flush,
            ratings: Map::default(),
            rating_last: None,
            rating_next: 1,
            nodes: Map::default(),
            forms: Map::default(),
            grounds: Map::default(),
            grounds_last: None,
            grounds_next: 1,
            groups: Vec::new(),
            costs: costs::CostMemory::load(connection)?,
            usage: Default::default(),
            allowances: Default::default(),
        };
        let last: i64 =
            connection.query_row("SELECT coalesce(max(id), 0) FROM ratings", (), |row| row.get(0)).map_err(failed)?;
        memory.rating_next = u32::try_from(last).map_err(|_| damaged("too many ratings"))?.saturating_add(1);
        let sql = format!("SELECT id, {RATING_COLUMNS} FROM ratings WHERE id > ?1 ORDER BY id");
        let mut statement = connection.prepare(&sql).map_err(failed)?;
        let mut rows = statement.query([last - RATINGS_MAX as i64 / 2]).map_err(failed)?;
        while let Some(row) = rows.next().map_err(failed)? {
            memory.ratings.insert(rating_of(row, 1)?, row.get(0).map_err(failed)?);
        }
        let last: i64 =
            connection.query_row("SELECT coalesce(max(id), 0) FROM grounds", (), |row| row.get(0)).map_err(failed)?;
        memory.grounds_next = u32::try_from(last).map_err(|_| damaged("too many grounds"))?.saturating_add(1);
        let sql = format!("SELECT id, {GROUNDS_COLUMNS} FROM grounds WHERE id > ?1 ORDER BY id");
        let mut statement = connection.prepare(&sql).map_err(failed)?;
        let mut rows = statement.query([last - GROUNDS_MAX as i64 / 2]).map_err(failed)?;
        while let Some(row) = rows.next().map_err(failed)? {
            memory.grounds.insert(grounds_of(row, 1)?, row.get(0).map_err(failed)?);
        }
        for (id, name) in nodes(connection)? {
            memory.nodes.insert(name, id);
        }
        for (id, form) in forms(connection)? {
            memory.forms.insert(form, id);
        }
        let mut statement = connection
            .prepare("SELECT key, billing_group FROM accounts WHERE billing_group IS NOT NULL")
            .map_err(failed)?;
        let mut rows = statement.query(()).map_err(failed)?;
        while let Some(row) = rows.next().map_err(failed)? {
            memory.set_group(row.get(0).map_err(failed)?, row.get(1).map_err(failed)?);
        }
        memory.usage = usage::slices(connection)?;
        memory.allowances = usage::slices(connection)?;
        Ok(memory)
    }

    pub fn group(&self, account: u32) -> u32 {
        self.groups.get(account as usize).copied().unwrap_or(NO_GROUP)
    }

    pub fn set_group(&mut self, account: u32, group: u32) {
        // Keys are given in order from 0, so the list has no holes to speak of; a key far out is not remembered, and
        // its calls name their group.
        let at = account as usize;
        if at > self.groups.len() + GROUP_GAP_MAX {
            return;
        }
        if self.groups.len() <= at {
            self.groups.resize(at + 1, NO_GROUP);
        }
        if let Some(place) = self.groups.get_mut(at) {
            *place = group;
        }
    }
}

/// A node's number and its name, bytes as the record has them.
type NumberedNode = (u32, Box<[u8]>);

/// Nodes with a number.
pub fn nodes(connection: &Connection) -> Result<Vec<NumberedNode>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT id, name FROM nodes").map_err(failed)?;
    let mut rows = statement.query(()).map_err(failed)?;
    let mut nodes = Vec::new();
    while let Some(row) = rows.next().map_err(failed)? {
        let name = bytes_of(row.get_ref(1).map_err(failed)?).ok_or_else(|| damaged("a node's name"))?;
        nodes.push((row.get(0).map_err(failed)?, name.into()));
    }
    Ok(nodes)
}

/// Dialling forms with a number.
pub fn forms(connection: &Connection) -> Result<Vec<(u32, DialForm)>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT id, prefix, dropped FROM dial_forms").map_err(failed)?;
    let mut rows = statement.query(()).map_err(failed)?;
    let mut forms = Vec::new();
    while let Some(row) = rows.next().map_err(failed)? {
        let front = bytes_of(row.get_ref(1).map_err(failed)?).ok_or_else(|| damaged("a dialling form"))?;
        let mut prefix = [0; 8];
        prefix.get_mut(..front.len()).ok_or_else(|| damaged("a dialling form"))?.copy_from_slice(front);
        forms.push((row.get(0).map_err(failed)?, DialForm { prefix, dropped: row.get(2).map_err(failed)? }));
    }
    Ok(forms)
}

/// Columns of `ratings` that make a [`Rating`], in the order of [`rating_of`].
pub const RATING_COLUMNS: &str = "period, leg, call_type, cost_scale, currency, decimals, rule, tariff_slot, plan_index, \
     row_index, step_mode, initial, increment, minimum, free_below, rate, connect_fee, minimum_cost, maximum_cost, adjusts, \
     exchange_from, exchange_rate";
/// Columns of `ratings` that make a [`BasisText`], in the order of [`text_of`].
pub const TEXT_COLUMNS: &str = "tariff, plan, deck, prefix, destination";
/// How many columns [`RATING_COLUMNS`] has.
pub const RATING_WIDTH: usize = 22;

/// Reads a rating from a row whose columns from `at` on are [`RATING_COLUMNS`].
pub fn rating_of(row: &rusqlite::Row<'_>, at: usize) -> Result<Rating, StoreError> {
    let bad = || damaged("a rating");
    let number = |i: usize| row.get::<_, i64>(at + i).map_err(failed);
    let money = |i: usize| number(i).map(Money);
    let money_or_none = |i: usize| Ok::<_, StoreError>(row.get::<_, Option<i64>>(at + i).map_err(failed)?.map(Money));
    let currency = bytes_of(row.get_ref(at + 4).map_err(failed)?).ok_or_else(bad)?;
    let mode = row.get_ref(at + 10).map_err(failed)?.as_str().map_err(|_| bad())?;
    Ok(Rating {
        period: period_of(number(0)?).ok_or_else(bad)?,
        leg: leg_of(number(1)?).flatten().ok_or_else(bad)?,
        call_type: call_type_of(number(2)?).ok_or_else(bad)?,
        scale: row.get(at + 3).map_err(failed)?,
        adjusts: match row.get::<_, Option<i64>>(at + 19).map_err(failed)? {
            Some(month) => Some(period_of(month).ok_or_else(bad)?),
            None => None,
        },
        basis: Basis {
            currency: currency.try_into().map_err(|_| bad())?,
            decimals: row.get(at + 5).map_err(failed)?,
            rule: row.get(at + 6).map_err(failed)?,
            tariff: TariffSlot(row.get(at + 7).map_err(failed)?),
            plan: row.get(at + 8).map_err(failed)?,
            row: row.get(at + 9).map_err(failed)?,
            steps: StepRule {
                mode: StepMode::named(mode).ok_or_else(bad)?,
                initial: row.get(at + 11).map_err(failed)?,
                increment: row.get(at + 12).map_err(failed)?,
                minimum: row.get(at + 13).map_err(failed)?,
                free_below: Micros(number(14)?),
            },
            price: Price {
                rate: money(15)?,
                connect_fee: money(16)?,
                minimum_cost: money_or_none(17)?,
                maximum_cost: money_or_none(18)?,
            },
            exchange: match (bytes_of(row.get_ref(at + 20).map_err(failed)?), money_or_none(21)?) {
                (Some(from), Some(rate)) => Some(Exchange { from: from.try_into().map_err(|_| bad())?, rate }),
                _ => None,
            },
        },
    })
}

/// Columns of `grounds` in the order of [`grounds_of`].
pub const GROUNDS_COLUMNS: &str =
    "source, profile, directory, direction, account, forwarded_by, routing_number, carrier";

/// Reads grounds from a row whose columns from `at` on are [`GROUNDS_COLUMNS`].
pub fn grounds_of(row: &rusqlite::Row<'_>, at: usize) -> Result<Grounds, StoreError> {
    let bad = || damaged("what a call was resolved by");
    let text = |i: usize| Ok(bytes_of(row.get_ref(at + i).map_err(failed)?).ok_or_else(bad)?.into());
    let profile: i64 = row.get(at + 1).map_err(failed)?;
    Ok(Grounds {
        source: SourceId(row.get(at).map_err(failed)?),
        profile: Position(u64::try_from(profile).map_err(|_| bad())?),
        directory: row.get(at + 2).map_err(failed)?,
        direction: leg_of(row.get(at + 3).map_err(failed)?).ok_or_else(bad)?,
        account: text(4)?,
        forwarded_by: text(5)?,
        routing_number: bytes_of(row.get_ref(at + 6).map_err(failed)?).unwrap_or_default().into(),
        carrier: bytes_of(row.get_ref(at + 7).map_err(failed)?).unwrap_or_default().into(),
    })
}

/// Reads the words of a rating from a row whose columns from `at` on are [`TEXT_COLUMNS`].
pub fn text_of(row: &rusqlite::Row<'_>, at: usize) -> Result<BasisText, StoreError> {
    let text = |i: usize| row.get::<_, String>(at + i).map_err(failed);
    Ok(BasisText { tariff: text(0)?, plan: text(1)?, deck: text(2)?, prefix: text(3)?, destination: text(4)? })
}
