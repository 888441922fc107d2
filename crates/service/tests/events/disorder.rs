//! Whatever order events arrive in, and however often: the end is that of the ordered ones.

use std::time::Duration;

use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};
use serde_json::json;
use wahana_testkit::{
    database::{TestDatabase, run},
    on_both_databases,
};

use crate::world::{Event, Place, World, at};

const NUMBERS: [&str; 2] = ["15551230001@c.us", "15551230002@c.us"];
const STATUSES: [&str; 7] = [
    "STARTING",
    "SCAN_QR_CODE",
    "WORKING",
    "FAILED",
    "STOPPED",
    "PASSKEY_REQUIRED",
    "SOMETHING_NEW",
];
const CHATS: [&str; 3] = ["15550001111@c.us", "120363000000000001@g.us", "status@broadcast"];
/// Half an hour: three steps of a quarter.
const SPAN: i64 = 30 * 60 * 1000;

/// Something that happens, of which WAHA tells one event or several.
#[derive(Clone, Debug)]
enum Happening {
    Status {
        word: usize,
        number: Option<usize>,
    },
    Message {
        chat: usize,
        is_own: bool,
        has_media: bool,
        acks: Vec<i64>,
        is_told: bool,
    },
    Call,
    GroupChange,
    Noise,
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        4 => (0..STATUSES.len(), proptest::option::of(0..NUMBERS.len()))
            .prop_map(|(word, number)| Happening::Status { word, number }),
        4 => (
            0..CHATS.len(),
            any::<bool>(),
            any::<bool>(),
            proptest::collection::vec(-1_i64..=4, 0..4),
            proptest::bool::weighted(0.9),
        )
            .prop_map(|(chat, is_own, has_media, acks, is_told)| Happening::Message {
                chat, is_own, has_media, acks, is_told,
            }),
        1 => Just(Happening::Call),
        1 => Just(Happening::GroupChange),
        1 => Just(Happening::Noise),
    ]
}

/// The events of what happens, in order.
fn events(happenings: &[(i64, Happening)]) -> Vec<Event> {
    let mut events = Vec::new();
    let mut tell = |at: i64, kind: &'static str, me: Option<&'static str>, payload: serde_json::Value| {
        let id = format!("evt_{:05}", events.len());
        events.push(Event {
            me,
            ..Event::new(id, kind, at, payload)
        });
    };
    for (number, (when, happening)) in happenings.iter().enumerate() {
        match happening {
            Happening::Status { word, number } => {
                let me = number.map(|number| NUMBERS[number]);
                tell(*when, "session.status", me, json!({"status": STATUSES[*word]}));
            }
            Happening::Message {
                chat,
                is_own,
                has_media,
                acks,
                is_told,
            } => {
                let id = format!("{is_own}_{}_KEY{number}", CHATS[*chat]);
                let payload = json!({
                    "id": id, "timestamp": at(*when).as_seconds(), "from": CHATS[*chat], "fromMe": is_own,
                    "participant": "15550002222@c.us", "hasMedia": has_media, "body": "text",
                    "media": {"mimetype": "image/png"},
                });
                if *is_told {
                    if !is_own {
                        tell(*when, "message", None, payload.clone());
                    }
                    tell(*when, "message.any", None, payload);
                }
                for (step, ack) in (1..).zip(acks) {
                    let payload = json!({"id": id, "fromMe": is_own, "ack": ack});
                    tell(when + step, "message.ack", None, payload);
                }
            }
            Happening::Call => tell(*when, "call.received", None, json!({})),
            Happening::GroupChange => tell(*when, "group.v2.update", None, json!({})),
            Happening::Noise => tell(*when, "message", None, json!({"body": "nothing is known of it"})),
        }
    }
    events
}

/// What happens, and the order in which its events arrive: each once or twice, some of them together.
#[derive(Clone, Debug)]
struct Case {
    ordered: Vec<Event>,
    arriving: Vec<Event>,
    batches: Vec<usize>,
}

fn case(most: usize) -> impl Strategy<Value = Case> {
    // Few moments, so that some things are of the same one.
    let moment = prop_oneof![0..SPAN, (0_i64..20).prop_map(|step| step * 1000)];
    proptest::collection::vec((moment, happening()), 1..most)
        .prop_map(|happenings| events(&happenings))
        .prop_flat_map(|events| {
            let doubled = proptest::sample::subsequence(events.clone(), 0..=events.len());
            let all = doubled.prop_map({
                let events = events.clone();
                move |again| events.iter().cloned().chain(again).collect::<Vec<_>>()
            });
            let batches = proptest::collection::vec(1_usize..8, 1..6);
            (Just(events), all.prop_shuffle(), batches)
        })
        .prop_map(|(mut ordered, arriving, batches)| {
            ordered.sort_by_key(|event| event.at);
            Case {
                ordered,
                arriving,
                batches,
            }
        })
}

