//! Tests of reading tables.

use super::*;
use leakcheck_model::{Phase, Samples};

fn parsed(text: &str) -> Samples {
    parse_table(text.as_bytes(), &TableOptions::default())
        .and_then(Table::complete)
        .expect(text)
}

fn refused(text: &str) -> String {
    parse_table(text.as_bytes(), &TableOptions::default())
        .and_then(Table::complete)
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
        ..TableOptions::default()
    };
    let table = parse_table(b"when,t\n10,1\n20,2\n", &options);
    let samples = table.and_then(Table::complete).expect("given");
    assert_eq!((samples.t_s, samples.names), (vec![10.0, 20.0], vec!["t".to_owned()]));
    let error = parse_table(b"a,b\n1,2\n", &options).expect_err("not there").to_string();
    assert!(
        error.contains("`when` is not one of its columns") && error.contains("a, b"),
        "{error}"
    );
}

#[test]
fn an_empty_cell_is_missing_and_never_zero() {
    let samples = parsed("t_s,a,b,host\n0,,NaN,x\n1,5,n/a,y\n2,+Inf,7,z\n");
    assert_eq!(samples.names, ["a", "b"], "text is not a metric");
    assert_eq!(samples.columns[0], [None, Some(5.0), None]);
    assert_eq!(samples.columns[1], [None, None, Some(7.0)]);
}

