//! The date that a chat template may ask for.

use chrono::{NaiveDate, NaiveTime};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt::Write;
use std::str::FromStr;

/// A day, as YYYY-MM-DD: what templates that call `strftime_now` are told. It is a setting, since what a model reads must
/// not depend on the day on which it reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
pub struct ChatDate(NaiveDate);

impl ChatDate {
    /// The beginning of the day in a format of strftime.
    ///
    /// # Errors
    /// The format, where strftime has none like it.
    pub(super) fn format(self, format: &str) -> Result<String, String> {
        let mut text = String::new();
        let midnight = self.0.and_time(NaiveTime::MIN);
        match write!(text, "{}", midnight.format(format)) {
            Ok(()) => Ok(text),
            Err(_) => Err(format!("`{format}` is no format of a date")),
        }
    }
}

impl FromStr for ChatDate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let date = NaiveDate::parse_from_str(text, "%Y-%m-%d");
        date.map(Self).map_err(|_| format!("`{text}` is no date; expected YYYY-MM-DD"))
    }
}

impl TryFrom<String> for ChatDate {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<ChatDate> for String {
    fn from(date: ChatDate) -> Self {
        date.0.format("%Y-%m-%d").to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_read_and_written_as_templates_ask() {
        let date: ChatDate = "2026-03-04".parse().unwrap();
        assert_eq!(date.format("%d %B %Y").unwrap(), "04 March 2026");
        assert_eq!(date.format("%Y-%m-%d %H:%M").unwrap(), "2026-03-04 00:00");
        assert!(date.format("%Q").is_err());
        assert_eq!(String::from(date), "2026-03-04");
        for text in ["04.03.2026", "2026-13-01", "today", ""] {
            assert!(text.parse::<ChatDate>().unwrap_err().contains("YYYY-MM-DD"), "{text}");
        }
    }
}
