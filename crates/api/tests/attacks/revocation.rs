//! What another process takes away takes effect here too, within seconds and by itself.

use std::time::{Duration, Instant};

use wahana_domain::{OrganizationState, Role, TokenId};
use wahana_store::{UserChange, access_tokens, members};
use wahana_testkit::app::{Actor, By, Client, Home};

use crate::{OWNER_BY_COOKIE, scene};

const OWN: &str = "/api/waha/organization";
/// When a test gives up; much longer than it may take, because tests share the machine.
const PATIENCE: Duration = Duration::from_mins(1);

fn token_id(client: &Client) -> TokenId {
    let value = client.headers()["authorization"].to_str().unwrap();
    let (id, _) = value.strip_prefix("Bearer ").unwrap().split_once('|').unwrap();
    TokenId::parse(id).unwrap()
}

async fn until(client: &Client, target: &str, expected: &str) {
    let begun = Instant::now();
    loop {
        let got = client.get(target).await.named();
        if got == expected {
            return;
        }
        assert!(begun.elapsed() < PATIENCE, "still {got}, not {expected}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[test]
fn what_is_taken_away_elsewhere_is_gone_here() {
    scene(async |scene| {
        let app = &scene.app;
        let admin = Actor::Member(Home::A, Role::Admin, By::Token);
        let [revoked, removed, disabled, lowered] = [crate::OWNER, OWNER_BY_COOKIE, OWNER_BY_COOKIE, admin];
        let revoked = app.actor(revoked).await;
        let (removed, removed_user) = app.actor_with_user(removed).await;
        let (disabled, disabled_user) = app.actor_with_user(disabled).await;
        let (lowered, lowered_user) = app.actor_with_user(lowered).await;
        let suspended = app.actor(crate::OWNER_OF_B).await;
        for client in [&revoked, &removed, &disabled, &suspended] {
            assert_eq!(client.get(OWN).await.named(), "200");
        }
        assert_eq!(lowered.get("/api/waha/tokens").await.named(), "200");

        // As another process would: the caches here are not told.
        let tx = app.store().write(app.tenant(Home::A)).await.unwrap();
        access_tokens::revoke(&tx, &token_id(&revoked)).await.unwrap();
        members::remove(&tx, removed_user).await.unwrap();
        members::set_role(&tx, lowered_user, Role::Viewer).await.unwrap();
        tx.commit().await.unwrap();
        let tx = app.store().platform_write().await.unwrap();
        let change = UserChange {
            disabled_at: Some(Some(tx.now())),
            ..UserChange::default()
        };
        tx.update_user(disabled_user, &change).await.unwrap();
        let b = app.organization_id(Home::B);
        tx.set_organization_state(b, OrganizationState::Suspended)
            .await
            .unwrap();
        tx.commit().await.unwrap();

        until(&revoked, OWN, "401 UNAUTHENTICATED").await;
        until(&removed, OWN, "403 NO_ORGANIZATION").await;
        until(&disabled, OWN, "401 UNAUTHENTICATED").await;
        until(&lowered, "/api/waha/tokens", "403 FORBIDDEN").await;
        until(&suspended, OWN, "403 ORGANIZATION_SUSPENDED").await;
    });
}

#[test]
fn what_is_taken_away_here_is_gone_at_once() {
    scene(async |scene| {
        let revoked = scene.app.actor(crate::OWNER).await;
        assert_eq!(revoked.get(OWN).await.named(), "200");
        let target = format!("/api/waha/tokens/{}", token_id(&revoked));
        assert_eq!(scene.owner.delete(&target).await.named(), "200");
        assert_eq!(revoked.get(OWN).await.named(), "401 UNAUTHENTICATED");
        assert_eq!(scene.owner.delete(&target).await.named(), "404 NOT_FOUND");
    });
}
