//! What else names a call that is gone: the manifest of its month, and grounds that it shared with nobody.
//!
//! The numbers of grounds are never used again: connections that answer remember them.
//!
//! Does not know which calls go.

use hashbrown::HashSet;
use rusqlite::{Connection, OptionalExtension, Transaction};

use super::failed;
use super::reader::Reader;
use super::state::all;
use crate::store::StoreError;

/// Rows whose grounds are read at once.
const GROUNDS_WINDOW: i64 = 65_536;

/// What a manifest says of contradictions names calls and numbers, and its digest does not cover it: those of calls that
/// are erased lose id and destination, every other byte stays.
pub(super) fn unname(
    transaction: &Transaction<'_>,
    month: i64,
    names: &HashSet<(String, String)>,
) -> Result<(), StoreError> {
    let sql = "SELECT manifest FROM periods WHERE period = ?1 AND manifest IS NOT NULL";
    let found: Option<Vec<u8>> = transaction.query_row(sql, [month], |row| row.get(0)).optional().map_err(failed)?;
    let Some(manifest) = found.and_then(|bytes| String::from_utf8(bytes).ok()) else { return Ok(()) };
    let Some(unnamed) = unnamed(&manifest, names) else { return Ok(()) };
    transaction
        .execute("UPDATE periods SET manifest = ?2 WHERE period = ?1", (month, unnamed.into_bytes()))
        .map_err(failed)
        .map(|_| ())
}

/// The manifest without them; none: it names none of them.
fn unnamed(manifest: &str, names: &HashSet<(String, String)>) -> Option<String> {
    let read: serde_json::Value = serde_json::from_str(manifest).ok()?;
    let mut text = None;
    for conflict in read["conflicts"].as_array()? {
        let (Some(node), Some(id)) = (conflict["node"].as_str(), conflict["id"].as_str()) else { continue };
        if !names.contains(&(node.to_owned(), id.to_owned())) {
            continue;
        }
        let now = text.get_or_insert_with(|| manifest.to_owned());
        let member = |name: &str| format!("\"{name}\":{}", conflict[name]);
        let named = format!("{},{}", member("node"), member("id"));
        let Some(at) = now.find(&named) else { continue };
        let destination = member("destination");
        if let Some(number) = now[at..].find(&destination) {
            now.replace_range(at + number..at + number + destination.len(), "\"destination\":\"erased\"");
        }
        now.replace_range(at..at + named.len(), &format!("{},\"id\":\"erased\"", member("node")));
    }
    text
}

/// Grounds that calls name, up to the last row.
pub(super) fn used_grounds(reader: &mut Reader) -> Result<(HashSet<i64>, i64), StoreError> {
    let last = reader.last_row()?;
    let (mut used, mut from) = (HashSet::new(), 1);
    while from <= last {
        let to = last.min(from + GROUNDS_WINDOW - 1);
        add_grounds(&reader.connection, from, to, &mut used)?;
        from = to + 1;
    }
    Ok((used, last))
}

fn add_grounds(connection: &Connection, from: i64, to: i64, used: &mut HashSet<i64>) -> Result<(), StoreError> {
    let sql = "SELECT DISTINCT grounds FROM calls WHERE row BETWEEN ?1 AND ?2 AND grounds IS NOT NULL";
    used.extend(all(connection, sql, (from, to), |row| row.get::<_, i64>(0))?);
    Ok(())
}

/// Takes out grounds that no call names any more: they may hold the number of whoever forwarded a call. The last one is
/// emptied, so that its number is not given again.
pub(super) fn grounds(transaction: &Transaction<'_>, mut used: HashSet<i64>, last_row: i64) -> Result<(), StoreError> {
    add_grounds(transaction, last_row + 1, i64::MAX, &mut used)?;
    let ids: Vec<i64> = all(transaction, "SELECT id FROM grounds ORDER BY id", (), |row| row.get(0))?;
    let last = ids.last().copied();
    for id in ids.into_iter().filter(|id| !used.contains(id)) {
        let sql = if Some(id) == last {
            "UPDATE grounds SET account = '', forwarded_by = '', routing_number = '' WHERE id = ?1"
        } else {
            "DELETE FROM grounds WHERE id = ?1"
        };
        transaction.prepare_cached(sql).and_then(|mut one| one.execute([id])).map_err(failed)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_loses_the_names_of_erased_calls_and_nothing_else() {
        let manifest = r#"{"digest":"x","conflicts":[{"node":"n","id":"a\"1","taken":"first","destination":"0044","duration":"1"},{"node":"n","id":"b","taken":"first","destination":"0044","duration":"2"}],"late":[]}"#;
        let names = |ids: &[&str]| ids.iter().map(|id| ("n".to_owned(), (*id).to_owned())).collect::<HashSet<_>>();
        assert_eq!(unnamed(manifest, &names(&["c"])), None);
        let first = manifest.replace(r#""id":"a\"1""#, r#""id":"erased""#).replacen("0044", "erased", 1);
        assert_eq!(unnamed(manifest, &names(&[r#"a"1"#])), Some(first));
        let second = manifest.replace(r#""id":"b""#, r#""id":"erased""#);
        let (head, tail) = second.split_at(second.rfind("0044").unwrap());
        assert_eq!(unnamed(manifest, &names(&["b"])), Some(format!("{head}{}", tail.replace("0044", "erased"))));
    }
}
