//! Rows of samples from a real process, a real /metrics page and a real log.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};

use leakcheck_model::scenario::{CgroupMetric, Metric, ProcMetric};
use leakcheck_probe::{Liveness, Row, Sampler, TargetHandles};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

fn metrics() -> BTreeMap<String, Metric> {
    [
        ("absent", Metric::series("no_such_series", false)),
        ("children", Metric::proc(ProcMetric::Children)),
        ("cpu", Metric::proc(ProcMetric::Cpu)),
        ("deadlines", Metric::log("deadline exceeded")),
        ("fds", Metric::proc(ProcMetric::Fds)),
        ("pss", Metric::proc(ProcMetric::Pss)),
        ("rss", Metric::proc(ProcMetric::Rss)),
        ("tasks", Metric::series("app_tasks", false)),
        ("threads", Metric::proc(ProcMetric::Threads)),
    ]
    .map(|(name, metric)| (name.to_owned(), metric))
    .into()
}

fn value_of(sampler: &Sampler, row: &Row, name: &str) -> Option<f64> {
    let at = sampler.names().iter().position(|n| n == name)?;
    row.values[at]
}

#[tokio::test]
async fn every_metric_is_read_from_its_source_and_a_missing_one_is_none() {
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
        // The server ends here.
    });
    let handles = TargetHandles {
        pid: Some(child.id()),
        tree: false,
        metrics_url: Some(&url),
        log: Some(&log),
    };
    let mut sampler = Sampler::new(handles, &metrics()).expect("made");
    // When it is sampled
    let row = sampler.sample().await;
    // Then every value is read except the one that is not exposed
    let value = |name: &str| value_of(&sampler, &row, name);
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
    let value = |name: &str| value_of(&sampler, &row, name);
    assert_eq!(
        (value("tasks"), value("threads"), value("deadlines")),
        (None, Some(1.0), Some(1.0))
    );
    // When the process is gone, none of its values is 0
    child.kill().expect("ours");
    child.wait().expect("waited");
    let row = sampler.sample().await;
    let value = |name: &str| value_of(&sampler, &row, name);
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
    let mut sampler = Sampler::new(TargetHandles::default(), &metrics()).expect("made");
    let row = sampler.sample().await;
    assert_eq!(row.process, Liveness::Alive);
    assert!(row.values.iter().all(Option::is_none));
}

#[tokio::test]
async fn a_restart_is_detected_by_the_start_time_in_metrics() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("bound");
    let url = format!("http://{}/metrics", listener.local_addr().expect("an address"));
    let mut server = tokio::task::JoinSet::new();
    server.spawn(async move {
        for started in ["1795790000.41", "1795790000.4", "1795790007"] {
            let (mut stream, _) = listener.accept().await.expect("a client");
            let _ = stream.read(&mut [0; 2048]).await;
            let body = format!("app_tasks 12\nprocess_start_time_seconds {started}\n");
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                body.len()
            );
            let _ = stream.write_all((head + &body).as_bytes()).await;
        }
    });
    let handles = TargetHandles {
        metrics_url: Some(&url),
        ..TargetHandles::default()
    };
    let mut sampler = Sampler::new(handles, &metrics()).expect("made");
    for expected in [Liveness::Alive, Liveness::Alive, Liveness::Restarted] {
        let row = sampler.sample().await;
        assert_eq!(row.process, expected);
        assert_eq!(
            value_of(&sampler, &row, "tasks"),
            Some(12.0),
            "the value is read all the same"
        );
    }
}

#[test]
fn a_missing_process_and_an_invalid_pattern_are_refused() {
    let missing = TargetHandles {
        pid: Some(1 << 23),
        ..TargetHandles::default()
    };
    assert!(Sampler::new(missing, &metrics()).is_err());
    let metrics = BTreeMap::from([("bad".to_owned(), Metric::log("("))]);
    let handles = TargetHandles {
        log: Some("x".as_ref()),
        ..TargetHandles::default()
    };
    let error = Sampler::new(handles, &metrics).expect_err("refused");
    assert!(error.to_string().contains("regular expression"), "{error}");
}

#[tokio::test]
async fn a_control_group_is_read_if_the_kernel_accounts_one() {
    // Given our own control group: of version 1, of version 2, or invisible
    let metrics = BTreeMap::from([
        ("memory".to_owned(), Metric::cgroup(CgroupMetric::Memory)),
        ("pids".to_owned(), Metric::cgroup(CgroupMetric::Pids)),
    ]);
    let handles = TargetHandles {
        pid: Some(std::process::id()),
        ..TargetHandles::default()
    };
    // When it is sampled
    let row = Sampler::new(handles, &metrics).expect("made").sample().await;
    // Then the value is plausible or missing, and never 0
    assert!(row.values[0].is_none_or(|bytes| bytes >= 4096.0), "{:?}", row.values);
    assert!(row.values[1].is_none_or(|pids| pids >= 1.0), "{:?}", row.values);
}
