//! A limit as written in a scenario: `STATISTIC OP NUMBER [UNIT]`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::suggest::did_you_mean;
use crate::units::{bytes_in, number_and_unit};

/// What is computed from a metric before it is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Statistic {
    /// Robust growth per minute, with an interval.
    GrowthPerMin,
    /// FASE's rate: (last - baseline) / minutes.
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
    /// How much a counter went up, resets allowed for.
    Increase,
    /// The same per minute.
    RatePerMin,
    /// Level after the load is gone, less the level before it came.
    Drained,
    /// Lines never delivered (only of `lines`).
    Lost,
    /// Lines delivered more than once (only of `lines`).
    Duplicated,
    /// Lines out of order (only of `lines`).
    Reordered,
    /// Lines in pieces (only of `lines`).
    Torn,
    /// Lines delivered (only of `lines`).
    Delivered,
}

/// Every statistic with its name in a scenario.
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
    /// Its name in a scenario.
    #[must_use]
    pub fn name(self) -> &'static str {
        STATISTICS.iter().find(|(_, s)| *s == self).map_or("", |(name, _)| name)
    }

    /// Whether it is a growth with an interval, whose looks must be accounted for.
    #[must_use]
    pub fn is_growth(self) -> bool {
        matches!(self, Self::GrowthPerMin | Self::PerRotation)
    }

    /// Whether it belongs to the line check, and to nothing else.
    #[must_use]
    pub fn is_line_check(self) -> bool {
        matches!(
            self,
            Self::Lost | Self::Duplicated | Self::Reordered | Self::Torn | Self::Delivered
        )
    }
}

/// How a measured value is compared with the bound.
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
    /// Whether `measured` keeps the limit.
    #[must_use]
    #[expect(clippy::float_cmp, reason = "`==` is asked of counts")]
    pub fn holds(self, measured: f64, bound: f64) -> bool {
        match self {
            Self::Less => measured < bound,
            Self::LessOrEqual => measured <= bound,
            Self::Greater => measured > bound,
            Self::GreaterOrEqual => measured >= bound,
            Self::Equal => measured == bound,
        }
    }

    /// Its sign in a scenario.
    #[must_use]
    pub fn sign(self) -> &'static str {
        match self {
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::Equal => "==",
        }
    }

    /// Whether the limit is a ceiling (`<`, `<=`).
    #[must_use]
    pub fn is_ceiling(self) -> bool {
        matches!(self, Self::Less | Self::LessOrEqual)
    }
}

/// What a measured value is compared with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bound {
    /// A number in the metric's unit (bytes for memory).
    Number(f64),
    /// A share of what the scenario leads one to expect, 0.9 for `90% of expected`.
    OfExpected(f64),
}

/// One rule on one metric.
#[derive(Clone, Debug, PartialEq)]
pub struct Limit {
    /// What is computed.
    pub statistic: Statistic,
    /// How it is compared.
    pub comparison: Comparison,
    /// With what.
    pub bound: Bound,
    /// As it was written.
    pub text: String,
}

/// What is wrong with a limit.
#[derive(Debug, thiserror::Error, PartialEq)]
pub enum LimitError {
    /// Not three words.
    #[error("`{0}` is not a limit: write STATISTIC OP NUMBER [UNIT], for example `growth_per_min < 2`")]
    Shape(String),
    /// No such statistic.
    #[error("`{name}` is not a statistic; {hint}{list}")]
    Statistic {
        /// As written.
        name: String,
        /// What was meant.
        hint: String,
        /// All there are.
        list: String,
    },
    /// No such unit.
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
        let bound = match unit.split_whitespace().collect::<Vec<_>>()[..] {
            ["%", "of", "expected"] => Bound::OfExpected(number / 100.0),
            _ => Bound::Number(number * bytes_in(unit).ok_or_else(|| LimitError::Unit(unit.to_owned()))?),
        };
        Ok(Self {
            statistic,
            comparison,
            bound,
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
    fn the_limits_of_the_contract_are_understood() {
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
    fn a_misspelt_statistic_is_told_the_right_one() {
        let error = "grwth_per_min < 2".parse::<Limit>().expect_err("misspelt").to_string();
        assert!(error.contains("did you mean `growth_per_min`?"), "{error}");
        assert!("growth_per_min < 2 parsecs".parse::<Limit>().is_err());
        assert!("growth_per_min 2".parse::<Limit>().is_err());
        assert!("growth_per_min < two".parse::<Limit>().is_err());
    }

    #[test]
    fn each_comparison_draws_its_line_where_it_says() {
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
