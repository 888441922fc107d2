//! What the functions of this crate share.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::sync::Notify;
use tokio_util::task::TaskTracker;
use url::Url;
use waha_client::{GuardLimits, HttpClient, Timeouts};
use wahana_domain::{ProcessId, Timestamp, TokenId};
use wahana_store::{
    Callers, Credential, Identity, Store, TableSize, TenantCache,
    sessions::{ServersOfSessions, SessionNamed, SessionQuery},
};

use crate::{
    AllowedNetwork, ServiceError,
    attempts::Attempts,
    events::{Intake, Wake},
    jobs::{Pool, RetentionSettings},
    limits::{LimitSettings, Limits},
    media::{Growth, MediaLinks, MediaSettings},
    messages::SendQueue,
    organization_events::{Feeds, StreamLimits},
    outgoing::Fetcher,
    passwords::Passwords,
    reconcile::Bell,
    sync::Synchronizer,
    upstream::Upstreams,
    webhooks::Webhooks,
};

/// How many sessions the caches hold together, about: at half a kilobyte each some tens of megabytes.
const CACHED_SESSIONS: u64 = 20_000;
/// How many answers to "on which servers" are remembered.
const CACHED_SERVER_LISTS: u64 = 20_000;

/// How the services are set up.
#[derive(Clone, Debug)]
pub struct ServiceSettings {
    /// wahana's address as people see it. Every link is made from it, and from nothing that a request
    /// says.
    pub public_url: Url,
    /// wahana's address as WAHA servers see it; `None` if they cannot send it their events.
    pub hook_url: Option<Url>,
    /// How old an answer about a session may be. Five seconds by default.
    pub sync_max_age: Duration,
    /// How long a read waits for news from WAHA before it answers from what is known. Two seconds.
    pub sync_wait: Duration,
    /// How long calls to WAHA may take.
    pub waha_timeouts: Timeouts,
    /// How much each WAHA server is asked at most, and how long it is left alone while it is away.
    pub waha_guard: GuardLimits,
    /// The places besides the public ones from which media that organizations name may be fetched.
    /// None by default.
    pub media_allow: Vec<AllowedNetwork>,
    /// How files of messages are kept.
    pub media: MediaSettings,
    /// The places besides the public ones to which organizations' webhooks may go. None by default.
    pub webhook_allow: Vec<AllowedNetwork>,
    /// How long the platform keeps things.
    pub retention: RetentionSettings,
    /// How much callers may ask for.
    pub limits: LimitSettings,
    /// How many streams of events may be open.
    pub event_streams: StreamLimits,
}

impl ServiceSettings {
    /// The defaults, for wahana at this address.
    #[must_use]
    pub fn at(public_url: Url) -> Self {
        Self {
            public_url,
            hook_url: None,
            sync_max_age: Duration::from_secs(5),
            sync_wait: Duration::from_secs(2),
            waha_timeouts: Timeouts::default(),
            waha_guard: GuardLimits::default(),
            media_allow: Vec::new(),
            media: MediaSettings::default(),
            webhook_allow: Vec::new(),
            retention: RetentionSettings::default(),
            limits: LimitSettings::default(),
            event_streams: StreamLimits::default(),
        }
    }
}

/// Everything that the functions of this crate share. One a process; clones share it.
#[derive(Clone, Debug)]
pub struct Services {
    pub(crate) store: Store,
    pub(crate) settings: ServiceSettings,
    pub(crate) callers: Callers,
    pub(crate) passwords: Arc<Passwords>,
    pub(crate) attempts: Arc<Attempts>,
    pub(crate) limits: Arc<Limits>,
    pub(crate) upstreams: Upstreams,
    pub(crate) sync: Synchronizer,
    pub(crate) bell: Bell,
    pub(crate) media: Fetcher,
    pub(crate) media_links: MediaLinks,
    pub(crate) media_growth: Arc<Growth>,
    pub(crate) events: Wake,
    pub(crate) intake: Intake,
    pub(crate) queue: SendQueue,
    pub(crate) feeds: Feeds,
    pub(crate) webhooks: Webhooks,
    pub(crate) session_by_name: TenantCache<SessionNamed>,
    pub(crate) session_pages: TenantCache<SessionQuery>,
    pub(crate) session_servers: TenantCache<ServersOfSessions>,
    pub(crate) started_at: Timestamp,
    process: ProcessId,
    work: Arc<[Notify; Pool::ALL.len()]>,
    used_tokens: Arc<Mutex<HashMap<TokenId, Timestamp>>>,
    running: TaskTracker,
}

