//! The small language of `countries.toml`: patterns of digits, and rules that turn what was dialled into a national
//! number. No regular expressions: a pattern is a row of digit sets, so that a call costs a few comparisons.
//!
//! A digit is itself, `[14-6]` one of a class, `x` any digit; at the end `x{4}` or `x{4,6}` so many digits, `*` any
//! number of them. In a rule, what stands in `( )` is kept, the rest is dropped; `<name>` is one of a list of the
//! territory.
//!
//! Does not know countries, calling codes, or which rule comes first.

use super::Number;

/// Most digits a pattern spells out; the longest in the metadata has 12.
const FIXED_MAX: usize = 16;
/// Most digits a national number has: E.164's 15 less a calling code, and some to spare for what is refused later.
pub(super) const NATIONAL_MAX: usize = 20;

/// A row of digit sets, and how many further digits may follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pattern {
    /// Bit d set: digit d allowed here.
    sets: [u16; FIXED_MAX],
    length: u8,
    more_min: u8,
    more_max: u8,
    /// The digits that are spelled out, as a packed number has them, and the places where they stand.
    spelled: u64,
    spelled_places: u64,
    /// Whether there is a class or an `x` beside them.
    has_classes: bool,
}

impl Pattern {
    /// Reads a pattern; the error says what is wrong with it.
    pub fn parse(text: &str) -> Result<Pattern, String> {
        let mut pattern = Pattern {
            sets: [0; FIXED_MAX],
            length: 0,
            more_min: 0,
            more_max: 0,
            spelled: 0,
            spelled_places: 0,
            has_classes: false,
        };
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            if pattern.more_max > 0 {
                return Err(format!("`{text}`: nothing may follow `*` or `x{{…}}`"));
            }
            rest = &rest[c.len_utf8()..];
            let set = match c {
                ' ' => continue,
                '0'..='9' => 1 << (c as u8 - b'0'),
                'x' => match rest.strip_prefix('{') {
                    None => 0x3FF,
                    Some(counted) => {
                        let (count, after) = counted.split_once('}').ok_or(format!("`{text}`: `{{` without `}}`"))?;
                        let (min, max) = count.split_once(',').unwrap_or((count, count));
                        let number = |n: &str| n.trim().parse::<u8>().ok().filter(|n| *n <= 16);
                        match (number(min), number(max)) {
                            (Some(min), Some(max)) if min <= max && max > 0 => {
                                (pattern.more_min, pattern.more_max) = (min, max);
                            }
                            _ => return Err(format!("`{text}`: `{{{count}}}` is no count; write x{{4}} or x{{4,6}}")),
                        }
                        rest = after;
                        continue;
                    }
                },
                '*' => {
                    pattern.more_max = NATIONAL_MAX as u8;
                    continue;
                }
                '[' => {
                    let (class, after) = rest.split_once(']').ok_or(format!("`{text}`: `[` without `]`"))?;
                    rest = after;
                    digit_set(class).ok_or(format!("`[{class}]` is no class of digits; write [14-6]"))?
                }
                other => return Err(format!("`{text}`: `{other}` means nothing here")),
            };
            let place = usize::from(pattern.length);
            *pattern.sets.get_mut(place).ok_or(format!("`{text}` has more than {FIXED_MAX} digits"))? = set;
            pattern.length += 1;
            let shift = 60 - 4 * place;
            if set.is_power_of_two() {
                pattern.spelled |= u64::from(set.trailing_zeros()) << shift;
                pattern.spelled_places |= 0xF << shift;
            }
            pattern.has_classes |= !set.is_power_of_two();
        }
        Ok(pattern)
    }

    /// How many digits the pattern takes off the front, if it fits there. What may follow is not looked at.
    pub fn front(&self, digits: &[u8]) -> Option<usize> {
        let sets = self.sets.get(..usize::from(self.length))?;
        let front = digits.get(..sets.len())?;
        let fits = sets.iter().zip(front).all(|(set, b)| {
            let digit = b.wrapping_sub(b'0');
            digit < 10 && set >> digit & 1 == 1
        });
        fits.then_some(sets.len())
    }

    /// [`Pattern::front`] of digits that are packed.
    #[inline]
    pub fn front_of(&self, number: Number) -> Option<usize> {
        let fits = number.0 & self.spelled_places == self.spelled && (!self.has_classes || self.classes_hold(number));
        fits.then_some(usize::from(self.length))
    }

    fn classes_hold(&self, number: Number) -> bool {
        let sets = self.sets.iter().take(usize::from(self.length));
        sets.enumerate().all(|(i, set)| number.digit(i).is_some_and(|digit| set >> digit & 1 == 1))
    }

    /// Whether the pattern is all of this.
    pub fn whole(&self, digits: &[u8]) -> bool {
        self.lengths().contains(&digits.len()) && self.front(digits).is_some()
    }

    /// How long a text of this pattern is.
    pub fn lengths(&self) -> std::ops::RangeInclusive<usize> {
        let length = usize::from(self.length);
        length + usize::from(self.more_min)..=length + usize::from(self.more_max)
    }

    /// The digits with which a text of this pattern begins.
    pub fn first_digits(&self) -> u16 {
        if self.length > 0 { self.sets[0] } else { 0x3FF }
    }

    /// Whether the pattern fixes no digit and takes none.
    fn is_empty(&self) -> bool {
        self.length == 0 && self.more_max == 0
    }
}

