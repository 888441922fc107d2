//! Reading the messages of an organization, of all sessions and chats, newest first.

use std::{collections::HashMap, fmt};

use sea_orm::{
    ColumnTrait, Condition, Order,
    sea_query::{Expr, ExprTrait, Func, Query, SimpleExpr},
};
use wahana_domain::{
    DeliveryStatus, Direction, MediaFile, MessageId, MessageKind, SessionId, Timestamp, UserId,
};

use crate::{
    StoreError, TenantTx,
    entity::{
        message::{Column, Entity, Model},
        message_content,
    },
    media_files,
    search::has_words,
};

/// Which messages are wanted.
#[derive(Clone, Default)]
pub struct HistoryQuery {
    /// Of this session.
    pub session: Option<SessionId>,
    /// Only of these sessions.
    pub only: Option<Vec<SessionId>>,
    /// Of this chat.
    pub chat_id: Option<String>,
    /// Only those sent, or only those received.
    pub direction: Option<Direction>,
    /// Of which that became.
    pub status: Option<DeliveryStatus>,
    /// Sent then or later.
    pub since: Option<Timestamp>,
    /// Sent then or earlier.
    pub until: Option<Timestamp>,
    /// Which say these words.
    pub text: Option<String>,
    /// Older than this one: where the last part ended.
    pub before: Option<HistoryPosition>,
}

/// Words and chats are people's own.
impl fmt::Debug for HistoryQuery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HistoryQuery")
            .field("session", &self.session)
            .finish_non_exhaustive()
    }
}

/// A place among the messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HistoryPosition {
    /// The message's time.
    pub at: Timestamp,
    /// Which of those of that time.
    pub id: MessageId,
}

/// A message of either direction.
#[derive(Clone, PartialEq, Eq)]
pub struct KeptMessage {
    /// wahana's id for it.
    pub id: MessageId,
    /// The session that sent or received it.
    pub session_id: SessionId,
    /// The chat that it is in.
    pub chat_id: String,
    /// WAHA's id for it, once that is known.
    pub waha_message_id: Option<String>,
    /// Whether it was sent or came in.
    pub direction: Direction,
    /// What it carries.
    pub kind: MessageKind,
    /// How far it came.
    pub status: DeliveryStatus,
    /// When it was sent, or when it is to be sent.
    pub at: Timestamp,
    /// Who sent it, if it came in.
    pub sender: Option<String>,
    /// WhatsApp's key of the message that it answers.
    pub reply_to: Option<String>,
    /// What it says, if it says something and that is kept.
    pub text: Option<String>,
    /// What else is kept of what was sent, as JSON.
    pub details: Option<String>,
    /// Its file.
    pub media: Option<MediaFile>,
    /// Why it stands as it does, in words.
    pub reason: Option<String>,
    /// The person for whom it was sent.
    pub requested_by: Option<UserId>,
    /// The token with which that was asked for.
    pub token_id: Option<String>,
    /// Until when it may be sent.
    pub expires_at: Option<Timestamp>,
    /// When it was written down.
    pub created_at: Timestamp,
}

/// Texts and chats are people's own.
impl fmt::Debug for KeptMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeptMessage")
            .field("id", &self.id)
            .field("session_id", &self.session_id)
            .field("direction", &self.direction)
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

/// A part of the organization's messages, newest first. What is known by an acknowledgement alone is left out, and so
/// are texts that are there only until they were told.
pub async fn history(
    tx: &TenantTx,
    query: &HistoryQuery,
    limit: u64,
) -> Result<Vec<KeptMessage>, StoreError> {
    let rows = tx
        .find::<Entity>()
        .filter(condition(query))
        .order_by_expression(at(), Order::Desc)
        .order_by(Column::Id, Order::Desc)
        .limit(limit)
        .all()
        .await?;
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<_> = rows.iter().map(|row| row.id).collect();
    let contents = tx
        .find::<message_content::Entity>()
        .filter(message_content::Column::MessageId.is_in(ids.iter().copied()))
        .filter(message_content::Column::ForgetAfter.is_null())
        .all()
        .await?;
    let mut contents: HashMap<_, _> = contents
        .into_iter()
        .map(|content| (content.message_id, content))
        .collect();
    let files = media_files::of_messages(tx, &ids).await?;
    let mut files: HashMap<_, _> = files
        .into_iter()
        .filter_map(|file| Some((file.message_id?, file)))
        .collect();
    rows.into_iter()
        .map(|row| {
            let content = contents.remove(&row.id);
            let media = files.remove(&row.id.into());
            kept(row, content, media)
        })
        .collect()
}

