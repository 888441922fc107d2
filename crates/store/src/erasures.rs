//! Erasing a chat: messages with what they say and their files, and the events that name it. Each call changes no
//! more than a batch, so that nobody waits long for the database.

use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, Order,
    sea_query::{Expr, ExprTrait},
};
use uuid::Uuid;
use wahana_domain::{ChatId, Erasure, ErasureId, EventType, Happening, MessageId, SessionId, Timestamp};

use crate::{
    StoreError, TenantTx,
    entity::{
        erasure::{ActiveModel, Column, Entity, Model},
        message, organization_event, waha_event,
    },
    erased_messages,
    events::is_waiting,
    media_files, messages, sessions, webhooks,
};

/// Where the id of a chat, or of who has it, stands in messages.
const BY_CHAT: [message::Column; 2] = [message::Column::ChatId, message::Column::Sender];

/// What is left of an event that names a chat and cannot be read.
const UNREADABLE: &str = "{}";

/// Why a message that was to be sent is not sent any more.
const CANCELLED: &str = "The chat was erased.";

/// Keeps an erasure that is still to be done.
pub async fn insert(tx: &TenantTx, new: &Erasure) -> Result<(), StoreError> {
    tx.insert(ActiveModel {
        id: Set(new.id.as_uuid()),
        chat_id: Set(new.chat_id.as_ref().map(|chat| chat.as_str().to_owned())),
        messages: Set(0),
        events: Set(0),
        created_at: Set(new.created_at.as_micros()),
        finished_at: Set(None),
        ..Default::default()
    })
    .await
}

/// One erasure.
pub async fn get(tx: &TenantTx, id: ErasureId) -> Result<Option<Erasure>, StoreError> {
    let found = tx.find::<Entity>().filter(Column::Id.eq(id.as_uuid()));
    found.one().await?.as_ref().map(from_row).transpose()
}

/// A message that is to be erased.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Doomed {
    /// The message.
    pub message: MessageId,
    /// Its session.
    pub session: SessionId,
}

/// Messages of the chat, and those of whoever has its id in other chats: `limit` at most. One that is just being
/// handed over is not among them.
pub async fn messages_of(tx: &TenantTx, chat: &ChatId, limit: u64) -> Result<Vec<Doomed>, StoreError> {
    let mut found = Vec::new();
    // One after the other, so that each uses its own index.
    for column in BY_CHAT {
        let left = limit - found.len() as u64;
        let rows = tx
            .find::<message::Entity>()
            .filter(column.eq(chat.as_str()))
            .filter(message::Column::Lane.is_null())
            .order_by(message::Column::Id, Order::Asc)
            .limit(left)
            .all()
            .await?;
        found.extend(rows.into_iter().map(|row| Doomed {
            message: row.id.into(),
            session: row.session_id.into(),
        }));
    }
    Ok(found)
}

/// What was erased of messages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ErasedMessages {
    /// How many.
    pub messages: u64,
    /// Those among them that waited to be sent: when each was handed in.
    pub cancelled: Vec<Timestamp>,
}

/// Erases these messages of a chat: their rows, what they say, the answers to their requests, deliveries of their
/// events, and their files as far as the database has them. Those that wait are cancelled before; the caller gives back what they took of a quota,
/// as the last thing that it does.
pub async fn erase_messages(
    tx: &TenantTx,
    erasure: ErasureId,
    these: &[Doomed],
) -> Result<ErasedMessages, StoreError> {
    // Whoever changes messages holds the row of their session, and goes on with what it read of them.
    sessions::lock_rows(tx, these.iter().map(|doomed| doomed.session)).await?;
    let rows = tx
        .find::<message::Entity>()
        .filter(message::Column::Id.is_in(these.iter().map(|doomed| doomed.message.as_uuid())))
        // One may have begun to be handed over before the session was locked.
        .filter(message::Column::Lane.is_null())
        .all()
        .await?;
    let ids: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
    // Files before messages, like everybody who deletes messages.
    media_files::end_of(tx, &ids).await?;
    let cancelled = messages::cancel_many(tx, &ids, CANCELLED).await?;
    webhooks::forget_messages(tx, &ids).await?;
    erased_messages::remember(tx, &rows).await?;
    let erased = tx
        .delete::<message::Entity>(message::Column::Id.is_in(ids))
        .await?;
    count(tx, erasure, Column::Messages, erased).await?;
    Ok(ErasedMessages {
        messages: erased,
        cancelled,
    })
}

/// A part of the events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventsOfChat {
    /// The numbers of those that name the chat.
    pub naming: Vec<i64>,
    /// The number of the last of the part; `None` if there are no more.
    pub last: Option<i64>,
}

