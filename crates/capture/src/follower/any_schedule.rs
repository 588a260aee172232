//! The follower's promise, tried on any schedule: each line once and in order, whatever the engine does and whenever streams
//! are replaced. Where `seam::properties` tries the arithmetic, this tries the code that reads, joins and takes over.

use std::time::Duration;

use proptest::prelude::*;
use tokio::time::sleep;

use crate::config::Config;
use crate::frame::Stream;
use crate::seam::Position;
use crate::testbed::{Mood, Rig};

/// What happens next.
#[derive(Clone, Copy, Debug)]
enum Act {
    /// The container writes so many lines, so many milliseconds apart.
    Write(u32, u64),
    Wait(u64),
    /// Open streams send their last lines again, so many of those that were not yet: an engine does it once for each of its
    /// log files.
    Repeat(usize),
    /// Open streams stay open and say nothing any more.
    Freeze,
    /// The engine is like that for so many milliseconds.
    Be(Mood, u64),
    /// The sink takes nothing for so many milliseconds.
    Stall(u64),
}

fn act() -> impl Strategy<Value = Act> {
    let mood = prop_oneof![
        Just(Mood::Away),
        Just(Mood::Stopped),
        Just(Mood::EndingLogs),
        Just(Mood::HidingLogs),
        Just(Mood::CuttingLogs),
    ];
    prop_oneof![
        6 => (1..30_u32, prop_oneof![Just(0), Just(1), Just(40), Just(900)]).prop_map(|(lines, apart)| Act::Write(lines, apart)),
        3 => prop_oneof![Just(5), Just(900), Just(7_000)].prop_map(Act::Wait),
        2 => (1..9_usize).prop_map(Act::Repeat),
        1 => Just(Act::Freeze),
        2 => (mood, 10..4_000_u64).prop_map(|(mood, time)| Act::Be(mood, time)),
        1 => (10..4_000_u64).prop_map(Act::Stall),
    ]
}

async fn run(rotate_every: u64, acts: &[Act]) -> (Vec<String>, Vec<String>) {
    let rig = Rig::new(Config {
        rotate_every: Duration::from_millis(rotate_every),
        read_timeout: Duration::from_secs(3),
        connect_timeout: Duration::from_secs(2),
        queue_lines: 20,
        breaker_failures: 100,
        ..Config::default()
    });
    rig.engine.start("a");
    let _finished = rig.follow("a", Position::default());
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
                    rig.engine.write("a", stream, &number.to_string());
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
                    rig.engine.repeat("a", count);
                }
            }
            Act::Freeze => rig.engine.freeze_open_logs(),
            Act::Be(mood, time) => {
                rig.engine.set(mood);
                sleep(Duration::from_millis(time)).await;
                rig.engine.set(Mood::Well);
            }
            Act::Stall(time) => {
                let stalled = rig.stall_sink().await;
                sleep(Duration::from_millis(time)).await;
                drop(stalled);
            }
        }
    }
    rig.until("all lines", |rig| rig.lines("a").len() >= expected.len())
        .await;
    // Whatever comes once more comes within a read deadline and a few rotations.
    sleep(Duration::from_secs(30)).await;
    assert_eq!(rig.metric("log_capturer_log_gaps_total"), 0.0, "no line was dropped");
    (rig.lines("a"), expected)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_line_is_delivered_once_and_in_order_through_anything_that_an_engine_does(
        rotate_every in prop_oneof![Just(300_u64), Just(1_000), Just(10_000)],
        acts in prop::collection::vec(act(), 1..25),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        let (delivered, expected) = runtime.block_on(run(rotate_every, &acts));
        prop_assert_eq!(delivered, expected);
    }
}
