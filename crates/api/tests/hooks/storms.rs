//! Ten thousand events at once, doubled and in disorder, through the hook and while they are applied: the end is
//! that of the ordered ones.

use std::{collections::BTreeMap, time::Duration};

use futures_util::{StreamExt, stream};
use reqwest::StatusCode;
use serde_json::{Value, json};
use wahana_domain::{Clock, Timestamp};
use wahana_service::events::apply_session;
use wahana_store::events::NewEvent;
use wahana_testkit::{database::TestDatabase, on_both_databases};

use crate::{
    living::Living,
    world::{Made, World, eventually},
};

on_both_databases!(a_storm_ends_as_the_ordered_events_do);

const AT_ONCE: usize = 200;
const SESSIONS: [&str; 5] = ["one", "two", "three", "four", "five"];
/// Within what time everything happens, in milliseconds.
const SPAN: usize = 25 * 60 * 1000;
const CHATS: [&str; 3] = ["15550001111@c.us", "120363000000000001@g.us", "15550002222@c.us"];
const STATUSES: [&str; 5] = ["STARTING", "SCAN_QR_CODE", "WORKING", "FAILED", "STOPPED"];

/// What a session's twin hears, too.
struct Happening {
    kind: &'static str,
    at: i64,
    payload: Value,
}

/// Numbers that look random and are the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(bound).unwrap()).unwrap()
    }
}

fn happenings(dice: &mut Dice, count: usize) -> Vec<Happening> {
    let mut happenings = Vec::new();
    while happenings.len() < count {
        let at = i64::try_from(dice.below(SPAN)).unwrap();
        let mut tell = |kind, at, payload| happenings.push(Happening { kind, at, payload });
        match dice.below(8) {
            0 => tell(
                "session.status",
                at,
                json!({"status": STATUSES[dice.below(STATUSES.len())]}),
            ),
            1 => tell("call.received", at, json!({})),
            2 => tell("group.v2.update", at, json!({})),
            _ => {
                let (is_own, chat) = (dice.below(2) == 0, CHATS[dice.below(CHATS.len())]);
                let id = format!("{is_own}_{chat}_KEY{}", dice.below(usize::MAX));
                let message = json!({
                    "id": id, "from": chat, "to": chat, "fromMe": is_own, "participant": CHATS[2], "body": "text",
                    "hasMedia": dice.below(4) == 0, "media": {"mimetype": "image/png"},
                });
                tell("message.any", at, message);
                for step in 0..i64::try_from(dice.below(3)).unwrap() {
                    let ack = [-1, 1, 2, 3][dice.below(4)];
                    tell(
                        "message.ack",
                        at + step + 1,
                        json!({"id": id, "fromMe": is_own, "ack": ack}),
                    );
                }
            }
        }
    }
    happenings
}

async fn a_storm_ends_as_the_ordered_events_do(database: &TestDatabase) {
    // Half of them are sent twice, so that ten thousand arrive. On PostgreSQL each transaction costs so many round trips
    // of a program without optimizations that so many would take a minute; what differs between the databases shows
    // with fewer.
    let events = if database.is_postgres() { 1_400 } else { 6_700 };
    let world = World::new(database).await;
    let (calm, stormy) = (world.owner("calm").await, world.owner("stormy").await);
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let (mut twins, mut deliveries) = (Vec::new(), Vec::new());
    let mut told = Vec::new();
    for name in SESSIONS {
        twins.push((
            world.session(&calm, name).await,
            world.session(&stormy, name).await,
        ));
        told.push(happenings(&mut dice, events / SESSIONS.len()));
    }
    let begin = world.clock.now();
    world.clock.advance(Duration::from_mins(30));

    for ((calm, stormy), happenings) in twins.iter().zip(&mut told) {
        for (number, happening) in happenings.iter().enumerate() {
            let event = event(&world, begin, stormy, number, happening).to_string();
            let hook = world.hook(number.is_multiple_of(2).then_some(stormy.id));
            let delivery = world.delivery(hook, event);
            deliveries.extend((0..=usize::from(number.is_multiple_of(2))).map(|_| delivery.clone()));
        }
        let mut ordered: Vec<_> = happenings.iter().enumerate().collect();
        ordered.sort_by_key(|(_, happening)| happening.at);
        tell_in_order(&world, begin, calm, &ordered).await;
    }
    assert!(deliveries.len() >= events * 3 / 2);
    for last in (1..deliveries.len()).rev() {
        deliveries.swap(last, dice.below(last + 1));
    }

    // Two processes apply while they arrive.
    let other = database.store(world.clock.clone()).await;
    let applying = Living::applying(&world, other);
    let refused: Vec<StatusCode> = stream::iter(&deliveries)
        .map(|delivery| world.deliver(delivery))
        .buffer_unordered(AT_ONCE)
        .filter(|status| std::future::ready(*status != StatusCode::OK))
        .collect()
        .await;
    assert_eq!(refused, Vec::<StatusCode>::new());
    let waiting = "SELECT event_id FROM waha_events WHERE state = 'waiting' LIMIT 1";
    eventually(async || world.texts(waiting).await.is_empty()).await;
    drop(applying);
    let (ordered, disordered) = (
        state(&world, &calm.tenant, begin).await,
        state(&world, &stormy.tenant, begin).await,
    );
    assert!(ordered.len() > events / 4, "{}", ordered.len());
    assert_eq!(disordered, ordered);
}

