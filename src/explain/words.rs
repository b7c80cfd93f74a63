//! A proof in a customer's words: a few sentences in English, German or Italian, the last of which ends in the amount.
//!
//! Does not know the rules' numbers, and decides nothing.

use crate::call::{CallType, Chain, StepMode};
use crate::directory::Account;
use crate::money::{Money, Price};
use crate::rating::{Quote, QuotedLevel, QuotedTier, Told};
use crate::record::Direction;
use crate::store::OwnedCall;
use crate::time::{Micros, Timestamp, Zone};

/// Language of a customer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Language {
    /// English.
    En,
    /// German.
    De,
    /// Italian.
    It,
}

impl Language {
    /// From `en`, `de`, `it`.
    pub fn named(name: &str) -> Option<Language> {
        Some(match name {
            "en" => Language::En,
            "de" => Language::De,
            "it" => Language::It,
            _ => return None,
        })
    }

    /// The text in this language.
    pub fn of<T>(self, [en, de, it]: [T; 3]) -> T {
        match self {
            Language::En => en,
            Language::De => de,
            Language::It => it,
        }
    }
}

/// Why the call costs what it costs.
pub fn customer(language: Language, call: &OwnedCall, quote: &Quote, account: Option<&Account<'_>>) -> Vec<String> {
    let words = Words { language, call, quote };
    let mut sentences = vec![words.which(account), words.talked(), words.kind()];
    sentences.extend(words.steps());
    sentences.extend(words.allowance());
    sentences.extend(words.pools());
    sentences.extend(words.tier());
    sentences.extend(words.price());
    sentences.extend(words.adjusts());
    sentences.push(words.cost());
    sentences
}

const AT_LEAST: [&str; 3] = ["at least", "mindestens", "minimo"];
const AT_MOST: [&str; 3] = ["at most", "höchstens", "massimo"];

struct Words<'a> {
    language: Language,
    call: &'a OwnedCall,
    quote: &'a Quote,
}

