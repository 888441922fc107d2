//! A typed client for [WAHA](https://waha.devlike.pro), the WhatsApp HTTP API.
//!
//! One [`HttpClient`] holds the connection pool and the TLS configuration and is shared by the clients of any
//! number of WAHA servers; a [`WahaClient`] is one server's address, key and limits, and cheap to clone.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use waha_client::{HttpClient, HttpOptions, WahaClient, WahaConfig};
//!
//! // The process chooses its TLS provider once, before the first client is built.
//! rustls::crypto::ring::default_provider().install_default().map_err(|_| "already installed")?;
//!
//! let http = HttpClient::new(&HttpOptions::default())?;
//! let config = WahaConfig::new("http://127.0.0.1:3000".parse()?, "the-key".to_owned().into());
//! let waha = WahaClient::new(&http, config)?;
//! for session in waha.list_sessions().await? {
//!     println!("{} is {}", session.name, session.status);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! What WAHA answers differs between its versions and between its engines (NOWEB, GOWS, WEBJS). Every call
//! here has one shape whatever the engine: ids of people end in `@c.us`, times are Unix seconds, fields that
//! are missing or of an unexpected type are `None`. Refusals, which WAHA tells apart only by wording, arrive
//! as one [`WahaError`], whose [`outcome`](WahaError::outcome) says whether the call may have happened.
//!
//! A [`Guard`] before each server bounds how much it is asked at a time and leaves it alone while it is away.
//! Nothing here retries, and redirects are never followed, because they would carry the key elsewhere.

mod chats;
mod client;
mod config_digest;
mod contacts;
mod content;
mod error;
pub mod events;
mod file_content;
mod files;
mod groups;
mod guard;
mod http;
mod ids;
mod messages;
mod pairing;
mod refusal;
mod restrictions;
mod sending;
mod server;
mod session_config;
mod sessions;
mod timeouts;
mod wire;

pub use chats::{Chat, ChatSort, ChatsQuery, Page, SortOrder};
pub use client::{WahaClient, WahaConfig};
pub use config_digest::ConfigDigest;
pub use contacts::{Contact, NumberCheck};
pub use error::{
    ConfigError, HeldBack, LostAnswer, NumberRestriction, Outcome, RefusalMessage, UnreachableReason,
    WahaError,
};
pub use file_content::FileContent;
pub use files::{FileDownload, FilePath};
pub use groups::{Group, GroupsQuery};
pub use guard::{Circuit, Guard, GuardLimits};
pub use http::{HttpClient, HttpOptions};
pub use ids::{MessageKey, normalize_chat_id};
pub use messages::{Media, Message, MessageKind, MessagesQuery, ReplyTo};
pub use sending::{FileToSend, MediaToSend, SentMessage, TextToSend};
pub use server::ServerVersion;
pub use session_config::{
    ClientAppearance, IgnoredChats, NowebSettings, NowebStore, SessionConfig, VisibleSessionConfig,
};
pub use sessions::{Me, SessionStatus, StartOutcome, WahaSession};
pub use timeouts::{CallKind, TimeLimit, Timeouts};
