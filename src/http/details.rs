//! Call details as a customer and a billing engineer read them: columns in three languages, CSV or NDJSON.
//!
//! One row per leg; start is the answer and end is answer + duration, so that the columns agree; the cost column adds up
//! to the usage line, to the digit.
//!
//! Does not know where the rows come from, nor who asked.

use serde::Serialize;
use utoipa::ToSchema;

use self::costs::{LegCosts, MARGIN, margin};
use super::usage::minutes;
use crate::call::{CallType, RatedCall};
pub(super) use crate::explain::Language;
use crate::store::StoredCall;
use crate::time::{Micros, Timestamp};

mod costs;

/// Which columns.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Columns {
    Usual,
    Full,
    /// All of them, and what each call costs us: for operators.
    Margin,
}

/// Heading of the account, where rows of several stand together.
pub(super) fn account_heading(language: Language) -> &'static str {
    language.of(["Account", "Konto", "Account"])
}

/// Headings of the usual columns.
const USUAL: [[&str; 3]; 9] = [
    ["Source Number", "Quellrufnummer", "Numero di origine"],
    ["Destination Number", "Zielrufnummer", "Numero di destinazione"],
    ["Start Time (UTC)", "Startzeit (UTC)", "Ora di inizio (UTC+0)"],
    ["End Time (UTC)", "Endzeit (UTC)", "Ora di fine (UTC+0)"],
    ["Duration (sec)", "Dauer (Sek.)", "Durata (sec)"],
    ["Billable Minutes", "Fakturierbare Minuten", "Minuti fatturabili"],
    ["Total Cost", "Gesamtkosten", "Costo totale"],
    ["Rate", "Tarif", "Tariffa"],
    ["Call Type", "Anruftyp", "Tipo di chiamata"],
];

/// Headings of the further columns of `columns=full`.
const FULL: [[&str; 3]; 17] = [
    ["Currency", "Währung", "Valuta"],
    ["Billable Seconds", "Fakturierbare Sekunden", "Secondi fatturabili"],
    ["Included Seconds", "Inklusivsekunden", "Secondi inclusi"],
    ["Overage Seconds", "Mehrverbrauch (Sek.)", "Secondi oltre soglia"],
    ["Prefix", "Vorwahl", "Prefisso"],
    ["Destination", "Ziel", "Destinazione"],
    ["Rule", "Regel", "Regola"],
    ["Steps", "Taktung", "Scatti"],
    ["Connect Fee", "Verbindungsentgelt", "Scatto alla risposta"],
    ["Setup Time (UTC)", "Rufaufbau (UTC)", "Ora di chiamata (UTC+0)"],
    ["Node", "Knoten", "Nodo"],
    ["Call ID", "Anruf-ID", "ID chiamata"],
    ["Direction", "Richtung", "Direzione"],
    ["Tariff", "Tarifstand", "Tariffario"],
    ["Revision", "Revision", "Revisione"],
    ["Late Call of", "Nachtrag zu", "Ritardata di"],
    ["Correction", "Korrektur", "Correzione"],
];

/// The call type as it is shown.
pub(super) fn call_type(call_type: CallType, language: Language) -> &'static str {
    language.of(match call_type {
        CallType::Included => ["Included Minutes", "Inklusivminuten", "Minuti inclusi"],
        CallType::Overage => ["Minute Overage", "Mehrverbrauch", "Minuti oltre soglia"],
        CallType::DomesticPremium => {
            ["Domestic per Minute", "Inlandsgespräche pro Minute", "Chiamate nazionali al minuto"]
        }
        CallType::International => ["International", "International", "Internazionale"],
        CallType::TollFree => ["Inbound Toll-Free", "Gebührenfreie Nummern eingehend", "Numeri gratuiti in entrata"],
        CallType::TollFreeOutbound => {
            ["Outbound Toll-Free", "Gebührenfreie Nummern ausgehend", "Numeri gratuiti in uscita"]
        }
        CallType::Emergency => ["Emergency", "Notruf", "Emergenza"],
        CallType::Inbound => ["Inbound", "Eingehend", "In entrata"],
        CallType::Free => ["Free Number", "Kostenfreie Nummer", "Numero gratuito"],
    })
}

