//! Codes as suppliers write them → prefixes: lists, ranges, wildcards, patterns of other products.
//!
//! ```text
//! "43, 431"            a list                     4470-4479    a range
//! +1 (829)  1-829      grouped digits             1-829,1809   a list under one calling code
//! 1XXX310   ^9375.*    patterns, written out      44|[2-4]     alternatives
//! ```
//!
//! Does not know other columns; what a country's column said is handed in.

use crate::number::Number;
use crate::number::dialling::NUMBER_MAX;

type Bad = (String, String);

/// Most prefixes of one cell: a range over four digits.
pub const CELL_MAX: usize = 10_000;
/// Longest pattern; longer ones are not codes, and their groups are opened one inside the other.
const PATTERN_MAX: usize = 200;

/// How a deck writes codes.
#[derive(Clone, Debug)]
pub struct Style<'a> {
    /// Fronts that stand for an international call and are dropped, such as `00`.
    pub international: &'a [String],
}

/// All prefixes of a cell. `country` is the calling code where it has a column of its own.
pub fn read(cell: &str, country: Option<&str>, style: &Style<'_>) -> Result<Vec<Number>, Bad> {
    let cell = cell.trim();
    let scientific = |t: &str| {
        let lower = t.to_ascii_lowercase();
        lower.split_once('e').is_some_and(|(whole, power)| {
            let digits = |t: &str| !t.is_empty() && t.bytes().all(|b| b.is_ascii_digit() || b == b'.' || b == b',');
            digits(whole) && digits(power.trim_start_matches('+'))
        })
    };
    if scientific(cell) {
        return bad(
            cell,
            "was made a rounded number by a spreadsheet",
            "export the column as text: its digits are lost",
        );
    }
    if cell.starts_with(['^', '_']) || cell.contains("[") || cell.contains('|') || cell.contains(".*") {
        return pattern(cell, country);
    }
    let cell = match cell.strip_prefix('(').and_then(|c| c.strip_suffix(')')) {
        Some(inside) if !inside.contains(['(', ')']) => inside,
        _ => cell,
    };
    let mut all = Vec::new();
    // The calling code of `1-829, 809`: it holds for what follows in the list.
    let mut group: Option<String> = None;
    for part in cell.split([',', ';', '&', '\n']).map(str::trim).filter(|p| !p.is_empty()) {
        one(part, country, &mut group, style, &mut all)?;
        if all.len() > CELL_MAX {
            return bad(part, &format!("stands for more than {CELL_MAX} prefixes"), "write a shorter prefix");
        }
    }
    if all.is_empty() {
        return bad(cell, "holds no code", "write the calling code and what follows, such as 4930");
    }
    Ok(all)
}

fn bad<T>(text: &str, why: &str, hint: &str) -> Result<T, Bad> {
    Err((format!("{text:?} {why}"), hint.to_owned()))
}

/// One place of a list.
fn one(
    part: &str,
    country: Option<&str>,
    group: &mut Option<String>,
    style: &Style<'_>,
    all: &mut Vec<Number>,
) -> Result<(), Bad> {
    let plain = part.trim_end_matches(['*', '%', '#']);
    let (plus, plain) = match plain.strip_prefix('+') {
        Some(rest) => (true, rest.trim_start()),
        None => (false, plain),
    };
    let dropped = style.international.iter().filter_map(|front| plain.strip_prefix(front.as_str())).next();
    let (plus, plain) = match dropped {
        Some(rest) if !plus && country.is_none() => (true, rest),
        _ => (plus, plain),
    };
    if plain.contains(['x', 'X']) {
        return wildcards(part, &compact(plain), country, all);
    }
    if let Some((from, to)) = plain.split_once(['-', '–']) {
        let (from, to) = (compact(from), compact(to));
        if !digits(&from) || !digits(&to) {
            return bad(part, "is not a code", "write digits, a range 4470-4479 or a list 4470;4471");
        }
        let grouped = from.len() <= 3 && country.is_none() && group.is_none() && (plus || from.len() < to.len());
        if grouped && from.len() < to.len() || plus && from.len() <= 3 && from.len() != to.len() {
            push(part, &format!("{from}{to}"), all)?;
            *group = Some(from);
            return Ok(());
        }
        if from.len() <= 3 && country.is_none() {
            let hint = format!("write {from}{to} for the area, or each calling code by itself");
            return bad(part, "may be a range of calling codes or an area code behind its calling code", &hint);
        }
        return range(part, &from, &to, country, all);
    }
    if plain.contains(char::is_whitespace) && country.is_none() && !plus {
        let whole = compact(plain);
        let mut groups = plain.split_whitespace();
        let first = groups.next().unwrap_or("");
        // `43 431` is rather two codes than one.
        if first.len() > 3 || groups.any(|g| g.starts_with(first)) {
            return bad(part, "may be one code or several", "write it without blanks, or commas between codes");
        }
        return push(part, &whole, all);
    }
    let whole = compact(plain);
    match (country, group.as_deref()) {
        (Some(code), _) => push(part, &format!("{code}{whole}"), all),
        // In North America no area code begins with 1, so what does is whole.
        (None, Some("1")) if !whole.starts_with('1') => push(part, &format!("1{whole}"), all),
        (None, Some("1")) | (None, None) => push(part, &whole, all),
        (None, Some(_)) if plus => push(part, &whole, all),
        (None, Some(code)) => {
            let hint = format!("write {code}{whole} if it is an area code of +{code}");
            bad(part, "may lack the calling code of the one before it", &hint)
        }
    }
}

