//! Exports that nobody makes any more.

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, sea_query::Expr};
use wahana_domain::ExportId;

use super::PlatformTx;
use crate::{
    StoreError,
    entity::export::{Column, Entity},
};

impl PlatformTx {
    /// Ends an export that is still to be made, in the transaction that gives up its job: that is the platform's to do.
    pub async fn give_up_export(&self, id: ExportId) -> Result<(), StoreError> {
        Entity::update_many()
            .col_expr(Column::FinishedAt, Expr::value(self.now().as_micros()))
            .filter(Column::Id.eq(id.as_uuid()))
            .filter(Column::FinishedAt.is_null())
            .exec(&self.transaction)
            .await?;
        Ok(())
    }
}
