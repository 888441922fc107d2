//! What WAHA says of messages: one row each, whichever of its words comes first.
//!
//! WAHA tells of one message several times: as `message` and as `message.any`, in the answer to the call that
//! sent it, and with every acknowledgement. Each adds what it knows to the row with the message's key, and what
//! is counted follows from the row; so neither their order nor their number matters. Whoever calls these
//! functions holds the lock of the session's row.

use std::collections::{BTreeMap, BTreeSet};

use sea_orm::{ActiveModelTrait, ColumnTrait, IntoActiveModel};
use wahana_domain::{
    DeliveryStatus, Direction, MessageId, MessageKind, OrganizationId, SessionId, Timestamp,
};

use super::{
    Attempt, announce, content, queue,
    recognise::{is_heard, look_again},
};
use crate::{
    StoreError, TenantTx,
    activity::{Counts, Tally},
    entity::message::{self, Column, Model},
    erased_messages, media_files, organization_events,
};

/// A message as one of WAHA's events describes it.
#[derive(Clone, PartialEq, Eq)]
pub struct MessageNews {
    /// WhatsApp's own key of it.
    pub key: String,
    /// WAHA's id for it.
    pub waha_message_id: String,
    /// The chat that it is in; also a kind of chat that nothing can be sent to.
    pub chat_id: String,
    /// Whether it was sent or came in.
    pub direction: Direction,
    /// What it carries.
    pub kind: MessageKind,
    /// Who sent it, if it came in.
    pub sender: Option<String>,
    /// How far it came.
    pub status: DeliveryStatus,
    /// When it was sent.
    pub happened_at: Timestamp,
    /// What it says, if it says something and anybody is to know it.
    pub text: Option<String>,
    /// WhatsApp's own key of the message that it answers.
    pub reply_to: Option<String>,
    /// Whether it was sent through WAHA's API, and not by the account's phone or another of its devices.
    pub is_from_api: bool,
}

/// Texts and numbers are people's own.
impl std::fmt::Debug for MessageNews {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MessageNews")
            .field("key", &self.key)
            .field("direction", &self.direction)
            .field("kind", &self.kind)
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

/// An acknowledgement of a message that the session sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acknowledgement {
    /// WhatsApp's own key of the message.
    pub key: String,
    /// WAHA's id for it.
    pub waha_message_id: String,
    /// How far it came.
    pub status: DeliveryStatus,
}

/// A message that wahana sent and WAHA took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accepted<'a> {
    /// wahana's id for it.
    pub id: MessageId,
    /// WhatsApp's own key of it.
    pub key: &'a str,
    /// WAHA's id for it.
    pub waha_message_id: &'a str,
    /// When it was sent.
    pub happened_at: Timestamp,
}

/// What WAHA said of messages of one session, before it is written: many events speak of the same message, and
/// many messages are read and written in one statement.
#[derive(Debug)]
pub struct Ledger {
    session: SessionId,
    now: Timestamp,
    organization: OrganizationId,
    entries: BTreeMap<String, Entry>,
    /// The keys of messages that were erased.
    erased: BTreeSet<String>,
    forget_after: Option<Timestamp>,
}

#[derive(Debug)]
struct Entry {
    before: Option<Model>,
    after: Model,
    text: Option<Text>,
}

/// What a message says, which does not print itself.
struct Text(String);

impl std::fmt::Debug for Text {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Text")
    }
}

impl Ledger {
    /// Opens it for the messages with these keys.
    pub async fn open(
        tx: &TenantTx,
        session: SessionId,
        keys: impl IntoIterator<Item = &str>,
    ) -> Result<Self, StoreError> {
        let keys: BTreeSet<&str> = keys.into_iter().collect();
        let erased = erased_messages::among(tx, session, keys.iter().copied()).await?;
        let known = if keys.is_empty() {
            Vec::new()
        } else {
            tx.find::<message::Entity>()
                .filter(Column::SessionId.eq(session.as_uuid()))
                .filter(Column::MessageKey.is_in(keys))
                .all()
                .await?
        };
        let entries = known.into_iter().filter_map(|row| {
            let entry = Entry {
                before: Some(row.clone()),
                after: row,
                text: None,
            };
            Some((entry.after.message_key.clone()?, entry))
        });
        Ok(Self {
            session,
            now: tx.now(),
            organization: tx.organization_id(),
            entries: entries.collect(),
            erased,
            forget_after: None,
        })
    }

