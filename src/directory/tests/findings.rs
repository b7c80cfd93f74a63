//! What is wrong, where, and what to do about it: one row for each finding.

use super::*;

/// `ERROR file:line:column message | hint`, a line each.
fn told(accounts: &[u8], numbers: &[u8]) -> Vec<String> {
    let findings = match compile(accounts, numbers) {
        Ok((_, warnings)) => {
            assert!(warnings.iter().all(|f| f.severity == Severity::Warning));
            warnings
        }
        Err(findings) => {
            assert!(findings.iter().any(|f| f.severity == Severity::Error));
            findings
        }
    };
    let line = |f: &Finding| {
        let severity = if f.severity == Severity::Error { "error" } else { "warning" };
        format!("{severity} {}:{}:{} {} | {}", f.file, f.line, f.column, f.message, f.hint)
    };
    findings.iter().map(line).collect()
}

fn check(accounts: impl AsRef<[u8]>, numbers: impl AsRef<[u8]>, expected: &[&str]) {
    let told = told(accounts.as_ref(), numbers.as_ref());
    assert_eq!(told, expected, "{}", String::from_utf8_lossy(accounts.as_ref()));
}

#[test]
fn of_the_whole_file() {
    let columns = "account, plan, country, billing_start, timezone, language, extensions, billing_end, group, name, valid_from, valid_to, free";
    let list = columns.replace(", ", ",");
    check("", "", &[&format!("error accounts.csv:0:0 the file is empty | the first row names the columns: {list}")]);
    check(b"\xFF\xFEa\0", "", &["error accounts.csv:0:0 the file is UTF-16 | save it as CSV UTF-8"]);
    check(
        "account,plan,country,biling_start,plan\n",
        "",
        &[
            "error accounts.csv:1:0 column \"billing_start\" is missing | the first row must name it; it needs at least account,plan,country,billing_start",
            &format!(
                "error accounts.csv:1:22 unknown column \"biling_start\" | did you mean \"billing_start\"? Known columns: {columns}"
            ),
            "error accounts.csv:1:35 column \"plan\" appears twice | take one of them out",
        ],
    );
    check(
        "account,plan,country,billing_start\n",
        "nummer,account\n",
        &[
            "warning accounts.csv:0:0 there are no accounts | every row below the header is one",
            "error numbers.csv:1:0 column \"number\" is missing | the first row must name it; it needs at least number,account",
            "error numbers.csv:1:1 unknown column \"nummer\" | did you mean \"number\"? Known columns: number, account, valid_from, valid_to",
        ],
    );
    let many = format!("{HEADER}{}", "a,p,DE,\n".repeat(1001));
    let told = told(many.as_bytes(), b"");
    assert_eq!(told.len(), 1001);
    assert_eq!(
        told[1000],
        "error accounts.csv:0:0 read only up to the 1000th error | mend these first, then check again"
    );
}

#[test]
fn of_rows_that_cannot_be_split() {
    let head = "account,plan,country,billing_start\n";
    check(
        [head.as_bytes(), b"M\xFCller,p,DE,2026-01-01\nb,\xFF,DE,2026-01-01\n"].concat(),
        "",
        &[
            "error accounts.csv:2:1 the text is not UTF-8 | save the file as CSV UTF-8",
            "error accounts.csv:3:3 the text is not UTF-8 | save the file as CSV UTF-8",
        ],
    );
    check(
        format!("{head}\"ä\",p,DE,2026-01-01,x\n"),
        "",
        &[
            "error accounts.csv:2:21 \"x\" stands in a column without a name | a cell that holds the separator must be in double quotes",
        ],
    );
    check(
        format!("{head}a,p,\"DE,2026-01-01\nb,p,DE,2026-01-01\n"),
        "",
        &["error accounts.csv:2:5 a cell goes on over the end of the line | is a closing double quote missing?"],
    );
    check(
        format!("{head}a,p,DE,\"{}\n", "x".repeat(2 << 20)),
        "",
        &["error accounts.csv:2:0 the row is longer than 1 MiB | is a closing double quote missing?"],
    );
    check(
        format!("{head}a{}\n", ",".repeat(300)),
        "",
        &["error accounts.csv:2:0 the row has more than 256 cells | is this the right file?"],
    );
}