/// The heading row.
pub(super) fn csv_header(language: Language, columns: Columns, out: &mut String) {
    let further: &[[&'static str; 3]] = if columns == Columns::Usual { &[] } else { &FULL };
    for (i, heading) in USUAL.iter().chain(further).enumerate() {
        if i > 0 {
            out.push(',');
        }
        cell(language.of(*heading), out);
    }
    for heading in MARGIN.iter().filter(|_| columns == Columns::Margin) {
        out.push(',');
        cell(heading, out);
    }
    out.push_str("\r\n");
}

/// One call as a CSV row.
pub(super) fn csv_row(row: &StoredCall<'_>, language: Language, columns: Columns, out: &mut String) {
    let call = &row.call;
    let decimals = u32::from(call.basis.decimals);
    let cells = [
        number(call.source, row.source_dialled),
        number(call.destination, row.destination_dialled),
        second(call.answer),
        second(Timestamp(call.answer.0.saturating_add(call.duration.0))),
        Micros(call.duration.0 * call.sign()).to_string(),
        minutes(signed(call, call.billable_seconds)),
        call.cost.fixed(decimals),
        call.basis.rate_in_currency().fixed(0),
        call_type(call.call_type, language).to_owned(),
    ];
    for (i, text) in cells.iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        cell(text, out);
    }
    let full = (columns != Columns::Usual).then(|| full(row));
    let margin = (columns == Columns::Margin).then(|| margin(row));
    for text in full.iter().flatten().chain(margin.iter().flatten()) {
        out.push(',');
        cell(text, out);
    }
    out.push_str("\r\n");
}

fn full(row: &StoredCall<'_>) -> [String; 17] {
    let call = &row.call;
    let steps = &call.basis.steps;
    [
        super::usage::text(&call.basis.currency),
        signed(call, call.billable_seconds).to_string(),
        call.drawn().to_string(),
        signed(call, call.overage_seconds()).to_string(),
        row.text.prefix.clone(),
        row.text.destination.clone(),
        format!("R{}", call.basis.rule),
        format!("{} {}/{}", steps.mode, steps.initial, steps.increment),
        call.basis.price.connect_fee.fixed(0),
        row.start.map_or_else(String::new, second),
        text(row.node),
        text(row.id),
        call.key.leg.name().to_owned(),
        format!("blake3:{}", row.text.tariff),
        row.revision.to_string(),
        call.adjusts.map_or_else(String::new, |own| own.to_string()),
        match (row.run, call.reversal) {
            (None, _) => String::new(),
            (Some(run), false) => format!("run {run}"),
            (Some(run), true) => format!("run {run} takes back"),
        },
    ]
}

/// A rated leg: every column, with names that do not depend on the language.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({
    "account": "acme", "node": "sbc-fra", "id": "c1", "direction": "outbound", "source": "+4930600",
    "destination": "+551198765432", "dialled": "00551198765432", "start": "2026-10-05T09:00:00Z",
    "end": "2026-10-05T09:01:01Z", "duration": "61", "call_type": "international", "billable_seconds": 120,
    "billable_minutes": "2", "included_seconds": 0, "overage_seconds": 0, "rate": "0.12", "connect_fee": "0",
    "cost": "0.2400", "currency": "EUR", "period": "2026-10", "rule": "R10", "plan": "de-business",
    "deck": "world-eur", "prefix": "5511", "destination_name": "Brazil Mobile",
    "steps": { "mode": "up", "initial": 60, "increment": 60, "minimum": 0, "free_below": "0" },
    "tariff": "blake3:…", "revision": 0,
}))]
pub(super) struct Leg {
    account: String,
    node: String,
    id: String,
    /// `outbound` or `inbound`.
    direction: &'static str,
    /// E.164, or what the record says where that is no such number.
    source: String,
    /// E.164, or what was dialled where that is no such number.
    destination: String,
    /// What was dialled.
    dialled: String,
    /// When the call was set up.
    #[serde(skip_serializing_if = "Option::is_none")]
    setup: Option<String>,
    /// When it was answered.
    start: String,
    /// Answer and talk time.
    end: String,
    /// Talk time in seconds: a decimal.
    duration: String,
    /// A call that straddles the allowance is `included`; its rate is that of the overage.
    call_type: &'static str,
    billable_seconds: i64,
    /// A decimal.
    billable_minutes: String,
    /// Of these, drawn from the allowance.
    included_seconds: i64,
    /// Of these, beyond the allowance.
    overage_seconds: i64,
    /// Per minute, as the deck has it: a decimal.
    rate: String,
    /// How a price in another currency became a cost in this one: `0.92 EUR/USD`.
    #[serde(skip_serializing_if = "Option::is_none")]
    exchange: Option<String>,
    /// A decimal.
    connect_fee: String,
    /// A decimal.
    cost: String,
    /// ISO 4217.
    currency: String,
    /// The month that bills it.
    period: String,
    /// Its own month, where that was closed when the record came.
    #[serde(skip_serializing_if = "Option::is_none")]
    adjusts: Option<String>,
    /// The rule that decided the call type.
    rule: String,
    plan: String,
    /// Deck, prefix and destination name of the row that gave the price; empty where no row did.
    deck: String,
    prefix: String,
    destination_name: String,
    steps: Steps,
    /// BLAKE3 of the tariff's image.
    tariff: String,
    /// 0: as first rated.
    revision: u32,
    /// The run of re-rating that wrote it.
    #[serde(skip_serializing_if = "Option::is_none")]
    run: Option<u32>,
    /// It takes a call of a sealed month back: cost, seconds and minutes are below zero.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[schema(required = false)]
    reversal: bool,
    /// With `columns=margin` only, and where the call's plan says how it is bought.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false, nullable = false)]
    costs: Option<LegCosts>,
}

