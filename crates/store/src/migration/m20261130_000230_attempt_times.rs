//! When a message was last begun to be handed over, by which its own event is recognised however late its outcome was
//! given up.

use sea_orm_migration::{prelude::*, schema::big_integer_null};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// What was last begun before is taken to be so when its status changed last, as it was until now.
const FILL: &str = "UPDATE messages SET attempted_at = updated_at WHERE status IN ('sending', 'unknown')";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let add = Table::alter()
            .table("messages")
            .add_column(big_integer_null("attempted_at"))
            .take();
        manager.alter_table(add).await?;
        manager.get_connection().execute_unprepared(FILL).await?;
        Ok(())
    }
}
