//! A frame of a log stream, cut in half.

/// What ends a chunked body.
pub(super) const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// A frame's head: stream, three zeros, length (Docker Engine API, "Stream format").
const FRAME_HEAD: usize = 8;

/// The chunk at the beginning of `bytes` with half of its first frame's text, and the end of the body; `None` if not
/// enough of it is there.
pub(super) fn half_a_frame(bytes: &[u8]) -> Option<Vec<u8>> {
    let line = bytes.iter().take(20).position(|byte| *byte == b'\n')?;
    let digits = std::str::from_utf8(&bytes[..line]).ok()?.trim();
    let size = usize::from_str_radix(digits, 16).ok()?;
    let data = &bytes[line + 1..];
    let data = &data[..size.min(data.len())];
    let cut = match data {
        [0..=2, 0, 0, 0, a, b, c, d, text @ ..] => {
            let length = u32::from_be_bytes([*a, *b, *c, *d]) as usize;
            FRAME_HEAD + length.min(text.len()) / 2
        }
        // A terminal's stream has no frames; its lines are cut instead.
        data => data.len() / 2,
    };
    // At least a byte of the text is delivered, or there is nothing to be wrong about.
    let least = if data.first().is_some_and(|byte| *byte <= 2) {
        FRAME_HEAD
    } else {
        0
    };
    (cut > least).then(|| {
        let mut out = format!("{cut:x}\r\n").into_bytes();
        out.extend_from_slice(&data[..cut]);
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(LAST_CHUNK);
        out
    })
}
