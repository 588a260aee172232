//! The exchanges: what is asked, in order, and what of the answers is compared.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::Answers;
use crate::client::{Answer, Client};
use crate::image;
use crate::normal::Normal;

/// One run of the exchanges against one engine. What it made is removed when it is dropped.
pub(crate) struct Session {
    pub(crate) client: Client,
    pub(crate) prefix: String,
    normal: Normal,
    answers: Answers,
}

/// `filters` that select what this run made.
pub(crate) fn of_run(prefix: &str) -> String {
    format!("filters=%7B%22label%22%3A%5B%22leakcheck.run%3D{prefix}%22%5D%7D")
}

impl Session {
    pub(crate) fn new(socket: &Path) -> Self {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .expect("after 1970")
            .as_nanos();
        // Not a number of hexadecimal digits that could be taken for an id.
        let prefix = format!("lcconf{}z", now % 1_000_000_000_000);
        let session = Self {
            client: Client::new(socket),
            normal: Normal::new(&prefix),
            prefix,
            answers: Answers::new(),
        };
        session.import();
        session
    }

    fn import(&self) {
        self.import_as(&self.prefix);
    }

    pub(crate) fn import_as(&self, name: &str) {
        // The simulated engine does not look into it.
        let tar = image::tar(name).unwrap_or_default();
        let path = format!(
            "/images/create?fromSrc=-&repo={name}&tag=latest&changes=LABEL%20leakcheck.run%3D{}&changes=ENV%20PATH%3D%2Fbin",
            self.prefix
        );
        let answer = self.client.send("POST", &path, "application/x-tar", &tar);
        assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    }

    /// The name that this run gives to something.
    pub(crate) fn name(&self, name: &str) -> String {
        format!("{}-{name}", self.prefix)
    }

    pub(crate) fn note(&mut self, title: &str, answer: Value) {
        let answer = self.normal.value(answer);
        assert!(
            self.answers.insert(self.normal.text(title), answer).is_none(),
            "{title:?} twice"
        );
    }

    /// Asks and notes status, type and JSON.
    pub(crate) fn ask(&mut self, title: &str, method: &str, path: &str) -> Answer {
        let answer = self.client.ask(method, path);
        self.note(title, whole(&answer));
        answer
    }

    pub(crate) fn body(&self, cmd: &Value) -> Value {
        json!({ "Image": self.prefix, "Cmd": cmd, "Labels": { "leakcheck.run": self.prefix, "a": "b" }, "HostConfig": { "NetworkMode": "none",
            // Said, because an engine may have defaults of its own.
            "LogConfig": { "Type": "json-file", "Config": { "max-size": "10m", "max-file": "3" } } } })
    }

    pub(crate) fn create_quietly(&self, name: &str, body: &Value) {
        let answer = self
            .client
            .ask_json("POST", &format!("/containers/create?name={}", self.name(name)), body);
        assert_eq!(answer.status, 201, "{}", String::from_utf8_lossy(&answer.body));
    }

    fn create(&mut self, title: &str, name: &str, body: &Value) {
        let answer = self.client.ask_json(
            "POST",
            &format!("/v1.41/containers/create?name={}", self.name(name)),
            body,
        );
        self.note(title, whole(&answer));
    }

    pub(crate) fn path(&self, name: &str, action: &str) -> String {
        format!("/containers/{}/{action}", self.name(name))
    }

    /// Runs a container to its end.
    pub(crate) fn run_to_end(&self, name: &str, body: &Value) {
        self.create_quietly(name, body);
        self.again(name);
    }

    fn again(&self, name: &str) {
        assert_eq!(self.client.ask("POST", &self.path(name, "start")).status, 204);
        assert_eq!(self.client.ask("POST", &self.path(name, "wait")).status, 200);
    }

    pub(crate) fn logs(&mut self, title: &str, name: &str, query: &str) -> Vec<(u8, String)> {
        let answer = self.client.ask("GET", &format!("{}?{query}", self.path(name, "logs")));
        let frames = if answer.status == 200 {
            answer.frames()
        } else {
            Vec::new()
        };
        let texts: Vec<Value> = frames
            .iter()
            .map(|(stream, text)| json!([stream, squeeze(text)]))
            .collect();
        self.note(title, json!({ "status": answer.status, "type": answer.content_type, "frames": texts, "chunks": answer.chunks.len(),
            "error": if answer.status == 200 { Value::Null } else { answer.json() } }));
        frames
    }

