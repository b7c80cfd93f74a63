//! What is in force in the simulated world: three tariffs and three directories, compiled once for all seeds, and the
//! same facts as plain tables for the model.

use std::sync::{Arc, LazyLock};

use callrated::directory::{Asked, Change, Composition, Directory, Layer, changed};
use callrated::images::Images;
use callrated::tariff::{self, RatesText, Tariff};
use callrated::time::Timestamp;

/// The dialling plans that the project ships.
pub const COUNTRIES: &str = include_str!("../../rates/countries.toml");

pub const NUMBERING: &str = "prefix,country,type,total_lengths
4930,DE,fixed,
4915,DE,mobile,
49900,DE,premium,
4420,GB,fixed,
331,FR,fixed,
1800,US,toll_free,
43660,AT,mobile,
";

/// Minutes that the German plan includes, few enough that calls straddle the end every day.
pub const INCLUDED_SECONDS: u64 = 7 * 60;

/// What differs from tariff to tariff: overage per minute, a minute to the United Kingdom, a minute to France.
pub const TARIFFS: [(&str, &str, Option<&str>); 3] =
    [("0.015", "0.031", None), ("0.0333", "0.045", Some("0.04")), ("0.00125", "0.031", Some("0.07"))];

/// Accounts of the world: `de0` to `de4`, then `us5` and `us6`.
pub const ACCOUNTS: usize = 7;

/// An account as a directory has it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Account {
    pub group: &'static str,
    /// Billing starts in 2027: nothing is charged yet.
    pub starts_late: bool,
}

/// Whether it pays by the German plan.
pub fn is_german(account: usize) -> bool {
    account < 5
}

pub fn name(account: usize) -> &'static str {
    ["de0", "de1", "de2", "de3", "de4", "us5", "us6"][account]
}

/// In E.164 with its `+`.
pub fn number(account: usize) -> String {
    if is_german(account) { format!("+4930231250{account:02}") } else { format!("+180055501{account:02}") }
}

/// An account in one of the directories. From one to the next accounts come and go, change their billing group, and begin
/// to be billed.
pub fn account(directory: usize, account: usize) -> Option<Account> {
    let there = |group| Some(Account { group, starts_late: false });
    match (directory, account) {
        (0 | 1, 0) | (0 | 2, 1) => there("pool"),
        (2, 0) | (0, 3) | (2, 2) => None,
        (0, 4) => Some(Account { group: "de4", starts_late: true }),
        (_, other) => there(name(other)),
    }
}

/// The images, under the digests by which the journal names them.
pub struct Shelf {
    pub images: Arc<Images>,
    pub tariffs: Vec<String>,
    /// The same, with further allowances in the German plan.
    pub pooled: Vec<String>,
    pub directories: Vec<String>,
    /// Kept open: to open a tariff takes longer than to play a world.
    _open: (Vec<Arc<Tariff>>, Vec<Arc<Directory>>),
    _folder: tempfile::TempDir,
}

pub static SHELF: LazyLock<Shelf> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let images = Images::open(folder.path()).unwrap();
    let tariffs: Vec<_> = TARIFFS.iter().map(|t| images.keep_tariff(&tariff_image(t)).unwrap()).collect();
    let pooled: Vec<_> =
        TARIFFS.iter().map(|t| images.keep_tariff(&pooled_of(t, INCLUDED_SECONDS / 60)).unwrap()).collect();
    let directories: Vec<_> = (0..3).map(|d| directory(&images, d)).collect();
    Shelf {
        images: Arc::new(images),
        tariffs: tariffs.iter().map(|t| t.digest().to_owned()).collect(),
        pooled: pooled.iter().map(|t| t.digest().to_owned()).collect(),
        directories: directories.iter().map(|d| d.digest().to_owned()).collect(),
        _open: (tariffs.into_iter().chain(pooled).collect(), directories),
        _folder: folder,
    }
});

fn tariff_image(tariff: &(&str, &str, Option<&str>)) -> Vec<u8> {
    tariff_of(tariff, INCLUDED_SECONDS / 60)
}

