//! Messages that were handed to wahana or that WAHA tells of, without what they say.

use sea_orm::entity::prelude::*;

/// One row.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "messages")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub organization_id: Uuid,
    pub session_id: Uuid,
    pub chat_id: String,
    pub direction: String,
    pub kind: String,
    pub status: String,
    pub waha_message_id: Option<String>,
    pub created_at: i64,
    pub updated_at: i64,
    pub message_key: Option<String>,
    pub sender: Option<String>,
    pub happened_at: Option<i64>,
    pub due_at: Option<i64>,
    pub expires_at: Option<i64>,
    pub is_asynchronous: bool,
    pub reason: Option<String>,
    pub attempts: i64,
    /// When the last attempt was begun.
    pub attempted_at: Option<i64>,
    pub lane: Option<i32>,
    pub lease_owner: Option<Uuid>,
    pub lease_expires_at: Option<i64>,
    pub settle_at: Option<i64>,
    pub user_id: Option<Uuid>,
    pub token_id: Option<String>,
    pub request_id: Option<String>,
    pub reply_to: Option<String>,
    pub is_from_api: bool,
}

/// No relations: every query says its own conditions, so that none escapes the organization.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
