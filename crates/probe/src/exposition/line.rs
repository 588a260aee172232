//! One line of an exposition, parsed in place.
//!
//! Grammar: Prometheus text format 0.0.4 with the quoted UTF-8 names of Prometheus 3, and OpenMetrics 1.0:
//! `name{label="value",…} value [timestamp] [# exemplar]`, or `{"quoted name",label="value"} value`.

/// A sample line; names and values are as written, quotes removed, escapes left in.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Line<'a> {
    pub(super) name: &'a [u8],
    /// The text between the braces, for [`labels`].
    pub(super) labels: &'a [u8],
    pub(super) value: f64,
}

/// Reads one line that is neither empty nor a comment; `None` if it is not in the format.
pub(super) fn parse(line: &[u8]) -> Option<Line<'_>> {
    let line = line.trim_ascii();
    let bare = line
        .iter()
        .position(|b| matches!(b, b'{' | b' ' | b'\t'))
        .unwrap_or(line.len());
    let (mut name, rest) = line.split_at(bare);
    let mut rest = rest.trim_ascii_start();
    let mut inside: &[u8] = b"";
    if let Some(braces) = rest.strip_prefix(b"{") {
        let end = closing(braces)?;
        inside = &braces[..end];
        rest = braces[end + 1..].trim_ascii_start();
    }
    if name.is_empty() {
        (name, inside) = quoted_name(inside)?;
    } else if !is_name(name) {
        return None;
    }
    // Labels are checked even if no selector needs them, so that the count of unread lines is right.
    let mut all = labels(inside);
    for label in all.by_ref() {
        label?;
    }
    let (value, after) = word(rest);
    let value = number(value)?;
    let (timestamp, after) = word(after);
    let exemplar = if timestamp == b"#" {
        after
    } else {
        after.strip_prefix(b"#").unwrap_or(after)
    };
    if !timestamp.is_empty() && timestamp != b"#" {
        number(timestamp)?;
        if !after.is_empty() && !after.starts_with(b"#") {
            return None;
        }
    }
    if (timestamp == b"#" || after.starts_with(b"#")) && !exemplar.trim_ascii_start().starts_with(b"{") {
        return None;
    }
    Some(Line {
        name,
        labels: inside,
        value,
    })
}

/// Returns the name in `"my.name", label="value"`, and the labels behind it.
fn quoted_name(inside: &[u8]) -> Option<(&[u8], &[u8])> {
    let text = inside.trim_ascii_start().strip_prefix(b"\"")?;
    let end = end_of_quote(text)?;
    let rest = text[end + 1..].trim_ascii_start();
    match rest.strip_prefix(b",") {
        Some(labels) => Some((&text[..end], labels)),
        None if rest.is_empty() => Some((&text[..end], rest)),
        None => None,
    }
}

/// Returns the labels between the braces as (name, value), with escapes; the last item is `None` if they are malformed.
pub(super) fn labels(inside: &[u8]) -> impl Iterator<Item = Option<(&[u8], &[u8])>> {
    let mut rest = inside.trim_ascii();
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let found = one_label(rest);
        rest = found.map_or(&b""[..], |(_, _, after)| after);
        Some(found.map(|(name, value, _)| (name, value)))
    })
}

/// Returns name, value and the text after the comma.
fn one_label(text: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (name, rest) = if let Some(quoted) = text.strip_prefix(b"\"") {
        let end = end_of_quote(quoted)?;
        (&quoted[..end], quoted[end + 1..].trim_ascii_start())
    } else {
        let end = text.iter().position(|b| matches!(b, b'=' | b' ' | b'\t'))?;
        if !is_name(&text[..end]) {
            return None;
        }
        (&text[..end], text[end..].trim_ascii_start())
    };
    let value = rest.strip_prefix(b"=")?.trim_ascii_start().strip_prefix(b"\"")?;
    let end = end_of_quote(value)?;
    let after = value[end + 1..].trim_ascii_start();
    let after = match after.strip_prefix(b",") {
        Some(next) => next.trim_ascii_start(),
        None if after.is_empty() => after,
        None => return None,
    };
    Some((name, &value[..end], after))
}

/// Returns the index of the closing quote; `text` begins after the opening one.
fn end_of_quote(text: &[u8]) -> Option<usize> {
    let mut from = 0;
    loop {
        let at = from + memchr::memchr2(b'"', b'\\', &text[from..])?;
        if text[at] == b'"' {
            return Some(at);
        }
        from = at + 2;
        if from > text.len() {
            return None;
        }
    }
}

/// Returns the index of the closing brace, ignoring braces within quotes; `text` begins after the opening one.
fn closing(text: &[u8]) -> Option<usize> {
    let mut from = 0;
    loop {
        let at = from + memchr::memchr2(b'"', b'}', &text[from..])?;
        if text[at] == b'}' {
            return Some(at);
        }
        from = at + 1 + end_of_quote(&text[at + 1..])? + 1;
    }
}

