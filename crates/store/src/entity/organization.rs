//! Organizations.

use sea_orm::entity::prelude::*;

/// One row.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "organizations")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub name: String,
    pub state: String,
    pub country: Option<String>,
    pub time_zone: String,
    pub language: String,
    pub session_limit: Option<i32>,
    pub message_retention_days: Option<i32>,
    pub media_retention_days: Option<i32>,
    pub audit_retention_days: Option<i32>,
    pub created_at: i64,
    pub updated_at: i64,
    pub messages_per_minute: Option<i32>,
    pub messages_per_hour: Option<i32>,
    pub media_per_minute: Option<i32>,
    pub media_per_hour: Option<i32>,
    pub requests_per_minute: Option<i32>,
    pub organization_messages_per_minute: Option<i32>,
    pub organization_messages_per_hour: Option<i32>,
    pub monthly_messages: Option<i32>,
    pub restarts_silent_sessions: bool,
    pub resends_lost_messages: bool,
    pub keeps_message_texts: bool,
    pub queued_messages: Option<i32>,
}

/// No relations: every query says its own conditions, so that none escapes the organization.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
