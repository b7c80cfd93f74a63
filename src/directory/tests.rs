//! What a directory promises: same rows, same bytes; look-ups as a reader of the files would do them; damage is found.

mod changes;
mod findings;
mod properties;

use super::*;
use crate::number::Number;
use crate::time::parse_rfc3339;

const HEADER: &str =
    "account,plan,country,billing_start,timezone,language,extensions,billing_end,group,name,valid_from,valid_to\n";

fn open(accounts: &str, numbers: &str) -> Directory {
    let (image, findings) = compile(accounts.as_bytes(), numbers.as_bytes()).unwrap();
    assert_eq!(findings, [], "a sound directory has no findings");
    Directory::open(image.into()).unwrap()
}

fn number(digits: &str) -> Number {
    Number::from_digits(digits.as_bytes()).unwrap()
}

fn at(text: &str) -> Timestamp {
    parse_rfc3339(text.as_bytes()).unwrap()
}

/// Two accounts of one company, one of them moved; a number that changes hands.
fn sample() -> Directory {
    let accounts = format!(
        "{HEADER}\
         acme,basic,DE,2026-10-01,Europe/Berlin,de,100-199;2001,,,Acme GmbH,,2026-11-01\n\
         acme,large,IT,2026-10-01,Europe/Rome,it,100-149,,,Acme Italia,2026-11-01,\n\
         acme-us,basic,US,2026-10-15,America/New_York,,,2027-01-01,acme,,,\n\
         zeta,basic,US,2026-01-01,,fr,0100,,acme-us,,,\n"
    );
    let numbers = "number,account,valid_from,valid_to\n\
         +49 30 123456,acme,,2026-12-01\n\
         4930123456,acme-us,2026-12-01T00:00:00+01:00,\n\
         12125550100,acme-us,,\n\
         390612345678,acme,2026-11-01,\n";
    let (image, findings) = compile(accounts.as_bytes(), numbers.as_bytes()).unwrap();
    assert_eq!(findings.len(), 1, "French is not spoken: {findings:?}");
    Directory::open(image.into()).unwrap()
}

#[test]
fn a_row_says_what_the_file_says() {
    let d = sample();
    let a = d.account_at(b"acme", at("2026-10-05T09:00:00Z")).unwrap();
    assert_eq!((a.name(), a.plan, a.country.as_str()), ("acme", "basic", "DE"));
    assert_eq!((a.zone_name, a.language, a.display_name()), ("Europe/Berlin", "de", "Acme GmbH"));
    assert_eq!((a.valid_from, a.valid_to), (None, Some(at("2026-10-31T23:00:00Z"))));
    assert_eq!((a.billing_start, a.billing_end), (at("2026-09-30T22:00:00Z"), None));
    let a = d.account_at(b"acme-us", at("2026-10-05T09:00:00Z")).unwrap();
    assert_eq!((a.language, a.display_name(), a.group()), ("en", "acme-us", "acme"));
    assert_eq!((a.billing_start, a.billing_end), (at("2026-10-15T04:00:00Z"), Some(at("2027-01-01T05:00:00Z"))));
    let z = d.account_at(b"zeta", at("2026-10-05T09:00:00Z")).unwrap();
    assert_eq!((z.zone_name, z.language), ("UTC", "en"));
    assert_eq!((d.accounts(), d.rows(), d.numbers(), d.groups(), d.zones()), (3, 4, 3, 2, 4));
    assert_eq!(d.plan_names(), ["basic", "large"]);
    assert_eq!(d.plan_names()[usize::from(z.plan_index)], "basic");
}

#[test]
fn a_group_named_like_an_account_is_that_account_own_group_unless_it_has_another() {
    let d = sample();
    let now = at("2026-10-05T09:00:00Z");
    let group = |name: &str| d.account_at(name.as_bytes(), now).map(|a| (a.group_index, a.group())).unwrap();
    // acme has no group of its own, so the group "acme" is acme itself, and acme-us draws with it.
    assert_eq!(group("acme"), group("acme-us"));
    // acme-us left its own name's group; who names that group is alone in it.
    assert_eq!(group("zeta").1, "acme-us");
    assert_ne!(group("zeta").0, group("acme-us").0);
}

#[test]
fn the_row_in_force_is_found_at_the_instant() {
    let d = sample();
    // Berlin and Rome share their clock: the move is at 23:00 UTC, the end belongs to the new row.
    for (when, plan) in [
        ("1970-01-01T00:00:00Z", "basic"),
        ("2026-10-31T22:59:59.999999Z", "basic"),
        ("2026-10-31T23:00:00Z", "large"),
        ("9999-01-01T00:00:00Z", "large"),
    ] {
        let a = d.account_at(b"acme", at(when)).unwrap();
        assert_eq!(a.plan, plan, "{when}");
        assert_eq!(d.row(a.row).plan, plan, "{when}");
    }
    for name in ["", "acm", "acmee", "ACME", "zz"] {
        assert!(d.account_at(name.as_bytes(), at("2026-10-05T09:00:00Z")).is_none(), "{name}");
    }
    assert_eq!(d.account_named(b"zeta"), Some(AccountIndex(2)));
}

