//! What a container is created as: the client's request, completed by its image.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::failure::Failure;
use crate::image::Image;
use crate::log::Retention;
use crate::query::query_escape;

/// The body of `POST /containers/create`, as far as it means something without containers; the rest is taken and
/// forgotten, as an older engine would.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct CreateBody {
    pub(crate) image: Option<String>,
    cmd: Option<Words>,
    entrypoint: Option<Words>,
    env: Option<Vec<String>>,
    labels: Option<BTreeMap<String, String>>,
    tty: Option<bool>,
    open_stdin: Option<bool>,
    hostname: Option<String>,
    user: Option<String>,
    working_dir: Option<String>,
    stop_signal: Option<String>,
    stop_timeout: Option<i64>,
    host_config: Option<Map<String, Value>>,
}

/// Docker takes a list or a single word.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Words {
    One(String),
    Many(Vec<String>),
}

impl Words {
    fn into_vec(self) -> Vec<String> {
        match self {
            Self::One(word) => vec![word],
            Self::Many(words) => words,
        }
    }
}

/// What a container was created as.
#[derive(Debug, Default)]
pub(crate) struct Config {
    pub(crate) image: String,
    pub(crate) image_id: String,
    pub(crate) entrypoint: Option<Vec<String>>,
    pub(crate) cmd: Option<Vec<String>>,
    pub(crate) env: Vec<String>,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) tty: bool,
    pub(crate) open_stdin: bool,
    pub(crate) hostname: Option<String>,
    pub(crate) user: String,
    pub(crate) working_dir: String,
    pub(crate) stop_signal: Option<String>,
    pub(crate) stop_timeout: Option<i64>,
    pub(crate) host: HostOptions,
}

/// What of the host configuration is acted on, and the rest as the client wrote it.
#[derive(Debug, Default)]
pub(crate) struct HostOptions {
    pub(crate) network: String,
    pub(crate) auto_remove: bool,
    pub(crate) restart: Restart,
    pub(crate) log_driver: String,
    pub(crate) log_options: BTreeMap<String, String>,
    /// The client's own JSON, without what it repeats of the defaults.
    pub(crate) given: String,
}

/// When an ended container is started again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Restart {
    #[default]
    No,
    Always,
    /// So many times at most; 0 is without end.
    OnFailure(u32),
}

impl CreateBody {
    /// A request for this image and command.
    pub(crate) fn of(image: &str, cmd: Vec<String>) -> Self {
        Self {
            image: Some(image.to_owned()),
            cmd: Some(Words::Many(cmd)),
            ..Self::default()
        }
    }

    pub(crate) fn label(&mut self, key: &str, value: &str) {
        self.labels
            .get_or_insert_default()
            .insert(key.to_owned(), value.to_owned());
    }

    /// Completes the request by its image.
    pub(crate) fn complete(self, image: &Image) -> Result<Config, Failure> {
        let host = HostOptions::read(self.host_config.unwrap_or_default())?;
        let given_entrypoint = self.entrypoint.map(Words::into_vec);
        // `[""]` and an own entrypoint both set the image's command aside.
        let cmd = match self.cmd.map(Words::into_vec).filter(|words| !words.is_empty()) {
            None if given_entrypoint.is_none() => image.cmd.clone(),
            cmd => cmd,
        };
        let entrypoint = match given_entrypoint {
            Some(words) if words.is_empty() || words == [""] => None,
            None => image.entrypoint.clone(),
            given => given,
        };
        if entrypoint.is_none() && cmd.is_none() {
            return Err(Failure::bad("No command specified"));
        }
        let mut labels = image.labels.clone();
        labels.extend(self.labels.unwrap_or_default());
        let mut env = self.env.unwrap_or_default();
        let name = |pair: &str| pair.split('=').next().unwrap_or_default().to_owned();
        let missing = image
            .env
            .iter()
            .filter(|pair| !env.iter().any(|own| name(own) == name(pair)));
        let missing: Vec<String> = missing.cloned().collect();
        env.extend(missing);
        Ok(Config {
            image: self.image.unwrap_or_default(),
            image_id: image.id.clone(),
            entrypoint,
            cmd,
            env,
            labels,
            tty: self.tty.unwrap_or(false),
            open_stdin: self.open_stdin.unwrap_or(false),
            hostname: self.hostname.filter(|name| !name.is_empty()),
            user: self.user.unwrap_or_default(),
            working_dir: self.working_dir.unwrap_or_default(),
            stop_signal: self.stop_signal,
            stop_timeout: self.stop_timeout,
            host,
        })
    }
}