/// Looks through `limit` events after a number for those that name a chat.
pub async fn events_of(
    tx: &TenantTx,
    chat: &ChatId,
    after: i64,
    limit: u64,
) -> Result<EventsOfChat, StoreError> {
    use organization_event::{Column as Event, Entity as Events};
    let rows = tx
        .find::<Events>()
        .filter(Event::Number.gt(after))
        .order_by(Event::Number, Order::Asc)
        .limit(limit)
        .all()
        .await?;
    let mut naming = Vec::new();
    for row in &rows {
        if without_chat(row, chat).is_some() {
            naming.push(row.number);
        }
    }
    Ok(EventsOfChat {
        naming,
        last: rows.last().map(|row| row.number),
    })
}

/// Takes the chat out of these events, and deletes what receivers were told of them with their answers; says how many
/// events there were.
pub async fn erase_from_events(
    tx: &TenantTx,
    erasure: ErasureId,
    chat: &ChatId,
    numbers: &[i64],
) -> Result<u64, StoreError> {
    use organization_event::{Column as Event, Entity as Events};
    let rows = tx
        .find::<Events>()
        .filter(Event::Number.is_in(numbers.iter().copied()))
        .all()
        .await?;
    let mut erased = 0;
    for row in &rows {
        let Some(data) = without_chat(row, chat) else {
            continue;
        };
        erased += tx
            .update::<Events>()
            .set(Event::Data, data)
            .filter(Event::Number.eq(row.number))
            .run()
            .await?;
    }
    webhooks::forget_events(tx, rows.iter().map(|row| row.number)).await?;
    count(tx, erasure, Column::Events, erased).await?;
    Ok(erased)
}

/// What is kept of an event that names a chat, without the chat; `None` if it does not name it.
fn without_chat(row: &organization_event::Model, chat: &ChatId) -> Option<String> {
    let event_type = EventType::from_word(&row.r#type);
    let Some(event_type @ (EventType::CallReceived | EventType::GroupChanged)) = event_type else {
        return None;
    };
    let erased = Happening::parse(event_type, &row.data).and_then(|mut happening| {
        let named = match &mut happening {
            Happening::CallReceived(call) => &mut call.from,
            Happening::GroupChanged(change) => &mut change.group_id,
            _ => return Ok(None),
        };
        if named.as_deref() != Some(chat.as_str()) {
            return Ok(None);
        }
        *named = None;
        Ok(Some(happening.to_json()?))
    });
    // One that nobody can read any more is not told either, and nothing of it is worth a chat that stays.
    erased.unwrap_or_else(|_| row.data.contains(chat.as_str()).then(|| UNREADABLE.to_owned()))
}

/// Whether something of WAHA's is not applied yet that was told before then and may still become a trace of a chat.
pub async fn awaits_events(tx: &TenantTx, before: Timestamp) -> Result<bool, StoreError> {
    let waiting = tx
        .find::<waha_event::Entity>()
        .filter(is_waiting())
        .filter(waha_event::Column::ReceivedAt.lte(before.as_micros()))
        .limit(1);
    Ok(waiting.one().await?.is_some())
}

/// Whether a message of the chat is left: one that is just being handed over.
pub async fn has_messages(tx: &TenantTx, chat: &ChatId) -> Result<bool, StoreError> {
    for column in BY_CHAT {
        let left = tx
            .find::<message::Entity>()
            .filter(column.eq(chat.as_str()))
            .limit(1);
        if left.one().await?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Forgets which chat it is, of which nothing else is left.
pub async fn forget_chat(tx: &TenantTx, erasure: ErasureId) -> Result<(), StoreError> {
    tx.update::<Entity>()
        .set(Column::ChatId, None::<String>)
        .filter(Column::Id.eq(erasure.as_uuid()))
        .run()
        .await?;
    Ok(())
}

/// Ends an erasure.
pub async fn finish(tx: &TenantTx, erasure: ErasureId) -> Result<(), StoreError> {
    tx.update::<Entity>()
        .set(Column::FinishedAt, tx.now().as_micros())
        .filter(Column::Id.eq(erasure.as_uuid()))
        .run()
        .await?;
    Ok(())
}

async fn count(tx: &TenantTx, erasure: ErasureId, column: Column, more: u64) -> Result<(), StoreError> {
    let more = i64::try_from(more).unwrap_or(i64::MAX);
    tx.update::<Entity>()
        .set_expression(column, Expr::col(column).add(more))
        .filter(Column::Id.eq(erasure.as_uuid()))
        .run()
        .await?;
    Ok(())
}

fn from_row(row: &Model) -> Result<Erasure, StoreError> {
    let inconsistent = |column| StoreError::Inconsistent {
        table: "erasures",
        column,
        row: row.id.to_string(),
    };
    let chat_id = row.chat_id.as_deref().map(ChatId::parse_source).transpose();
    Ok(Erasure {
        id: row.id.into(),
        chat_id: chat_id.map_err(|_| inconsistent("chat_id"))?,
        messages: u64::try_from(row.messages).map_err(|_| inconsistent("messages"))?,
        events: u64::try_from(row.events).map_err(|_| inconsistent("events"))?,
        created_at: Timestamp::from_micros(row.created_at),
        finished_at: row.finished_at.map(Timestamp::from_micros),
    })
}
