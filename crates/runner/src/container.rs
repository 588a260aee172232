//! A container that runs already, found by its name, its id, or the service that it is in a Compose project.

use leakcheck_model::suggest::{appended, did_you_mean};

use crate::docker::{Docker, DockerError};

/// A container with a process to look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Running {
    /// Its name, or its id if it was named by it.
    pub name: String,
    /// Which it is, in words.
    pub words: String,
    /// Its first process.
    pub pid: u32,
}

/// A container that cannot be looked at.
#[derive(Debug, thiserror::Error)]
pub enum ContainerError {
    /// Neither a container nor a service.
    #[error(
        "no container is called `{name}`, and no Compose service of this name runs{}",
        appended(meant)
    )]
    Absent {
        /// As given.
        name: String,
        /// What was meant, in a sentence, if something is near.
        meant: String,
    },
    /// A service with several containers.
    #[error("the Compose service `{service}` has {} containers; name one of {}", names.len(), names.join(", "))]
    Several {
        /// As given.
        service: String,
        /// What it may mean.
        names: Vec<String>,
    },
    /// It is there and does not run.
    #[error("{0} does not run")]
    Stopped(String),
    /// The engine cannot say.
    #[error(transparent)]
    Docker(#[from] DockerError),
}

impl ContainerError {
    /// Whether the name is a mistake, and not the engine's fault.
    #[must_use]
    pub fn is_mistake(&self) -> bool {
        !matches!(self, Self::Docker(_))
    }
}

/// Finds the container that `name` means; a container of this name goes before a service.
///
/// # Errors
/// [`ContainerError`].
pub async fn find(docker: &Docker, name: &str) -> Result<Running, ContainerError> {
    let (name, words, pid) = match docker.pid(name).await {
        Err(error) if error.is_not_found() => {
            let all = docker.service(name).await?;
            if all.is_empty() {
                let running = docker.running().await?;
                return Err(ContainerError::Absent {
                    name: name.to_owned(),
                    meant: did_you_mean(name, running.iter().map(String::as_str)),
                });
            }
            let only = of_service(name, all)?;
            let pid = docker.pid(&only).await?;
            let words = format!("container {only} (service {name})");
            (only, words, pid)
        }
        other => (name.to_owned(), format!("container {name}"), other?),
    };
    match pid {
        Some(pid) => Ok(Running { name, words, pid }),
        None => Err(ContainerError::Stopped(words)),
    }
}

fn of_service(name: &str, mut names: Vec<String>) -> Result<String, ContainerError> {
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
    fn a_service_means_its_one_container_and_several_are_named() {
        let of = |names: &[&str]| {
            let names = names.iter().map(|n| (*n).to_owned()).collect();
            of_service("web", names).map_err(|error| error.to_string())
        };
        assert_eq!(of(&["p_web_1"]), Ok("p_web_1".to_owned()));
        assert!(of(&["p_web_1", "p_web_2"]).is_err_and(|said| said.contains("name one of p_web_1, p_web_2")));
    }
}
