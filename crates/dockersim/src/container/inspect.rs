//! A container as `docker inspect` shows it.

use serde_json::{Map, Value, json};

use super::{Container, State, Status};
use crate::clock::{self, NEVER, Nanos};
use crate::network::Networks;

impl Container {
    pub(crate) fn inspect(&self, networks: &Networks) -> Value {
        let state = self.state();
        let words = self.config.argv();
        let was_started = state.started.is_some();
        let file = |name: &str| {
            if was_started {
                format!("/var/lib/docker/containers/{}/{name}", self.id)
            } else {
                String::new()
            }
        };
        let log = self.config.host.log_driver == "json-file";
        json!({
            "Id": self.id,
            "Created": clock::rfc3339(self.created),
            "Path": words.first(),
            "Args": words.get(1..).unwrap_or_default(),
            "State": state.inspect(),
            "Image": self.config.image_id,
            "ResolvConfPath": file("resolv.conf"),
            "HostnamePath": file("hostname"),
            "HostsPath": file("hosts"),
            "LogPath": if log { file(&format!("{}-json.log", self.id)) } else { String::new() },
            "Name": format!("/{}", state.name),
            "RestartCount": state.restarts,
            "Driver": "simulated",
            "Platform": "linux",
            "MountLabel": "",
            "ProcessLabel": "",
            "AppArmorProfile": "",
            "ExecIDs": null,
            "HostConfig": self.host_config(),
            "GraphDriver": { "Data": null, "Name": "simulated" },
            "Mounts": [],
            "Config": self.inspect_config(),
            "NetworkSettings": {
                "Bridge": "", "SandboxID": state.endpoint.as_deref().unwrap_or_default(),
                "HairpinMode": false, "LinkLocalIPv6Address": "", "LinkLocalIPv6PrefixLen": 0, "Ports": {},
                "SandboxKey": "", "SecondaryIPAddresses": null, "SecondaryIPv6Addresses": null, "EndpointID": "",
                "Gateway": "", "GlobalIPv6Address": "", "GlobalIPv6PrefixLen": 0, "IPAddress": "", "IPPrefixLen": 0,
                "IPv6Gateway": "", "MacAddress": "",
                "Networks": networks.of(&self.config.host.network, state.endpoint.as_deref(), state.is_alive()),
            },
        })
    }

    fn inspect_config(&self) -> Value {
        let config = &self.config;
        let mut value = json!({
            "Hostname": config.hostname.as_deref().unwrap_or(self.short_id()),
            "Domainname": "",
            "User": config.user,
            "AttachStdin": false,
            "AttachStdout": false,
            "AttachStderr": false,
            "Tty": config.tty,
            "OpenStdin": config.open_stdin,
            "StdinOnce": false,
            "Env": if config.env.is_empty() { Value::Null } else { json!(config.env) },
            "Cmd": config.cmd,
            "Image": config.image,
            "Volumes": null,
            "WorkingDir": config.working_dir,
            "Entrypoint": config.entrypoint,
            "OnBuild": null,
            "Labels": config.labels,
        });
        if let Some(signal) = &config.stop_signal {
            value["StopSignal"] = json!(signal);
        }
        if let Some(seconds) = config.stop_timeout {
            value["StopTimeout"] = json!(seconds);
        }
        value
    }

    /// Returns Docker's defaults, overridden by the client's values.
    fn host_config(&self) -> Value {
        let mut host = default_host_config();
        let given: Map<String, Value> = serde_json::from_str(&self.config.host.given).unwrap_or_default();
        for (key, value) in given {
            // An empty value means the default. For `MemorySwappiness` the CLI sends -1 instead.
            let is_default = is_empty(&value) || (key == "MemorySwappiness" && value == -1);
            if host.contains_key(&key) && !is_default {
                host.insert(key, value);
            }
        }
        host.insert(
            "LogConfig".into(),
            json!({ "Type": self.config.host.log_driver, "Config": self.config.host.log_options }),
        );
        host.insert("NetworkMode".into(), json!(self.config.host.network));
        Value::Object(host)
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Number(number) => number.as_f64() == Some(0.0),
        _ => false,
    }
}

/// Returns Docker 20.10's default host configuration.
fn default_host_config() -> Map<String, Value> {
    let names = [
        (
            "",
            "ContainerIDFile VolumeDriver Cgroup PidMode UTSMode UsernsMode Isolation CgroupParent CpusetCpus CpusetMems",
        ),
        (
            "null",
            "Binds PortBindings VolumesFrom CapAdd CapDrop Dns DnsOptions DnsSearch ExtraHosts GroupAdd Links SecurityOpt \
             BlkioWeightDevice BlkioDeviceReadBps BlkioDeviceWriteBps BlkioDeviceReadIOps BlkioDeviceWriteIOps Devices \
             DeviceCgroupRules DeviceRequests MemorySwappiness PidsLimit Ulimits",
        ),
        (
            "0",
            "OomScoreAdj CpuShares Memory NanoCpus BlkioWeight CpuPeriod CpuQuota CpuRealtimePeriod CpuRealtimeRuntime \
             KernelMemory KernelMemoryTCP MemoryReservation MemorySwap CpuCount CpuPercent IOMaximumIOps IOMaximumBandwidth",
        ),
        (
            "false",
            "AutoRemove Privileged PublishAllPorts ReadonlyRootfs OomKillDisable",
        ),
    ];
    let mut host = Map::new();
    for (value, names) in names {
        let value: Value = serde_json::from_str(value).unwrap_or_else(|_| json!(""));
        host.extend(names.split_whitespace().map(|name| (name.to_owned(), value.clone())));
    }
    host.extend([
        ("RestartPolicy".into(), json!({ "Name": "", "MaximumRetryCount": 0 })),
        ("CgroupnsMode".into(), json!("host")),
        ("IpcMode".into(), json!("private")),
        ("ShmSize".into(), json!(67_108_864)),
        ("Runtime".into(), json!("runc")),
        ("ConsoleSize".into(), json!([0, 0])),
        (
            "MaskedPaths".into(),
            json!([
                "/proc/asound",
                "/proc/acpi",
                "/proc/kcore",
                "/proc/keys",
                "/proc/latency_stats",
                "/proc/timer_list",
                "/proc/timer_stats",
                "/proc/sched_debug",
                "/proc/scsi",
                "/sys/firmware"
            ]),
        ),
        (
            "ReadonlyPaths".into(),
            json!(["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]),
        ),
    ]);
    host
}

impl State {
    fn inspect(&self) -> Value {
        let time = |at: Option<Nanos>| at.map_or_else(|| NEVER.to_owned(), clock::rfc3339);
        json!({
            "Status": self.status.name(),
            "Running": self.is_alive() || self.status == Status::Restarting,
            "Paused": self.status == Status::Paused,
            "Restarting": self.status == Status::Restarting,
            "OOMKilled": false,
            "Dead": false,
            // There is no process; any other number could be that of an unrelated process.
            "Pid": 0,
            "ExitCode": self.exit_code,
            "Error": "",
            "StartedAt": time(self.started),
            "FinishedAt": time(self.finished),
        })
    }
}
