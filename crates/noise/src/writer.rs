//! The noise process: writes an emitter's lines to its standard streams, and ends at SIGTERM.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use leakcheck_model::stamp::Stream;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::emitter::Emitter;
use crate::pace::Pace;
use crate::settings::Settings;

/// Largest write: whole pages, less than the 64 KiB of a pipe, and small enough for a processor's cache.
const BATCH: usize = 16 << 10;

/// Largest delay that is caught up. After a longer one, for example of a stalled engine, lines are skipped to avoid a burst.
const MAX_BACKLOG: Duration = Duration::from_secs(1);

/// Longest wait for the last writes, which a stalled engine may block.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(2);

/// Writes lines until SIGTERM, SIGINT, the requested number of lines, or a closed pipe; then writes the last line.
///
/// # Errors
/// If signal handlers cannot be installed.
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
                // A closed pipe ends the process without an error.
                let _ = write_all(&settings, &stop);
                let _ = done.send(());
                handle.close();
            })?
    };
    if signals.forever().next().is_some() {
        stop.store(true, Ordering::Release);
        writer.thread().unpark();
        let _ = finished.recv_timeout(SHUTDOWN_TIMEOUT);
    }
    Ok(())
}

fn write_all(settings: &Settings, stop: &AtomicBool) -> io::Result<()> {
    let mut emitter = Emitter::new(settings);
    let pace = Pace::from_settings(settings);
    let (mut out, mut err) = (Vec::with_capacity(BATCH), Vec::new());
    // The largest size at which another line still fits.
    let full = BATCH.saturating_sub(settings.line_bytes.max as usize).max(1);
    let mut start = Instant::now();
    let mut written = 0;
    let limit = settings.lines.unwrap_or(u64::MAX);
    while written < limit && !stop.load(Ordering::Acquire) {
        let due = pace.due(start.elapsed()).min(limit);
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
            _ if written >= limit => {}
            None => thread::park(),
            Some(at) => {
                let now = start.elapsed();
                if now > at + MAX_BACKLOG {
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