    /// All exchanges.
    pub(crate) fn run(mut self) -> Answers {
        let socket = self.client.socket().to_owned();
        self.about_the_engine();
        self.versions(&socket);
        self.creation();
        self.life();
        self.paused();
        self.restarting();
        self.stopped_by_hand();
        self.log_options();
        self.old_logs(&socket);
        self.log_shapes();
        self.log_bounds();
        self.filters();
        self.images();
        self.images_by_age();
        self.events();
        self.events_by_name();
        self.prunes();
        self.removal();
        std::mem::take(&mut self.answers)
    }

    fn about_the_engine(&mut self) {
        self.ask("ping", "GET", "/_ping");
        self.ask("ping by HEAD", "HEAD", "/v1.24/_ping");
        for (title, path) in [("shape of version", "/version"), ("shape of info", "/v1.41/info")] {
            let answer = self.client.ask("GET", path);
            let known = answer.json();
            let shape = Normal::shape(&known);
            self.note(title, shape);
        }
        self.ask("nothing", "GET", "/nothing");
        let networks = self.client.ask("GET", "/networks").json();
        let shapes = networks.as_array().into_iter().flatten();
        let mut shapes: Vec<String> = shapes
            .filter(|network| network["Name"] != "bridge")
            .map(|network| format!("{} {} {}", network["Name"], network["Driver"], Normal::shape(network)))
            .collect();
        shapes.retain(|shape| shape.starts_with("\"none\"") || shape.starts_with("\"host\""));
        shapes.sort();
        self.note("networks", json!(shapes));
    }

    fn creation(&mut self) {
        let body = self.body(&json!(["sleep", "infinity"]));
        self.create("create", "one", &body);
        self.create("create with a name that is taken", "one", &body);
        self.create("create with a bad name", "!", &body);
        self.create("create without a command", "none", &self.body(&Value::Null).clone());
        let mut unknown = body.clone();
        unknown["Image"] = json!("leakcheck-no-such-image");
        self.create("create of an unknown image", "none", &unknown);
        for (title, kind, text) in [
            ("create with no JSON", "application/json", "xx"),
            ("create with nothing", "application/json", ""),
            ("create with another type", "text/plain", "{}"),
        ] {
            let answer = self.client.send("POST", "/containers/create", kind, text.as_bytes());
            self.note(title, whole(&answer));
        }
        let mut word = self.body(&json!("true"));
        word["HostConfig"]["LogConfig"] =
            json!({ "Type": "json-file", "Config": { "max-size": "1m", "max-file": "2" } });
        self.create("create with a word for a command", "word", &word);
        let path = self.path("word", "json");
        self.ask("inspect of a created container", "GET", &path);
        let path = format!("{}?stdout=1&follow=1", self.path("word", "logs"));
        self.ask("logs of a created container end", "GET", &path);
        self.ask("inspect of nobody", "GET", "/containers/leakcheck-nobody/json");
        self.ask("logs of nobody", "GET", "/containers/leakcheck-nobody/logs?stdout=1");
        self.ask("start of nobody", "POST", "/containers/leakcheck-nobody/start");
        self.ask(
            "a filter that is none",
            "GET",
            "/containers/json?filters=%7B%22foo%22%3A%5B%22x%22%5D%7D",
        );
        self.ask(
            "a status that is none",
            "GET",
            "/containers/json?filters=%7B%22status%22%3A%5B%22foo%22%5D%7D",
        );
        self.ask("filters that are no JSON", "GET", "/containers/json?filters=zzz");
    }