impl Services {
    /// Over an open store, calling WAHA through this connection pool.
    #[must_use]
    pub fn new(store: Store, http: HttpClient, settings: ServiceSettings) -> Self {
        let upstreams = Upstreams::new(store.clone(), http, settings.waha_timeouts, settings.waha_guard);
        let bell = Bell::default();
        let (events, running) = (Wake::default(), TaskTracker::new());
        let queue = SendQueue::default();
        let media_links = MediaLinks::new(store.clone(), settings.public_url.clone());
        let sync = Synchronizer::new(
            store.clone(),
            upstreams.clone(),
            bell.clone(),
            queue.clone(),
            &settings,
        );
        Self {
            sync,
            bell,
            media: Fetcher::new(settings.media_allow.clone()),
            media_growth: Arc::default(),
            intake: Intake::new(store.clone(), events.clone(), running.clone()),
            events,
            queue,
            feeds: Feeds::new(store.clone(), media_links.clone(), settings.event_streams),
            media_links,
            webhooks: Webhooks::new(&settings.webhook_allow, store.clock().clone()),
            callers: Callers::new(store.clone()),
            passwords: Arc::new(Passwords::new()),
            attempts: Arc::new(Attempts::new(store.clock().clone())),
            limits: Limits::new(settings.limits.clone(), store.clock().clone()),
            upstreams,
            session_by_name: TenantCache::new(store.clone(), CACHED_SESSIONS),
            session_pages: TenantCache::new(store.clone(), CACHED_SESSIONS),
            session_servers: TenantCache::new(store.clone(), CACHED_SERVER_LISTS),
            started_at: store.clock().now(),
            process: ProcessId::new(),
            work: Arc::default(),
            settings,
            used_tokens: Arc::default(),
            running,
            store,
        }
    }

    /// Recognizes callers.
    #[must_use]
    pub const fn callers(&self) -> &Callers {
        &self.callers
    }

    /// The present moment.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.store.clock().now()
    }

    /// The id of this process, by which it owns jobs and leases.
    #[must_use]
    pub const fn process(&self) -> ProcessId {
        self.process
    }

    /// Tells the workers of this process that a job was committed. Other processes find it soon.
    pub fn wake_workers(&self) {
        self.work.iter().for_each(Notify::notify_one);
    }

    /// Waits until the workers of a pool are told that there is work.
    pub(crate) fn woken(&self, pool: Pool) -> impl Future<Output = ()> + '_ {
        self.work[pool as usize].notified()
    }

    /// Makes sure that the database answers and has this release's schema.
    pub async fn check(&self) -> Result<(), ServiceError> {
        Ok(self.store.check().await?)
    }

    /// How many bytes the database takes on its disk.
    pub async fn database_size(&self) -> Result<u64, ServiceError> {
        Ok(self.store.size().await?)
    }

    /// How large each table is, by name. On SQLite this reads the whole database.
    pub async fn table_sizes(&self) -> Result<Vec<TableSize>, ServiceError> {
        Ok(self.store.table_sizes().await?)
    }

    /// Closes the database, after running transactions have ended.
    pub async fn close(&self) -> Result<(), ServiceError> {
        Ok(self.store.close().await?)
    }

    /// Does something to its end, also when nobody waits for it any more: what WAHA was asked to do
    /// is written down even if the caller hung up.
    pub(crate) async fn to_the_end<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, ServiceError>> + Send + 'static,
    ) -> Result<T, ServiceError> {
        match self.running.spawn(work).await {
            Ok(outcome) => outcome,
            Err(error) => Err(ServiceError::Internal(format!("work broke off: {error}"))),
        }
    }

    /// Ends what is told as it happens, which would go on for ever; for an orderly shutdown.
    pub fn end_streams(&self) {
        self.feeds.end();
    }

    /// Waits until everything that was begun has ended; for an orderly shutdown.
    pub async fn drain(&self) {
        self.running.close();
        self.running.wait().await;
    }

    /// Notes that a token was used, to be written down with others once a minute.
    pub fn note_use(&self, identity: &Identity) {
        if let Credential::Token(id) | Credential::PlatformToken(id) = identity.credential()
            && let Ok(mut used) = self.used_tokens.lock()
        {
            match used.get_mut(id) {
                Some(at) => *at = self.now(),
                None => drop(used.insert(id.clone(), self.now())),
            }
        }
    }

    /// Writes down when tokens were last used.
    pub async fn write_token_uses(&self) -> Result<(), ServiceError> {
        let used = match self.used_tokens.lock() {
            Ok(mut used) => std::mem::take(&mut *used),
            Err(_) => {
                return Err(ServiceError::Internal(
                    "the list of used tokens is poisoned".to_owned(),
                ));
            }
        };
        if used.is_empty() {
            return Ok(());
        }
        let used: Vec<_> = used.into_iter().collect();
        let tx = self.store.platform_write().await?;
        tx.touch_tokens(&used).await?;
        Ok(tx.commit().await?)
    }
}
