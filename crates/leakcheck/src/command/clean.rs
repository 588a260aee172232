//! `leakcheck clean`: removes containers (by label) and scratch folders (by name and lock) that earlier runs left behind.

use std::process::ExitCode;

use clap::Args;
use leakcheck_runner::docker::Docker;
use leakcheck_runner::{IMAGE_LABEL, engine, remove_abandoned_scratch, remove_containers};

use crate::exit_code::Exit;
use crate::failure::Failure;
use crate::runtime::runtime;
use crate::style;

/// Arguments of `leakcheck clean`.
#[derive(Args)]
#[command(after_help = "\
Examples:
  leakcheck clean                                 containers of all runs, even of one in progress
  leakcheck clean --run 20261122-213352-jjbp      only of this run
  leakcheck clean --images                        also the load images")]
pub(crate) struct Arguments {
    /// Address of the engine [default: DOCKER_HOST, then the default socket]
    #[arg(long, value_name = "URI")]
    docker_host: Option<String>,
    /// Only this run's containers
    #[arg(long, value_name = "RUN_ID")]
    run: Option<String>,
    /// Also remove the load images
    #[arg(long)]
    images: bool,
}

/// Removes containers with the label `leakcheck.run`.
///
/// # Errors
/// If the engine does not answer.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let address = engine::address(arguments.docker_host.as_deref()).map_err(|e| Failure::usage(e.to_string()))?;
    let folders = remove_abandoned_scratch(arguments.run.as_deref());
    if folders > 0 {
        style::print_line(&format!("removed {}", counted(folders, "scratch folder")));
    }
    let failed = |error: leakcheck_runner::docker::DockerError| Failure::no_verdict(error.to_string());
    let docker = Docker::connect(address).map_err(failed)?;
    runtime()?.block_on(async {
        docker.ping().await.map_err(failed)?;
        let removed = remove_containers(&docker, arguments.run.as_deref())
            .await
            .map_err(failed)?;
        if removed > 0 || folders == 0 {
            style::print_line(&summary(removed, arguments.run.as_deref()));
        }
        if arguments.images {
            for image in docker.images_with(IMAGE_LABEL).await.map_err(failed)? {
                match docker.remove_image(&image).await {
                    Ok(()) => style::print_line(&format!("removed image {image}")),
                    Err(error) => style::print_line(&format!("kept image {image}: {error}")),
                }
            }
        }
        Ok(Exit::Success.into())
    })
}

/// The line about removed containers. For an unknown run id it names the id, which may be mistyped.
fn summary(removed: usize, run: Option<&str>) -> String {
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
    use super::summary;

    #[test]
    fn an_unknown_run_is_named() {
        assert!(summary(0, Some("nope")).contains("no run called `nope` left a container"));
        assert!(summary(0, None).starts_with("nothing to remove"));
        assert_eq!(summary(1, Some("x")), "removed 1 container");
        assert_eq!(summary(12, None), "removed 12 containers");
    }
}
