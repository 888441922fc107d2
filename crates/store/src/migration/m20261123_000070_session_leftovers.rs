//! What moved sessions left behind on WAHA servers.

use sea_orm_migration::{
    prelude::*,
    schema::{big_integer, string, uuid},
};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let reference = |columns: &[&'static str], table: &'static str, to: &[&'static str]| {
            let mut foreign = ForeignKey::create();
            foreign.from_tbl("session_leftovers").to_tbl(table);
            for (from, to) in columns.iter().zip(to) {
                foreign.from_col(*from).to_col(*to);
            }
            foreign.take()
        };
        let table = Table::create()
            .table("session_leftovers")
            .col(uuid("id").primary_key())
            .col(uuid("organization_id"))
            .col(uuid("session_id"))
            .col(uuid("waha_server_id"))
            .col(string("waha_name"))
            .col(big_integer("due_at"))
            .foreign_key(&mut reference(&["organization_id"], "organizations", &["id"]))
            .foreign_key(&mut reference(
                &["session_id", "organization_id"],
                "sessions",
                &["id", "organization_id"],
            ))
            .foreign_key(&mut reference(&["waha_server_id"], "waha_servers", &["id"]))
            .take();
        manager.create_table(table).await?;
        let statement =
            "CREATE UNIQUE INDEX session_leftovers_address ON session_leftovers (waha_server_id, waha_name)";
        manager.get_connection().execute_unprepared(statement).await?;
        Ok(())
    }
}
