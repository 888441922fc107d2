//! What a restart of WAHA forgets.

use std::time::Duration;

use serde_json::json;
use tokio::time::timeout;
use waha_sim::{RestartLoss, SessionSeed, Status};

use super::{create, get, post, quick};

#[tokio::test]
async fn sessions_start_again_when_nothing_is_lost() {
    let waha = quick().await;
    waha.add_session(SessionSeed::new("ran").phone("15559000001"));
    waha.add_session(SessionSeed::new("stopped").status(Status::Stopped));
    waha.restart(RestartLoss::Nothing).await;
    waha.wait_for_status("ran", Status::Working).await;
    assert_eq!(waha.session_status("stopped"), Some(Status::Stopped));
    assert_eq!(
        get(&waha, "/api/sessions/ran").await.json()["me"]["id"],
        "15559000001@c.us"
    );
}

#[tokio::test]
async fn a_pairing_outlives_a_lost_configuration() {
    let waha = quick().await;
    waha.add_session(SessionSeed::new("a").phone("15559000001"));
    waha.restart(RestartLoss::Configuration).await;
    assert_eq!(get(&waha, "/api/sessions?all=true").await.json(), json!([]));
    create(&waha, "a").await;
    waha.wait_for_status("a", Status::Working).await;

    waha.restart(RestartLoss::Everything).await;
    create(&waha, "a").await;
    waha.wait_for_status("a", Status::ScanQrCode).await;
}

#[tokio::test]
async fn a_stopped_server_is_gone_until_it_is_started_again() {
    let waha = quick().await;
    assert_eq!(
        post(&waha, "/api/server/stop", &json!({"force": false}))
            .await
            .json()["stopping"],
        true
    );
    let gone = async {
        while tokio::net::TcpStream::connect(waha.address()).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(Duration::from_secs(30), gone).await.unwrap();
    waha.restart(RestartLoss::Everything).await;
    assert_eq!(get(&waha, "/api/server/version").await.status, 200);
}
