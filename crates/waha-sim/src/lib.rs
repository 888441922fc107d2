//! A simulator of WAHA (WhatsApp HTTP API) that needs no phone, for demonstrations and tests.
//!
//! **Nothing that goes through it reaches WhatsApp.** It answers as WAHA does, with WAHA's statuses, bodies, waits and odd
//! corners, so that a client of WAHA cannot tell the difference; it therefore says what it is only where no such client
//! looks: here, in the program's banner and help, and in its control API.
//!
//! What it does was recorded from WAHA 2026.2.1 (NOWEB), with what later releases added up to 2026.7.1 taken from their
//! API description. Not recorded, and therefore guesses: the answers of GOWS and WEBJS to sends, chats and groups, the
//! passkey dialogue, the number of QR codes before a session fails, and how WAHA passes on WhatsApp's errors 463 and 475.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use waha_sim::{IncomingMessage, SessionSeed, WahaSim};
//!
//! let waha = WahaSim::builder().api_key("a key for tests").time_scale(0.02).start().await?;
//! waha.add_session(SessionSeed::new("reception"));
//! let id = waha.receive_message("reception", IncomingMessage::text("15550001111", "Hello"))?;
//! assert!(id.starts_with("false_15550001111@c.us_3A"));
//! assert_eq!(waha.counts().total, 0);
//! # Ok(())
//! # }
//! ```

mod builder;
mod clock;
mod content;
mod control;
mod control_api;
mod engine;
mod events;
mod faults;
mod files;
mod handle;
mod http;
mod ids;
mod incoming;
mod life;
mod media;
mod messages;
mod outgoing;
mod qr;
mod record;
mod seeds;
mod server;
mod sessions;
mod sim;
mod tls;
mod webhooks;
mod websocket;

pub use builder::{GlobalHook, StartError, WahaSimBuilder};
pub use control::ControlError;
pub use engine::Engine;
pub use faults::{Fault, FaultKind, SendRefusal};
pub use handle::WahaSim;
pub use incoming::IncomingMessage;
pub use messages::Ack;
pub use record::{Counts, ReceivedRequest, SentFile, SentKind, SentMessage, TypingChange};
pub use seeds::{ChatSeed, SessionSeed};
pub use server::RestartLoss;
pub use sessions::Status;
pub use webhooks::RetryPolicy;

/// What the simulator says of itself wherever it may.
pub const NOTICE: &str = "This is waha-sim, a simulator of WAHA. It has no phone, and nothing that goes through it reaches WhatsApp.";
