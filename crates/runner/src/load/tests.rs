//! The load against an engine that is slow or refuses calls.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};

use super::*;
use crate::engine_address::EngineAddress;

/// An engine that keeps a list of containers, and treats creates as a test wants it.
#[derive(Default)]
struct FakeEngine {
    containers: Mutex<Vec<String>>,
    creates: AtomicU64,
    /// Creates with these numbers, from 0, are refused.
    refused: Vec<u64>,
    /// Time that a create takes, whether or not its client waits.
    create_takes: Duration,
}

impl FakeEngine {
    /// Serves on a socket in `folder` until the test ends.
    fn serve(self, folder: &std::path::Path) -> (Arc<Self>, Docker) {
        let socket = folder.join("engine.sock");
        let listener = UnixListener::bind(&socket).expect("a socket");
        let engine = Arc::new(self);
        let serving = Arc::clone(&engine);
        let tasks = TaskTracker::new();
        tasks.clone().spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tasks.spawn(Arc::clone(&serving).answer(stream));
            }
        });
        let docker = Docker::connect(EngineAddress::Unix(socket)).expect("the socket exists");
        (engine, docker)
    }

    async fn answer(self: Arc<Self>, mut stream: UnixStream) {
        let head = read_head(&mut stream).await;
        let mut words = head.split(' ');
        let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let name = |from: &str| from.split(['/', '?', '=']).nth(1).unwrap_or_default().to_owned();
        let (status, body) = match (method, path.split_once("/containers")) {
            ("POST", Some((_, rest))) if rest.starts_with("/create") => {
                let number = self.creates.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(self.create_takes).await;
                if self.refused.contains(&number) {
                    (500, r#"{"message":"no space left"}"#.to_owned())
                } else {
                    let name = rest.split(['=', '&']).nth(1).unwrap_or_default().to_owned();
                    self.containers().push(name.clone());
                    (201, format!(r#"{{"Id":"{name}","Warnings":[]}}"#))
                }
            }
            ("DELETE", Some((_, rest))) => {
                let name = name(rest);
                self.containers().retain(|c| *c != name);
                (204, String::new())
            }
            ("GET", Some((_, rest))) if rest.starts_with("/json") => {
                let all: Vec<String> = self.containers().iter().map(|c| format!(r#"{{"Id":"{c}"}}"#)).collect();
                (200, format!("[{}]", all.join(",")))
            }
            ("GET", _) => (200, String::new()),
            _ => (204, String::new()),
        };
        let length = body.len();
        let answer =
            format!("HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}");
        let _ = stream.write_all(answer.as_bytes()).await;
    }

    fn containers(&self) -> MutexGuard<'_, Vec<String>> {
        self.containers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads a request whose body is small.
async fn read_head(stream: &mut UnixStream) -> String {
    let mut received = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&received).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .to_lowercase()
                .lines()
                .find_map(|l| l.strip_prefix("content-length: ")?.parse().ok());
            if body.len() >= length.unwrap_or(0) {
                return text;
            }
        }
        if stream.read_buf(&mut received).await.unwrap_or(0) == 0 {
            return text;
        }
    }
}

fn load(docker: &Docker, containers: u32, lifetime: &str) -> Load {
    let text = format!(
        "name='t'\n[[load]]\nname='a'\nimage='x'\ncontainers={containers}\n{lifetime}\n[target]\nkind='pid'\npid=1\n[limits]\nfds='max < 5'\n"
    );
    let scenario = Scenario::parse(&text).unwrap_or_else(|problems| panic!("{problems:?}"));
    Load::new(docker.clone(), &scenario, "k3", "")
}

#[test]
fn the_final_count_is_found_among_lines_of_the_other_stream() {
    let mut log = Vec::new();
    stamp::Writer::new("r", "n-01", stamp::Stream::Stdout).end(&mut log, Sent { stdout: 7, stderr: 3 });
    stamp::Writer::new("r", "n-01", stamp::Stream::Stderr).line(&mut log, 3, 90, b"abc");
    assert_eq!(final_count(&log, "n-01"), Some(Sent { stdout: 7, stderr: 3 }));
    assert_eq!(final_count(&log, "n-02"), None);
    assert_eq!(final_count(b"nothing here\n", "n-01"), None);
}

#[tokio::test]
async fn a_container_whose_create_was_in_flight_at_the_end_is_removed() {
    let folder = tempfile::tempdir().expect("a folder");
    let fake = FakeEngine {
        create_takes: Duration::from_millis(200),
        ..FakeEngine::default()
    };
    let (engine, docker) = fake.serve(folder.path());
    let load = load(&docker, 3, "");
    // Given a launch that is given up while the engine creates containers
    let launched = tokio::time::timeout(Duration::from_millis(100), load.launch()).await;
    assert!(launched.is_err());
    // When the run cleans up
    load.finish_starting().await;
    let removed = remove_containers(&docker, Some("k3"))
        .await
        .expect("the engine answers");
    // Then none of them is left, now or later
    assert_eq!(removed, 3);
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(*engine.containers(), [""; 0]);
    assert_eq!(load.running().0, 0);
}

#[tokio::test]
async fn churn_goes_on_after_an_error_and_counts_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let fake = FakeEngine {
        refused: vec![1],
        ..FakeEngine::default()
    };
    let (engine, docker) = fake.serve(folder.path());
    // Given a container that lives 100 ms, whose first replacement is refused
    let load = load(&docker, 1, "lifetime='100ms'");
    load.launch().await.expect("launched");
    load.start_churn();
    // Then it is replaced after a pause, and again after that
    let replaced = async {
        while load.started() < 3 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), replaced)
        .await
        .expect("replaced again");
    load.finish_starting().await;
    assert!(engine.creates.load(Ordering::Relaxed) >= 4);
    let replacements = load.account().replacements;
    assert!(replacements.errors().is_some_and(|m| m.contains("no space left")));
    assert!(
        replacements.shortfall(0.8).is_some(),
        "most of the due replacements were missed: {replacements:?}"
    );
}

#[tokio::test]
async fn churn_that_the_engine_refuses_for_good_is_a_shortfall() {
    let folder = tempfile::tempdir().expect("a folder");
    let fake = FakeEngine {
        refused: (1..100).collect(),
        ..FakeEngine::default()
    };
    let (_engine, docker) = fake.serve(folder.path());
    let load = load(&docker, 1, "lifetime='50ms'");
    load.launch().await.expect("launched");
    load.start_churn();
    let failed = async {
        while load.account().replacements.errors().is_none() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), failed)
        .await
        .expect("refused");
    load.finish_starting().await;
    let shortfall = load.account().replacements.shortfall(0.8);
    assert!(
        shortfall.is_some_and(|m| m.starts_with("0 of ")),
        "{:?}",
        load.account().replacements
    );
}
