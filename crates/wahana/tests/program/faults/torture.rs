//! Processes that are killed at random while messages of two organizations are handed in and go out, and each
//! organization's events are delivered to a receiver of its own. By default for some seconds; for as long as one wants
//! with `cargo xtask torture`.

#![expect(
    clippy::print_stdout,
    reason = "a run that takes long says how it can be repeated, and what came of it"
)]

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use waha_sim::WahaSim;
use wahana_domain::{Clock as _, SystemClock};
use wahana_testkit::{database::TestDatabase, on_both_databases};

use super::{
    process::Process,
    told::{self, Told, all_told, pass_time_of_the_dead},
    world::{World, eventually},
};

on_both_databases!(
    random_kills_lose_nothing_and_send_nothing_twice_where_waha_can_be_asked,
    random_kills_lose_nothing_and_send_nothing_twice_where_waha_cannot_be_asked,
);

/// For how many seconds processes are killed.
const SECONDS: &str = "WAHANA_TORTURE_SECONDS";
/// A process that is killed has the lanes of its sessions for some seconds more, so there are many sessions.
const SESSIONS: usize = 12;
/// Whose they are, in turn.
const ORGANIZATIONS: [&str; 2] = ["Shops", "Others"];
/// Which of them wants messages sent again that WAHA does not have.
const RESENDS: usize = 1;
/// How many requests are under way at a time.
const AT_ONCE: usize = 6;
/// When so many messages wait, no more are handed in: kills are to hit messages that are being sent.
const MOST_WAITING: usize = 500;
/// A process gives up on WAHA after so long here, and its messages are accounted for some seconds later.
const SETTINGS: &str = "[waha]\nsend_seconds = 2\n[limits]\nmessages_per_minute = 100000\n\
    messages_per_hour = 1000000\nrequests_per_minute = 1000000\n";
const OPEN: &str = "SELECT CAST(count(*) AS TEXT) FROM messages WHERE status IN ('queued', 'sending')";

async fn random_kills_lose_nothing_and_send_nothing_twice_where_waha_can_be_asked(database: &TestDatabase) {
    random_kills(database, "2026.7.1").await;
}

async fn random_kills_lose_nothing_and_send_nothing_twice_where_waha_cannot_be_asked(
    database: &TestDatabase,
) {
    random_kills(database, "2026.2.1").await;
}

/// A generator of numbers that need not be good, whose beginning is said so that a run can be repeated.
struct Chance(u64);

