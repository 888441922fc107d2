//! By what names on WAHA servers are known whose sessions were erased with their organization.

use sea_orm::entity::prelude::*;

/// One row.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "erased_waha_names")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub waha_server_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub name_hash: Vec<u8>,
    pub erased_at: i64,
}

/// No relations: every query says its own conditions, so that none escapes the organization.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
