//! Transactions of one organization: the first wall between organizations.
//!
//! Statements are made here and nowhere else. Each carries the organization, whatever the rest of the
//! query says; a query module cannot leave it out, because it never holds a connection.

use std::sync::Arc;

use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, ConnectionTrait, DatabaseConnection, DbBackend, EntityTrait,
    Order, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, Select, Statement, UpdateMany, Value,
    sea_query::{Expr, IntoCondition, LockType, NullOrdering, OnConflict, Query, SimpleExpr},
};
use uuid::Uuid;
use wahana_domain::{Clock, OrganizationId, Timestamp};

use crate::{
    KeyRing,
    commit_news::CommitNews,
    entity,
    error::StoreError,
    organization_events::outbox::Outbox,
    transaction::{Access, Transaction, within_database},
};

/// The right to open transactions of one organization. Given out by authentication, and by the few
/// platform functions that find work for an organization; it cannot be made from an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tenant {
    organization: OrganizationId,
}

impl Tenant {
    pub(crate) const fn of(organization: OrganizationId) -> Self {
        Self { organization }
    }

    /// The organization.
    #[must_use]
    pub const fn organization_id(self) -> OrganizationId {
        self.organization
    }
}

/// What transactions of an organization have from the store.
pub(crate) struct Surroundings {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) keys: KeyRing,
    pub(crate) news: CommitNews,
}

/// A transaction in which there is one organization. Dropped without [`commit`](Self::commit), it
/// changes nothing.
pub struct TenantTx {
    transaction: Transaction,
    /// What must not end before this one does, such as a lock that the organization's role cannot take.
    companion: Option<Transaction>,
    organization: OrganizationId,
    access: Access,
    clock: Arc<dyn Clock>,
    keys: KeyRing,
    news: CommitNews,
    outbox: Outbox,
}

impl TenantTx {
    pub(crate) async fn begin(
        connection: &DatabaseConnection,
        tenant: Tenant,
        access: Access,
        surroundings: Surroundings,
    ) -> Result<Self, StoreError> {
        let transaction = Transaction::begin(connection, access).await?;
        let organization = tenant.organization;
        if transaction.get_database_backend() == DbBackend::Postgres {
            // Ends with the transaction, so that a pooled connection keeps nothing.
            let name_organization = Statement::from_sql_and_values(
                DbBackend::Postgres,
                "SELECT set_config('app.organization_id', $1, true)",
                [organization.to_string().into()],
            );
            transaction.execute_raw(name_organization).await?;
        }
        Ok(Self::around(transaction, tenant, access, surroundings))
    }

    /// Goes on in a writing transaction that is the platform's.
    pub(crate) fn within(transaction: Transaction, tenant: Tenant, surroundings: Surroundings) -> Self {
        Self::around(transaction, tenant, Access::Write, surroundings)
    }

    fn around(
        transaction: Transaction,
        tenant: Tenant,
        access: Access,
        Surroundings { clock, keys, news }: Surroundings,
    ) -> Self {
        Self {
            transaction,
            companion: None,
            organization: tenant.organization,
            access,
            clock,
            keys,
            news,
            outbox: Outbox::default(),
        }
    }

    /// Keeps another transaction, with the locks that it holds, until this one has ended.
    pub(crate) fn beside(mut self, companion: Transaction) -> Self {
        self.companion = Some(companion);
        self
    }

    /// The organization of this transaction.
    #[must_use]
    pub const fn organization_id(&self) -> OrganizationId {
        self.organization
    }

    /// The present moment.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Makes the changes last, with the events that tell of them, and tells the caches of this process and those
    /// who wait for events.
    ///
    /// # Errors
    ///
    /// [`StoreError::TransactionFailed`] if a statement failed, whatever became of its error.
    pub async fn commit(self) -> Result<(), StoreError> {
        // Last, because others of the organization wait for the number of its events from here on.
        let has_events = !self.transaction.has_failed()
            && self
                .outbox
                .write(self.organization, self.now(), &self.transaction)
                .await?;
        self.transaction.commit().await?;
        if let Some(companion) = self.companion {
            // It only read and locked, so what becomes of it changes nothing.
            let _ = companion.commit().await;
        }
        if self.access == Access::Write {
            self.news.generations.advance(self.organization);
        }
        if has_events {
            self.news.events.ring(self.organization);
        }
        Ok(())
    }

    /// What encrypts the organization's secrets.
    pub(crate) const fn keys(&self) -> &KeyRing {
        &self.keys
    }

    /// What is to be told of what this transaction does.
    pub(crate) const fn outbox(&self) -> &Outbox {
        &self.outbox
    }

