//! Sessions on a simulated WAHA, whose events a test tells, and workers that run when the test lets them.

use std::{path::Path, sync::Arc, time::Duration};

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use waha_client::{HttpClient, HttpOptions};
use waha_sim::{IncomingMessage, SessionSeed, WahaSim};
use wahana_domain::{
    FileName, JobState, ManualClock, MediaFile, MediaFileId, MediaType, ServerId, Session, SessionId,
    SessionStatus, Timestamp,
};
use wahana_service::{
    ServiceSettings, Services, events, jobs,
    media::{MediaSettings, MediaStore, Upload},
};
use wahana_store::{
    JobQuery, NewServer, Store, Tenant,
    events::NewEvent,
    jobs::Job,
    media_files::{self, NewFile},
    sessions,
};
use wahana_testkit::{database::TestDatabase, rows};

/// When every world begins.
pub(crate) const START: Timestamp = Timestamp::from_seconds(1_800_000_000);
/// Who writes to the sessions.
pub(crate) const CHAT: &str = "15550001111@c.us";
/// How long a test looks whether something happened before it looks again.
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// As much as a test's organization may have, and the largest file that is fetched.
pub(crate) const ORGANIZATION_BYTES: u64 = 1000;
pub(crate) const FILE_BYTES: u64 = 400;

pub(crate) struct World<'a> {
    pub(crate) db: &'a TestDatabase,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) store: Store,
    pub(crate) services: Services,
    pub(crate) sim: WahaSim,
    folder: TempDir,
    server: ServerId,
}

#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) tenant: Tenant,
    pub(crate) session: SessionId,
    pub(crate) waha_name: String,
}

impl<'a> World<'a> {
    pub(crate) async fn new(db: &'a TestDatabase) -> Self {
        Self::with_room(db, ORGANIZATION_BYTES).await
    }

    /// In which an organization may have so many bytes of files.
    pub(crate) async fn with_room(db: &'a TestDatabase, organization_bytes: u64) -> Self {
        // Every test may be the first of its process.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let clock = Arc::new(ManualClock::at(START));
        let store = db.store(clock.clone()).await;
        let sim = WahaSim::builder().api_key("key").start().await.unwrap();
        let server = ServerId::new();
        let tx = store.platform_write().await.unwrap();
        tx.insert_server(&NewServer {
            id: server,
            name: "one".to_owned(),
            base_url: sim.base_url(),
            api_key: "key".to_owned().into(),
            capacity: None,
        })
        .await
        .unwrap();
        tx.commit().await.unwrap();
        let folder = TempDir::new().unwrap();
        let mut settings = ServiceSettings::at("http://wahana.test/".parse().unwrap());
        settings.media = MediaSettings {
            store: MediaStore::in_directory(folder.path().to_owned()),
            file_bytes: FILE_BYTES,
            organization_bytes,
            ..MediaSettings::default()
        };
        let http = HttpClient::new(&HttpOptions::default()).unwrap();
        Self {
            db,
            clock,
            services: Services::new(store.clone(), http, settings),
            store,
            sim,
            folder,
            server,
        }
    }

    /// An organization that keeps files so long.
    pub(crate) async fn organization(&self, media_days: Option<i32>) -> Tenant {
        let tx = self.store.platform_write().await.unwrap();
        let mut organization = rows::organization("A", tx.now());
        organization.retention.media_days = media_days;
        tx.insert_organization(&organization).await.unwrap();
        let tenant = tx.tenant(organization.id).await.unwrap().unwrap();
        tx.commit().await.unwrap();
        tenant
    }

    pub(crate) async fn session_of(&self, tenant: Tenant) -> Place {
        let tx = self.store.write(tenant).await.unwrap();
        let name = format!("s_{}", Uuid::now_v7().simple());
        let session = Session {
            status: SessionStatus::Working,
            ..rows::session(tenant.organization_id(), self.server, &name, tx.now())
        };
        sessions::insert(&tx, &session).await.unwrap();
        tx.commit().await.unwrap();
        let waha_name = session.waha.name.as_str().to_owned();
        self.sim.add_session(SessionSeed::new(&waha_name));
        Place {
            tenant,
            session: session.id,
            waha_name,
        }
    }

    /// A session of an organization of its own, with the usual retention.
    pub(crate) async fn session(&self) -> Place {
        let tenant = self.organization(Some(7)).await;
        self.session_of(tenant).await
    }

    /// Somebody sends a file, which WAHA has from now on; gives WAHA's path to it.
    pub(crate) fn receive(&self, place: &Place, key: &str, bytes: &[u8]) -> String {
        let message = IncomingMessage::text(CHAT, "below")
            .with_media("application/pdf", Some("offer.pdf"), bytes.to_vec())
            .id(key);
        let id = self.sim.receive_message(&place.waha_name, message).unwrap();
        let requests = format!("/api/files/{}/{id}", place.waha_name);
        // The simulator names files by their message and their type.
        format!("{requests}.pdf")
    }

    /// WAHA tells of a message with a file, as both of its events, and that is applied.
    pub(crate) async fn tell(&self, place: &Place, key: &str, media: Value) {
        let payload = json!({
            "id": format!("false_{CHAT}_{key}"),
            "timestamp": START.as_seconds(),
            "from": CHAT, "fromMe": false, "body": "a text below a file", "hasMedia": true, "media": media,
            "_data": {"message": {"documentMessage": {"mimetype": "application/pdf"}}},
        });
        self.tell_as(place, &["message", "message.any"], key, &payload)
            .await;
    }