/// Without blanks, brackets and points between groups of digits.
fn compact(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace() && !matches!(c, '(' | ')' | '\'' | '"')).collect()
}

fn digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

/// A prefix, once it is known to be digits behind a calling code.
fn push(part: &str, whole: &str, all: &mut Vec<Number>) -> Result<(), Bad> {
    if !digits(whole) {
        return bad(part, "is not a code", "write digits, a range 4470-4479 or a list 4470;4471");
    }
    if whole.starts_with('0') {
        return bad(part, "begins with 0", "write the calling code in front, without the trunk 0");
    }
    if whole.len() > NUMBER_MAX {
        return bad(part, "has more than 15 digits", "no number is longer");
    }
    all.extend(Number::from_digits(whole.as_bytes()));
    Ok(())
}

fn range(part: &str, from: &str, to: &str, country: Option<&str>, all: &mut Vec<Number>) -> Result<(), Bad> {
    // `44700-9` is short for 44700-44709.
    let front = from.len().checked_sub(to.len()).and_then(|n| from.get(..n));
    let Some(front) = front else {
        return bad(part, "is a range with ends of different length", "both ends have the same number of digits");
    };
    let end = format!("{front}{to}");
    let (Ok(low), Ok(high)) = (from.parse::<u64>(), end.parse::<u64>()) else {
        return bad(part, "is not a range of codes", "both ends are digits");
    };
    if high < low {
        return bad(part, "is a range that ends before it begins", "exchange its ends");
    }
    if high - low >= CELL_MAX as u64 {
        return bad(part, &format!("stands for more than {CELL_MAX} prefixes"), "write a shorter prefix");
    }
    let (width, code) = (from.len(), country.unwrap_or(""));
    (low..=high).try_for_each(|n| push(part, &format!("{code}{n:0width$}"), all))
}

/// `1XXX310`; at the end they say only how long numbers are, which a prefix does not ask.
fn wildcards(part: &str, plain: &str, country: Option<&str>, all: &mut Vec<Number>) -> Result<(), Bad> {
    let plain = plain.trim_end_matches(['x', 'X']);
    let any = plain.matches(['x', 'X']).count();
    if any > 4 || plain.is_empty() {
        return bad(part, &format!("stands for more than {CELL_MAX} prefixes"), "write the prefixes it stands for");
    }
    let mut written = vec![country.unwrap_or("").to_owned()];
    for c in plain.chars() {
        written = match c {
            'x' | 'X' => written.iter().flat_map(|w| (0..10).map(move |d| format!("{w}{d}"))).collect(),
            c => written.iter().map(|w| format!("{w}{c}")).collect(),
        };
    }
    written.iter().try_for_each(|w| push(part, w, all))
}

/// A pattern as other products keep it: `^9375.*`, `^(1242|1246).*$`, `_1NXXZ.`, `44[2-4]`.
fn pattern(cell: &str, country: Option<&str>) -> Result<Vec<Number>, Bad> {
    let (asterisk, inside) = match cell.strip_prefix('_') {
        Some(rest) => (true, rest),
        None => (false, cell.trim_start_matches('^').trim_end_matches('$')),
    };
    let inside = inside.trim_start_matches("\\+").trim_start_matches('+');
    if inside.len() > PATTERN_MAX || !inside.is_ascii() {
        return bad(cell, "is not a pattern of digits", "write the prefixes it stands for");
    }
    let mut walker = Walker { text: inside.as_bytes(), at: 0, asterisk, depth: 0 };
    let written = match walker.alternatives() {
        Some(written) if walker.at == inside.len() && !written.is_empty() => written,
        _ => return bad(cell, "is a pattern that prefixes cannot say", "write the prefixes it stands for"),
    };
    let mut all = Vec::with_capacity(written.len());
    for prefix in written {
        push(cell, &format!("{}{}", country.unwrap_or(""), prefix.digits), &mut all)?;
    }
    all.sort_unstable();
    all.dedup();
    Ok(all)
}