    /// Rows of the organization.
    pub(crate) fn find<E: TenantVisible>(&self) -> TenantSelect<'_, E> {
        TenantSelect {
            select: E::find().filter(E::visible_to(self.organization)),
            transaction: &self.transaction,
        }
    }

    /// Adds a row, which becomes the organization's whatever `row` says.
    pub(crate) async fn insert<A>(&self, mut row: A) -> Result<(), StoreError>
    where
        A: ActiveModelTrait + Send,
        A::Entity: TenantOwned,
    {
        row.set(A::Entity::ORGANIZATION, self.organization.as_uuid().into());
        A::Entity::insert(row)
            .exec_without_returning(&self.transaction)
            .await?;
        Ok(())
    }

    /// Adds rows, which become the organization's.
    pub(crate) async fn insert_many<A>(&self, mut rows: Vec<A>) -> Result<(), StoreError>
    where
        A: ActiveModelTrait + Send,
        A::Entity: TenantOwned,
    {
        if rows.is_empty() {
            return Ok(());
        }
        for row in &mut rows {
            row.set(A::Entity::ORGANIZATION, self.organization.as_uuid().into());
        }
        A::Entity::insert_many(rows)
            .exec_without_returning(&self.transaction)
            .await?;
        Ok(())
    }

    /// Adds a row, which becomes the organization's, unless a rule of uniqueness stands in the way; says
    /// whether it did.
    pub(crate) async fn insert_if_absent<A>(&self, mut row: A) -> Result<bool, StoreError>
    where
        A: ActiveModelTrait + Send,
        A::Entity: TenantOwned,
    {
        row.set(A::Entity::ORGANIZATION, self.organization.as_uuid().into());
        let inserted = A::Entity::insert(row)
            .on_conflict(OnConflict::new().do_nothing().to_owned())
            .exec_without_returning(&self.transaction)
            .await?;
        Ok(inserted == 1)
    }

    /// Changes rows of the organization.
    pub(crate) fn update<E: TenantOwned>(&self) -> TenantUpdate<'_, E> {
        TenantUpdate {
            update: E::update_many().filter(E::visible_to(self.organization)),
            transaction: &self.transaction,
        }
    }

    /// Removes those rows of the organization for which `condition` holds; says how many.
    pub(crate) async fn delete<E: TenantOwned>(
        &self,
        condition: impl IntoCondition,
    ) -> Result<u64, StoreError> {
        let delete = E::delete_many()
            .filter(E::visible_to(self.organization))
            .filter(condition.into_condition());
        Ok(delete.exec(&self.transaction).await?.rows_affected)
    }
}

/// An entity some of whose rows an organization may see.
pub(crate) trait TenantVisible: EntityTrait {
    /// The condition that holds for the organization's rows and no others.
    fn visible_to(organization: OrganizationId) -> Condition;
}

/// An entity whose rows each belong to an organization.
pub(crate) trait TenantOwned: TenantVisible {
    /// The column that says to which.
    const ORGANIZATION: Self::Column;
}

macro_rules! owned_by {
    ($($entity:ident by $column:ident),+ $(,)?) => {$(
        impl TenantVisible for entity::$entity::Entity {
            fn visible_to(organization: OrganizationId) -> Condition {
                <Self as TenantOwned>::ORGANIZATION.eq(organization.as_uuid()).into_condition()
            }
        }
        impl TenantOwned for entity::$entity::Entity {
            const ORGANIZATION: Self::Column = entity::$entity::Column::$column;
        }
    )+};
}

owned_by! {
    organization by Id,
    membership by OrganizationId,
    invitation by OrganizationId,
    access_token by OrganizationId,
    access_token_session by OrganizationId,
    session by OrganizationId,
    message by OrganizationId,
    message_content by OrganizationId,
    erasure by OrganizationId,
    erased_message by OrganizationId,
    export by OrganizationId,
    idempotency_key by OrganizationId,
    audit_entry by OrganizationId,
    job by OrganizationId,
    waha_event by OrganizationId,
    session_transition by OrganizationId,
    session_upkeep by OrganizationId,
    session_activity by OrganizationId,
    session_leftover by OrganizationId,
    message_usage by OrganizationId,
    media_file by OrganizationId,
    organization_event by OrganizationId,
    organization_event_counter by OrganizationId,
    webhook_endpoint by OrganizationId,
    webhook_delivery by OrganizationId,
    webhook_attempt by OrganizationId,
}

/// People belong to nobody; an organization sees its members.
impl TenantVisible for entity::user::Entity {
    fn visible_to(organization: OrganizationId) -> Condition {
        let members = Query::select()
            .column(entity::membership::Column::UserId)
            .from(entity::membership::Entity)
            .and_where(entity::membership::Column::OrganizationId.eq(organization.as_uuid()))
            .take();
        entity::user::Column::Id.in_subquery(members).into_condition()
    }
}

/// A query for rows of the organization.
pub(crate) struct TenantSelect<'tx, E: EntityTrait> {
    select: Select<E>,
    transaction: &'tx Transaction,
}

