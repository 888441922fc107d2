//! Somebody who is told events as they happen.

use std::{collections::VecDeque, sync::Arc};

use tokio::sync::watch;
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};
use wahana_store::organization_events::last_number;

use super::{
    EventFilter, RenderedEvent,
    feed::{Feed, Page, Recent},
    places::Place,
};
use crate::{
    ServiceError, Services,
    access::{BeMember, Granted},
};

/// How many events are taken at once.
const TAKEN_AT_ONCE: usize = 50;

/// What somebody is told.
#[derive(Clone, Debug)]
pub enum Told {
    /// An event.
    Event(Arc<RenderedEvent>),
    /// Some events cannot be told any more. What is told from now on comes after this number.
    Reset(i64),
}

/// Somebody who is told events as they happen.
#[derive(Debug)]
pub struct Subscription {
    feed: Arc<Feed>,
    head: watch::Receiver<i64>,
    filter: EventFilter,
    position: i64,
    taken: VecDeque<Arc<RenderedEvent>>,
    /// What is being read for this one alone. It goes on while nobody waits for it.
    late: Option<AbortOnDropHandle<Result<Page, ServiceError>>>,
    ending: CancellationToken,
    _place: Place,
}

/// Begins to tell a caller events: those after a number, or those from now on.
///
/// # Errors
///
/// [`ServiceError::QuotaExceeded`] and [`ServiceError::Busy`] if as many are told as may be.
pub async fn subscribe(
    services: &Services,
    access: &Granted<BeMember>,
    filter: EventFilter,
    after: Option<i64>,
) -> Result<Subscription, ServiceError> {
    let feeds = &services.feeds;
    let tenant = access.tenant();
    let place = feeds.places().take(tenant.organization_id())?;
    let tx = feeds.store().read(tenant).await?;
    let last = last_number(&tx).await?;
    drop(tx);
    let feed = feeds.of(tenant, last);
    Ok(Subscription {
        head: feed.watch(),
        feed,
        filter,
        position: after.unwrap_or(last),
        taken: VecDeque::new(),
        late: None,
        ending: feeds.ending().clone(),
        _place: place,
    })
}

impl Subscription {
    /// The number up to which everything was told that is to be told.
    #[must_use]
    pub fn position(&self) -> i64 {
        match self.taken.front() {
            Some(next) => next.number - 1,
            None => self.position,
        }
    }

    /// Cancelled when the process stops.
    #[must_use]
    pub const fn ending(&self) -> &CancellationToken {
        &self.ending
    }

    /// Waits for the next event. Whoever stops waiting has missed nothing, and what is being read for them goes on.
    ///
    /// # Errors
    ///
    /// When the database fails; it may be asked again.
    pub async fn next(&mut self) -> Result<Told, ServiceError> {
        loop {
            if let Some(event) = self.taken.pop_front() {
                return Ok(Told::Event(event));
            }
            // What is read for this one alone comes before anything that follows it.
            if self.late.is_none() {
                // Before looking, so that what comes meanwhile is noticed.
                self.head.mark_unchanged();
                match self.feed.after(self.position, TAKEN_AT_ONCE) {
                    Recent::Events(events) => {
                        self.take(events);
                        continue;
                    }
                    Recent::Nothing if self.position == self.feed.head() => {
                        if self.head.changed().await.is_err() {
                            return Err(ServiceError::Internal("the feed of events has ended".to_owned()));
                        }
                        continue;
                    }
                    Recent::Nothing | Recent::Forgotten => {}
                }
            }
            match self.read_late().await? {
                Page::Events(events) if events.is_empty() => {
                    // The feed has not come so far; it was told, or finds out in a moment.
                    self.feed.look();
                    let _ = self.head.changed().await;
                }
                Page::Events(events) => self.take(events),
                Page::Lost(last) => {
                    self.position = last;
                    return Ok(Told::Reset(last));
                }
            }
        }
    }

    async fn read_late(&mut self) -> Result<Page, ServiceError> {
        let (feed, position) = (&self.feed, self.position);
        let late = self.late.get_or_insert_with(|| {
            let feed = feed.clone();
            AbortOnDropHandle::new(tokio::spawn(async move { feed.read_late(position).await }))
        });
        let ended = late.await;
        self.late = None;
        ended.map_err(|error| ServiceError::Internal(format!("events could not be read: {error}")))?
    }

    fn take(&mut self, events: Vec<Arc<RenderedEvent>>) {
        if let Some(last) = events.last() {
            self.position = last.number;
        }
        let filter = &self.filter;
        self.taken
            .extend(events.into_iter().filter(|event| filter.admits(event)));
    }
}
