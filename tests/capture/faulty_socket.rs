//! A socket between the daemon and the engine that breaks event streams or silences all open streams.

use std::io::{Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// A socket in front of the engine's.
pub(crate) struct FaultySocket {
    path: PathBuf,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    /// Connections with event streams.
    events: Mutex<Vec<UnixStream>>,
    /// Connections with a lower number stay open and send nothing any more.
    silent_below: AtomicU64,
    accepted: AtomicU64,
    ended: AtomicBool,
}

impl FaultySocket {
    /// Listens in `folder`, in front of the default engine.
    pub(crate) fn open(folder: &Path) -> Self {
        let path = folder.join("faulty.sock");
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
                // Ends with either side.
                std::thread::spawn(move || forward(near, number, &state));
            }
        });
        Self { path, state }
    }

    pub(crate) fn host(&self) -> String {
        format!("unix://{}", self.path.display())
    }

    /// Breaks all event streams.
    pub(crate) fn cut_events(&self) {
        for stream in self.state.events.lock().unwrap().drain(..) {
            // A stream may have ended already.
            let _ = stream.shutdown(std::net::Shutdown::Both);
        }
    }

    /// Silences all open connections without closing them.
    pub(crate) fn silence(&self) {
        let accepted = self.state.accepted.load(Ordering::Relaxed);
        self.state.silent_below.store(accepted, Ordering::Relaxed);
    }
}

impl Drop for FaultySocket {
    fn drop(&mut self) {
        self.state.ended.store(true, Ordering::Relaxed);
        // The listener checks the flag at the next connection.
        let _ = UnixStream::connect(&self.path);
    }
}

/// Returns the socket of the default engine.
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
    // The daemon sends one request per connection.
    let mut request = vec![0; 16 * 1024];
    let Ok(length) = near.read(&mut request) else {
        return;
    };
    if request.starts_with(b"GET /events") {
        state.events.lock().unwrap().push(near.try_clone().unwrap());
    }
    let closing = (near.try_clone().unwrap(), far.try_clone().unwrap());
    std::thread::spawn(move || {
        // The daemon sends nothing more, so this ends when it closes its side.
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
