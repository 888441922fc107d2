//! Files of messages: those that came in, which WAHA keeps for three minutes, and those that are to be sent.
//!
//! Which there are is in the database, in rows of their organization; what they consist of is in the media
//! store. A file is fetched by a job that is written with the event that told of it, and is kept as long as its
//! organization wants, up to as much as the platform allows.

mod expected;
mod fetch;
mod keep;
mod link;
mod read;
pub(crate) mod retention;
mod settings;
pub mod store;

pub(crate) use expected::{ReceivedFile, expect};
pub use fetch::describe_metrics;
pub(crate) use fetch::{Payload, fetch};
pub(crate) use keep::discard;
pub use keep::{UploadError, open, upload};
pub(crate) use link::MediaLinks;
pub use link::{MediaLink, PresentedMediaLink, link, open_link};
pub use read::{MessageMedia, of_message};
pub(crate) use retention::{Growth, check_room};
pub use settings::MediaSettings;
pub use store::{ByteStream, MediaStore, Upload};
