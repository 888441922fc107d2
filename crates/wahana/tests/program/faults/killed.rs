//! A process that is killed while events come in: whatever it answered with 200 is applied, each once.

use std::{
    collections::BTreeSet,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use futures_util::future::join_all;
use reqwest::StatusCode;
use serde_json::{Value, json};
use wahana_domain::{Clock, SystemClock};
use wahana_testkit::{database::TestDatabase, on_both_databases};

use super::{
    process::Process,
    world::{World, eventually},
};

on_both_databases!(what_was_answered_before_a_kill_is_applied_once);

/// How many messages each session gets.
const MESSAGES: usize = 240;
/// After how many new answers the process is killed, one life after the other.
const KILLED_AFTER: [usize; 5] = [1, 20, 60, 90, 130];
/// How many events are under way at a time.
const AT_ONCE: usize = 8;
const WAITING: &str = "SELECT CAST(count(*) AS TEXT) FROM waha_events WHERE state = 'waiting'";

async fn what_was_answered_before_a_kill_is_applied_once(database: &TestDatabase) {
    let world = World::new(database).await;
    let mut process = Process::start(&world, "api").await;
    let sessions = [
        ("one", world.session(&process, "one", false).await, "FAILED"),
        ("two", world.session(&process, "two", false).await, "WORKING"),
    ];
    let events = Stream::of(&sessions).await;

    // Nothing can be applied in the first life, so that everything it answered waits when it is killed.
    database.execute_unguarded(hold(database)).await;
    events.deliver_until(&world, &mut process, 50).await;
    assert!(world.number(WAITING).await >= 50);
    database.execute_unguarded(let_go(database)).await;

    // The others are killed wherever they are.
    for answers in KILLED_AFTER {
        process = Process::start(&world, "api").await;
        events.deliver_until(&world, &mut process, answers).await;
    }

    // The last one applies what they left, also without hearing of it again.
    process = Process::start(&world, "api").await;
    eventually(async || world.number(WAITING).await == 0).await;
    let applied = world
        .texts("SELECT event_id FROM waha_events WHERE state = 'applied'")
        .await;
    let applied: BTreeSet<String> = applied.into_iter().collect();
    let lost: Vec<String> = events.answered().difference(&applied).cloned().collect();
    assert!(lost.is_empty(), "{lost:?}");

    // WAHA sends again what was not answered, and also what was if the answer was lost.
    events.deliver_all_again(&world, &process).await;
    eventually(async || world.number(WAITING).await == 0).await;
    let (sent, received) = (MESSAGES / 4, MESSAGES - MESSAGES / 4);
    let expected: Vec<String> = sessions
        .iter()
        .map(|(name, _, status)| format!("{name} {status} {sent} {received} {MESSAGES} {sent} {received}"))
        .collect();
    let found = world
        .texts(
            "SELECT session_name || ' ' || waha_status || ' ' || messages_sent || ' ' || messages_received || ' ' ||
                (SELECT count(*) FROM messages m WHERE m.session_id = s.id) || ' ' ||
                (SELECT CAST(sum(a.messages_sent) AS BIGINT) FROM session_activity a WHERE a.session_id = s.id)
                || ' ' ||
                (SELECT CAST(sum(a.messages_received) AS BIGINT) FROM session_activity a WHERE a.session_id = s.id)
             FROM sessions s ORDER BY session_name",
        )
        .await;
    assert_eq!(found, expected);
    let ignored = "SELECT CAST(count(*) AS TEXT) FROM waha_events WHERE state = 'ignored'";
    assert_eq!(world.number(ignored).await, 0);
    let statuses = world
        .texts("SELECT status FROM sessions ORDER BY session_name")
        .await;
    assert_eq!(statuses, ["error", "working"]);
}

/// Lets the database refuse that an event is applied, but not that it is taken in.
fn hold(database: &TestDatabase) -> &'static str {
    if database.is_postgres() {
        "CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN RAISE EXCEPTION 'not now'; END $$;
         CREATE TRIGGER hold BEFORE UPDATE ON waha_events FOR EACH ROW EXECUTE FUNCTION hold()"
    } else {
        "CREATE TRIGGER hold BEFORE UPDATE ON waha_events BEGIN SELECT RAISE(ABORT, 'not now'); END"
    }
}

