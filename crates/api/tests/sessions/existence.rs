//! A session of another organization does not exist.

use reqwest::Method;
use serde_json::json;
use wahana_testkit::{database::TestDatabase, on_both_databases};

use crate::world::World;

on_both_databases!(foreign_and_missing_are_equal);

async fn foreign_and_missing_are_equal(database: &TestDatabase) {
    let world = World::new(database).await;
    let server = world.server("one").await;
    let (a, b) = (world.owner("a").await, world.owner("b").await);
    let of_b = world.working(&b, &server, "shop", "15550000001").await;
    world.waiting(&a, &server, "own").await;
    world.later();
    server.sim.reset_records();
    let foreign_id = of_b["id"].as_str().unwrap();
    let missing_id = "0190a3b1-7c44-7def-8a51-0123456789ab";
    let waha_name = world.waha_name("shop").await;
    let number = json!({"phone_number": "+15550000001"});
    for (method, path, body) in [
        (Method::GET, "/status", None),
        (Method::GET, "/info", None),
        (Method::GET, "/connected", None),
        (Method::GET, "/health", None),
        (Method::GET, "/qr", None),
        (Method::GET, "/qr?wait=20", None),
        (Method::POST, "/sync", None),
        (Method::POST, "/stop", None),
        (Method::POST, "/restart", None),
        (Method::POST, "/logout", None),
        (Method::POST, "/pairing-code", Some(&number)),
        (Method::PATCH, "", Some(&number)),
        (Method::DELETE, "", None),
    ] {
        let mut answers = Vec::new();
        for named in ["shop", foreign_id, "missing", missing_id, &waha_name] {
            let mut request = a.request(method.clone(), &format!("/{named}{path}"));
            if let Some(body) = body {
                request = request.json(body);
            }
            let mut answer = a.send(request).await.refused(404, "SESSION_NOT_FOUND");
            for header in ["x-request-id", "date", "ratelimit-remaining", "ratelimit-reset"] {
                answer.headers.remove(header);
            }
            answers.push((answer.headers, answer.body));
        }
        assert!(
            answers.iter().all(|answer| *answer == answers[0]),
            "{method} {path}"
        );
    }
    assert_eq!(server.sim.counts().total, 0);
    assert_eq!(b.status("shop").await["status"], "working");
}
