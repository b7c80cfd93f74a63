//! The rest of a stored state: names, totals, allowances. A million accounts make millions of rows, so they are read by
//! threads of their own, while the journal takes records already; resolver and shards begin once they have theirs.
//!
//! Does not know who starts the threads.

use crate::books::Books;
use crate::exit::Exit;
use crate::guard::{AccountState, States};
use crate::names::Names;
use crate::resolver::shard_of;
use crate::road::Later;
use crate::shard::{Chains, LineKey, Lines, Meters, ShardStart};
use crate::store::{Reading, StoreError, StoredRow, StoredStart, StoredState};

use super::exits::store_exit;

/// Reads a part of the rest.
pub struct Rest {
    /// Name of its thread.
    pub name: &'static str,
    /// Reads it; what that gives is to be called once it is known that it was read.
    pub read: Box<dyn FnOnce() -> Result<Give, Exit> + Send>,
}

/// Hands what was read to those who wait for it.
pub type Give = Box<dyn FnOnce() + Send>;

/// What resolver and shards start from, once the rest is read.
pub struct Coming {
    /// Names of accounts and of billing groups.
    pub names: Later<(Names, Names)>,
    /// By number of the shard.
    pub shards: Vec<ShardStart>,
}

/// Shares the rest of a stored state out.
pub fn share(start: StoredStart, shards: usize, books: &Books) -> (StoredState, Coming, Vec<Rest>) {
    let StoredStart { state, names, usage, drawn } = start;
    let mut chains: Vec<Chains> = (0..shards).map(|_| Chains::default()).collect();
    for row in &state.chains {
        if let Some((at, chain)) = row.chain {
            chains[shard_of(row.group, shards)].load((row.group, row.pair), at, chain);
        }
    }
    let (name_giver, names_later) = Later::coming();
    let (line_givers, lines): (Vec<_>, Vec<_>) = (0..shards).map(|_| Later::coming()).unzip();
    let (drawn_givers, drawn_later): (Vec<_>, Vec<_>) = (0..shards).map(|_| Later::coming()).unzip();
    let books = books.clone();
    // Nobody waits any more for what is given where the start has failed in another part.
    let rest = vec![
        Rest {
            name: "read-totals",
            read: Box::new(move || {
                let all = read_lines(usage, shards, &books).map_err(store_exit)?;
                Ok(Box::new(move || line_givers.iter().zip(all).for_each(|(giver, lines)| drop(giver.send(lines)))))
            }),
        },
        Rest {
            name: "read-names",
            read: Box::new(move || {
                let names = read_names(names).map_err(store_exit)?;
                Ok(Box::new(move || drop(name_giver.send(names))))
            }),
        },
        Rest {
            name: "read-drawn",
            read: Box::new(move || {
                let all = read_drawn(drawn, shards)?;
                Ok(Box::new(move || drawn_givers.iter().zip(all).for_each(|(giver, drawn)| drop(giver.send(drawn)))))
            }),
        },
    ];
    let starts = chains.into_iter().zip(lines).zip(drawn_later);
    let shards = starts.map(|((chains, lines), drawn)| ShardStart { chains, lines, drawn }).collect();
    (state, Coming { names: names_later, shards }, rest)
}

fn read_names(read: Reading) -> Result<(Names, Names), StoreError> {
    let (mut accounts, mut groups) = (Names::default(), Names::default());
    let mut expected = 0;
    read(&mut |row| match row {
        StoredRow::Names(count) => expected = count,
        StoredRow::Account(name) => {
            accounts.reserve(std::mem::take(&mut expected));
            accounts.key(name);
        }
        StoredRow::Group(name) => {
            groups.reserve(std::mem::take(&mut expected));
            groups.key(name);
        }
        _ => {}
    })?;
    Ok((accounts, groups))
}

fn read_lines(read: Reading, shards: usize, books: &Books) -> Result<Vec<Lines>, StoreError> {
    let mut all: Vec<Lines> = (0..shards).map(|_| Lines::default()).collect();
    read(&mut |row| {
        let StoredRow::Usage(line) = row else { return };
        let key = LineKey {
            account: line.account,
            group: line.group,
            period: line.period,
            call_type: line.call_type,
            currency: line.currency,
        };
        all[shard_of(line.group, shards)].load(&key, &line.usage, line.decimals);
    })?;
    let mut totals = std::collections::BTreeMap::new();
    for (currency, cost) in all.iter().flat_map(Lines::costs) {
        *totals.entry(String::from_utf8_lossy(&currency).into_owned()).or_default() += cost;
    }
    for fault in books.check_totals(&totals) {
        tracing::warn!("{}", unbalanced(&fault));
    }
    Ok(all)
}

/// What is said of a stored book that does not balance.
pub(super) fn unbalanced(fault: &crate::books::Unbalanced) -> String {
    format!("the stored books do not balance: {fault}; `callrated verify` names the first difference")
}

fn read_drawn(read: Reading, shards: usize) -> Result<Vec<(Meters, States)>, Exit> {
    let mut all: Vec<(Meters, States)> =
        (0..shards).map(|shard| (Meters::every(shards, shard), States::default())).collect();
    let mut unreadable = None;
    read(&mut |row| match row {
        StoredRow::Allowance(line) => {
            let meters = &mut all[shard_of(line.group, shards)].0;
            meters.load(line.group, line.period, line.meter, line.used_seconds);
        }
        StoredRow::Guarded(account, group, bytes) => match AccountState::read(bytes) {
            Some(held) => drop(all[shard_of(group, shards)].1.insert((account, group), held)),
            None => unreadable = Some(account),
        },
        _ => {}
    })
    .map_err(store_exit)?;
    match unreadable {
        None => Ok(all),
        Some(account) => Err(Exit::damaged(format!("the store: what is held of account {} cannot be read", account.0))),
    }
}
