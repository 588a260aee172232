//! The Docker API as the runner uses it: the one file here that names bollard. Real and simulated engines are reached
//! alike; only the socket differs.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use bollard::models::{ContainerCreateBody, ContainerSummary, HostConfig, HostConfigLogConfig};
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, CreateImageOptionsBuilder, ListContainersOptionsBuilder, ListImagesOptionsBuilder,
    LogsOptionsBuilder, RemoveContainerOptionsBuilder, RemoveImageOptionsBuilder, StopContainerOptionsBuilder,
};
use bollard::{API_DEFAULT_VERSION, BollardRequest};
use futures_util::StreamExt as _;
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use leakcheck_model::event::{EngineFacts, ImageFacts};
use leakcheck_model::error_chain;
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use crate::host::Host;

/// An engine under load answers a create or start within seconds; one that takes a minute is lost.
const CALL_DEADLINE: Duration = Duration::from_secs(60);

/// An import of some 100 MB takes seconds.
const IMPORT_DEADLINE: Duration = Duration::from_secs(180);

/// An engine that is there accepts at once.
const CONNECT_DEADLINE: Duration = Duration::from_secs(5);

/// The label by which Docker Compose says to which service a container belongs.
const COMPOSE_SERVICE: &str = "com.docker.compose.service";

/// A client of one engine.
#[derive(Clone)]
pub struct Docker {
    api: bollard::Docker,
    host: Host,
}

/// A call to the engine that did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum DockerError {
    /// It answered with an error, or not in its language.
    #[error("failed to {what}: {}", plainly(source))]
    Answer {
        /// The call, in words.
        what: String,
        /// As bollard has it.
        #[source]
        source: bollard::errors::Error,
    },
    /// It did not answer.
    #[error("failed to {what}: no answer within {} s", deadline.as_secs())]
    Deadline {
        /// The call, in words.
        what: String,
        /// How long was waited.
        deadline: Duration,
    },
}

impl DockerError {
    /// Whether the engine says that there is no such thing.
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

    /// Whether the engine answered at all.
    #[must_use]
    pub fn is_answer(&self) -> bool {
        self.status().is_some()
    }
}

fn plainly(error: &bollard::errors::Error) -> String {
    match error {
        bollard::errors::Error::DockerResponseServerError { status_code, message } => {
            format!("{} (HTTP {status_code})", message.trim())
        }
        other => error_chain(other),
    }
}

/// What a container of the load is made of.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ContainerSpec {
    /// Its name in the engine.
    pub name: String,
    /// Its image.
    pub image: String,
    /// Its command; empty for the image's own.
    pub command: Vec<String>,
    /// `KEY=VALUE`.
    pub env: Vec<String>,
    /// Its labels.
    pub labels: HashMap<String, String>,
    /// Memory limit in bytes.
    pub memory: i64,
    /// Process limit.
    pub pids: i64,
    /// Whether it has a terminal.
    pub tty: bool,
    /// Log driver.
    pub log_driver: String,
    /// Its options.
    pub log_options: HashMap<String, String>,
}

/// A container as the engine lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Whether it runs.
    pub running: bool,
    /// Its labels.
    pub labels: HashMap<String, String>,
}

impl Docker {
    /// A client; nothing is sent yet.
    #[must_use]
    pub fn new(host: Host) -> Self {
        let tasks = TaskTracker::new();
        let target = Arc::new(host.clone());
        let transport = move |request: BollardRequest| {
            let (target, tasks) = (Arc::clone(&target), tasks.clone());
            Box::pin(async move { send(&target, &tasks, request).await })
                as std::pin::Pin<Box<dyn Future<Output = _> + Send>>
        };
        let api = bollard::Docker::connect_with_custom_transport(
            transport,
            Some("http://engine"),
            CALL_DEADLINE.as_secs(),
            API_DEFAULT_VERSION,
        )
        .unwrap_or_else(|_| unreachable!("bollard builds a custom transport without looking at anything"));
        Self { api, host }
    }

