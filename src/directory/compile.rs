//! Checked rows → the sections of an image.
//!
//! Everything is numbered by its order, never by the order in which it was met, so that equal rows give equal bytes.
//!
//! Does not know CSV, nor how sections are framed.

use std::collections::HashMap;

use xxhash_rust::xxh3::xxh3_64;
use zerocopy::IntoBytes;
use zerocopy::byteorder::little_endian::U32;

use super::hash::{self, Slot};
use super::image::{self, ExtensionRange, Row, Span, TextAt};
use super::read::{EVER, NEVER, NumberRow, Rows, firsts};

/// A count that does not fit into the image's fields.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("more {0} than it can number")]
pub struct TooLarge(&'static str);

/// The image of rows in canonical order.
pub fn image(rows: &Rows) -> Result<Vec<u8>, TooLarge> {
    let mut text = Text::default();
    let plans = ranks(rows.plans.list.iter().map(|(name, _)| &**name));
    let zones = ranks(rows.zones.list.iter().map(|(name, _)| &**name));
    let groups = group_names(rows);
    let firsts = firsts(&rows.accounts);
    let (account_rows, extensions) = account_rows(rows, &plans, &zones, &groups, &mut text)?;
    let (numbers, spans) = numbers(&rows.numbers, &firsts)?;

    let text_of = |i: usize| (account_rows[firsts[i]].text_at, u32::from(account_rows[firsts[i]].name_length));
    let mut group_at = Vec::with_capacity(groups.len());
    for group in &groups {
        group_at.push(match rows.names.binary_search_by(|name| (**name).cmp(group)) {
            Ok(i) => TextAt { at: text_of(i).0, length: text_of(i).1.into() },
            Err(_) => text.add(group)?,
        });
    }
    let plan_at = plans.order.iter().map(|name| text.add(name)).collect::<Result<Vec<_>, _>>()?;
    let zone_at = zones.order.iter().map(|name| text.add(name)).collect::<Result<Vec<_>, _>>()?;
    let account_slots = rows.names.iter().enumerate().map(|(i, name)| {
        let first = index(firsts[i], "rows")?;
        Ok(Slot::new(xxh3_64(name.as_bytes()), first, index(i, "accounts")?))
    });
    let account_slots = account_slots.collect::<Result<Vec<_>, TooLarge>>()?;
    let first_rows: Vec<U32> = firsts.iter().map(|first| U32::new(*first as u32)).collect();
    Ok(image::write([
        account_rows.as_bytes().to_vec(),
        text.0.into_bytes(),
        first_rows.as_bytes().to_vec(),
        hash::build(account_slots),
        hash::build(numbers),
        spans.as_bytes().to_vec(),
        extensions.as_bytes().to_vec(),
        group_at.as_bytes().to_vec(),
        plan_at.as_bytes().to_vec(),
        zone_at.as_bytes().to_vec(),
    ]))
}

/// An index that fits; the last one is kept for "none".
fn index(i: usize, what: &'static str) -> Result<u32, TooLarge> {
    u32::try_from(i).ok().filter(|i| *i != u32::MAX).ok_or(TooLarge(what))
}

/// The text section being filled.
#[derive(Default)]
struct Text(String);

impl Text {
    fn add(&mut self, text: &str) -> Result<TextAt, TooLarge> {
        let at = index(self.0.len(), "bytes of text")?;
        self.0.push_str(text);
        Ok(TextAt { at: at.into(), length: index(text.len(), "bytes of text")?.into() })
    }
}

/// Distinct names in order, and each one's place by the id it had.
struct Ranks<'a> {
    order: Vec<&'a str>,
    rank: Vec<usize>,
}

fn ranks<'a>(names: impl Iterator<Item = &'a str>) -> Ranks<'a> {
    let names: Vec<&str> = names.collect();
    let mut order = names.clone();
    order.sort_unstable();
    let rank = names.iter().map(|name| order.partition_point(|n| n < name)).collect();
    Ranks { order, rank }
}

