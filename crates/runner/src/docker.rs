//! The Docker API as the runner uses it.
//!
//! The only file of this crate that names bollard. Real and simulated engines differ only in their address.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use bollard::API_DEFAULT_VERSION;
use bollard::models::{ContainerCreateBody, ContainerSummary, HostConfig, HostConfigLogConfig};
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, CreateImageOptionsBuilder, ListContainersOptionsBuilder, ListImagesOptionsBuilder,
    LogsOptionsBuilder, RemoveContainerOptionsBuilder, RemoveImageOptionsBuilder, StopContainerOptionsBuilder,
};
use bytes::Bytes;
use futures_util::StreamExt as _;
use leakcheck_model::error_chain;
use leakcheck_model::event::{EngineFacts, ImageFacts};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tracing::Instrument as _;

use crate::engine_address::EngineAddress;

/// An engine under load answers a create or start within seconds; after a minute it counts as lost.
const CALL_DEADLINE: Duration = Duration::from_secs(60);

/// An import of some 100 MB takes seconds.
const IMPORT_DEADLINE: Duration = Duration::from_secs(180);

/// A reachable engine answers a version or info request at once, unless its machine is busy.
const PING_DEADLINE: Duration = Duration::from_secs(10);
const INFO_DEADLINE: Duration = Duration::from_secs(5);

/// The label in which Docker Compose stores the service of a container.
const COMPOSE_SERVICE: &str = "com.docker.compose.service";

/// A client of one engine.
#[derive(Clone)]
pub struct Docker {
    api: bollard::Docker,
    address: EngineAddress,
}

/// A failed call to the engine.
#[derive(Debug, thiserror::Error)]
pub enum DockerError {
    /// The engine cannot be reached, or answered with an error or with something other than the Docker API.
    #[error("failed to {what}: {}", describe(source))]
    Answer {
        /// A description of the call.
        what: String,
        /// The error as bollard reports it.
        #[source]
        source: bollard::errors::Error,
    },
    /// The engine did not answer in time.
    #[error("failed to {what}: no answer within {} s", deadline.as_secs())]
    Deadline {
        /// A description of the call.
        what: String,
        /// The time-out of the call.
        deadline: Duration,
    },
}

impl DockerError {
    /// Returns true if the engine answered 404.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.status() == Some(404)
    }

    fn status(&self) -> Option<u16> {
        match self {
            Self::Answer {
                source: bollard::errors::Error::DockerResponseServerError { status_code, .. },
                ..
            } => Some(*status_code),
            _ => None,
        }
    }
}

fn describe(error: &bollard::errors::Error) -> String {
    match error {
        bollard::errors::Error::DockerResponseServerError { status_code, message } => {
            format!("{} (HTTP {status_code})", message.trim())
        }
        other => error_chain(other),
    }
}

/// The settings of a container to create.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ContainerSpec {
    /// Name in the engine.
    pub name: String,
    /// Image.
    pub image: String,
    /// Command; empty for the image's default.
    pub command: Vec<String>,
    /// Environment as `KEY=VALUE`.
    pub env: Vec<String>,
    /// Labels.
    pub labels: HashMap<String, String>,
    /// Memory limit in bytes.
    pub memory: i64,
    /// Process limit.
    pub pids: i64,
    /// Allocates a terminal.
    pub tty: bool,
    /// Log driver.
    pub log_driver: String,
    /// Options of the log driver.
    pub log_options: HashMap<String, String>,
}

/// A container in a list of the engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedContainer {
    /// Id.
    pub id: String,
    /// Name without the leading slash.
    pub name: String,
    /// True if it is running.
    pub running: bool,
    /// Labels.
    pub labels: HashMap<String, String>,
}

impl Docker {
    /// Creates a client. Nothing is sent yet.
    ///
    /// # Errors
    /// If `address` is a socket that does not exist.
    pub fn connect(address: EngineAddress) -> Result<Self, DockerError> {
        let seconds = CALL_DEADLINE.as_secs();
        let api = match &address {
            EngineAddress::Unix(path) => {
                bollard::Docker::connect_with_unix(&path.to_string_lossy(), seconds, API_DEFAULT_VERSION)
            }
            EngineAddress::Tcp(host) => bollard::Docker::connect_with_http(host, seconds, API_DEFAULT_VERSION),
        };
        match api {
            Ok(api) => Ok(Self { api, address }),
            Err(source) => Err(DockerError::Answer {
                what: format!("reach a Docker engine at {address}"),
                source,
            }),
        }
    }