/// With so many minutes in the German plan.
pub fn tariff_of(tariff: &(&str, &str, Option<&str>), minutes: u64) -> Vec<u8> {
    tariff_text(tariff, minutes, "", "")
}

/// The same with few minutes for mobile numbers and for calls abroad, with prices that fall with what was billed, and calls
/// in quick succession as one.
pub fn pooled_of(tariff: &(&str, &str, Option<&str>), minutes: u64) -> Vec<u8> {
    tariff_text(tariff, minutes, SUCCESSIVE, &format!("{POOLS}{TIERS}"))
}

const SUCCESSIVE: &str = "successive = { within = 120, from = \"any\" }";
const POOLS: &str = "[plan.de.allowances.mobile]\nminutes = 4\nof = [\"DE:mobile\"]\n\
                     [plan.de.allowances.abroad]\nminutes = 3\nof = [\"international\"]\n";
const TIERS: &str = "[plan.de.tiers.world]\nof = [\"international\"]\n\
                     levels = [{ after_minutes = 2, discount = \"12.5%\" }, { after_minutes = 6, rate = \"0.011\" }]\n\
                     [plan.de.tiers.home]\nof = [\"DE:mobile\"]\n\
                     levels = [{ after_minutes = 5, discount = \"50%\" }]\n";

/// Two more tariffs of the German plan: what is left of its minutes, and of those for mobile numbers, carries over.
pub fn rolling(tariff: usize) -> Vec<u8> {
    let keys = ["rollover = { months = 2, at_most_minutes = 9 }", "rollover = { months = 3 }"][tariff];
    let kept = "[plan.de.allowances.mobile]\nminutes = 4\nof = [\"DE:mobile\"]\nrollover = { months = 1 }\n";
    tariff_text(&TARIFFS[tariff], [5, 4][tariff], keys, &format!("{kept}{TIERS}"))
}

/// Two tariffs of which both plans ask for a minimum: 0.45 EUR and 0.07 USD, which some months are short of.
pub fn asking(tariff: usize) -> Vec<u8> {
    let us = "[plan.us.tiers.all]\nlevels = [{ after_minutes = 9, discount = \"10%\" }]\n";
    tariff_text(
        &TARIFFS[tariff],
        4,
        "minimum_spend = \"0.45\"",
        &format!("minimum_spend = \"0.07\"\n{us}{POOLS}{TIERS}"),
    )
}

/// One allowance of six minutes for calls abroad and for those that come to toll-free numbers.
pub fn both_sides() -> String {
    let pool = "[plan.de.allowances.both]\nminutes = 6\nof = [\"international\", \"toll_free\"]\n";
    let image = tariff_text(&TARIFFS[0], 7, "inbound_decks = [\"tollfree\"]", pool);
    SHELF.images.keep_tariff(&image).unwrap().digest().to_owned()
}

/// The first directory, where an account of the pool has a toll-free number.
pub fn toll_free_in_the_pool() -> String {
    let (accounts, numbers) = directory_text(0);
    let image = compiled(&accounts, &format!("{numbers}+18005550199,{}\n", name(1)));
    SHELF.images.keep_directory(&image).unwrap().digest().to_owned()
}

/// The first directory, where the number of an account of the pool has another owner.
pub fn with_another_owner() -> String {
    let (accounts, numbers) = directory_text(0);
    let numbers = numbers.replace(&format!("{},{}\n", number(0), name(0)), &format!("{},{}\n", number(0), name(2)));
    SHELF.images.keep_directory(&compiled(&accounts, &numbers)).unwrap().digest().to_owned()
}

