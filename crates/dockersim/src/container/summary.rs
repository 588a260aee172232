//! A container in the list of `docker ps`.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Container, State, Status};
use crate::clock::{self, human};
use crate::network::{Endpoint, Networks};

/// One entry of `/containers/json`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Summary {
    id: String,
    names: [String; 1],
    image: String,
    #[serde(rename = "ImageID")]
    image_id: String,
    command: String,
    created: i64,
    ports: [(); 0],
    labels: BTreeMap<String, String>,
    state: &'static str,
    status: String,
    host_config: SummaryHost,
    network_settings: SummaryNetworks,
    mounts: [(); 0],
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct SummaryHost {
    network_mode: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct SummaryNetworks {
    networks: BTreeMap<String, Endpoint>,
}

impl Container {
    pub(crate) fn summary(&self, networks: &Networks) -> Summary {
        let state = self.state();
        Summary {
            id: self.id.clone(),
            names: [format!("/{}", state.name)],
            image: self.config.image.clone(),
            image_id: self.config.image_id.clone(),
            command: command_line(&self.config.argv()),
            created: self.created / 1_000_000_000,
            ports: [],
            labels: self.config.labels.clone(),
            state: state.status.name(),
            status: state.status_text(),
            host_config: SummaryHost {
                network_mode: self.config.host.network.clone(),
            },
            network_settings: SummaryNetworks {
                networks: networks.of(&self.config.host.network, state.endpoint.as_deref(), state.is_alive()),
            },
            mounts: [],
        }
    }
}

impl State {
    /// Returns the status column of `docker ps`.
    fn status_text(&self) -> String {
        let now = clock::now();
        let since = |at: Option<clock::Nanos>| human(now - at.unwrap_or(now));
        match self.status {
            Status::Created => "Created".into(),
            Status::Running => format!("Up {}", since(self.started)),
            Status::Paused => format!("Up {} (Paused)", since(self.started)),
            Status::Restarting => format!("Restarting ({}) {} ago", self.exit_code, since(self.finished)),
            Status::Exited => format!("Exited ({}) {} ago", self.exit_code, since(self.finished)),
        }
    }
}

/// Joins words and quotes those with blanks (moby, `daemon/list.go`).
fn command_line(words: &[String]) -> String {
    let quoted = words.iter().map(|word| {
        if word.contains(' ') {
            format!("'{word}'")
        } else {
            word.clone()
        }
    });
    quoted.collect::<Vec<_>>().join(" ")
}