impl Chance {
    fn new() -> Self {
        let seed = SystemClock.now().as_micros().unsigned_abs() | 1;
        println!("the seed is {seed}");
        Self(seed)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

/// Texts by their numbers: what was handed in, and which messages wahana made of it.
struct HandedIn {
    /// What the organizations' owners say who they are with.
    bearers: [String; 2],
    next: usize,
    /// Sent and not answered, to be sent again with the same key.
    unanswered: Vec<usize>,
    messages: BTreeMap<usize, String>,
}

impl HandedIn {
    fn new(bearers: [String; 2]) -> Self {
        Self {
            bearers,
            next: 0,
            unanswered: Vec::new(),
            messages: BTreeMap::new(),
        }
    }
}

async fn random_kills(database: &TestDatabase, version: &str) {
    let seconds = std::env::var(SECONDS).map_or(8, |seconds| seconds.parse().unwrap());
    let sim = WahaSim::builder().version(version);
    let world = World::told_by_waha(database, sim, &format!("{SETTINGS}{}", told::SETTINGS)).await;
    let mut process = Process::start(&world, "all").await;
    let bearers = [world.bearer.clone(), world.organization(ORGANIZATIONS[1])];
    let told = [
        Told::new(&world, &process, ORGANIZATIONS[0], &bearers[0]).await,
        Told::new(&world, &process, ORGANIZATIONS[1], &bearers[1]).await,
    ];
    world.resend_lost_messages(&bearers[RESENDS], &process).await;
    for number in 0..SESSIONS {
        let phone = format!("1555000{number:04}");
        let bearer = &bearers[organization_of(number)];
        world.working_of(bearer, &process, &session(number), &phone).await;
    }
    let (mut chance, mut handed_in, mut kills) = (Chance::new(), HandedIn::new(bearers), 0);
    let end = Instant::now() + Duration::from_secs(seconds);
    while Instant::now() < end {
        let life = Duration::from_millis(50 + chance.below(1_500));
        if world.number(OPEN).await < MOST_WAITING {
            hand_in_for(&world, &process, &mut handed_in, life).await;
        } else {
            tokio::time::sleep(life).await;
        }
        process.kill();
        kills += 1;
        process = Process::start(&world, "all").await;
    }
    while !handed_in.unanswered.is_empty() {
        hand_in_for(&world, &process, &mut handed_in, Duration::ZERO).await;
    }
    eventually(async || world.number(OPEN).await == 0).await;
    // WAHA tells of every message that went out, so none of these stays unknown, nor has a row of its own.
    eventually(async || {
        let made = world.number("SELECT CAST(count(*) AS TEXT) FROM messages").await;
        assert!(made >= handed_in.messages.len());
        made == handed_in.messages.len() && unknown_although_sent(&world).await == 0
    })
    .await;

    let mut times: BTreeMap<String, usize> = BTreeMap::new();
    for sent in world.sim.sent_messages() {
        *times.entry(sent.text.unwrap_or_default()).or_default() += 1;
    }
    let mut ends: BTreeMap<String, usize> = BTreeMap::new();
    let id = if database.is_postgres() {
        "replace(CAST(id AS TEXT), '-', '')"
    } else {
        "lower(hex(id))"
    };
    let rows = world
        .texts(&format!("SELECT {id} || ' ' || status FROM messages"))
        .await;
    let statuses: BTreeMap<&str, &str> = rows.iter().filter_map(|row| row.split_once(' ')).collect();
    for (number, id) in &handed_in.messages {
        let status = statuses[id.replace('-', "").as_str()];
        let sent = times.get(&text(*number)).copied().unwrap_or(0);
        let is_true = match status {
            "accepted" | "sent" | "delivered" | "read" => sent == 1,
            "unknown" => sent == 0,
            // WAHA does not have it, and the organization does not want it sent again, or does.
            "failed" => sent == 0 && organization_of(number % SESSIONS) != RESENDS,
            "queued" | "sending" => organization_of(number % SESSIONS) == RESENDS,
            _ => false,
        };
        assert!(is_true, "message {number} is {status} and was sent {sent} times");
        *ends.entry(status.to_owned()).or_default() += 1;
    }
    let made = handed_in.messages.len();

    // A killed process has for two minutes what it tried to deliver.
    process.kill();
    pass_time_of_the_dead(&world).await;
    let _process = Process::start(&world, "all").await;
    all_told(&world).await;
    let (mut events, mut deliveries) = (0, 0);
    for told in &told {
        told.assert_told_all(&world).await;
        events += told.deliveries().len();
        deliveries += told.receiver.requests().len();
    }
    println!("{kills} kills, {made} messages: {ends:?}; {events} events, {deliveries} deliveries");
}

/// How many messages are unknown although WAHA sent them.
async fn unknown_although_sent(world: &World<'_>) -> usize {
    let sent: BTreeSet<String> = world
        .sim
        .sent_messages()
        .into_iter()
        .filter_map(|sent| sent.text)
        .collect();
    let unknown = "SELECT c.text FROM messages m JOIN message_contents c ON c.message_id = m.id
                   WHERE m.status = 'unknown'";
    let unknown = world.texts(unknown).await;
    unknown.iter().filter(|text| sent.contains(*text)).count()
}

/// Hands texts in until the process has lived so long; at least what was not answered before.
async fn hand_in_for(world: &World<'_>, process: &Process, handed_in: &mut HandedIn, life: Duration) {
    let end = Instant::now() + life;
    loop {
        let mut batch = std::mem::take(&mut handed_in.unanswered);
        while batch.len() < AT_ONCE && !life.is_zero() {
            batch.push(handed_in.next);
            handed_in.next += 1;
        }
        let answers = join_all(batch.iter().map(|number| {
            let session = number % SESSIONS;
            let bearer = &handed_in.bearers[organization_of(session)];
            async move {
                let name = self::session(session);
                world.hand_in(bearer, process, &name, &text(*number)).await
            }
        }));
        let left = end
            .saturating_duration_since(Instant::now())
            .max(Duration::from_millis(500));
        let answers = tokio::time::timeout(left, answers).await;
        for (index, number) in batch.iter().enumerate() {
            match answers.as_ref().ok().and_then(|answers| answers[index].clone()) {
                Some(id) => drop(handed_in.messages.insert(*number, id)),
                None => handed_in.unanswered.push(*number),
            }
        }
        if Instant::now() >= end {
            return;
        }
    }
}

/// Which of the organizations has the session of this number.
const fn organization_of(session: usize) -> usize {
    session % ORGANIZATIONS.len()
}

/// What the session of this number is called.
fn session(number: usize) -> String {
    let organization = ORGANIZATIONS[organization_of(number)].to_lowercase();
    format!("{organization}-{number}")
}

fn text(number: usize) -> String {
    format!("message {number}")
}
