//! A limit as written in a scenario: `STATISTIC OP NUMBER [UNIT]`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::suggest::did_you_mean;
use crate::units::{Unit, bytes_in, number_and_unit};

/// The value that is computed from a metric and compared with a bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Statistic {
    /// Robust growth per minute, with an interval.
    GrowthPerMin,
    /// Simple rate: (last - baseline) / minutes.
    EndpointPerMin,
    /// Net growth over the run.
    Growth,
    /// Growth for each rotation of a stream.
    PerRotation,
    /// Smallest value.
    Min,
    /// Largest value.
    Max,
    /// Arithmetic mean.
    Mean,
    /// Last value.
    Last,
    /// Increase of a counter, with resets taken into account.
    Increase,
    /// Increase of a counter per minute.
    RatePerMin,
    /// Level after the load was removed, minus the level before it started.
    Drained,
    /// Lines never delivered (`lines` only).
    Lost,
    /// Lines delivered more than once (`lines` only).
    Duplicated,
    /// Lines out of order (`lines` only).
    Reordered,
    /// Lines with changed or missing bytes (`lines` only).
    Torn,
    /// Lines delivered (`lines` only).
    Delivered,
}

/// All statistics with their names in a scenario.
pub const STATISTICS: [(&str, Statistic); 16] = [
    ("growth_per_min", Statistic::GrowthPerMin),
    ("endpoint_per_min", Statistic::EndpointPerMin),
    ("growth", Statistic::Growth),
    ("per_rotation", Statistic::PerRotation),
    ("min", Statistic::Min),
    ("max", Statistic::Max),
    ("mean", Statistic::Mean),
    ("last", Statistic::Last),
    ("increase", Statistic::Increase),
    ("rate_per_min", Statistic::RatePerMin),
    ("drained", Statistic::Drained),
    ("lost", Statistic::Lost),
    ("duplicated", Statistic::Duplicated),
    ("reordered", Statistic::Reordered),
    ("torn", Statistic::Torn),
    ("delivered", Statistic::Delivered),
];

impl Statistic {
    /// Returns its name in a scenario.
    #[must_use]
    pub fn name(self) -> &'static str {
        STATISTICS.iter().find(|(_, s)| *s == self).map_or("", |(name, _)| name)
    }

    /// Returns true for a growth with an interval, for which interim analyses must be accounted.
    #[must_use]
    pub fn is_growth(self) -> bool {
        matches!(self, Self::GrowthPerMin | Self::PerRotation)
    }

    /// Returns true for a result of the line check.
    #[must_use]
    pub fn is_line_check(self) -> bool {
        matches!(
            self,
            Self::Lost | Self::Duplicated | Self::Reordered | Self::Torn | Self::Delivered
        )
    }
}

/// The comparison of a measured value with a bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
    /// `==`
    Equal,
}

impl Comparison {
    /// Returns true if `measured` is within the bound.
    #[must_use]
    #[expect(clippy::float_cmp, reason = "`==` is used with counts")]
    pub fn holds(self, measured: f64, bound: f64) -> bool {
        match self {
            Self::Less => measured < bound,
            Self::LessOrEqual => measured <= bound,
            Self::Greater => measured > bound,
            Self::GreaterOrEqual => measured >= bound,
            Self::Equal => measured == bound,
        }
    }

    /// Returns its symbol in a scenario.
    #[must_use]
    pub fn symbol(self) -> &'static str {
        match self {
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::Equal => "==",
        }
    }

    /// Returns true for an upper bound (`<`, `<=`).
    #[must_use]
    pub fn is_ceiling(self) -> bool {
        matches!(self, Self::Less | Self::LessOrEqual)
    }
}

/// The value that a measurement is compared with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bound {
    /// A number in the metric's unit (bytes for memory).
    Number(f64),
    /// A share of the value expected from the scenario: 0.9 for `90% of expected`.
    OfExpected(f64),
}

/// A rule for one metric.
#[derive(Clone, Debug, PartialEq)]
pub struct Limit {
    /// The compared statistic.
    pub statistic: Statistic,
    /// The comparison.
    pub comparison: Comparison,
    /// The bound.
    pub bound: Bound,
    /// The unit that the bound is written in.
    pub unit: Unit,
    /// The text of the rule, as written.
    pub text: String,
}

/// A text that is not a limit.
#[derive(Debug, thiserror::Error, PartialEq)]
pub enum LimitError {
    /// A text of another form.
    #[error("`{0}` is not a limit: write STATISTIC OP NUMBER [UNIT], for example `growth_per_min < 2`")]
    Shape(String),
    /// An unknown statistic.
    #[error("`{name}` is not a statistic; {hint}{list}")]
    Statistic {
        /// The name, as written.
        name: String,
        /// A suggestion, or an empty text.
        hint: String,
        /// All statistics.
        list: String,
    },
    /// An unknown unit.
    #[error("`{0}` is not a unit of a limit: use B, KiB, MiB, GiB, kB, MB, GB, `/min`, or `% of expected`")]
    Unit(String),
}

impl FromStr for Limit {
    type Err = LimitError;

