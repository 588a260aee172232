//! Errors of drawing a chart.

/// A chart that could not be drawn.
#[derive(Debug, thiserror::Error)]
pub enum ChartError {
    /// The built-in font is unusable.
    #[error("failed to load the font of charts")]
    Font,
    /// The backend failed.
    #[error("failed to draw: {0}")]
    Draw(String),
    /// The PNG could not be encoded.
    #[error("failed to encode PNG")]
    Png(#[from] png::EncodingError),
}

impl ChartError {
    /// Makes an error of the drawing backend.
    pub(super) fn draw(error: impl std::fmt::Display) -> Self {
        Self::Draw(error.to_string())
    }
}
