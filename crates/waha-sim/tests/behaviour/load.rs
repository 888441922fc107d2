//! Many simulators with many sessions in one process.

use waha_sim::{SessionSeed, WahaSim};

use super::{get, send};
use crate::support::client::KEY;

#[tokio::test]
async fn two_hundred_simulators_with_two_hundred_sessions_each_are_light() {
    let handle = tokio::runtime::Handle::current();
    let mut all = Vec::new();
    for number in 0..200 {
        let waha = WahaSim::builder()
            .api_key(KEY)
            .seed(number)
            .time_scale(0.02)
            .start()
            .await
            .unwrap();
        for session in 0..200 {
            waha.add_session(SessionSeed::new(&format!("s{session}")));
        }
        all.push(waha);
    }
    // One task per simulator takes its connections; an idle session has none.
    let tasks = handle.metrics().num_alive_tasks();
    assert!(tasks <= 200, "{tasks} tasks for 40000 idle sessions");
    for waha in all.iter().step_by(40) {
        assert_eq!(
            get(waha, "/api/sessions").await.json().as_array().unwrap().len(),
            200
        );
        assert_eq!(send(waha, "s199", "x").await.status, 201);
        assert_eq!(waha.sent_messages().len(), 1);
    }
    drop(all);
}

#[tokio::test]
async fn a_dropped_simulator_leaves_its_port() {
    let waha = WahaSim::builder().start().await.unwrap();
    let address = waha.address();
    waha.shutdown();
    waha.ended().await;
    drop(waha);
    let free = async {
        while tokio::net::TcpStream::connect(address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), free)
        .await
        .unwrap();
}
