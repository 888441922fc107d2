//! Messages: those that were handed to wahana, and those that WAHA tells of.

mod announce;
mod content;
mod described;
mod history;
mod news;
mod queue;
mod recognise;

use sea_orm::{ActiveModelTrait, ColumnTrait, IntoActiveModel};
use wahana_domain::{
    ChatId, DeliveryStatus, Direction, MessageId, MessageKind, OutgoingMessage, ProcessId, SessionId,
    Timestamp, TokenId, UserId,
};

pub use content::{MessageContent, content, forget_content, insert_content, texts};
pub use described::{DescribedMessage, described};
pub use history::{HistoryPosition, HistoryQuery, KeptMessage, history};
pub use news::{Accepted, Acknowledgement, Ledger, MessageNews, accept, conclude_accepted};
pub use queue::{
    Attempt, EXPIRED_AT_ONCE, Head, abandoned, begin, cancel, claim, conclude, expire, first_due, has_due,
    has_others_before, has_queued_more_than, has_unsettled, needs_sweep, put_back, set_outcome,
    set_waiting_for, unsettled, wait_to_settle,
};
pub(crate) use queue::{cancel_many, is_queued};

pub use recognise::{Recognised, look_again, recognise};

use crate::{
    StoreError, TenantTx,
    entity::message::{self, Column, Model},
};

/// Who handed a message to wahana, in which request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requester {
    /// The user.
    pub user: UserId,
    /// Their token, if they used one.
    pub token: Option<TokenId>,
    /// The request.
    pub request_id: String,
}

/// A message that is to be kept before WAHA is called.
#[derive(Clone, Debug)]
pub struct NewMessage<'a> {
    /// The message.
    pub message: &'a OutgoingMessage,
    /// What it says.
    pub content: &'a MessageContent,
    /// Who wants it sent.
    pub requester: &'a Requester,
    /// The key that it is to have at WhatsApp, if wahana chooses it.
    pub key: Option<&'a str>,
}

/// Keeps a message that waits for its turn.
pub async fn enqueue(tx: &TenantTx, new: &NewMessage<'_>) -> Result<(), StoreError> {
    let row = to_row(tx, new);
    announce::status(tx, &row, None, &row.status);
    tx.insert(row.into_active_model().reset_all()).await?;
    insert_content(tx, new.message.id, new.content).await
}

fn to_row(tx: &TenantTx, new: &NewMessage<'_>) -> Model {
    let message = new.message;
    Model {
        id: message.id.as_uuid(),
        organization_id: tx.organization_id().as_uuid(),
        session_id: message.session_id.as_uuid(),
        chat_id: message.chat_id.as_str().to_owned(),
        direction: Direction::Outgoing.as_str().to_owned(),
        kind: message.kind.as_str().to_owned(),
        status: message.status.as_str().to_owned(),
        waha_message_id: message.waha_message_id.clone(),
        created_at: message.created_at.as_micros(),
        updated_at: message.updated_at.as_micros(),
        message_key: new.key.map(str::to_owned),
        sender: None,
        happened_at: None,
        due_at: Some(message.due_at.as_micros()),
        expires_at: message.expires_at.map(Timestamp::as_micros),
        is_asynchronous: message.is_asynchronous,
        reason: message.reason.clone(),
        attempts: 0,
        attempted_at: None,
        lane: None,
        lease_owner: None,
        lease_expires_at: None,
        settle_at: None,
        user_id: Some(new.requester.user.as_uuid()),
        token_id: new.requester.token.as_ref().map(|id| id.as_str().to_owned()),
        request_id: Some(new.requester.request_id.clone()),
        reply_to: None,
        is_from_api: true,
    }
}

/// One message that was handed to wahana.
pub async fn get(tx: &TenantTx, id: MessageId) -> Result<Option<OutgoingMessage>, StoreError> {
    let found = tx
        .find::<message::Entity>()
        .filter(Column::Id.eq(id.as_uuid()))
        .filter(Column::Direction.eq(Direction::Outgoing.as_str()))
        // Of which nothing but an acknowledgement is known, it is not known where it is.
        .filter(Column::ChatId.ne(""));
    found.one().await?.map(from_row).transpose()
}

/// A message of either direction, as far as its place in WhatsApp goes.
#[derive(Clone, PartialEq, Eq)]
pub struct KnownMessage {
    /// wahana's id for it.
    pub id: MessageId,
    /// The session that sent or received it.
    pub session_id: SessionId,
    /// The chat that it is in; also a kind of chat that nothing can be sent to.
    pub chat_id: String,
    /// WAHA's id for it, once WAHA has told it.
    pub waha_message_id: Option<String>,
}

/// Chats are people's numbers.
impl std::fmt::Debug for KnownMessage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KnownMessage")
            .field("id", &self.id)
            .field("session_id", &self.session_id)
            .finish_non_exhaustive()
    }
}

/// One message of either direction, if its session is among those that may be seen.
pub async fn find(
    tx: &TenantTx,
    id: MessageId,
    only: Option<&[SessionId]>,
) -> Result<Option<KnownMessage>, StoreError> {
    let mut found = tx
        .find::<message::Entity>()
        .filter(message::Column::Id.eq(id.as_uuid()))
        .filter(message::Column::ChatId.ne(""));
    if let Some(only) = only {
        found = found.filter(message::Column::SessionId.is_in(only.iter().map(|id| id.as_uuid())));
    }
    Ok(found.one().await?.map(|row| KnownMessage {
        id: row.id.into(),
        session_id: row.session_id.into(),
        chat_id: row.chat_id,
        waha_message_id: row.waha_message_id,
    }))
}

fn from_row(row: Model) -> Result<OutgoingMessage, StoreError> {
    let inconsistent = |column| StoreError::Inconsistent {
        table: "messages",
        column,
        row: row.id.to_string(),
    };
    let time = |micros: Option<i64>| micros.map(Timestamp::from_micros);
    let created_at = Timestamp::from_micros(row.created_at);
    Ok(OutgoingMessage {
        id: row.id.into(),
        session_id: row.session_id.into(),
        chat_id: ChatId::parse(&row.chat_id).map_err(|_| inconsistent("chat_id"))?,
        kind: MessageKind::from_word(&row.kind).ok_or_else(|| inconsistent("kind"))?,
        status: DeliveryStatus::from_word(&row.status).ok_or_else(|| inconsistent("status"))?,
        waha_message_id: row.waha_message_id,
        due_at: time(row.due_at).unwrap_or(created_at),
        expires_at: time(row.expires_at),
        is_asynchronous: row.is_asynchronous,
        reason: row.reason,
        sent_at: time(row.happened_at),
        created_at,
        updated_at: Timestamp::from_micros(row.updated_at),
    })
}

/// Who wanted it sent; `None` of one that was sent otherwise.
fn requester(row: &Model) -> Result<Option<Requester>, StoreError> {
    let Some(user) = row.user_id else {
        return Ok(None);
    };
    let token = row.token_id.as_deref().map(TokenId::parse).transpose();
    Ok(Some(Requester {
        user: user.into(),
        token: token.map_err(|_| StoreError::Inconsistent {
            table: "messages",
            column: "token_id",
            row: row.id.to_string(),
        })?,
        request_id: row.request_id.clone().unwrap_or_default(),
    }))
}

/// Which process hands a message over, until when at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SendLease {
    /// The process.
    pub owner: ProcessId,
    /// When it has surely ended.
    pub expires_at: Timestamp,
}

/// A condition for the messages of a session.
fn of_session(session: SessionId) -> sea_orm::sea_query::SimpleExpr {
    Column::SessionId.eq(session.as_uuid())
}