/// One account row with one cell replaced, and what is said about it from the place on.
#[test]
fn of_cells_of_accounts() {
    let sound = ["acme", "basic", "DE", "2026-10-01", "UTC", "en", "", "", "", "", "", ""];
    let long = "n".repeat(129);
    let wide = "ü".repeat(128);
    for (column, cell, expected) in [
        (0, "", "2:1 the account is empty | every row names its account"),
        (0, "a/b", "2:1 account \"a/b\" holds a / | a name stands in URLs, so / is kept out; write - instead"),
        (
            0,
            "a\u{1}b",
            "2:1 account \"a\\u{1}b\" holds a control character | take out tabs and other invisible characters",
        ),
        (
            0,
            &long,
            "2:1 account \"nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn\"… is 129 bytes long | at most 128 bytes",
        ),
        (1, "", "2:6 the plan is empty | every row names its plan"),
        (2, "", "2:12 the country is empty | write the two capital letters of ISO 3166, such as DE or US"),
        (2, "de", "2:12 \"de\" is not a country | write the two capital letters of ISO 3166, such as DE or US"),
        (2, "001", "2:12 \"001\" is not a country | write the two capital letters of ISO 3166, such as DE or US"),
        (2, "UK", "2:12 \"UK\" is not a country of ISO 3166 | the United Kingdom is GB"),
        (3, "", "2:15 billing_start is empty | write the first billed day, such as 2026-10-01"),
        (
            3,
            "01.10.2026",
            "2:15 billing_start \"01.10.2026\" is neither a day nor an instant | write a day (2026-10-01) or an instant with its offset (2026-10-01T06:00:00+02:00)",
        ),
        (
            3,
            "2026-02-30",
            "2:15 billing_start \"2026-02-30\" is neither a day nor an instant | write a day (2026-10-01) or an instant with its offset (2026-10-01T06:00:00+02:00)",
        ),
        (
            3,
            "2026-10-01T06:00:00",
            "2:15 billing_start \"2026-10-01T06:00:00\" is neither a day nor an instant | add the offset, such as 2026-10-01T06:00:00Z or 2026-10-01T06:00:00+02:00",
        ),
        (3, "9999-12-31", "2:15 billing_start \"9999-12-31\" is too far away | write a year from 1 to 9998"),
        (4, "Europe/Berlln", "2:26 unknown time zone \"Europe/Berlln\" | did you mean \"Europe/Berlin\"?"),
        (4, "new york", "2:26 unknown time zone \"new york\" | did you mean \"America/New_York\"?"),
        (
            4,
            "Middle-earth",
            "2:26 unknown time zone \"Middle-earth\" | write an IANA name such as \"Europe/Berlin\" or \"UTC\"",
        ),
        (
            6,
            "100-",
            "2:33 \"100-\" is not an extension | write extensions of 1 to 15 digits and ranges without spaces, such as 100-199;2001",
        ),
        (
            6,
            "12a",
            "2:33 \"12a\" is not an extension | write extensions of 1 to 15 digits and ranges without spaces, such as 100-199;2001",
        ),
        (
            6,
            "99-100",
            "2:33 \"99-100\" is not a range of extensions | both ends have as many digits, the smaller first, such as 100-199",
        ),
        (
            6,
            "1;200-100",
            "2:33 \"200-100\" is not a range of extensions | both ends have as many digits, the smaller first, such as 100-199",
        ),
        (
            7,
            "2026-10-01",
            "2:34 billing_end 2026-10-01T00:00:00Z is not after billing_start 2026-10-01T00:00:00Z | ends are exclusive: the first day on which it does not hold any more",
        ),
        (8, "a/b", "2:35 group \"a/b\" holds a / | a name stands in URLs, so / is kept out; write - instead"),
        (
            9,
            &wide,
            "2:36 name \"üüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüü\"… is 256 bytes long | at most 255 bytes",
        ),
        (
            10,
            "soon",
            "2:37 valid_from \"soon\" is neither a day nor an instant | write a day (2026-10-01) or an instant with its offset (2026-10-01T06:00:00+02:00)",
        ),
        (
            11,
            "2026-13-01",
            "2:38 valid_to \"2026-13-01\" is neither a day nor an instant | write a day (2026-10-01) or an instant with its offset (2026-10-01T06:00:00+02:00)",
        ),
    ] {
        let mut cells = sound;
        cells[column] = cell;
        let expected = format!("error accounts.csv:{expected}");
        // Its number is no second fault.
        check(
            format!("{HEADER}{}\n", cells.join(",")),
            "number,account\n4930123456,acme\n",
            &match column {
                0 => vec![
                    &*expected,
                    "error numbers.csv:2:12 account \"acme\" is not in accounts.csv | add a row for it to accounts.csv",
                ],
                _ => vec![&*expected],
            },
        );
    }
    let mut cells = sound;
    cells[5] = "fr";
    let warning = "warning accounts.csv:2:30 unknown language \"fr\": en is taken | known languages: en, de, it";
    check(format!("{HEADER}{}\n", cells.join(",")), "", &[warning]);
}

