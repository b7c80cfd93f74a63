//! What all changes of accounts and numbers over the API share: how one is asked for, what it is refused with, what it did.
//!
//! Does not know which account or number.

use std::collections::BTreeMap;

use axum::http::{HeaderMap, StatusCode, header};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};

use super::{App, Problem};
use crate::daemon::changes::{ChangeError, Done, Expected, Subject, Wanted};
use crate::directory::{Asked, Change, Conflict, Refusal};
use crate::number::Number;
use crate::time::{Period, Timestamp, Zone};

/// Most bytes of one who asks.
const BY_MAX: usize = 100;
/// Months looked back for calls that a change in the past may concern.
const MONTHS_BACK: i32 = 12;

/// How a change is meant.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct How {
    /// What accounts.csv or numbers.csv has may be changed, and is kept over the API from then on.
    #[serde(default)]
    pub take_over: bool,
    /// Who asks, for the history; at most 100 bytes.
    #[serde(default)]
    #[param(example = "anna")]
    pub by: Option<String>,
}

/// The same with an end.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct HowEnded {
    /// A day or an instant (RFC 3339); without it, now.
    #[serde(default)]
    #[param(example = "2026-11-01")]
    pub at: Option<String>,
    /// As with PUT.
    #[serde(default)]
    pub take_over: bool,
    /// `files`: it does not end, but is again what accounts.csv or numbers.csv says, which keeps it from then on.
    #[serde(default)]
    #[param(example = "files")]
    pub to: Option<String>,
    /// With `to=files`: also where the file says something else of the past.
    #[serde(default)]
    pub rewrite: bool,
    /// As with PUT.
    #[serde(default)]
    pub by: Option<String>,
}

impl HowEnded {
    /// What is asked, how, and how the journal tells it: ending, or giving back to the files.
    pub fn asked(
        self,
        name: String,
        end: fn(String, Option<String>) -> Asked,
        back: fn(String, bool) -> Asked,
    ) -> Result<(Asked, How, Value), Problem> {
        let HowEnded { at, take_over, to, rewrite, by } = self;
        let how = How { take_over, by };
        match to.as_deref() {
            None if rewrite => Err(Problem::bad_request("rewrite=true belongs to to=files")),
            None => {
                let said = asked(&json!({ "end": at.as_deref().unwrap_or("now") }), &name);
                Ok((end(name, at), how, said))
            }
            Some("files") if at.is_some() || take_over => {
                Err(Problem::bad_request("to=files gives it back whole: at and take_over do not belong to it"))
            }
            Some("files") => {
                let said = asked(&json!({ "to": "files", "rewrite": rewrite }), &name);
                Ok((back(name, rewrite), how, said))
            }
            Some(other) => Err(Problem::bad_request(format!("to={other:?}: write to=files, or leave it out"))),
        }
    }
}

/// What a change did beside.
#[derive(Serialize, ToSchema)]
pub(super) struct ChangeDone {
    /// For `If-Match`.
    #[schema(example = "4be1c0c2d1c5a8f0")]
    revision: String,
    /// BLAKE3 of the directory in force.
    #[schema(example = "blake3:…")]
    directory: String,
    /// Calls of the account (of a number: of those who owned it) that were rated before, by month that is open and not before
    /// the change: at most so many would come out otherwise. They stay as they are until they are rated again, at the
    /// latest when the month is sealed.
    rated_calls: BTreeMap<String, i64>,
    warnings: Vec<String>,
}

pub(super) async fn change(
    app: &App,
    wish: (u32, Asked),
    how: How,
    only_if: Option<(Subject, Expected)>,
    asked: Value,
) -> Result<Done, Problem> {
    change_all(app, vec![wish], how, only_if, vec![asked]).await
}

pub(super) async fn change_all(
    app: &App,
    asked: Vec<(u32, Asked)>,
    How { take_over, by }: How,
    only_if: Option<(Subject, Expected)>,
    said: Vec<Value>,
) -> Result<Done, Problem> {
    let by = by.unwrap_or_else(|| "api".to_owned());
    if by.len() > BY_MAX {
        return Err(Problem::bad_request(format!("by: {} bytes; write at most {BY_MAX}", by.len())));
    }
    let change = Change { asked, take_over, now: app.clock.now() };
    app.reloader.change(Wanted { change, by, asked: said, only_if }).await.map_err(|error| match error {
        ChangeError::Refused(refusals) => refused(&refusals),
        ChangeError::Moved(found) => {
            let problem = Problem::of(StatusCode::PRECONDITION_FAILED, ChangeError::Moved(found.clone()).to_string());
            problem.with("revision", json!(found))
        }
        ChangeError::TooLarge(_) => Problem::unprocessable(error.to_string()),
        ChangeError::Image(_) | ChangeError::Journal(_) => Problem::unavailable(error.to_string()),
    })
}