impl Words<'_> {
    fn say(&self, texts: [String; 3]) -> String {
        self.language.of(texts)
    }

    fn which(&self, account: Option<&Account<'_>>) -> String {
        let text = |number: &Option<String>, dialled: &[u8]| {
            number.clone().unwrap_or_else(|| String::from_utf8_lossy(dialled).into_owned())
        };
        let from = text(&self.quote.source, &self.call.source_dialled);
        let to = text(&self.quote.destination, &self.call.destination_dialled);
        let utc = Zone::UTC;
        let (zone, name) = account.map_or((&utc, "UTC"), |account| (account.zone, account.zone_name));
        let at = local(self.call.call.answer, zone, self.language);
        let [en, de, it] = match (self.call.call.key.leg, from.is_empty()) {
            (Direction::Outbound, false) => [format!(" from {from}"), format!(" von {from}"), format!(" da {from}")],
            (Direction::Inbound, false) => [format!(" from {from}"), format!(" von {from}"), format!(" da {from}")],
            (_, true) => Default::default(),
        };
        match self.call.call.key.leg {
            Direction::Outbound => self.say([
                format!("Call{en} to {to}, answered on {at} ({name})."),
                format!("Anruf{de} an {to}, angenommen am {at} ({name})."),
                format!("Chiamata{it} a {to}, risposta il {at} ({name})."),
            ]),
            Direction::Inbound => self.say([
                format!("Incoming call{en} to your number {to}, answered on {at} ({name})."),
                format!("Eingehender Anruf{de} an Ihre Nummer {to}, angenommen am {at} ({name})."),
                format!("Chiamata in entrata{it} al vostro numero {to}, risposta il {at} ({name})."),
            ]),
        }
    }

    fn talked(&self) -> String {
        let seconds = self.call.call.duration;
        self.say([
            format!("Talk time: {seconds} s."),
            format!("Gesprächsdauer: {seconds} s."),
            format!("Durata della conversazione: {seconds} s."),
        ])
    }

    fn kind(&self) -> String {
        let place = self.quote.destination_name.clone().or_else(|| self.quote.country.clone()).unwrap_or_default();
        let place = if place.is_empty() { place } else { format!(": {place}") };
        let [en, de, it] = match self.call.call.call_type {
            CallType::Included | CallType::Overage => [
                "It is one of the calls that your plan's minutes cover.",
                "Er gehört zu den Gesprächen, für die die Minuten Ihres Tarifs gelten.",
                "È una delle chiamate coperte dai minuti del vostro piano.",
            ],
            CallType::DomesticPremium => [
                "A service number inside your country, which the plan's minutes do not cover",
                "Eine Service-Rufnummer im Inland, die nicht in den Minuten des Tarifs enthalten ist",
                "Un numero a tariffazione speciale nazionale, non coperto dai minuti del piano",
            ],
            CallType::International => ["An international call", "Ein Auslandsgespräch", "Una chiamata internazionale"],
            CallType::TollFree => [
                "A call to your toll-free number, which you pay for",
                "Ein Anruf auf Ihrer gebührenfreien Rufnummer, den Sie bezahlen",
                "Una chiamata al vostro numero verde, a vostro carico",
            ],
            CallType::TollFreeOutbound => [
                "A call to a toll-free number.",
                "Ein Anruf bei einer gebührenfreien Rufnummer.",
                "Una chiamata a un numero verde.",
            ],
            CallType::Emergency => ["An emergency call.", "Ein Notruf.", "Una chiamata di emergenza."],
            CallType::Inbound => [
                "Incoming calls cost nothing.",
                "Eingehende Anrufe kosten nichts.",
                "Le chiamate in entrata non costano nulla.",
            ],
            CallType::Free => [
                "Calls to this number cost you nothing.",
                "Gespräche zu dieser Nummer kosten Sie nichts.",
                "Le chiamate a questo numero non vi costano nulla.",
            ],
        };
        let text = self.language.of([en, de, it]);
        if text.ends_with('.') { text.to_owned() } else { format!("{text}{place}.") }
    }

    fn steps(&self) -> Option<String> {
        if let Some(before) = Chain::told(&self.call.call, &self.call.draws) {
            return Some(self.follows(&before));
        }
        let (steps, talk) = (&self.call.call.basis.steps, self.call.call.duration);
        let billed = self.call.call.billable_seconds;
        let minutes = &self.quote.billable_minutes;
        let (initial, increment) = (steps.initial, steps.increment);
        if talk <= Micros(0) {
            return None;
        }
        if steps.forgives(talk) {
            let below = steps.free_below;
            return Some(self.say([
                format!("Calls shorter than {below} s are not billed."),
                format!("Gespräche unter {below} s werden nicht berechnet."),
                format!("Le chiamate sotto i {below} s non sono addebitate."),
            ]));
        }
        let [en, de, it] = match steps.mode {
            StepMode::Nearest => [
                format!("Billed to the nearest {increment} s"),
                format!("Gerundet auf die nächsten {increment} s (kaufmännisch)"),
                format!("Arrotondata ai {increment} s più vicini"),
            ],
            StepMode::Up if initial == increment => [
                format!("Billed in steps of {increment} s"),
                format!("Abgerechnet in Schritten von {increment} s"),
                format!("Addebitata a scatti di {increment} s"),
            ],
            StepMode::Up => [
                format!("The first {initial} s are billed whole, then steps of {increment} s"),
                format!("Die ersten {initial} s werden ganz berechnet, danach Schritte von {increment} s"),
                format!("I primi {initial} s si addebitano per intero, poi scatti di {increment} s"),
            ],
        };
        let least = if steps.minimum > 0 {
            self.say([
                format!(", at least {} s", steps.minimum),
                format!(", mindestens {} s", steps.minimum),
                format!(", minimo {} s", steps.minimum),
            ])
        } else {
            String::new()
        };
        Some(self.say([
            format!("{en}{least}: {talk} s become {billed} s = {minutes} min."),
            format!("{de}{least}: Aus {talk} s werden {billed} s = {minutes} min."),
            format!("{it}{least}: {talk} s diventano {billed} s = {minutes} min."),
        ]))
    }

    /// It counts as one call with others before it.
    fn follows(&self, before: &Chain) -> String {
        let call = &self.call.call;
        let (talked, all) = (before.talk, Micros(before.talk.0.saturating_add(call.duration.0)));
        let (billed, more) = (before.before.billed, call.billable_seconds);
        self.say([
            format!("You called the same number again so soon that it counts as one call with the one before: {talked} s were talked before, {all} s in all; {billed} s were billed before, {more} s are added."),
            format!("Sie haben dieselbe Nummer so bald wieder angerufen, dass es mit dem vorigen als ein Gespräch zählt: Zuvor wurden {talked} s gesprochen, insgesamt {all} s; {billed} s wurden bereits abgerechnet, {more} s kommen hinzu."),
            format!("Avete richiamato lo stesso numero così presto che vale come un'unica chiamata con la precedente: prima si è parlato {talked} s, in tutto {all} s; {billed} s erano già addebitati, se ne aggiungono {more} s."),
        ])
    }

    fn allowance(&self) -> Option<String> {
        let used = self.call.call.used_before?;
        let (included, beyond) = (self.call.call.included_seconds, self.call.call.overage_seconds());
        Some(self.say([
            format!("Of your included minutes {used} s were used before; {included} s of this call are included, {beyond} s are beyond them."),
            format!("Von Ihren Inklusivminuten waren zuvor {used} s verbraucht; {included} s dieses Gesprächs sind enthalten, {beyond} s liegen darüber."),
            format!("Dei vostri minuti inclusi erano già usati {used} s; {included} s di questa chiamata sono inclusi, {beyond} s sono oltre."),
        ]))
    }

    /// What allowances gave, without what a tier counted.
    fn allowances(&self) -> impl Iterator<Item = Told> {
        Told::read(&self.call.draws).into_iter().filter(|told| !told.is_tier())
    }

    /// By how much was billed in the month.
    fn tier(&self) -> Option<String> {
        let QuotedTier { name, used_seconds, levels } = self.quote.tier.as_ref()?;
        let currency = &self.quote.currency;
        let mut text = self.say([
            format!("By the volume price “{name}”, with {used_seconds} s charged in the month before:"),
            format!("Nach der Mengenstaffel „{name}“, in diesem Monat zuvor {used_seconds} s berechnet:"),
            format!("Secondo il prezzo a volume “{name}”, con {used_seconds} s già addebitati nel mese:"),
        ]);
        for (i, QuotedLevel { after_seconds, seconds, rate, discount_percent }) in levels.iter().enumerate() {
            let from = minutes(after_seconds.unwrap_or(0));
            text.push_str(if i == 0 { " " } else { "; " });
            text += &match (rate, discount_percent) {
                (Some(rate), _) => self.say([
                    format!("{seconds} s at {rate} {currency} a minute (beyond {from} min)"),
                    format!("{seconds} s zu {rate} {currency} je Minute (ab {from} min)"),
                    format!("{seconds} s a {rate} {currency} al minuto (oltre {from} min)"),
                ]),
                (None, Some(percent)) => self.say([
                    format!("{seconds} s at {percent} % less (beyond {from} min)"),
                    format!("{seconds} s um {percent} % günstiger (ab {from} min)"),
                    format!("{seconds} s con {percent} % di sconto (oltre {from} min)"),
                ]),
                (None, None) => self.say([
                    format!("{seconds} s at the usual price"),
                    format!("{seconds} s zum üblichen Preis"),
                    format!("{seconds} s al prezzo normale"),
                ]),
            };
        }
        text.push('.');
        Some(text)
    }

    /// What each of several allowances gave.
    fn pools(&self) -> Vec<String> {
        let mut sentences: Vec<String> = Vec::new();
        for Told(name, seconds, used, _, carried) in self.allowances() {
            let [en, de, it] = match name.as_str() {
                "" => {
                    ["your plan's minutes", "den Minuten Ihres Tarifs", "i minuti del vostro piano"].map(str::to_owned)
                }
                name => [
                    format!("your allowance “{name}”"),
                    format!("Ihrem Kontingent „{name}“"),
                    format!("la vostra franchigia “{name}”"),
                ],
            };
            sentences.push(self.say([
                format!("Of {en} {used} s were used before; {seconds} s of this call come out of it."),
                format!("Aus {de} waren zuvor {used} s verbraucht; {seconds} s dieses Gesprächs kommen daraus."),
                format!("Per {it} erano già usati {used} s; {seconds} s di questa chiamata ne fanno parte."),
            ]));
            if carried > 0 {
                sentences.push(self.say([
                    format!("This allowance includes {carried} s left over from earlier months; they are used first."),
                    format!("Darin enthalten sind {carried} s aus früheren Monaten; sie werden zuerst verbraucht."),
                    format!("Sono compresi {carried} s rimasti dai mesi precedenti, usati per primi."),
                ]));
            }
        }
        let beyond = self.call.call.charged_seconds();
        if !sentences.is_empty() && beyond > 0 {
            sentences.push(self.say([
                format!("{beyond} s are beyond your allowances."),
                format!("{beyond} s liegen über Ihren Kontingenten."),
                format!("{beyond} s sono oltre le vostre franchigie."),
            ]));
        }
        sentences
    }

    fn price(&self) -> Option<String> {
        let price = self.call.call.basis.price;
        if free(&price) {
            return None;
        }
        let (rate, basis) = (&self.quote.rate, &self.call.call.basis);
        // A deck's prices stand in its own currency.
        let currency = basis.exchange.map_or(basis.currency, |exchange| exchange.from);
        let currency = String::from_utf8_lossy(&currency);
        let mut text = self.say([
            format!("Price: {rate} {currency} a minute"),
            format!("Preis: {rate} {currency} je Minute"),
            format!("Prezzo: {rate} {currency} al minuto"),
        ]);
        let further = [
            (Some(price.connect_fee).filter(|fee| *fee != Money::ZERO), ["and once", "und einmalig", "e una tantum"]),
            (price.minimum_cost, AT_LEAST),
            (price.maximum_cost, AT_MOST),
        ];
        for (amount, name) in further {
            if let Some(amount) = amount {
                text += &format!(", {} {} {currency}", self.language.of(name), amount.fixed(0));
            }
        }
        if let (Some(prefix), Some(_)) = (&self.quote.prefix, self.call.call.basis.row) {
            text += &self.say([
                format!(" (numbers that begin with {prefix})"),
                format!(" (Rufnummern, die mit {prefix} beginnen)"),
                format!(" (numeri che iniziano con {prefix})"),
            ]);
        }
        if let Some(exchange) = &basis.exchange {
            let (own, worth) = (&self.quote.currency, exchange.rate.fixed(0));
            text += &self.say([
                format!("; 1 {currency} is {worth} {own}"),
                format!("; 1 {currency} sind {worth} {own}"),
                format!("; 1 {currency} vale {worth} {own}"),
            ]);
        }
        text.push('.');
        Some(text)
    }

    fn adjusts(&self) -> Option<String> {
        let own = self.call.call.adjusts?;
        let billed = self.call.call.period;
        Some(self.say([
            format!("The call belongs to {own}, which was closed when its record came; it is billed in {billed}."),
            format!("Der Anruf gehört zu {own}; da dieser Monat beim Eintreffen abgeschlossen war, wird er in {billed} berechnet."),
            format!("La chiamata appartiene a {own}, già chiuso al suo arrivo; è addebitata in {billed}."),
        ]))
    }

    fn cost(&self) -> String {
        let call = &self.call.call;
        let decimals = u32::from(call.basis.decimals);
        let amount = format!("{} {}", self.quote.currency, call.cost.fixed(decimals));
        if free(&call.basis.price) || self.quote.arithmetic.is_empty() {
            return self.say([format!("It costs {amount}"), format!("Er kostet {amount}"), format!("Costa {amount}")]);
        }
        let mut sum = self.quote.arithmetic.replace("/min ", " ").replace(" / 60", " / 60 s");
        for cap in [AT_LEAST, AT_MOST] {
            sum = sum.replace(&format!(", {} ", cap[0]), &format!(", {} ", self.language.of(cap)));
        }
        self.say([
            format!("{sum}, rounded to {decimals} decimals: {amount}"),
            format!("{sum}, gerundet auf {decimals} Nachkommastellen: {amount}"),
            format!("{sum}, arrotondato a {decimals} decimali: {amount}"),
        ])
    }
}

/// Nothing is charged, whatever the talk time.
fn free(price: &Price) -> bool {
    price.rate == Money::ZERO && price.connect_fee == Money::ZERO && price.minimum_cost.is_none()
}

fn local(at: Timestamp, zone: &Zone, language: Language) -> String {
    zone.shown(at, language.of(["%Y-%m-%d %H:%M:%S", "%d.%m.%Y %H:%M:%S", "%d/%m/%Y %H:%M:%S"]))
}

/// Seconds as minutes.
fn minutes(seconds: u64) -> String {
    crate::rating::billable_minutes(i64::try_from(seconds).unwrap_or(i64::MAX))
}
