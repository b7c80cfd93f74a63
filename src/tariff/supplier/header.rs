//! The heading of a supplier's table: which row it is, and what each column means.
//!
//! Does not know how cells are read.

use std::collections::BTreeMap;

use super::amounts;
use super::mapping::{ColumnName, Mapping};
use super::table::Table;
use crate::nearest::did_you_mean;
use crate::tariff::findings::{Findings, Place};

/// What a column means.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[allow(missing_docs)]
pub enum Role {
    /// Code with its calling code, in any of the notations.
    Prefix,
    /// Calling code alone; what follows stands in [`Role::Area`].
    CallingCode,
    Area,
    Destination,
    /// Name of the country, where the destination has another column.
    Country,
    Rate,
    /// Due once for each call.
    ConnectFee,
    /// Due once for each call, instead of a price per minute or beside it.
    PerCall,
    Initial,
    /// Or `60/60`.
    Increment,
    Minimum,
    FreeBelow,
    /// Seconds that are either free or forgiven: products differ.
    Grace,
    MinimumCost,
    MaximumCost,
    From,
    To,
    Currency,
    Blocked,
    Peak,
    OffPeak,
    Weekend,
    /// Days of the week on which the row holds.
    Days,
    /// Times of day at which it holds.
    Hours,
    /// `Peak`, `Off-Peak`, `Flat`: which of them the row is for.
    Band,
    /// Prices of calls between states, and within one.
    Interstate,
    Intrastate,
    /// What begins after so many seconds of a call.
    After,
    /// Digits of the numbers for which the row holds.
    Length,
    MinLength,
    MaxLength,
    /// Callers for whom the row holds.
    Origin,
    /// The row holds for one number.
    Exact,
    /// Words such as `increase` or `deleted`.
    Change,
    /// Known, and of no use here.
    Known,
    /// Not known, and named as if it could change an amount.
    Telling,
    Unknown,
}

