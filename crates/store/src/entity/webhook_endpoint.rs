//! Addresses to which organizations' events are delivered.

use sea_orm::entity::prelude::*;

/// One row.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "webhook_endpoints")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub organization_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub url: String,
    pub description: Option<String>,
    pub style: String,
    pub events: Option<String>,
    pub sessions: Option<String>,
    pub header_names: String,
    pub encrypted_headers: Option<Vec<u8>>,
    pub encrypted_secret: Vec<u8>,
    pub encrypted_previous_secret: Option<Vec<u8>>,
    pub previous_secret_until: Option<i64>,
    pub state: String,
    pub disabled_reason: Option<String>,
    pub failing_since: Option<i64>,
    pub last_failed_at: Option<i64>,
    pub not_before: Option<i64>,
    pub position: i64,
    pub created_by: Option<Uuid>,
    pub created_at: i64,
    pub updated_at: i64,
}

/// No relations: every query says its own conditions, so that none escapes the organization.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
