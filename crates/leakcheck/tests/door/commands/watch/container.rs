//! `leakcheck watch --container` on a real engine.

use std::path::Path;
use std::process::Output;

use tempfile::TempDir;

use super::{result, watch};
use crate::commands::load_image::{docker, load_image};
use crate::commands::undisturbed::undisturbed;
use crate::stand::said;

/// A watch with the engine in reach.
fn watched(folder: &Path, arguments: &[&str]) -> Output {
    undisturbed(|| {
        let mut command = watch(folder, arguments);
        // The engine of whoever runs the tests, which need not be the usual one.
        match std::env::var_os("DOCKER_HOST") {
            Some(host) => command.env("DOCKER_HOST", host),
            None => command.env_remove("DOCKER_HOST"),
        };
        command.output().expect("leakcheck starts")
    })
}

#[test]
fn a_container_is_watched_by_its_name_and_one_that_is_not_there_is_named() {
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
    // Then it is judged by its process, and what cannot be seen of it is said
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert_eq!(result(&output)["target"]["kind"], "container");
    assert!(said(&output).contains("another network namespace"), "{}", said(&output));
    // And so it is by its service, with its control group
    assert_eq!(by_service.status.code(), Some(0), "{}", said(&by_service));
    let metrics = &result(&by_service)["metrics"];
    assert_eq!(metrics["cgroup_memory"]["source"], "cgroup");
    assert!(metrics["cgroup_memory"]["last"].as_f64() > Some(4096.0), "{metrics}");
    assert!(metrics["cgroup_pids"]["last"].as_f64() >= Some(1.0), "{metrics}");
    // And now it is gone
    let output = watched(folder.path(), &["--container", &name]);
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert!(said(&output).contains("no container is called"), "{}", said(&output));
}