    /// Has the texts forgotten after this moment, once whoever is told of their messages was told: the organization
    /// does not keep them.
    pub fn forget_texts_after(&mut self, moment: Timestamp) {
        self.forget_after = Some(moment);
    }

    /// Takes in that there is a message, unless it was erased.
    pub fn hear(&mut self, news: &MessageNews) {
        if self.erased.contains(&news.key) {
            return;
        }
        // Who sent it through the API knows what it says, so nobody is told.
        let text = news
            .text
            .as_ref()
            .filter(|_| self.forget_after.is_none() || !news.is_from_api);
        let entry = self.entry(&news.key, news.direction);
        if let Some(text) = text {
            entry.text.get_or_insert_with(|| Text(text.clone()));
        }
        let row = &mut entry.after;
        // A row without a time came from an acknowledgement, of which no more is kept than the key; or
        // it is a message of wahana's own that is just being sent, of which more is known here.
        if row.happened_at.is_none() && row.due_at.is_none() {
            row.chat_id.clone_from(&news.chat_id);
            news.direction.as_str().clone_into(&mut row.direction);
            news.kind.as_str().clone_into(&mut row.kind);
            row.sender.clone_from(&news.sender);
            row.is_from_api = news.is_from_api;
        }
        if row.reply_to.is_none() {
            row.reply_to.clone_from(&news.reply_to);
        }
        row.waha_message_id
            .get_or_insert_with(|| news.waha_message_id.clone());
        row.happened_at = Some(earlier(row.happened_at, news.happened_at));
        advance(row, news.status);
    }

    /// Takes in how far a message came. One that nothing else is known of gets a row that counts as nothing, so
    /// that its acknowledgements may come before it. In which chat, the row does not say: the message may be one that
    /// was erased long ago.
    pub fn acknowledge(&mut self, news: &Acknowledgement) {
        // An id in a form that is not known may itself name the chat.
        let may_name_chat = news.key.contains('@') && !self.entries.contains_key(&news.key);
        if may_name_chat || self.erased.contains(&news.key) {
            return;
        }
        let row = &mut self.entry(&news.key, Direction::Outgoing).after;
        if row.direction == Direction::Incoming.as_str() {
            return;
        }
        if !row.chat_id.is_empty() {
            row.waha_message_id
                .get_or_insert_with(|| news.waha_message_id.clone());
        }
        advance(row, news.status);
    }

    /// The row of a message of which something was taken in.
    #[must_use]
    pub fn id_of(&self, key: &str) -> Option<MessageId> {
        Some(self.entries.get(key)?.after.id.into())
    }

    /// Writes what is new, and counts it.
    pub async fn write(self, tx: &TenantTx, tally: &mut Tally) -> Result<(), StoreError> {
        let (mut new, mut texts) = (Vec::new(), Vec::new());
        let (session, forget_after) = (self.session, self.forget_after);
        let mut may_be_expected = false;
        for Entry { before, after, text } in self.entries.into_values() {
            texts.extend(text.map(|Text(text)| (after.id, text)));
            if before.as_ref() == Some(&after) {
                continue;
            }
            count(before.as_ref(), &after, tally);
            announce::changed(tx, before.as_ref(), &after);
            may_be_expected |= is_heard(&after) && !before.as_ref().is_some_and(is_heard);
            match before {
                None => new.push(after.into_active_model().reset_all()),
                Some(before) => change(tx, &before, after).await?,
            }
        }
        tx.insert_many(new).await?;
        content::insert_missing(tx, texts, forget_after).await?;
        if may_be_expected {
            look_again(tx, session).await?;
        }
        Ok(())
    }

