//! Exchanges about what is seldom asked: versions of the API and of HTTP, filters, containers that are paused or between
//! two starts, bounds of a log.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::exchanges::{Session, of_run, whole};

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// `filters` of this run and one more.
fn of_run_and(prefix: &str, name: &str, values: &[&str]) -> String {
    let filters = json!({ "label": [format!("leakcheck.run={prefix}")], name: values }).to_string();
    let escaped: String = filters.bytes().map(|byte| format!("%{byte:02X}")).collect();
    format!("filters={escaped}")
}

/// The status line and the body of an answer to HTTP/1.0, with what says how it is framed.
fn ask_old(socket: &Path, path: &str) -> Value {
    let mut stream = UnixStream::connect(socket).expect("the engine listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a deadline");
    let request = format!("GET {path} HTTP/1.0\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("sent");
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).expect("an end");
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let (head, body) = text.split_once("\r\n\r\n").expect("a head");
    let is_chunked = head.to_ascii_lowercase().contains("transfer-encoding");
    json!([head.lines().next(), is_chunked, body])
}

impl Session {
    pub(crate) fn versions(&mut self, socket: &Path) {
        for path in [
            "/v1.11/info",
            "/v1.42/info",
            "/v2/info",
            "/v1.41.1/info",
            "/vx/info",
            "/v1.99/nothing",
            "/v1.22/containers/nobody/json",
            "/v1.22/containers/nobody/logs?stdout=1",
            "/v1.23/containers/nobody/json",
        ] {
            self.ask(&format!("version {path}"), "GET", path);
        }
        for (method, path) in [
            ("GET", "/containers/one/nothing"),
            ("POST", "/containers/one/nothing/more"),
            ("GET", "/containers/one"),
            ("PUT", "/containers/json"),
            ("DELETE", "/_ping"),
            ("GET", "/images/one"),
        ] {
            self.ask(&format!("{method} {path}"), method, path);
        }
        self.note("ping in HTTP/1.0", ask_old(socket, "/_ping"));
    }

    pub(crate) fn old_logs(&mut self, socket: &Path) {
        let path = format!("/containers/{}/logs?stdout=1&stderr=1&follow=1", self.name("talk"));
        self.note("logs in HTTP/1.0", ask_old(socket, &path));
    }

    fn state(&self, name: &str) -> Value {
        let found = self.client.ask("GET", &self.path(name, "json")).json();
        let state = &found["State"];
        json!([
            state["Status"],
            state["Running"],
            state["Paused"],
            state["Restarting"],
            state["ExitCode"]
        ])
    }

