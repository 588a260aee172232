//! The host configuration of a container: network, restart policy and log options.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::error::ApiError;
use crate::log::Retention;

/// The host configuration: the parts with an effect, and the rest as the client sent it.
#[derive(Debug, Default)]
pub(crate) struct HostOptions {
    pub(crate) network: String,
    pub(crate) auto_remove: bool,
    pub(crate) restart: Restart,
    pub(crate) log_driver: String,
    pub(crate) log_options: BTreeMap<String, String>,
    /// The `HostConfig` that the client sent, as JSON.
    pub(crate) given: String,
}

/// The restart policy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Restart {
    #[default]
    No,
    Always,
    /// The largest number of restarts; 0 is unlimited.
    OnFailure(u32),
}

impl HostOptions {
    pub(super) fn read(given: Map<String, Value>) -> Result<Self, ApiError> {
        let text = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
        let log = given.get("LogConfig");
        let log_driver = Some(text(log.and_then(|log| log.get("Type")))).filter(|driver| !driver.is_empty());
        let log_options = log.and_then(|log| log.get("Config")).and_then(Value::as_object);
        let policy = given.get("RestartPolicy");
        let times = policy
            .and_then(|p| p.get("MaximumRetryCount"))
            .and_then(Value::as_u64)
            .unwrap_or(0);
        let restart = match text(policy.and_then(|p| p.get("Name"))).as_str() {
            "" | "no" => Restart::No,
            "always" | "unless-stopped" => Restart::Always,
            "on-error" => Restart::OnFailure(u32::try_from(times).unwrap_or(u32::MAX)),
            other => return Err(ApiError::bad(format_args!("invalid restart policy '{other}'"))),
        };
        let auto_remove = given.get("AutoRemove").and_then(Value::as_bool).unwrap_or(false);
        if auto_remove && restart != Restart::No {
            return Err(ApiError::bad("can't create 'AutoRemove' container with restart policy"));
        }
        let options = Self {
            network: Some(text(given.get("NetworkMode")))
                .filter(|mode| !mode.is_empty())
                .unwrap_or_else(|| "default".into()),
            auto_remove,
            restart,
            log_driver: log_driver.unwrap_or_else(|| "json-file".into()),
            log_options: log_options
                .map(|options| {
                    options
                        .iter()
                        .map(|(key, value)| (key.clone(), text(Some(value))))
                        .collect()
                })
                .unwrap_or_default(),
            given: serde_json::to_string(&given).unwrap_or_default(),
        };
        options.retention()?;
        Ok(options)
    }

    /// Returns true if the engine can read the log.
    pub(crate) fn log_is_readable(&self) -> bool {
        matches!(self.log_driver.as_str(), "json-file" | "local" | "journald")
    }

    /// Returns the retention of the log.
    pub(crate) fn retention(&self) -> Result<Retention, ApiError> {
        let defaults = Retention::default();
        let Some(size) = self.log_options.get("max-size").filter(|size| *size != "-1") else {
            return Ok(defaults);
        };
        let file = size_in_bytes(size).ok_or_else(|| {
            ApiError::bad(format_args!(
                "failed to create task for container: invalid size: '{size}'"
            ))
        })?;
        let files = self
            .log_options
            .get("max-file")
            .map_or(Some(1), |files| files.parse().ok());
        let files = files
            .filter(|files| *files > 0)
            .ok_or_else(|| ApiError::bad("max-file cannot be less than 1"))?;
        let configured = true;
        Ok(Retention {
            file,
            files,
            configured,
        })
    }
}

/// Parses `10m`, `64k`, `1g`, `500` or `10mb` (docker/go-units, `RAMInBytes`: all powers of 1024).
fn size_in_bytes(text: &str) -> Option<u64> {
    let text = text.trim().to_ascii_lowercase();
    let text = text
        .strip_suffix("ib")
        .or_else(|| text.strip_suffix('b'))
        .unwrap_or(&text);
    let (number, shift) = match text.chars().last()? {
        'k' => (&text[..text.len() - 1], 10),
        'm' => (&text[..text.len() - 1], 20),
        'g' => (&text[..text.len() - 1], 30),
        _ => (text, 0),
    };
    number
        .trim()
        .parse::<u64>()
        .ok()?
        .checked_mul(1 << shift)
        .filter(|size| *size > 0)
}