/// Every fault by itself, for people and for programs.
pub(super) fn refused(refusals: &[Refusal]) -> Problem {
    let all = |conflict| refusals.iter().all(|refusal| refusal.conflict == Some(conflict));
    let status = match () {
        () if all(Conflict::Unknown) => StatusCode::NOT_FOUND,
        () if all(Conflict::OfFiles) || all(Conflict::FilesDiffer) => StatusCode::CONFLICT,
        () => StatusCode::UNPROCESSABLE_ENTITY,
    };
    let texts: Vec<String> = refusals.iter().map(Refusal::to_string).collect();
    let detail = match &texts[..] {
        [only] => only.clone(),
        _ => format!("{} faults, the first: {}; nothing was changed", texts.len(), texts[0]),
    };
    let fault = |r: &Refusal| json!({ "line": r.line, "field": r.field, "message": r.message, "hint": r.hint });
    let faults: Vec<Value> = refusals.iter().map(fault).collect();
    Problem::of(status, detail).errors(texts).with("faults", json!(faults))
}

pub(super) fn shown(done: Done, revision: String, rated_calls: BTreeMap<String, i64>) -> ChangeDone {
    ChangeDone {
        revision,
        directory: format!("blake3:{}", done.directory.digest()),
        rated_calls,
        warnings: done.warnings.iter().map(Refusal::to_string).collect(),
    }
}

/// Calls of accounts in months that are open, from the month of the change to this one.
pub(super) async fn rated_calls(
    app: &App,
    accounts: impl IntoIterator<Item = String>,
    done: &Done,
) -> Result<BTreeMap<String, i64>, Problem> {
    let mut found = BTreeMap::new();
    let now = app.clock.now();
    if done.accounts + done.numbers == 0 || done.since == i64::MAX {
        return Ok(found);
    }
    let closed = app.stored(|store| store.periods()).await?;
    let last = Period::containing(now, &Zone::UTC);
    let first = Period(last.0 - MONTHS_BACK);
    let first = if done.since < first.bounds(&Zone::UTC).0.0 {
        first
    } else {
        Period::containing(Timestamp(done.since), &Zone::UTC)
    };
    for account in accounts {
        for period in (first.0..=last.0).map(Period) {
            if closed.iter().any(|row| row.period == period) {
                continue;
            }
            let usage = app.road.usage(&account, period).await.map_err(|_| Problem::stopping())?;
            let calls: i64 = usage.iter().flat_map(|usage| &usage.lines).map(|line| line.usage.calls).sum();
            if calls > 0 {
                *found.entry(period.to_string()).or_insert(0) += calls;
            }
        }
    }
    Ok(found)
}

pub(super) fn one<T: DeserializeOwned>(body: &Value) -> Result<T, Problem> {
    T::deserialize(body).map_err(|e| Problem::unprocessable(format!("the body: {e}")))
}

/// The path names it; the body may as well.
pub(super) fn named(what: &str, said: &mut String, path: String) -> Result<(), Problem> {
    if !said.is_empty() && *said != path {
        return Err(Problem::bad_request(format!("{what}: {said:?} is not {path:?}, which the path names")));
    }
    *said = path;
    Ok(())
}

/// As it is kept in the journal, with its name.
pub(super) fn asked(body: &Value, name: &str) -> Value {
    json!({ "name": name, "set": body })
}

pub(super) fn number(text: &str) -> Result<Number, Problem> {
    let digits: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    let digits = digits.strip_prefix('+').unwrap_or(&digits);
    let number = if digits.len() <= 15 { Number::from_digits(digits.as_bytes()) } else { None };
    number.ok_or_else(|| {
        Problem::bad_request(format!("number {text:?}: write country code and number, such as +4930123456"))
    })
}

/// `If-Match`, `If-None-Match`.
pub(super) fn condition(headers: &HeaderMap, subject: Subject) -> Option<(Subject, Expected)> {
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or("").trim());
    let expected = match (text(header::IF_MATCH), text(header::IF_NONE_MATCH)) {
        (Some("*"), _) => Expected::Present,
        (Some(tags), _) => {
            Expected::Revision(tags.split(',').map(|tag| tag.trim().trim_matches('"').to_owned()).collect())
        }
        (None, Some("*")) => Expected::Absent,
        _ => return None,
    };
    Some((subject, expected))
}
