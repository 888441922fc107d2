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
    where_a_process_is_killed_whoever_waits_and_asks_again_does_not_send_twice,
    where_a_process_is_killed_the_file_of_whoever_waits_is_kept_and_not_sent_twice,
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

/// Who waits for it.
#[derive(Clone, Copy, Debug)]
enum How {
    /// Nobody: it is sent when its turn comes.
    Later,
    /// Who handed it in, and asks again with the same key when there is no answer.
    Waiting,
}

/// Where in the sending of a message the process is killed.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// It was taken in, and its time has not come.
    Queued,
    /// Its turn has come, and it could not be written down that WAHA is asked.
    Due,
    /// WAHA has the request and did nothing yet.
    Asked,
    /// WAHA sent it, and did not answer.
    Sent,
    /// WAHA answered that it sent it, and that could not be written down.
    Answered,
    /// A proxy was there and no WAHA, and it could not be written down that the message waits again.
    NotTaken,
}

/// What the database refuses at a step, so that a process comes to it and no further.
const CHANGES: &str = "UPDATE ON messages";

impl Step {
    const fn refused(self) -> Option<&'static str> {
        match self {
            Self::Due => Some("NEW.status = 'sending'"),
            Self::Answered => Some("OLD.status = 'sending' AND NEW.status = 'accepted'"),
            Self::NotTaken => Some("OLD.status = 'sending' AND NEW.status = 'queued'"),
            Self::Queued | Self::Asked | Self::Sent => None,
        }
    }

    async fn hold(self, world: &World<'_>, what: What) {
        match self {
            Self::Asked => world.sim.set_fault(on_sending(what, FaultKind::Hang)),
            Self::Sent => world.sim.set_fault(on_sending(what, FaultKind::HangAfter)),
            Self::NotTaken => world.sim.set_fault(on_sending(what, FaultKind::Html(404))),
            Self::Queued | Self::Due | Self::Answered => {}
        }
        if let Some(refused) = self.refused() {
            world.hold(CHANGES, refused).await;
        }
    }

    async fn let_go(self, world: &World<'_>) {
        world.sim.clear_faults();
        if self.refused().is_some() {
            world.let_go(CHANGES).await;
        }
    }

    /// Waits until the process is there, which had asked WAHA so often before.
    async fn is_reached(self, world: &World<'_>, process: &Process, what: What, asked: u64) {
        let was_sent = || times_sent(world).contains_key(&self.text());
        match self {
            Self::Queued => {}
            Self::Due => {
                let refusal = "messages of a session could not be sent yet";
                eventually(async || process.said(refusal)).await;
            }
            Self::Asked => eventually(async || calls(world, what) > asked).await,
            Self::Sent => eventually(async || was_sent()).await,
            Self::Answered => {
                eventually(async || was_sent() && process.said(NOT_WRITTEN)).await;
            }
            Self::NotTaken => eventually(async || process.said(NOT_WRITTEN)).await,
        }
    }

    fn text(self) -> String {
        format!("{self:?}")
    }

    /// How often WAHA sent the message in the end.
    const fn times(self) -> Option<usize> {
        match self {
            Self::Queued | Self::Due | Self::Sent | Self::Answered => Some(1),
            Self::Asked | Self::NotTaken => None,
        }
    }
}

const NOT_WRITTEN: &str = "the outcome of a message could not be written down";

/// A process gives up on WAHA after so long here.
const SETTINGS: &str = "[waha]\nsend_seconds = 2\n";

const ACCEPTED: &[&str] = &["accepted"];
/// WAHA says that it does not have it, and that is believed after some minutes.
const NOT_THERE: &[&str] = &["unknown", "failed"];
const UNKNOWN: &[&str] = &["unknown"];

async fn where_a_process_is_killed_a_message_is_not_sent_twice_if_waha_can_be_asked(database: &TestDatabase) {
    let steps = [
        (Step::Queued, ACCEPTED),
        (Step::Due, ACCEPTED),
        (Step::Asked, NOT_THERE),
        (Step::Sent, ACCEPTED),
        (Step::Answered, ACCEPTED),
        (Step::NotTaken, NOT_THERE),
    ];
    kills(database, "2026.7.1", What::Text, How::Later, &steps).await;
}

async fn where_a_process_is_killed_the_file_of_a_message_is_kept_and_not_sent_twice(database: &TestDatabase) {
    // Files have no key by which WAHA could be asked for them.
    let steps = [
        (Step::Queued, ACCEPTED),
        (Step::Due, ACCEPTED),
        (Step::Asked, UNKNOWN),
        (Step::Sent, UNKNOWN),
        (Step::Answered, UNKNOWN),
        (Step::NotTaken, UNKNOWN),
    ];
    kills(database, "2026.7.1", What::File, How::Later, &steps).await;
}

async fn where_a_process_is_killed_a_message_is_not_sent_twice_if_waha_cannot_be_asked(
    database: &TestDatabase,
) {
    let steps = [
        (Step::Queued, ACCEPTED),
        (Step::Due, ACCEPTED),
        (Step::Asked, UNKNOWN),
        (Step::Sent, UNKNOWN),
        (Step::Answered, UNKNOWN),
        (Step::NotTaken, UNKNOWN),
    ];
    kills(database, "2026.2.1", What::Text, How::Later, &steps).await;
}

