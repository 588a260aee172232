//! A frame of a log stream, cut in half.

use crate::http::LAST_CHUNK;

/// Length of a frame's header: stream, three zeros, length (Docker Engine API, "Stream format").
const FRAME_HEADER: usize = 8;

/// Returns the chunk at the beginning of `bytes` with half of its first frame's text, followed by the end of the body.
/// `None` if `bytes` contain too little of the frame.
pub(super) fn half_a_frame(bytes: &[u8]) -> Option<Vec<u8>> {
    let line = bytes.iter().take(20).position(|byte| *byte == b'\n')?;
    let digits = std::str::from_utf8(&bytes[..line]).ok()?.trim();
    let size = usize::from_str_radix(digits, 16).ok()?;
    let data = &bytes[line + 1..];
    let data = &data[..size.min(data.len())];
    let cut = match data {
        [0..=2, 0, 0, 0, a, b, c, d, text @ ..] => {
            let length = u32::from_be_bytes([*a, *b, *c, *d]) as usize;
            FRAME_HEADER + length.min(text.len()) / 2
        }
        // The stream of a terminal has no frames, so a line is cut.
        data => data.len() / 2,
    };
    // Without a byte of text the client would not notice the cut.
    let least = if data.first().is_some_and(|byte| *byte <= 2) {
        FRAME_HEADER
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