#[test]
fn a_number_moves_between_accounts_at_an_instant() {
    let d = sample();
    for (digits, when, expected) in [
        ("4930123456", "2026-10-05T09:00:00Z", Some("acme basic")),
        ("4930123456", "2026-11-05T09:00:00Z", Some("acme large")),
        ("4930123456", "2026-11-30T22:59:59.999999Z", Some("acme large")),
        ("4930123456", "2026-11-30T23:00:00Z", Some("acme-us basic")),
        ("12125550100", "1999-01-01T00:00:00Z", Some("acme-us basic")),
        ("390612345678", "2026-10-31T22:59:59Z", None),
        ("390612345678", "2026-10-31T23:00:00Z", Some("acme large")),
        ("3906123456789", "2026-12-01T00:00:00Z", None),
        ("49", "2026-12-01T00:00:00Z", None),
    ] {
        let owner = d.owner_at(number(digits), at(when)).map(|a| format!("{} {}", a.name(), a.plan));
        assert_eq!(owner.as_deref(), expected, "{digits} at {when}");
    }
}

#[test]
fn extensions_are_told_by_length_and_value() {
    let d = sample();
    let row = |name: &[u8], when| d.account_at(name, at(when)).unwrap().row;
    let (before, after) = (row(b"acme", "2026-10-05T09:00:00Z"), row(b"acme", "2026-11-05T09:00:00Z"));
    for (digits, is_before, is_after) in [
        ("100", true, true),
        ("149", true, true),
        ("150", true, false),
        ("199", true, false),
        ("200", false, false),
        ("2001", true, false),
        ("0100", false, false),
        ("99", false, false),
        ("1000", false, false),
        ("", false, false),
        ("1x0", false, false),
        ("1234567890123456789012345", false, false),
    ] {
        assert_eq!(d.is_extension(before, digits.as_bytes()), is_before, "{digits} before");
        assert_eq!(d.is_extension(after, digits.as_bytes()), is_after, "{digits} after");
    }
    let zeta = row(b"zeta", "2026-10-05T09:00:00Z");
    assert!(d.is_extension(zeta, b"0100") && !d.is_extension(zeta, b"100"));
    assert!(!d.is_extension(u32::MAX, b"100"));
}

#[test]
fn paging_walks_every_account_once_in_name_order() {
    let d = sample();
    let page = |after: &str, limit| d.accounts_after(after, limit).iter().map(|a| a.name()).collect::<Vec<_>>();
    assert_eq!(page("", 10), ["acme", "acme-us", "zeta"]);
    assert_eq!(page("", 2), ["acme", "acme-us"]);
    assert_eq!(page("acme-us", 2), ["zeta"]);
    assert_eq!(page("acme-", 1), ["acme-us"]);
    assert_eq!(page("zeta", 2), [""; 0]);
    assert_eq!(page("", 0), [""; 0]);
    assert_eq!(d.accounts_after("", 1)[0].plan, "large", "the latest row");
}

#[test]
fn a_row_that_is_not_there_is_nobody_who_is_never_billed() {
    let nobody = sample().row(99).billing_start;
    assert_eq!(nobody, Timestamp(i64::MAX));
    let d = sample();
    assert_eq!((d.row(u32::MAX).name(), d.row(4).group(), d.row(4).display_name()), ("", "", ""));
}

#[test]
fn files_as_spreadsheets_write_them_are_read() {
    let plain = open(
        "account,plan,country,billing_start,extensions\nä,basic,DE,2026-10-01,1-3;20\n",
        "number,account\n4930123456,ä\n",
    );
    for (accounts, numbers) in [
        (
            "\u{FEFF}account,plan,country,billing_start,extensions\r\nä,basic,DE,2026-10-01,1-3;20\r\n",
            "number,account\r\n\r\n+4930123456,ä\r\n",
        ),
        (
            "Account;Plan;Country;Billing_Start;Extensions\nä;basic;DE;2026-10-01;\"1-3;20\"\n",
            "number;account\n49 30 12 34 56;ä\n;\n",
        ),
        (
            "plan\taccount\textensions\tbilling_start\tcountry\nbasic\tä\t20 1-3\t2026-10-01\tDE",
            "account\tnumber\nä\t+49\u{A0}30 123456",
        ),
        (
            "\n\naccount , plan,country,billing_start,extensions,\n\n\"ä\", basic ,DE,2026-10-01,\"1,2,3,20,20\",,\n,,,,\n",
            "number,account,valid_to\n4930123456,ä,9999-12-31\n",
        ),
        (
            "account,plan,country,billing_start,extensions,language,timezone,group,valid_to\rä,basic,DE,2026-10-01T00:00:00Z,1-3;20,EN-us,utc,ä,\r",
            "number,account,valid_from,valid_to\n4930123456,ä,,2026-10-01\n4930123456,ä,2026-10-01,\n",
        ),
    ] {
        let same = open(accounts, numbers);
        assert_eq!(same.digest(), plain.digest(), "{accounts}{numbers}");
    }
}