fn event(world: &World<'_>, begin: Timestamp, session: &Made, number: usize, happening: &Happening) -> Value {
    let id = format!("evt_{}_{number}", session.id);
    let mut event = world.event(&id, session);
    event["timestamp"] = json!(begin.as_micros() / 1000 + happening.at);
    event["event"] = json!(happening.kind);
    event["payload"] = happening.payload.clone();
    event
}

/// Stores events in order and applies them, without the hook.
async fn tell_in_order(world: &World<'_>, begin: Timestamp, session: &Made, ordered: &[(usize, &Happening)]) {
    for batch in ordered.chunks(200) {
        let new: Vec<NewEvent> = batch
            .iter()
            .map(|(number, happening)| {
                let event = event(world, begin, session, *number, happening);
                NewEvent {
                    tenant: session.tenant,
                    session: session.id,
                    server: world.server,
                    event_id: event["id"].as_str().unwrap().to_owned(),
                    kind: happening.kind.to_owned(),
                    happened_at: Timestamp::from_micros(event["timestamp"].as_i64().unwrap() * 1000),
                    payload: event.to_string(),
                }
            })
            .collect();
        let tx = world.store.platform_write().await.unwrap();
        tx.store_events(&new).await.unwrap();
        tx.commit().await.unwrap();
        apply_session(&world.services, session.tenant, session.id)
            .await
            .unwrap();
    }
}

/// What events change of an organization's sessions, by the sessions' names.
async fn state(
    world: &World<'_>,
    tenant: &wahana_store::Tenant,
    begin: Timestamp,
) -> BTreeMap<String, usize> {
    let id = world.database.id_literal(tenant.organization_id().as_uuid());
    let mut state = BTreeMap::new();
    for columns in [
        "s.status || ' ' || s.waha_status || ' ' || s.observed_at || ' ' || s.error_count || ' ' ||
            coalesce(s.last_error, '-') || ' ' || s.messages_sent || ' ' || s.messages_received || ' ' ||
            s.media_sent || ' ' || s.media_received || ' ' || s.last_message_at FROM sessions s WHERE true",
        "m.message_key || ' ' || m.chat_id || ' ' || m.direction || ' ' || m.kind || ' ' || m.status || ' ' ||
            coalesce(m.sender, '-') || ' ' || coalesce(m.happened_at, 0)
         FROM sessions s JOIN messages m ON m.session_id = s.id WHERE true",
        "t.subject || ' ' || coalesce(t.old_value, '-') || ' ' || t.new_value || ' ' || coalesce(t.reason, '-') ||
            ' ' || t.happened_at
         FROM sessions s JOIN session_transitions t ON t.session_id = s.id WHERE t.happened_at >= {begin}",
        "a.slot || ' ' || a.messages_sent || ' ' || a.messages_received || ' ' || a.media_sent || ' ' ||
            a.media_received || ' ' || a.messages_delivered || ' ' || a.messages_read || ' ' || a.messages_failed
            || ' ' || a.calls || ' ' || a.group_changes
         FROM sessions s JOIN session_activity a ON a.session_id = s.id WHERE true",
    ] {
        let columns = columns.replace("{begin}", &begin.as_micros().to_string());
        let query = format!("SELECT s.session_name || ' ' || {columns} AND s.organization_id = {id}");
        for row in world.texts(&query).await {
            *state.entry(row).or_default() += 1;
        }
    }
    state
}
