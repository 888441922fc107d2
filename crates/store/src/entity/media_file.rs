//! Files of messages, and where their bytes are.

use sea_orm::entity::prelude::*;

/// One row.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "media_files")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub organization_id: Uuid,
    pub message_id: Option<Uuid>,
    pub state: String,
    pub storage_key: Option<String>,
    pub size: Option<i64>,
    pub sha256: Option<String>,
    pub source: Option<String>,
    pub mimetype: String,
    pub filename: Option<String>,
    pub created_at: i64,
    pub expires_at: Option<i64>,
}

/// No relations: every query says its own conditions, so that none escapes the organization.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
