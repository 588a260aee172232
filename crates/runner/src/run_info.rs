//! The id of a run and the description of its host.

use std::collections::BTreeMap;

/// Letters of an id that cannot be confused with each other.
const ALPHABET: &[u8; 31] = b"abcdefghjkmnpqrstuvwxyz23456789";

/// Returns a new run id that sorts by time: date, time, and four letters from clock and process id.
pub(crate) fn new_run_id() -> String {
    let now = jiff::Zoned::now();
    let noise = u64::from(now.timestamp().subsec_nanosecond().unsigned_abs()) ^ (u64::from(std::process::id()) << 20);
    let letters: String = (0..4)
        .map(|i| char::from(ALPHABET[usize::try_from((noise >> (i * 5)) % 31).unwrap_or(0)]))
        .collect();
    format!("{}-{letters}", now.strftime("%Y%m%d-%H%M%S"))
}

/// Kernel, machine and number of cores, for the report.
pub(crate) fn host_facts() -> BTreeMap<String, String> {
    let uname = rustix::system::uname();
    let (system, release) = (uname.sysname().to_string_lossy(), uname.release().to_string_lossy());
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    BTreeMap::from([
        ("kernel".into(), format!("{system} {release}")),
        ("machine".into(), uname.machine().to_string_lossy().into_owned()),
        ("cores".into(), cores.to_string()),
    ])
}

#[cfg(test)]
mod tests {
    use super::new_run_id;

    #[test]
    fn a_run_id_fits_into_stamps_and_file_names() {
        let id = new_run_id();
        assert_eq!(id.len(), 20, "{id}");
        assert!(id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'), "{id}");
    }
}
