//! QR codes as PNG pictures that a phone could scan.

use qrcode::{Color, QrCode};

/// Pixels per square; with the usual length of a code this gives about WAHA's picture size.
const SQUARE: usize = 4;
/// The standard's empty border, in squares.
const BORDER: usize = 4;

/// Why a picture could not be made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum QrError {
    #[error("the QR code's text is too long: {0}")]
    Text(#[from] qrcode::types::QrError),
    #[error("the QR code's picture could not be written: {0}")]
    Picture(#[from] png::EncodingError),
}

/// A black and white PNG of `text`.
pub(crate) fn png(text: &str) -> Result<Vec<u8>, QrError> {
    let code = QrCode::new(text)?;
    let squares = code.width();
    let colors = code.to_colors();
    let side = (squares + 2 * BORDER) * SQUARE;
    let is_dark = |x: usize, y: usize| {
        let (column, row) = ((x / SQUARE).checked_sub(BORDER), (y / SQUARE).checked_sub(BORDER));
        match (column, row) {
            (Some(column), Some(row)) if column < squares && row < squares => {
                colors[row * squares + column] == Color::Dark
            }
            _ => false,
        }
    };
    // One byte per pixel: simple, and compression makes up for it.
    let pixels: Vec<u8> = (0..side * side)
        .map(|at| if is_dark(at % side, at / side) { 0 } else { 255 })
        .collect();

    let mut picture = Vec::new();
    let side = u32::try_from(side).unwrap_or(u32::MAX);
    let mut encoder = png::Encoder::new(&mut picture, side, side);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(&pixels)?;
    writer.finish()?;
    Ok(picture)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_picture_shows_the_code_with_its_border() {
        let text = "2@0123456789ABCDEF,0123,4567,1";
        let bytes = png(text).unwrap();
        let mut reader = png::Decoder::new(std::io::Cursor::new(&bytes))
            .read_info()
            .unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut pixels).unwrap();
        let side = usize::try_from(info.width).unwrap();
        let code = QrCode::new(text).unwrap();
        assert_eq!(side, (code.width() + 2 * BORDER) * SQUARE);

        let middle_of = |square: usize| (square + BORDER) * SQUARE + SQUARE / 2;
        for row in 0..code.width() {
            for column in 0..code.width() {
                let dark = pixels[middle_of(row) * side + middle_of(column)] == 0;
                assert_eq!(dark, code[(column, row)] == Color::Dark, "square {column},{row}");
            }
        }
        assert!(pixels[..side * SQUARE * BORDER].iter().all(|pixel| *pixel == 255));
    }
}
