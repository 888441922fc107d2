//! How far the events of organizations have come, for a process in which many are waited for.

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use wahana_domain::OrganizationId;

use super::PlatformTx;
use crate::{
    StoreError,
    entity::organization_event_counter::{Column, Entity},
};

/// How many organizations are asked about in one statement.
const AT_ONCE: usize = 1000;

impl PlatformTx {
    /// The numbers of these organizations' last events; those that never had one are left out. One question for
    /// all for whom somebody waits, because each on its own would ask every second.
    pub async fn last_event_numbers(
        &self,
        organizations: &[OrganizationId],
    ) -> Result<Vec<(OrganizationId, i64)>, StoreError> {
        let mut found = Vec::with_capacity(organizations.len());
        for some in organizations.chunks(AT_ONCE) {
            let rows = Entity::find()
                .filter(Column::OrganizationId.is_in(some.iter().map(|id| id.as_uuid())))
                .all(&self.transaction)
                .await?;
            found.extend(
                rows.into_iter()
                    .map(|row| (OrganizationId::from(row.organization_id), row.last_number)),
            );
        }
        Ok(found)
    }
}
