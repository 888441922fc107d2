//! Drawing a QR code.

use png::{BitDepth, ColorType, Encoder, EncodingError};
use qrcode::{Color, QrCode, types::QrError};

/// How many pixels wide each square of the code is.
const SCALE: usize = 6;
/// How many squares of white the standard wants around a code.
const MARGIN: usize = 4;

/// The code cannot be drawn.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DrawingError {
    /// The text is too long for a code.
    #[error(transparent)]
    Code(#[from] QrError),
    /// The picture cannot be written.
    #[error(transparent)]
    Picture(#[from] EncodingError),
}

/// A PNG of the code for this text, black on white.
pub(crate) fn png(text: &str) -> Result<Vec<u8>, DrawingError> {
    let code = QrCode::new(text)?;
    let squares = code.width() + 2 * MARGIN;
    let side = squares * SCALE;
    let is_dark = |x: usize, y: usize| {
        let inside = MARGIN..MARGIN + code.width();
        inside.contains(&x) && inside.contains(&y) && code[(x - MARGIN, y - MARGIN)] == Color::Dark
    };
    let mut pixels = vec![u8::MAX; side * side];
    for (at, pixel) in pixels.iter_mut().enumerate() {
        if is_dark(at % side / SCALE, at / side / SCALE) {
            *pixel = 0;
        }
    }
    let mut picture = Vec::new();
    let side = u32::try_from(side).unwrap_or(u32::MAX);
    let mut encoder = Encoder::new(&mut picture, side, side);
    encoder.set_color(ColorType::Grayscale);
    encoder.set_depth(BitDepth::Eight);
    encoder.write_header()?.write_image_data(&pixels)?;
    Ok(picture)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_a_square_picture_with_a_white_margin() {
        let picture = png("2@some,code").unwrap();
        let mut reader = png::Decoder::new(std::io::Cursor::new(picture))
            .read_info()
            .unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut pixels).unwrap();
        assert_eq!(info.width, info.height);
        let side = usize::try_from(info.width).unwrap();
        let margin = MARGIN * SCALE;
        assert!(pixels[..margin * side].iter().all(|pixel| *pixel == u8::MAX));
        // The corner of the finder pattern.
        assert_eq!(pixels[margin * side + margin], 0);
    }
}