    fn entry(&mut self, key: &str, direction: Direction) -> &mut Entry {
        let (organization, session, now) = (self.organization, self.session, self.now);
        let new = || Entry {
            before: None,
            after: new_row(organization, session, key, direction, now),
            text: None,
        };
        self.entries.entry(key.to_owned()).or_insert_with(new)
    }
}

/// Writes down that WAHA took a message which wahana sent. What events said of it before WAHA's answer was here
/// becomes part of its row.
pub async fn accept(
    tx: &TenantTx,
    session: SessionId,
    accepted: Accepted<'_>,
    tally: &mut Tally,
) -> Result<(), StoreError> {
    let own = tx
        .find::<message::Entity>()
        .filter(Column::Id.eq(accepted.id.as_uuid()));
    match own.one().await? {
        Some(before) => accept_row(tx, session, &before, before.clone(), accepted, tally).await,
        None => Ok(()),
    }
}

/// The same as the end of an attempt, which frees the session's lane; says whether that is written down only now, as
/// [`conclude`](super::conclude) does. The caller holds the lock of the session's row.
pub async fn conclude_accepted(
    tx: &TenantTx,
    session: SessionId,
    attempt: Attempt,
    accepted: Accepted<'_>,
    tally: &mut Tally,
) -> Result<bool, StoreError> {
    let Some(before) = queue::open(tx, attempt).await? else {
        return Ok(false);
    };
    let free = Model {
        lane: None,
        lease_owner: None,
        lease_expires_at: None,
        settle_at: None,
        ..before.clone()
    };
    accept_row(tx, session, &before, free, accepted, tally).await?;
    Ok(true)
}

async fn accept_row(
    tx: &TenantTx,
    session: SessionId,
    before: &Model,
    mut row: Model,
    accepted: Accepted<'_>,
    tally: &mut Tally,
) -> Result<(), StoreError> {
    // Of a key that wahana chose there is no other row.
    let heard = if before.message_key.as_deref() == Some(accepted.key) {
        None
    } else {
        with_key(tx, session, accepted.key).await?
    };
    // Recognised as another message, which this answer shows to have been wrong: of that one nothing is known.
    if let Some(mistaken) = heard.as_ref().filter(|heard| heard.due_at.is_some()) {
        let unknown = Model {
            status: DeliveryStatus::Unknown.as_str().to_owned(),
            message_key: None,
            waha_message_id: None,
            happened_at: None,
            ..mistaken.clone()
        };
        uncount(mistaken, tally);
        announce::changed(tx, Some(mistaken), &unknown);
        change(tx, mistaken, unknown).await?;
    }
    if let Some(heard) = heard.filter(|heard| heard.due_at.is_none()) {
        if let Some(status) = DeliveryStatus::from_word(&heard.status) {
            advance(&mut row, status);
        }
        row.happened_at = heard.happened_at;
        row.reply_to.clone_from(&heard.reply_to);
        uncount(&heard, tally);
        media_files::move_to(tx, heard.id.into(), accepted.id).await?;
        tx.delete::<message::Entity>(Column::Id.eq(heard.id)).await?;
        organization_events::point_to(tx, heard.id, row.id).await?;
    }
    row.message_key = Some(accepted.key.to_owned());
    row.waha_message_id = Some(accepted.waha_message_id.to_owned());
    row.happened_at = Some(earlier(row.happened_at, accepted.happened_at));
    advance(&mut row, DeliveryStatus::Accepted);
    count(Some(before), &row, tally);
    announce::changed(tx, Some(before), &row);
    change(tx, before, row).await?;
    content::forget_unkept(tx, &[accepted.id.as_uuid()]).await
}

async fn with_key(tx: &TenantTx, session: SessionId, key: &str) -> Result<Option<Model>, StoreError> {
    tx.find::<message::Entity>()
        .filter(Column::SessionId.eq(session.as_uuid()))
        .filter(Column::MessageKey.eq(key))
        .one()
        .await
}

