//! Messages: sending them, and reading those that WAHA has.

mod list;
mod media;
mod send;
mod text;

pub use list::{Media, Message, MessagesQuery, list};
pub use media::{MediaFile, MediaMessage, MediaSource, send_media};
pub use send::SentMessage;
pub use text::{TextMessage, send_text};
