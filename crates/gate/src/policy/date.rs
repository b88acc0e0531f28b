//! Days of the calendar: until when an entry of a policy holds.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

/// A day, in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Date {
    /// The year.
    pub year: u16,
    /// The month, from 1 on.
    pub month: u8,
    /// The day of the month, from 1 on.
    pub day: u8,
}

impl Date {
    /// The day that it is now. A clock that stands before 1970 gives the last day there is, on which every entry
    /// with an `until` has expired.
    pub fn today() -> Self {
        match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => Self::of_days(since.as_secs() / 86_400),
            Err(_) => Self {
                year: u16::MAX,
                month: 12,
                day: 31,
            },
        }
    }

    /// The day that is so many days after 1970-01-01.
    #[expect(
        clippy::arithmetic_side_effects,
        reason = "days of the clock: at most 2^64 / 86,400, and no number of a file"
    )]
    fn of_days(days: u64) -> Self {
        // Years that start in March, in runs of 400: 146,097 days each.
        let shifted = days + 719_468;
        let (era, of_era) = (shifted / 146_097, shifted % 146_097);
        let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year + year / 4 - year / 100);
        let march = (5 * of_year + 2) / 153;
        let day = of_year - (153 * march + 2) / 5 + 1;
        let month = if march < 10 { march + 3 } else { march - 9 };
        let year = year + era * 400 + u64::from(month <= 2);
        Self {
            year: u16::try_from(year).unwrap_or(u16::MAX),
            month: u8::try_from(month).unwrap_or(12),
            day: u8::try_from(day).unwrap_or(31),
        }
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_those_of_the_calendar() {
        for (days, text) in [
            (0, "1970-01-01"),
            (59, "1970-03-01"),
            (11_016, "2000-02-29"),
            (11_017, "2000-03-01"),
            (20_787, "2026-11-30"),
            (47_540, "2100-02-28"),
            (47_541, "2100-03-01"),
        ] {
            assert_eq!(Date::of_days(days).to_string(), text);
        }
        assert!(Date::today() > Date::of_days(20_000));
    }
}