    fn life(&mut self) {
        let one = self.name("one");
        let list = format!("/containers/json?{}", of_run(&self.prefix));
        self.ask("list before a start", "GET", &list);
        for (title, method, action) in [
            ("start", "POST", "start"),
            ("start of a running container", "POST", "start"),
            ("inspect of a running container", "GET", "json"),
            ("pause", "POST", "pause"),
            ("pause of a paused container", "POST", "pause"),
            ("start of a paused container", "POST", "start"),
            ("unpause", "POST", "unpause"),
            ("unpause of a running container", "POST", "unpause"),
            ("kill with a bad signal", "POST", "kill?signal=FOO"),
            ("kill with a harmless signal", "POST", "kill?signal=SIGUSR1"),
            ("stop with a bad time", "POST", "stop?t=abc"),
        ] {
            self.ask(title, method, &format!("/containers/{one}/{action}"));
        }
        self.ask("list while it runs", "GET", &list);
        let id = self.client.ask("GET", &format!("/containers/{one}/json")).json()["Id"]
            .as_str()
            .expect("an id")
            .to_owned();
        self.ask(
            "inspect by the beginning of an id",
            "GET",
            &format!("/containers/{}/json", &id[..20]),
        );
        self.ask("remove of a running container", "DELETE", &format!("/containers/{one}"));
        for (title, method, action) in [
            ("rename to nothing", "POST", "rename?name=".to_owned()),
            ("rename to a bad name", "POST", "rename?name=a!".to_owned()),
            (
                "rename to a taken name",
                "POST",
                format!("rename?name={}", self.name("word")),
            ),
            ("rename to the same name", "POST", format!("rename?name={one}")),
            ("stop", "POST", "stop?t=1".to_owned()),
            ("stop of a stopped container", "POST", "stop?t=1".to_owned()),
            ("kill of a stopped container", "POST", "kill".to_owned()),
            ("pause of a stopped container", "POST", "pause".to_owned()),
            ("wait for a stopped container", "POST", "wait".to_owned()),
            ("inspect of a stopped container", "GET", "json".to_owned()),
            ("restart", "POST", "restart?t=0".to_owned()),
            ("rename", "POST", format!("rename?name={}", self.name("uno"))),
        ] {
            self.ask(title, method, &format!("/containers/{one}/{action}"));
        }
        self.ask("list all", "GET", &format!("{list}&all=1"));
        self.ask("list the last", "GET", &format!("{list}&limit=1"));
        for status in ["created", "running", "exited"] {
            let filters = format!(
                "filters=%7B%22status%22%3A%5B%22{status}%22%5D%2C%22label%22%3A%5B%22leakcheck.run%3D{}%22%5D%7D",
                self.prefix
            );
            let names = self.client.ask("GET", &format!("/containers/json?{filters}")).json();
            let names: Vec<Value> = names
                .as_array()
                .into_iter()
                .flatten()
                .map(|c| c["Names"].clone())
                .collect();
            self.note(&format!("list by status {status}"), json!(names));
        }
    }

    fn log_options(&mut self) {
        let mut talk = self.body(&json!([
            "sh",
            "-c",
            "echo one; echo two >&2; echo three; sleep 0.1; echo -n four; exit 3"
        ]));
        talk["Env"] = json!(["X=a b"]);
        talk["HostConfig"]["LogConfig"] = json!({ "Type": "json-file", "Config": { "labels": "a", "env": "X" } });
        self.run_to_end("talk", &talk);
        self.logs("logs without a stream", "talk", "follow=0");
        self.logs("logs", "talk", "stdout=1&stderr=1");
        self.logs("logs of standard output", "talk", "stdout=true");
        self.logs("logs of standard error", "talk", "stderr=True&stdout=0");
        let stamped = self.logs("logs with times", "talk", "stdout=1&stderr=1&timestamps=1");
        self.logs(
            "logs with times and details",
            "talk",
            "stdout=1&stderr=1&timestamps=1&details=1",
        );
        self.logs("logs with details", "talk", "stdout=1&stderr=1&details=1");
        for tail in ["0", "1", "2", "3", "100", "all", "abc", "-1"] {
            self.logs(
                &format!("logs with tail {tail}"),
                "talk",
                &format!("stdout=1&stderr=1&tail={tail}"),
            );
        }
        self.logs("logs of standard error with tail 2", "talk", "stderr=1&tail=2");
        self.logs("logs since nonsense", "talk", "stdout=1&since=abc");
        self.logs("logs until nonsense", "talk", "stdout=1&until=abc");
        self.logs(
            "logs since a time as text",
            "talk",
            "stdout=1&since=2026-01-01T00:00:00Z",
        );
        self.logs("logs since the future", "talk", "stdout=1&since=4000000000");
        self.logs("logs until the past", "talk", "stdout=1&until=1000000000");
        self.logs(
            "logs followed after the end",
            "talk",
            "stdout=1&stderr=1&follow=1&tail=1",
        );
        self.logs(
            "logs since 0 until 0",
            "talk",
            "stdout=1&stderr=1&since=0&until=0&tail=all",
        );
        let seconds = |nanos: i128| format!("{}.{:09}", nanos / 1_000_000_000, nanos % 1_000_000_000);
        let second_line = nanos_of(&stamped[1].1);
        self.logs(
            "logs since the second line",
            "talk",
            &format!("stdout=1&stderr=1&since={}", seconds(second_line)),
        );
        self.logs(
            "logs since a nanosecond later",
            "talk",
            &format!("stdout=1&stderr=1&since={}", seconds(second_line + 1)),
        );
        self.logs(
            "logs until the second line",
            "talk",
            &format!("stdout=1&stderr=1&until={}", seconds(second_line)),
        );
        self.logs(
            "logs until a nanosecond earlier",
            "talk",
            &format!("stdout=1&stderr=1&until={}", seconds(second_line - 1)),
        );
        self.logs(
            "logs since the second line with tail 1",
            "talk",
            &format!("stdout=1&stderr=1&tail=1&since={}", seconds(second_line)),
        );
        self.again("talk");
        self.logs("logs of two runs", "talk", "stdout=1&stderr=1");
    }

