//! Some lines of totals in few bytes: how far each number lies above the lowest of its column, in decimal digits, as many
//! for every line as the farthest takes. Half of what the same is as JSON, and any SQL tool can read it:
//! `lowest + step * CAST(substr(lines, place, width) AS INTEGER)`, as the view `usage_recent_lines` does.
//!
//! Does not know what the numbers mean.

use serde::{Deserialize, Serialize};

/// How the digits are to be read: for each column its lowest number, what a difference of one means, where its digits begin
/// in a line and how many there are. It stands beside them as JSON.
#[derive(Serialize, Deserialize, Debug, PartialEq, Eq)]
struct Shape {
    count: usize,
    /// Digits of a line.
    stride: usize,
    lowest: Vec<i64>,
    step: Vec<i64>,
    at: Vec<usize>,
    width: Vec<usize>,
}

/// Packs lines, one behind the other in `values`, of as many columns as there are lists of steps: a step is tried in order
/// and taken where it divides every distance of its column. Appends the digits and gives the shape; none where numbers lie
/// too far apart.
pub fn pack(values: &[i64], steps: &[&[i64]], digits: &mut Vec<u8>) -> Option<String> {
    let columns = steps.len();
    let lines = values.chunks_exact(columns.max(1));
    let empty = Shape { count: lines.len(), stride: 0, lowest: vec![], step: vec![], at: vec![], width: vec![] };
    let mut shape = empty;
    for (place, steps) in steps.iter().enumerate() {
        let column = || values.iter().skip(place).step_by(columns).copied();
        let (lowest, highest) = (column().min().unwrap_or(0), column().max().unwrap_or(0));
        let range = highest.checked_sub(lowest)?;
        let divides = |step: &&i64| column().all(|value| (value - lowest) % **step == 0);
        let step = if range == 0 { 1 } else { steps.iter().find(divides).copied().unwrap_or(1) };
        let width = (range / step).checked_ilog10().map_or(0, |log| log as usize + 1);
        shape.lowest.push(lowest);
        shape.step.push(step);
        shape.at.push(shape.stride);
        shape.width.push(width);
        shape.stride += width;
    }
    digits.reserve(shape.count * shape.stride);
    // Only columns in which lines differ.
    let differing: Vec<(usize, i64, u64, usize)> = (0..columns)
        .map(|place| (place, shape.lowest[place], shape.step[place] as u64, shape.width[place]))
        .filter(|column| column.3 > 0)
        .collect();
    for line in lines {
        for (place, lowest, step, width) in &differing {
            let mut number = (line[*place] - lowest) as u64 / step;
            let at = digits.len();
            digits.resize(at + width, b'0');
            for digit in digits[at..].iter_mut().rev() {
                *digit += (number % 10) as u8;
                number /= 10;
            }
        }
    }
    serde_json::to_string(&shape).ok()
}

/// Takes lines of so many columns apart. None where these are no such lines.
pub fn unpack(shape: &str, digits: &[u8], columns: usize, mut take: impl FnMut(&[i64]) -> Option<()>) -> Option<()> {
    let Shape { count, stride, lowest, step, at, width } = serde_json::from_str(shape).ok()?;
    if [lowest.len(), step.len(), at.len(), width.len()] != [columns; 4] || count.checked_mul(stride)? != digits.len() {
        return None;
    }
    let mut line = vec![0; columns];
    for n in 0..count {
        let own = digits.get(n * stride..(n + 1) * stride)?;
        for (place, value) in line.iter_mut().enumerate() {
            let digits = own.get(at[place]..at[place].checked_add(width[place])?)?;
            let number = digits.iter().try_fold(0_i64, |number, digit| {
                let digit = digit.checked_sub(b'0').filter(|digit| *digit < 10)?;
                number.checked_mul(10)?.checked_add(i64::from(digit))
            })?;
            *value = step[place].checked_mul(number)?.checked_add(lowest[place])?;
        }
        take(&line)?;
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn unpacked(shape: &str, digits: &[u8], columns: usize) -> Option<Vec<i64>> {
        let mut values = Vec::new();
        unpack(shape, digits, columns, |line| {
            values.extend_from_slice(line);
            Some(())
        })?;
        Some(values)
    }

    #[test]
    fn digits_of_lines() {
        // lines of one column, steps, digits
        for (values, steps, expected) in [
            (&[7_i64, 7, 7][..], &[][..], ""),
            (&[3, 12, 13], &[], "000910"),
            (&[0, 256], &[2], "000128"),
            (&[5, 60_005, 120_005], &[1000, 60], "000060120"),
            (&[5, 60_005, 120_006], &[1000, 60], "000000060000120001"),
            (&[-1, 0], &[], "01"),
            (&[], &[], ""),
            (&[i64::MIN, -1], &[], "00000000000000000009223372036854775807"),
        ] {
            let mut digits = Vec::new();
            let shape = pack(values, &[steps], &mut digits).unwrap();
            assert_eq!(String::from_utf8_lossy(&digits), expected, "{values:?}");
            assert_eq!(unpacked(&shape, &digits, 1).as_deref(), Some(values));
        }
        assert_eq!(pack(&[i64::MIN, i64::MAX], &[&[]], &mut Vec::new()), None);
    }

    proptest! {
        #[test]
        fn any_lines_come_back(lines in proptest::collection::vec(any::<[i64; 3]>(), 0..40), shift in 1..60_u32) {
            let values: Vec<i64> = lines.iter().flatten().map(|value| value >> shift).collect();
            let mut digits = Vec::new();
            let shape = pack(&values, &[&[60], &[], &[1_000_000, 1000]], &mut digits).unwrap();
            prop_assert_eq!(unpacked(&shape, &digits, 3), Some(values));
        }

        #[test]
        fn any_text_is_unpacked_or_refused(
            count in 0..4_usize, stride in 0..9_usize, step in any::<i64>(), at in any::<usize>(), width in any::<usize>(),
            digits in "[0-9 ]{0,16}",
        ) {
            let shape = Shape { count, stride, lowest: vec![-1], step: vec![step], at: vec![at % 4], width: vec![width % 8] };
            let _ = unpacked(&serde_json::to_string(&shape).unwrap(), digits.as_bytes(), 1);
            let _ = unpacked(&digits, digits.as_bytes(), 1);
        }
    }
}
