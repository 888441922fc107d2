//! Recognising messages of unknown outcome in what WAHA tells of.
//!
//! Where WAHA lets nobody choose a message's key, an answer that was lost leaves no name by which to ask for the message.
//! If it was sent, WAHA tells of it all the same, as of any message that was sent through its API: before the outcome
//! became unknown, or after. It is recognised only where nothing else could be meant.

use std::time::Duration;

use sea_orm::{
    ColumnTrait, Condition, ExprTrait, Order,
    sea_query::{Expr, SimpleExpr},
};
use wahana_domain::{Direction, OutgoingMessage, SessionId, Timestamp};

use super::{content::content, history::at, of_session};
use crate::{
    StoreError, TenantTx,
    entity::message::{Column, Entity, Model},
};

/// How far apart the beginning of the attempt and WhatsApp's time of the message may be: the longest call and clocks
/// that differ.
const APART: Duration = Duration::from_mins(10);
/// For how long after its outcome was given up a message is looked for: WAHA repeats its events for a day.
const LOOKED_FOR: Duration = Duration::from_hours(25);
/// More than one is too many.
const ENOUGH: usize = 2;

/// A message that WAHA told of, which is one that wahana sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recognised {
    /// WhatsApp's own key of it.
    pub key: String,
    /// WAHA's id for it.
    pub waha_message_id: String,
    /// When it was sent.
    pub happened_at: Timestamp,
}

/// Whether WAHA alone told of it, and it was sent through WAHA's API.
pub(super) const fn is_heard(row: &Model) -> bool {
    row.is_from_api && row.due_at.is_none() && row.happened_at.is_some()
}

/// Spelled out, because only then do both databases see that the partial index holds all of them.
fn is_unknown() -> SimpleExpr {
    Expr::cust("status = 'unknown' AND message_key IS NULL")
}

/// Those that have the lane under a key that nobody knows: WAHA may tell of one before its answer is here.
fn is_under_way() -> SimpleExpr {
    Expr::cust("lane IS NOT NULL AND message_key IS NULL")
}

/// Looks soon for messages of a session whose outcome is unknown: WAHA told of one that they may be, or another that
/// could have been meant by it turned out not to be.
pub async fn look_again(tx: &TenantTx, session: SessionId) -> Result<(), StoreError> {
    tx.update::<Entity>()
        .set(Column::SettleAt, tx.now().as_micros())
        .filter(of_session(session))
        .filter(is_unknown())
        .filter(Column::UpdatedAt.gt(tx.now().minus(LOOKED_FOR).as_micros()))
        .run()
        .await?;
    Ok(())
}

/// The message that WAHA told of, if there is one that can only be this one, of which no key is known: in its chat and of
/// its kind, with its text where both are kept, about when it was attempted, and no other message of unknown outcome,
/// nor one that is just being handed over, could be meant by it. The caller holds the lock of the session's row.
pub async fn recognise(tx: &TenantTx, message: &OutgoingMessage) -> Result<Option<Recognised>, StoreError> {
    let own = tx.find::<Entity>().filter(Column::Id.eq(message.id.as_uuid()));
    let Some(attempted_at) = own.one().await?.and_then(|own| own.attempted_at) else {
        return Ok(None);
    };
    let attempted_at = Timestamp::from_micros(attempted_at);
    let alike = Condition::all()
        .add(of_session(message.session_id))
        .add(Column::ChatId.eq(message.chat_id.as_str()))
        .add(Column::Direction.eq(Direction::Outgoing.as_str()))
        .add(Column::Kind.eq(message.kind.as_str()));
    let heard = tx
        .find::<Entity>()
        .filter(alike.clone())
        .filter(Column::IsFromApi.eq(true))
        .filter(Column::DueAt.is_null())
        .filter(Column::MessageKey.is_not_null())
        .filter(at().gte(attempted_at.minus(APART).as_micros()))
        .filter(at().lte(attempted_at.plus(APART).as_micros()))
        .order_by(Column::HappenedAt, Order::Asc)
        .all()
        .await?;
    let others = tx
        .find::<Entity>()
        .filter(alike)
        .filter(Condition::any().add(is_unknown()).add(is_under_way()))
        .filter(Column::Id.ne(message.id.as_uuid()))
        .all()
        .await?;
    let text = text_of(tx, message.id.as_uuid()).await?;
    let heard = with_text(tx, heard, text.as_deref()).await?;
    let others = with_text(tx, others, text.as_deref()).await?;
    let ([heard], []) = (heard.as_slice(), others.as_slice()) else {
        return Ok(None);
    };
    Ok(heard
        .message_key
        .clone()
        .zip(heard.waha_message_id.clone())
        .zip(heard.happened_at)
        .map(|((key, waha_message_id), at)| Recognised {
            key,
            waha_message_id,
            happened_at: Timestamp::from_micros(at),
        }))
}

/// Those that may say this, as far as it is kept what they say: two at most, since that is too many.
async fn with_text(tx: &TenantTx, rows: Vec<Model>, text: Option<&str>) -> Result<Vec<Model>, StoreError> {
    let mut found = Vec::new();
    for row in rows {
        let says = text_of(tx, row.id).await?;
        if says.as_deref().zip(text).is_none_or(|(says, text)| says == text) {
            found.push(row);
        }
        if found.len() == ENOUGH {
            break;
        }
    }
    Ok(found)
}

async fn text_of(tx: &TenantTx, id: uuid::Uuid) -> Result<Option<String>, StoreError> {
    Ok(content(tx, id.into()).await?.and_then(|content| content.text))
}