    fn log_shapes(&mut self) {
        for length in [16_383, 16_384, 16_385, 40_000] {
            let name = format!("long{length}");
            self.run_to_end(&name, &self.body(&json!(["echo", "x".repeat(length)])));
            let frames = self.logs(&format!("a line of {length}"), &name, "stdout=1&timestamps=1");
            let times: std::collections::BTreeSet<&str> =
                frames.iter().filter_map(|(_, text)| text.split(' ').next()).collect();
            self.note(&format!("times of a line of {length}"), json!(times.len()));
        }
        let mut tty = self.body(&json!(["sh", "-c", "echo one; echo two >&2"]));
        tty["Tty"] = json!(true);
        self.run_to_end("tty", &tty);
        for query in ["stdout=1&stderr=1&timestamps=1", "stdout=1", "stderr=1"] {
            let answer = self.client.ask("GET", &format!("{}?{query}", self.path("tty", "logs")));
            self.note(&format!("logs of a terminal, {query}"), whole(&answer));
        }
        let mut silent = self.body(&json!(["echo", "unheard"]));
        silent["HostConfig"]["LogConfig"] = json!({ "Type": "none" });
        self.run_to_end("silent", &silent);
        self.logs("logs of a driver that cannot be read", "silent", "stdout=1");
        self.create_quietly(
            "slow",
            // Docker's follower gives up what it has not read when the log's writer closes, so the end comes late.
            &self.body(&json!([
                "sh",
                "-c",
                "echo a; sleep 0.3; echo b; sleep 0.3; echo c; sleep 2"
            ])),
        );
        assert_eq!(self.client.ask("POST", &self.path("slow", "start")).status, 204);
        self.logs("logs followed to the end", "slow", "stdout=1&follow=1");
        self.until_while_followed();
        self.again("slow");
        self.logs("logs of the second run followed", "slow", "stdout=1&follow=1&tail=2");
    }

    /// `until` with `follow` ends with the first line that comes too late, and not before.
    fn until_while_followed(&mut self) {
        // Ten seconds of lines: however late the request comes, there is a later one.
        let script = "echo a; sleep 0.5; ".repeat(20) + "sleep infinity";
        self.create_quietly("until", &self.body(&json!(["sh", "-c", script])));
        assert_eq!(self.client.ask("POST", &self.path("until", "start")).status, 204);
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .expect("after 1970")
            .as_secs_f64();
        // The fraction is compared by its digits, so it has nine of them.
        self.logs(
            "logs followed until a moment",
            "until",
            &format!("stdout=1&follow=1&until={:.9}", now - 60.0),
        );
        let path = format!("/containers/{}?force=1", self.name("until"));
        assert_eq!(self.client.ask("DELETE", &path).status, 204);
    }

