use super::*;

fn rule(mode: StepMode, initial: u32, increment: u32) -> StepRule {
    StepRule { mode, initial, increment, minimum: 0, free_below: Micros(0) }
}

fn micros(seconds: &str) -> Micros {
    let (whole, part) = seconds.split_once('.').unwrap_or((seconds, ""));
    let part: String = part.chars().chain("000000".chars()).take(6).collect();
    Micros(whole.parse::<i64>().unwrap() * 1_000_000 + part.parse::<i64>().unwrap())
}

/// Rule R13, line by line.
#[test]
fn r13_steps() {
    use StepMode::{Nearest, Up};
    let minute = rule(Up, 60, 60);
    let brazil = StepRule { minimum: 30, ..rule(Up, 30, 6) };
    let forgiving = StepRule { free_below: Micros::seconds(3), ..brazil };
    let nearest = rule(Nearest, 60, 60);
    for (rule, talk, expected) in [
        (minute, "0", 0),
        (minute, "0.000001", 60),
        (minute, "60", 60),
        (minute, "60.001", 120),
        (minute, "60.000001", 120),
        (minute, "86400", 86_400),
        (rule(Up, 90, 60), "90", 90),
        (rule(Up, 90, 60), "91", 150),
        (rule(Up, 90, 60), "150.1", 210),
        (rule(Up, 20, 6), "21", 26),
        (rule(Up, 60, 45), "61", 105),
        (rule(Up, 60, 1), "61.2", 62),
        (rule(Up, 1, 1), "0.2", 1),
        (rule(Up, 6, 6), "6.1", 12),
        (brazil, "10", 30),
        (brazil, "30", 30),
        (brazil, "30.001", 36),
        (brazil, "31", 36),
        (brazil, "36", 36),
        (brazil, "36.001", 42),
        // The threshold is compared with the talk time as it is, and a call of exactly three seconds is billed.
        (forgiving, "2.999", 0),
        (forgiving, "3", 30),
        (forgiving, "3.001", 30),
        (nearest, "29.999999", 0),
        (nearest, "30", 60),
        (nearest, "89.9", 60),
        (nearest, "90", 120),
        (rule(Nearest, 1, 1), "1.499999", 1),
        (rule(Nearest, 1, 1), "1.5", 2),
        (StepRule { minimum: 45, ..nearest }, "10", 45),
        (StepRule { minimum: 45, ..nearest }, "0", 0),
        (StepRule { minimum: 100, ..minute }, "61", 120),
        (StepRule { minimum: 100, ..minute }, "59", 100),
    ] {
        assert_eq!(billable_seconds(&rule, micros(talk)), expected, "{talk} s by {rule:?}");
    }
}

/// Whatever a damaged rule says, it neither divides by zero nor overflows.
#[test]
fn no_rule_stops_the_program() {
    for mode in [StepMode::Up, StepMode::Nearest] {
        for initial in [0, 1, u32::MAX] {
            for increment in [0, 1, u32::MAX] {
                for talk in [i64::MIN, -1, 0, 1, i64::MAX] {
                    billable_seconds(&rule(mode, initial, increment), Micros(talk));
                }
            }
        }
    }
}
