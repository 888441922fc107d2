//! Reading the messages that wahana keeps, of all sessions and chats.

use wahana_store::messages as stored;
pub use wahana_store::messages::{HistoryPosition, HistoryQuery, KeptMessage};

use crate::{
    ServiceError, Services,
    access::{Granted, ReadMessages},
};

/// A part of the messages, and where the next one begins.
#[derive(Debug)]
pub struct HistoryPart {
    /// The messages, newest first.
    pub messages: Vec<KeptMessage>,
    /// Where the next part begins; `None` at the end.
    pub next: Option<HistoryPosition>,
}

/// A part of the messages of the sessions that the caller may see.
pub async fn history(
    services: &Services,
    access: &Granted<ReadMessages>,
    mut query: HistoryQuery,
    limit: u64,
) -> Result<HistoryPart, ServiceError> {
    query.only = access.session_limit().map(|only| only.to_vec());
    let tx = services.store.read(access.tenant()).await?;
    let mut messages = stored::history(&tx, &query, limit + 1).await?;
    let has_more = u64::try_from(messages.len()).unwrap_or(u64::MAX) > limit;
    if has_more {
        messages.pop();
    }
    let last = messages.last().filter(|_| has_more);
    let next = last.map(|message| HistoryPosition {
        at: message.at,
        id: message.id,
    });
    Ok(HistoryPart { messages, next })
}
