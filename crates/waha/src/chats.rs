//! Reading chats.

use std::fmt;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::client::Call;
use crate::error::WahaError;
use crate::timeouts::CallKind;
use crate::{WahaClient, normalize_chat_id, wire};

/// A part of a list. WAHA has no cursor and says no total.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Page {
    /// At most this many; `None` leaves it to WAHA, which mostly gives all.
    pub limit: Option<u32>,
    /// After leaving out this many.
    pub offset: Option<u32>,
}

/// Which way a list is sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SortOrder {
    /// Small, old and A first.
    Ascending,
    /// Large, new and Z first.
    Descending,
}

impl SortOrder {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Ascending => "asc",
            Self::Descending => "desc",
        }
    }
}

/// What a list of chats is sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChatSort {
    /// The time of the last message.
    LastMessage,
    /// The chat's id.
    Id,
    /// The chat's name.
    Name,
}

impl ChatSort {
    const fn as_str(self) -> &'static str {
        match self {
            Self::LastMessage => "conversationTimestamp",
            Self::Id => "id",
            Self::Name => "name",
        }
    }
}

/// Which chats to list, and how sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ChatsQuery {
    /// The part of the list.
    pub page: Page,
    /// What it is sorted by.
    pub sort_by: Option<ChatSort>,
    /// Which way it is sorted.
    pub order: Option<SortOrder>,
}

/// A chat.
#[derive(Clone, PartialEq, Eq)]
pub struct Chat {
    /// See [`normalize_chat_id`].
    pub id: String,
    /// The name of the person or the group, if known.
    pub name: Option<String>,
    /// When the last message came or went, in Unix seconds.
    pub last_message_at: Option<i64>,
    /// How many messages are unread, on engines that say it.
    pub unread_count: Option<i64>,
    /// Where WhatsApp serves the picture; only the overview says it.
    pub picture_url: Option<String>,
}

impl fmt::Debug for Chat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chat")
            .field("last_message_at", &self.last_message_at)
            .finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireChat {
    #[serde(default, deserialize_with = "wire::text")]
    id: Option<String>,
    #[serde(default, deserialize_with = "wire::text")]
    name: Option<String>,
    #[serde(default, deserialize_with = "wire::seconds")]
    conversation_timestamp: Option<i64>,
    #[serde(default, deserialize_with = "wire::seconds")]
    timestamp: Option<i64>,
    #[serde(default, deserialize_with = "wire::number")]
    unread_count: Option<i64>,
    #[serde(default, deserialize_with = "wire::text")]
    picture: Option<String>,
    #[serde(default, deserialize_with = "wire::object")]
    last_message: Option<WireLastMessage>,
    /// The engine's own chat, in the overview.
    #[serde(default, rename = "_chat", deserialize_with = "wire::object")]
    chat: Option<WireInnerChat>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireInnerChat {
    #[serde(default, deserialize_with = "wire::seconds")]
    conversation_timestamp: Option<i64>,
    #[serde(default, deserialize_with = "wire::seconds")]
    timestamp: Option<i64>,
    #[serde(default, deserialize_with = "wire::number")]
    unread_count: Option<i64>,
}

/// Only what a chat needs of its last message: reading the whole of it, for each chat of a list, costs more
/// than the rest of the list.
#[derive(Deserialize)]
struct WireLastMessage {
    #[serde(default, deserialize_with = "wire::seconds")]
    timestamp: Option<i64>,
}

impl WireChat {
    fn into_chat(self) -> Option<Chat> {
        let inner = self.chat.as_ref();
        let last_message_at = self
            .conversation_timestamp
            .or(self.timestamp)
            .or_else(|| inner?.conversation_timestamp.or(inner?.timestamp))
            .or_else(|| self.last_message.as_ref()?.timestamp);
        Some(Chat {
            id: normalize_chat_id(&self.id?),
            name: self.name,
            last_message_at,
            unread_count: self
                .unread_count
                .or_else(|| inner?.unread_count)
                .filter(|count| *count >= 0),
            picture_url: self.picture,
        })
    }
}

#[derive(Deserialize)]
struct WirePicture {
    #[serde(default, deserialize_with = "wire::text")]
    url: Option<String>,
}

impl WahaClient {
    /// Chats with names and pictures, the most recent first. WAHA asks WhatsApp for each picture that it does
    /// not have, so ask for few at a time; `Unsupported` on NOWEB without its store.
    pub async fn chats_overview(&self, session: &str, page: Page) -> Result<Vec<Chat>, WahaError> {
        let call = Call::get(CallKind::Read, &["api", session, "chats", "overview"])
            .query_if("limit", page.limit)
            .query_if("offset", page.offset);
        self.list(call, WireChat::into_chat).await
    }

    /// Chats without pictures and, on some engines, without names.
    pub async fn chats(&self, session: &str, query: &ChatsQuery) -> Result<Vec<Chat>, WahaError> {
        let call = Call::get(CallKind::Read, &["api", session, "chats"])
            .query_if("limit", query.page.limit)
            .query_if("offset", query.page.offset)
            .query_if("sortBy", query.sort_by.map(ChatSort::as_str))
            .query_if("sortOrder", query.order.map(SortOrder::as_str));
        self.list(call, WireChat::into_chat).await
    }

    /// Where WhatsApp serves a chat's picture; `None` if it has none or hides it.
    pub async fn chat_picture(&self, session: &str, chat_id: &str) -> Result<Option<String>, WahaError> {
        let call = Call::get(CallKind::Read, &["api", session, "chats", chat_id, "picture"]);
        let picture: Option<WirePicture> = self.optional_json(call).await?;
        Ok(picture.and_then(|picture| picture.url))
    }

    /// Reads a list. Elements without an id are left out; a list of nothing but such elements is not what was
    /// asked for.
    pub(crate) async fn list<W: DeserializeOwned, T>(
        &self,
        call: Call<'_>,
        read: impl Fn(W) -> Option<T>,
    ) -> Result<Vec<T>, WahaError> {
        let answer = self.answer(call).await?;
        let elements: Vec<W> = answer.decode()?;
        let given = elements.len();
        let read: Vec<T> = elements.into_iter().filter_map(read).collect();
        if read.is_empty() && given > 0 {
            return Err(answer.broken("none of its elements has an id"));
        }
        Ok(read)
    }
}
