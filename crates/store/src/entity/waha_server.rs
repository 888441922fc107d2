//! WAHA servers. Their keys are encrypted.

use sea_orm::entity::prelude::*;

/// One row.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "waha_servers")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub name: String,
    pub base_url: String,
    pub encrypted_api_key: Vec<u8>,
    pub capacity: Option<i32>,
    pub last_snapshot_at: Option<i64>,
    pub created_at: i64,
    pub updated_at: i64,
    pub removed_at: Option<i64>,
    pub paused_at: Option<i64>,
    pub draining_at: Option<i64>,
    pub organization_id: Option<Uuid>,
    pub concurrency: Option<i32>,
    pub requests_per_second: Option<i32>,
    pub last_event_at: Option<i64>,
    pub hook_version: i64,
    pub event_gap_since: Option<i64>,
}

/// No relations: every query says its own conditions, so that none escapes the organization.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