    /// Where it is.
    #[must_use]
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// Who is there.
    ///
    /// # Errors
    /// If nobody answers, or not as a Docker engine does.
    pub async fn hello(&self) -> Result<EngineFacts, DockerError> {
        let what = || format!("reach a Docker engine at {}", self.host);
        let version = within(what, CONNECT_DEADLINE * 2, self.api.version()).await?;
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
            host: self.host.to_string(),
            program: None,
            pid: None,
        })
    }

    /// What the engine counts of itself: descriptors and goroutines; `None` for what it does not say.
    ///
    /// # Errors
    /// If the engine does not answer.
    pub async fn own_counts(&self) -> Result<(Option<i64>, Option<i64>), DockerError> {
        let what = || "ask the engine for its own counts".into();
        let info = within(what, CONNECT_DEADLINE, self.api.info()).await?;
        Ok((info.nfd, info.n_goroutines))
    }

    /// How many lines a simulated engine gave up, for want of room, before a client that follows them had read them.
    ///
    /// # Errors
    /// If the engine does not answer.
    pub async fn lines_dropped_unread(&self) -> Result<u64, DockerError> {
        let what = || "ask the engine for what it dropped".into();
        let info = within(what, CONNECT_DEADLINE, self.api.info()).await?;
        let status = info.driver_status.unwrap_or_default();
        let found = status.iter().find_map(|pair| match &pair[..] {
            [name, value] if name == "Log lines dropped unread" => value.parse().ok(),
            _ => None,
        });
        Ok(found.unwrap_or(0))
    }

    /// Whether there is an image of this name.
    ///
    /// # Errors
    /// If the engine does not answer.
    pub async fn has_image(&self, name: &str) -> Result<bool, DockerError> {
        let answer = within(
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

    /// Makes an image `repository:tag` out of a tar archive that comes in pieces, with the Dockerfile lines `changes`.
    ///
    /// # Errors
    /// If the engine refuses.
    pub async fn import_image(
        &self,
        repository: &str,
        tag: &str,
        mut tar: mpsc::Receiver<std::io::Result<Bytes>>,
        changes: Vec<String>,
    ) -> Result<(), DockerError> {
        let options = CreateImageOptionsBuilder::new()
            .from_src("-")
            .repo(repository)
            .tag(tag)
            .changes(changes)
            .build();
        let pieces = futures_util::stream::poll_fn(move |context| tar.poll_recv(context));
        let mut answers = self
            .api
            .create_image(Some(options), Some(bollard::body_try_stream(pieces)), None);
        within(
            || format!("make the image {repository}:{tag}"),
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

    /// Names of the images with this label.
    ///
    /// # Errors
    /// If the engine does not answer.
    pub async fn images_with(&self, label: &str) -> Result<Vec<String>, DockerError> {
        let filters = HashMap::from([("label", vec![label])]);
        let options = ListImagesOptionsBuilder::new().all(true).filters(&filters).build();
        let images = within(
            || "list images".into(),
            CALL_DEADLINE,
            self.api.list_images(Some(options)),
        )
        .await?;
        Ok(images
            .into_iter()
            // One whose name was taken by another is listed as `<none>:<none>`, which names nothing.
            .map(|i| i.repo_tags.into_iter().find(|t| !t.contains("<none>")).unwrap_or(i.id))
            .collect())
    }

    /// Removes an image.
    ///
    /// # Errors
    /// If it is in use, or the engine does not answer.
    pub async fn remove_image(&self, name: &str) -> Result<(), DockerError> {
        let options = RemoveImageOptionsBuilder::new().build();
        within(
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
        within(
            what,
            CALL_DEADLINE,
            self.api.create_container(Some(options), body(spec)),
        )
        .await
        .map(|made| made.id)
    }

    /// Starts a container.
    ///
    /// # Errors
    /// If the engine refuses.
    pub async fn start(&self, name: &str) -> Result<(), DockerError> {
        within(
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
        within(
            || format!("stop container {name}"),
            CALL_DEADLINE,
            self.api.stop_container(name, Some(options)),
        )
        .await
    }

    /// Removes a container with its volumes, running or not; one that is gone already is no error.
    ///
    /// # Errors
    /// If the engine refuses.
    pub async fn remove(&self, name: &str) -> Result<(), DockerError> {
        let options = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
        let what = || format!("remove container {name}");
        match within(what, CALL_DEADLINE, self.api.remove_container(name, Some(options))).await {
            // 409: "removal of container … is already in progress".
            Err(error) if error.is_not_found() || error.status() == Some(409) => Ok(()),
            other => other,
        }
    }

    /// All containers with a label, `key` or `key=value`, running or not.
    ///
    /// # Errors
    /// If the engine does not answer.
    pub async fn list(&self, label: &str) -> Result<Vec<Found>, DockerError> {
        let filters = HashMap::from([("label", vec![label])]);
        let options = ListContainersOptionsBuilder::new().all(true).filters(&filters).build();
        let all = within(
            || format!("list the containers labelled {label}"),
            CALL_DEADLINE,
            self.api.list_containers(Some(options)),
        )
        .await?;
        Ok(all.into_iter().map(found).collect())
    }

    /// The names of all running containers, and of the services that they are.
    ///
    /// # Errors
    /// If the engine does not answer.
    pub async fn running(&self) -> Result<BTreeSet<String>, DockerError> {
        let call = self.api.list_containers(None);
        let all = within(|| "list the running containers".into(), CALL_DEADLINE, call).await?;
        let names = all.into_iter().map(found);
        Ok(names
            .flat_map(|mut c| [Some(c.name), c.labels.remove(COMPOSE_SERVICE)])
            .flatten()
            .collect())
    }

    /// The names of the running containers of a service in a Compose project.
    ///
    /// # Errors
    /// If the engine does not answer.
    pub async fn service(&self, name: &str) -> Result<Vec<String>, DockerError> {
        let found = self.list(&format!("{COMPOSE_SERVICE}={name}")).await?;
        let mut names: Vec<String> = found.into_iter().filter(|c| c.running).map(|c| c.name).collect();
        names.sort();
        Ok(names)
    }

    /// The process id of a running container's first process; `None` if it does not run or has none here.
    ///
    /// # Errors
    /// If there is no such container.
    pub async fn pid(&self, name: &str) -> Result<Option<u32>, DockerError> {
        let what = || format!("look at container {name}");
        let found = within(what, CALL_DEADLINE, self.api.inspect_container(name, None)).await?;
        Ok(found
            .state
            .and_then(|s| s.pid)
            .and_then(|pid| u32::try_from(pid).ok())
            .filter(|pid| *pid > 0))
    }

    /// The image that a container runs.
    ///
    /// # Errors
    /// If there is no such container.
    pub async fn image_of(&self, name: &str) -> Result<ImageFacts, DockerError> {
        let what = || format!("look at container {name}");
        let container = within(what, CALL_DEADLINE, self.api.inspect_container(name, None)).await?;
        let id = container.image.unwrap_or_default();
        let named = container.config.and_then(|c| c.image).unwrap_or_default();
        let what = || format!("look at image {named}");
        // Both may be gone from the engine's list while the container runs.
        let image = within(what, CALL_DEADLINE, self.api.inspect_image(&id)).await.ok();
        let now = within(what, CALL_DEADLINE, self.api.inspect_image(&named)).await.ok();
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

    /// The last lines of a container's log, both streams together.
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
        within(
            || format!("read the log of container {name}"),
            CALL_DEADLINE,
            async move {
                let mut all = Vec::new();
                while let Some(piece) = answers.next().await {
                    all.extend_from_slice(&piece?.into_bytes());
                }
                Ok(all)
            },
        )
        .await
    }
}

fn found(listed: ContainerSummary) -> Found {
    Found {
        id: listed.id.unwrap_or_default(),
        name: listed
            .names
            .unwrap_or_default()
            .first()
            .map_or("", |n| n.trim_start_matches('/'))
            .to_owned(),
        running: listed.state.is_some_and(|s| s.as_ref() == "running"),
        labels: listed.labels.unwrap_or_default(),
    }
}

fn body(spec: &ContainerSpec) -> ContainerCreateBody {
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

/// A call with a deadline of our own: bollard's covers the headers only.
async fn within<T>(
    what: impl Fn() -> String,
    deadline: Duration,
    call: impl Future<Output = Result<T, bollard::errors::Error>>,
) -> Result<T, DockerError> {
    match timeout(deadline, call).await {
        Ok(answer) => answer.map_err(|source| DockerError::Answer { what: what(), source }),
        Err(_) => Err(DockerError::Deadline { what: what(), deadline }),
    }
}

/// One request on a connection of its own, as bollard's own transports do it; the connection ends with its answer.
async fn send(
    host: &Host,
    tasks: &TaskTracker,
    mut request: BollardRequest,
) -> Result<hyper::Response<hyper::body::Incoming>, bollard::errors::Error> {
    // HTTP/1.1 wants a host, and a Unix socket has none.
    request
        .headers_mut()
        .insert(hyper::header::HOST, hyper::header::HeaderValue::from_static("engine"));
    macro_rules! on {
        ($stream:expr) => {{
            let connected = timeout(CONNECT_DEADLINE, $stream).await;
            let stream = connected.map_err(|_| std::io::Error::from(std::io::ErrorKind::TimedOut))??;
            let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
            tasks.spawn(async move {
                // A broken connection shows in the answer's body.
                let _ = connection.await;
            });
            Ok(sender.send_request(request).await?)
        }};
    }
    match host {
        Host::Unix(path) => on!(UnixStream::connect(path)),
        Host::Tcp(address) => on!(TcpStream::connect(address)),
    }
}
