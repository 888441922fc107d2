//! The events of one organization, read and rendered once for all who wait for them in this process.

use std::{
    collections::VecDeque,
    sync::{Arc, PoisonError, RwLock},
};

use tokio::sync::{Notify, Semaphore, watch};
use tokio_util::sync::{CancellationToken, DropGuard};
use wahana_store::{
    Store, Tenant,
    organization_events::{Following, following},
};

use super::render::{Referred, RenderedEvent};
use crate::{ServiceError, media::MediaLinks};

/// How many events are read at once.
pub(super) const PAGE: u64 = 200;
/// How many bytes of events are kept for those who have not taken them yet. Who is later reads them again.
const KEPT_BYTES: usize = 256 * 1024;
/// How many who are late read at the same time.
const LATE_AT_ONCE: usize = 2;

/// What follows a number in what is kept.
pub(super) enum Recent {
    /// These.
    Events(Vec<Arc<RenderedEvent>>),
    /// Nothing yet.
    Nothing,
    /// It is not kept here any more: it is to be read.
    Forgotten,
}

/// A part of an organization's events, without a gap.
pub(super) enum Page {
    /// These; none if nothing has happened since.
    Events(Vec<Arc<RenderedEvent>>),
    /// Some are deleted, or the number was never given: the last that was given is this.
    Lost(i64),
}

/// The newest events of an organization. It ends with the last who waits for them.
#[derive(Debug)]
pub(super) struct Feed {
    store: Store,
    links: MediaLinks,
    tenant: Tenant,
    kept: RwLock<Kept>,
    head: watch::Sender<i64>,
    late: Semaphore,
    look: Arc<Notify>,
    _ends_with_this: DropGuard,
}

#[derive(Debug, Default)]
struct Kept {
    events: VecDeque<Arc<RenderedEvent>>,
    bytes: usize,
    /// What was there the time before when old ones were let go.
    seen: i64,
}

impl Feed {
    /// Begins after a number, and goes on as long as somebody holds it.
    pub(super) fn begin(store: Store, links: MediaLinks, tenant: Tenant, after: i64) -> Arc<Self> {
        let ended = CancellationToken::new();
        let look = Arc::new(Notify::new());
        let feed = Arc::new(Self {
            store,
            links,
            tenant,
            kept: RwLock::default(),
            head: watch::Sender::new(after),
            late: Semaphore::new(LATE_AT_ONCE),
            look: look.clone(),
            _ends_with_this: ended.clone().drop_guard(),
        });
        let held = Arc::downgrade(&feed);
        // What came in before anybody listened is looked for at once.
        look.notify_one();
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    () = ended.cancelled() => return,
                    () = look.notified() => {}
                }
                let Some(feed) = held.upgrade() else { return };
                // Boxed, because thousands of organizations wait and few of them have news at a time.
                if let Err(error) = Box::pin(feed.read_new()).await {
                    tracing::warn!(
                        organization.id = %tenant.organization_id(),
                        error = %error,
                        "events could not be read for those who wait for them; they are tried again"
                    );
                }
            }
        });
        feed
    }

    /// The number of the newest event that is known here.
    pub(super) fn head(&self) -> i64 {
        *self.head.borrow()
    }

    /// Tells of new events by their number.
    pub(super) fn watch(&self) -> watch::Receiver<i64> {
        self.head.subscribe()
    }

    /// Lets new events be looked for.
    pub(super) fn look(&self) {
        self.look.notify_one();
    }

    /// What of it is kept after a number, at most so many.
    pub(super) fn after(&self, number: i64, limit: usize) -> Recent {
        let kept = self.kept.read().unwrap_or_else(PoisonError::into_inner);
        let head = kept.events.back().map_or_else(|| self.head(), |last| last.number);
        if number >= head {
            return Recent::Nothing;
        }
        let first = kept.events.front().map(|first| first.number);
        let taken = first.and_then(|first| usize::try_from(number + 1 - first).ok());
        match taken {
            Some(taken) => Recent::Events(kept.events.iter().skip(taken).take(limit).cloned().collect()),
            None => Recent::Forgotten,
        }
    }

    /// Reads events after a number for somebody who is late.
    pub(super) async fn read_late(&self, number: i64) -> Result<Page, ServiceError> {
        // Nobody closes it.
        let _permit = self.late.acquire().await;
        self.read(number).await
    }

    /// Lets go what has been here since the time before last: whoever waits has taken it.
    pub(super) fn forget_old(&self) {
        let mut kept = self.kept.write().unwrap_or_else(PoisonError::into_inner);
        while kept.events.front().is_some_and(|first| first.number <= kept.seen) {
            kept.drop_first();
        }
        if kept.events.is_empty() {
            kept.events = VecDeque::new();
        }
        kept.seen = self.head();
    }

    async fn read_new(&self) -> Result<(), ServiceError> {
        loop {
            match self.read(self.head()).await? {
                Page::Events(events) => {
                    let is_last = events.len() < usize::try_from(PAGE).unwrap_or(usize::MAX);
                    self.keep(events);
                    if is_last {
                        return Ok(());
                    }
                }
                Page::Lost(last) => {
                    *self.kept.write().unwrap_or_else(PoisonError::into_inner) = Kept::default();
                    self.head.send_replace(last);
                    return Ok(());
                }
            }
        }
    }

    async fn read(&self, number: i64) -> Result<Page, ServiceError> {
        let tx = self.store.read(self.tenant).await?;
        let events = match following(&tx, number, PAGE).await? {
            Following::Events(events) => events,
            Following::Lost(last) => return Ok(Page::Lost(last)),
        };
        let referred = Referred::by(&tx, &events, &self.links).await?;
        drop(tx);
        let rendered = events
            .iter()
            .map(|event| Arc::new(referred.render_or_pass_over(event)));
        Ok(Page::Events(rendered.collect()))
    }

    fn keep(&self, events: Vec<Arc<RenderedEvent>>) {
        let Some(last) = events.last().map(|last| last.number) else {
            return;
        };
        let mut kept = self.kept.write().unwrap_or_else(PoisonError::into_inner);
        for event in events {
            kept.bytes += event.json.len();
            kept.events.push_back(event);
        }
        while kept.bytes > KEPT_BYTES {
            kept.drop_first();
        }
        drop(kept);
        self.head.send_replace(last);
    }
}

impl Kept {
    fn drop_first(&mut self) {
        if let Some(first) = self.events.pop_front() {
            self.bytes = self.bytes.saturating_sub(first.json.len());
        } else {
            self.bytes = 0;
        }
    }
}
