//! One small world for the tables: plans, decks, accounts and numbers of several countries.

use std::sync::LazyLock;

use super::{Books, Call, call};

/// A number of the German account, and a German mobile as dialled there.
pub const BERLIN: &str = "+4930123456";
pub const MOBILE: &str = "015123456789";

/// Each call must come out as said.
pub fn check(rows: Vec<(Call, &str)>) {
    BOOKS.check_all(rows);
}

/// From the German account to a number, 60 s.
pub fn de(to: &str) -> Call {
    call(BERLIN, to)
}

/// From an account that the record names, 60 s.
pub fn from(account: &str, to: &str) -> Call {
    call("", to).account(account)
}

pub static BOOKS: LazyLock<Books> = LazyLock::new(|| Books::of(PLANS, &DECKS, ACCOUNTS, NUMBERS));

pub const DECKS: [(&str, &str); 8] = [
    ("de", DE),
    ("de-codes", DE_CODES),
    ("de-deck", DE_DECK),
    ("us", US),
    ("world", WORLD),
    ("world2", WORLD2),
    ("steps", STEPS),
    ("tollfree", TOLLFREE),
];

pub const PLANS: &str = r#"
[plan.de]
country = "DE"
currency = "EUR"
included_minutes = 1000
overage_rate = "0.015"
decks = ["de", "world", "world2"]
inbound_decks = ["tollfree"]

[plan.de-codes]
country = "DE"
currency = "EUR"
included_minutes = 0
overage_rate = "0.015"
decks = ["de-codes", "world"]

[plan.de-deck]
country = "DE"
currency = "EUR"
included_minutes = 2
overage = "deck"
decks = ["de-deck"]

[plan.de-flat]
country = "DE"
currency = "EUR"
included_minutes = "unlimited"
overage = "deck"
included = ["AT"]
decks = ["de-deck"]

[plan.de-first]
country = "DE"
currency = "EUR"
included_minutes = 1000
overage_rate = "0.015"
prorate_first = true
decks = []

[plan.de-seconds]
country = "DE"
currency = "EUR"
included_minutes = 0
overage_rate = "0.06"
steps = { mode = "up", initial = 1, increment = 1, free_below = 3 }
cost_decimals = 2
decks = ["steps"]

[plan.us]
country = "US"
currency = "USD"
included_minutes = 1000
overage_rate = "0.02"
decks = ["us", "world"]
inbound_decks = ["tollfree"]

[plan.us-ca]
country = "US"
currency = "USD"
included_minutes = 100
included = ["CA"]
overage_rate = "0.02"
decks = ["us", "world"]
inbound_decks = []

[plan.de-fine]
country = "DE"
currency = "EUR"
included_minutes = 1
overage_rate = "0.00333"
cost_decimals = 8
decks = ["steps"]

[plan.br]
country = "BR"
currency = "BRL"
included_minutes = 0
overage_rate = "0.1"
decks = ["world"]

[plan.it]
country = "IT"
currency = "EUR"
included_minutes = 100
overage_rate = "0.02"
decks = ["world"]

[plan.gb]
country = "GB"
currency = "GBP"
included_minutes = 100
overage_rate = "0.02"
decks = ["world"]

[plan.ru]
country = "RU"
currency = "RUB"
included_minutes = 100
overage_rate = "2"
decks = ["world"]

[plan.hu]
country = "HU"
currency = "HUF"
included_minutes = 100
overage_rate = "2"
cost_decimals = 0
decks = ["world"]
"#;

/// German services: by prefix, by named type, blocked, free, with a fee.
pub const DE: &str = "\
prefix,rate,destination,call_type,connect_fee,minimum_cost,maximum_cost,blocked
49900,0.79,Premium,,,,,
499001,1.99,Premium 1,,0.10,,,
4990012,0,Premium 12,,,,,
4990013,9.99,Premium 13,,,,,true
4990015,0.50,Premium 15,,,2,3,
4915555,0.49,Looks like a mobile,domestic_premium,,,,
491555577,0.09,No type of its own,,,,,
491555588,0.09,Blocked without a type,,,,,true
4915566,0.30,International by name,international,,,,
4915567,0,Free by name,toll_free_outbound,,,,
4915577,0.30,Included by name,included,,,,true
49800777,0,Blocked toll-free,,,,,true
4930999,1,Blocked but in the plan,,,,,true
";

pub const DE_CODES: &str = "\
prefix,rate,destination,call_type
DE:118,1.99,Enquiries,
DE:11880,2.49,Enquiries of one provider,international
";

/// Charges in-plan calls, with steps of its own.
pub const DE_DECK: &str = "\
prefix,rate,connect_fee,initial,increment,maximum_cost,valid_from,valid_to,blocked
49,0.03,0.05,60,60,,,,
4930,0.06,0.10,1,1,,,,
4940,0.06,0,,,,2026-10-06,,
4940,0.03,0,,,,,2026-10-06,
4969,6,0,,,0.5,,,
49771,,,,,,,,true
49221,0.12,,,,,,,true
43,0.10,0,,,,,,
";

pub const US: &str = "\
prefix,rate,call_type,destination
1,0.05,,NANP
1787555,0.99,domestic_premium,Puerto Rico premium
1900,1.50,,Premium
1900976,2.50,domestic_premium,Premium 976
";

