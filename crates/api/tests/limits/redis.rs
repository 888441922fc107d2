//! Two processes on one database, with Redis between them.

use std::{sync::Arc, time::Duration};

use futures_util::future::join_all;
use secrecy::SecretString;
use wahana_domain::SystemClock;
use wahana_service::limits::{LimitDefaults, LimitSettings, RedisSettings};
use wahana_testkit::{
    app::{Actor, Client, Home, TestApp},
    database::{TestDatabase, run},
    redis::TestRedis,
};

use crate::people::{agent, assert_refused};

/// When a test gives up on Redis. Long, because tests share the machine.
const PATIENCE: Duration = Duration::from_mins(1);

async fn wait_until(client: &Client, limits: &str) {
    let waiting = async {
        while client.get("/readyz").await.json()["data"]["limits"] != limits {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.unwrap();
}

#[test]
fn processes_share_limits_and_go_on_without_redis() {
    run(async {
        let database = TestDatabase::sqlite().await;
        let mut redis = TestRedis::start();
        let timeout = Duration::from_secs(2);
        let limits = LimitSettings {
            defaults: LimitDefaults {
                requests_per_minute: 30,
                ..LimitDefaults::default()
            },
            redis: Some(RedisSettings::new(&SecretString::from(redis.url()), timeout).unwrap()),
        };
        let start = || TestApp::start_limited(&database, Arc::new(SystemClock), limits.clone());
        let first = start().await;
        let token = agent(&first, Home::A).await;
        let second = first.another_process(limits.clone()).await;
        let there = second.client(token.headers().clone());
        let monitor = first.actor(Actor::Nobody).await;
        wait_until(&monitor, "shared").await;

        let requests = (0..60).map(|number| {
            let client = if number % 2 == 0 { &token } else { &there };
            client.get("/api/waha/sessions")
        });
        let answers = join_all(requests).await;
        let passed = answers.iter().filter(|answer| answer.status.is_success()).count();
        assert_eq!(passed, 30);

        redis.kill();
        let newcomer = agent(&first, Home::A).await;
        assert_eq!(newcomer.get("/api/waha/sessions").await.named(), "200");
        wait_until(&monitor, "share_of_each_process").await;
        for _ in 0..29 {
            assert_eq!(newcomer.get("/api/waha/sessions").await.named(), "200");
        }
        let refused = newcomer.get("/api/waha/sessions").await;
        assert_refused(&refused, "RATE_LIMIT_EXCEEDED", 30);
        redis.restart();
        wait_until(&monitor, "shared").await;
    });
}
