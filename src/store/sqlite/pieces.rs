//! Calls told in parts: what waits, and where the pieces of whole calls lie.
//!
//! Does not know what a piece says, nor when a call is whole.

use rusqlite::{Connection, OptionalExtension, Transaction};

use super::state::all;
use super::{damaged, failed, whole};
use crate::batch::Position;
use crate::record::{Content, Identity};
use crate::store::{AssembledRow, FlushBatch, StoreError};

/// Writes new states, takes out what is forgotten, and keeps the places of pieces.
pub fn write(transaction: &Transaction<'_>, batch: &FlushBatch<'_>) -> Result<(), StoreError> {
    let mut upsert = transaction
        .prepare_cached(
            "INSERT INTO open_calls (key, state) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET state = excluded.state",
        )
        .map_err(failed)?;
    let mut delete = transaction.prepare_cached("DELETE FROM open_calls WHERE key = ?1").map_err(failed)?;
    for call in batch.open_calls {
        let key = call.key.to_be_bytes();
        match call.state {
            Some(state) => upsert.execute((key.as_slice(), state)).map_err(failed)?,
            None => delete.execute([key.as_slice()]).map_err(failed)?,
        };
    }
    let mut insert = transaction
        .prepare_cached(
            "INSERT OR REPLACE INTO assembled (position, pieces, identity, content) VALUES (?1, ?2, ?3, ?4)",
        )
        .map_err(failed)?;
    for call in batch.assembled {
        let pieces: Vec<u8> = call.pieces.iter().flat_map(|piece| piece.0.to_le_bytes()).collect();
        let identity = call.known_by.map(|(identity, _)| identity.0.to_le_bytes());
        let content = call.known_by.map(|(_, content)| content.0 as i64);
        insert.execute((whole(call.position.0)?, pieces, identity, content)).map_err(failed)?;
    }
    Ok(())
}

/// Every call that waits, by key.
pub fn open_calls(connection: &Connection) -> Result<Vec<(u128, Vec<u8>)>, StoreError> {
    let rows: Vec<(Vec<u8>, Vec<u8>)> =
        all(connection, "SELECT key, state FROM open_calls ORDER BY key", (), |row| Ok((row.get(0)?, row.get(1)?)))?;
    rows.into_iter()
        .map(|(key, state)| {
            let key = key.try_into().map_err(|_| damaged("the key of an open call"))?;
            Ok((u128::from_be_bytes(key), state))
        })
        .collect()
}

/// Where the pieces of a call lie; none if it came as one record.
pub fn pieces(connection: &Connection, position: Position) -> Result<Vec<Position>, StoreError> {
    let found: Option<Vec<u8>> = connection
        .prepare_cached("SELECT pieces FROM assembled WHERE position = ?1")
        .and_then(|mut statement| statement.query_row([position.0 as i64], |row| row.get(0)).optional())
        .map_err(failed)?;
    found.map_or(Ok(Vec::new()), |bytes| places(&bytes))
}

/// Calls put together from pieces, from a position on, at most `limit`.
pub fn assembled(connection: &Connection, from: Position, limit: usize) -> Result<Vec<AssembledRow>, StoreError> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let sql =
        "SELECT position, pieces, identity, content FROM assembled WHERE position >= ?1 ORDER BY position LIMIT ?2";
    type Stored = (i64, Vec<u8>, Option<Vec<u8>>, Option<i64>);
    let rows: Vec<Stored> =
        all(connection, sql, (whole(from.0)?, limit), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?;
    rows.into_iter()
        .map(|(position, pieces, identity, content)| {
            let identity = identity.map(|bytes| bytes.try_into().map_err(|_| damaged("the identity of a call")));
            let identity = identity.transpose()?.map(|bytes| Identity(u128::from_le_bytes(bytes)));
            let known_by = identity.zip(content.map(|content| Content(content as u64)));
            Ok(AssembledRow { position: Position(position as u64), pieces: places(&pieces)?, known_by })
        })
        .collect()
}

fn places(bytes: &[u8]) -> Result<Vec<Position>, StoreError> {
    let (places, []) = bytes.as_chunks::<8>() else { return Err(damaged("the pieces of a call")) };
    Ok(places.iter().map(|place| Position(u64::from_le_bytes(*place))).collect())
}
