//! `/version`, `/info`, `/events` and other endpoints about the engine.

use std::sync::atomic::Ordering;

use serde_json::{Value, json};

use super::containers;
use crate::clock::{self, Nanos};
use crate::engine::Engine;
use crate::error::ApiError;
use crate::event::Subscription;
use crate::filter::Filters;
use crate::http::{Head, Reply};
use crate::{SIMULATED_LABEL, VERSION};

const OWN_VERSION: &str = env!("CARGO_PKG_VERSION");

pub(super) fn version() -> Reply {
    let (kernel, arch) = (kernel(), arch().1);
    Reply::json(
        200,
        &json!({
            "Platform": { "Name": "leakcheck simulated engine" },
            "Components": [
                {
                    "Name": "Engine", "Version": VERSION,
                    "Details": {
                        "ApiVersion": "1.41", "Arch": arch, "Experimental": "false", "KernelVersion": kernel,
                        "MinAPIVersion": "1.12", "Os": "linux",
                    },
                },
                { "Name": SIMULATED_LABEL, "Version": OWN_VERSION, "Details": {} },
            ],
            "Version": VERSION, "ApiVersion": "1.41", "MinAPIVersion": "1.12", "GitCommit": "", "GoVersion": "",
            "Os": "linux", "Arch": arch, "KernelVersion": kernel, "BuildTime": "",
        }),
    )
}

pub(super) fn info(engine: &Engine) -> Reply {
    let count = containers::count(engine);
    let of = |status: &str| count.get(status).copied().unwrap_or(0);
    let driver = json!({ "Volume": [], "Network": ["bridge", "host", "null"], "Authorization": null, "Log": ["json-file", "local", "none"] });
    let connections = engine.connections.load(Ordering::Relaxed);
    let (dropped, unread) = engine.budget.dropped();
    let mut info = json!({
        "ID": "leakcheck", "Containers": count.values().sum::<usize>(), "ContainersRunning": of("running"),
        "ContainersPaused": of("paused"), "ContainersStopped": of("created") + of("exited"),
        "Images": engine.images().all().count(), "Driver": "simulated",
        "DriverStatus": [
            ["Log bytes held", engine.budget.held().to_string()], ["Log lines dropped", dropped.to_string()],
            ["Log lines dropped unread", unread.to_string()],
        ],
        "Plugins": driver,
        "SystemTime": clock::rfc3339(clock::now()), "LoggingDriver": "json-file", "CgroupDriver": "none", "CgroupVersion": "1",
        "KernelVersion": kernel(), "OperatingSystem": "leakcheck simulated engine", "OSVersion": OWN_VERSION,
        "OSType": "linux", "Architecture": arch().0, "IndexServerAddress": "", "RegistryConfig": {},
        "NCPU": std::thread::available_parallelism().map_or(1, usize::from), "MemTotal": memory(),
        "DockerRootDir": "", "Name": "leakcheck", "Labels": [format!("{SIMULATED_LABEL}=true")], "ServerVersion": VERSION,
        "Runtimes": { "runc": { "path": "none" } }, "DefaultRuntime": "runc",
        "Swarm": { "NodeID": "", "NodeAddr": "", "LocalNodeState": "inactive", "ControlAvailable": false, "Error": "", "RemoteManagers": null },
        "InitBinary": "", "ContainerdCommit": { "ID": "", "Expected": "" }, "RuncCommit": { "ID": "", "Expected": "" },
        "InitCommit": { "ID": "", "Expected": "" }, "SecurityOptions": [], "Warnings": null,
        // Each connection is a descriptor and a task, so a leaking client makes both grow. The listener adds one.
        "NFd": connections + 1, "NGoroutines": connections + 1,
        "NEventsListener": engine.events.listeners(),
    });
    for enabled in
        "MemoryLimit SwapLimit CpuCfsPeriod CpuCfsQuota CPUShares CPUSet PidsLimit IPv4Forwarding BridgeNfIptables \
                BridgeNfIp6tables OomKillDisable KernelMemory KernelMemoryTCP Debug"
            .split_whitespace()
    {
        info[enabled] = json!(true);
    }
    for disabled in ["ExperimentalBuild", "LiveRestoreEnabled"] {
        info[disabled] = json!(false);
    }
    for empty in ["HttpProxy", "HttpsProxy", "NoProxy", "Isolation"] {
        info[empty] = json!("");
    }
    info["GenericResources"] = Value::Null;
    Reply::json(200, &info)
}

pub(super) fn disk_usage(engine: &Engine) -> Reply {
    let images: Vec<Value> = engine.images().all().map(crate::image::Image::summary).collect();
    Reply::json(
        200,
        &json!({ "LayersSize": 0, "Images": images, "Containers": [], "Volumes": [], "BuildCache": [], "BuilderSize": 0 }),
    )
}

pub(super) fn network(engine: &Engine, name: &str) -> Result<Reply, ApiError> {
    let found = engine.networks.named(name).filter(|_| name != "default");
    let found = found.ok_or_else(|| ApiError::not_found(format_args!("network {name} not found")))?;
    Ok(Reply::json(200, &engine.networks.inspect(found)))
}

/// Parses the parameters of `/events`.
pub(super) fn events(engine: &Engine, head: &Head) -> Result<(Subscription, Filters, Option<Nanos>), ApiError> {
    let filters = Filters::parse(&head.query, &[])?;
    let (since, until) = (head.query.time("since")?, head.query.time("until")?);
    if let (Some(from), Some(to)) = (since, until)
        && to < from
    {
        let (since, until) = (head.query.text("since"), head.query.text("until"));
        return Err(ApiError::bad(format_args!(
            "`since` time ({since}) cannot be after `until` time ({until})"
        )));
    }
    // Docker sends past events only to clients that give `since`.
    Ok((engine.events.subscribe(since), filters, until))
}

fn kernel() -> String {
    rustix::system::uname().release().to_string_lossy().into_owned()
}

/// Returns the machine's architecture by the kernel's name and by Go's.
fn arch() -> (&'static str, &'static str) {
    match std::env::consts::ARCH {
        "x86_64" => ("x86_64", "amd64"),
        "aarch64" => ("aarch64", "arm64"),
        other => (other, other),
    }
}

fn memory() -> u64 {
    let info = rustix::system::sysinfo();
    u64::from(info.mem_unit).saturating_mul(info.totalram)
}
