//! Sessions that work, and somebody who looks after them, round by round.

use std::time::Duration;

use waha_sim::{SessionSeed, Status};
use wahana_domain::{
    ActorKind, AuditOutcome, DesiredStatus, OrganizationLimits, ProcessId, Role, Session, SessionStatus,
};
use wahana_service::{ReconcileSettings, Reconciler};
use wahana_store::sessions;
use wahana_testkit::{database::TestDatabase, rows};

use crate::{
    client::Client,
    world::{Home, Server, Wishes, World},
};

/// Longer than a snapshot may be old.
const BETWEEN_ROUNDS: Duration = Duration::from_secs(6);

pub(super) struct Watch<'a> {
    pub(super) world: World<'a>,
    pub(super) server: Server,
    pub(super) home: Home,
    pub(super) owner: Client,
    pub(super) reconciler: Reconciler,
}

pub(super) fn at_once() -> ReconcileSettings {
    ReconcileSettings {
        interval: Duration::from_millis(10),
        steps_per_second: 1000,
        concurrency: 8,
    }
}

impl<'a> Watch<'a> {
    pub(super) async fn new(database: &'a TestDatabase) -> Self {
        Self::with(database, Wishes::default()).await
    }

    pub(super) async fn with(database: &'a TestDatabase, wishes: Wishes) -> Self {
        Self::over(World::with(database, wishes).await, 0.01).await
    }

    /// With a WAHA whose own times are so long, as a factor on the real ones.
    pub(super) async fn at_speed(database: &'a TestDatabase, time_scale: f64) -> Self {
        Self::over(World::new(database).await, time_scale).await
    }

    async fn over(world: World<'a>, time_scale: f64) -> Self {
        let server = world.server_at_speed("one", None, time_scale).await;
        let home = world.organization("a", OrganizationLimits::default()).await;
        let owner = world.member(home, Role::Owner).await;
        let reconciler = Reconciler::new(world.services.clone(), ProcessId::new(), at_once());
        Self {
            world,
            server,
            home,
            owner,
            reconciler,
        }
    }

    /// Sessions that are as they should be, here and on WAHA.
    pub(super) async fn sessions(&self, names: &[&str], wish: DesiredStatus) -> Vec<Session> {
        let tx = self.world.store.write(self.home.tenant).await.unwrap();
        let mut made = Vec::new();
        for name in names {
            let (status, on_waha) = match wish {
                DesiredStatus::Running => (SessionStatus::Working, Status::Working),
                _ => (SessionStatus::Disconnected, Status::Stopped),
            };
            let session = Session {
                status,
                waha_status: Some(on_waha.name().to_owned()),
                desired_status: wish,
                observed_at: Some(tx.now()),
                ..rows::session(self.home.id, self.server.id, name, tx.now())
            };
            sessions::insert(&tx, &session).await.unwrap();
            let number = format!("1555{:08}", made.len());
            let seed = SessionSeed::new(session.waha.name.as_str()).phone(&number);
            self.server.sim.add_session(seed.status(on_waha));
            made.push(session);
        }
        tx.commit().await.unwrap();
        made
    }

    /// The only session of a test, which works.
    pub(super) async fn session(&self) -> Session {
        self.sessions(&["shop"], DesiredStatus::Running).await.remove(0)
    }

    /// So many rounds, each to its end, and each after the last snapshot has grown old.
    pub(super) async fn rounds(&self, count: usize) {
        for _ in 0..count {
            self.round_after(BETWEEN_ROUNDS).await;
        }
    }

    pub(super) async fn round_after(&self, pause: Duration) {
        self.world.clock.advance(pause);
        self.reconciler.round(self.server.id).await.unwrap();
        self.reconciler.settle().await;
    }

    pub(super) fn on_waha(&self, session: &Session) -> Option<Status> {
        self.server.sim.session_status(session.waha.name.as_str())
    }

    /// Waits until WAHA says that a session works.
    pub(super) async fn until_working(&self, session: &Session) {
        let name = session.waha.name.as_str();
        self.server.sim.wait_for_status(name, Status::Working).await;
    }

    pub(super) fn calls(&self, route: &str) -> u64 {
        self.server.sim.counts().route(route)
    }

    /// How often wahana began an operation by itself, and how often it was a success.
    pub(super) async fn by_itself(&self, operation: &str) -> (usize, usize) {
        let log = self.world.audit(self.home).await;
        let count = |outcome: AuditOutcome| {
            let is_it = |entry: &&wahana_domain::AuditEntry| {
                entry.actor == ActorKind::System && entry.operation == operation && entry.outcome == outcome
            };
            log.iter().filter(is_it).count()
        };
        (count(AuditOutcome::Intent), count(AuditOutcome::Success))
    }

    /// Everything that wahana itself writes about sessions.
    pub(super) async fn dump(&self) -> Vec<String> {
        let mut rows = self.world.rows().await;
        for query in [
            "SELECT operation || ' ' || outcome FROM audit_entries ORDER BY created_at, id",
            "SELECT session_name || ' ' || attempts || ' ' || coalesce(next_attempt_at, 0) || ' ' || u.updated_at
             FROM session_upkeep u JOIN sessions s ON s.id = u.session_id ORDER BY session_name",
        ] {
            rows.extend(self.world.database.texts_unguarded(query).await);
        }
        rows
    }
}