/// When a message was sent or is to be sent, as the index has it.
pub(super) fn at() -> SimpleExpr {
    Func::coalesce([Column::HappenedAt, Column::DueAt].map(|column| Expr::col(column.as_column_ref()))).into()
}

fn condition(query: &HistoryQuery) -> Condition {
    let sessions = query
        .only
        .as_deref()
        .map(|only| only.iter().map(|id| id.as_uuid()));
    Condition::all()
        .add(at().is_not_null())
        .add_option(query.session.map(super::of_session))
        .add_option(sessions.map(|only| Column::SessionId.is_in(only)))
        .add_option(query.chat_id.as_deref().map(|chat| Column::ChatId.eq(chat)))
        .add_option(
            query
                .direction
                .map(|direction| Column::Direction.eq(direction.as_str())),
        )
        .add_option(query.status.map(|status| Column::Status.eq(status.as_str())))
        .add_option(query.since.map(|since| at().gte(since.as_micros())))
        .add_option(query.until.map(|until| at().lte(until.as_micros())))
        .add_option(query.before.as_ref().map(older_than))
        .add_option(query.text.as_deref().map(says))
}

fn older_than(position: &HistoryPosition) -> Condition {
    let then = position.at.as_micros();
    // The first is what an index finds.
    Condition::all().add(at().lte(then)).add(
        Condition::any()
            .add(at().lt(then))
            .add(Column::Id.lt(position.id.as_uuid())),
    )
}

/// Looked at message by message, so that the organization and the time come first: the comparison of texts may not
/// use an index under row security.
fn says(words: &str) -> SimpleExpr {
    use message_content::{Column as Content, Entity as Contents};
    let content = Query::select()
        .expr(Expr::val(1))
        .from(Contents)
        .and_where(Expr::col(Content::MessageId.as_column_ref()).equals((Entity, Column::Id)))
        .and_where(Content::ForgetAfter.is_null())
        .cond_where(has_words(&[Content::Text], words))
        .take();
    Expr::exists(content)
}

fn kept(
    row: Model,
    content: Option<message_content::Model>,
    media: Option<MediaFile>,
) -> Result<KeptMessage, StoreError> {
    let (text, details) = content.map_or((None, None), |content| (content.text, content.details));
    let inconsistent = |column| StoreError::Inconsistent {
        table: "messages",
        column,
        row: row.id.to_string(),
    };
    let at = row
        .happened_at
        .or(row.due_at)
        .ok_or_else(|| inconsistent("due_at"))?;
    Ok(KeptMessage {
        id: row.id.into(),
        session_id: row.session_id.into(),
        direction: Direction::from_word(&row.direction).ok_or_else(|| inconsistent("direction"))?,
        kind: MessageKind::from_word(&row.kind).ok_or_else(|| inconsistent("kind"))?,
        status: DeliveryStatus::from_word(&row.status).ok_or_else(|| inconsistent("status"))?,
        at: Timestamp::from_micros(at),
        chat_id: row.chat_id,
        waha_message_id: row.waha_message_id,
        sender: row.sender,
        reply_to: row.reply_to,
        text,
        details,
        media,
        reason: row.reason,
        requested_by: row.user_id.map(UserId::from),
        token_id: row.token_id,
        expires_at: row.expires_at.map(Timestamp::from_micros),
        created_at: Timestamp::from_micros(row.created_at),
    })
}
