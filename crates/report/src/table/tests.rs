//! Tests of table: what goes in and what must come out.

use super::*;

fn parsed(text: &str) -> Samples {
    parse_table(text.as_bytes(), &TableOptions::default()).expect(text)
}

fn refused(text: &str) -> String {
    parse_table(text.as_bytes(), &TableOptions::default())
        .expect_err(text)
        .to_string()
}

#[test]
fn the_time_is_found_by_its_name_and_read_as_seconds() {
    for (text, times) in [
        ("t_s,fds\n0,1\n30,2\n", [0.0, 30.0]),
        ("fds,t_min\n1,0\n2,0.5\n", [0.0, 30.0]),
        ("Minutes;fds\n1;1\n1.5;2\n", [60.0, 90.0]),
        ("elapsed_ms\tfds\n0\t1\n30000\t2\n", [0.0, 30.0]),
        (
            "timestamp,fds\n2026-01-01T00:00:00Z,1\n2026-01-01T01:00:30+01:00,2\n",
            [0.0, 30.0],
        ),
        (
            "timestamp,fds\n2026-01-01 00:00:00,1\n2026-01-01 00:00:30,2\n",
            [0.0, 30.0],
        ),
        ("time,fds\n1767225600,1\n1767225630,2\n", [0.0, 30.0]),
        ("ts,fds\n1767225600000,1\n1767225630000,2\n", [0.0, 30.0]),
        ("time,fds\n5,1\n35,2\n", [5.0, 35.0]),
    ] {
        let samples = parsed(text);
        assert_eq!(samples.t_s, times, "{text}");
        assert_eq!(samples.names, ["fds"], "{text}");
        assert_eq!(samples.columns, [[Some(1.0), Some(2.0)]], "{text}");
    }
}

#[test]
fn a_time_column_of_any_name_can_be_given() {
    let options = TableOptions {
        time: Some("when".into()),
    };
    let samples = parse_table(b"when,t\n10,1\n20,2\n", &options).expect("given");
    assert_eq!((samples.t_s, samples.names), (vec![10.0, 20.0], vec!["t".to_owned()]));
    let error = parse_table(b"a,b\n1,2\n", &options).expect_err("not there").to_string();
    assert!(
        error.contains("`when` is not one of its columns") && error.contains("a, b"),
        "{error}"
    );
}

#[test]
fn what_was_not_seen_is_missing_and_never_zero() {
    let samples = parsed("t_s,a,b,host\n0,,NaN,x\n1,5,n/a,y\n2,+Inf,7,z\n");
    assert_eq!(samples.names, ["a", "b"], "text is no metric");
    assert_eq!(samples.columns[0], [None, Some(5.0), None]);
    assert_eq!(samples.columns[1], [None, None, Some(7.0)]);
}

#[test]
fn a_metric_that_never_appeared_is_still_a_column() {
    assert_eq!(parsed("t_s,a,b\n0,1,\n1,1,\n").columns[1], [None, None]);
}

#[test]
fn phases_are_read_and_a_wrong_one_is_named() {
    assert_eq!(
        parsed("t_s,phase,a\n0,warm-up,1\n1,,2\n").phase,
        [Phase::WarmUp, Phase::Measure]
    );
    assert!(refused("t_s,phase,a\n0,measure,1\n1,lunch,2\n").contains("line 3: `lunch` is not a phase"));
}

#[test]
fn broken_rows_are_named_by_their_line() {
    let error = refused("t_s,a\n# a remark\n0,1\n1,2,3\n2,12a\nsoon,4\n");
    assert!(error.contains("line 4: 3 cells where there should be 2"), "{error}");
    assert!(error.contains("line 5: `12a` in column `a` is not a number"), "{error}");
    assert!(
        error.contains("line 6: `soon` in column `t_s` is not a time"),
        "{error}"
    );
    let many: String = (0..20).map(|i| format!("{i},x{i}\n")).collect();
    assert!(refused(&format!("t_s,a\n0,1\n{many}")).ends_with("and 15 more broken rows"));
}

#[test]
fn half_a_row_at_the_end_is_left_out() {
    assert_eq!(parsed("t_s,a,b\n0,1,2\n1,3").t_s, [0.0]);
    assert_eq!(
        parsed("t_s,a,b\n0,1,2\n1,3,4").t_s,
        [0.0, 1.0],
        "a last line without its newline is whole"
    );
}

/// `cargo test --release -p leakcheck-report a_million_rows -- --ignored --nocapture` says how long it takes.
#[test]
#[ignore = "measures instead of judging"]
fn a_million_rows() {
    use std::fmt::Write as _;
    let mut text = String::from("t_s,phase,fds,tasks,rss,cpu\n");
    for i in 0..1_000_000 {
        let t = f64::from(i);
        let _ = writeln!(
            text,
            "{t},measure,{},120,{},{}",
            67 + i % 7,
            14_000_000 + i,
            t * 0.013_37
        );
    }
    let begun = std::time::Instant::now();
    let samples = parsed(&text);
    eprintln!(
        "{} rows, {} MB, in {:?}",
        samples.len(),
        text.len() / 1_000_000,
        begun.elapsed()
    );
    let begun = std::time::Instant::now();
    let (points, _) = crate::figure::decimate(&samples.t_s, &samples.columns[0], 2000);
    eprintln!("thinned to {} points in {:?}", points.len(), begun.elapsed());
}

#[test]
fn what_is_no_table_says_why() {
    assert_eq!(refused(""), TableError::Empty.to_string());
    assert_eq!(refused("1,2\n3,4\n"), TableError::NoHeader.to_string());
    assert_eq!(refused("t_s,a,a\n1,2,3\n"), TableError::Twice("a".into()).to_string());
    assert_eq!(refused("t_s,host\n1,x\n"), TableError::NoMetric.to_string());
    assert!(refused("a,b\n1,2\n").contains("call it `t_s`"));
}
