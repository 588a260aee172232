//! `leakcheck watch --container` on a real engine.

use std::path::Path;
use std::process::Output;

use tempfile::TempDir;

use super::{result, watch};
use crate::harness::stderr;
use crate::load_image::{docker, load_image};
use crate::retry::retry_missed_samples;

/// Runs a watch that may use the engine.
fn watched(folder: &Path, arguments: &[&str]) -> Output {
    retry_missed_samples(|| {
        let mut command = watch(folder, arguments);
        match std::env::var_os("DOCKER_HOST") {
            Some(host) => command.env("DOCKER_HOST", host),
            None => command.env_remove("DOCKER_HOST"),
        };
        command.output().expect("leakcheck starts")
    })
}

#[test]
fn a_container_is_watched_by_name_or_compose_service() {
    // Given a container of the load image
    let Some(image) = load_image() else { return };
    let folder = TempDir::new().expect("a scratch folder");
    let name = format!("leakcheck-watch-{}", std::process::id());
    let label = format!("leakcheck.run={name}");
    let (service, of_service) = (
        format!("{name}-service"),
        format!("com.docker.compose.service={name}-service"),
    );
    let noise = ["noise", "--run", "k3", "--emitter", "a"];
    let run = [
        "run",
        "-d",
        "--network",
        "none",
        "--name",
        &name,
        "--label",
        &label,
        "--label",
        &of_service,
        &image,
    ];
    let started = docker(&[&run[..], &noise[..]].concat());
    let by_name = [
        "--container",
        &name,
        "--duration",
        "5s",
        "--limit",
        "fds: max < 50",
        "--json",
    ];
    let output = watched(folder.path(), &by_name);
    let limits = [
        "--limit",
        "cgroup_memory: max < 1 GiB",
        "--limit",
        "cgroup_pids: max < 100",
    ];
    let by_service = [&["--container", &service, "--duration", "2s", "--json"], &limits[..]].concat();
    let by_service = watched(folder.path(), &by_service);
    let removed = docker(&["rm", "-f", &name]);
    assert!(started.is_some() && removed.is_some(), "{started:?} {removed:?}");
    // Then it is judged by its process, and the unreachable metrics port is reported
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(result(&output)["target"]["kind"], "container");
    assert!(
        stderr(&output).contains("another network namespace"),
        "{}",
        stderr(&output)
    );
    // And by its Compose service, with its control group
    assert_eq!(by_service.status.code(), Some(0), "{}", stderr(&by_service));
    let metrics = &result(&by_service)["metrics"];
    assert_eq!(metrics["cgroup_memory"]["source"], "cgroup");
    assert!(metrics["cgroup_memory"]["last"].as_f64() > Some(4096.0), "{metrics}");
    assert!(metrics["cgroup_pids"]["last"].as_f64() >= Some(1.0), "{metrics}");
    // And a removed container is a usage error
    let output = watched(folder.path(), &["--container", &name]);
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert!(
        stderr(&output).contains("there is no container and no running Compose service"),
        "{}",
        stderr(&output)
    );
}
