//! The configuration of a container: the client's request, completed by its image.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::host::HostOptions;
use crate::error::ApiError;
use crate::image::Image;
use crate::query::query_escape;

/// The body of `POST /containers/create`. Keys without an effect in the simulation are ignored.
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

/// A command: a list of words, or a single word.
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

/// The configuration of a container.
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

impl CreateBody {
    /// Makes a request for an image and a command.
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

    /// Completes the request with the defaults of its image.
    pub(crate) fn complete(self, image: &Image) -> Result<Config, ApiError> {
        let host = HostOptions::read(self.host_config.unwrap_or_default())?;
        let given_entrypoint = self.entrypoint.map(Words::into_vec);
        // Any given entrypoint, also `[""]`, replaces the image's command.
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
            return Err(ApiError::bad("No command specified"));
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

impl Config {
    /// Returns entrypoint and command as one argument list.
    pub(crate) fn argv(&self) -> Vec<String> {
        let both = self.entrypoint.iter().chain(&self.cmd);
        both.flatten().cloned().collect()
    }

    /// Returns the `details` prefix of log lines: the labels and variables that the log options name.
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
    use crate::log::Retention;

    fn created(body: &str, image: &Image) -> Result<Config, ApiError> {
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
            (config.argv(), config.env),
            (
                vec!["/leakcheck".into(), "noise".into()],
                vec!["A=2".into(), "PATH=/bin".into()]
            )
        );
        let config = created(r#"{"Entrypoint":"sleep","Cmd":["1"]}"#, &image).expect("good");
        assert_eq!(config.argv(), ["sleep", "1"]);
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
            Ok(Retention {
                file: 10_240,
                files: 3,
                configured: true
            })
        );
        assert_eq!(
            retention(r#"{"max-size":"1m"}"#),
            Ok(Retention {
                file: 1 << 20,
                files: 1,
                configured: true
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