fn tariff_text(tariff: &(&str, &str, Option<&str>), minutes: u64, keys: &str, pools: &str) -> Vec<u8> {
    let (overage, uk, france) = tariff;
    let plans = format!(
        "[plan.de]\ncountry = \"DE\"\ncurrency = \"EUR\"\nincluded_minutes = {minutes}\noverage_rate = \"{overage}\"\n{keys}\n\
         decks = [\"premium\", \"world\"]\n[plan.us]\ncountry = \"US\"\ncurrency = \"USD\"\nincluded_minutes = 0\n\
         overage_rate = \"0.02\"\ndecks = [\"world\"]\ninbound_decks = [\"tollfree\"]\n{pools}"
    );
    let mut world =
        format!("prefix,destination,rate,connect_fee\n44,United Kingdom,{uk},0.05\n1800,US toll-free,0.01,0\n");
    if let Some(rate) = france {
        world += &format!("33,France,{rate},0\n");
    }
    let premium = "prefix,destination,rate,call_type\n499005,0900-5,0.79,domestic_premium\n";
    let tollfree = "prefix,destination,rate\n1800,Toll-free,0.02\n";
    let decks = [("world", world.as_str()), ("premium", premium), ("tollfree", tollfree)];
    let text = RatesText {
        countries: COUNTRIES.into(),
        numbering: NUMBERING.into(),
        plans: plans.into(),
        decks: decks.iter().map(|(name, text)| ((*name).to_owned(), (*text).into())).collect(),
        ..RatesText::default()
    };
    tariff::compile(&text).unwrap_or_else(|findings| panic!("{findings:#?}")).image
}

/// The first directory is one image, as the rates folder gives it. The others say the same as if they were, but lie in three
/// images: what the lowest says of accounts and numbers is wrong, and an image on top of it says each anew.
fn directory(images: &Images, directory: usize) -> Arc<Directory> {
    let (accounts, numbers) = directory_text(directory);
    if directory == 0 {
        return images.keep_directory(&compiled(&accounts, &numbers)).unwrap();
    }
    let first = accounts.lines().nth(1).unwrap().split(',').next().unwrap();
    let wrong: Vec<String> = accounts.lines().map(|line| line.replace(",2020-01-01,", ",2027-01-01,")).collect();
    let others: Vec<String> =
        numbers.lines().map(|line| line.split(',').next().unwrap()).map(|number| format!("{number},{first}")).collect();
    let others = others.join("\n").replacen(&format!("number,{first}"), "number,account", 1);
    let mut all = vec![images.keep_directory(&compiled(&wrong.join("\n"), &others)).unwrap()];
    let mut whole = all[0].clone();
    for asked in [Asked::AccountsFile(accounts.into_bytes()), Asked::NumbersFile(numbers.into_bytes())] {
        let change = Change { asked: vec![(0, asked)], take_over: true, now: Timestamp(0) };
        let layer = changed(&whole, &Layer::default(), &change).unwrap().layer;
        all.push(images.keep_directory(&layer.image().unwrap()).unwrap());
        whole = images.keep_composition(&Composition::of(&all)).unwrap();
    }
    whole
}

/// The first directory, and on top of it what puts every account on the plan of the United States: its digest.
pub fn all_on_the_other_plan() -> String {
    let lowest = SHELF.images.directory(&SHELF.directories[0]).unwrap();
    let accounts = directory_text(0).0.replace(",de,", ",us,");
    let change =
        Change { asked: vec![(0, Asked::AccountsFile(accounts.into_bytes()))], take_over: true, now: Timestamp(0) };
    let layer = changed(&lowest, &Layer::default(), &change).unwrap().layer;
    let all = [lowest, SHELF.images.keep_directory(&layer.image().unwrap()).unwrap()];
    SHELF.images.keep_composition(&Composition::of(&all)).unwrap().digest().to_owned()
}

fn compiled(accounts: &str, numbers: &str) -> Vec<u8> {
    callrated::directory::compile(accounts.as_bytes(), numbers.as_bytes())
        .unwrap_or_else(|findings| panic!("{findings:#?}"))
        .0
}

fn directory_text(directory: usize) -> (String, String) {
    let mut accounts = "account,plan,country,billing_start,timezone,language,group\n".to_owned();
    let mut numbers = "number,account\n".to_owned();
    for index in 0..ACCOUNTS {
        let Some(there) = account(directory, index) else { continue };
        let (plan, country) = if is_german(index) { ("de", "DE") } else { ("us", "US") };
        let start = if there.starts_late { "2027-01-01" } else { "2020-01-01" };
        accounts += &format!("{},{plan},{country},{start},UTC,en,{}\n", name(index), there.group);
        numbers += &format!("{},{}\n", number(index), name(index));
    }
    (accounts, numbers)
}