/// How talk time is brought to billable seconds.
#[derive(Serialize, ToSchema)]
pub(super) struct Steps {
    /// `up` or `nearest`.
    pub(super) mode: &'static str,
    /// First block, seconds.
    pub(super) initial: u32,
    /// Each further block, seconds.
    pub(super) increment: u32,
    /// Least billable seconds of a call that is billed.
    pub(super) minimum: u32,
    /// Talk time below this many seconds is forgiven: a decimal.
    pub(super) free_below: String,
}

impl Leg {
    /// Of a stored call.
    pub(super) fn of(row: &StoredCall<'_>, account: &str) -> Leg {
        let call = &row.call;
        let steps = &call.basis.steps;
        Leg {
            account: account.to_owned(),
            node: text(row.node),
            id: text(row.id),
            direction: call.key.leg.name(),
            source: number(call.source, row.source_dialled),
            destination: number(call.destination, row.destination_dialled),
            dialled: text(row.destination_dialled),
            setup: row.start.map(|at| at.to_string()),
            start: call.answer.to_string(),
            end: Timestamp(call.answer.0.saturating_add(call.duration.0)).to_string(),
            duration: Micros(call.duration.0 * call.sign()).to_string(),
            call_type: call.call_type.name(),
            billable_seconds: signed(call, call.billable_seconds),
            billable_minutes: minutes(signed(call, call.billable_seconds)),
            included_seconds: call.drawn(),
            overage_seconds: signed(call, call.overage_seconds()),
            rate: call.basis.price.rate.fixed(0),
            exchange: call.basis.exchange_words(),
            connect_fee: call.basis.price.connect_fee.fixed(0),
            cost: call.cost.fixed(u32::from(call.basis.decimals)),
            currency: super::usage::text(&call.basis.currency),
            period: call.period.to_string(),
            adjusts: call.adjusts.map(|own| own.to_string()),
            rule: format!("R{}", call.basis.rule),
            plan: row.text.plan.clone(),
            deck: row.text.deck.clone(),
            prefix: row.text.prefix.clone(),
            destination_name: row.text.destination.clone(),
            steps: Steps {
                mode: steps.mode.name(),
                initial: steps.initial,
                increment: steps.increment,
                minimum: steps.minimum,
                free_below: steps.free_below.to_string(),
            },
            tariff: format!("blake3:{}", row.text.tariff),
            revision: row.revision,
            run: row.run,
            reversal: call.reversal,
            costs: None,
        }
    }

