//! So many streams at a time, and no more.

use std::time::Duration;

use wahana_service::organization_events::StreamLimits;
use wahana_testkit::{
    app::{Client, EventStream, TestApp},
    database::TestDatabase,
    on_both_databases,
};

use crate::{EVENTS, OWNER, OWNER_OF_B, open};

/// Opens a stream as soon as there is a place.
async fn open_at_last(client: &Client) -> EventStream {
    loop {
        let mut stream = client.open_stream(EVENTS).await;
        if stream.status == 200 {
            stream.begun().await;
            return stream;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn streams_are_bounded_for_each_organization_and_together(database: &TestDatabase) {
    let limits = StreamLimits {
        of_organization: 2,
        of_process: 3,
    };
    let app = TestApp::start_with_streams(database, limits).await;
    let (a, b) = (app.actor(OWNER).await, app.actor(OWNER_OF_B).await);
    let first = open(&a, EVENTS).await;
    let _second = open(&a, EVENTS).await;
    let refused = a.get(EVENTS).await;
    assert_eq!(refused.named(), "429 QUOTA_EXCEEDED");
    assert!(refused.text().contains("At most 2 streams"), "{}", refused.text());
    assert_eq!(refused.header("retry-after"), Some("10"));

    let of_b = open(&b, EVENTS).await;
    let refused = b.get(EVENTS).await;
    assert_eq!(refused.named(), "503 SERVICE_UNAVAILABLE");
    assert_eq!(refused.header("retry-after"), Some("10"));

    // Who hangs up leaves a place.
    drop(first);
    let again = open_at_last(&a).await;
    assert_eq!(a.get(EVENTS).await.named(), "429 QUOTA_EXCEEDED");
    drop((again, of_b));
    let _of_b = (open_at_last(&b).await, open_at_last(&b).await);
    assert_eq!(a.get(EVENTS).await.named(), "503 SERVICE_UNAVAILABLE");
}

on_both_databases!(streams_are_bounded_for_each_organization_and_together);
