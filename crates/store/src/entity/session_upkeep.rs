//! What the upkeep of a session remembers.

use sea_orm::entity::prelude::*;

/// One row.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "session_upkeep")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub session_id: Uuid,
    pub organization_id: Uuid,
    pub attempts: i64,
    pub next_attempt_at: Option<i64>,
    pub halted_at: Option<i64>,
    pub halted_reason: Option<String>,
    pub drift: Option<String>,
    pub repaired_at: Option<i64>,
    pub restriction: Option<String>,
    pub restricted_until: Option<i64>,
    pub hook_version: i64,
    pub hook_applied_version: Option<i64>,
    pub last_event_at: Option<i64>,
    pub probe_failed_at: Option<i64>,
    pub silent_restart_at: Option<i64>,
    pub updated_at: i64,
    pub restricted_at: Option<i64>,
    pub next_send_at: Option<i64>,
    pub typing_for: Option<Uuid>,
}

/// No relations: every query says its own conditions, so that none escapes the organization.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