    /// The address of the engine.
    #[must_use]
    pub fn address(&self) -> &EngineAddress {
        &self.address
    }

    /// Asks the engine for its version.
    ///
    /// # Errors
    /// If nothing answers at the address, or something other than a Docker engine.
    pub async fn ping(&self) -> Result<EngineFacts, DockerError> {
        let what = || format!("reach a Docker engine at {}", self.address);
        let version = call(what, PING_DEADLINE, self.api.version()).await?;
        let number = version.version.unwrap_or_default();
        let kind = if number.contains("simulated") {
            "simulated"
        } else {
            "docker"
        };
        Ok(EngineFacts {
            kind: kind.into(),
            version: number,
            api: version.api_version.unwrap_or_default(),
            host: self.address.to_string(),
            program: None,
            pid: None,
        })
    }

    /// The engine's own descriptors and goroutines as `/info` reports them; `None` if it does not.
    ///
    /// # Errors
    /// If the engine does not answer.
    pub async fn info_counts(&self) -> Result<(Option<i64>, Option<i64>), DockerError> {
        let what = || "read the counts of the engine".into();
        let info = call(what, INFO_DEADLINE, self.api.info()).await?;
        Ok((info.nfd, info.n_goroutines))
    }

    /// The number of lines that a simulated engine dropped from a full buffer before its client had read them.
    ///
    /// # Errors
    /// If the engine does not answer.
    pub async fn lines_dropped_unread(&self) -> Result<u64, DockerError> {
        let what = || "read the number of dropped lines".into();
        let info = call(what, INFO_DEADLINE, self.api.info()).await?;
        let status = info.driver_status.unwrap_or_default();
        let dropped = status.iter().find_map(|pair| match &pair[..] {
            [name, value] if name == "Log lines dropped unread" => value.parse().ok(),
            _ => None,
        });
        Ok(dropped.unwrap_or(0))
    }

