//! Messages: sending them, what became of those that were sent, and reading those that WAHA has.
//!
//! Every message that is handed in is a row before WAHA is called. Its caller waits for it (`submit`), or it is
//! handed over when its turn comes (`dispatch`); both take the session's lane for one `attempt`.

mod attempt;
mod dispatch;
mod history;
mod idempotency;
mod line;
mod list;
mod media;
mod outgoing;
mod pace;
mod requested;
mod restriction;
mod settle;
mod submit;
mod text;
mod turn;
mod waiting_file;
mod wake;

pub use attempt::SentMessage;
pub use dispatch::dispatch;
pub use history::{HistoryPart, HistoryPosition, HistoryQuery, KeptMessage, history};
pub use idempotency::{AnswerOf, IdempotencyKey, InvalidIdempotencyKey, KeptAnswer};
pub use list::{Media, Message, MessagesQuery, list};
pub use media::{MediaFile, MediaMessage, MediaSource, check_media_type, receive_media, send_media};
pub use requested::cancel;
pub use submit::{
    DEFAULT_EXPIRY, DEFAULT_WAIT, LONGEST_AHEAD, LONGEST_WAIT, Schedule, SendOptions, Submitted,
};
pub use text::{TextMessage, send_text};
pub use wahana_store::messages::KnownMessage;
pub use wake::SendQueue;

use data_encoding::HEXUPPER;
use outgoing::Outgoing;

use crate::{Services, ready::Ready};

/// A key for a message, if it is known that its WAHA takes one from its caller. By it the message is recognized
/// even if WAHA's answer is lost.
async fn own_key(services: &Services, ready: &Ready, outgoing: &Outgoing) -> Option<String> {
    if outgoing.may_have_own_key() && services.upstreams.takes_message_keys(ready.upstream()).await {
        // As WhatsApp's web clients make them.
        Some(format!("3EB0{}", HEXUPPER.encode(&rand::random::<[u8; 9]>())))
    } else {
        None
    }
}