pub const WORLD: &str = "\
prefix,rate,destination,blocked
1,0.05,NANP,
1876,0.30,Jamaica,
1684,0.20,American Samoa,
34,0.02,Spain,
346,0.08,Spain Mobile,
34600,0,Spain zero,
346001,0.08,Spain blocked,true
39,0.02,Italy,
3906698,0.55,Vatican,
44,0.01,United Kingdom,
4420,0.012,London,
441534,0.09,Jersey,
4470,0.65,Personal,
448,0.05,Non-geographic,
5511,0.12,Sao Paulo,
55,0.10,Brazil,
7,0.09,Russia,
77,0.19,Kazakhstan,
800,0.07,UIFN,
881,4.50,Satellite,
979,2.50,International premium,
43,0.03,Austria,
376,0.00005,Andorra,
4312399,0.04,Austria unknown,
49,0.02,Germany,
36,0.03,Hungary,
BR:90,1.00,Collect call,
20,0.15,Egypt,
88017,0.03,Bangladesh Mobile,
880,0.03,Bangladesh,
";

/// Same prefixes as `world` at other prices: the deck listed first wins; a longer prefix wins wherever it is.
pub const WORLD2: &str = "\
prefix,rate,valid_from,valid_to
34,0.99,,
347,0.44,,
33,0.01,,2026-10-05
33,0.02,2026-10-05,2026-10-06
33,0.03,2026-10-06,
331,0.05,2026-10-05T09:00:00Z,2026-10-05T10:00:00Z
";

pub const STEPS: &str = "\
prefix,rate,connect_fee,initial,increment,minimum,mode,free_below,minimum_cost,maximum_cost
43,0.60,0.11,,60,,nearest,,0.2,
41,0.60,0,30,6,36,up,5,,
45,0.60,0,6,6,,up,,,
46,0.60,0,90,60,,up,,,
47,0.60,0,20,6,,up,,,
48,0.60,0,60,45,,up,,,
351,0.60,0.25,30,6,30,up,3,,
385,0.005,0,60,60,,up,,,
420,0.00333,0,1,1,,up,,,
421,1000000,1000000,60,60,,up,,,
33,0.60,0.50,,,,,,,0.7
";

pub const TOLLFREE: &str = "\
prefix,rate,destination,blocked
1800,0.02,Toll-free,
1888,0.02,Toll-free,true
49800,0.03,Freephone,
";

pub const ACCOUNTS: &str = "\
account,plan,country,billing_start,billing_end,timezone,language,extensions,group,valid_from,valid_to
de,de,DE,2026-01-01,,Europe/Berlin,de,100-199;2001;118,,,
de2,de,DE,2026-01-01,,Europe/Berlin,de,,,,
de-codes,de-codes,DE,2026-01-01,,Europe/Berlin,de,,,,
de-deck,de-deck,DE,2026-01-01,,Europe/Berlin,de,100-199,,,
de-flat,de-flat,DE,2026-01-01,,Europe/Berlin,de,,,,
de-first,de-first,DE,2026-10-05,,Europe/Berlin,de,,,,
de-first-whole,de-first,DE,2026-10-01,,Europe/Berlin,de,,,,
de-seconds,de-seconds,DE,2026-01-01,,Europe/Berlin,de,,,,
us-a,us,US,2026-01-01,,America/New_York,en,,,,
us-b,us,US,2026-01-01,,America/New_York,en,,,,
us-ca,us-ca,US,2026-01-01,,America/New_York,en,,,,
br,br,BR,2026-01-01,,America/Sao_Paulo,en,,,,
it,it,IT,2026-01-01,,Europe/Rome,it,,,,
gb,gb,GB,2026-01-01,,Europe/London,en,,,,
ru,ru,RU,2026-01-01,,Europe/Moscow,en,,,,
hu,hu,HU,2026-01-01,,Europe/Budapest,en,,,,
later,us,US,2026-10-05,,America/Los_Angeles,en,,,,
gone,de,DE,2026-01-01,2026-10-05,Europe/Berlin,de,,,,
de-fine,de-fine,DE,2026-01-01,,Europe/Berlin,de,,,,
de-16th,de-first,DE,2026-10-16,,Europe/Berlin,de,,,,
guatemala,us,US,2026-01-01,,America/Guatemala,en,,,,
kiritimati,us,US,2026-01-01,,Pacific/Kiritimati,en,,,,
kathmandu,us,US,2026-01-01,,Asia/Kathmandu,en,,,,
lord-howe,us,US,2026-01-01,,Australia/Lord_Howe,en,,,,
noplan,nowhere,DE,2026-01-01,,Europe/Berlin,de,,,,
moved,de,DE,2026-01-01,,Europe/Berlin,de,,,,2026-10-05
moved,us,US,2026-01-01,,Europe/Berlin,en,,,2026-10-05,
";

pub const NUMBERS: &str = "\
number,account,valid_from,valid_to
+4930600,de,,
+4930123456,de,,
+4980012345678,de,,
+4940111222,de2,,
+12125550123,us-a,,
+18005550199,us-b,,
+18885550199,us-b,,
+18445550199,us-b,,
+12125550150,us-b,,
+12125550177,later,,
+493077001,gone,,
+493077002,noplan,,
+493055001,de,,2026-10-05
+493055001,de2,2026-10-05,
";
