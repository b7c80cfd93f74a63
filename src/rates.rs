//! The rates folder: reads its files and compiles them to images.
//!
//! A folder with any error gives no image at all, and every finding with its file and line; what is in force stays.
//!
//! Does not know when an image comes into force, nor who uses it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::directory;
use crate::guard;
use crate::nearest::did_you_mean;
use crate::tariff::findings::FINDINGS_MAX;
use crate::tariff::judge::{self, DeckRemarks, Kind};
use crate::tariff::supplier::mapping::Mapping;
use crate::tariff::{self, Compiled, Finding, RatesText, Severity, Tariff};
use crate::time::Timestamp;

/// Both images of a folder, and what was noticed on the way.
#[derive(Debug)]
pub struct CompiledRates {
    /// The tariff.
    pub tariff: Compiled,
    /// The directory's image.
    pub directory: Vec<u8>,
    /// What accounts are watched by.
    pub guards: guard::Rules,
    /// Warnings of all.
    pub findings: Vec<Finding>,
}

/// What to do where there is no folder.
pub const NO_FOLDER_HINT: &str =
    "start callrated where it lies, or name it by rates_dir in callrated.toml; the sources bring an example, rates/";

/// Why there are no images.
#[derive(Debug, thiserror::Error)]
pub enum RatesError {
    /// There is no such folder.
    #[error("there is no rates folder {}: {NO_FOLDER_HINT}", .0.display())]
    NoFolder(PathBuf),
    /// A file or the folder cannot be read.
    #[error("the rates folder {folder} cannot be used: {file}: {source}")]
    Unreadable {
        /// The folder.
        folder: PathBuf,
        /// The file in it.
        file: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// It was read, and is wrong.
    #[error("the rates folder {folder} has {} error(s)", .findings.iter().filter(|f| f.severity == Severity::Error).count())]
    Wrong {
        /// The folder.
        folder: PathBuf,
        /// Every error and warning.
        findings: Vec<Finding>,
    },
}

/// The files of a rates folder as text.
pub struct RatesFolder {
    folder: PathBuf,
    text: RatesText,
    accounts: Vec<u8>,
    numbers: Vec<u8>,
    guards: Vec<u8>,
}

impl RatesFolder {
    /// Reads every file.
    pub fn read(folder: &Path) -> Result<RatesFolder, RatesError> {
        if !folder.exists() {
            // A relative path says little without what it is relative to.
            return Err(RatesError::NoFolder(std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned())));
        }
        let unreadable = |file: &str| {
            let file = file.to_owned();
            let folder = folder.to_owned();
            move |source| RatesError::Unreadable { folder, file, source }
        };
        let file = |name: &str| std::fs::read(folder.join(name)).map_err(unreadable(name));
        // What only some folders have.
        let optional = |name: &str| match std::fs::read(folder.join(name)) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
            read => read.map_err(unreadable(name)),
        };
        let mut decks = Vec::new();
        let listed = std::fs::read_dir(folder.join("decks")).map_err(unreadable("decks"))?;
        for entry in listed {
            let path = entry.map_err(unreadable("decks"))?.path();
            let name = path.file_stem().and_then(|n| n.to_str()).unwrap_or_default().to_owned();
            if path.extension().is_some_and(|e| e == "csv") && !name.starts_with('.') {
                decks.push((name.clone(), file(&format!("decks/{name}.csv"))?));
            }
        }
        // The order in which the system lists files must not show anywhere.
        decks.sort();
        let mut free = Vec::new();
        match std::fs::read_dir(folder.join("free")) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(unreadable("free")(error)),
            Ok(listed) => {
                for entry in listed {
                    let path = entry.map_err(unreadable("free"))?.path();
                    let name = path.file_stem().and_then(|n| n.to_str()).unwrap_or_default().to_owned();
                    if path.extension().is_some_and(|e| e == "csv") && !name.starts_with('.') {
                        free.push((name.clone(), file(&format!("free/{name}.csv"))?));
                    }
                }
            }
        }
        free.sort();
        Ok(RatesFolder {
            folder: folder.to_owned(),
            text: RatesText {
                countries: file("countries.toml")?,
                numbering: file("numbering.csv")?,
                plans: file("plans.toml")?,
                decks,
                free,
                exchange: optional("exchange.csv")?,
                states: optional("states.csv")?,
            },
            accounts: file("accounts.csv")?,
            numbers: file("numbers.csv")?,
            guards: optional(guard::read::FILE)?,
        })
    }

    /// Compiles both images; all findings of both if either is wrong.
    pub fn compile(&self) -> Result<CompiledRates, RatesError> {
        let tariff = tariff::compile(&self.text);
        let directory = directory::compile(&self.accounts, &self.numbers);
        match (tariff, directory) {
            (Ok(mut tariff), Ok((directory, mut findings))) => {
                findings.splice(0..0, std::mem::take(&mut tariff.findings));
                findings.extend(self.misfits(&tariff));
                let guards = self.guards(&tariff, &mut findings);
                if findings.iter().any(|f| f.severity == Severity::Error) {
                    return Err(RatesError::Wrong { folder: self.folder.clone(), findings });
                }
                Ok(CompiledRates { tariff, directory, guards, findings })
            }
            (tariff, directory) => {
                let mut findings = tariff.map_or_else(|f| f, |t| t.findings);
                findings.extend(directory.map_or_else(|f| f, |d| d.1));
                Err(RatesError::Wrong { folder: self.folder.clone(), findings })
            }
        }
    }
}

