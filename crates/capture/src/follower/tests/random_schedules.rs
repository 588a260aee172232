//! Random schedules of engine behavior: each line is delivered once and in order. The tests of `resume` check the arithmetic;
//! these check the code that reads, joins and takes over.

use std::time::Duration;

use proptest::prelude::*;
use tokio::time::sleep;

use crate::config::Config;
use crate::frame::Stream;
use crate::resume::Position;
use crate::test_support::{EngineBehavior, Harness};

/// A step of a schedule.
#[derive(Clone, Copy, Debug)]
enum Act {
    /// The container writes lines (number, milliseconds between them).
    Write(u32, u64),
    Wait(u64),
    /// Open streams repeat this many of the last lines that were not repeated yet, as an engine does once per log file.
    Repeat(usize),
    /// Open streams stay open and send nothing any more.
    Freeze,
    /// The engine behaves like that for this many milliseconds.
    Behave(EngineBehavior, u64),
    /// The sink stalls for this many milliseconds.
    Stall(u64),
}

fn act() -> impl Strategy<Value = Act> {
    let behavior = prop_oneof![
        Just(EngineBehavior::NotListening),
        Just(EngineBehavior::Hanging),
        Just(EngineBehavior::LogsEndAtOnce),
        Just(EngineBehavior::LogsEmpty),
        Just(EngineBehavior::LogsTruncated),
    ];
    prop_oneof![
        6 => (1..30_u32, prop_oneof![Just(0), Just(1), Just(40), Just(900)]).prop_map(|(lines, apart)| Act::Write(lines, apart)),
        3 => prop_oneof![Just(5), Just(900), Just(7_000)].prop_map(Act::Wait),
        2 => (1..9_usize).prop_map(Act::Repeat),
        1 => Just(Act::Freeze),
        2 => (behavior, 10..4_000_u64).prop_map(|(behavior, time)| Act::Behave(behavior, time)),
        1 => (10..4_000_u64).prop_map(Act::Stall),
    ]
}

async fn run(rotate_every: u64, acts: &[Act]) -> (Vec<String>, Vec<String>) {
    let harness = Harness::new(Config {
        rotate_every: Duration::from_millis(rotate_every),
        read_timeout: Duration::from_secs(3),
        connect_timeout: Duration::from_secs(2),
        queue_lines: 20,
        breaker_failures: 100,
        ..Config::default()
    });
    harness.engine.start("a");
    let _finished = harness.follow("a", Position::default());
    let (mut expected, mut repeated) = (Vec::new(), 0);
    for act in acts {
        match *act {
            Act::Write(lines, apart) => {
                for _ in 0..lines {
                    let number = expected.len();
                    let stream = if number % 3 == 0 {
                        Stream::Stderr
                    } else {
                        Stream::Stdout
                    };
                    harness.engine.write("a", stream, &number.to_string());
                    expected.push(number.to_string());
                    if apart > 0 {
                        sleep(Duration::from_millis(apart)).await;
                    }
                }
            }
            Act::Wait(time) => sleep(Duration::from_millis(time)).await,
            Act::Repeat(count) => {
                let count = count.min(expected.len() - std::mem::replace(&mut repeated, expected.len()));
                if count > 0 {
                    harness.engine.repeat("a", count);
                }
            }
            Act::Freeze => harness.engine.freeze_open_logs(),
            Act::Behave(behavior, time) => {
                harness.engine.set(behavior);
                sleep(Duration::from_millis(time)).await;
                harness.engine.set(EngineBehavior::Normal);
            }
            Act::Stall(time) => {
                let stalled = harness.stall_sink().await;
                sleep(Duration::from_millis(time)).await;
                drop(stalled);
            }
        }
    }
    harness
        .until("all lines", |harness| harness.lines("a").len() >= expected.len())
        .await;
    // Repetitions would come within a read timeout and a few rotations.
    sleep(Duration::from_secs(30)).await;
    assert_eq!(
        harness.metric("log_capturer_log_gaps_total"),
        0.0,
        "no line was dropped"
    );
    (harness.lines("a"), expected)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn each_line_is_delivered_once_and_in_order(
        rotate_every in prop_oneof![Just(300_u64), Just(1_000), Just(10_000)],
        acts in prop::collection::vec(act(), 1..25),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        let (delivered, expected) = runtime.block_on(run(rotate_every, &acts));
        prop_assert_eq!(delivered, expected);
    }
}