impl Ranks<'_> {
    fn of(&self, id: u32, what: &'static str) -> Result<u16, TooLarge> {
        let rank = self.rank.get(id as usize).and_then(|rank| u16::try_from(*rank).ok());
        rank.filter(|rank| *rank != u16::MAX).ok_or(TooLarge(what))
    }
}

/// Distinct groups in order; an account without one is a group of its own name.
fn group_names(rows: &Rows) -> Vec<&str> {
    let mut groups: Vec<&str> = rows.accounts.iter().map(|a| a.group.as_deref().unwrap_or(&a.name)).collect();
    groups.sort_unstable();
    groups.dedup();
    groups
}

fn account_rows(
    rows: &Rows,
    plans: &Ranks<'_>,
    zones: &Ranks<'_>,
    groups: &[&str],
    text: &mut Text,
) -> Result<(Vec<Row>, Vec<ExtensionRange>), TooLarge> {
    let mut out: Vec<Row> = Vec::with_capacity(rows.accounts.len());
    let mut extensions = Vec::new();
    // Many accounts number their telephones alike; equal lists are kept once.
    let mut lists: HashMap<&[(u64, u64)], usize> = HashMap::new();
    let mut account = 0;
    for (i, row) in rows.accounts.iter().enumerate() {
        let before = i.checked_sub(1).and_then(|i| rows.accounts.get(i)).filter(|before| before.name == row.name);
        account += usize::from(i > 0 && before.is_none());
        let text_at = match before
            .filter(|before| (&before.display, &before.free) == (&row.display, &row.free))
            .and(out.last())
        {
            Some(last) => last.text_at,
            None => {
                let at = text.add(&row.name)?.at;
                text.add(&row.display)?;
                text.add(&row.free)?;
                at
            }
        };
        let list = *lists.entry(&row.extensions).or_insert_with(|| {
            let at = extensions.len();
            let range = |(low, high): &(u64, u64)| ExtensionRange { low: (*low).into(), high: (*high).into() };
            extensions.extend(row.extensions.iter().map(range));
            at
        });
        let group = row.group.as_deref().unwrap_or(&row.name);
        out.push(Row {
            valid_from: row.from.into(),
            valid_to: row.to.into(),
            billing_start: row.billing_start.into(),
            billing_end: row.billing_end.into(),
            account: index(account, "accounts")?.into(),
            group: index(groups.partition_point(|g| *g < group), "groups")?.into(),
            text_at,
            extensions_at: index(list, "extensions")?.into(),
            extensions: index(row.extensions.len(), "extensions")?.into(),
            plan: plans.of(row.plan, "plans")?.into(),
            zone: zones.of(row.zone, "time zones")?.into(),
            country: row.country,
            name_length: row.name.len() as u8,
            display_length: row.display.len() as u8,
            language: row.language,
            own_group: u8::from(group == &*row.name),
            zero: 0,
            free_length: row.free.len() as u8,
        });
    }
    index(out.len(), "rows")?;
    Ok((out, extensions))
}

/// A number that belongs to one account for ever needs no span.
fn numbers(numbers: &[NumberRow], firsts: &[usize]) -> Result<(Vec<Slot>, Vec<Span>), TooLarge> {
    let mut slots = Vec::with_capacity(numbers.len());
    let mut spans = Vec::new();
    let first = |row: &NumberRow| index(firsts[row.account as usize], "rows");
    for same in numbers.chunk_by(|a, b| a.number == b.number) {
        let key = hash::mix(same[0].number.0);
        if let [NumberRow { from: EVER, to: NEVER, .. }] = same {
            slots.push(Slot::new(key, first(&same[0])?, 0));
            continue;
        }
        slots.push(Slot::new(key, index(spans.len(), "spans")?, index(same.len(), "spans")?));
        for row in same {
            let row_at = first(row)?.into();
            spans.push(Span { from: row.from.into(), to: row.to.into(), row: row_at, zero: 0.into() });
        }
    }
    index(slots.len(), "numbers")?;
    Ok((slots, spans))
}