/// Digits so far; open where anything may follow, after which nothing certain can stand.
#[derive(Clone)]
struct Written {
    digits: String,
    open: bool,
}

struct Walker<'a> {
    text: &'a [u8],
    at: usize,
    /// `N`, `Z` and the end sign `.` are Asterisk's.
    asterisk: bool,
    depth: u8,
}

impl Walker<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    /// `a|b|c` up to a closing bracket or the end; none if it cannot be said by prefixes.
    fn alternatives(&mut self) -> Option<Vec<Written>> {
        let mut all = self.sequence()?;
        while self.peek() == Some(b'|') {
            self.at += 1;
            all.extend(self.sequence()?);
        }
        (all.len() <= CELL_MAX).then_some(all)
    }

    fn sequence(&mut self) -> Option<Vec<Written>> {
        let mut all = vec![Written { digits: String::new(), open: false }];
        while let Some(b) = self.peek() {
            if matches!(b, b'|' | b')') {
                break;
            }
            self.at += 1;
            let atom = match b {
                b'0'..=b'9' => Some(vec![char::from(b).to_string()]),
                b'x' | b'X' => None,
                b'N' if self.asterisk => Some((2..10).map(|d| d.to_string()).collect()),
                b'Z' if self.asterisk => Some((1..10).map(|d| d.to_string()).collect()),
                b'.' | b'!' if self.asterisk => {
                    all.iter_mut().for_each(|w| w.open = true);
                    continue;
                }
                b'.' => None,
                b'\\' if self.peek() == Some(b'd') => {
                    self.at += 1;
                    None
                }
                b'[' => Some(self.class()?),
                b'(' => {
                    self.depth += 1;
                    if self.depth > 8 {
                        return None;
                    }
                    if self.text.get(self.at..self.at + 2) == Some(b"?:") {
                        self.at += 2;
                    }
                    let inside = self.alternatives()?;
                    self.depth -= 1;
                    if self.peek() != Some(b')') {
                        return None;
                    }
                    self.at += 1;
                    if matches!(self.peek(), Some(b'*' | b'+' | b'?' | b'{')) {
                        return None;
                    }
                    all = joined(&all, &inside)?;
                    continue;
                }
                _ => return None,
            };
            let any = atom.as_ref().is_none_or(|a| a.len() == 10);
            let atom = atom.unwrap_or_else(|| (0..10).map(|d| d.to_string()).collect());
            let times = match self.peek() {
                Some(b'*') if any => 0..=0,
                Some(b'+') if any => 1..=1,
                Some(b'{') => self.times()?,
                Some(b'*' | b'+' | b'?') => return None,
                _ => {
                    all = joined(&all, &closed(&atom))?;
                    continue;
                }
            };
            if matches!(self.peek(), Some(b'*' | b'+')) {
                self.at += 1;
            }
            if times.start() != times.end() && !any {
                return None;
            }
            // Any digits at the end mean only that something follows: `{7}` would fill a deck.
            let ends = matches!(self.peek(), None | Some(b'|' | b')'));
            if !(any && ends) {
                if times.start() != times.end() || *times.start() == 0 {
                    return None;
                }
                for _ in 0..*times.start() {
                    all = joined(&all, &closed(&atom))?;
                }
            }
            if any && ends {
                all.iter_mut().for_each(|w| w.open = true);
            }
        }
        Some(all)
    }

    /// `0-35]`
    fn class(&mut self) -> Option<Vec<String>> {
        let mut set = Vec::new();
        loop {
            let low = self.peek()?;
            self.at += 1;
            if low == b']' {
                break;
            }
            let digit = |b: u8| b.is_ascii_digit().then(|| b - b'0');
            let low = digit(low)?;
            let high = if self.peek() == Some(b'-') {
                let high = digit(*self.text.get(self.at + 1)?)?;
                self.at += 2;
                high
            } else {
                low
            };
            set.extend((low..=high).map(|d| d.to_string()));
        }
        set.sort();
        set.dedup();
        (!set.is_empty()).then_some(set)
    }

    /// `{3}`, `{4,}`, `{4,6}`
    fn times(&mut self) -> Option<std::ops::RangeInclusive<u8>> {
        let rest = self.text.get(self.at + 1..)?;
        let end = rest.iter().position(|b| *b == b'}')?;
        let inside = std::str::from_utf8(rest.get(..end)?).ok()?;
        self.at += end + 2;
        let (low, high) = inside.split_once(',').unwrap_or((inside, inside));
        let low = low.parse::<u8>().ok()?;
        let high = if high.is_empty() { u8::MAX } else { high.parse::<u8>().ok()? };
        (low <= high).then_some(low..=high)
    }
}

