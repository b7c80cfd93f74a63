//! A stored leg, rated again from its row alone.
//!
//! Nothing is allocated for a leg: what it asks (settings of listeners, months, numbers of accounts) is looked up once.

use std::collections::HashMap;
use std::sync::Arc;

use super::Run;
use super::same::{same_costs, same_draws};
use super::scope::Scope;
use super::told::AsTold;
use crate::call::{AccountKey, Basis, Costs, GroupKey, LegKey, Meter, RatedCall, SuspenseReason, TariffSlot};
use crate::directory::Directory;
use crate::period::candidates::Facts;
use crate::period::carry::Handed;
use crate::period::known::{Known, read};
use crate::period::{Ledger, Place, SealError};
use crate::rating::{self, Drawn, Draws, Leg, Resolution, Standing, World};
use crate::record::Record;
use crate::store::{GroundsOf, StoredCall, StoredState, SuspenseItem};
use crate::tariff::PlanId;
use crate::time::{Months, Period, Timestamp, Zone};

/// What becomes of a leg.
// Most are rated: in a box each would cost an allocation.
#[allow(clippy::large_enum_variant)]
pub enum Again {
    /// It is rated; what it drew is in [`Rater::drew`], what it costs us in [`Rater::costs`].
    Rated(RatedCall),
    /// It would wait.
    Waits(SuspenseReason),
    /// Its record yields it no longer.
    Gone,
    /// Its month is another one by now.
    Moved,
    /// Its row does not say what it was resolved by.
    NotKept,
}

/// Rates legs again; one for each thread.
pub struct Rater<'a> {
    pub known: Known<'a>,
    desk: Desk<'a>,
    directories: HashMap<u32, Arc<Directory>>,
    /// By slot: the first slot with the same image.
    images: Vec<u16>,
}

/// What a leg asks beside images: apart from them, so that they are borrowed for a leg. Both threads counting the users of one
/// image up and down for each leg would cost more than rating it.
struct Desk<'a> {
    run: &'a Run<'a>,
    state: &'a StoredState,
    scope: &'a Scope,
    ledger: &'a Ledger,
    /// Months of the directory in force, by zone.
    months: Months,
    /// Numbers of the accounts and groups of the directory in force, by its rows.
    keys: Vec<Option<(AccountKey, GroupKey)>>,
    accounts: HashMap<&'a str, AccountKey>,
    groups: HashMap<&'a str, GroupKey>,
    draws: Draws,
    handed: Handed,
    costs: Option<Costs>,
}

