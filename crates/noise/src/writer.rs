//! The noise process: writes an emitter's lines to its standard streams and obeys SIGTERM at once.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use leakcheck_model::stamp::Stream;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::{Emitter, Pace, Settings};

/// Most bytes gathered before a write: whole pages of a pipe, which holds 64 KiB, and few enough to stay in a processor's cache.
const BATCH: usize = 16 << 10;

/// A writer that fell behind by more than this (a stalled engine) forgives the rest instead of a burst.
const FORGIVE: Duration = Duration::from_secs(1);

/// How long a write that the engine does not take may hold up the end.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Runs until SIGTERM, SIGINT, the asked number of lines, or a closed pipe; then writes the last line.
///
/// # Errors
/// If signals cannot be handled.
pub fn run(settings: &Settings) -> io::Result<()> {
    let mut signals = Signals::new([SIGTERM, SIGINT])?;
    let stop = Arc::new(AtomicBool::new(false));
    let (done, finished) = mpsc::sync_channel::<()>(1);
    let handle = signals.handle();
    let writer = {
        let (stop, settings) = (Arc::clone(&stop), settings.clone());
        thread::Builder::new()
            .name("noise".into())
            .stack_size(256 << 10)
            .spawn(move || {
                // A closed pipe means that nobody listens any more: the end, not an error.
                let _ = write_all(&settings, &stop);
                let _ = done.send(());
                handle.close();
            })?
    };
    if signals.forever().next().is_some() {
        stop.store(true, Ordering::Release);
        writer.thread().unpark();
        let _ = finished.recv_timeout(LAST_WORDS);
    }
    Ok(())
}

fn write_all(settings: &Settings, stop: &AtomicBool) -> io::Result<()> {
    let mut emitter = Emitter::new(settings);
    let pace = Pace::of(settings);
    let (mut out, mut err) = (Vec::with_capacity(BATCH), Vec::new());
    // Another line might not fit any more.
    let full = BATCH.saturating_sub(settings.line_bytes.max as usize).max(1);
    let mut start = Instant::now();
    let mut written = 0;
    let wanted = settings.lines.unwrap_or(u64::MAX);
    while written < wanted && !stop.load(Ordering::Acquire) {
        let due = pace.due(start.elapsed()).min(wanted);
        while written < due && out.len() < full && err.len() < full {
            let line = out.len();
            if emitter.next_line(&mut out) == Stream::Stderr {
                err.extend_from_slice(&out[line..]);
                out.truncate(line);
            }
            written += 1;
        }
        flush(&mut io::stderr().lock(), &mut err)?;
        flush(&mut io::stdout().lock(), &mut out)?;
        if written < due {
            continue;
        }
        match pace.next_due(written) {
            _ if written >= wanted => {}
            None => thread::park(),
            Some(at) => {
                let now = start.elapsed();
                if now > at + FORGIVE {
                    start += now.saturating_sub(at);
                }
                thread::park_timeout(at.saturating_sub(now));
            }
        }
    }
    emitter.end(&mut out);
    flush(&mut io::stdout().lock(), &mut out)
}

fn flush(to: &mut impl Write, bytes: &mut Vec<u8>) -> io::Result<()> {
    if !bytes.is_empty() {
        to.write_all(bytes)?;
        to.flush()?;
        bytes.clear();
    }
    Ok(())
}