fn digit_set(class: &str) -> Option<u16> {
    let mut set = 0u16;
    let mut bytes = class.bytes().peekable();
    while let Some(low) = bytes.next() {
        let mut high = low;
        if bytes.peek() == Some(&b'-') {
            bytes.next();
            high = bytes.next()?;
        }
        if !low.is_ascii_digit() || !high.is_ascii_digit() || low > high {
            return None;
        }
        for digit in low - b'0'..=high - b'0' {
            set |= 1 << digit;
        }
    }
    (set != 0).then_some(set)
}

/// A few digits on the stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Digits {
    bytes: [u8; NATIONAL_MAX],
    length: u8,
}

impl Digits {
    /// Copies digits; none if there are too many.
    pub fn from(digits: &[u8]) -> Option<Digits> {
        let mut copy = Digits { bytes: [0; NATIONAL_MAX], length: 0 };
        copy.append(digits).then_some(copy)
    }

    /// Appends; false, and unchanged, if there is no room.
    pub fn append(&mut self, digits: &[u8]) -> bool {
        let start = usize::from(self.length);
        let Some(place) = self.bytes.get_mut(start..start + digits.len()) else { return false };
        place.copy_from_slice(digits);
        self.length += digits.len() as u8;
        true
    }

    pub fn as_slice(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }
}

#[derive(Clone, Copy, Debug)]
struct Part {
    what: What,
    keep: bool,
}

#[derive(Clone, Copy, Debug)]
enum What {
    Pattern(Pattern),
    /// Index of a list of the territory.
    List(usize),
}

/// A dialled form and what is kept of it.
#[derive(Clone, Debug)]
pub(super) struct Rule {
    parts: Vec<Part>,
    put: Digits,
    /// Digits of the result, where the rule says so.
    length: Option<u8>,
    /// Digits dropped, where that does not depend on a list: tells without looking that a rule cannot fit.
    dropped: Option<usize>,
}

impl Rule {
    /// Reads a rule; `length` is that of the result, `lists` are the names of the territory's lists.
    pub fn parse(dialled: &str, put: &str, length: Option<u8>, lists: &[&str]) -> Result<Rule, String> {
        let put_digits = put.bytes().all(|b| b.is_ascii_digit()).then(|| Digits::from(put.as_bytes())).flatten();
        let put = put_digits.ok_or(format!("`put = \"{put}\"` is not a few digits"))?;
        let mut rule = Rule { parts: Vec::new(), put, length, dropped: Some(0) };
        let (mut rest, mut keep) = (dialled, false);
        while !rest.is_empty() {
            let end = rest.find(['(', ')', '<', '>']).unwrap_or(rest.len());
            let pattern = Pattern::parse(&rest[..end])?;
            if !pattern.is_empty() {
                rule.parts.push(Part { what: What::Pattern(pattern), keep });
            }
            rest = &rest[end..];
            match rest.as_bytes().first() {
                Some(b'(') if !keep => keep = true,
                Some(b')') if keep => keep = false,
                Some(b'<') => {
                    let (name, _) = rest[1..].split_once('>').ok_or(format!("`{dialled}`: `<` without `>`"))?;
                    let list = lists.iter().position(|l| *l == name);
                    let list = list.ok_or(format!("`{dialled}`: the territory has no list `{name}`"))?;
                    rule.parts.push(Part { what: What::List(list), keep });
                    rest = &rest[name.len() + 1..];
                }
                None => break,
                Some(_) => return Err(format!("`{dialled}`: brackets do not match")),
            }
            rest = &rest[1..];
        }
        let counted = rule.parts.iter().position(|p| matches!(p.what, What::Pattern(p) if p.more_max > 0));
        if keep || counted.is_some_and(|at| at + 1 < rule.parts.len()) {
            return Err(format!("`{dialled}`: brackets do not match, or something follows `*` or `x{{…}}`"));
        }
        if !rule.parts.iter().any(|p| p.keep) {
            return Err(format!("`{dialled}` keeps nothing; put what is the number in ( )"));
        }
        rule.dropped = rule.parts.iter().filter(|p| !p.keep).try_fold(0, |sum, part| match part.what {
            What::Pattern(pattern) if pattern.lengths().count() == 1 => Some(sum + pattern.lengths().start()),
            _ => None,
        });
        Ok(rule)
    }

    /// What the rule makes of these digits, if it fits all of them and `fits` likes the result.
    pub fn apply(&self, digits: &[u8], lists: &[Vec<Pattern>], fits: &impl Fn(&[u8]) -> bool) -> Option<Digits> {
        if let (Some(length), Some(dropped)) = (self.length, self.dropped)
            && digits.len() + usize::from(self.put.length) != usize::from(length) + dropped
        {
            return None;
        }
        let fits = |result: &[u8]| self.length.is_none_or(|n| usize::from(n) == result.len()) && fits(result);
        walk(&self.parts, digits, self.put, lists, &fits)
    }
}

