//! A frame of a log stream, cut in half.

use leakcheck_http1::{BodyDecoder, Framing, LAST_CHUNK, encode_chunk};

/// Length of a frame's header: stream, three zeros, length (Docker Engine API, "Stream format").
const FRAME_HEADER: usize = 8;

/// Returns the chunk at the beginning of `bytes` with half of its first frame's text, followed by the end of the body.
/// `None` if `bytes` contain too little of the frame.
pub(super) fn half_a_frame(bytes: &[u8]) -> Option<Vec<u8>> {
    let data = first_payload(bytes)?;
    let (cut, least) = match &data[..] {
        [0..=2, 0, 0, 0, a, b, c, d, text @ ..] => {
            let length = u32::from_be_bytes([*a, *b, *c, *d]) as usize;
            (FRAME_HEADER + length.min(text.len()) / 2, FRAME_HEADER)
        }
        [0..=2, ..] => (data.len() / 2, FRAME_HEADER),
        // The stream of a terminal has no frames, so a line is cut.
        _ => (data.len() / 2, 0),
    };
    // Without a byte of text the client would not notice the cut.
    (cut > least).then(|| {
        let mut out = Vec::new();
        encode_chunk(&data[..cut], &mut out);
        out.extend_from_slice(LAST_CHUNK);
        out
    })
}

/// Returns the available data of the chunk at the beginning of `bytes`.
fn first_payload(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut first = None;
    // An error behind the first chunk is left to the caller's scanner.
    let _ = BodyDecoder::new(Framing::Chunked).scan(bytes, |payload| {
        first.get_or_insert_with(|| payload.to_vec());
    });
    first
}