    /// Returns true if the engine has the image `name`.
    ///
    /// # Errors
    /// If the engine does not answer.
    pub async fn has_image(&self, name: &str) -> Result<bool, DockerError> {
        let answer = call(
            || format!("look for image {name}"),
            CALL_DEADLINE,
            self.api.inspect_image(name),
        )
        .await;
        match answer {
            Ok(_) => Ok(true),
            Err(error) if error.is_not_found() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Imports the image `repository:tag` from a tar archive that arrives in chunks, with the Dockerfile lines `changes`.
    ///
    /// # Errors
    /// If the engine refuses.
    pub async fn import_image(
        &self,
        repository: &str,
        tag: &str,
        mut archive: mpsc::Receiver<std::io::Result<Bytes>>,
        changes: Vec<String>,
    ) -> Result<(), DockerError> {
        let options = CreateImageOptionsBuilder::new()
            .from_src("-")
            .repo(repository)
            .tag(tag)
            .changes(changes)
            .build();
        let chunks = futures_util::stream::poll_fn(move |context| archive.poll_recv(context));
        let mut answers = self
            .api
            .create_image(Some(options), Some(bollard::body_try_stream(chunks)), None);
        call(
            || format!("import the image {repository}:{tag}"),
            IMPORT_DEADLINE,
            async move {
                while let Some(answer) = answers.next().await {
                    answer?;
                }
                Ok(())
            },
        )
        .await
    }

    /// Lists the names of all images with `label`.
    ///
    /// # Errors
    /// If the engine does not answer.
    pub async fn images_with(&self, label: &str) -> Result<Vec<String>, DockerError> {
        let filters = HashMap::from([("label", vec![label])]);
        let options = ListImagesOptionsBuilder::new().all(true).filters(&filters).build();
        let images = call(
            || "list images".into(),
            CALL_DEADLINE,
            self.api.list_images(Some(options)),
        )
        .await?;
        Ok(images
            .into_iter()
            // An image whose tag has moved to another image is listed as `<none>:<none>`.
            .map(|i| i.repo_tags.into_iter().find(|t| !t.contains("<none>")).unwrap_or(i.id))
            .collect())
    }

    /// Removes an image.
    ///
    /// # Errors
    /// If it is in use, or the engine does not answer.
    pub async fn remove_image(&self, name: &str) -> Result<(), DockerError> {
        let options = RemoveImageOptionsBuilder::new().build();
        call(
            || format!("remove image {name}"),
            CALL_DEADLINE,
            self.api.remove_image(name, Some(options), None),
        )
        .await
        .map(|_| ())
    }

    /// Creates a container and returns its id.
    ///
    /// # Errors
    /// If the engine refuses.
    pub async fn create(&self, spec: &ContainerSpec) -> Result<String, DockerError> {
        let options = CreateContainerOptionsBuilder::new().name(&spec.name).build();
        let what = || format!("create container {}", spec.name);
        call(
            what,
            CALL_DEADLINE,
            self.api.create_container(Some(options), create_body(spec)),
        )
        .await
        .map(|created| created.id)
    }

    /// Starts a container.
    ///
    /// # Errors
    /// If the engine refuses.
    pub async fn start(&self, name: &str) -> Result<(), DockerError> {
        call(
            || format!("start container {name}"),
            CALL_DEADLINE,
            self.api.start_container(name, None),
        )
        .await
    }

    /// Stops a container: SIGTERM, and SIGKILL after `seconds`.
    ///
    /// # Errors
    /// If the engine refuses.
    pub async fn stop(&self, name: &str, seconds: i32) -> Result<(), DockerError> {
        let options = StopContainerOptionsBuilder::new().t(seconds).build();
        call(
            || format!("stop container {name}"),
            CALL_DEADLINE,
            self.api.stop_container(name, Some(options)),
        )
        .await
    }

    /// Removes a container with its volumes, running or not. A missing container is not an error.
    ///
    /// # Errors
    /// If the engine refuses.
    pub async fn remove(&self, name: &str) -> Result<(), DockerError> {
        let options = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
        let what = || format!("remove container {name}");
        match call(what, CALL_DEADLINE, self.api.remove_container(name, Some(options))).await {
            // 409: "removal of container … is already in progress".
            Err(error) if error.is_not_found() || error.status() == Some(409) => Ok(()),
            other => other,
        }
    }

    /// Lists all containers with `label` (`key` or `key=value`), running or not.
    ///
    /// # Errors
    /// If the engine does not answer.
    pub async fn list(&self, label: &str) -> Result<Vec<ListedContainer>, DockerError> {
        let filters = HashMap::from([("label", vec![label])]);
        let options = ListContainersOptionsBuilder::new().all(true).filters(&filters).build();
        let all = call(
            || format!("list the containers labelled {label}"),
            CALL_DEADLINE,
            self.api.list_containers(Some(options)),
        )
        .await?;
        Ok(all.into_iter().map(listed).collect())
    }

    /// Lists the names of all running containers and of their Compose services.
    ///
    /// # Errors
    /// If the engine does not answer.
    pub async fn running_names(&self) -> Result<BTreeSet<String>, DockerError> {
        let request = self.api.list_containers(None);
        let all = call(|| "list the running containers".into(), CALL_DEADLINE, request).await?;
        let names = all.into_iter().map(listed);
        Ok(names
            .flat_map(|mut c| [Some(c.name), c.labels.remove(COMPOSE_SERVICE)])
            .flatten()
            .collect())
    }

    /// Lists the names of the running containers of the Compose service `name`.
    ///
    /// # Errors
    /// If the engine does not answer.
    pub async fn service_containers(&self, name: &str) -> Result<Vec<String>, DockerError> {
        let found = self.list(&format!("{COMPOSE_SERVICE}={name}")).await?;
        let mut names: Vec<String> = found.into_iter().filter(|c| c.running).map(|c| c.name).collect();
        names.sort();
        Ok(names)
    }

    /// Returns the process id of a container's first process; `None` if it is not running or not visible here.
    ///
    /// # Errors
    /// If the container does not exist.
    pub async fn pid(&self, name: &str) -> Result<Option<u32>, DockerError> {
        let what = || format!("inspect container {name}");
        let found = call(what, CALL_DEADLINE, self.api.inspect_container(name, None)).await?;
        Ok(found
            .state
            .and_then(|s| s.pid)
            .and_then(|pid| u32::try_from(pid).ok())
            .filter(|pid| *pid > 0))
    }

    /// Describes the image of a container.
    ///
    /// # Errors
    /// If the container does not exist.
    pub async fn image_facts(&self, name: &str) -> Result<ImageFacts, DockerError> {
        let what = || format!("inspect container {name}");
        let container = call(what, CALL_DEADLINE, self.api.inspect_container(name, None)).await?;
        let id = container.image.unwrap_or_default();
        let named = container.config.and_then(|c| c.image).unwrap_or_default();
        let what = || format!("inspect image {named}");
        // Both may be removed from the engine while the container runs.
        let image = call(what, CALL_DEADLINE, self.api.inspect_image(&id)).await.ok();
        let now = call(what, CALL_DEADLINE, self.api.inspect_image(&named)).await.ok();
        let labels = image.as_ref().and_then(|i| i.config.as_ref()?.labels.clone());
        Ok(ImageFacts {
            name: named,
            id,
            now: now.and_then(|i| i.id),
            created: image.and_then(|i| i.created).map(|at| at.to_string()),
            container_created: container.created.map(|at| at.to_string()),
            labels: labels.unwrap_or_default().into_iter().collect(),
        })
    }

    /// Reads the last lines of a container's log, both streams together.
    ///
    /// # Errors
    /// If its log cannot be read.
    pub async fn log_tail(&self, name: &str, lines: u32) -> Result<Vec<u8>, DockerError> {
        let options = LogsOptionsBuilder::new()
            .stdout(true)
            .stderr(true)
            .tail(&lines.to_string())
            .build();
        let mut answers = self.api.logs(name, Some(options));
        call(
            || format!("read the log of container {name}"),
            CALL_DEADLINE,
            async move {
                let mut all = Vec::new();
                while let Some(chunk) = answers.next().await {
                    all.extend_from_slice(&chunk?.into_bytes());
                }
                Ok(all)
            },
        )
        .await
    }
}

fn listed(summary: ContainerSummary) -> ListedContainer {
    ListedContainer {
        id: summary.id.unwrap_or_default(),
        name: summary
            .names
            .unwrap_or_default()
            .first()
            .map_or("", |n| n.trim_start_matches('/'))
            .to_owned(),
        running: summary.state.is_some_and(|s| s.as_ref() == "running"),
        labels: summary.labels.unwrap_or_default(),
    }
}

fn create_body(spec: &ContainerSpec) -> ContainerCreateBody {
    let some = |v: &Vec<String>| (!v.is_empty()).then(|| v.clone());
    ContainerCreateBody {
        image: Some(spec.image.clone()),
        cmd: some(&spec.command),
        env: some(&spec.env),
        labels: Some(spec.labels.clone()),
        tty: Some(spec.tty),
        network_disabled: Some(true),
        host_config: Some(HostConfig {
            network_mode: Some("none".into()),
            readonly_rootfs: Some(true),
            cap_drop: Some(vec!["ALL".into()]),
            security_opt: Some(vec!["no-new-privileges".into()]),
            memory: Some(spec.memory),
            pids_limit: Some(spec.pids),
            log_config: Some(HostConfigLogConfig {
                typ: Some(spec.log_driver.clone()),
                config: Some(spec.log_options.clone()),
            }),
            ..HostConfig::default()
        }),
        ..ContainerCreateBody::default()
    }
}

/// Awaits a request with a deadline of our own: bollard's covers the response head only.
async fn call<T>(
    what: impl Fn() -> String,
    deadline: Duration,
    request: impl Future<Output = Result<T, bollard::errors::Error>>,
) -> Result<T, DockerError> {
    let span = tracing::debug_span!("engine call", what = what());
    let answer = match timeout(deadline, request.instrument(span.clone())).await {
        Ok(answer) => answer.map_err(|source| DockerError::Answer { what: what(), source }),
        Err(_) => Err(DockerError::Deadline { what: what(), deadline }),
    };
    if let Err(error) = &answer {
        tracing::debug!(parent: &span, error = %error);
    }
    answer
}