/// Tries the alternatives of lists in their order; as deep as a rule has parts.
fn walk(
    parts: &[Part],
    digits: &[u8],
    kept: Digits,
    lists: &[Vec<Pattern>],
    fits: &impl Fn(&[u8]) -> bool,
) -> Option<Digits> {
    let Some((part, parts)) = parts.split_first() else {
        return (digits.is_empty() && fits(kept.as_slice())).then_some(kept);
    };
    let take = |n: usize| {
        let (front, rest) = (digits.get(..n)?, digits.get(n..)?);
        let mut kept = kept;
        (!part.keep || kept.append(front)).then_some(())?;
        walk(parts, rest, kept, lists, fits)
    };
    match part.what {
        // Only the last part of a rule has a count, so it takes all that is left.
        What::Pattern(pattern) if pattern.more_max > 0 => pattern.whole(digits).then(|| take(digits.len())).flatten(),
        What::Pattern(pattern) => take(pattern.front(digits)?),
        What::List(list) => lists.get(list)?.iter().find_map(|p| take(p.front(digits)?)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        // (pattern, digits, how many it takes off the front, whether it is all of it)
        let table: &[(&str, &str, Option<usize>, bool)] = &[
            ("00", "0049", Some(2), false),
            ("00", "00", Some(2), true),
            ("00", "0", None, false),
            ("118xx", "11833", Some(5), true),
            ("118xx", "1183", None, false),
            ("001[14-689]", "0011", Some(4), true),
            ("001[14-689]", "0015", Some(4), true),
            ("001[14-689]", "0013", None, false),
            ("90x{8,16}", "9012345678", Some(2), true),
            ("90x{8,16}", "901234567", Some(2), false),
            ("118*", "118", Some(3), true),
            ("118*", "118999", Some(3), true),
            ("x{3}", "123", Some(0), true),
            ("x{3}", "1234", Some(0), false),
            ("12", "1*", None, false),
            ("12", "1", None, false),
            ("1[23]", "1", None, false),
            ("x", "", None, false),
            ("1234567890123456", "1234567890123456", Some(16), true),
        ];
        for (pattern, digits, front, whole) in table {
            let p = Pattern::parse(pattern).unwrap();
            assert_eq!(p.front(digits.as_bytes()), *front, "{pattern} in front of {digits}");
            assert_eq!(p.whole(digits.as_bytes()), *whole, "{pattern} as all of {digits}");
            if let Some(number) = Number::from_digits(digits.as_bytes()) {
                assert_eq!(p.front_of(number), *front, "{pattern} in front of {digits}, packed");
            }
        }
    }

    #[test]
    fn refused_patterns() {
        let refused =
            ["0a", "[", "[]", "[9-1]", "[a]", "x{", "x{0}", "x{5,4}", "x{99}", "*1", "x{2}1", "12345678901234567", "é"];
        for text in refused {
            assert!(Pattern::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn rules() {
        let areas: Vec<Pattern> = ["351", "35", "11"].iter().map(|p| Pattern::parse(p).unwrap()).collect();
        let lists = [areas];
        // (rule, put in front, dialled, length of the result, result)
        let table: &[(&str, &str, &str, usize, Option<&str>)] = &[
            ("0(*)", "", "030123456", 8, Some("30123456")),
            ("0(*)", "", "30123456", 8, None),
            ("0(<area>)15(*)", "9", "0111523456789", 11, Some("91123456789")),
            ("0(<area>)15(*)", "9", "0351152345678", 11, Some("93512345678")),
            // The longer area leads nowhere, the shorter one does.
            ("(<area>)1(*)", "", "351923", 5, Some("35923")),
            ("(<area>)1(*)", "", "351923", 6, None),
            ("(<area>)(*)", "", "351123", 6, Some("351123")),
            ("([25-9]x{5})", "1481", "720123", 10, Some("1481720123")),
            ("([25-9]x{5})", "1481", "120123", 10, None),
            ("0<area>(x{3,4})", "", "011123", 3, Some("123")),
            ("0<area>(x{3,4})", "", "01112345", 5, None),
        ];
        for (rule, put, dialled, length, expected) in table {
            let r = Rule::parse(rule, put, None, &["area"]).unwrap();
            let got = r.apply(dialled.as_bytes(), &lists, &|d| d.len() == *length);
            let got = got.as_ref().map(|d| std::str::from_utf8(d.as_slice()).unwrap());
            assert_eq!(got, *expected, "{rule} on {dialled}");
        }
    }

    #[test]
    fn refused_rules() {
        for (rule, put) in [
            ("0", ""),
            ("0(*", ""),
            ("0*)", ""),
            ("((*))", ""),
            ("(*)1", ""),
            ("(<none>)", ""),
            ("(<area)", ""),
            ("(*)", "9a"),
            ("0>(*)", ""),
        ] {
            assert!(Rule::parse(rule, put, None, &["area"]).is_err(), "{rule} put {put}");
        }
    }
}
