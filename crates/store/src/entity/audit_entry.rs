//! The audit log: rows are added and read, never changed.

use sea_orm::entity::prelude::*;

/// One row.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "audit_entries")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub organization_id: Option<Uuid>,
    pub actor: String,
    pub user_id: Option<Uuid>,
    pub token_id: Option<String>,
    pub session_id: Option<Uuid>,
    pub operation: String,
    pub outcome: String,
    pub error_code: Option<String>,
    pub source_address: Option<String>,
    pub request_id: Option<String>,
    pub created_at: i64,
}

/// No relations: every query says its own conditions, so that none escapes the organization.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