/// Returns `true` for a name that needs no quotes: `[a-zA-Z_:][a-zA-Z0-9_:]*`.
fn is_name(name: &[u8]) -> bool {
    name.iter()
        .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b':'))
        && name.first().is_some_and(|b| !b.is_ascii_digit())
}

/// Returns the first word, and the text after it.
fn word(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text
        .iter()
        .position(|b| matches!(b, b' ' | b'\t'))
        .unwrap_or(text.len());
    (&text[..end], text[end..].trim_ascii_start())
}

/// Parses a number. Rust has the grammar of both formats, with `NaN`, `+Inf` and exponents, without hexadecimal numbers and
/// underscores.
fn number(text: &[u8]) -> Option<f64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// Returns `true` if text with escapes (`\\`, `\"`, `\n`) means `wanted`.
pub(super) fn means(written: &[u8], wanted: &[u8]) -> bool {
    if memchr::memchr(b'\\', written).is_none() {
        return written == wanted;
    }
    let mut written = written.iter().copied();
    let mut wanted = wanted.iter().copied();
    loop {
        let next = match written.next() {
            Some(b'\\') => match written.next() {
                Some(b'n') => Some(b'\n'),
                other => other,
            },
            other => other,
        };
        match (next, wanted.next()) {
            (None, None) => return true,
            (a, b) if a == b => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    type Read<T> = (T, Vec<(T, T)>, f64);

    fn read(text: &str) -> Option<Read<String>> {
        let line = parse(text.as_bytes())?;
        let words = |b: &[u8]| String::from_utf8_lossy(b).into_owned();
        let all = labels(line.labels)
            .map(|l| l.map(|(n, v)| (words(n), words(v))))
            .collect::<Option<_>>()?;
        Some((words(line.name), all, line.value))
    }

    #[test]
    fn every_form_of_a_sample_line_is_read() {
        let table: &[(&str, Read<&str>)] = &[
            ("up 1", ("up", vec![], 1.0)),
            ("up\t1e3 1700000000000", ("up", vec![], 1000.0)),
            ("up{} -4.5", ("up", vec![], -4.5)),
            (r#"a{b="c",d="e",} 2"#, ("a", vec![("b", "c"), ("d", "e")], 2.0)),
            (r#"a { b = "c" , d = "e" } 2"#, ("a", vec![("b", "c"), ("d", "e")], 2.0)),
            (r#"a{b="x}y,z\"q\\"} 3"#, ("a", vec![("b", r#"x}y,z\"q\\"#)], 3.0)),
            (
                r#"{"my.name","my.label"="é"} 4"#,
                ("my.name", vec![("my.label", "é")], 4.0),
            ),
            (r#"{"my.name"} 5"#, ("my.name", vec![], 5.0)),
            (
                r#"h_bucket{le="+Inf"} 6 # {trace_id="ab}c"} 0.67 1700000000.123"#,
                ("h_bucket", vec![("le", "+Inf")], 6.0),
            ),
            (
                r#"h_bucket{le="1"} 6 1700000000.5 # {} 0.67"#,
                ("h_bucket", vec![("le", "1")], 6.0),
            ),
            ("x +Inf", ("x", vec![], f64::INFINITY)),
            ("crlf 7\r", ("crlf", vec![], 7.0)),
        ];
        for (text, (name, labels, value)) in table {
            let labels = labels.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
            assert_eq!(read(text), Some(((*name).to_owned(), labels, *value)), "{text}");
        }
        assert!(read("x NaN").is_some_and(|(_, _, v)| v.is_nan()));
    }

    #[test]
    fn a_line_that_is_not_in_the_format_is_not_read() {
        for text in [
            "up",
            "up one",
            "up 1_000",
            "up 0x10",
            "1up 1",
            "a-b 1",
            r#"a{b="c} 1"#,
            r#"a{b=c} 1"#,
            r#"a{b="c"d="e"} 1"#,
            r#"{} 1"#,
            r#"a{b="c"} 1 2 3"#,
            "<html>",
            "a 1 # nothing",
            r#"a{"b\"} 1"#,
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn escapes_are_compared_by_their_meaning() {
        assert!(means(br#"a\"b\\c\nd"#, b"a\"b\\c\nd"));
        assert!(!means(br#"a\"b"#, b"a\"bc"));
        assert!(!means(b"abc", b"ab"));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&bytes);
        }

        #[test]
        fn brackets_and_quotes_in_any_order_are_read_without_panic(text in r#"[a{}"\\=,# 1]{0,40}"#) {
            let _ = parse(text.as_bytes());
        }
    }
}