impl RatesFolder {
    /// What is likely to be wrong in decks that can be read. `accepted` kinds only warn, and those that a supplier's
    /// mapping, `suppliers/NAME.toml`, accepts for its deck. Of dates what is still to come is judged.
    pub fn judge(&self, accepted: &[Kind], now: Timestamp) -> Vec<DeckRemarks> {
        let kinds = |deck: &str| {
            let kept = std::fs::read_to_string(self.folder.join("suppliers").join(format!("{deck}.toml")));
            let mapping = kept.ok().and_then(|text| Mapping::parse(&text).ok()).unwrap_or_default();
            let named = mapping.accept.iter().filter_map(|name| Kind::named(name).ok());
            named.chain(accepted.iter().copied()).collect()
        };
        judge::folder(&self.text, now, &kinds)
    }

    /// The numbers of accounts as E.164, each with the country of its first owner, in the order of numbers.
    pub fn numbers(&self) -> Vec<(String, String)> {
        let owned = directory::owned(&self.accounts, &self.numbers).into_iter();
        owned.map(|(number, country)| (format!("+{number}"), country.to_string())).collect()
    }

    /// What `guards.toml` says, if the folder has one.
    fn guards(&self, compiled: &Compiled, findings: &mut Vec<Finding>) -> guard::Rules {
        if self.guards.is_empty() {
            return guard::Rules::default();
        }
        let Ok(tariff) = Tariff::open(bytes::Bytes::copy_from_slice(&compiled.image)) else {
            return guard::Rules::default();
        };
        let uses = directory::uses(&self.accounts);
        let names: BTreeSet<&str> = uses.iter().map(|row| row.plan.as_str()).collect();
        let currency = |code: &[u8]| String::from_utf8_lossy(code).into_owned();
        let plans = tariff.plans().iter().filter(|plan| names.contains(plan.name.as_str()));
        let plans = plans.map(|plan| (plan.name.as_str(), currency(&plan.currency))).collect();
        let accounts: BTreeSet<&str> = uses.iter().map(|row| row.account.as_str()).collect();
        let known = guard::read::Known { plans, accounts };
        let (rules, found) = guard::read::read(&self.guards, &known);
        findings.extend(found);
        rules.unwrap_or_default()
    }

    /// Accounts whose plan or country the tariff does not know: none of their calls could be rated.
    fn misfits(&self, compiled: &Compiled) -> Vec<Finding> {
        let Ok(tariff) = Tariff::open(bytes::Bytes::copy_from_slice(&compiled.image)) else { return Vec::new() };
        let plans = || tariff.plans().iter().map(|plan| plan.name.as_str());
        let mut found = Vec::new();
        for row in directory::uses(&self.accounts) {
            let mut error = |column, message: String, hint: String| {
                let file = "accounts.csv".to_owned();
                found.push(Finding { severity: Severity::Error, file, line: row.line, column, message, hint });
            };
            if tariff.plan_named(&row.plan).is_none() {
                error(
                    row.plan_column,
                    format!("account {:?} has plan {:?}, which plans.toml does not have", row.account, row.plan),
                    did_you_mean(&row.plan, plans(), "add it to plans.toml"),
                );
            }
            for list in row.free.iter().filter(|list| tariff.free_list(list).is_none()) {
                let lists = tariff.free_lists().iter().map(|list| list.name.as_str());
                error(
                    row.free_column,
                    format!("account {:?} names the list of free numbers {list:?}, which has no file", row.account),
                    did_you_mean(list, lists, &format!("there is no free/{list}.csv")),
                );
            }
            if tariff.countries().get(row.country).is_none() {
                error(
                    row.country_column,
                    format!(
                        "account {:?} is in country {}, which countries.toml does not have",
                        row.account, row.country
                    ),
                    "write ISO 3166 alpha-2, such as DE, or add the country there".to_owned(),
                );
            }
            if found.len() >= FINDINGS_MAX {
                break;
            }
        }
        found
    }
}

/// One finding as a line for people: `decks/world.csv:12:3: error: … (hint)`.
pub fn describe(finding: &Finding) -> String {
    let severity = match finding.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let mut text = finding.file.clone();
    if finding.line > 0 {
        text.push_str(&format!(":{}", finding.line));
        if finding.column > 0 {
            text.push_str(&format!(":{}", finding.column));
        }
    }
    text.push_str(&format!(": {severity}: {}", finding.message));
    if !finding.hint.is_empty() {
        text.push_str(&format!(" (hint: {})", finding.hint));
    }
    text
}