impl<E> TenantSelect<'_, E>
where
    E: EntityTrait,
    E::Model: Send + Sync,
{
    /// How SQLite would find the rows, one step a line.
    #[cfg(test)]
    pub(crate) async fn plan(self) -> Vec<String> {
        use sea_orm::QueryTrait as _;
        let mut asked = self.select.build(DbBackend::Sqlite);
        asked.sql.insert_str(0, "EXPLAIN QUERY PLAN ");
        let steps = self.transaction.query_all_raw(asked).await.unwrap();
        steps
            .iter()
            .map(|step| step.try_get("", "detail").unwrap())
            .collect()
    }

    pub(crate) fn filter(mut self, condition: impl IntoCondition) -> Self {
        self.select = self.select.filter(condition.into_condition());
        self
    }

    /// Sorts, rows without a value last on both databases.
    pub(crate) fn order_by(mut self, column: E::Column, order: Order) -> Self {
        // Where there can be no nulls, saying where they go would keep SQLite from reading in the order of an index.
        self.select = if column.def().is_null() {
            self.select.order_by_with_nulls(column, order, NullOrdering::Last)
        } else {
            self.select.order_by(column, order)
        };
        self
    }

    /// Sorts by what follows from columns.
    pub(crate) fn order_by_expression(mut self, expression: SimpleExpr, order: Order) -> Self {
        self.select = self.select.order_by(expression, order);
        self
    }

    pub(crate) fn limit(mut self, limit: u64) -> Self {
        self.select = self.select.limit(within_database(limit));
        self
    }

    pub(crate) fn offset(mut self, offset: u64) -> Self {
        self.select = self.select.offset(within_database(offset));
        self
    }

    /// Makes other transactions that want the same lock, or change the row, wait until this one ends. Those that
    /// only refer to it do not: they would hold what this one waits for. SQLite has one writer at a time anyway.
    pub(crate) fn lock(mut self) -> Self {
        self.select = self.select.lock(LockType::NoKeyUpdate);
        self
    }

    pub(crate) async fn one(self) -> Result<Option<E::Model>, StoreError> {
        Ok(self.select.one(self.transaction).await?)
    }

    pub(crate) async fn all(self) -> Result<Vec<E::Model>, StoreError> {
        Ok(self.select.all(self.transaction).await?)
    }

    /// The distinct values of a column of UUIDs.
    pub(crate) async fn distinct_uuids(self, column: E::Column) -> Result<Vec<Uuid>, StoreError> {
        Ok(self
            .select
            .select_only()
            .column(column)
            .distinct()
            .into_tuple()
            .all(self.transaction)
            .await?)
    }

    /// Whether there are more rows than so many, without reading the others. If `column` is in the index by which
    /// they are found, no row is read at all.
    pub(crate) async fn exceeds(self, number: u64, column: E::Column) -> Result<bool, StoreError> {
        let next: Option<Uuid> = self
            .select
            .offset(within_database(number))
            .limit(1)
            .select_only()
            .column(column)
            .into_tuple()
            .one(self.transaction)
            .await?;
        Ok(next.is_some())
    }

    pub(crate) async fn count(self) -> Result<u64, StoreError> {
        Ok(self.select.count(self.transaction).await?)
    }
}

/// A change of rows of the organization.
pub(crate) struct TenantUpdate<'tx, E: EntityTrait> {
    update: UpdateMany<E>,
    transaction: &'tx Transaction,
}

impl<E: TenantOwned> TenantUpdate<'_, E> {
    pub(crate) fn filter(mut self, condition: impl IntoCondition) -> Self {
        self.update = self.update.filter(condition.into_condition());
        self
    }

    pub(crate) fn set(self, column: E::Column, value: impl Into<Value>) -> Self {
        self.set_expression(column, Expr::value(value))
    }

    pub(crate) fn set_expression(mut self, column: E::Column, expression: SimpleExpr) -> Self {
        self.update = self.update.col_expr(column, expression);
        self
    }

    /// Runs it; says how many rows changed.
    pub(crate) async fn run(self) -> Result<u64, StoreError> {
        Ok(self.update.exec(self.transaction).await?.rows_affected)
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;
    use wahana_domain::SystemClock;
    use wahana_testkit::database::{TestDatabase, run};

    use super::*;
    use crate::{connection::Connections, settings::DatabaseSettings};

    #[test]
    fn a_pooled_connection_keeps_nothing_of_a_transaction_on_postgres() {
        run(async {
            let db = TestDatabase::postgres().await;
            let mut settings = DatabaseSettings::new(db.settings().url.expose_secret().to_owned());
            settings.max_connections = 1;
            let connections = Connections::open(&settings).await.unwrap();
            let tenant = Tenant::of(OrganizationId::new());
            for end in ["commit", "drop"] {
                let tx = TenantTx::begin(
                    &connections.tenant_read,
                    tenant,
                    Access::Read,
                    Surroundings {
                        clock: Arc::new(SystemClock),
                        keys: KeyRing::generate(),
                        news: CommitNews::new(),
                    },
                );
                let tx = tx.await.unwrap();
                let named = named_organization(&tx.transaction).await;
                assert_eq!(named, tenant.organization.to_string());
                if end == "commit" {
                    tx.commit().await.unwrap();
                } else {
                    drop(tx);
                }
                assert_eq!(named_organization(&connections.tenant_read).await, "", "{end}");
            }
        });
    }

    async fn named_organization(connection: &impl ConnectionTrait) -> String {
        let named = "SELECT coalesce(current_setting('app.organization_id', true), '') AS named";
        let row = connection
            .query_one_raw(Statement::from_string(DbBackend::Postgres, named))
            .await;
        row.unwrap().unwrap().try_get("", "named").unwrap()
    }
}