    fn from_str(text: &str) -> Result<Self, LimitError> {
        let text = text.trim();
        let shape = || LimitError::Shape(text.to_owned());
        let at = text.find(['<', '>', '=']).ok_or_else(shape)?;
        let (name, rest) = (text[..at].trim(), &text[at..]);
        let (comparison, rest) = [
            ("<=", Comparison::LessOrEqual),
            (">=", Comparison::GreaterOrEqual),
            ("==", Comparison::Equal),
            ("<", Comparison::Less),
            (">", Comparison::Greater),
        ]
        .into_iter()
        .find_map(|(sign, comparison)| rest.strip_prefix(sign).map(|rest| (comparison, rest)))
        .ok_or_else(shape)?;
        let statistic = STATISTICS
            .iter()
            .find(|(n, _)| *n == name)
            .map(|(_, s)| *s)
            .ok_or_else(|| LimitError::Statistic {
                name: name.to_owned(),
                hint: match did_you_mean(name, STATISTICS.iter().map(|(n, _)| *n)) {
                    hint if hint.is_empty() => hint,
                    hint => format!("{hint} "),
                },
                list: format!("there are {}", STATISTICS.map(|(n, _)| n).join(", ")),
            })?;
        let (number, unit) = number_and_unit(rest).ok_or_else(shape)?;
        let unit = unit.strip_suffix("/min").map_or(unit, str::trim);
        let (bound, unit) = match unit.split_whitespace().collect::<Vec<_>>()[..] {
            [] => (Bound::Number(number), Unit::Count),
            ["%", "of", "expected"] => (Bound::OfExpected(number / 100.0), Unit::Count),
            _ => {
                let size = bytes_in(unit).ok_or_else(|| LimitError::Unit(unit.to_owned()))?;
                (Bound::Number(number * size), Unit::Bytes)
            }
        };
        Ok(Self {
            statistic,
            comparison,
            bound,
            unit,
            text: text.to_owned(),
        })
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Serialize for Limit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Limit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

impl schemars::JsonSchema for Limit {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Limit".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "description": "STATISTIC OP NUMBER [UNIT]",
            "pattern": format!("^ *({}) *(<=|>=|==|<|>) *[0-9.+-]+ *(B|kB|KB|MB|GB|KiB|MiB|GiB|% of expected)? *(/min)? *$", STATISTICS.map(|(n, _)| n).join("|")),
            "examples": ["growth_per_min < 2", "drained <= 2", "increase >= 90% of expected"]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> (Statistic, Comparison, Bound) {
        let limit: Limit = text.parse().expect(text);
        (limit.statistic, limit.comparison, limit.bound)
    }

    #[test]
    fn limits_are_parsed() {
        assert_eq!(
            parsed("growth_per_min < 2"),
            (Statistic::GrowthPerMin, Comparison::Less, Bound::Number(2.0))
        );
        assert_eq!(
            parsed("growth_per_min < 1 MiB"),
            (Statistic::GrowthPerMin, Comparison::Less, Bound::Number(1_048_576.0))
        );
        assert_eq!(
            parsed("growth_per_min<0.5/min"),
            (Statistic::GrowthPerMin, Comparison::Less, Bound::Number(0.5))
        );
        assert_eq!(
            parsed("increase >= 90% of expected"),
            (Statistic::Increase, Comparison::GreaterOrEqual, Bound::OfExpected(0.9))
        );
        assert_eq!(
            parsed("lost == 0"),
            (Statistic::Lost, Comparison::Equal, Bound::Number(0.0))
        );
    }

    #[test]
    fn the_unit_of_a_limit_is_that_of_its_bound() {
        let unit = |text: &str| text.parse::<Limit>().expect(text).unit;
        assert_eq!(unit("growth_per_min < 1 MiB"), Unit::Bytes);
        assert_eq!(unit("growth_per_min < 1 KiB/min"), Unit::Bytes);
        assert_eq!(unit("growth_per_min < 2/min"), Unit::Count);
        assert_eq!(unit("increase >= 90% of expected"), Unit::Count);
    }

    #[test]
    fn a_misspelt_statistic_is_an_error_with_a_suggestion() {
        let error = "grwth_per_min < 2".parse::<Limit>().expect_err("misspelt").to_string();
        assert!(error.contains("did you mean `growth_per_min`?"), "{error}");
        assert!("growth_per_min < 2 parsecs".parse::<Limit>().is_err());
        assert!("growth_per_min 2".parse::<Limit>().is_err());
        assert!("growth_per_min < two".parse::<Limit>().is_err());
    }

    #[test]
    fn comparisons_differ_at_the_bound() {
        for (comparison, below, at, above) in [
            (Comparison::Less, true, false, false),
            (Comparison::LessOrEqual, true, true, false),
            (Comparison::Greater, false, false, true),
            (Comparison::GreaterOrEqual, false, true, true),
            (Comparison::Equal, false, true, false),
        ] {
            assert_eq!(
                (
                    comparison.holds(1.0, 2.0),
                    comparison.holds(2.0, 2.0),
                    comparison.holds(3.0, 2.0)
                ),
                (below, at, above)
            );
        }
    }
}
