//! A process that is killed while events are delivered: every event reaches its organization's receiver, with the
//! same id if it comes again, and nobody else's.

use std::time::Duration;

use waha_sim::WahaSim;
use wahana_testkit::{database::TestDatabase, on_both_databases, receiver::Answer};

use super::{
    process::Process,
    told::{self, Told, all_told, pass_time_of_the_dead},
    world::{World, eventually},
};

on_both_databases!(
    where_a_process_is_killed_every_event_reaches_its_own_receiver,
    when_one_of_two_processes_is_killed_the_other_delivers_everything,
);

/// How many sessions are made in each organization, of which events tell.
const SESSIONS: usize = 12;
/// How long receivers take to answer, so that much is under way when a process is killed.
const SLOWLY: Duration = Duration::from_secs(1);

/// Where in a delivery the process is killed.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// The event became a delivery, which nobody has taken.
    FannedOut,
    /// A process has it, and the receiver has heard nothing.
    Claimed,
    /// The receiver has it and did not answer.
    Asked,
    /// The receiver took it, and that is not written down.
    Answered,
    /// That is written down.
    Concluded,
}

impl Step {
    const ALL: [Self; 5] = [
        Self::FannedOut,
        Self::Claimed,
        Self::Asked,
        Self::Answered,
        Self::Concluded,
    ];

    /// What the database must not do, so that a process comes to this step and no further.
    const fn refused(self) -> Option<&'static str> {
        match self {
            Self::FannedOut => Some("UPDATE ON webhook_deliveries"),
            Self::Answered => Some("INSERT ON webhook_attempts"),
            Self::Claimed | Self::Asked | Self::Concluded => None,
        }
    }

    /// Whether receivers hear of the same event again.
    const fn repeats(self) -> bool {
        matches!(self, Self::Asked | Self::Answered)
    }

    async fn hold(self, world: &World<'_>, told: &[Told; 2]) {
        if let Some(refused) = self.refused() {
            world.hold(refused, "").await;
        }
        for Told { receiver, .. } in told {
            match self {
                Self::Claimed => receiver.freeze().await.unwrap(),
                Self::Asked => receiver.answer_otherwise(Answer::hang()),
                Self::FannedOut | Self::Answered | Self::Concluded => {}
            }
        }
    }

    async fn let_go(self, world: &World<'_>, told: &[Told; 2]) {
        if let Some(refused) = self.refused() {
            world.let_go(refused).await;
        }
        for Told { receiver, .. } in told {
            receiver.answer_otherwise(Answer::status(200));
            receiver.resume().unwrap();
        }
    }

    /// Waits until deliveries to both receivers are there, which had so many requests before.
    async fn is_reached(self, world: &World<'_>, process: &Process, told: &[Told; 2], before: [usize; 2]) {
        let waiting = |also: &str| {
            format!(
                "SELECT CAST(count(DISTINCT endpoint_id) AS TEXT) FROM webhook_deliveries
                 WHERE state = 'waiting'{also}"
            )
        };
        let has_more = || (0..2).all(|number| told[number].receiver.requests().len() > before[number]);
        match self {
            Self::FannedOut => eventually(async || world.number(&waiting("")).await == 2).await,
            Self::Claimed => {
                eventually(async || world.number(&waiting(" AND lease_epoch > 0")).await == 2).await;
            }
            Self::Asked => eventually(async || has_more()).await,
            Self::Answered => {
                let refusal = "what came of deliveries could not be written down";
                eventually(async || has_more() && process.said(refusal)).await;
            }
            Self::Concluded => {
                eventually(async || has_more()).await;
                all_told(world).await;
            }
        }
    }
}

async fn where_a_process_is_killed_every_event_reaches_its_own_receiver(database: &TestDatabase) {
    let world = World::with(database, WahaSim::builder(), told::SETTINGS).await;
    let mut process = Process::start(&world, "all").await;
    let bearers = [world.bearer.clone(), world.organization("Others")];
    let told = [
        Told::new(&world, &process, "Shops", &bearers[0]).await,
        Told::new(&world, &process, "Others", &bearers[1]).await,
    ];
    for step in Step::ALL {
        let before = [&told[0], &told[1]].map(|told| told.receiver.requests().len());
        let known = [&told[0], &told[1]].map(repeated);
        step.hold(&world, &told).await;
        for (bearer, organization) in bearers.iter().zip(["shops", "others"]) {
            let session = format!("{organization}-{step:?}").to_lowercase();
            world.session_of(bearer, &process, &session, false).await;
        }
        step.is_reached(&world, &process, &told, before).await;
        process.kill();
        step.let_go(&world, &told).await;
        pass_time_of_the_dead(&world).await;
        process = Process::start(&world, "all").await;
        all_told(&world).await;
        for (told, known) in told.iter().zip(known) {
            told.assert_told_all(&world).await;
            assert_eq!(repeated(told) > known, step.repeats(), "{step:?}");
        }
    }
}

async fn when_one_of_two_processes_is_killed_the_other_delivers_everything(database: &TestDatabase) {
    let world = World::with(database, WahaSim::builder(), told::SETTINGS).await;
    let (mut killed, stays) = (
        Process::start(&world, "all").await,
        Process::start(&world, "all").await,
    );
    let bearers = [world.bearer.clone(), world.organization("Others")];
    let told = [
        Told::new(&world, &killed, "Shops", &bearers[0]).await,
        Told::new(&world, &stays, "Others", &bearers[1]).await,
    ];
    for Told { receiver, .. } in &told {
        receiver.answer_otherwise(Answer::status(200).after(SLOWLY));
    }
    for number in 0..SESSIONS {
        let process = [&killed, &stays][number % 2];
        for (bearer, organization) in bearers.iter().zip(["shops", "others"]) {
            let session = format!("{organization}-{number}");
            world.session_of(bearer, process, &session, false).await;
        }
    }
    eventually(async || told.iter().all(|told| !told.receiver.requests().is_empty())).await;
    killed.kill();
    // What the other one has is tried once more as well, and the first end of it counts for nothing.
    pass_time_of_the_dead(&world).await;
    all_told(&world).await;
    for told in &told {
        told.assert_told_all(&world).await;
    }
}

/// How many events came more than once.
fn repeated(told: &Told) -> usize {
    let deliveries = told.deliveries();
    deliveries.values().filter(|requests| requests.len() > 1).count()
}