    fn images(&mut self) {
        let image = self.prefix.clone();
        self.ask("images of the run", "GET", &format!("/images/json?{}", of_run(&image)));
        self.ask("inspect of an image", "GET", &format!("/images/{image}/json"));
        self.ask(
            "inspect of an unknown image",
            "GET",
            "/images/leakcheck-no-such-image/json",
        );
        self.ask(
            "tag of an image",
            "POST",
            &format!("/images/{image}/tag?repo={image}-too&tag=v1"),
        );
        self.ask(
            "removal of a name of an image",
            "DELETE",
            &format!("/images/{image}-too:v1"),
        );
        self.ask("removal of an image in use", "DELETE", &format!("/images/{image}"));
        self.ask(
            "removal of an unknown image",
            "DELETE",
            "/images/leakcheck-no-such-image",
        );
    }

    fn events(&mut self) {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .expect("after 1970")
            .as_secs()
            + 1;
        let path = format!("/events?since=0&until={now}&{}", of_run(&self.prefix));
        let answer = self.client.ask("GET", &path);
        // The real engine's memory of events is shared with everybody else on the machine: only the latest of our own.
        let name = self.name("slow");
        let mine: Vec<Value> = answer
            .json_lines()
            .into_iter()
            .filter(|event| event["Actor"]["Attributes"]["name"] == name.as_str())
            .collect();
        let mine: Vec<Value> = mine.into_iter().map(|event| json!(event)).collect();
        self.note("events of a container", json!(mine));
        self.ask("events since nonsense", "GET", "/events?since=abc&until=1");
        self.ask("events that end before they begin", "GET", "/events?since=100&until=50");
    }

    fn removal(&mut self) {
        // Long enough that it is still there when it is asked for, on a machine that is held up for a while.
        let mut passing = self.body(&json!(["sleep", "5"]));
        passing["HostConfig"]["AutoRemove"] = json!(true);
        self.create_quietly("passing", &passing);
        assert_eq!(self.client.ask("POST", &self.path("passing", "start")).status, 204);
        let path = self.path("passing", "wait?condition=removed");
        self.ask("wait for a removal", "POST", &path);
        let path = self.path("passing", "json");
        self.ask("inspect of a removed container", "GET", &path);
        let path = format!("/containers/{}", self.name("uno"));
        self.ask("remove by force", "DELETE", &format!("{path}?force=1"));
        self.ask("remove again", "DELETE", &path);
        let pruned = self
            .client
            .ask("POST", &format!("/containers/prune?{}", of_run(&self.prefix)));
        let count = pruned.json()["ContainersDeleted"].as_array().map_or(0, Vec::len);
        self.note("prune by label", json!({ "status": pruned.status, "count": count }));
        let path = format!("/containers/prune?{}", of_run(&self.prefix));
        self.ask("prune with nothing left", "POST", &path);
        let path = format!("/images/{}", self.prefix);
        self.ask("removal of an image", "DELETE", &path);
        let path = format!("/images/prune?{}", of_run(&self.prefix));
        self.ask("prune of images with nothing left", "POST", &path);
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let list = self
            .client
            .ask("GET", &format!("/containers/json?all=1&{}", of_run(&self.prefix)))
            .json();
        for container in list.as_array().into_iter().flatten() {
            self.client.ask(
                "DELETE",
                &format!("/containers/{}?force=1", container["Id"].as_str().unwrap_or_default()),
            );
        }
        for image in [self.prefix.clone(), format!("{}-two", self.prefix)] {
            self.client.ask("DELETE", &format!("/images/{image}?force=1"));
        }
    }
}

pub(crate) fn whole(answer: &Answer) -> Value {
    json!({ "status": answer.status, "type": answer.content_type, "body": answer.json() })
}

/// Long lines are shown by their length.
fn squeeze(text: &str) -> String {
    let long = text.matches('x').count();
    if long < 1000 {
        text.to_owned()
    } else {
        format!("{} x, {} bytes", long, text.len())
    }
}

/// The time that a stamped line begins with.
fn nanos_of(line: &str) -> i128 {
    let stamp = line.split(' ').next().expect("a time");
    stamp.parse::<jiff::Timestamp>().expect("a time").as_nanosecond()
}
