//! Draws a figure as SVG and as PNG with the same code.
//!
//! plotters is used only by `canvas`, for lines, boxes and text at twice the size of the chart. The PNG is averaged down to
//! smooth edges, and the SVG has half pixels.

pub mod axis;
mod canvas;
mod draw;
mod error;
mod layout;
pub(crate) mod palette;

use plotters::prelude::{BitMapBackend, IntoDrawingArea as _, SVGBackend};

use crate::figure::Figure;
use canvas::{BackendQuirks, Canvas, SCALE};

pub use error::ChartError;
pub use layout::{HEIGHT, WIDTH};

/// plotters places the baseline of SVG text half an ex (about 0.25 em) below the middle; capitals need 0.35.
const SVG: BackendQuirks = BackendQuirks {
    text_drop_em: 0.1,
    bold_text: false,
    split_lines: false,
};
/// plotters places the baseline of ab_glyph text 0.12 em below the middle; capitals need 0.35.
const BITMAP: BackendQuirks = BackendQuirks {
    text_drop_em: 0.23,
    bold_text: true,
    split_lines: true,
};

/// Draws the chart as an SVG document.
///
/// # Errors
/// If the built-in font cannot be used.
pub fn svg(figure: &Figure) -> Result<String, ChartError> {
    canvas::register_font()?;
    let mut text = String::new();
    {
        let root = SVGBackend::with_string(&mut text, (WIDTH * SCALE, HEIGHT * SCALE)).into_drawing_area();
        draw::draw(&Canvas::new(&root, SVG), figure)?;
        root.present().map_err(ChartError::draw)?;
    }
    // Drawn at twice its size and shown at its size, with a title for screen readers.
    let drawn = format!("width=\"{}\" height=\"{}\"", WIDTH * SCALE, HEIGHT * SCALE);
    let shown = format!("width=\"{WIDTH}\" height=\"{HEIGHT}\" role=\"img\"");
    let text = text.replacen(&drawn, &shown, 1);
    let title = format!("<title>{}</title>\n", escaped(&draw::title(figure)));
    let at = text.find(">\n").map_or(0, |at| at + 2);
    Ok(format!("{}{title}{}", &text[..at], &text[at..]))
}

/// Draws the chart as a PNG file.
///
/// # Errors
/// If the built-in font cannot be used or the image cannot be encoded.
pub fn png(figure: &Figure) -> Result<Vec<u8>, ChartError> {
    canvas::register_font()?;
    let size = (WIDTH * SCALE, HEIGHT * SCALE);
    let mut pixels = vec![255; (size.0 * size.1 * 3) as usize];
    {
        let root = BitMapBackend::with_buffer(&mut pixels, size).into_drawing_area();
        draw::draw(&Canvas::new(&root, BITMAP), figure)?;
        root.present().map_err(ChartError::draw)?;
    }
    encode(&halved(pixels))
}

/// Averages each square of two by two pixels, in plain loops: this takes most of the time of a chart. It consumes its input, so
/// that the memory is free before the image is encoded.
#[expect(clippy::needless_pass_by_value, reason = "frees megabytes early")]
fn halved(pixels: Vec<u8>) -> Vec<u8> {
    const { assert!(SCALE == 2) };
    let row = (WIDTH * SCALE) as usize * 3;
    let mut out = vec![0; (WIDTH * HEIGHT * 3) as usize];
    for (to, two_rows) in out.chunks_exact_mut(row / 2).zip(pixels.chunks_exact(row * 2)) {
        let (upper, lower) = two_rows.split_at(row);
        let mut x = 0;
        while x < to.len() / 3 {
            for channel in 0..3 {
                let (left, right) = (x * 6 + channel, x * 6 + 3 + channel);
                let sum =
                    u16::from(upper[left]) + u16::from(upper[right]) + u16::from(lower[left]) + u16::from(lower[right]);
                to[x * 3 + channel] = (sum / 4) as u8;
            }
            x += 1;
        }
    }
    out
}

fn encode(pixels: &[u8]) -> Result<Vec<u8>, ChartError> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, WIDTH, HEIGHT);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_compression(png::Compression::Balanced);
    encoder.write_header()?.write_image_data(pixels)?;
    Ok(bytes)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests;
