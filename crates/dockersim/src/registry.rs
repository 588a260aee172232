//! The containers by id and by name, and the source of new ids.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::clock;
use crate::container::Container;
use crate::error::ApiError;

/// A generator of ids with 64 hexadecimal digits: splitmix64 (Steele, Lea & Flood 2014), seeded with time and process id.
#[derive(Debug)]
pub(crate) struct Ids(AtomicU64);

impl Ids {
    pub(crate) fn new() -> Self {
        let seed = clock::now().unsigned_abs() ^ (u64::from(std::process::id()) << 40);
        Self(AtomicU64::new(seed))
    }

    pub(crate) fn next(&self) -> String {
        (0..4).map(|_| format!("{:016x}", self.number())).collect()
    }

    pub(crate) fn number(&self) -> u64 {
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        let state = self.0.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
        let z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

/// The containers by id, and ids by name.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    by_id: BTreeMap<String, Arc<Container>>,
    by_name: HashMap<String, String>,
}

impl Registry {
    /// Returns all containers, newest first, as Docker lists them.
    pub(crate) fn newest_first(&self) -> Vec<Arc<Container>> {
        let mut all: Vec<_> = self.by_id.values().cloned().collect();
        all.sort_by_key(|container| std::cmp::Reverse(container.created));
        all
    }

    /// Finds a container by full id, name (with or without slash) or prefix of an id, in this order.
    pub(crate) fn find(&self, key: &str) -> Result<Arc<Container>, ApiError> {
        let name = key.strip_prefix('/').unwrap_or(key);
        let id = if self.by_id.contains_key(key) {
            Some(key)
        } else {
            self.by_name.get(name).map(String::as_str)
        };
        if let Some(container) = id.and_then(|id| self.by_id.get(id)) {
            return Ok(Arc::clone(container));
        }
        let mut matches = self
            .by_id
            .range(key.to_owned()..)
            .take_while(|(id, _)| id.starts_with(key) && !key.is_empty());
        match (matches.next(), matches.next()) {
            (Some((_, container)), None) => Ok(Arc::clone(container)),
            (Some(_), Some(_)) => Err(ApiError::bad(format_args!(
                "Multiple IDs found with provided prefix: {key}"
            ))),
            (None, _) => Err(ApiError::not_found(format_args!("No such container: {key}"))),
        }
    }

    /// Reserves a name for an id.
    pub(crate) fn claim(&mut self, name: &str, id: &str) -> Result<(), ApiError> {
        if let Some(holder) = self.by_name.get(name) {
            return Err(ApiError::conflict(format_args!(
                "Conflict. The container name \"/{name}\" is already in use by container \"{holder}\". You have to remove \
                 (or rename) that container to be able to reuse that name."
            )));
        }
        self.by_name.insert(name.to_owned(), id.to_owned());
        Ok(())
    }

    /// Releases a name.
    pub(crate) fn release(&mut self, name: &str) {
        self.by_name.remove(name);
    }

    /// Adds a container whose name was claimed before.
    pub(crate) fn insert(&mut self, container: Arc<Container>) {
        self.by_id.insert(container.id.clone(), container);
    }

    pub(crate) fn remove(&mut self, container: &Container, name: &str) {
        self.by_id.remove(&container.id);
        self.by_name.remove(name);
    }

    /// Returns a free random name.
    pub(crate) fn free_name(&self, ids: &Ids) -> String {
        const FIRST: [&str; 16] = [
            "brisk", "calm", "eager", "gentle", "hidden", "keen", "lively", "mellow", "noisy", "patient", "quiet",
            "rapid", "silent", "sturdy", "tidy", "wary",
        ];
        const SECOND: [&str; 16] = [
            "badger", "crane", "dolphin", "falcon", "gecko", "heron", "ibis", "lynx", "marten", "newt", "otter",
            "plover", "raven", "shrew", "toad", "wren",
        ];
        let pick = |words: [&'static str; 16], bits: u64| words[usize::try_from(bits & 15).unwrap_or(0)];
        loop {
            let number = ids.number();
            let name = format!(
                "{}_{}_{}",
                pick(FIRST, number),
                pick(SECOND, number >> 4),
                (number >> 8) % 10_000
            );
            if !self.by_name.contains_key(&name) {
                return name;
            }
        }
    }
}

/// Returns true for a valid container name.
pub(crate) fn is_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|b| b.is_ascii_alphanumeric())
        && name.len() > 1
        && bytes.all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'))
}
