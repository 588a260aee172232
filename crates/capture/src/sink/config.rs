//! The configuration of sinks.

use std::path::PathBuf;

use reqwest::Url;

/// The policy for forcing written lines to the disk. A killed process loses none either way; a machine that loses power may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Fsync {
    /// Left to the kernel.
    Never,
    /// At most once a second, and at the end.
    EverySecond,
    /// After each batch, before its positions are committed.
    Always,
}

/// The destination of lines.
#[derive(Clone, Debug)]
pub enum SinkConfig {
    /// Lines are counted and dropped.
    Discard,
    /// NDJSON files in `folder`.
    File {
        /// The output folder; it is created if it does not exist.
        folder: PathBuf,
        /// The size in bytes at which a new file is begun.
        rotate_bytes: u64,
        /// The number of files to keep; 0 keeps all.
        keep_files: u32,
        /// The policy for forcing lines to the disk.
        fsync: Fsync,
    },
    /// Loki's push API.
    Loki {
        /// The push endpoint.
        address: LokiAddress,
        /// The folder of the position files; it is created if it does not exist.
        folder: PathBuf,
    },
}

/// The push endpoint of a Loki server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LokiAddress(Url);

impl LokiAddress {
    pub(crate) fn url(&self) -> &Url {
        &self.0
    }
}

impl std::str::FromStr for LokiAddress {
    type Err = String;

    /// Parses `http://HOST[:PORT][/PATH]`. The default path is Loki's own, `/loki/api/v1/push`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if !text.starts_with("http://") {
            return Err("only http:// is supported".to_owned());
        }
        let mut url = Url::parse(text).map_err(|error| error.to_string())?;
        if url.path() == "/" {
            url.set_path("/loki/api/v1/push");
        }
        Ok(Self(url))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loki_address_has_a_default_port_and_path() {
        let parse = |text: &str| text.parse::<LokiAddress>().map(|address| address.0.to_string());
        assert_eq!(
            parse("http://loki:3100"),
            Ok("http://loki:3100/loki/api/v1/push".to_owned())
        );
        assert_eq!(parse("http://loki/push"), Ok("http://loki/push".to_owned()));
        assert!(parse("https://loki").is_err());
        assert!(parse("http://").is_err());
    }
}
