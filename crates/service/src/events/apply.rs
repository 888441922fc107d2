//! Applying a session's events: in order, one transaction for what they change and for that they are applied.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use waha_client::events::EventNews;
use wahana_domain::SessionId;
use wahana_store::{
    StoreError, Tenant,
    activity::Tally,
    events::{self, EventState, StoredEvent},
    messages::Ledger,
    organizations, sessions,
};

use super::effects;
use crate::{ServiceError, Services, media};

/// How many events are applied in one transaction: on SQLite all other writers wait for it.
const BATCH: u64 = 50;
/// How long an event that cannot be written is tried again before it is given up.
const GIVE_UP_AFTER: Duration = Duration::from_hours(1);

/// Applies all events of a session that wait, in the order in which they happened; says how many there were.
/// What a process that died left behind is applied like everything else. Who comes while another applies the
/// same session's events waits for them, also in another process.
///
/// # Errors
///
/// When the database fails. Nothing is lost then: the events wait.
pub async fn apply_session(
    services: &Services,
    tenant: Tenant,
    session: SessionId,
) -> Result<usize, ServiceError> {
    apply_until(
        services,
        (tenant, session),
        Haste::Urgent,
        &CancellationToken::new(),
    )
    .await
}

/// For how long a text that is not kept is there for streams, which do not say whether they told it.
const UNKEPT_TEXTS: Duration = Duration::from_mins(5);

/// Whether those who wait for an answer come first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Haste {
    /// Somebody may be looking at what changes.
    Urgent,
    /// It may wait a little while many events come in: they need the same disk.
    Patient,
}

/// The same, and it ends early, between two transactions, when told to stop.
pub(super) async fn apply_until(
    services: &Services,
    (tenant, session): (Tenant, SessionId),
    haste: Haste,
    stop: &CancellationToken,
) -> Result<usize, ServiceError> {
    let mut applied = 0;
    loop {
        if haste == Haste::Patient {
            services.intake.give_way().await;
        }
        let batch = match apply_batch(services, tenant, session, |_| true).await {
            Err(error) if !error.is_unavailable() => apply_one_by_one(services, tenant, session).await?,
            other => other?,
        };
        applied += batch;
        if batch < usize::try_from(BATCH).unwrap_or(usize::MAX) || stop.is_cancelled() {
            return Ok(applied);
        }
    }
}

/// Applies those that are wanted of a session's next events, in one transaction.
async fn apply_batch(
    services: &Services,
    tenant: Tenant,
    session: SessionId,
    is_wanted: impl Fn(&StoredEvent) -> bool,
) -> Result<usize, StoreError> {
    let tx = services.store.write(tenant).await?;
    // Before the events are read, so that nobody applies them at the same time.
    let known = sessions::lock(&tx, session).await?;
    let mut waiting = events::waiting(&tx, session, BATCH).await?;
    waiting.retain(is_wanted);
    let read: Vec<(&StoredEvent, Option<EventNews>)> = waiting
        .iter()
        .map(|event| {
            (
                event,
                known.as_ref().and_then(|known| effects::read(known, event)),
            )
        })
        .collect();
    let keys = read
        .iter()
        .filter_map(|(_, news)| news.as_ref().and_then(effects::message_key));
    let mut messages = Ledger::open(&tx, session, keys).await?;
    let organization = organizations::get(&tx).await?;
    if organization.is_some_and(|organization| !organization.keeps_message_texts) {
        messages.forget_texts_after(tx.now().plus(UNKEPT_TEXTS));
    }
    let mut tally = Tally::new();
    let (mut applied, mut ignored) = (Vec::new(), Vec::new());
    let (mut doubtful, mut moved) = (false, false);
    let mut files = Vec::new();
    for (event, news) in read {
        tally.event_at(event.happened_at.min(event.received_at));
        // One without news was not understood, or its session was deleted since.
        let (Some(known), Some(news)) = (&known, news) else {
            ignored.push(event.id);
            continue;
        };
        let effect = effects::take_in(&tx, known, event, news, (&mut messages, &mut tally)).await?;
        doubtful |= effect.is_doubtful;
        moved |= effect.is_status;
        files.extend(effect.file);
        applied.push(event.id);
    }
    let files = files
        .into_iter()
        .filter_map(|file| file.of_message_in(&messages))
        .collect::<Vec<_>>();
    messages.write(&tx, &mut tally).await?;
    let is_work_to_do = media::expect(&tx, &files).await?;
    events::finish(&tx, &applied, EventState::Applied).await?;
    events::finish(&tx, &ignored, EventState::Ignored).await?;
    if known.is_some() {
        tally.write(&tx, session).await?;
    }
    tx.commit().await?;
    if is_work_to_do {
        services.wake_workers();
    }
    if let Some(known) = known {
        if doubtful {
            services.sync.outdate(known.waha.server);
        }
        if moved {
            services.bell.ring(known.waha.server);
            // What waits for the session to work may go on.
            services.queue.wake(tenant, session);
        }
    }
    Ok(waiting.len())
}

/// Applies a session's next events each in a transaction of its own, so that one that the database refuses does
/// not hold up the others.
async fn apply_one_by_one(
    services: &Services,
    tenant: Tenant,
    session: SessionId,
) -> Result<usize, ServiceError> {
    let tx = services.store.read(tenant).await?;
    let waiting = events::waiting(&tx, session, BATCH).await?;
    drop(tx);
    let mut applied = 0;
    for event in waiting {
        match apply_batch(services, tenant, session, |other| other.id == event.id).await {
            Ok(number) => applied += number,
            Err(error) if error.is_unavailable() => return Err(error.into()),
            Err(error) => {
                let is_given_up = services.now().since(event.received_at) > GIVE_UP_AFTER;
                tracing::error!(
                    organization.id = %tenant.organization_id(),
                    session.id = %session,
                    event.kind = event.kind,
                    event.id = event.event_id,
                    event.is_given_up = is_given_up,
                    error = %error,
                    "an event of WAHA's could not be applied"
                );
                if is_given_up {
                    give_up(services, tenant, event.id).await?;
                }
            }
        }
    }
    Ok(applied)
}

async fn give_up(services: &Services, tenant: Tenant, event: Uuid) -> Result<(), ServiceError> {
    let tx = services.store.write(tenant).await?;
    events::finish(&tx, &[event], EventState::Ignored).await?;
    Ok(tx.commit().await?)
}
