//! Records: one JSON object per line, as the file sink writes and recovery reads them.
//!
//! `{"ts","container_id","container_name","stream","line"}`, and where they apply `"partial":true` (more parts of the line
//! follow), `"pieces":n` (the engine sent it in n frames) and `"line_base64"` (the exact bytes of a line that is not UTF-8;
//! `line` then contains U+FFFD). Plain ASCII appears verbatim.

use serde::Deserialize;

use crate::assemble::Line;
use crate::frame::Stream;
use crate::timestamp;

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Returns the middle part of a record, which all lines of a container share.
pub(crate) fn identity_part(id: &str, name: &str) -> Vec<u8> {
    let mut part = Vec::with_capacity(128);
    part.extend_from_slice(b"\",\"container_id\":\"");
    escape(id, &mut part);
    part.extend_from_slice(b"\",\"container_name\":\"");
    escape(name, &mut part);
    part.extend_from_slice(b"\",\"stream\":\"");
    part
}

/// Appends the record of `line` to `out`.
pub(crate) fn write(identity_part: &[u8], line: &Line<'_>, times: &mut timestamp::Writer, out: &mut Vec<u8>) {
    out.reserve(line.text.len() + identity_part.len() + 96);
    out.extend_from_slice(b"{\"ts\":\"");
    times.write(line.time, out);
    out.extend_from_slice(identity_part);
    out.extend_from_slice(line.stream.name().as_bytes());
    out.extend_from_slice(b"\",\"line\":\"");
    let valid = match std::str::from_utf8(line.text) {
        Ok(text) => {
            escape(text, out);
            true
        }
        Err(_) => {
            escape(&String::from_utf8_lossy(line.text), out);
            false
        }
    };
    out.push(b'"');
    if !valid {
        out.extend_from_slice(b",\"line_base64\":\"");
        base64(line.text, out);
        out.push(b'"');
    }
    if line.partial {
        out.extend_from_slice(b",\"partial\":true");
    }
    if line.pieces != 1 {
        out.extend_from_slice(format!(",\"pieces\":{}", line.pieces).as_bytes());
    }
    out.extend_from_slice(b"}\n");
}

/// The fields of a record that recovery needs.
#[derive(Debug, Deserialize)]
pub(crate) struct Record<'a> {
    #[serde(borrow)]
    pub(crate) ts: &'a str,
    #[serde(borrow)]
    pub(crate) container_id: &'a str,
    pub(crate) stream: Stream,
    #[serde(default = "one")]
    pub(crate) pieces: u32,
}

const fn one() -> u32 {
    1
}

fn needs_escape(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

/// Returns the index of the first byte that must be escaped. Most lines have none, so blocks are checked without a branch per
/// byte, which the compiler vectorises.
fn first_escape(bytes: &[u8]) -> Option<usize> {
    const BLOCK: usize = 16;
    let is_clean = |block: &&[u8]| !block.iter().fold(false, |found, byte| found | needs_escape(*byte));
    let clean = bytes.chunks_exact(BLOCK).take_while(is_clean).count() * BLOCK;
    let found = bytes[clean..].iter().position(|byte| needs_escape(*byte))?;
    Some(clean + found)
}

fn escape(text: &str, out: &mut Vec<u8>) {
    let mut rest = text.as_bytes();
    while let Some(at) = first_escape(rest) {
        out.extend_from_slice(&rest[..at]);
        match rest[at] {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            control => out.extend_from_slice(format!("\\u{control:04x}").as_bytes()),
        }
        rest = &rest[at + 1..];
    }
    out.extend_from_slice(rest);
}

fn base64(bytes: &[u8], out: &mut Vec<u8>) {
    for group in bytes.chunks(3) {
        let word = group
            .iter()
            .enumerate()
            .fold(0_u32, |word, (at, byte)| word | (u32::from(*byte) << (16 - 8 * at)));
        for digit in 0..4 {
            let index = (word >> (18 - 6 * digit)) & 63;
            out.push(if digit <= group.len() {
                BASE64[index as usize]
            } else {
                b'='
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::timestamp::Timestamp;

    fn record(text: &[u8], partial: bool, pieces: u32) -> String {
        let time = Timestamp::from_nanos(1_795_379_147_000_000_001);
        let mut out = Vec::new();
        write(
            &identity_part("abc", "we\"b"),
            &Line {
                stream: Stream::Stderr,
                time,
                text,
                partial,
                pieces,
            },
            &mut timestamp::Writer::default(),
            &mut out,
        );
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_plain_line_appears_verbatim() {
        assert_eq!(
            record(b"hello world", false, 1),
            "{\"ts\":\"2026-11-22T20:25:47.000000001Z\",\"container_id\":\"abc\",\"container_name\":\"we\\\"b\",\
             \"stream\":\"stderr\",\"line\":\"hello world\"}\n"
        );
    }

    #[test]
    fn bytes_that_are_not_utf_8_are_kept_exactly() {
        let value: serde_json::Value = serde_json::from_str(&record(b"a\xffb", true, 2)).unwrap();
        assert_eq!(value["line"], "a\u{fffd}b");
        // `printf 'a\xffb' | base64`
        assert_eq!(value["line_base64"], "Yf9i");
        assert_eq!((&value["partial"], &value["pieces"]), (&true.into(), &2.into()));
    }

    #[test]
    fn base64_is_that_of_rfc_4648() {
        for (plain, coded) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foobar", "Zm9vYmFy"),
        ] {
            let mut out = Vec::new();
            base64(plain.as_bytes(), &mut out);
            assert_eq!(out, coded.as_bytes());
        }
    }

    proptest! {
        #[test]
        fn any_text_survives_a_round_trip(text in any::<String>()) {
            let record = record(text.as_bytes(), false, 3);
            prop_assert_eq!(record.matches('\n').count(), 1);
            let value: serde_json::Value = serde_json::from_str(&record).unwrap();
            prop_assert_eq!(value["line"].as_str(), Some(text.as_str()));
            let read: Record<'_> = serde_json::from_str(&record).unwrap();
            prop_assert_eq!((read.container_id, read.stream, read.pieces), ("abc", Stream::Stderr, 3));
        }
    }
}