fn let_go(database: &TestDatabase) -> &'static str {
    if database.is_postgres() {
        "DROP TRIGGER hold ON waha_events; DROP FUNCTION hold()"
    } else {
        "DROP TRIGGER hold"
    }
}

/// What WAHA has to tell, and what of it was answered.
struct Stream {
    events: Vec<Value>,
    progress: Mutex<Progress>,
}

#[derive(Default)]
struct Progress {
    /// The next one that was never sent.
    next: usize,
    /// What was sent and not answered, to be sent again.
    unanswered: Vec<usize>,
    answered: BTreeSet<usize>,
}

impl Stream {
    /// For each session messages, every fourth its own, between changes of its status of which the last counts.
    async fn of(sessions: &[(&str, String, &str)]) -> Self {
        let begin = SystemClock.now().as_micros() / 1000;
        let mut events = Vec::new();
        for number in 0..MESSAGES {
            for (name, waha_name, last_status) in sessions {
                let mut tell = |kind: &str, payload: Value| {
                    let at = begin + i64::try_from(events.len()).unwrap();
                    events.push(json!({
                        "id": format!("evt_{:05}", events.len()), "timestamp": at, "event": kind,
                        "session": waha_name, "me": null, "payload": payload, "engine": "NOWEB",
                        "environment": {"version": "2026.2.1"},
                    }));
                };
                let is_own = number % 4 == 0;
                let chat = "15550001111@c.us";
                tell(
                    "message.any",
                    json!({
                        "id": format!("{is_own}_{chat}_KEY{name}{number}"), "timestamp": begin / 1000,
                        "from": chat, "to": chat, "fromMe": is_own, "hasMedia": false, "body": "text",
                    }),
                );
                if number % 24 == 23 {
                    let is_last = number == MESSAGES - 1;
                    let status = if is_last { last_status } else { "STARTING" };
                    tell("session.status", json!({"name": waha_name, "status": status}));
                }
            }
        }
        let last = begin + i64::try_from(events.len()).unwrap();
        // Nothing is told before it happened.
        eventually(async || SystemClock.now().as_micros() / 1000 > last).await;
        Self {
            events,
            progress: Mutex::default(),
        }
    }

    /// The ids of what was answered.
    fn answered(&self) -> BTreeSet<String> {
        let progress = self.progress.lock().unwrap();
        progress.answered.iter().map(|number| self.id(*number)).collect()
    }

    fn id(&self, number: usize) -> String {
        self.events[number]["id"].as_str().unwrap().to_owned()
    }

    /// Sends what comes next, and kills the process as soon as it has answered so many more with 200: others are
    /// under way then.
    async fn deliver_until(&self, world: &World<'_>, process: &mut Process, answers: usize) {
        let goal = self.progress.lock().unwrap().answered.len() + answers;
        let (address, process) = (process.address.clone(), Mutex::new(process));
        let is_over = AtomicBool::new(false);
        join_all((0..AT_ONCE).map(async |_| {
            while !is_over.load(Ordering::SeqCst) {
                let number = self.progress.lock().unwrap().take();
                let status = world.deliver(&address, &self.events[number]).await;
                let mut progress = self.progress.lock().unwrap();
                if status.is_ok_and(|status| status == StatusCode::OK) {
                    progress.answered.insert(number);
                } else {
                    progress.unanswered.push(number);
                }
                if progress.answered.len() >= goal && !is_over.swap(true, Ordering::SeqCst) {
                    process.lock().unwrap().kill();
                }
            }
        }))
        .await;
    }

    /// Sends everything, and everything is answered.
    async fn deliver_all_again(&self, world: &World<'_>, process: &Process) {
        for events in self.events.chunks(AT_ONCE) {
            let deliveries = events.iter().map(|event| world.deliver(&process.address, event));
            for status in join_all(deliveries).await {
                assert_eq!(status.unwrap(), StatusCode::OK);
            }
        }
    }
}

impl Progress {
    fn take(&mut self) -> usize {
        self.unanswered.pop().unwrap_or_else(|| {
            self.next += 1;
            self.next - 1
        })
    }
}
