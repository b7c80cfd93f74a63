//! A Parquet file under way: typed columns, in row groups of bounded size, sent while rows come.
//!
//! Money is `DECIMAL(38, 9)`, talk time and minutes are `DECIMAL(18, 6)`, instants are microseconds in UTC, texts are UTF-8 with
//! a dictionary.
//!
//! Memory: one row group, some 40 MiB, and what the file says at its end of each that was written: 4 KiB there for 65,536 calls.
//!
//! Does not know where rows come from.

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

use crate::http::stream;
use crate::money::MONEY_DECIMALS;
use crate::time::Timestamp;

/// Rows of a row group: what readers split work by.
const GROUP_ROWS: usize = 65_536;
/// Bytes of text in one column after which a row group ends early.
const GROUP_TEXT: usize = 8 << 20;
/// Values handed to the encoder at a time.
const BATCH: usize = 1024;
/// Bytes of a `DECIMAL(38, 9)`.
const MONEY_BYTES: usize = 16;
/// A kind of row.
pub(super) trait Rows: 'static {
    type Row<'a>;
    /// What the file says it holds.
    const CONTENT: &'static str;
    const COLUMNS: &'static [Column<Self>];
}

/// A column: its name, and how its value is taken out of a row, which decides its type.
pub(super) type Column<T> = (&'static str, Take<T>);

#[allow(clippy::type_complexity, reason = "a list of functions is what it is")]
pub(super) enum Take<T: Rows + ?Sized> {
    Text(for<'r, 'a> fn(&'r T::Row<'a>) -> Cow<'r, str>),
    MaybeText(for<'r, 'a> fn(&'r T::Row<'a>) -> Option<String>),
    Instant(for<'r, 'a> fn(&'r T::Row<'a>) -> Timestamp),
    MaybeInstant(for<'r, 'a> fn(&'r T::Row<'a>) -> Option<Timestamp>),
    Count(for<'r, 'a> fn(&'r T::Row<'a>) -> i64),
    Millionths(for<'r, 'a> fn(&'r T::Row<'a>) -> i64),
    Nanos(for<'r, 'a> fn(&'r T::Row<'a>) -> i128),
    MaybeNanos(for<'r, 'a> fn(&'r T::Row<'a>) -> Option<i128>),
}

use Take::{Count, Instant, MaybeInstant, MaybeNanos, MaybeText, Millionths, Nanos, Text};

/// A file under way.
pub(super) struct Table<'w, T: Rows> {
    file: SerializedFileWriter<Sink<'w>>,
    held: Vec<Held>,
    rows: usize,
    kind: std::marker::PhantomData<T>,
}

impl<'w, T: Rows> Table<'w, T> {
    pub(super) fn begin(body: &'w mut stream::Writer) -> Result<Table<'w, T>, ParquetError> {
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

    pub(super) fn push(&mut self, row: &T::Row<'_>) -> Result<(), ParquetError> {
        let mut full = false;
        for (held, (_, take)) in self.held.iter_mut().zip(T::COLUMNS) {
            match (held, take) {
                (Held::Texts(texts), Text(take)) => full |= texts.push(Some(&take(row))),
                (Held::Texts(texts), MaybeText(take)) => full |= texts.push(take(row).as_deref()),
                (Held::Longs(longs), Instant(take)) => longs.push(Some(take(row).0)),
                (Held::Longs(longs), MaybeInstant(take)) => longs.push(take(row).map(|at| at.0)),
                (Held::Longs(longs), Count(take) | Millionths(take)) => longs.push(Some(take(row))),
                (Held::Nanos(nanos), Nanos(take)) => nanos.push(Some(take(row))),
                (Held::Nanos(nanos), MaybeNanos(take)) => nanos.push(take(row)),
                // `Held::of` made each for its column.
                _ => return Err(ParquetError::General("a column of another type".to_owned())),
            }
        }
        self.rows += 1;
        if full || self.rows == GROUP_ROWS { self.group() } else { Ok(()) }
    }

    /// Ends the file. It says of itself what its rows add up to, and by which rule.
    pub(super) fn end(mut self, told: &[(&str, &str)]) -> Result<(), ParquetError> {
        if self.rows > 0 {
            self.group()?;
        }
        for (key, value) in [("content", T::CONTENT)].iter().chain(told) {
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
        Nanos(_) | MaybeNanos(_) => {
            let scale = MONEY_DECIMALS as i32;
            (Physical::FIXED_LEN_BYTE_ARRAY, Some(LogicalType::decimal(scale, 38)), 38, scale)
        }
    };
    let optional = matches!(take, MaybeText(_) | MaybeInstant(_) | MaybeNanos(_));
    Type::primitive_type_builder(name, physical)
        .with_repetition(if optional { Repetition::OPTIONAL } else { Repetition::REQUIRED })
        .with_logical_type(logical)
        .with_length(if matches!(take, Nanos(_) | MaybeNanos(_)) { MONEY_BYTES as i32 } else { -1 })
        .with_precision(precision)
        .with_scale(scale)
        .build()
}

/// The values of a column that wait for their row group to be full.
enum Held {
    Texts(Texts),
    Longs(Vec<Option<i64>>),
    Nanos(Vec<Option<i128>>),
}

impl Held {
    fn of<T: Rows>(take: &Take<T>) -> Held {
        match take {
            Text(_) | MaybeText(_) => Held::Texts(Texts::default()),
            Instant(_) | MaybeInstant(_) | Count(_) | Millionths(_) => Held::Longs(Vec::new()),
            Nanos(_) | MaybeNanos(_) => Held::Nanos(Vec::new()),
        }
    }

    fn write(&mut self, column: &mut SerializedColumnWriter<'_>) -> Result<(), ParquetError> {
        match self {
            Held::Texts(texts) => {
                let bytes = Bytes::from(std::mem::take(&mut texts.bytes));
                for part in texts.places.chunks(BATCH) {
                    let values: Vec<ByteArray> =
                        part.iter().flatten().map(|place| ByteArray::from(bytes.slice(range(*place)))).collect();
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
                    let bytes: Bytes = part.iter().flatten().flat_map(|n| n.to_be_bytes()).collect();
                    let one = |i| FixedLenByteArray::from(ByteArray::from(bytes.slice(i..i + MONEY_BYTES)));
                    let values: Vec<_> = (0..bytes.len()).step_by(MONEY_BYTES).map(one).collect();
                    column.typed::<FixedLenByteArrayType>().write_batch(&values, Some(&present(part)), None)?;
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
    /// From and to; u32, since with each row a few bytes more are held in every column.
    places: Vec<Option<(u32, u32)>>,
}

impl Texts {
    /// Whether that was enough for one row group.
    fn push(&mut self, text: Option<&str>) -> bool {
        let last = self.places.last().copied().flatten();
        let place = text.map(|text| match last {
            Some(last) if &self.bytes[range(last)] == text.as_bytes() => last,
            _ => {
                let from = self.bytes.len() as u32;
                self.bytes.extend_from_slice(text.as_bytes());
                (from, self.bytes.len() as u32)
            }
        });
        self.places.push(place);
        self.bytes.len() >= GROUP_TEXT
    }
}

fn range((from, to): (u32, u32)) -> Range<usize> {
    from as usize..to as usize
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
