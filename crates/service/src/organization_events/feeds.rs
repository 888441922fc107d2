//! The feeds of a process, and what wakes them.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use wahana_domain::OrganizationId;
use wahana_store::{EventWatch, Store, StoreError, Tenant, Woken};

use super::{
    feed::Feed,
    places::{Places, StreamLimits},
};
use crate::media::MediaLinks;

/// How often is looked for events of which this process was not told, because another wrote them.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// After how many of these what is kept of old events is let go.
const LOOKS_UNTIL_OLD: u32 = 5;

/// The feeds of all organizations for whose events somebody waits in this process. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Feeds(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    store: Store,
    links: MediaLinks,
    places: Places,
    open: Mutex<Open>,
    ending: CancellationToken,
}

#[derive(Debug, Default)]
struct Open {
    feeds: HashMap<OrganizationId, Weak<Feed>>,
    is_looked_after: bool,
}

impl Feeds {
    pub(crate) fn new(store: Store, links: MediaLinks, limits: StreamLimits) -> Self {
        Self(Arc::new(Shared {
            store,
            links,
            places: Places::new(limits),
            open: Mutex::default(),
            ending: CancellationToken::new(),
        }))
    }

    /// Ends everything that is told, because the process stops.
    pub(crate) fn end(&self) {
        self.0.ending.cancel();
    }

    /// Cancelled when the process stops.
    pub(crate) fn ending(&self) -> &CancellationToken {
        &self.0.ending
    }

    /// The places of those who are told.
    pub(super) fn places(&self) -> &Places {
        &self.0.places
    }

    pub(super) fn store(&self) -> &Store {
        &self.0.store
    }

    /// The feed of an organization, from this number on if there is none yet.
    pub(super) fn of(&self, tenant: Tenant, after: i64) -> Arc<Feed> {
        let mut open = self.0.open.lock().unwrap_or_else(PoisonError::into_inner);
        let id = tenant.organization_id();
        if let Some(feed) = open.feeds.get(&id).and_then(Weak::upgrade) {
            return feed;
        }
        // Before the feed looks for the first time, so that nothing is missed.
        if !open.is_looked_after {
            open.is_looked_after = true;
            let (feeds, bell) = (self.clone(), self.0.store.watch_events());
            tokio::spawn(async move { feeds.look_after(bell).await });
        }
        let feed = Feed::begin(self.0.store.clone(), self.0.links.clone(), tenant, after);
        open.feeds.insert(id, Arc::downgrade(&feed));
        feed
    }

    /// Wakes feeds when their organizations have new events, until there is none any more.
    async fn look_after(&self, mut bell: EventWatch) {
        let mut looks = tokio::time::interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut count: u32 = 0;
        loop {
            tokio::select! {
                () = self.0.ending.cancelled() => return,
                woken = bell.next() => match woken {
                    Some(Woken::Organization(id)) => self.wake(id),
                    Some(Woken::Everybody) => {
                        for (_, feed) in self.open() {
                            feed.look();
                        }
                    }
                    None => return,
                },
                _ = looks.tick() => {
                    let open = self.open();
                    if open.is_empty() && self.is_done() {
                        return;
                    }
                    if let Err(error) = self.look(&open).await {
                        tracing::warn!(error = %error, "whether there are new events could not be looked up");
                    }
                    count = count.wrapping_add(1);
                    if count.is_multiple_of(LOOKS_UNTIL_OLD) {
                        for (_, feed) in &open {
                            feed.forget_old();
                        }
                    }
                }
            }
        }
    }

    fn wake(&self, id: OrganizationId) {
        let open = self.0.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(feed) = open.feeds.get(&id).and_then(Weak::upgrade) {
            feed.look();
        }
    }

    /// Asks once for all whether there are events that this process was not told of.
    async fn look(&self, open: &[(OrganizationId, Arc<Feed>)]) -> Result<(), StoreError> {
        if open.is_empty() {
            return Ok(());
        }
        let ids: Vec<_> = open.iter().map(|(id, _)| *id).collect();
        let tx = self.0.store.platform_read().await?;
        let last: HashMap<_, _> = tx.last_event_numbers(&ids).await?.into_iter().collect();
        for (id, feed) in open {
            if last.get(id).is_some_and(|last| *last != feed.head()) {
                feed.look();
            }
        }
        Ok(())
    }

    fn open(&self) -> Vec<(OrganizationId, Arc<Feed>)> {
        let mut open = self.0.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.feeds.retain(|_, feed| feed.strong_count() > 0);
        open.feeds
            .iter()
            .filter_map(|(id, feed)| Some((*id, feed.upgrade()?)))
            .collect()
    }

    /// Whether nobody waits for anything; then whoever comes has somebody look after it again.
    fn is_done(&self) -> bool {
        let mut open = self.0.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.feeds.retain(|_, feed| feed.strong_count() > 0);
        open.is_looked_after = !open.feeds.is_empty();
        !open.is_looked_after
    }
}