impl HostOptions {
    fn read(given: Map<String, Value>) -> Result<Self, Failure> {
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
            "on-failure" => Restart::OnFailure(u32::try_from(times).unwrap_or(u32::MAX)),
            other => return Err(Failure::bad(format_args!("invalid restart policy '{other}'"))),
        };
        let auto_remove = given.get("AutoRemove").and_then(Value::as_bool).unwrap_or(false);
        if auto_remove && restart != Restart::No {
            return Err(Failure::bad("can't create 'AutoRemove' container with restart policy"));
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

    /// Whether the engine can show the log.
    pub(crate) fn log_is_readable(&self) -> bool {
        matches!(self.log_driver.as_str(), "json-file" | "local" | "journald")
    }

    /// How much of the log is kept.
    pub(crate) fn retention(&self) -> Result<Retention, Failure> {
        let defaults = Retention::default();
        let Some(size) = self.log_options.get("max-size").filter(|size| *size != "-1") else {
            return Ok(defaults);
        };
        let file = size_in_bytes(size).ok_or_else(|| {
            Failure::bad(format_args!(
                "failed to create task for container: invalid size: '{size}'"
            ))
        })?;
        let files = self
            .log_options
            .get("max-file")
            .map_or(Some(1), |files| files.parse().ok());
        let files = files
            .filter(|files| *files > 0)
            .ok_or_else(|| Failure::bad("max-file cannot be less than 1"))?;
        Ok(Retention { file, files })
    }
}

/// `10m`, `64k`, `1g`, `500`, `10mb` (docker/go-units, `RAMInBytes`: all powers of 1024).
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

impl Config {
    /// Entrypoint and command in one.
    pub(crate) fn words(&self) -> Vec<String> {
        let both = self.entrypoint.iter().chain(&self.cmd);
        both.flatten().cloned().collect()
    }

    /// What `details` puts before each line, if the log options name labels or variables.
    pub(crate) fn details(&self) -> String {
        let named = |option: &str| self.host.log_options.get(option).map_or("", String::as_str).split(',');
        let mut pairs: Vec<(&str, &str)> = named("labels")
            .filter_map(|key| self.labels.get_key_value(key))
            .map(|(key, value)| (key.as_str(), value.as_str()))
            .collect();
        for key in named("env") {
            pairs.extend(
                self.env
                    .iter()
                    .filter_map(|pair| pair.split_once('='))
                    .filter(|(name, _)| *name == key),
            );
        }
        pairs.sort_unstable();
        let pairs: Vec<String> = pairs
            .iter()
            .map(|(key, value)| format!("{}={}", query_escape(key), query_escape(value)))
            .collect();
        pairs.join(",")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn created(body: &str, image: &Image) -> Result<Config, Failure> {
        serde_json::from_str::<CreateBody>(body).expect("JSON").complete(image)
    }

    #[test]
    fn an_image_completes_what_the_request_leaves_open() {
        let image = Image {
            entrypoint: Some(vec!["/leakcheck".into()]),
            cmd: Some(vec!["noise".into()]),
            env: vec!["PATH=/bin".into(), "A=1".into()],
            ..Image::default()
        };
        let config = created(r#"{"Env":["A=2"]}"#, &image).expect("good");
        assert_eq!(
            (config.words(), config.env),
            (
                vec!["/leakcheck".into(), "noise".into()],
                vec!["A=2".into(), "PATH=/bin".into()]
            )
        );
        let config = created(r#"{"Entrypoint":"sleep","Cmd":["1"]}"#, &image).expect("good");
        assert_eq!(config.words(), ["sleep", "1"]);
        assert_eq!(
            created("{}", &Image::default()).expect_err("nothing to run").message,
            "No command specified"
        );
    }

    #[test]
    fn log_options_bound_the_log() {
        let retention = |config: &str| {
            let body =
                format!(r#"{{"Cmd":["x"],"HostConfig":{{"LogConfig":{{"Type":"json-file","Config":{config}}}}}}}"#);
            created(&body, &Image::default()).and_then(|config| config.host.retention())
        };
        assert_eq!(
            retention(r#"{"max-size":"10k","max-file":"3"}"#),
            Ok(Retention { file: 10_240, files: 3 })
        );
        assert_eq!(
            retention(r#"{"max-size":"1m"}"#),
            Ok(Retention {
                file: 1 << 20,
                files: 1
            })
        );
        assert_eq!(retention("{}"), Ok(Retention::default()));
        assert!(retention(r#"{"max-size":"much"}"#).is_err());
    }

    #[test]
    fn details_are_the_labels_and_variables_that_the_log_options_name() {
        let body = r#"{"Cmd":["x"],"Env":["X=a b","Y=1"],"Labels":{"k":"v","l":"w"},
            "HostConfig":{"LogConfig":{"Type":"json-file","Config":{"labels":"k","env":"X"}}}}"#;
        assert_eq!(created(body, &Image::default()).expect("good").details(), "X=a+b,k=v");
    }
}
