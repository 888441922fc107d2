//! The list of sessions, and the reads that are asked for most.

use std::sync::Arc;

use sea_orm::{
    ColumnTrait, Condition, Order,
    sea_query::{ExprTrait, IntoCondition},
};
use wahana_domain::{HealthStatus, ServerId, Session, SessionId, SessionName, SessionStatus, StatusFilter};

use super::{from_row, get, living, servers};
use crate::{
    CachedRead, StoreError, TenantTx,
    entity::session::{self, Column},
    search::has_words,
};

/// How a path or body names a session: by its name, or by its id if it parses as one. No name does.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum SessionReference {
    /// By name.
    Name(SessionName),
    /// By id.
    Id(SessionId),
}

impl SessionReference {
    /// Reads a reference; `None` if it can be neither, so that no session has it.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text.parse() {
            Ok(id) => Some(Self::Id(id)),
            Err(_) => SessionName::parse(text).ok().map(Self::Name),
        }
    }
}

/// By what a list is sorted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SessionSort {
    /// When it was made.
    CreatedAt,
    /// When its row last changed.
    UpdatedAt,
    /// Its name.
    Name,
    /// Its name for people.
    DisplayName,
    /// Its status' word.
    Status,
    /// When a message last went through it.
    LastMessageAt,
}

/// A page of the organization's sessions.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SessionQuery {
    /// Words that must occur in name, display name, phone number or business name.
    pub search: Option<String>,
    /// Of these statuses.
    pub status: StatusFilter,
    /// Of this health.
    pub health: Option<HealthStatus>,
    /// Sorted by this.
    pub sort: SessionSort,
    /// From the greatest to the least.
    pub descending: bool,
    /// Which page, from 1.
    pub page: u64,
    /// How many on a page.
    pub per_page: u64,
    /// Only these sessions, if the caller may see no others.
    pub only: Option<Arc<[SessionId]>>,
}

/// What a [`SessionQuery`] found.
#[derive(Clone, Debug)]
pub struct SessionPage {
    /// The sessions of the page.
    pub sessions: Arc<[Session]>,
    /// How many there are on all pages.
    pub total: u64,
}

impl CachedRead for SessionQuery {
    type Rows = SessionPage;

    async fn load(&self, tx: &TenantTx) -> Result<SessionPage, StoreError> {
        let total = tx
            .find::<session::Entity>()
            .filter(self.condition())
            .count()
            .await?;
        let order = if self.descending { Order::Desc } else { Order::Asc };
        let rows = tx
            .find::<session::Entity>()
            .filter(self.condition())
            .order_by(self.sort.column(), order.clone())
            .order_by(Column::Id, order)
            .offset((self.page.saturating_sub(1)).saturating_mul(self.per_page))
            .limit(self.per_page)
            .all()
            .await?;
        Ok(SessionPage {
            sessions: rows.into_iter().map(from_row).collect::<Result<_, _>>()?,
            total,
        })
    }

    fn weight(page: &SessionPage) -> u32 {
        u32::try_from(page.sessions.len()).unwrap_or(u32::MAX)
    }
}

/// One session by its name or id.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SessionNamed {
    /// Its name or id.
    pub reference: SessionReference,
    /// Only if it is one of these.
    pub only: Option<Arc<[SessionId]>>,
}

impl CachedRead for SessionNamed {
    type Rows = Option<Arc<Session>>;

    async fn load(&self, tx: &TenantTx) -> Result<Self::Rows, StoreError> {
        Ok(get(tx, &self.reference, self.only.as_deref())
            .await?
            .map(Arc::new))
    }

    fn is_remembered(session: &Self::Rows) -> bool {
        session.is_some()
    }

    fn weight(_: &Self::Rows) -> u32 {
        1
    }
}

/// The WAHA servers that the caller's sessions are on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ServersOfSessions {
    /// Of these sessions only.
    pub only: Option<Arc<[SessionId]>>,
}

impl CachedRead for ServersOfSessions {
    type Rows = Arc<[ServerId]>;

    async fn load(&self, tx: &TenantTx) -> Result<Self::Rows, StoreError> {
        Ok(servers(tx, self.only.as_deref()).await?.into())
    }

    fn weight(_: &Self::Rows) -> u32 {
        1
    }
}

impl SessionSort {
    /// Every order, with the word that asks for it.
    pub const ALL: [(&'static str, Self); 6] = [
        ("created_at", Self::CreatedAt),
        ("updated_at", Self::UpdatedAt),
        ("session_name", Self::Name),
        ("display_name", Self::DisplayName),
        ("status", Self::Status),
        ("last_message_at", Self::LastMessageAt),
    ];

    const fn column(self) -> Column {
        match self {
            Self::CreatedAt => Column::CreatedAt,
            Self::UpdatedAt => Column::UpdatedAt,
            Self::Name => Column::SessionName,
            Self::DisplayName => Column::DisplayName,
            Self::Status => Column::Status,
            Self::LastMessageAt => Column::LastMessageAt,
        }
    }
}

/// Where words are looked for.
const SEARCHED: [Column; 4] = [
    Column::SessionName,
    Column::DisplayName,
    Column::PhoneNumber,
    Column::BusinessName,
];

impl SessionQuery {
    fn condition(&self) -> Condition {
        let statuses = self.status.statuses();
        let mut condition = living(self.only.as_deref());
        if statuses.len() < SessionStatus::ALL.len() {
            condition = condition.add(Column::Status.is_in(statuses.into_iter().map(SessionStatus::as_str)));
        }
        condition
            .add_option(self.health.map(health_condition))
            .add_option(self.search.as_deref().map(|words| has_words(&SEARCHED, words)))
    }
}

/// The same judgement as `Session::health`, in SQL; a test holds the two together.
fn health_condition(health: HealthStatus) -> Condition {
    let working = || Column::Status.eq(SessionStatus::Working.as_str());
    let gone = Condition::all()
        .add(Column::Status.eq(SessionStatus::Disconnected.as_str()))
        .add(Column::ObservedAt.is_not_null())
        .add(Column::WahaStatus.is_null());
    let critical = Condition::any()
        .add(Column::Status.eq(SessionStatus::Error.as_str()))
        .add(gone);
    match health {
        HealthStatus::Healthy => working().and(Column::Warning.is_null()).into_condition(),
        HealthStatus::Warning => working().and(Column::Warning.is_not_null()).into_condition(),
        HealthStatus::Critical => critical,
        HealthStatus::Unknown => Condition::all().add(working().not()).add(critical.not()),
    }
}