fn new_row(
    organization: OrganizationId,
    session: SessionId,
    key: &str,
    direction: Direction,
    now: Timestamp,
) -> Model {
    let now = now.as_micros();
    Model {
        id: MessageId::new().as_uuid(),
        organization_id: organization.as_uuid(),
        session_id: session.as_uuid(),
        chat_id: String::new(),
        direction: direction.as_str().to_owned(),
        kind: MessageKind::Other.as_str().to_owned(),
        status: match direction {
            Direction::Outgoing => DeliveryStatus::Accepted,
            Direction::Incoming => DeliveryStatus::Received,
        }
        .as_str()
        .to_owned(),
        waha_message_id: None,
        created_at: now,
        updated_at: now,
        message_key: Some(key.to_owned()),
        sender: None,
        happened_at: None,
        due_at: None,
        expires_at: None,
        is_asynchronous: false,
        reason: None,
        attempts: 0,
        attempted_at: None,
        lane: None,
        lease_owner: None,
        lease_expires_at: None,
        settle_at: None,
        user_id: None,
        token_id: None,
        request_id: None,
        reply_to: None,
        is_from_api: false,
    }
}

/// Messages only advance. That one failed because WAHA did not have it (which has a reason in words, unlike what WhatsApp
/// refused) is over as soon as WAHA tells of it.
fn advance(row: &mut Model, status: DeliveryStatus) {
    let known = DeliveryStatus::from_word(&row.status);
    let was_given_up = known == Some(DeliveryStatus::Failed) && row.reason.is_some();
    if was_given_up || known.is_none_or(|known| known < status) {
        status.as_str().clone_into(&mut row.status);
        row.reason = None;
    }
}

fn earlier(known: Option<i64>, heard: Timestamp) -> i64 {
    let heard = heard.as_micros();
    known.map_or(heard, |known| known.min(heard))
}

/// Counts a message as what it is now, instead of as what it was.
fn count(before: Option<&Model>, after: &Model, tally: &mut Tally) {
    if let Some(before) = before {
        uncount(before, tally);
    }
    if let Some(at) = after.happened_at.map(Timestamp::from_micros) {
        tally.add(at, &counts(after));
        tally.message_at(at);
    }
}

/// Writes what is different about a message, and nothing else: whatever is set is written to every index that has it.
async fn change(tx: &TenantTx, before: &Model, after: Model) -> Result<(), StoreError> {
    let mut update = tx
        .update::<message::Entity>()
        .set(Column::UpdatedAt, tx.now().as_micros())
        .filter(Column::Id.eq(after.id));
    macro_rules! set_if_changed {
        ($($column:ident $field:ident),+) => {
            $(if before.$field != after.$field {
                update = update.set(Column::$column, after.$field);
            })+
        };
    }
    set_if_changed!(
        ChatId chat_id,
        Direction direction,
        Kind kind,
        Status status,
        Reason reason,
        WahaMessageId waha_message_id,
        MessageKey message_key,
        Sender sender,
        HappenedAt happened_at,
        ReplyTo reply_to,
        IsFromApi is_from_api,
        Lane lane,
        LeaseOwner lease_owner,
        LeaseExpiresAt lease_expires_at,
        SettleAt settle_at
    );
    update.run().await?;
    Ok(())
}

fn uncount(row: &Model, tally: &mut Tally) {
    if let Some(at) = row.happened_at {
        tally.take_back(Timestamp::from_micros(at), &counts(row));
    }
}

/// What a message that is described counts as.
fn counts(row: &Model) -> Counts {
    let media = i64::from(MessageKind::from_word(&row.kind).is_some_and(MessageKind::is_media));
    if row.direction == Direction::Incoming.as_str() {
        return Counts {
            messages_received: 1,
            media_received: media,
            ..Default::default()
        };
    }
    let status = DeliveryStatus::from_word(&row.status);
    let is = |wanted: DeliveryStatus| i64::from(status == Some(wanted));
    Counts {
        messages_sent: 1,
        media_sent: media,
        messages_delivered: is(DeliveryStatus::Delivered) + is(DeliveryStatus::Read),
        messages_read: is(DeliveryStatus::Read),
        messages_failed: is(DeliveryStatus::Failed),
        ..Default::default()
    }
}