async fn arrive(world: &World<'_>, place: Place, case: &Case) {
    let mut rest = &case.arriving[..];
    for size in case.batches.iter().cycle() {
        if rest.is_empty() {
            return;
        }
        let (batch, later) = rest.split_at((*size).min(rest.len()));
        rest = later;
        world.tell(place, batch).await;
    }
}

async fn check(world: &World<'_>, case: &Case) -> Result<(), TestCaseError> {
    let (ordered, disordered) = (world.session().await, world.session().await);
    for event in &case.ordered {
        world.tell(ordered, std::slice::from_ref(event)).await;
    }
    arrive(world, disordered, case).await;
    prop_assert_eq!(world.state(ordered).await, world.state(disordered).await);
    Ok(())
}

fn every_order_ends_the_same(cases: u32, most: usize, database: impl Future<Output = TestDatabase>) {
    run(async {
        let db = database.await;
        let world = World::new(&db).await;
        world.later(Duration::from_hours(1));
        let runtime = tokio::runtime::Handle::current();
        tokio::task::block_in_place(|| {
            let mut runner = TestRunner::new(Config {
                cases,
                failure_persistence: None,
                max_shrink_iters: 200,
                ..Config::default()
            });
            let outcome = runner.run(&case(most), |case| runtime.block_on(check(&world, &case)));
            if let Err(error) = outcome {
                panic!("{error}");
            }
        });
    });
}

#[test]
fn every_order_of_events_ends_the_same_on_sqlite() {
    every_order_ends_the_same(24, 14, TestDatabase::sqlite());
}

#[test]
fn every_order_of_events_ends_the_same_on_postgres() {
    every_order_ends_the_same(6, 14, TestDatabase::postgres());
}

/// Health is unknown after both, for different reasons.
async fn two_of_the_same_moment_have_one_order(db: &TestDatabase) {
    let world = World::new(db).await;
    world.later(Duration::from_hours(1));
    let status = |word| Happening::Status { word, number: None };
    let ordered = events(&[(3000, status(6)), (3000, status(5)), (5000, status(1))]);
    let case = Case {
        arriving: ordered.iter().rev().cloned().collect(),
        ordered,
        batches: vec![1],
    };
    check(&world, &case).await.unwrap();
}

/// A storm: what happens on ten sessions arrives at once, late, doubled and in disorder, and two processes apply
/// it.
async fn ten_thousand_events_in_disorder_end_as_the_ordered_ones(db: &TestDatabase) {
    let world = World::new(db).await;
    world.later(Duration::from_hours(1));
    let another = world.another_process().await;
    let mut told = 0;
    for round in 0_i64..10 {
        // Numbers that look random and are the same in every run.
        let mut state: u64 = 0x9e37_79b9_7f4a_7c15 ^ round.unsigned_abs();
        let mut random = |below: usize| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            usize::try_from(state % u64::try_from(below).unwrap()).unwrap()
        };
        let mut happenings = Vec::new();
        for _ in 0..240 {
            let when = i64::try_from(random(usize::try_from(SPAN).unwrap())).unwrap();
            let happening = match random(10) {
                0 | 1 => Happening::Status {
                    word: random(STATUSES.len()),
                    number: [None, Some(0), Some(1)][random(3)],
                },
                2 => Happening::Call,
                3 => Happening::GroupChange,
                _ => Happening::Message {
                    chat: random(CHATS.len()),
                    is_own: random(2) == 0,
                    has_media: random(4) == 0,
                    acks: (0..random(4)).map(|_| [-1, 1, 2, 3][random(4)]).collect(),
                    is_told: random(10) != 0,
                },
            };
            happenings.push((when, happening));
        }
        let mut ordered = events(&happenings);
        let mut arriving = ordered.clone();
        arriving.extend(ordered.iter().filter(|_| random(2) == 0).cloned());
        for last in (1..arriving.len()).rev() {
            arriving.swap(last, random(last + 1));
        }
        ordered.sort_by_key(|event| event.at);

        let (one, other) = (world.session().await, world.session().await);
        world.deliver(one, &ordered).await;
        world.apply(one).await;
        for batch in arriving.chunks(100) {
            world.deliver(other, batch).await;
            let (own, tenant, session) = (another.clone(), other.tenant, other.session);
            let beside = tokio::spawn(async move {
                wahana_service::events::apply_session(&own, tenant, session)
                    .await
                    .unwrap()
            });
            world.apply(other).await;
            beside.await.unwrap();
        }
        told += arriving.len();
        assert_eq!(world.state(one).await, world.state(other).await, "{round}");
    }
    assert!(told >= 7_000, "{told}");
}

on_both_databases!(
    ten_thousand_events_in_disorder_end_as_the_ordered_ones,
    two_of_the_same_moment_have_one_order,
);
