//! A row of samples from a real process, a real exposition and a real log.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};

use leakcheck_model::scenario::Metric;
use leakcheck_probe::{Liveness, Sampler};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

fn metrics() -> BTreeMap<String, Metric> {
    let log = Metric {
        log: Some("deadline exceeded".into()),
        ..Metric::default()
    };
    [
        ("absent", Metric::of_metrics("no_such_series", false)),
        ("children", Metric::of_proc("children")),
        ("cpu", Metric::of_proc("cpu")),
        ("deadlines", log),
        ("fds", Metric::of_proc("fds")),
        ("pss", Metric::of_proc("pss")),
        ("rss", Metric::of_proc("rss")),
        ("tasks", Metric::of_metrics("app_tasks", false)),
        ("threads", Metric::of_proc("threads")),
    ]
    .map(|(name, metric)| (name.to_owned(), metric))
    .into()
}

#[tokio::test]
async fn every_metric_comes_from_its_place_and_what_is_not_seen_is_none() {
    // Given a process, an exposition and a log
    let mut child = Command::new("sleep")
        .arg("300")
        .stdin(Stdio::null())
        .spawn()
        .expect("sleep starts");
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("target.log");
    std::fs::write(&log, "a: deadline exceeded\nb: fine\n").expect("written");
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("bound");
    let url = format!("http://{}/metrics", listener.local_addr().expect("an address"));
    let mut server = tokio::task::JoinSet::new();
    server.spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a client");
        let mut request = [0; 2048];
        let _ = stream.read(&mut request).await;
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\nConnection: close\r\n\r\napp_tasks 12\n";
        let _ = stream.write_all(answer).await;
        // From here on nobody answers.
    });
    let mut sampler = Sampler::new(Some(child.id()), Some(&url), Some(&log), &metrics()).expect("made");
    // When it is looked at
    let row = sampler.sample().await;
    // Then every value is there but the one that is not exposed
    let value = |name: &str| {
        sampler
            .names()
            .iter()
            .position(|n| n == name)
            .and_then(|i| row.values[i])
    };
    assert_eq!(value("tasks"), Some(12.0));
    assert_eq!(value("absent"), None);
    assert_eq!(value("deadlines"), Some(1.0));
    assert_eq!((value("threads"), value("children")), (Some(1.0), Some(0.0)));
    assert!(value("fds") >= Some(1.0) && value("rss") > Some(0.0) && value("cpu") >= Some(0.0));
    assert_eq!(
        (row.process, &row.scrape_failed, &row.scrape_odd),
        (Liveness::Alive, &None, &None)
    );
    // When the exposition is gone, the process still has its numbers
    while server.join_next().await.is_some() {}
    let row = sampler.sample().await;
    assert!(row.scrape_failed.is_some());
    let value = |name: &str| {
        sampler
            .names()
            .iter()
            .position(|n| n == name)
            .and_then(|i| row.values[i])
    };
    assert_eq!(
        (value("tasks"), value("threads"), value("deadlines")),
        (None, Some(1.0), Some(1.0))
    );
    // When the process is gone, nothing of it is 0
    child.kill().expect("ours");
    child.wait().expect("waited");
    let row = sampler.sample().await;
    let value = |name: &str| {
        sampler
            .names()
            .iter()
            .position(|n| n == name)
            .and_then(|i| row.values[i])
    };
    assert_ne!(row.process, Liveness::Alive);
    assert_eq!(
        (value("threads"), value("fds"), value("rss"), value("cpu")),
        (None, None, None, None)
    );
    // And it stays gone
    assert_eq!(sampler.sample().await.process, row.process);
}

#[tokio::test]
async fn a_target_without_a_process_is_not_gone() {
    let mut sampler = Sampler::new(None, None, None, &metrics()).expect("made");
    let row = sampler.sample().await;
    assert_eq!(row.process, Liveness::Alive);
    assert!(row.values.iter().all(Option::is_none));
}

#[test]
fn a_process_that_is_not_there_and_a_pattern_that_is_none_are_refused() {
    assert!(Sampler::new(Some(1 << 23), None, None, &metrics()).is_err());
    let bad = Metric {
        log: Some("(".into()),
        ..Metric::default()
    };
    let metrics = BTreeMap::from([("bad".to_owned(), bad)]);
    let error = Sampler::new(None, None, Some("x".as_ref()), &metrics).expect_err("refused");
    assert!(error.to_string().contains("regular expression"), "{error}");
}