fn closed(atom: &[String]) -> Vec<Written> {
    atom.iter().map(|digits| Written { digits: digits.clone(), open: false }).collect()
}

/// Each of the first followed by each of the second; none where something would follow an open end, or too many.
fn joined(all: &[Written], next: &[Written]) -> Option<Vec<Written>> {
    if all.len() * next.len() > CELL_MAX || all.iter().any(|w| w.open) {
        return None;
    }
    let pair = |w: &Written, n: &Written| Written { digits: format!("{}{}", w.digits, n.digits), open: n.open };
    Some(all.iter().flat_map(|w| next.iter().map(move |n| pair(w, n))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(cell: &str, country: Option<&str>) -> String {
        let international = ["00".to_owned()];
        match read(cell, country, &Style { international: &international }) {
            Ok(all) if all.len() > 12 => format!("{} from {} to {}", all.len(), all[0], all[all.len() - 1]),
            Ok(all) => all.iter().map(|n| n.to_string()).collect::<Vec<_>>().join(" "),
            Err((why, _)) => format!("!{}", why.trim_start_matches(&format!("{:?} ", cell.trim()))),
        }
    }

    #[test]
    fn codes_of_many_hands() {
        for (cell, expected) in [
            ("4930", "4930"),
            ("+49 30", "4930"),
            ("0049 30", "4930"),
            ("49 30", "4930"),
            ("43 431", "!may be one code or several"),
            ("43, 431", "43 431"),
            ("1242, 1246, 1264", "1242 1246 1264"),
            ("4470;4471;", "4470 4471"),
            ("4470-4473", "4470 4471 4472 4473"),
            ("44700-3", "44700 44701 44702 44703"),
            ("1-829", "1829"),
            ("+1-829", "1829"),
            ("(+1-829,1809,1849)", "1829 1809 1849"),
            ("+1-829, 809", "1829 1809"),
            ("+1 (829)", "1829"),
            ("43-664", "43664"),
            ("590-690", "!may be a range of calling codes or an area code behind its calling code"),
            ("1XXX310", "1000 from 1000310 to 1999310"),
            ("1201XXXXXXX", "1201"),
            ("49*", "49"),
            ("^9375.*", "9375"),
            ("^9375", "9375"),
            ("^(1242|1246).*$", "1242 1246"),
            ("^93(70|7[12])[0-9]*", "9370 9371 9372"),
            ("^1\\d{3}310", "1000 from 1000310 to 1999310"),
            ("^49\\d{7,}$", "49"),
            ("_1NXX555.", "800 from 1200555 to 1999555"),
            ("44[2-4]", "442 443 444"),
            ("^49.*30", "!is a pattern that prefixes cannot say"),
            ("^49(30)?", "!is a pattern that prefixes cannot say"),
            ("^XXXXX9", "!is a pattern that prefixes cannot say"),
            ("4.95E+12", "!was made a rounded number by a spreadsheet"),
            ("4,95E12", "!was made a rounded number by a spreadsheet"),
            ("1000-99999", "!is a range with ends of different length"),
            ("4479-4470", "!is a range that ends before it begins"),
            ("100000-199999", "!stands for more than 10000 prefixes"),
            ("030", "!begins with 0"),
            ("Germany", "!is not a code"),
            ("", "!holds no code"),
            ("1234567890123456", "!has more than 15 digits"),
        ] {
            assert_eq!(shown(cell, None), expected, "{cell:?}");
        }
    }

    #[test]
    fn a_country_s_column_stands_in_front() {
        for (country, cell, expected) in [
            ("44", "20", "4420"),
            ("44", "20, 161", "4420 44161"),
            ("44", "7400-7402", "447400 447401 447402"),
            ("39", "06698", "3906698"),
            ("1", "829-831", "1829 1830 1831"),
            ("93", "^7[05].*", "9370 9375"),
        ] {
            assert_eq!(shown(cell, Some(country)), expected, "{country} {cell:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_or_refused(cell in "[0-9xX^.*+\\[\\](){}|,;\\-_ NZ\\\\dé]{0,40}") {
            let all = read(&cell, None, &Style { international: &[] }).unwrap_or_default();
            proptest::prop_assert!(all.iter().all(|n| n.len() <= NUMBER_MAX));
        }
    }
}
