//! follow copies what is appended to a log file, through every rotation, to standard output; standard library only.
//!
//! With LEAK=1 it has the leak of many log followers: after a rotation it opens the new file and goes on watching the
//! old one as well, with a thread and a descriptor for each, for ever.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Copies what comes into an open file. When told that it was rotated away, it reads the rest and ends.
fn copy(mut file: File, rotated: &AtomicBool) -> io::Result<()> {
    let leak = std::env::var_os("LEAK").is_some();
    let mut buffer = [0; 16 * 1024];
    loop {
        // Asked before the read: what was written before the rotation is read after it.
        let last = rotated.load(Ordering::Acquire) && !leak;
        match file.read(&mut buffer)? {
            0 if last => return Ok(()),
            0 => thread::sleep(LOOK_EVERY),
            n => io::stdout().write_all(&buffer[..n])?,
        }
    }
}

/// Follows a path: whenever another file stands there, it gets a thread, and the one before is told.
fn follow(path: &Path) -> io::Result<()> {
    let mut inode = 0;
    let mut rotated = Arc::new(AtomicBool::new(false));
    loop {
        if let Ok(file) = File::open(path) {
            let found = file.metadata()?.ino();
            if found != inode {
                inode = found;
                rotated.store(true, Ordering::Release);
                rotated = Arc::new(AtomicBool::new(false));
                let told = Arc::clone(&rotated);
                thread::Builder::new()
                    .name("copy".into())
                    .spawn(move || copy(file, &told))?;
            }
        }
        thread::sleep(LOOK_EVERY);
    }
}

fn main() -> io::Result<()> {
    let path = std::env::args_os().nth(1).map(PathBuf::from);
    follow(&path.ok_or_else(|| io::Error::other("usage: follow FILE"))?)
}
