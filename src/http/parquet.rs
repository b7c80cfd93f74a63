//! Calls and totals as Parquet: typed columns, in row groups of bounded size, sent while they are read.
//!
//! Money is `DECIMAL(38, 9)`, talk time and minutes are `DECIMAL(18, 6)`, instants are microseconds in UTC, texts are UTF-8 with
//! a dictionary. Columns are named as in NDJSON; the parts of `steps` stand as `steps_mode` and so on, for readers without
//! nested columns.
//!
//! Memory: one row group, and some 5 KiB for each that was written, which the file names at its end.
//!
//! Does not know where rows come from, nor who asked.

use std::borrow::Cow;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use ::parquet::basic::{Compression, LogicalType, Repetition, TimeUnit, Type as Physical};
use ::parquet::data_type::{ByteArray, ByteArrayType, FixedLenByteArray, FixedLenByteArrayType, Int64Type};
use ::parquet::errors::ParquetError;
use ::parquet::file::metadata::KeyValue;
use ::parquet::file::properties::{EnabledStatistics, WriterProperties};
use ::parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use ::parquet::schema::types::Type;
use bytes::Bytes;

use super::details::{number, text};
use super::export::{self, Costs};
use super::{periods, stream, usage};
use crate::money::{MONEY_DECIMALS, Money};
use crate::rating::billable_millionths as millionths;
use crate::road::UsageLine;
use crate::store::{Store, StoreError, StoredCall, Visit};
use crate::time::{Period, Timestamp};

/// Rows of a row group: what readers split work by.
const GROUP_ROWS: usize = 65_536;
/// Bytes of text in one column after which a row group ends early.
const GROUP_TEXT: usize = 8 << 20;
/// Values handed to the encoder at a time.
const BATCH: usize = 1024;
/// Bytes of a `DECIMAL(38, 9)`.
const MONEY_BYTES: usize = 16;
/// Accounts read at a time: a slow client keeps no transaction of the store open.
const ACCOUNTS: usize = 1000;
/// How the column of costs comes to its sum.
const SUM_RULE: &str = "every call is rounded once, to its plan's decimals, when it is rated (R18); by currency, the column cost \
    adds up to callrated.cost to the digit, and nothing is rounded again";

/// Writes the calls of a month; `began` is what its totals came to as that began.
pub(super) fn calls(store: &dyn Store, period: Period, began: &str, mut body: stream::Writer) {
    let written = write_calls(store, period, began, &mut body);
    ended(written, body);
}

/// Writes the totals of a month.
pub(super) fn totals(store: &dyn Store, period: Period, mut body: stream::Writer) {
    let written = write_totals(store, period, &mut body);
    ended(written, body);
}

#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error("{0}")]
    Store(#[from] StoreError),
    #[error("{0}")]
    Encoder(#[from] ParquetError),
}

fn ended(written: Result<(), Broken>, body: stream::Writer) {
    match written {
        // A client that went away wants no end.
        Ok(()) => drop(body.finish()),
        Err(Broken::Encoder(ParquetError::External(error))) if error.is::<io::Error>() => {}
        Err(error) => {
            tracing::error!("an export is cut off: {error}");
            body.cut_off();
        }
    }
}

fn write_calls(store: &dyn Store, period: Period, began: &str, body: &mut stream::Writer) -> Result<(), Broken> {
    let mut table = Table::<Calls>::begin(body)?;
    let (mut count, mut costs, mut failed) = (0u64, Costs::default(), None);
    export::each(store, period, |call, account| {
        count += 1;
        costs.add(call.call.basis.currency, nanos(call.call.cost), call.call.basis.decimals);
        match table.push(&Leg { of: call, account }) {
            Ok(()) => Visit::Continue(()),
            Err(error) => {
                failed = Some(error);
                Visit::Break(())
            }
        }
    })?;
    if let Some(error) = failed {
        return Err(error.into());
    }
    let (count, cost) = (count.to_string(), costs.to_string());
    Ok(table.end(&[("period", &period.to_string()), ("calls", &count), ("cost", &cost), ("month_cost", began)])?)
}

fn write_totals(store: &dyn Store, period: Period, body: &mut stream::Writer) -> Result<(), Broken> {
    let mut table = Table::<Totals>::begin(body)?;
    let (mut count, mut costs, mut after) = (0, Costs::default(), None);
    loop {
        let page = periods::page(store, period, after.as_deref(), ACCOUNTS)?;
        for (account, lines) in &page {
            for line in lines {
                count += line.usage.calls;
                costs.add(line.currency, line.usage.cost, line.decimals);
                table.push(&(account, line))?;
            }
        }
        if page.len() < ACCOUNTS {
            break;
        }
        after = page.into_iter().next_back().map(|(account, _)| account);
    }
    let (count, cost) = (count.to_string(), costs.to_string());
    Ok(table.end(&[("period", &period.to_string()), ("calls", &count), ("cost", &cost)])?)
}

/// A kind of row.
trait Rows: 'static {
    type Row<'a>;
    /// What the file says it holds.
    const CONTENT: &'static str;
    const COLUMNS: &'static [Column<Self>];
}