    fn until(&self, name: &str, holds: impl Fn(&Value) -> bool) {
        let began = Instant::now();
        while !holds(&self.client.ask("GET", &self.path(name, "json")).json()) {
            assert!(began.elapsed() < PATIENCE, "{name} never came so far");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    pub(crate) fn paused(&mut self) {
        for (name, action) in [
            ("p-stop", "stop?t=1"),
            ("p-kill", "kill"),
            ("p-term", "kill?signal=TERM"),
        ] {
            self.create_quietly(name, &self.body(&json!(["sleep", "infinity"])));
            self.client.ask("POST", &self.path(name, "start"));
            self.client.ask("POST", &self.path(name, "pause"));
            let path = format!("/containers/{}", self.name(name));
            self.ask(&format!("remove of a paused container, {name}"), "DELETE", &path);
            self.ask(
                &format!("{action} of a paused container"),
                "POST",
                &self.path(name, action),
            );
            if name == "p-term" {
                self.until(name, |found| found["State"]["Paused"] == false);
            } else {
                self.until(name, |found| found["State"]["Running"] == false);
            }
            let state = self.state(name);
            self.note(&format!("state after {action} of a paused container"), state);
            self.client.ask("DELETE", &format!("{path}?force=1"));
        }
    }

    /// A container between two starts by its restart policy; after five of them it is there for seconds.
    pub(crate) fn restarting(&mut self) {
        let mut body = self.body(&json!(["false"]));
        body["HostConfig"]["RestartPolicy"] = json!({ "Name": "always" });
        self.create_quietly("again", &body);
        self.client.ask("POST", &self.path("again", "start"));
        self.until("again", |found| {
            found["RestartCount"].as_u64() >= Some(5) && found["State"]["Status"] == "restarting"
        });
        let state = self.state("again");
        self.note("state between two starts", state);
        for status in ["restarting", "running"] {
            let path = format!("/containers/json?{}", of_run_and(&self.prefix, "status", &[status]));
            self.names(&format!("list of {status} with one between two starts"), &path);
        }
        for (method, action) in [
            ("POST", "/pause"),
            ("POST", "/start"),
            ("DELETE", ""),
            ("POST", "/kill"),
        ] {
            let path = format!("/containers/{}{action}", self.name("again"));
            self.ask(&format!("{method} {action} between two starts"), method, &path);
        }
        self.until("again", |found| found["State"]["Restarting"] == false);
        let state = self.state("again");
        self.note("state after a kill between two starts", state);
        self.client
            .ask("DELETE", &format!("/containers/{}?force=1", self.name("again")));
    }

    /// Signals after which a container stays stopped.
    pub(crate) fn stopped_by_hand(&mut self) {
        for (name, own, signal, stays_down) in [
            ("hand-any", None, "USR1", true),
            ("hand-other", Some("SIGINT"), "TERM", false),
            ("hand-own", Some("SIGINT"), "INT", true),
        ] {
            let mut body = self.body(&json!(["sh", "-c", "sleep 1; exit 1"]));
            body["HostConfig"]["RestartPolicy"] = json!({ "Name": "always" });
            if let Some(own) = own {
                body["StopSignal"] = json!(own);
            }
            self.create_quietly(name, &body);
            self.client.ask("POST", &self.path(name, "start"));
            let answer = self
                .client
                .ask("POST", &self.path(name, &format!("kill?signal={signal}")));
            self.until(name, |found| {
                let is_down = found["State"]["Status"] == "exited";
                is_down || found["RestartCount"].as_u64() >= Some(1)
            });
            let found = self.client.ask("GET", &self.path(name, "json")).json();
            let is_down = found["State"]["Status"] == "exited" && found["RestartCount"] == 0;
            assert_eq!(is_down, stays_down, "{name}: {}", found["State"]);
            self.note(
                &format!("kill with {signal}, stop signal {own:?}"),
                json!([answer.status, is_down]),
            );
            self.client
                .ask("DELETE", &format!("/containers/{}?force=1", self.name(name)));
        }
    }

    fn names(&mut self, title: &str, path: &str) {
        let answer = self.client.ask("GET", path);
        let said = answer.json();
        let names = said
            .as_array()
            .map(|all| all.iter().map(|c| c["Names"].clone()).collect::<Vec<_>>());
        self.note(title, names.map_or_else(|| whole(&answer), |names| json!(names)));
    }

    pub(crate) fn filters(&mut self) {
        let taken = self.name("talk");
        let of = |name: &str| self.name(name);
        let (one, pattern, bare) = (of("uno"), format!("^/{taken}$"), format!("^{taken}$"));
        for (name, value) in [
            ("exited", "0"),
            ("exited", "x"),
            ("name", &pattern),
            ("name", &bare),
            ("name", "["),
            ("since", &one),
            ("before", &taken),
            ("before", "leakcheck-nobody"),
            ("ancestor", "leakcheck-no-such-image"),
            ("network", "none"),
            ("network", "bridge"),
            ("health", "none"),
            ("health", "healthy"),
            ("volume", "x"),
            ("is-task", "true"),
            ("is-task", "q"),
        ] {
            let path = format!("/containers/json?{}", of_run_and(&self.prefix, name, &[value]));
            self.names(&format!("list of those that run by {name} {value}"), &path);
        }
        let path = format!("/containers/json?all=1&{}", of_run_and(&self.prefix, "exited", &["3"]));
        self.names("list of all by exited 3", &path);
    }

    pub(crate) fn prunes(&mut self) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
        for values in [&["abc"][..], &["10m", "5m"], &["10m"], &["2020-01-01T00:00:00Z"]] {
            for what in ["containers", "images"] {
                let path = format!("/{what}/prune?{}", of_run_and(&self.prefix, "until", values));
                self.ask(
                    &format!("prune of {what} until {}", values.join(" and ")),
                    "POST",
                    &path,
                );
            }
        }
        let path = format!(
            "/events?since={}.{:09}&until={}&filters=%7B%22event%22%3A%5B%22prune%22%5D%7D",
            now.as_secs(),
            now.subsec_nanos(),
            now.as_secs() + 1
        );
        let mut events = self.client.ask("GET", &path).json_lines();
        events.truncate(1);
        // Everybody on the machine may prune just then.
        events
            .iter_mut()
            .for_each(|event| event["Actor"]["Attributes"]["reclaimed"] = json!("SIZE"));
        self.note("event of a prune", json!(events));
    }

    pub(crate) fn images_by_age(&mut self) {
        let (one, two) = (self.prefix.clone(), format!("{}-two", self.prefix));
        self.import_as(&two);
        for (name, value) in [
            ("before", &one),
            ("before", &two),
            ("since", &one),
            ("since", &two),
            ("since", &"leakcheck-no-such-image".to_owned()),
            ("reference", &format!("{one}*")),
            ("reference", &format!("{one}?two:l*")),
            ("reference", &one),
        ] {
            let answer = self
                .client
                .ask("GET", &format!("/images/json?{}", of_run_and(&one, name, &[value])));
            let said = answer.json();
            let tags = said.as_array().map(|all| {
                let mut tags: Vec<String> = all.iter().map(|image| image["RepoTags"].to_string()).collect();
                tags.sort();
                tags
            });
            self.note(
                &format!("images by {name} {value}"),
                tags.map_or_else(|| whole(&answer), |tags| json!(tags)),
            );
        }
        self.client.ask("DELETE", &format!("/images/{two}"));
    }

    /// Of ten lines in files of four, two files are kept.
    pub(crate) fn log_bounds(&mut self) {
        let line = "x".repeat(200);
        let script: Vec<String> = (0..10).map(|number| format!("echo {number}{line}")).collect();
        let mut body = self.body(&json!(["sh", "-c", script.join("; ")]));
        body["HostConfig"]["LogConfig"]["Config"] = json!({ "max-size": "1k", "max-file": "2" });
        self.run_to_end("ring", &body);
        self.logs("logs of a ring", "ring", "stdout=1");
        let mut tty = self.body(&json!(["sh", "-c", "echo one; sleep 0.3; echo two; sleep 2"]));
        tty["Tty"] = json!(true);
        self.create_quietly("tty-follow", &tty);
        self.client.ask("POST", &self.path("tty-follow", "start"));
        let answer = self
            .client
            .ask("GET", &self.path("tty-follow", "logs?stdout=1&follow=1"));
        self.note("logs of a terminal followed", whole(&answer));
        self.client.ask("POST", &self.path("tty-follow", "wait"));
        self.client
            .ask("DELETE", &format!("/containers/{}?force=1", self.name("tty-follow")));
    }

    /// The last event of a container that is named by the beginning of its name.
    pub(crate) fn events_by_name(&mut self) {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .expect("after 1970")
            .as_secs()
            + 1;
        let name = self.name("slo");
        let filters = format!("filters=%7B%22container%22%3A%5B%22{name}%22%5D%7D");
        let events = self
            .client
            .ask("GET", &format!("/events?since=0&until={now}&{filters}"))
            .json_lines();
        let last = events
            .last()
            .map(|event| json!([event["Action"], event["Actor"]["Attributes"]["name"]]));
        self.note("the last event by the beginning of a name", json!(last));
        let path = format!(
            "/events?since=0&until={now}&{}",
            of_run(&self.prefix).replace("label", "volume")
        );
        let count = self.client.ask("GET", &path).json_lines().len();
        self.note("events of a volume that is none", json!(count));
    }
}
