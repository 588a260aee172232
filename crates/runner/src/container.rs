//! Finds a running container by name, id or Compose service.

use leakcheck_model::suggest::{appended, did_you_mean};

use crate::docker::{Docker, DockerError};

/// A running container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunningContainer {
    /// Name, or the id if it was found by that.
    pub name: String,
    /// Description for reports: container, and service if it was found by that.
    pub description: String,
    /// Process id of its first process.
    pub pid: u32,
}

/// A container that cannot be measured.
#[derive(Debug, thiserror::Error)]
pub enum ContainerError {
    /// No container and no running service has this name.
    #[error(
        "there is no container and no running Compose service `{name}`{}",
        appended(suggestion)
    )]
    Absent {
        /// The name as given.
        name: String,
        /// A sentence with the nearest name, or empty.
        suggestion: String,
    },
    /// A service with several containers.
    #[error("the Compose service `{service}` has {} containers; name one of {}", names.len(), names.join(", "))]
    Several {
        /// The name as given.
        service: String,
        /// Its containers.
        names: Vec<String>,
    },
    /// The container is stopped.
    #[error("{0} is not running")]
    Stopped(String),
    /// The engine did not answer.
    #[error(transparent)]
    Docker(#[from] DockerError),
}

impl ContainerError {
    /// Returns true if the name is wrong, as opposed to a failed call.
    #[must_use]
    pub fn is_wrong_name(&self) -> bool {
        !matches!(self, Self::Docker(_))
    }
}

/// Finds a container by `name`; a container of this name takes precedence over a service.
///
/// # Errors
/// [`ContainerError`].
pub async fn find(docker: &Docker, name: &str) -> Result<RunningContainer, ContainerError> {
    let (name, description, pid) = match docker.pid(name).await {
        Err(error) if error.is_not_found() => {
            let all = docker.service_containers(name).await?;
            if all.is_empty() {
                let running = docker.running_names().await?;
                return Err(ContainerError::Absent {
                    name: name.to_owned(),
                    suggestion: did_you_mean(name, running.iter().map(String::as_str)),
                });
            }
            let only = only_container(name, all)?;
            let pid = docker.pid(&only).await?;
            let description = format!("container {only} (service {name})");
            (only, description, pid)
        }
        other => (name.to_owned(), format!("container {name}"), other?),
    };
    match pid {
        Some(pid) => Ok(RunningContainer { name, description, pid }),
        None => Err(ContainerError::Stopped(description)),
    }
}

fn only_container(name: &str, mut names: Vec<String>) -> Result<String, ContainerError> {
    match (names.len(), names.pop()) {
        (1, Some(only)) => Ok(only),
        (_, last) => {
            names.extend(last);
            Err(ContainerError::Several {
                service: name.to_owned(),
                names,
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_with_one_container_is_found_and_several_are_listed() {
        let of = |names: &[&str]| {
            let names = names.iter().map(|n| (*n).to_owned()).collect();
            only_container("web", names).map_err(|error| error.to_string())
        };
        assert_eq!(of(&["p_web_1"]), Ok("p_web_1".to_owned()));
        assert!(of(&["p_web_1", "p_web_2"]).is_err_and(|message| message.contains("name one of p_web_1, p_web_2")));
    }
}