impl<'a> Rater<'a> {
    pub fn new(
        run: &'a Run<'a>,
        state: &'a StoredState,
        scope: &'a Scope,
        ledger: &'a Ledger,
    ) -> Result<Rater<'a>, SealError> {
        let digests: Vec<&str> = state.tariffs.iter().map(|row| row.digest.as_str()).collect();
        let known = Known::at(run.store, run.images, state, run.at)?;
        let handed = Handed::of(state, known.tariffs(), (scope.first, scope.last), true);
        Ok(Rater {
            known,
            desk: Desk {
                run,
                state,
                scope,
                ledger,
                months: Months::default(),
                keys: Vec::new(),
                accounts: state.accounts.iter().map(|a| (a.name.as_str(), a.key)).collect(),
                groups: state.groups.iter().map(|g| (g.name.as_str(), g.key)).collect(),
                draws: Draws::default(),
                handed,
                costs: None,
            },
            directories: HashMap::new(),
            images: (0..digests.len())
                .map(|i| digests.iter().position(|d| *d == digests[i]).unwrap_or(i) as u16)
                .collect(),
        })
    }

    /// Counters of roll-over of a group's month.
    pub fn handed(&self, group: GroupKey, month: Period) -> &[(Meter, u64)] {
        self.desk.handed.get(group, month)
    }

    /// What the leg drew that was rated last, as it is kept with it.
    pub fn drew(&self) -> &[u8] {
        &self.desk.draws.text
    }

    /// The same, with what it goes on with and is gone on with.
    pub fn draws(&self) -> &Draws {
        &self.desk.draws
    }

    /// Whether calls before it may have a say in what a call costs (R28).
    pub fn in_succession(&self, call: &RatedCall) -> bool {
        let tariff = self.known.tariff(call.basis.tariff);
        tariff.is_some_and(|tariff| tariff.plan(PlanId(call.basis.plan)).successive.is_some())
    }

    /// What the leg costs us that was rated last.
    pub fn costs(&self) -> Option<Costs> {
        self.desk.costs
    }

    /// Rates a leg by what the run says. `used`: what its group had drawn before it; none: as its row says.
    pub fn again(&mut self, stored: &StoredCall<'_>, used: Option<&dyn Drawn>) -> Result<Again, SealError> {
        let Some(grounds) = stored.grounds else { return Ok(Again::NotKept) };
        let call = &stored.call;
        let profile = self.known.judged(grounds.source, grounds.profile);
        let slot = self.slot(call.answer);
        let Some(tariff) = self.known.tariff(slot) else { return Ok(Again::NotKept) };
        let world = World { directory: &self.known.directory, tariff, slot };
        let record = stored.record(grounds);
        let leg = match rating::resolve(&record, call.answer, profile, world) {
            Resolution::Suspended(why) => return Ok(Again::Waits(why.reason)),
            Resolution::Legs(first, second) => {
                [first, second].into_iter().flatten().find(|leg| leg.direction == call.key.leg)
            }
        };
        let Some(leg) = leg else { return Ok(Again::Gone) };
        match used {
            Some(used) => self.desk.leg(&leg, call.key, Some(call), world, used),
            None => self.desk.leg(&leg, call.key, Some(call), world, &AsTold::of(stored)),
        }
    }

    /// Rates a leg as it was, but for what its group had drawn before it. None: it does not come to the same leg.
    pub fn drawn_anew(&mut self, stored: &StoredCall<'_>, used: &dyn Drawn) -> Result<Option<RatedCall>, SealError> {
        let (call, Some(grounds)) = (&stored.call, stored.grounds) else { return Ok(None) };
        if call.used_before.is_none() && stored.draws.is_empty() && !self.in_succession(call) {
            return Ok(None);
        }
        let Some(directory) = self.directory(grounds.directory)? else { return Ok(None) };
        let profile = self.known.judged(grounds.source, grounds.profile);
        let slot = call.basis.tariff;
        let Some(tariff) = self.known.tariff(slot) else { return Ok(None) };
        let world = World { directory: &directory, tariff, slot };
        let record = stored.record(grounds);
        let Resolution::Legs(first, second) = rating::resolve(&record, call.answer, profile, world) else {
            return Ok(None);
        };
        let leg = [first, second].into_iter().flatten().find(|leg| leg.direction == call.key.leg);
        let Some(leg) = leg else { return Ok(None) };
        let rated = rating::rate(&leg, world, call.own_period(), Standing::of(used), &mut self.desk.draws);
        let Ok(rated) = rated else { return Ok(None) };
        self.desk.costs = rating::costs(&leg, world, PlanId(rated.basis.plan), call.own_period());
        let mut new = rated.call(&leg, call.key, call.account, call.group);
        (new.period, new.adjusts) = (call.period, call.adjusts);
        if self.desk.ledger.get(call.period).is_some() {
            let zone = directory.row(leg.account_row).zone;
            (new.period, new.adjusts) = (self.desk.open(call.own_period(), zone), Some(call.own_period()));
        }
        Ok(Some(new))
    }

    /// Rates a leg that waits. None: it goes on waiting.
    pub fn waiting(&mut self, item: &SuspenseItem, used: &dyn Drawn) -> Result<Option<RatedCall>, SealError> {
        let Some(side) = item.key.leg else { return Ok(None) };
        let facts = Facts {
            record: item.record.clone(),
            source: item.source,
            profile: item.key.position,
            received_at: Some(item.received_at.0),
            other: false,
        };
        let answer = read(&facts.record)?.answer.unwrap_or(item.received_at);
        let slot = self.slot(answer);
        let (resolution, slot) = self.known.resolve_by_slot(&facts, Some(slot))?;
        let Resolution::Legs(first, second) = resolution else { return Ok(None) };
        let leg = [first, second].into_iter().flatten().find(|leg| leg.direction == side);
        let (Some(leg), Some(tariff)) = (leg, self.known.tariff(slot)) else { return Ok(None) };
        let world = World { directory: &self.known.directory, tariff, slot };
        let key = LegKey { position: item.key.position, leg: side };
        Ok(match self.desk.leg(&leg, key, None, world, used)? {
            Again::Rated(call) => Some(call),
            _ => None,
        })
    }

    /// Who pays for a leg, and in which month it was.
    pub fn pays(&mut self, leg: &Leg) -> Result<(GroupKey, Period), SealError> {
        let directory = &self.known.directory;
        let account = directory.row(leg.account_row);
        let own = self.desk.months.period(account.zone_index, account.zone, leg.answer);
        Ok((self.desk.keys(directory, leg.account_row)?.1, own))
    }

    /// Rates a leg that no row stands for.
    pub fn leg(&mut self, leg: &Leg, key: LegKey, slot: TariffSlot, used: &dyn Drawn) -> Result<Again, SealError> {
        let Some(tariff) = self.known.tariff(slot) else { return Ok(Again::NotKept) };
        let world = World { directory: &self.known.directory, tariff, slot };
        self.desk.leg(leg, key, None, world, used)
    }

    /// Position of the settings' entry by which a leg that waits is resolved.
    pub fn grounds_of<'r>(&self, item: &SuspenseItem, record: &Record<'r>) -> GroundsOf<'r> {
        GroundsOf::of(record, item.source, item.key.position, self.known.directory_slot)
    }

    /// By which tariff a call is rated.
    pub fn slot(&self, answer: Timestamp) -> TariffSlot {
        self.desk.scope.named.unwrap_or_else(|| self.known.in_force(answer).0)
    }

    /// Whether a leg that was just rated is billed as it was, whatever others used before it, and whichever image says so: a
    /// row that costs the same is proved by the one it names. What an operator names must outlive the seal, so a row of an
    /// open month is another one unless it says so already, or the tariff applies by itself. What a call costs us is put right
    /// in open months; nobody is credited and charged the same again on a later invoice for it.
    pub fn same(&self, stored: &StoredCall<'_>, new: &RatedCall) -> bool {
        let old = &stored.call;
        let whose = |call: &RatedCall| (call.account, call.group, call.source, call.destination, call.call_type);
        let amount = |call: &RatedCall| (call.billable_seconds, call.included_seconds, call.cost);
        let price = |call: &RatedCall| {
            let Basis { steps, price, currency, decimals, exchange, .. } = call.basis;
            (steps, price, currency, decimals, exchange)
        };
        let image = |slot: TariffSlot| self.images.get(usize::from(slot.0)).copied().unwrap_or(slot.0);
        let kept = |named: TariffSlot| {
            let says_so = stored.named_tariff && image(old.basis.tariff) == image(named);
            says_so || image(self.known.in_force(old.answer).0) == image(named) && !stored.named_tariff
        };
        let outlives = match self.desk.scope.named {
            Some(named) => self.desk.ledger.get(old.period).is_some() || new.basis.tariff != named || kept(named),
            None => true,
        };
        whose(old) == whose(new)
            && amount(old) == amount(new)
            && price(old) == price(new)
            && same_draws(stored.draws, &self.desk.draws.text)
            && (self.desk.ledger.get(old.period).is_some() || same_costs(stored.costs, self.desk.costs))
            && outlives
    }

    /// The zone of the account that a row names, as the directory in force has it.
    pub fn open_of(&self, call: &RatedCall) -> Period {
        let directory = &self.known.directory;
        let name = self.desk.state.accounts.binary_search_by_key(&call.account, |a| a.key);
        let name = name.map_or("", |at| &self.desk.state.accounts[at].name);
        let utc = Zone::UTC;
        let zone = directory.account_at(name.as_bytes(), call.answer).map_or(&utc, |account| account.zone);
        self.desk.open(call.own_period(), zone)
    }

    fn directory(&mut self, slot: u32) -> Result<Option<Arc<Directory>>, SealError> {
        if let Some(directory) = self.directories.get(&slot) {
            return Ok(Some(directory.clone()));
        }
        let Some(row) = self.desk.state.directories.get(slot as usize) else { return Ok(None) };
        let directory = self.desk.run.images.directory(&row.digest)?;
        self.directories.insert(slot, directory.clone());
        Ok(Some(directory))
    }
}

