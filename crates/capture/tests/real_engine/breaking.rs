//! A wire between the daemon and the engine that breaks what a test wants broken: events alone, or every stream that is open.

use std::io::{Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// A socket in front of the engine's.
pub(crate) struct BreakingWire {
    path: PathBuf,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    /// Connections on which events were asked for.
    events: Mutex<Vec<UnixStream>>,
    /// Connections that are younger than this are let through; older ones stay open and say nothing any more.
    silent_below: AtomicU64,
    accepted: AtomicU64,
    ended: AtomicBool,
}

impl BreakingWire {
    /// Listens in `folder`, in front of the machine's engine.
    pub(crate) fn open(folder: &Path) -> Self {
        let path = folder.join("breaking.sock");
        let listener = UnixListener::bind(&path).unwrap();
        let state = Arc::<State>::default();
        let serving = Arc::clone(&state);
        std::thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                if serving.ended.load(Ordering::Relaxed) {
                    return;
                }
                let number = serving.accepted.fetch_add(1, Ordering::Relaxed);
                let state = Arc::clone(&serving);
                // Ends with either side; a test that is over leaves nothing that writes.
                std::thread::spawn(move || forward(near, number, &state));
            }
        });
        Self { path, state }
    }

    pub(crate) fn host(&self) -> String {
        format!("unix://{}", self.path.display())
    }

    /// Breaks every subscription to events, and nothing else.
    pub(crate) fn cut_events(&self) {
        for stream in self.state.events.lock().unwrap().drain(..) {
            // One that ended by itself cannot be cut.
            let _ = stream.shutdown(std::net::Shutdown::Both);
        }
    }

    /// Whatever is open now stays open, and nothing comes through it any more.
    pub(crate) fn silence(&self) {
        let accepted = self.state.accepted.load(Ordering::Relaxed);
        self.state.silent_below.store(accepted, Ordering::Relaxed);
    }
}

impl Drop for BreakingWire {
    fn drop(&mut self) {
        self.state.ended.store(true, Ordering::Relaxed);
        // The listener looks at it when someone knocks.
        let _ = UnixStream::connect(&self.path);
    }
}

/// Where the engine listens that the docker CLI of these tests talks to.
fn engine() -> String {
    let host = std::env::var("DOCKER_HOST").unwrap_or_default();
    host.strip_prefix("unix://")
        .unwrap_or("/var/run/docker.sock")
        .to_owned()
}

fn forward(mut near: UnixStream, number: u64, state: &State) {
    let Ok(mut far) = UnixStream::connect(engine()) else {
        return;
    };
    // One request comes on each connection, and nothing after it.
    let mut request = vec![0; 16 * 1024];
    let Ok(length) = near.read(&mut request) else {
        return;
    };
    if request.starts_with(b"GET /events") {
        state.events.lock().unwrap().push(near.try_clone().unwrap());
    }
    let closing = (near.try_clone().unwrap(), far.try_clone().unwrap());
    std::thread::spawn(move || {
        // Nothing more is asked, so this ends when the daemon closes its side.
        let (mut near, far) = closing;
        let _ = near.read(&mut [0; 1]);
        let _ = far.shutdown(std::net::Shutdown::Both);
    });
    if far.write_all(&request[..length]).is_err() {
        return;
    }
    let mut bytes = vec![0; 64 * 1024];
    while let Ok(read @ 1..) = far.read(&mut bytes) {
        if number < state.silent_below.load(Ordering::Relaxed) {
            continue;
        }
        if near.write_all(&bytes[..read]).is_err() {
            return;
        }
    }
    if number >= state.silent_below.load(Ordering::Relaxed) {
        let _ = near.shutdown(std::net::Shutdown::Both);
    }
}
