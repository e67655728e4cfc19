//! A decimal number without a float: what a check holds samples against.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A number in billionths: equal numbers are equal, however they were written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Decimal(i128);

/// Digits before the point.
const WHOLE: usize = 18;
/// Digits after it.
const PLACES: usize = 9;
/// 1 in billionths.
const ONE: i128 = 1_000_000_000;

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let (whole, part) = (self.0.abs() / ONE, self.0.abs() % ONE);
        write!(f, "{sign}{whole}")?;
        if part == 0 {
            return Ok(());
        }
        let places = format!("{part:09}");
        write!(f, ".{}", places.trim_end_matches('0'))
    }
}

impl From<Decimal> for String {
    fn from(number: Decimal) -> Self {
        number.to_string()
    }
}

impl TryFrom<String> for Decimal {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let wrong = || {
            format!(
                "`{text}` is not a number with up to {WHOLE} digits before the point and {PLACES} after it"
            )
        };
        let (negative, digits) =
            text.strip_prefix('-').map_or((false, &*text), |rest| (true, rest));
        let (whole, part) = digits.split_once('.').unwrap_or((digits, "0"));
        let sound = |digits: &str, most: usize| {
            (1..=most).contains(&digits.len()) && digits.bytes().all(|c| c.is_ascii_digit())
        };
        if !sound(whole, WHOLE) || !sound(part, PLACES) {
            return Err(wrong());
        }
        let whole: i128 = whole.parse().map_err(|_| wrong())?;
        let part: i128 = format!("{part:0<9}").parse().map_err(|_| wrong())?;
        let number = whole * ONE + part;
        Ok(Self(if negative { -number } else { number }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimal(text: &str) -> Result<Decimal, String> {
        Decimal::try_from(text.to_owned())
    }

    #[test]
    fn numbers_are_kept_to_the_last_digit_and_compared() {
        for (text, shown) in [
            ("0", "0"),
            ("-0.0", "0"),
            ("0.95", "0.95"),
            ("007.10", "7.1"),
            ("-0.000000001", "-0.000000001"),
            ("999999999999999999.999999999", "999999999999999999.999999999"),
        ] {
            let number = decimal(text).expect("a number");
            assert_eq!(number.to_string(), shown);
            assert_eq!(decimal(shown), Ok(number));
        }
        assert_eq!(decimal("0.5"), decimal("0.500"));
        assert!(decimal("-2") < decimal("-1.5") && decimal("0.05") < decimal("0.5"));
    }

    #[test]
    fn what_is_no_number_or_too_long_is_refused() {
        let long = "1".repeat(WHOLE + 1);
        let fine = "0.".to_owned() + &"1".repeat(PLACES + 1);
        let bad =
            ["", "-", ".5", "5.", "+1", "1e3", "0x1", "nan", "inf", "1 ", "1_000", &long, &fine];
        for text in bad {
            assert!(decimal(text).is_err(), "{text}");
        }
    }
}
