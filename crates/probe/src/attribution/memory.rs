//! Resident memory by kind of mapping.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _};

use crate::process::{Process, ProcessError};

/// Most bytes of /proc/PID/smaps that are read: some 15 000 mappings. The kernel holds the process's memory lock while
/// it walks each of them.
const MOST_BYTES: u64 = 16 << 20;

/// Resident bytes of all mappings, by kind.
pub(super) fn groups(process: &Process) -> Result<BTreeMap<String, u64>, ProcessError> {
    let file = process.open_file("smaps")?;
    Ok(sum(BufReader::new(file.take(MOST_BYTES)).lines().map_while(Result::ok)))
}

fn sum(lines: impl Iterator<Item = String>) -> BTreeMap<String, u64> {
    let mut groups = BTreeMap::new();
    let mut kind = String::new();
    for line in lines {
        let first = line.split_ascii_whitespace().next().unwrap_or_default();
        if let Some(kib) = line.strip_prefix("Rss:").and_then(|v| v.trim().strip_suffix("kB")) {
            let bytes = kib.trim().parse::<u64>().unwrap_or_default() * 1024;
            if bytes > 0 {
                *groups.entry(kind.clone()).or_default() += bytes;
            }
        } else if !first.ends_with(':') {
            // A mapping's head: address, permissions, offset, device, inode, path.
            kind = named(line.splitn(6, ' ').nth(5).unwrap_or_default().trim());
        }
    }
    groups
}

fn named(path: &str) -> String {
    match path {
        "" => "anonymous memory".into(),
        "[heap]" => "the heap".into(),
        "[stack]" => "the stack".into(),
        other => other.trim_start_matches('[').trim_end_matches(']').into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mappings_of_a_kind_are_added_up() {
        let text = "55d0-55d1 r-xp 00000000 fd:00 12      /usr/bin/agent\nSize: 8 kB\nRss: 4 kB\nVmFlags: rd ex\n\
            55d2-55d3 rw-p 00000000 00:00 0      [heap]\nRss:  100 kB\n\
            7f00-7f01 rw-p 00000000 00:00 0 \nRss: 8 kB\n7f02-7f03 rw-p 00000000 00:00 0 \nRss: 8 kB\n";
        let groups = sum(text.lines().map(str::to_owned));
        let expected = [
            ("/usr/bin/agent", 4096),
            ("anonymous memory", 16384),
            ("the heap", 102_400),
        ];
        assert_eq!(groups, expected.map(|(k, v)| (k.to_owned(), v)).into());
    }
}
