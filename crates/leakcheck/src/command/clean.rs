//! `leakcheck clean`: what an earlier run left behind: containers by label, scratch folders by name and lock; nothing else is
//! touched.

use std::process::ExitCode;

use clap::Args;
use leakcheck_runner::docker::Docker;
use leakcheck_runner::{IMAGE_LABEL, engine, remove_abandoned, remove_all};

use super::{Failure, runtime};
use crate::style;

/// Arguments of `leakcheck clean`.
#[derive(Args)]
#[command(after_help = "\
Examples:
  leakcheck clean                                 the containers of every run, also of one that goes on
  leakcheck clean --run 20261122-213352-jjbp      of this run only
  leakcheck clean --images                        the load images too")]
pub(super) struct Arguments {
    /// Address of the engine [default: DOCKER_HOST, then the default socket]
    #[arg(long, value_name = "URI")]
    docker_host: Option<String>,
    /// Only this run's containers
    #[arg(long, value_name = "RUN_ID")]
    run: Option<String>,
    /// Remove the load images too
    #[arg(long)]
    images: bool,
}

/// Removes containers with the label `leakcheck.run`.
///
/// # Errors
/// If the engine does not answer.
pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let host = engine::host(arguments.docker_host.as_deref()).map_err(|e| Failure::usage(e.to_string()))?;
    let folders = remove_abandoned(arguments.run.as_deref());
    if folders > 0 {
        style::say(&format!("removed {}", counted(folders, "scratch folder")));
    }
    let docker = Docker::new(host);
    let failed = |error: leakcheck_runner::docker::DockerError| Failure::no_verdict(error.to_string());
    runtime()?.block_on(async {
        docker.hello().await.map_err(failed)?;
        let removed = remove_all(&docker, arguments.run.as_deref()).await.map_err(failed)?;
        if removed > 0 || folders == 0 {
            style::say(&told(removed, arguments.run.as_deref()));
        }
        if arguments.images {
            for image in docker.images_with(IMAGE_LABEL).await.map_err(failed)? {
                match docker.remove_image(&image).await {
                    Ok(()) => style::say(&format!("removed image {image}")),
                    Err(error) => style::say(&format!("kept image {image}: {error}")),
                }
            }
        }
        Ok(ExitCode::SUCCESS)
    })
}

/// What was removed; of a run that left nothing (or whose id is mistyped) that there is nothing of this name.
fn told(removed: usize, run: Option<&str>) -> String {
    match (removed, run) {
        (0, Some(run)) => format!("nothing to remove: no run called `{run}` left a container on this engine"),
        (0, None) => "nothing to remove: no run left a container on this engine".into(),
        _ => format!("removed {}", counted(removed, "container")),
    }
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::told;

    #[test]
    fn a_run_that_left_nothing_is_named() {
        assert!(told(0, Some("nope")).contains("no run called `nope` left a container"));
        assert!(told(0, None).starts_with("nothing to remove"));
        assert_eq!(told(1, Some("x")), "removed 1 container");
        assert_eq!(told(12, None), "removed 12 containers");
    }
}
