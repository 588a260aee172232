//! Function names of a just-in-time compiler from its perf map (`/tmp/perf-PID.map`), as Node.js writes with `--perf-basic-prof`.

use std::collections::{BTreeMap, HashSet};
use std::fs;

use leakcheck_model::origins::Frame;

/// Maps larger than this are not read.
const MAX_BYTES: u64 = 256 << 20;

/// The functions of one process by first address.
#[derive(Debug, Default)]
pub(crate) struct PerfMap(BTreeMap<u64, (u64, String)>);

impl PerfMap {
    /// Reads the map of the process `pid`; empty if there is none.
    pub(crate) fn read(pid: i32) -> Self {
        let path = format!("/tmp/perf-{pid}.map");
        if fs::metadata(&path).is_ok_and(|m| m.len() > MAX_BYTES) {
            return Self::default();
        }
        Self::parse(&String::from_utf8_lossy(&fs::read(&path).unwrap_or_default()))
    }

    fn parse(text: &str) -> Self {
        let entry = |line: &str| {
            let mut fields = line.splitn(3, ' ');
            let start = u64::from_str_radix(fields.next()?, 16).ok()?;
            let size = u64::from_str_radix(fields.next()?, 16).ok()?;
            Some((start, (size, fields.next()?.to_owned())))
        };
        Self(text.lines().filter_map(entry).collect())
    }

    /// Returns the function at `address`.
    pub(crate) fn name(&self, address: u64) -> Option<Frame> {
        let (start, (size, text)) = self.0.range(..=address).next_back()?;
        (address < start + size).then(|| javascript(text))
    }
}

/// Removes what Node.js wrote for the traced `processes`: perf maps, and the V8 logs that it opens with them.
pub(crate) fn remove(processes: &HashSet<i32>) {
    for process in processes {
        // There is none for a program that is not Node.js.
        let _ = fs::remove_file(format!("/tmp/perf-{process}.map"));
    }
    for entry in fs::read_dir(".").into_iter().flatten().flatten() {
        let process = entry.file_name().to_str().and_then(process_of_v8_log);
        if process.is_some_and(|process| processes.contains(&process)) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Returns the process of a V8 log: `isolate-0x2fae8be0-14131-v8.log`.
fn process_of_v8_log(file_name: &str) -> Option<i32> {
    let middle = file_name.strip_prefix("isolate-0x")?.strip_suffix("-v8.log")?;
    middle.rsplit_once('-')?.1.parse().ok()
}

/// Parses a V8 frame: `JS:*name /path/file.js:12:34`. The mark before the name is the compiler tier.
fn javascript(text: &str) -> Frame {
    let place = |text: &str| {
        let (rest, _column) = text.rsplit_once(':')?;
        let (file, line) = rest.rsplit_once(':')?;
        Some((file.to_owned(), line.parse().ok()?))
    };
    let named = text
        .split_once(':')
        .map_or(text, |(_, rest)| rest)
        .trim_start_matches(['*', '~', '^', '+']);
    match named
        .split_once(' ')
        .and_then(|(name, rest)| Some((name, place(rest)?)))
    {
        Some((name, (file, line))) => Frame {
            function: if name.is_empty() {
                "(anonymous)".to_owned()
            } else {
                name.to_owned()
            },
            library: file.starts_with("node:"),
            file: Some(file),
            line: Some(line),
            ..Frame::default()
        },
        None => Frame {
            function: text.to_owned(),
            library: true,
            ..Frame::default()
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_v8_log_is_known_by_its_process() {
        assert_eq!(process_of_v8_log("isolate-0x2fae8be0-14131-v8.log"), Some(14131));
        assert_eq!(process_of_v8_log("isolate-mine.log"), None);
    }

    #[test]
    fn a_javascript_function_has_its_file_and_line() {
        let map = PerfMap::parse("1000 20 JS:*open /srv/app.js:12:34\n1020 10 Builtin:Foo\n");
        let frame = map.name(0x1010).expect("a function");
        assert_eq!((frame.function.as_str(), frame.line), ("open", Some(12)));
        assert!(map.name(0x1025).expect("a builtin").library);
        assert_eq!(map.name(0x1030), None);
    }
}
