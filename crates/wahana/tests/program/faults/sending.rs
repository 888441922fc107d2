//! A process that is killed while messages go out: each that was taken in reaches WAHA once, or is unknown and says
//! so, and none is sent twice.

use std::{collections::BTreeMap, time::Duration};

use waha_sim::{Fault, FaultKind, WahaSim};
use wahana_testkit::{database::TestDatabase, on_both_databases};

use super::{
    process::Process,
    world::{World, eventually},
};

on_both_databases!(
    where_a_process_is_killed_a_message_is_not_sent_twice_if_waha_can_be_asked,
    where_a_process_is_killed_a_message_is_not_sent_twice_if_waha_cannot_be_asked,
    where_a_process_is_killed_the_file_of_a_message_is_kept_and_not_sent_twice,
);

/// What a message is.
#[derive(Clone, Copy, Debug)]
enum What {
    Text,
    /// A picture, which was handed in with the request.
    File,
}

impl What {
    /// Where WAHA takes it.
    const fn path(self) -> &'static str {
        match self {
            Self::Text => "/api/sendText",
            Self::File => "/api/sendImage",
        }
    }
}

/// Where in the sending of a message the process is killed.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// It was taken in, and its time has not come.
    Queued,
    /// WAHA has the request and did nothing yet.
    Asked,
    /// WAHA sent it, and its answer is not written down.
    Sent,
}

/// A process gives up on WAHA after so long here, and its messages are accounted for some seconds later.
const SETTINGS: &str = "[waha]\nsend_seconds = 2\n";

async fn where_a_process_is_killed_a_message_is_not_sent_twice_if_waha_can_be_asked(database: &TestDatabase) {
    kills(
        database,
        "2026.7.1",
        What::Text,
        [&["accepted"], &["unknown", "failed"], &["accepted"]],
    )
    .await;
}

async fn where_a_process_is_killed_the_file_of_a_message_is_kept_and_not_sent_twice(database: &TestDatabase) {
    // Files have no key by which WAHA could be asked for them.
    let expected: [&[&str]; 3] = [&["accepted"], &["unknown"], &["unknown"]];
    kills(database, "2026.7.1", What::File, expected).await;
}

async fn where_a_process_is_killed_a_message_is_not_sent_twice_if_waha_cannot_be_asked(
    database: &TestDatabase,
) {
    let expected: [&[&str]; 3] = [&["accepted"], &["unknown"], &["unknown"]];
    kills(database, "2026.2.1", What::Text, expected).await;
}

/// Kills a process at each step; of each step's message becomes one of what is expected.
async fn kills(database: &TestDatabase, version: &str, what: What, expected: [&[&str]; 3]) {
    let world = World::with(database, WahaSim::builder().version(version), SETTINGS).await;
    let mut process = Process::start(&world, "all").await;
    world.working(&process, "one", "15550001111").await;
    let mut ids = Vec::new();
    for step in [Step::Queued, Step::Asked, Step::Sent] {
        world.sim.clear_faults();
        match step {
            Step::Queued => {}
            Step::Asked => world.sim.set_fault(on_sending(what, FaultKind::Hang)),
            Step::Sent => world.sim.set_fault(on_sending(what, FaultKind::HangAfter)),
        }
        let calls = || world.calls(&format!("POST {}", what.path()));
        let asked = calls();
        let ahead = Duration::from_secs(if matches!(step, Step::Queued) { 2 } else { 0 });
        let text = format!("{step:?}");
        ids.push(match what {
            What::Text => world.send_later(&process, "one", &text, ahead).await,
            What::File => world.send_file_later(&process, "one", &text, FILE, ahead).await,
        });
        match step {
            Step::Queued => {}
            Step::Asked => eventually(async || calls() > asked).await,
            Step::Sent => eventually(async || times_sent(&world).contains_key("Sent")).await,
        }
        process.kill();
        world.sim.clear_faults();
        process = Process::start(&world, "all").await;
        // Until the message before it is accounted for, the session's lane is taken.
        eventually(async || world.number(OPEN).await == 0).await;
    }
    // What WAHA can be asked for, it is asked for.
    for (id, expected) in ids.iter().zip(expected) {
        eventually(async || expected.contains(&world.message_status(id).await.as_str())).await;
    }
    let sent = times_sent(&world);
    assert_eq!(sent.get("Queued"), Some(&1), "{sent:?}");
    assert_eq!(sent.get("Asked"), None, "{sent:?}");
    assert_eq!(sent.get("Sent"), Some(&1), "{sent:?}");
    if matches!(what, What::File) {
        for sent in world.sim.sent_messages() {
            assert_eq!(sent.request["file"]["data"], FILE);
        }
    }
    let lanes = "SELECT CAST(count(*) AS TEXT) FROM messages WHERE lane IS NOT NULL";
    assert_eq!(world.number(lanes).await, 0);
}

const OPEN: &str = "SELECT CAST(count(*) AS TEXT) FROM messages WHERE status IN ('queued', 'sending')";

/// In base64.
const FILE: &str = "dGhlIGJ5dGVzIG9mIGEgcGljdHVyZQ==";

fn on_sending(what: What, kind: FaultKind) -> Fault {
    Fault::new(kind).on_path(what.path())
}

fn times_sent(world: &World<'_>) -> BTreeMap<String, usize> {
    let mut times = BTreeMap::new();
    for sent in world.sim.sent_messages() {
        *times.entry(sent.text.unwrap_or_default()).or_default() += 1;
    }
    times
}