/// Name of a role in a mapping, role, and headings that mean it: letters and digits only, currencies left out.
const ROLES: [(&str, Role, &str); 36] = [
    (
        "prefix",
        Role::Prefix,
        "prefix prefixes code codes dialcode dialcodes diallingcode dialingcode dialprefix dialingprefix diallingprefix \
         destinationprefix destinationprefixes destinationcode destinationcodes breakout breakouts dstprefix dnis pattern \
         digits e164 calledprefix chargecode numberprefix prefixcode fullcode npanxx npanxxx rateprefix areaprefix vorwahl \
         rufnummer prefijo prefisso codigo codice indicatif dstcode destcode termcode number networkprefix",
    ),
    (
        "calling_code",
        Role::CallingCode,
        "countrycode callingcode cc ccode countrydialcode countrydialingcode countrydiallingcode intcode iddcode \
         internationalcode landesvorwahl countryprefix",
    ),
    (
        "area",
        Role::Area,
        "areacode areacodes citycode citycodes nationalcode nationalcodes regioncode ac ndc localcode mobilecode \
         areaprefixes networkcode",
    ),
    (
        "destination",
        Role::Destination,
        "destination destinations destinationname description name zone dest destino destinazione ziel zielland \
         ratename networkname area location region destinationdescription trafficdirection operator network",
    ),
    ("country", Role::Country, "country countryname land pais paese pays countrydestination"),
    (
        "rate",
        Role::Rate,
        "rate price ratepermin ratemin rateperminute rateminute pricemin pricepermin priceperminute priceminute cost \
         costmin costpermin costperminute perminute permin minuterate minrate newrate newprice currentrate currentprice \
         ratecost callrate sellrate buyrate sellprice buyprice tariff tarif tarifa tariffa preis preismin preisprominute \
         minutenpreis prezzo precio precomin chargepermin chargeperminute voicerate ppm flat ratepersec ratepersecond \
         pricepersec pricepersecond costpersecond persecond ratesec pricesec costsec standardrate ratecents pricecents \
         ijrate indeterminate indeterminaterate rateindeterminate indeterminateprice undetermined",
    ),
    (
        "connect_fee",
        Role::ConnectFee,
        "connectfee connectionfee connectioncost connectioncharge connectcharge connectcost connection setup setupfee \
         setupcharge setupcost callsetupcharge callsetupfee surcharge ratesurcharge flagfall scatto scattoallarisposta \
         verbindungsentgelt rateconnectfee",
    ),
    ("per_call", Role::PerCall, "pricepercall percall callprice ratepercall costpercall chargepercall feepercall"),
    (
        "initial",
        Role::Initial,
        "initial initialincrement interval1 initialinterval initialbillingtime initialseconds initials firstinterval \
         firstincrement initialblock initblock initincrement firstbillingincrement initialperiod firstblock initialbilling \
         firstperiod mininterval",
    ),
    (
        "increment",
        Role::Increment,
        "increment increments intervaln billingincrement billingincrements nextincrement subsequentincrement \
         incrementseconds increments nextinterval billing interval billinginterval rateincrement billingblock \
         additionalincrement rounding step subsequentinterval minimumincrement takt taktung intervals intervaltwo \
         interval2 secondincrement nextperiod billingterms billingunit",
    ),
    (
        "minimum",
        Role::Minimum,
        "minimum minimumduration minduration duration rateminimum minimumtime minimumseconds mintime",
    ),
    ("free_below", Role::FreeBelow, "freebelow nochargetime ratenochargetime"),
    ("grace", Role::Grace, "grace gracetime graceperiod includedseconds freeseconds"),
    ("minimum_cost", Role::MinimumCost, "minimumcost minimumcharge mincharge mincost minimumprice"),
    ("maximum_cost", Role::MaximumCost, "maximumcost maximumcharge maxcharge maxcost maximumprice"),
    (
        "valid_from",
        Role::From,
        "validfrom effective effectivedate effectivefrom startdate date from activationdate fromdate begindate validsince \
         start effdate dateeffective gultigab gueltigab vigencia decorrenza",
    ),
    (
        "valid_to",
        Role::To,
        "validto to effectiveto enddate until expires expiry expirydate expirationdate expiration todate effectivetill \
         stopdate validuntil validtill end gultigbis gueltigbis",
    ),
    ("currency", Role::Currency, "currency curr ccy wahrung waehrung moneda valuta currencycode"),
    ("blocked", Role::Blocked, "blocked block forbidden barred disabled"),
    ("peak", Role::Peak, "peak peakrate peakprice peakperminute peakpermin ratepeak pricepeak daytime"),
    (
        "off_peak",
        Role::OffPeak,
        "offpeak offpeakrate offpeakprice offpeakperminute offpeakpermin rateoffpeak evening night nightrate \
         priceoffpeak",
    ),
    (
        "weekend",
        Role::Weekend,
        "weekend weekendperminute weekendpermin weekendrate weekendprice rateweekend priceweekend",
    ),
    ("days", Role::Days, "days day weekdays weekday daysofweek dayofweek wochentage giorni dias jours"),
    (
        "hours",
        Role::Hours,
        "hours hour timeofday hoursofday timerange uhrzeit uhrzeiten stunden fasciaoraria orario horario",
    ),
    (
        "band",
        Role::Band,
        "band timeband timebands timeclass timeprofile timeperiod tariffperiod rateperiod period zeitzone tarifzeit",
    ),
    (
        "interstate",
        Role::Interstate,
        "interstate rateinterstate interstaterate interrate rateinter interstateprice priceinterstate interprice \
         interstatepermin",
    ),
    (
        "intrastate",
        Role::Intrastate,
        "intrastate rateintrastate intrastaterate intrarate rateintra intrastateprice priceintrastate intraprice \
         intrastatepermin",
    ),
    ("after", Role::After, "after afterseconds fromsecond fromseconds startsecond groupintervalstart ratefromsecond"),
    ("length", Role::Length, "length totallength numberlength totaldigits numberofdigits digitcount"),
    (
        "min_length",
        Role::MinLength,
        "minlength minimumlength minnumberlength mindigits minimumdigits dstnumberminlength",
    ),
    (
        "max_length",
        Role::MaxLength,
        "maxlength maximumlength maxnumberlength maxdigits maximumdigits dstnumbermaxlength",
    ),
    (
        "origin",
        Role::Origin,
        "originationprefixes originationprefix originprefix originprefixes originationcodes callingprefix origprefix \
         clidprefix srcprefix originationcode origin callerprefix aprefix anumberprefix",
    ),
    ("exact", Role::Exact, "exactmatch exact"),
    (
        "change",
        Role::Change,
        "change ratechange status comment comments note notes changes remark remarks changetype action",
    ),
    (
        "known",
        Role::Known,
        "iso isocode countryiso id routetype strip prepend oldrate previousrate oldprice previousprice weight direction \
         quality routeclass trunk provider carrier vendor level tier lcr mcc mnc product ratetype usage pricefromcode",
    ),
    ("ignore", Role::Unknown, ""),
];

/// A heading with one of these may mean money or time.
const TELLING: [&str; 16] = [
    "rate", "price", "fee", "cost", "charge", "min", "max", "incr", "interval", "step", "peak", "valid", "date",
    "surch", "timeslot", "free",
];