    /// With what it costs us.
    pub(super) fn with_costs(self, row: &StoredCall<'_>) -> Leg {
        Leg { costs: LegCosts::of(row), ..self }
    }
}

/// Seconds as they count: below zero where a call is taken back.
fn signed(call: &RatedCall, seconds: u32) -> i64 {
    i64::from(seconds) * call.sign()
}

/// E.164 with `+`, or what was dialled where that is no such number.
pub(super) fn number(number: Option<crate::number::Number>, dialled: &[u8]) -> String {
    number.map_or_else(|| text(dialled), |number| format!("+{number}"))
}

/// Bytes of a record as text.
pub(super) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// `2026-10-05 09:00:00`, with the microseconds where there are any: spreadsheets read it, and nothing is lost.
fn second(at: Timestamp) -> String {
    let shown = at.to_string();
    shown.trim_end_matches('Z').replace('T', " ")
}

/// A CSV cell: quoted where needed. A text that a spreadsheet would run (it begins with `=`, `+`, `-`, `@`, tab or
/// return) gets an apostrophe before it, unless it is a plain number or a telephone number, which harm nobody.
pub(super) fn cell(text: &str, out: &mut String) {
    let harmless = {
        let rest = text.strip_prefix(['+', '-']).unwrap_or(text);
        !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit() || b == b'.')
    };
    let runs = text.starts_with(['=', '+', '-', '@', '\t', '\r']) && !harmless;
    // A cell that begins or ends with a space is quoted, since some readers would trim it.
    let spaced = text.starts_with(' ') || text.ends_with(' ');
    if !runs && !spaced && !text.contains([',', ';', '"', '\n', '\r']) {
        out.push_str(text);
        return;
    }
    out.push('"');
    if runs {
        out.push('\'');
    }
    for c in text.chars() {
        if c == '"' {
            out.push('"');
        }
        out.push(c);
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_do_not_run_in_a_spreadsheet() {
        for (text, expected) in [
            ("+4930123456", "+4930123456"),
            ("-0.0200", "-0.0200"),
            ("=1+1", "\"'=1+1\""),
            ("+1+cmd|' /C calc'!A0", "\"'+1+cmd|' /C calc'!A0\""),
            ("@SUM(A1)", "\"'@SUM(A1)\""),
            ("-", "\"'-\""),
            ("a,b", "\"a,b\""),
            ("say \"x\"", "\"say \"\"x\"\"\""),
            ("plain", "plain"),
        ] {
            let mut out = String::new();
            cell(text, &mut out);
            assert_eq!(out, expected, "{text}");
        }
    }

    #[test]
    fn headings_in_three_languages() {
        let mut out = String::new();
        csv_header(Language::De, Columns::Usual, &mut out);
        assert_eq!(
            out,
            "Quellrufnummer,Zielrufnummer,Startzeit (UTC),Endzeit (UTC),Dauer (Sek.),Fakturierbare Minuten,\
             Gesamtkosten,Tarif,Anruftyp\r\n"
        );
        assert_eq!(call_type(CallType::TollFree, Language::It), "Numeri gratuiti in entrata");
        assert_eq!(call_type(CallType::DomesticPremium, Language::It), "Chiamate nazionali al minuto");
    }
}
