//! What a command names as a tariff: a rates folder, an image, the digest of an image of the data folder, or a deck.
//!
//! Does not know what is done with it.

use std::path::Path;

use super::{compiled, opened, opened_image};
use crate::config::Config;
use crate::exit::Exit;
use crate::rates;
use crate::tariff::Tariff;
use crate::tariff::deck::{self, Deck};
use crate::tariff::findings::Findings;
use crate::time::Zone;

/// A named tariff or deck, read.
pub enum Side {
    /// All of it.
    Tariff(Box<Tariff>),
    /// The text of one deck, and the name by which it is known: the file's.
    Deck { name: String, text: Vec<u8> },
}

/// The least of a digest by which an image may be named.
const DIGEST_MIN: usize = 8;

impl Side {
    pub fn open(config: &Config, named: &str) -> Result<Side, Exit> {
        let path = Path::new(named);
        if path.is_dir() {
            return Ok(Side::Tariff(Box::new(folder(path)?)));
        }
        if !path.exists() {
            return Ok(Side::Tariff(Box::new(kept(config, named)?)));
        }
        if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("csv")) {
            let text = std::fs::read(path).map_err(|e| Exit::environment(format!("{named}: {e}")))?;
            let name = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
            return Ok(Side::Deck { name, text });
        }
        Ok(Side::Tariff(Box::new(opened(path)?)))
    }

    /// The tariff, where it is one.
    pub fn tariff(&self) -> Option<&Tariff> {
        match self {
            Side::Tariff(tariff) => Some(tariff),
            Side::Deck { .. } => None,
        }
    }
}

/// A rates folder, compiled. Its faults are wrong usage here: a command that compares ends with 1 for another reason.
fn folder(path: &Path) -> Result<Tariff, Exit> {
    let compiled = compiled(path).map_err(|exit| Exit { code: exit.code.max(2), ..exit })?;
    opened_image(compiled.tariff.image)
}

/// An image of the data folder by its digest, or by the beginning of it.
fn kept(config: &Config, named: &str) -> Result<Tariff, Exit> {
    let digest = named.strip_prefix("blake3:").unwrap_or(named).to_ascii_lowercase();
    let folder = config.data_dir.join("images");
    if digest.len() < DIGEST_MIN || !digest.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(Exit::usage(format!(
            "{named} is neither a file nor a folder, nor the digest of an image ({DIGEST_MIN} hex digits or more)"
        )));
    }
    let listed = std::fs::read_dir(&folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut found: Vec<_> = listed
        .filter(|path| path.extension().is_some_and(|extension| extension == "tariff"))
        .filter(|path| path.file_stem().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with(&digest)))
        .collect();
    match (found.pop(), found.pop()) {
        (Some(path), None) => opened(&path),
        (None, _) => Err(Exit::usage(format!(
            "there is no image {named} in {}; `callrated tariff history` lists what was in force",
            folder.display()
        ))),
        (Some(_), Some(_)) => Err(Exit::usage(format!("{named} begins more than one digest: write more of it"))),
    }
}

/// Reads a deck as the daemon would, its clocks and short codes taken from where it stands or will stand.
pub fn read_deck(name: &str, text: &[u8], zone: &str, ground: Option<&Tariff>) -> Result<Deck, Exit> {
    let zone = Zone::named(zone).map_err(|e| Exit::usage(format!("deck {name}: {e}")))?;
    let mut findings = Findings::new(format!("{name}.csv"));
    let short_code = |country, digits: &[u8]| ground.and_then(|tariff| tariff.short_code(country, digits));
    let deck = deck::read(text, &zone, &short_code, &mut findings);
    let refused = findings.refused();
    for finding in findings.finish() {
        eprintln!("{}", rates::describe(&finding));
    }
    if refused {
        Err(Exit::usage(format!(
            "{name}.csv is no deck that could be in force; `callrated tariff import` makes one of what a supplier sent"
        )))
    } else {
        Ok(deck)
    }
}