async fn where_a_process_is_killed_whoever_waits_and_asks_again_does_not_send_twice(database: &TestDatabase) {
    let steps = [
        (Step::Asked, UNKNOWN),
        (Step::Sent, UNKNOWN),
        (Step::Answered, UNKNOWN),
    ];
    kills(database, "2026.2.1", What::Text, How::Waiting, &steps).await;
}

/// Kills a process at each step; of each step's message becomes one of what is expected.
async fn kills(database: &TestDatabase, version: &str, what: What, how: How, steps: &[(Step, &[&str])]) {
    let world = World::with(database, WahaSim::builder().version(version), SETTINGS).await;
    let mut process = Process::start(&world, "all").await;
    world.working(&process, "one", "15550001111").await;
    for (step, _) in steps {
        let asked = calls(&world, what);
        let text = step.text();
        step.hold(&world, what).await;
        let waiting = match how {
            How::Later => {
                let ahead = Duration::from_secs(if matches!(step, Step::Queued) { 2 } else { 0 });
                match what {
                    What::Text => world.send_later(&process, "one", &text, ahead).await,
                    What::File => world.send_file_later(&process, "one", &text, FILE, ahead).await,
                };
                None
            }
            How::Waiting => Some(tokio::spawn(world.sending(&process, "one", &text))),
        };
        step.is_reached(&world, &process, what, asked).await;
        process.kill();
        step.let_go(&world).await;
        // What a process that died had begun is accounted for when its time is over.
        world.database.execute_unguarded(TIME_IS_OVER).await;
        process = Process::start(&world, "all").await;
        eventually(async || world.number(OPEN).await == 0).await;
        if let Some(waiting) = waiting {
            // Of one that WAHA took, who waited is told also when it could not be written down.
            let answered = waiting.await.unwrap().map(|(status, _)| status);
            assert_eq!(
                answered,
                matches!(step, Step::Answered).then_some(200),
                "{step:?}"
            );
            let (status, body) = world.sending(&process, "one", &text).await.unwrap();
            assert_eq!(status, 504, "{body}");
            assert_eq!(body["data"]["status"], "unknown", "{body}");
        }
    }
    // What WAHA can be asked for, it is asked for.
    for (step, expected) in steps {
        let status = format!(
            "SELECT m.status FROM messages m JOIN message_contents c ON c.message_id = m.id WHERE c.text = '{}'",
            step.text()
        );
        eventually(async || {
            let statuses = world.texts(&status).await;
            assert_eq!(statuses.len(), 1, "{step:?}");
            expected.contains(&statuses[0].as_str())
        })
        .await;
    }
    let sent = times_sent(&world);
    for (step, _) in steps {
        assert_eq!(
            sent.get(&step.text()).copied(),
            step.times(),
            "{step:?} of {sent:?}"
        );
    }
    if matches!(what, What::File) {
        for sent in world.sim.sent_messages() {
            assert_eq!(sent.request["file"]["data"], FILE);
        }
    }
    let lanes = "SELECT CAST(count(*) AS TEXT) FROM messages WHERE lane IS NOT NULL";
    assert_eq!(world.number(lanes).await, 0);
}

const TIME_IS_OVER: &str = "UPDATE messages SET lease_expires_at = 0 WHERE lane IS NOT NULL";

/// How often WAHA was asked to send such a thing.
fn calls(world: &World<'_>, what: What) -> u64 {
    world.calls(&format!("POST {}", what.path()))
}

async fn where_a_process_is_killed_the_file_of_whoever_waits_is_kept_and_not_sent_twice(
    database: &TestDatabase,
) {
    let world = World::with(database, WahaSim::builder(), SETTINGS).await;
    let mut process = Process::start(&world, "all").await;
    world.working(&process, "one", "15550001111").await;
    for (step, fault) in [(Step::Asked, FaultKind::Hang), (Step::Sent, FaultKind::HangAfter)] {
        world.sim.set_fault(on_sending(What::File, fault));
        let asked = calls(&world, What::File);
        world.send_file_now(&process, "one", &format!("{step:?}"), FILE);
        match step {
            Step::Sent => eventually(async || times_sent(&world).contains_key("Sent")).await,
            _ => eventually(async || calls(&world, What::File) > asked).await,
        }
        process.kill();
        world.sim.clear_faults();
        world.database.execute_unguarded(TIME_IS_OVER).await;
        process = Process::start(&world, "all").await;
        eventually(async || world.number(OPEN).await == 0).await;
    }
    let sent = times_sent(&world);
    assert_eq!(
        (sent.get("Asked"), sent.get("Sent")),
        (None, Some(&1)),
        "{sent:?}"
    );
    assert_eq!(world.sim.sent_messages()[0].request["file"]["data"], FILE);
    let unknown = "SELECT CAST(count(*) AS TEXT) FROM messages WHERE status = 'unknown'";
    assert_eq!(world.number(unknown).await, 2);
    let files = "SELECT CAST(count(*) AS TEXT) FROM media_files f JOIN messages m ON m.id = f.message_id \
                 WHERE f.state = 'stored' AND f.size = 22";
    assert_eq!(world.number(files).await, 2);
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