impl Role {
    /// As a mapping names it; nothing for what no mapping can name.
    pub fn name(self) -> &'static str {
        ROLES.iter().find(|(_, role, _)| *role == self).map_or("", |(name, ..)| *name)
    }

    /// The role behind a mapping's name.
    pub fn named(name: &str) -> Option<Role> {
        ROLES.iter().find(|(known, ..)| *known == name).map(|(_, role, _)| *role)
    }

    fn of_heading(heading: &str) -> Role {
        let (key, currency) = key(heading);
        if key.is_empty() {
            return if currency.is_some() { Role::Rate } else { Role::Unknown };
        }
        if currency.is_some() && (key == "min" || key == "minute") {
            return Role::Rate;
        }
        let fits = |words: &str| words.split_whitespace().any(|w| w == key);
        if let Some((_, role, _)) = ROLES.iter().find(|(.., words)| fits(words)) {
            return *role;
        }
        if TELLING.iter().any(|t| key.contains(t)) { Role::Telling } else { Role::Unknown }
    }
}

/// Letters and digits of a heading in small letters, and the currency that stood among them.
fn key(heading: &str) -> (String, Option<[u8; 3]>) {
    let mut found = None;
    let mut key = String::new();
    for word in heading.split(|c: char| !c.is_alphanumeric() && !matches!(c, '$' | '€' | '£')) {
        match amounts::currency(word) {
            Some(currency) if found.is_none() => found = Some(currency),
            _ => key.extend(word.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase)),
        }
    }
    (key.replace('ü', "u").replace('ä', "a").replace('ç', "c").replace('ó', "o").replace('í', "i"), found)
}

/// A column and what it was taken for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Column {
    /// As it stands in the file.
    pub heading: String,
    /// What it was taken for.
    pub role: Role,
}

/// The heading, read.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Header {
    /// First row below the heading.
    pub first_row: usize,
    /// Every column in the order of the file.
    pub columns: Vec<Column>,
    /// Place of each role that is read.
    pub at: BTreeMap<Role, usize>,
    /// Currency that a heading of prices names.
    pub currency: Option<[u8; 3]>,
    /// Prices are per second.
    pub per_second: bool,
    /// Prices are in hundredths.
    pub cents: bool,
}

/// Any of these is a price.
pub(super) const PRICES: [Role; 5] = [Role::Rate, Role::Peak, Role::PerCall, Role::Interstate, Role::Intrastate];

/// Rows among which the heading is looked for.
const HEADING_WITHIN: usize = 40;

/// Finds the heading. None if there is none, which is said.
pub fn find(table: &Table, mapping: &Mapping, findings: &mut Findings) -> Option<Header> {
    let row = (0..table.len().min(HEADING_WITHIN)).max_by_key(|row| {
        let known = table.cells(*row).filter(|c| known(Role::of_heading(c)) || mapping.names(c)).count();
        // Of equals the first.
        (known, std::cmp::Reverse(*row))
    });
    let Some(row) = row else {
        findings.error(Place::default(), "the file is empty", "begin with a heading such as prefix,rate");
        return None;
    };
    let known_cells = table.cells(row).filter(|c| known(Role::of_heading(c)) || mapping.names(c)).count();
    let indexed = mapping.columns.values().all(|c| matches!(c, ColumnName::Place(_))) && mapping.columns.len() >= 2;
    let mut header = Header::default();
    if known_cells >= 2 {
        header.first_row = row + 1;
        header.columns =
            table.cells(row).map(|c| Column { heading: c.to_owned(), role: Role::of_heading(c) }).collect();
    } else if indexed {
        let width = (0..table.len().min(HEADING_WITHIN)).map(|row| table.width(row)).max().unwrap_or(0);
        header.columns = vec![Column { heading: String::new(), role: Role::Unknown }; width];
    } else {
        let hint = "name the columns in a mapping: [columns] prefix = 1, rate = 3, counted from 1";
        findings.error(Place::default(), "no row looks like a heading with a code and a price", hint);
        return None;
    }
    let line = table.line(row);
    header.overrule(mapping, line, findings);
    header.settle(line, findings);
    (!findings.refused()).then_some(header)
}

fn known(role: Role) -> bool {
    !matches!(role, Role::Unknown | Role::Telling)
}