/// A column: its name, and how its value is taken out of a row, which decides its type.
type Column<T> = (&'static str, Take<T>);

#[allow(clippy::type_complexity, reason = "a list of functions is what it is")]
enum Take<T: Rows + ?Sized> {
    Text(for<'r, 'a> fn(&'r T::Row<'a>) -> Cow<'r, str>),
    MaybeText(for<'r, 'a> fn(&'r T::Row<'a>) -> Option<String>),
    Instant(for<'r, 'a> fn(&'r T::Row<'a>) -> Timestamp),
    MaybeInstant(for<'r, 'a> fn(&'r T::Row<'a>) -> Option<Timestamp>),
    Count(for<'r, 'a> fn(&'r T::Row<'a>) -> i64),
    Millionths(for<'r, 'a> fn(&'r T::Row<'a>) -> i64),
    Nanos(for<'r, 'a> fn(&'r T::Row<'a>) -> i128),
}
use Take::{Count, Instant, MaybeInstant, MaybeText, Millionths, Nanos, Text};

/// Rated legs.
enum Calls {}

/// A leg and the name of its account.
struct Leg<'a> {
    of: &'a StoredCall<'a>,
    account: &'a str,
}

impl Rows for Calls {
    type Row<'a> = Leg<'a>;
    const CONTENT: &'static str = "calls";
    const COLUMNS: &'static [Column<Calls>] = &[
        ("account", Text(|row| row.account.into())),
        ("node", Text(|row| text(row.of.node).into())),
        ("id", Text(|row| text(row.of.id).into())),
        ("direction", Text(|row| row.of.call.key.leg.name().into())),
        ("source", Text(|row| number(row.of.call.source, row.of.source_dialled).into())),
        ("destination", Text(|row| number(row.of.call.destination, row.of.destination_dialled).into())),
        ("dialled", Text(|row| text(row.of.destination_dialled).into())),
        ("setup", MaybeInstant(|row| row.of.start)),
        ("start", Instant(|row| row.of.call.answer)),
        ("end", Instant(|row| Timestamp(row.of.call.answer.0.saturating_add(row.of.call.duration.0)))),
        ("duration", Millionths(|row| row.of.call.duration.0)),
        ("call_type", Text(|row| row.of.call.call_type.name().into())),
        ("billable_seconds", Count(|row| row.of.call.billable_seconds.into())),
        ("billable_minutes", Millionths(|row| millionths(row.of.call.billable_seconds.into()))),
        ("included_seconds", Count(|row| row.of.call.included_seconds.into())),
        ("overage_seconds", Count(|row| row.of.call.overage_seconds().into())),
        ("rate", Nanos(|row| nanos(row.of.call.basis.price.rate))),
        ("connect_fee", Nanos(|row| nanos(row.of.call.basis.price.connect_fee))),
        ("cost", Nanos(|row| nanos(row.of.call.cost))),
        ("currency", Text(|row| usage::text(&row.of.call.basis.currency).into())),
        ("period", Text(|row| row.of.call.period.to_string().into())),
        ("adjusts", MaybeText(|row| row.of.call.adjusts.map(|own| own.to_string()))),
        ("rule", Text(|row| format!("R{}", row.of.call.basis.rule).into())),
        ("plan", Text(|row| row.of.text.plan.as_str().into())),
        ("deck", Text(|row| row.of.text.deck.as_str().into())),
        ("prefix", Text(|row| row.of.text.prefix.as_str().into())),
        ("destination_name", Text(|row| row.of.text.destination.as_str().into())),
        ("steps_mode", Text(|row| row.of.call.basis.steps.mode.name().into())),
        ("steps_initial", Count(|row| row.of.call.basis.steps.initial.into())),
        ("steps_increment", Count(|row| row.of.call.basis.steps.increment.into())),
        ("steps_minimum", Count(|row| row.of.call.basis.steps.minimum.into())),
        ("steps_free_below", Millionths(|row| row.of.call.basis.steps.free_below.0)),
        ("tariff", Text(|row| format!("blake3:{}", row.of.text.tariff).into())),
        ("revision", Count(|row| row.of.revision.into())),
    ];
}