#[test]
fn days_are_midnight_in_the_zone_of_the_row_that_holds_then() {
    let accounts = "account,plan,country,billing_start,timezone,valid_from,valid_to\n\
         a,p,US,2026-01-01,America/New_York,,2026-06-01T00:00:00Z\n\
         a,p,DE,2026-01-01,Europe/Berlin,2026-06-01T00:00:00Z,\n";
    let numbers = "number,account,valid_from,valid_to\n4930123456,a,2026-03-01,2026-09-01\n";
    let d = open(accounts, numbers);
    for (when, owned) in [
        ("2026-03-01T04:59:59Z", false),
        ("2026-03-01T05:00:00Z", true),
        ("2026-08-31T21:59:59Z", true),
        ("2026-08-31T22:00:00Z", false),
    ] {
        assert_eq!(d.owner_at(number("4930123456"), at(when)).is_some(), owned, "{when}");
    }
}

#[test]
fn no_numbers_and_no_accounts_are_a_directory_too() {
    let d = open("account,plan,country,billing_start\na,p,DE,2026-01-01\n", "");
    assert_eq!((d.accounts(), d.numbers()), (1, 0));
    assert!(d.owner_at(number("4930123456"), Timestamp(0)).is_none());
    let (image, findings) = compile(b"account,plan,country,billing_start\n", b"").unwrap();
    assert_eq!(findings[0].message, "there are no accounts");
    let d = Directory::open(image.into()).unwrap();
    assert_eq!((d.accounts(), d.rows(), d.account_index_count()), (0, 0, 0));
    assert!(d.account_at(b"a", Timestamp(0)).is_none() && d.accounts_after("", 9).is_empty());
    assert_eq!(d.row(0).name(), "");
}

#[test]
fn the_digest_is_the_hash_of_the_whole_image() {
    let d = sample();
    assert_eq!(d.digest(), blake3::hash(d.bytes()).to_hex().as_str());
    // A changed layout must change FORMAT: images are kept for years, and named by this.
    assert_eq!((FORMAT, d.digest()), (1, "7f16407575a23d483f7895802e16bea25b45c5072fac1924477aa92b1a453190"));
}

#[test]
fn every_flipped_bit_and_every_cut_is_found() {
    let image = sample().bytes().to_vec();
    for i in 0..image.len() {
        for bit in 0..8 {
            let mut bad = image.clone();
            bad[i] ^= 1 << bit;
            let error = Directory::open(bad.into()).unwrap_err();
            let expected = if i < 8 { ImageError::Foreign } else { ImageError::Damaged("the checksum does not match") };
            assert_eq!(error, expected, "bit {bit} of byte {i}");
        }
        assert!(Directory::open(image[..i].to_vec().into()).is_err(), "cut to {i} bytes");
    }
    let longer = [&image[..], b"\0"].concat();
    assert!(Directory::open(longer.into()).is_err());
}

/// Puts a right checksum under changed bytes.
fn sealed(mut image: Vec<u8>) -> Bytes {
    let body = image.len() - 32;
    let checksum = blake3::hash(&image[..body]);
    image[body..].copy_from_slice(checksum.as_bytes());
    image.into()
}

#[test]
fn a_newer_image_is_told_from_a_damaged_one() {
    let mut image = sample().bytes().to_vec();
    image[8] = 2;
    assert_eq!(Directory::open(sealed(image.clone())).unwrap_err(), ImageError::Newer(2));
    image[8] = 0;
    assert_eq!(Directory::open(sealed(image)).unwrap_err(), ImageError::Damaged("no such version"));
}

#[test]
fn an_image_made_to_mislead_cannot_crash_a_lookup() {
    let d = sample();
    let image = d.bytes().to_vec();
    let mut refused = 0;
    for i in 8..image.len() - 32 {
        for change in [1, 0x80, 0xFF] {
            let mut bad = image.clone();
            bad[i] ^= change;
            match Directory::open(sealed(bad)) {
                Ok(opened) => ask_everything(&opened),
                Err(_) => refused += 1,
            }
        }
    }
    assert!(refused > 1000, "most changes contradict something: {refused}");
}

/// Every question there is; the answers do not matter.
fn ask_everything(d: &Directory) {
    for when in [i64::MIN, 0, at("2026-11-15T00:00:00Z").0, i64::MAX].map(Timestamp) {
        for name in ["acme", "acme-us", "zeta", "x"] {
            d.account_at(name.as_bytes(), when).map(|a| (a.name(), a.group(), a.display_name()));
        }
        for digits in ["4930123456", "12125550100", "390612345678", "1"] {
            d.owner_at(number(digits), when);
        }
    }
    for row in 0..d.rows() {
        d.row(row);
        d.is_extension(row, b"150");
    }
    d.accounts_after("a", 10);
}