#[test]
fn of_cells_of_numbers() {
    let accounts = "account,plan,country,billing_start\nacme,basic,DE,2026-10-01\nzeta,basic,DE,2026-10-01\n";
    for (row, expected) in [
        (
            "030123456,acme,,",
            "2:1 number \"030123456\" begins with 0 | write it with its country code, such as +4930123456",
        ),
        (
            "4.93012E+11,acme,,",
            "2:1 number \"4.93012E+11\" holds '.' | write country code and number, digits only, such as +4930123456",
        ),
        (
            "493012E5,acme,,",
            "2:1 number \"493012E5\" holds 'E' | a spreadsheet wrote it in short: format the column as text",
        ),
        (
            "4930100-4930199,acme,,",
            "2:1 number \"4930100-4930199\" holds '-' | one number in a row, digits and spaces only",
        ),
        ("123,acme,,", "2:1 number \"123\" has 3 digits | E.164 numbers have 4 to 15"),
        ("1234567890123456,acme,,", "2:1 number \"1234567890123456\" has 16 digits | E.164 numbers have 4 to 15"),
        (",acme,,", "2:1 number \"\" has 0 digits | E.164 numbers have 4 to 15"),
        ("4930123456,,,", "2:12 the account is empty | every number belongs to an account of accounts.csv"),
        ("4930123456,acne,,", "2:12 account \"acne\" is not in accounts.csv | did you mean \"acme\"?"),
        ("4930123456,nobody,,", "2:12 account \"nobody\" is not in accounts.csv | add a row for it to accounts.csv"),
        (
            "4930123456,acme,2026-10-02,2026-10-01",
            "2:28 valid_to 2026-10-01T00:00:00Z is not after valid_from 2026-10-02T00:00:00Z | ends are exclusive: the first day on which it does not hold any more",
        ),
    ] {
        let expected = format!("error numbers.csv:{expected}");
        check(accounts, format!("number,account,valid_from,valid_to\n{row}\n"), &[&expected]);
    }
}

#[test]
fn of_accounts_valid_twice() {
    let head = "account,plan,country,billing_start,valid_from,valid_to\n";
    let hint = "give the earlier row the valid_to that is the later row's valid_from";
    let two = |message: &str| format!("error accounts.csv:{message} | {hint}");
    check(
        format!("{head}b,p,DE,2026-01-01,,\na,p,DE,2026-01-01,2026-02-01,\nb,p,DE,2026-01-01,,\n"),
        "",
        &[&two("4:0 account \"b\" has two rows without valid_from: lines 2 and 4")],
    );
    // The first row lasts over both later ones; the second alone would not reach the third.
    check(
        format!(
            "{head}a,p,DE,2026-01-01,,\na,p,DE,2026-01-01,2026-02-01,2026-03-01\n\na,p,DE,2026-01-01,2026-04-01,\n"
        ),
        "",
        &[
            &two("3:0 account \"a\" has two rows valid at 2026-02-01T00:00:00Z: lines 2 and 3"),
            &two("5:0 account \"a\" has two rows valid at 2026-04-01T00:00:00Z: lines 2 and 5"),
        ],
    );
    check(format!("{head}a,p,DE,2026-01-01,2026-03-01,\na,p,DE,2026-01-01,,2026-03-01\n"), "", &[]);
}

#[test]
fn of_numbers_in_two_hands() {
    let accounts = "account,plan,country,billing_start\na,p,DE,2026-01-01\nb,p,DE,2026-01-01\n";
    let head = "number,account,valid_from,valid_to\n";
    let hint = "give the earlier owner the valid_to that is the later owner's valid_from, as one instant";
    check(
        accounts,
        format!("{head}+4930123456,a,,\n4930 123456,b,,\n"),
        &[&format!(
            "error numbers.csv:3:0 number 4930123456 belongs to \"a\" and to \"b\" at once: lines 2 and 3 | {hint}"
        )],
    );
    check(
        accounts,
        format!("{head}4930123456,b,2026-03-01,\n4930123456,a,2026-01-01,2026-04-01\n4930123456,a,,2026-01-01\n"),
        &[&format!(
            "error numbers.csv:3:0 number 4930123456 belongs to \"a\" and to \"b\" at 2026-03-01T00:00:00Z: lines 2 and 3 | {hint}"
        )],
    );
    check(
        accounts,
        format!("{head}4930123456,a,,\n4930123456,a,2026-01-01,\n"),
        &["warning numbers.csv:3:0 number 4930123456 is given to \"a\" twice: lines 2 and 3 | one row is enough"],
    );
    check(accounts, format!("{head}4930123456,b,2026-03-01,\n4930123456,a,,2026-03-01\n"), &[]);
}
