//! What columns may mean, and the many headings that mean it.
//!
//! Does not know tables.

use crate::tariff::supplier::amounts;

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
pub(super) const ROLES: [(&str, Role, &str); 36] = [
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
         ratecost perminutecost permincost callrate sellrate buyrate sellprice buyprice tariff tarif tarifa tariffa preis preismin preisprominute \
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
        "increment increments intervaln intervall abrechnungstakt incremento intervallo intervalo billingincrement billingincrements nextincrement subsequentincrement \
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

    pub(super) fn of_heading(heading: &str) -> Role {
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
pub(super) fn key(heading: &str) -> (String, Option<[u8; 3]>) {
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