impl Header {
    /// What the mapping says goes before what headings say.
    fn overrule(&mut self, mapping: &Mapping, line: u32, findings: &mut Findings) {
        for (name, column) in &mapping.columns {
            let Some(role) = Role::named(name) else {
                let names = ROLES.map(|(name, ..)| name);
                let hint = did_you_mean(name, names, &format!("there are {}", names.join(", ")));
                findings.error(Place::default(), format!("the mapping names a column {name:?}"), hint);
                continue;
            };
            let at = match column {
                ColumnName::Place(place) => place.checked_sub(1).filter(|at| *at < self.columns.len()),
                ColumnName::Heading(heading) => {
                    self.columns.iter().position(|c| c.heading.trim().eq_ignore_ascii_case(heading.trim()))
                }
            };
            let Some(at) = at else {
                let headings = self.columns.iter().map(|c| c.heading.as_str());
                let shown = match column {
                    ColumnName::Place(place) => format!("column {place}"),
                    ColumnName::Heading(heading) => format!("{heading:?}"),
                };
                let hint = did_you_mean(&shown, headings, "the supplier may have changed the layout");
                findings.error(Place { line, column: 0 }, format!("{name}: there is no {shown}"), hint);
                continue;
            };
            self.columns.iter_mut().filter(|c| c.role == role).for_each(|c| c.role = Role::Known);
            if let Some(column) = self.columns.get_mut(at) {
                column.role = role;
            }
        }
        for ignored in &mapping.ignore {
            let same = |c: &&mut Column| c.heading.trim().eq_ignore_ascii_case(ignored.trim());
            self.columns.iter_mut().filter(same).for_each(|c| c.role = Role::Unknown);
        }
    }

    /// One column for each role, and all that is needed.
    fn settle(&mut self, line: u32, findings: &mut Findings) {
        let has = |columns: &[Column], role| columns.iter().any(|c| c.role == role);
        // A table with a country and an area code has no column for both; with `Code` beside `Country Code` that is the area.
        if has(&self.columns, Role::CallingCode) && !has(&self.columns, Role::Area) && has(&self.columns, Role::Prefix)
        {
            self.columns.iter_mut().filter(|c| c.role == Role::CallingCode).for_each(|c| c.role = Role::Known);
        }
        if !has(&self.columns, Role::Prefix) && !has(&self.columns, Role::CallingCode) {
            // An area code alone is a whole code.
            self.columns.iter_mut().filter(|c| c.role == Role::Area).for_each(|c| c.role = Role::Prefix);
        }
        if !has(&self.columns, Role::Destination) {
            self.columns.iter_mut().filter(|c| c.role == Role::Country).for_each(|c| c.role = Role::Destination);
        }
        let mut seen = Vec::<(Role, usize)>::new();
        for at in 0..self.columns.len() {
            let Some(column) = self.columns.get(at) else { continue };
            if matches!(column.role, Role::Known | Role::Telling | Role::Unknown) {
                continue;
            }
            match seen.iter().find(|(role, _)| *role == column.role) {
                // Several evenings and remarks say the same of themselves.
                Some((Role::OffPeak | Role::Change | Role::Destination | Role::Country, _)) => {
                    if let Some(column) = self.columns.get_mut(at) {
                        column.role = Role::Known;
                    }
                }
                Some((role, first)) => {
                    let first = self.columns.get(*first).map_or("", |c| c.heading.as_str());
                    let (name, second) = (role.name(), &column.heading);
                    let hint = format!("say which one in the mapping: [columns] {name} = {second:?}");
                    let message = format!("{first:?} and {second:?} both look like the column {name}");
                    findings.error(Place { line, column: at as u32 + 1 }, message, hint);
                }
                None => seen.push((column.role, at)),
            }
        }
        self.at = seen.into_iter().collect();
        let Some(prices) = self.prices(line, findings) else { return };
        let heading = self.columns.get(prices).map_or("", |c| c.heading.as_str());
        let (key, currency) = key(heading);
        self.currency = currency;
        self.per_second = key.contains("sec");
        self.cents = key.contains("cent") || key == "ppm" || key.contains("pence");
        if !self.at.contains_key(&Role::Prefix) && !(self.at.contains_key(&Role::CallingCode)) {
            let hint = "name it in the mapping: [columns] prefix = \"…\"; names alone cannot be rated by";
            findings.error(Place { line, column: 0 }, "no column of codes", hint);
        }
    }

    /// The column of prices, or what may be one.
    fn prices(&self, line: u32, findings: &mut Findings) -> Option<usize> {
        let found = PRICES.into_iter().find_map(|role| self.at.get(&role));
        if found.is_none() {
            let like: Vec<&str> =
                self.columns.iter().filter(|c| c.role == Role::Telling).map(|c| c.heading.as_str()).collect();
            let hint = match like.first() {
                Some(first) => format!("say which one in the mapping: [columns] rate = {first:?}; there are {like:?}"),
                None => "name it in the mapping: [columns] rate = \"…\"".to_owned(),
            };
            findings.error(Place { line, column: 0 }, "no column of prices", hint);
        }
        found.copied()
    }
}
