//! A figure as a picture: SVG and PNG from the same strokes.
//!
//! plotters stays behind [`canvas`]: only lines, boxes and text are asked of it, at twice the picture's size, so that
//! the PNG is averaged down to smooth edges and the SVG has half pixels.

pub mod axis;
mod canvas;
mod paint;
pub(crate) mod palette;

use plotters::prelude::{BitMapBackend, IntoDrawingArea as _, SVGBackend};

use crate::figure::Figure;
use canvas::{Canvas, Hand, SCALE};

/// Width of a chart in pixels.
pub const WIDTH: u32 = 1200;
/// Height of a chart in pixels.
pub const HEIGHT: u32 = 500;

/// plotters centres SVG text by half an ex (about 0.25 em below the middle); capitals want 0.35.
const SVG: Hand = Hand {
    sink: 0.1,
    bolder: false,
    by_pieces: false,
};
/// plotters' ab_glyph text has its baseline 0.12 em below the middle; capitals want 0.35.
const BITMAP: Hand = Hand {
    sink: 0.23,
    bolder: true,
    by_pieces: true,
};

/// A picture that could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ChartError {
    /// The built-in font is unusable.
    #[error("failed to load the font of charts")]
    Font,
    /// A stroke failed.
    #[error("failed to draw: {0}")]
    Draw(String),
    /// The PNG could not be encoded.
    #[error("failed to encode PNG")]
    Png(#[from] png::EncodingError),
}

/// The chart as an SVG document.
///
/// # Errors
/// If the built-in font cannot be used.
pub fn svg(figure: &Figure) -> Result<String, ChartError> {
    canvas::register_font()?;
    let mut text = String::new();
    {
        let root = SVGBackend::with_string(&mut text, (WIDTH * SCALE, HEIGHT * SCALE)).into_drawing_area();
        paint::paint(&Canvas::new(&root, SVG), figure)?;
        root.present().map_err(canvas::failed)?;
    }
    // Drawn at twice its size, shown at its size; described for those who cannot see it.
    let drawn = format!("width=\"{}\" height=\"{}\"", WIDTH * SCALE, HEIGHT * SCALE);
    let shown = format!("width=\"{WIDTH}\" height=\"{HEIGHT}\" role=\"img\"");
    let text = text.replacen(&drawn, &shown, 1);
    let title = format!("<title>{}</title>\n", escaped(&paint::title(figure)));
    let at = text.find(">\n").map_or(0, |at| at + 2);
    Ok(format!("{}{title}{}", &text[..at], &text[at..]))
}

/// The chart as a PNG file.
///
/// # Errors
/// If the built-in font cannot be used or the picture not be encoded.
pub fn png(figure: &Figure) -> Result<Vec<u8>, ChartError> {
    canvas::register_font()?;
    let size = (WIDTH * SCALE, HEIGHT * SCALE);
    let mut pixels = vec![255; (size.0 * size.1 * 3) as usize];
    {
        let root = BitMapBackend::with_buffer(&mut pixels, size).into_drawing_area();
        paint::paint(&Canvas::new(&root, BITMAP), figure)?;
        root.present().map_err(canvas::failed)?;
    }
    encode(&halved(pixels))
}

/// Averages each square of two by two pixels; plain loops, because this is most of a picture's time. What it takes is free
/// before the picture is encoded.
#[expect(clippy::needless_pass_by_value, reason = "megabytes that nobody needs any more")]
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
mod gallery;
#[cfg(test)]
mod tests;