    /// WAHA tells of something by events of these kinds, and that is applied.
    pub(crate) async fn tell_as(&self, place: &Place, kinds: &[&str], key: &str, payload: &Value) {
        let new = kinds.iter().map(|&kind| NewEvent {
            tenant: place.tenant,
            session: place.session,
            server: self.server,
            event_id: format!("{}:{kind}:{key}", place.session),
            kind: kind.to_owned(),
            happened_at: START,
            payload: json!({
                "id": format!("evt_{kind}_{key}"), "timestamp": START.as_micros() / 1000, "event": kind,
                "session": place.waha_name, "payload": payload, "engine": "NOWEB",
            })
            .to_string(),
        });
        let new: Vec<_> = new.collect();
        let tx = self.store.platform_write().await.unwrap();
        tx.store_events(&new).await.unwrap();
        tx.commit().await.unwrap();
        events::apply_session(&self.services, place.tenant, place.session)
            .await
            .unwrap();
    }

    /// Somebody sends a file, and WAHA tells of it.
    pub(crate) async fn receive_and_tell(&self, place: &Place, key: &str, bytes: &[u8]) {
        let path = self.receive(place, key, bytes);
        self.tell(place, key, described(&path)).await;
    }

    /// Works on what there is until a condition holds.
    pub(crate) async fn work_until(&self, mut holds: impl AsyncFnMut() -> bool) {
        let stop = CancellationToken::new();
        let (services, told) = (self.services.clone(), stop.clone());
        let working = tokio::spawn(async move { jobs::work(&services, told).await });
        while !holds().await {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        stop.cancel();
        working.await.unwrap();
    }

    /// Works until no job to fetch a file is due or runs.
    pub(crate) async fn fetch(&self) {
        self.work_until(async || {
            let now = self.services.now();
            let jobs = self.jobs("fetch_media").await;
            jobs.iter().all(|job| match job.state {
                JobState::Waiting => job.run_at > now,
                JobState::Running => false,
                JobState::Done | JobState::Dead => true,
            })
        })
        .await;
    }

    /// Deletes what is past its time.
    pub(crate) async fn tidy(&self) {
        jobs::begin_periodic(&self.services).await.unwrap();
        self.clock.advance(Duration::from_hours(1));
        let now = self.services.now();
        self.work_until(async || {
            let jobs = self.jobs("retention").await;
            jobs.iter().any(|job| job.finished_at.is_some_and(|at| at >= now))
        })
        .await;
    }

    pub(crate) async fn jobs(&self, kind: &str) -> Vec<Job> {
        let tx = self.store.platform_read().await.unwrap();
        let query = JobQuery {
            state: None,
            kind: Some(kind),
            limit: 1000,
        };
        tx.jobs(&query).await.unwrap()
    }

    /// Writes down a file that was uploaded, and is to belong to a message.
    pub(crate) async fn keep(&self, place: &Place, upload: &Upload, keep_for: Duration) -> MediaFile {
        let tx = self.store.write(place.tenant).await.unwrap();
        let new = NewFile {
            stored: upload.claim().clone(),
            media_type: MediaType::parse("text/plain").unwrap(),
            name: FileName::sanitize("notes.txt"),
            expires_at: tx.now().plus(keep_for),
        };
        let file = media_files::insert(&tx, &new).await.unwrap();
        tx.commit().await.unwrap();
        file
    }

    /// Every file of an organization, the first first.
    pub(crate) async fn files(&self, tenant: Tenant) -> Vec<MediaFile> {
        let id = tenant.organization_id();
        let id = if self.db.is_postgres() {
            format!("'{id}'")
        } else {
            format!("x'{}'", id.as_uuid().simple())
        };
        let shown = if self.db.is_postgres() {
            "id::text"
        } else {
            "lower(hex(id))"
        };
        let query = format!("SELECT {shown} FROM media_files WHERE organization_id = {id} ORDER BY id");
        let tx = self.store.read(tenant).await.unwrap();
        let mut files = Vec::new();
        for id in self.db.texts_unguarded(&query).await {
            let id: MediaFileId = id.parse().unwrap();
            files.push(media_files::get(&tx, id).await.unwrap().unwrap());
        }
        files
    }

    /// What is in the media store, in names and bytes.
    pub(crate) fn kept(&self) -> Vec<(String, Vec<u8>)> {
        let mut found = Vec::new();
        walk(self.folder.path(), &mut found);
        let root = format!("{}/", self.folder.path().display());
        let mut found: Vec<_> = found
            .into_iter()
            .map(|path| {
                let name = path.strip_prefix(&root).unwrap().to_owned();
                (name, std::fs::read(&path).unwrap())
            })
            .collect();
        found.sort();
        found
    }

    /// Where the media store is.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// How often WAHA was asked for a path that begins so.
    pub(crate) fn asked(&self, begins: &str) -> usize {
        let requests = self.sim.received_requests();
        requests
            .iter()
            .filter(|request| request.path.starts_with(begins))
            .count()
    }
}

/// A file as WAHA's events describe it, with an address that is WAHA's own idea of where it is.
pub(crate) fn described(path: &str) -> Value {
    json!({"url": format!("http://localhost:3000{path}"), "mimetype": "application/pdf", "filename": "offer.pdf"})
}

fn walk(folder: &Path, found: &mut Vec<String>) {
    for entry in folder.read_dir().unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, found);
        } else {
            found.push(path.display().to_string());
        }
    }
}
