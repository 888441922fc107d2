//! Events that WAHA servers delivered. What they say is kept until it is applied.

use sea_orm::entity::prelude::*;

/// One row.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "waha_events")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub organization_id: Uuid,
    pub session_id: Uuid,
    pub waha_server_id: Uuid,
    pub event_id: String,
    pub kind: String,
    pub state: String,
    pub payload: Option<String>,
    pub happened_at: i64,
    pub received_at: i64,
    pub applied_at: Option<i64>,
}

/// No relations: every query says its own conditions, so that none escapes the organization.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
