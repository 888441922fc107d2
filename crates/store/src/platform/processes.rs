//! The processes that run on this database. They belong to no organization.

use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QueryOrder, sea_query::OnConflict};
use wahana_domain::{Process, ProcessId, Timestamp};

use super::PlatformTx;
use crate::{
    StoreError,
    entity::process::{ActiveModel, Column, Entity, Model},
};

impl PlatformTx {
    /// Says that a process lives: it serves all organizations.
    pub async fn see_process(&self, process: &Process) -> Result<(), StoreError> {
        let row = ActiveModel {
            id: Set(process.id.as_uuid()),
            name: Set(process.name.clone()),
            role: Set(process.role.as_str().to_owned()),
            started_at: Set(process.started_at.as_micros()),
            seen_at: Set(process.seen_at.as_micros()),
        };
        Entity::insert(row)
            .on_conflict(
                OnConflict::column(Column::Id)
                    .update_column(Column::SeenAt)
                    .to_owned(),
            )
            .exec_without_returning(&self.transaction)
            .await?;
        Ok(())
    }

    /// The processes that said since then that they live, the longest living first.
    pub async fn processes(&self, since: Timestamp) -> Result<Vec<Process>, StoreError> {
        let rows = Entity::find()
            .filter(Column::SeenAt.gte(since.as_micros()))
            .order_by_asc(Column::StartedAt)
            .order_by_asc(Column::Id)
            .all(&self.transaction)
            .await?;
        rows.into_iter().map(from_row).collect()
    }

    /// Forgets a process that has ended.
    pub async fn remove_process(&self, id: ProcessId) -> Result<(), StoreError> {
        Entity::delete_by_id(id.as_uuid()).exec(&self.transaction).await?;
        Ok(())
    }
}

fn from_row(row: Model) -> Result<Process, StoreError> {
    Ok(Process {
        role: row.role.parse().map_err(|_| StoreError::Inconsistent {
            table: "processes",
            column: "role",
            row: row.id.to_string(),
        })?,
        id: row.id.into(),
        name: row.name,
        started_at: Timestamp::from_micros(row.started_at),
        seen_at: Timestamp::from_micros(row.seen_at),
    })
}