impl Desk<'_> {
    fn leg(
        &mut self,
        leg: &Leg,
        key: LegKey,
        old: Option<&RatedCall>,
        world: World<'_>,
        used: &dyn Drawn,
    ) -> Result<Again, SealError> {
        let account = world.directory.row(leg.account_row);
        let own = self.months.period(account.zone_index, account.zone, leg.answer);
        if old.is_some_and(|old| old.own_period() != own) {
            return Ok(Again::Moved);
        }
        let (key_of_account, group) = self.keys(world.directory, leg.account_row)?;
        let rated = match rating::rate(leg, world, own, Standing::of(used), &mut self.draws) {
            Ok(rated) => rated,
            Err(why) => return Ok(Again::Waits(why.reason)),
        };
        self.costs = rating::costs(leg, world, PlanId(rated.basis.plan), own);
        let mut call = rated.call(leg, key, key_of_account, group);
        match old {
            // A row of an open month is replaced where it stands.
            Some(old) if self.ledger.get(old.period).is_none() => {
                (call.period, call.adjusts) = (old.period, old.adjusts);
            }
            _ if self.ledger.get(own).is_some() => {
                (call.period, call.adjusts) = (self.open(own, account.zone), Some(own))
            }
            _ => {}
        }
        Ok(Again::Rated(call))
    }

    /// The account's open month, in which a closed one is corrected.
    pub fn open(&self, own: Period, zone: &Zone) -> Period {
        match self.ledger.place(own, Period::containing(Timestamp(self.run.begin.at), zone)) {
            Place::Adjusts(open) => open,
            Place::Own | Place::Waits => own,
        }
    }

    fn keys(&mut self, directory: &Directory, row: u32) -> Result<(AccountKey, GroupKey), SealError> {
        let index = row as usize;
        if let Some(Some(keys)) = self.keys.get(index) {
            return Ok(*keys);
        }
        let account = directory.row(row);
        // The resolver gave every account of the directory a number when the run began; a dry run may meet one that has
        // none yet, which the report calls by its row.
        let newcomer = u32::MAX - row;
        let key = self.accounts.get(account.name()).copied().unwrap_or(AccountKey(newcomer));
        let group = self.groups.get(account.group()).copied().unwrap_or(GroupKey(newcomer));
        if self.run.draft.is_some() && (key.0 == newcomer || group.0 == newcomer) {
            return Err(SealError::Unreadable(format!("account {} has no number", account.name())));
        }
        if self.keys.len() <= index {
            self.keys.resize(index + 1, None);
        }
        self.keys[index] = Some((key, group));
        Ok((key, group))
    }
}
