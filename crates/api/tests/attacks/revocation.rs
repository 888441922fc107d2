//! What another process takes away takes effect here too, within seconds and by itself.

use std::time::{Duration, Instant};

use wahana_testkit::app::{By, Client, Ending};

use crate::scene;

const OWN: &str = "/api/waha/organization";
/// When a test gives up; much longer than it may take, because tests share the machine.
const PATIENCE: Duration = Duration::from_mins(1);

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
        let ending = Ending::ahead(app, By::Cookie).await;
        let Ending {
            revoked,
            removed,
            disabled,
            lowered,
            suspended,
            ..
        } = &ending;
        for client in [revoked, removed, disabled, suspended] {
            assert_eq!(client.get(OWN).await.named(), "200");
        }
        assert_eq!(lowered.get("/api/waha/tokens").await.named(), "200");

        ending.comes(app).await;

        until(revoked, OWN, "401 UNAUTHENTICATED").await;
        until(removed, OWN, "403 NO_ORGANIZATION").await;
        until(disabled, OWN, "401 UNAUTHENTICATED").await;
        until(lowered, "/api/waha/tokens", "403 FORBIDDEN").await;
        until(suspended, OWN, "403 ORGANIZATION_SUSPENDED").await;
    });
}

#[test]
fn what_is_taken_away_here_is_gone_at_once() {
    scene(async |scene| {
        let revoked = scene.app.actor(crate::OWNER).await;
        assert_eq!(revoked.get(OWN).await.named(), "200");
        let target = format!("/api/waha/tokens/{}", revoked.token_id());
        assert_eq!(scene.owner.delete(&target).await.named(), "200");
        assert_eq!(revoked.get(OWN).await.named(), "401 UNAUTHENTICATED");
        assert_eq!(scene.owner.delete(&target).await.named(), "404 NOT_FOUND");
    });
}