/// Totals by account, call type and currency.
enum Totals {}

impl Rows for Totals {
    type Row<'a> = (&'a String, &'a UsageLine);
    const CONTENT: &'static str = "totals";
    const COLUMNS: &'static [Column<Totals>] = &[
        ("account", Text(|row| row.0.as_str().into())),
        ("call_type", Text(|row| row.1.call_type.name().into())),
        ("calls", Count(|row| row.1.usage.calls)),
        // As in JSON: a month of talk time of one account is far below 292,000 years.
        ("seconds", Millionths(|row| row.1.usage.talk as i64)),
        ("billable_seconds", Count(|row| row.1.usage.billable_seconds)),
        ("billable_minutes", Millionths(|row| millionths(row.1.usage.billable_seconds))),
        ("currency", Text(|row| usage::text(&row.1.currency).into())),
        ("cost", Nanos(|row| row.1.usage.cost)),
    ];
}

fn nanos(money: Money) -> i128 {
    money.0.into()
}

/// A file under way.
struct Table<'w, T: Rows> {
    file: SerializedFileWriter<Sink<'w>>,
    held: Vec<Held>,
    rows: usize,
    kind: std::marker::PhantomData<T>,
}

impl<'w, T: Rows> Table<'w, T> {
    fn begin(body: &'w mut stream::Writer) -> Result<Table<'w, T>, ParquetError> {
        let fields = T::COLUMNS
            .iter()
            .map(|(name, take)| Ok(Arc::new(schema(name, take)?)))
            .collect::<Result<_, ParquetError>>()?;
        let schema = Type::group_type_builder(T::CONTENT).with_fields(fields).build()?;
        let properties = WriterProperties::builder()
            .set_created_by(format!("callrated {}", env!("CARGO_PKG_VERSION")))
            .set_compression(Compression::SNAPPY)
            // Of chunks, which let a reader pass over row groups; those of pages would grow memory with every page.
            .set_statistics_enabled(EnabledStatistics::Chunk)
            .set_offset_index_disabled(true)
            .build();
        let file = SerializedFileWriter::new(Sink { body, gone: false }, Arc::new(schema), Arc::new(properties))?;
        let held = T::COLUMNS.iter().map(|(_, take)| Held::of(take)).collect();
        Ok(Table { file, held, rows: 0, kind: std::marker::PhantomData })
    }

    fn push(&mut self, row: &T::Row<'_>) -> Result<(), ParquetError> {
        let mut full = false;
        for (held, (_, take)) in self.held.iter_mut().zip(T::COLUMNS) {
            match (held, take) {
                (Held::Texts(texts), Text(take)) => full |= texts.push(Some(&take(row))),
                (Held::Texts(texts), MaybeText(take)) => full |= texts.push(take(row).as_deref()),
                (Held::Longs(longs), Instant(take)) => longs.push(Some(take(row).0)),
                (Held::Longs(longs), MaybeInstant(take)) => longs.push(take(row).map(|at| at.0)),
                (Held::Longs(longs), Count(take) | Millionths(take)) => longs.push(Some(take(row))),
                (Held::Nanos(nanos), Nanos(take)) => nanos.push(take(row)),
                // `Held::of` made each for its column.
                _ => return Err(ParquetError::General("a column of another type".to_owned())),
            }
        }
        self.rows += 1;
        if full || self.rows == GROUP_ROWS { self.group() } else { Ok(()) }
    }

    /// Ends the file. It says of itself what its rows add up to, and by which rule.
    fn end(mut self, told: &[(&str, &str)]) -> Result<(), ParquetError> {
        if self.rows > 0 {
            self.group()?;
        }
        for (key, value) in [("content", T::CONTENT), ("sum_rule", SUM_RULE)].iter().chain(told) {
            self.file.append_key_value_metadata(KeyValue::new(format!("callrated.{key}"), (*value).to_owned()));
        }
        self.file.close().map(|_| ())
    }

    /// What is held becomes a row group.
    fn group(&mut self) -> Result<(), ParquetError> {
        let mut group = self.file.next_row_group()?;
        for held in &mut self.held {
            let Some(mut column) = group.next_column()? else { break };
            held.write(&mut column)?;
            column.close()?;
        }
        group.close()?;
        self.rows = 0;
        Ok(())
    }
}

fn schema<T: Rows>(name: &str, take: &Take<T>) -> Result<Type, ParquetError> {
    let (physical, logical, precision, scale) = match take {
        Text(_) | MaybeText(_) => (Physical::BYTE_ARRAY, Some(LogicalType::String), -1, -1),
        Instant(_) | MaybeInstant(_) => (Physical::INT64, Some(LogicalType::timestamp(true, TimeUnit::MICROS)), -1, -1),
        Count(_) => (Physical::INT64, None, -1, -1),
        Millionths(_) => (Physical::INT64, Some(LogicalType::decimal(6, 18)), 18, 6),
        Nanos(_) => {
            let scale = MONEY_DECIMALS as i32;
            (Physical::FIXED_LEN_BYTE_ARRAY, Some(LogicalType::decimal(scale, 38)), 38, scale)
        }
    };
    let optional = matches!(take, MaybeText(_) | MaybeInstant(_));
    Type::primitive_type_builder(name, physical)
        .with_repetition(if optional { Repetition::OPTIONAL } else { Repetition::REQUIRED })
        .with_logical_type(logical)
        .with_length(if matches!(take, Nanos(_)) { MONEY_BYTES as i32 } else { -1 })
        .with_precision(precision)
        .with_scale(scale)
        .build()
}

/// The values of a column that wait for their row group to be full.
enum Held {
    Texts(Texts),
    Longs(Vec<Option<i64>>),
    Nanos(Vec<i128>),
}

impl Held {
    fn of<T: Rows>(take: &Take<T>) -> Held {
        match take {
            Text(_) | MaybeText(_) => Held::Texts(Texts::default()),
            Instant(_) | MaybeInstant(_) | Count(_) | Millionths(_) => Held::Longs(Vec::new()),
            Nanos(_) => Held::Nanos(Vec::new()),
        }
    }

