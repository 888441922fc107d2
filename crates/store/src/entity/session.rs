//! Sessions.

use sea_orm::entity::prelude::*;

/// One row.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "sessions")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub organization_id: Uuid,
    pub waha_server_id: Uuid,
    pub waha_name: String,
    pub origin: String,
    pub session_name: String,
    pub display_name: Option<String>,
    pub phone_number: Option<String>,
    pub configuration: String,
    pub status: String,
    pub waha_status: Option<String>,
    pub desired_status: String,
    pub observed_at: Option<i64>,
    pub error_count: i64,
    pub last_error: Option<String>,
    pub business_name: Option<String>,
    pub business_description: Option<String>,
    pub business_category: Option<String>,
    pub business_website: Option<String>,
    pub business_email: Option<String>,
    pub messages_sent: i64,
    pub messages_received: i64,
    pub media_sent: i64,
    pub media_received: i64,
    pub last_message_at: Option<i64>,
    pub created_at: i64,
    pub updated_at: i64,
    pub deleted_at: Option<i64>,
    pub phone_number_at: Option<i64>,
    pub warning: Option<String>,
    pub pacing_min_seconds: Option<i32>,
    pub pacing_max_seconds: Option<i32>,
    pub pacing_shows_typing: bool,
}

/// No relations: every query says its own conditions, so that none escapes the organization.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
