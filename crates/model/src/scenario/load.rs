//! `[[load]]`: groups of containers that write log lines.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::units::{Bytes, HumanDuration};

/// A group of equal containers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Load {
    /// Name of the group and prefix of its containers' names.
    pub name: String,
    /// Number of containers.
    pub containers: u32,
    /// Lines per second of each container; 0 is idle, `"max"` is as fast as the engine accepts them.
    #[serde(default)]
    pub lines_per_second: Rate,
    /// Length of a line without its newline: a number, or a range with equal probabilities.
    #[serde(default)]
    pub line_bytes: LineBytes,
    /// Share of the lines written to standard error, 0 to 1.
    #[serde(default)]
    pub stderr_share: f64,
    /// Churn: time after which each container is stopped and replaced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifetime: Option<HumanDuration>,
    /// Gives the containers a terminal: one raw stream instead of two framed ones.
    #[serde(default)]
    pub tty: bool,
    /// Image of the user in place of the built-in noise; its lines are not checked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Command in that image.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// Environment of the container.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// Memory limit of each container.
    #[serde(default = "default_memory")]
    pub memory: Bytes,
    /// Process limit of each container.
    #[serde(default = "default_pids")]
    pub pids: u32,
    /// Log driver and its options.
    #[serde(default)]
    pub log: LogConfig,
}

/// Returns 32 MiB. The noise uses less than 4; Docker refuses less than 6.
fn default_memory() -> Bytes {
    Bytes(32 << 20)
}

/// Returns 32. The noise is one process with one thread; the rest is for images of the user.
fn default_pids() -> u32 {
    32
}

impl Load {
    /// Returns the lines per second of the whole group; `None` for `"max"`.
    #[must_use]
    pub fn total_lines_per_second(&self) -> Option<f64> {
        match self.lines_per_second {
            Rate::PerSecond(rate) => Some(rate * f64::from(self.containers)),
            Rate::Max => None,
        }
    }
}

/// A rate of lines.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rate {
    /// Lines per second; 0 is idle.
    PerSecond(f64),
    /// As many as the engine accepts.
    Max,
}

impl Default for Rate {
    fn default() -> Self {
        Self::PerSecond(0.0)
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PerSecond(rate) => write!(f, "{rate}"),
            Self::Max => f.write_str("max"),
        }
    }
}

impl std::str::FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "max" {
            return Ok(Self::Max);
        }
        match text.parse::<f64>() {
            Ok(rate) if (0.0..=1e7).contains(&rate) => Ok(Self::PerSecond(rate)),
            _ => Err(format!(
                "`{text}` is not a rate: write a number of lines per second from 0 to 10 000 000, or \"max\""
            )),
        }
    }
}

impl Serialize for Rate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::PerSecond(rate) => serializer.serialize_f64(*rate),
            Self::Max => serializer.serialize_str("max"),
        }
    }
}

impl<'de> Deserialize<'de> for Rate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = Rate;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number of lines per second, or \"max\"")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Rate, E> {
                text.parse().map_err(E::custom)
            }
            fn visit_i64<E: serde::de::Error>(self, n: i64) -> Result<Rate, E> {
                self.visit_str(&n.to_string())
            }
            fn visit_u64<E: serde::de::Error>(self, n: u64) -> Result<Rate, E> {
                self.visit_str(&n.to_string())
            }
            fn visit_f64<E: serde::de::Error>(self, n: f64) -> Result<Rate, E> {
                self.visit_str(&n.to_string())
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

impl JsonSchema for Rate {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Rate".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "anyOf": [{ "type": "number", "minimum": 0, "maximum": 10_000_000 }, { "const": "max" }] })
    }
}

/// The range of line lengths, without the newline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineBytes {
    /// Shortest line.
    pub min: u32,
    /// Longest line.
    pub max: u32,
}

impl Default for LineBytes {
    fn default() -> Self {
        Self { min: 120, max: 120 }
    }
}

impl LineBytes {
    /// Returns the mean length.
    #[must_use]
    pub fn mean(self) -> f64 {
        f64::midpoint(f64::from(self.min), f64::from(self.max))
    }
}

impl fmt::Display for LineBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.min == self.max {
            write!(f, "{}", self.min)
        } else {
            write!(f, "{}..{}", self.min, self.max)
        }
    }
}

impl std::str::FromStr for LineBytes {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |t: &str| {
            t.parse::<u32>()
                .map_err(|_| format!("`{text}` is not a line length: write `120` or `80..400`"))
        };
        match text.split_once("..") {
            Some((min, max)) => Ok(Self {
                min: number(min)?,
                max: number(max)?,
            }),
            None => number(text).map(|n| Self { min: n, max: n }),
        }
    }
}

impl Serialize for LineBytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.min == self.max {
            serializer.serialize_u32(self.min)
        } else {
            [self.min, self.max].serialize(serializer)
        }
    }
}

impl<'de> Deserialize<'de> for LineBytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = LineBytes;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a line length in bytes such as 120, or a range such as [80, 400]")
            }
            fn visit_i64<E: serde::de::Error>(self, n: i64) -> Result<LineBytes, E> {
                u32::try_from(n)
                    .map(|n| LineBytes { min: n, max: n })
                    .map_err(|_| E::invalid_value(serde::de::Unexpected::Signed(n), &self))
            }
            fn visit_u64<E: serde::de::Error>(self, n: u64) -> Result<LineBytes, E> {
                u32::try_from(n)
                    .map(|n| LineBytes { min: n, max: n })
                    .map_err(|_| E::invalid_value(serde::de::Unexpected::Unsigned(n), &self))
            }
            fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut seq: A) -> Result<LineBytes, A::Error> {
                use serde::de::Error;
                let mut next = |i| {
                    seq.next_element::<u32>()?
                        .ok_or_else(|| A::Error::invalid_length(i, &"two lengths, [shortest, longest]"))
                };
                let (min, max) = (next(0)?, next(1)?);
                if seq.next_element::<u32>()?.is_some() {
                    return Err(A::Error::custom(
                        "a range of line lengths has two numbers, [shortest, longest]",
                    ));
                }
                Ok(LineBytes { min, max })
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

impl JsonSchema for LineBytes {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "LineBytes".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let length =
            serde_json::json!({ "type": "integer", "minimum": crate::stamp::MIN_LINE_BYTES, "maximum": 1 << 20 });
        schemars::json_schema!({ "anyOf": [length, { "type": "array", "items": length, "minItems": 2, "maxItems": 2 }] })
    }
}

/// The log configuration of a container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LogConfig {
    /// `json-file`, `local`, `journald`, `none`, …
    pub driver: String,
    /// Options of the driver.
    pub options: BTreeMap<String, String>,
}

impl Default for LogConfig {
    /// Returns json-file without rotation. With rotation, the engine could drop lines before the target has read them.
    fn default() -> Self {
        Self {
            driver: "json-file".into(),
            options: BTreeMap::new(),
        }
    }
}
