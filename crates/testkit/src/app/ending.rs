//! People who lose what let them in, taken from them as another process of the installation would.

use wahana_domain::{OrganizationState, Role, UserId};
use wahana_store::{UserChange, access_tokens, members};

use super::{Actor, By, Client, Home, TestApp};

/// One for each way in which somebody who was let in is not let in any more.
#[derive(Debug)]
pub struct Ending {
    /// An owner of A whose token is revoked.
    pub revoked: Client,
    /// An owner of A who is a member no more.
    pub removed: Client,
    /// An owner of A whose account is switched off.
    pub disabled: Client,
    /// An admin of A, by token, who becomes a viewer.
    pub lowered: Client,
    /// An owner of B, which is suspended.
    pub suspended: Client,
    removed_user: UserId,
    disabled_user: UserId,
    lowered_user: UserId,
}

#[expect(
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "only tests call this, and a test without its app has failed"
)]
impl Ending {
    /// They are all let in yet; whoever is switched off comes in this way.
    pub async fn ahead(app: &TestApp, disabled: By) -> Self {
        let member = |role, by| Actor::Member(Home::A, role, by);
        let revoked = app.actor(member(Role::Owner, By::Token)).await;
        let (removed, removed_user) = app.actor_with_user(member(Role::Owner, By::Cookie)).await;
        let (disabled, disabled_user) = app.actor_with_user(member(Role::Owner, disabled)).await;
        let (lowered, lowered_user) = app.actor_with_user(member(Role::Admin, By::Token)).await;
        let suspended = app.actor(Actor::Member(Home::B, Role::Owner, By::Token)).await;
        Self {
            revoked,
            removed,
            disabled,
            lowered,
            suspended,
            removed_user,
            disabled_user,
            lowered_user,
        }
    }

    /// All of them.
    #[must_use]
    pub const fn everybody(&self) -> [&Client; 5] {
        [
            &self.revoked,
            &self.removed,
            &self.disabled,
            &self.lowered,
            &self.suspended,
        ]
    }

    /// It is taken from them, and the app is not told.
    pub async fn comes(&self, app: &TestApp) {
        let tx = app
            .store()
            .write(app.tenant(Home::A))
            .await
            .expect("a transaction");
        access_tokens::revoke(&tx, &self.revoked.token_id())
            .await
            .expect("a token");
        members::remove(&tx, self.removed_user).await.expect("a member");
        members::set_role(&tx, self.lowered_user, Role::Viewer)
            .await
            .expect("a member");
        tx.commit().await.expect("a commit");
        let tx = app.store().platform_write().await.expect("a transaction");
        let change = UserChange {
            disabled_at: Some(Some(tx.now())),
            ..UserChange::default()
        };
        tx.update_user(self.disabled_user, &change).await.expect("a user");
        tx.set_organization_state(app.organization_id(Home::B), OrganizationState::Suspended)
            .await
            .expect("an organization");
        tx.commit().await.expect("a commit");
    }
}