    fn write(&mut self, column: &mut SerializedColumnWriter<'_>) -> Result<(), ParquetError> {
        match self {
            Held::Texts(texts) => {
                let bytes = Bytes::from(std::mem::take(&mut texts.bytes));
                for part in texts.places.chunks(BATCH) {
                    let values: Vec<ByteArray> =
                        part.iter().flatten().map(|place| ByteArray::from(bytes.slice(place.clone()))).collect();
                    column.typed::<ByteArrayType>().write_batch(&values, Some(&present(part)), None)?;
                }
                texts.places.clear();
            }
            Held::Longs(longs) => {
                for part in longs.chunks(BATCH) {
                    let values: Vec<i64> = part.iter().flatten().copied().collect();
                    column.typed::<Int64Type>().write_batch(&values, Some(&present(part)), None)?;
                }
                longs.clear();
            }
            Held::Nanos(nanos) => {
                for part in nanos.chunks(BATCH) {
                    let bytes: Bytes = part.iter().flat_map(|n| n.to_be_bytes()).collect();
                    let one = |i| FixedLenByteArray::from(ByteArray::from(bytes.slice(i..i + MONEY_BYTES)));
                    let values: Vec<_> = (0..bytes.len()).step_by(MONEY_BYTES).map(one).collect();
                    column.typed::<FixedLenByteArrayType>().write_batch(&values, None, None)?;
                }
                nanos.clear();
            }
        }
        Ok(())
    }
}

/// Which of them are there; a column that must have values takes no notice.
fn present<V>(values: &[Option<V>]) -> Vec<i16> {
    values.iter().map(|value| value.is_some().into()).collect()
}

/// Texts one after the other; one that is equal to that before it takes no room, as an account's name mostly is.
#[derive(Default)]
struct Texts {
    bytes: Vec<u8>,
    places: Vec<Option<Range<usize>>>,
}

impl Texts {
    /// Whether that was enough for one row group.
    fn push(&mut self, text: Option<&str>) -> bool {
        let last = self.places.last().cloned().flatten();
        let place = text.map(|text| match last {
            Some(last) if &self.bytes[last.clone()] == text.as_bytes() => last,
            _ => {
                let from = self.bytes.len();
                self.bytes.extend_from_slice(text.as_bytes());
                from..self.bytes.len()
            }
        });
        self.places.push(place);
        self.bytes.len() >= GROUP_TEXT
    }
}

/// The body, as the encoder writes to it.
struct Sink<'w> {
    body: &'w mut stream::Writer,
    /// What the encoder has left when it is dropped is not tried on a client that takes nothing.
    gone: bool,
}

impl io::Write for Sink<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.gone = self.gone || self.body.write(bytes).is_err();
        if self.gone { Err(io::ErrorKind::BrokenPipe.into()) } else { Ok(bytes.len()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
