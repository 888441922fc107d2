//! The pace at which sessions send.

use sea_orm_migration::{
    prelude::*,
    schema::{big_integer_null, boolean, integer_null, uuid_null},
};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (table, column) in new_columns() {
            let add = Table::alter().table(table).add_column(column).take();
            manager.alter_table(add).await?;
        }
        Ok(())
    }
}

/// What earlier tables learn. Empty, or with a default, so that the previous release still adds rows.
fn new_columns() -> Vec<(&'static str, ColumnDef)> {
    vec![
        ("sessions", integer_null("pacing_min_seconds")),
        ("sessions", integer_null("pacing_max_seconds")),
        ("sessions", boolean("pacing_shows_typing").default(false).take()),
        ("session_upkeep", big_integer_null("next_send_at")),
        ("session_upkeep", uuid_null("typing_for")),
    ]
}
