//! Seconds written as a decimal.
//!
//! Does not know which field they stand in.

/// A decimal number of seconds as microseconds, exactly; digits beyond are cut (R2). Says too whether it was written
/// without point and exponent.
#[inline]
pub(in crate::wire) fn micros(text: &[u8]) -> Option<(i64, bool)> {
    let (negative, digits) = match text.split_first()? {
        (b'-', rest) => (true, rest),
        _ => (false, text),
    };
    let mut value: i64 = 0;
    let mut i = 0;
    while let Some(digit) = digits.get(i).map(|b| b.wrapping_sub(b'0')).filter(|d| *d < 10) {
        value = value.checked_mul(10)?.checked_add(i64::from(digit))?;
        i += 1;
    }
    let whole_digits = i;
    let mut part = 0;
    if digits.get(i) == Some(&b'.') {
        i += 1;
        let mut scale = 100_000;
        while let Some(digit) = digits.get(i).map(|b| b.wrapping_sub(b'0')).filter(|d| *d < 10) {
            part += i64::from(digit) * scale;
            scale /= 10;
            i += 1;
        }
        if whole_digits == 0 && i == 1 {
            return None;
        }
    } else if whole_digits == 0 {
        return None;
    }
    if i < digits.len() {
        return micros_with_exponent(negative, digits).map(|value| (value, false));
    }
    let micros = value.checked_mul(1_000_000)?.checked_add(part)?;
    Some((if negative { -micros } else { micros }, i == whole_digits))
}

/// The rare form `1.5e9`; as exact as the plain one.
#[cold]
fn micros_with_exponent(negative: bool, digits: &[u8]) -> Option<i64> {
    let e = digits.iter().position(|b| matches!(b, b'e' | b'E'))?;
    let exponent: i32 = std::str::from_utf8(digits.get(e + 1..)?).ok()?.parse().ok()?;
    let mantissa = digits.get(..e)?;
    let mut value: u128 = 0;
    let mut decimals: i32 = 0;
    let mut after_point = false;
    for b in mantissa {
        match b {
            b'.' if !after_point => after_point = true,
            b'0'..=b'9' => {
                decimals += i32::from(after_point);
                value = value.checked_mul(10)?.checked_add(u128::from(b - b'0'))?;
            }
            _ => return None,
        }
    }
    let shift = exponent.checked_add(6)?.checked_sub(decimals)?;
    let micros = match (shift, value) {
        (_, 0) => 0,
        (0.., _) => value.checked_mul(10u128.checked_pow(shift.unsigned_abs())?)?,
        // A power of ten that no u128 holds cuts everything.
        (_, _) => 10u128.checked_pow(shift.unsigned_abs()).map_or(0, |divisor| value / divisor),
    };
    let micros = i64::try_from(micros).ok()?;
    Some(if negative { -micros } else { micros })
}