#[test]
fn a_metric_without_values_is_still_a_column() {
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
fn sound_rows_are_read_around_broken_ones() {
    let text = "t_s,a,b\n0,1,5\n1,2\n2,x,7\nsoon,4,8\n4,5,9\n";
    let table = parse_table(text.as_bytes(), &TableOptions::default()).expect("read");
    assert_eq!(table.samples.t_s, [0.0, 2.0, 4.0]);
    assert_eq!(table.samples.columns[0], [Some(1.0), None, Some(5.0)]);
    assert_eq!(table.samples.columns[1], [Some(5.0), Some(7.0), Some(9.0)]);
    assert_eq!((table.broken_rows, table.rows), (3, 5));
    assert_eq!(table.broken.iter().map(|b| b.line).collect::<Vec<_>>(), [3, 4, 5]);
}

#[test]
fn a_metric_may_begin_with_a_broken_cell_and_text_is_no_metric() {
    let text = "t_s,a,host\n0,1x,p\n1,2,q\n2,3,r\n3,4,5\n";
    let table = parse_table(text.as_bytes(), &TableOptions::default()).expect("read");
    assert_eq!(table.samples.names, ["a"]);
    assert_eq!(table.samples.columns[0], [None, Some(2.0), Some(3.0), Some(4.0)]);
    assert_eq!((table.broken_rows, table.broken[0].line), (1, 2));
}

#[test]
fn a_time_that_is_not_later_is_named_by_its_line_and_left_out() {
    let text = "t_s,a\n0,1\n1,2\n1,3\n0.5,4\n2,5\n";
    let options = TableOptions {
        increasing_time: true,
        ..TableOptions::default()
    };
    let table = parse_table(text.as_bytes(), &options).expect("read");
    assert_eq!(table.samples.t_s, [0.0, 1.0, 2.0]);
    assert_eq!(table.samples.columns[0], [Some(1.0), Some(2.0), Some(5.0)]);
    assert_eq!((table.broken_rows, table.omitted_rows), (2, 2));
    let error = table.broken_rows_error().to_string();
    assert!(
        error.contains("line 4: its time, 1 s, is not later than 1 s"),
        "{error}"
    );
    // The samples of a run keep such rows: the judge decides about a clock that jumped.
    assert_eq!(parsed(text).t_s, [0.0, 1.0, 1.0, 0.5, 2.0]);
    assert!(error.contains("line 5: its time, 0.5 s"), "{error}");
}

#[test]
fn a_broken_cell_affects_only_its_own_column() {
    let text = "t_s,a,b\n0,1,x\n1,2,3\n2,3,x\n3,4,5\n4,5,6\n";
    let table = parse_table(text.as_bytes(), &TableOptions::default()).expect("read");
    assert_eq!(table.samples.names, ["a", "b"]);
    assert_eq!((table.broken_rows, table.omitted_rows), (2, 0));
    assert_eq!(table.broken_share_of(["a"]), 0.0);
    assert_eq!(table.broken_share_of(["b"]), 0.4);
    assert_eq!(table.broken_share_of(["a", "b"]), 0.4);
}

#[test]
fn a_metric_may_begin_with_broken_cells_and_columns_of_text_are_listed() {
    let numbers: String = (5..20).map(|i| format!("{i},{i},h{i}\n")).collect();
    let text = format!("t_s,a,host\n0,?,p\n1,?,q\n2,?,r\n3,?,s\n4,?,t\n{numbers}");
    let table = parse_table(text.as_bytes(), &TableOptions::default()).expect("read");
    assert_eq!(table.samples.names, ["a"]);
    assert_eq!(table.broken_cells["a"], 5);
    assert_eq!((table.text[0].0.as_str(), table.text[0].1.line), ("host", 2));
    assert!(
        table.text[0].1.message.contains("`p` in column `host`"),
        "{:?}",
        table.text
    );
    let long: String = (0..1500).map(|i| format!("{i},{i},h{i}\n")).collect();
    let table = parse_table(format!("t_s,a,host\n{long}").as_bytes(), &TableOptions::default()).expect("read");
    assert_eq!(
        (table.samples.names.len(), table.text.len(), table.broken_rows),
        (1, 1, 0)
    );
}

#[test]
fn minutes_since_the_baseline_come_before_those_of_a_clock() {
    assert_eq!(parsed("t_min,elapsed_min,a\n0,0,1\n10,8,2\n").t_s, [0.0, 480.0]);
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

/// Prints how long it takes: `cargo test --release -p leakcheck-report a_million_rows -- --ignored --nocapture`.
#[test]
#[ignore = "prints a measurement"]
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
fn a_file_that_is_no_table_is_rejected_with_the_reason() {
    assert_eq!(refused(""), TableError::Empty.to_string());
    assert_eq!(refused("1,2\n3,4\n"), TableError::NoHeader.to_string());
    assert_eq!(
        refused("t_s,a,a\n1,2,3\n"),
        TableError::DuplicateColumn("a".into()).to_string()
    );
    assert_eq!(refused("t_s,host\n1,x\n"), TableError::NoMetric.to_string());
    assert!(refused("a,b\n1,2\n").contains("call it `t_s`"));
}

#[test]
fn quotes_and_the_line_ends_of_windows_are_read() {
    for text in ["t_s,fds\n0,\"1\"\n", "t_s,fds\r\n0,1\r\n", "t_s,fds\r0,1\r"] {
        assert_eq!(parsed(text).columns, [[Some(1.0)]], "{text:?}");
    }
    // Empty lines and comments count: a broken row is named by its line in the file.
    for text in [
        "t_s,fds\n\n# then\n0,x\n1,2\n",
        "t_s,fds\r\n\r\n# then\r\n0,x\r\n1,2\r\n",
    ] {
        assert!(
            refused(text).contains("line 4: `x` in column `fds`"),
            "{}",
            refused(text)
        );
    }
}

#[test]
fn a_long_file_is_read_to_its_last_byte() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("long.csv");
    let rows: String = (0..200_000)
        .map(|i| format!("{i}.5,{}{}\n", i % 100, if i == 150_000 { "x" } else { "" }))
        .collect();
    std::fs::write(&path, format!("t_s,fds\n{rows}200000.5")).expect("written");
    let table = read_table(&path, &TableOptions::default()).expect("read");
    assert_eq!((table.rows, table.broken_rows), (200_000, 1));
    assert_eq!(table.broken[0].line, 150_002);
    assert_eq!(table.samples.t_s[199_999], 199_999.5);
    assert_eq!(table.samples.columns[0][199_998..], [Some(98.0), Some(99.0)]);
}
