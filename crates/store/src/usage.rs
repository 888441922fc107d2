//! How many messages an organization sent in a month.

use sea_orm::{ActiveValue::Set, ColumnTrait, Condition, ExprTrait, sea_query::Expr};
use wahana_domain::Month;

use crate::{StoreError, TenantTx, entity::message_usage};

/// Counts one more message, if there are fewer than `quota` of them; says whether it did. Others who count
/// for the same organization wait until the transaction ends, so none slips past the quota.
pub async fn raise(tx: &TenantTx, month: Month, quota: Option<u32>) -> Result<bool, StoreError> {
    use message_usage::Column;
    let raise = || {
        let below = quota.map(|quota| Column::Messages.lt(i64::from(quota)));
        tx.update::<message_usage::Entity>()
            .set_expression(Column::Messages, Expr::col(Column::Messages).add(1))
            .filter(of(month).add_option(below))
            .run()
    };
    if raise().await? == 1 {
        return Ok(true);
    }
    if quota == Some(0) {
        return Ok(false);
    }
    // The first message of the month, unless somebody was faster, or the quota is used up.
    tx.insert_if_absent(message_usage::ActiveModel {
        month: Set(month.as_number()),
        messages: Set(0),
        ..Default::default()
    })
    .await?;
    Ok(raise().await? == 1)
}

/// Takes back a message that was counted and not sent.
pub async fn lower(tx: &TenantTx, month: Month) -> Result<(), StoreError> {
    use message_usage::Column;
    tx.update::<message_usage::Entity>()
        .set_expression(Column::Messages, Expr::col(Column::Messages).sub(1))
        .filter(of(month).add(Column::Messages.gt(0)))
        .run()
        .await?;
    Ok(())
}

/// How many messages were sent in a month.
pub async fn messages(tx: &TenantTx, month: Month) -> Result<u64, StoreError> {
    let row = tx.find::<message_usage::Entity>().filter(of(month)).one().await?;
    Ok(row.map_or(0, |row| u64::try_from(row.messages).unwrap_or(0)))
}

fn of(month: Month) -> Condition {
    Condition::all().add(message_usage::Column::Month.eq(month.as_number()))
}
