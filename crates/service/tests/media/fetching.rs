//! Files that came in.

use std::time::Duration;

use serde_json::{Value, json};
use waha_sim::{Fault, FaultKind};
use wahana_domain::{JobState, MediaState};
use wahana_testkit::{database::TestDatabase, on_both_databases};

use crate::world::{FILE_BYTES, World, described};

on_both_databases!(
    a_file_that_came_in_is_kept_once,
    a_file_of_another_session_is_never_fetched,
    what_waha_forgot_is_fetched_from_whatsapp_once_more,
    what_breaks_off_is_fetched_again_and_nothing_of_it_stays,
    what_cannot_be_had_expires_and_is_no_failed_job,
    what_is_too_large_is_not_kept,
    slow_files_keep_up_no_other_work,
    what_is_fetched_for_a_job_that_is_gone_does_not_stay,
);

async fn a_file_that_came_in_is_kept_once(db: &TestDatabase) {
    let world = World::new(db).await;
    let place = world.session().await;
    world.receive_and_tell(&place, "A", b"bytes").await;
    let [expected] = &world.files(place.tenant).await[..] else {
        panic!("both events are of one file");
    };
    assert_eq!(expected.state, MediaState::Waiting);
    assert_eq!(world.jobs("fetch_media").await.len(), 1);
    world.fetch().await;
    let [file] = &world.files(place.tenant).await[..] else {
        panic!("there is still one file");
    };
    assert_eq!((file.state, file.id), (MediaState::Stored, expected.id));
    assert_eq!(file.media_type.as_str(), "application/pdf");
    assert_eq!(file.name.as_ref().unwrap().as_str(), "offer.pdf");
    assert_eq!(file.source, None, "nobody needs to know where it was");
    let stored = file.stored.clone().unwrap();
    assert_eq!(stored.size, 5);
    assert_eq!(
        stored.sha256,
        "277089d91c0bdf4f2e6862ba7e4a07605119431f5d13f726dd352b06f1b206a9"
    );
    assert_eq!(
        world.kept(),
        [(stored.key.as_str().to_owned(), b"bytes".to_vec())]
    );
    assert_eq!(world.asked("/api/files/"), 1);
    // Told again, perhaps by a WAHA that got no answer.
    world.tell(&place, "A", described("/api/files/x/y.pdf")).await;
    world.fetch().await;
    assert_eq!(world.files(place.tenant).await, std::slice::from_ref(file));
    let job = world.jobs("fetch_media").await.remove(0);
    assert_eq!(job.payload, json!({"media": file.id}).to_string());
}

async fn a_file_of_another_session_is_never_fetched(db: &TestDatabase) {
    let world = World::new(db).await;
    let (place, other) = (world.session().await, world.session().await);
    let foreign = world.receive(&other, "B", b"not yours");
    for (number, path) in [
        foreign.clone(),
        format!("/api/files/{}/../{}/x.pdf", place.waha_name, other.waha_name),
        format!("/api/files/{}%2f..%2f{}/x.pdf", place.waha_name, other.waha_name),
        "/api/files/alone.pdf".to_owned(),
    ]
    .into_iter()
    .enumerate()
    {
        world.tell(&place, &format!("A{number}"), described(&path)).await;
    }
    world.fetch().await;
    assert_eq!(world.asked("/api/files/"), 0);
    assert_eq!(world.kept(), []);
    assert_eq!(world.asked(&format!("/api/{}/", other.waha_name)), 0);
    // What is asked instead is its own session, which has no such message.
    assert_eq!(world.asked(&format!("/api/{}/chats/", place.waha_name)), 4);
}

async fn what_waha_forgot_is_fetched_from_whatsapp_once_more(db: &TestDatabase) {
    let world = World::new(db).await;
    let place = world.session().await;
    for key in ["A", "B"] {
        world.receive(&place, key, key.as_bytes());
    }
    // The file was there under another name, and of the other WAHA told no place at all.
    let old = format!("/api/files/{}/forgotten.pdf", place.waha_name);
    world.tell(&place, "A", described(&old)).await;
    world.tell(&place, "B", Value::Null).await;
    world.fetch().await;
    let files = world.files(place.tenant).await;
    assert!(
        files.iter().all(|file| file.state == MediaState::Stored),
        "{files:?}"
    );
    let mut kept: Vec<_> = world.kept().into_iter().map(|(_, bytes)| bytes).collect();
    kept.sort();
    assert_eq!(kept, [b"A", b"B"]);
}

async fn what_breaks_off_is_fetched_again_and_nothing_of_it_stays(db: &TestDatabase) {
    let world = World::new(db).await;
    let place = world.session().await;
    for kind in [
        FaultKind::CloseBefore,
        FaultKind::CloseInBody,
        FaultKind::Status(500),
    ] {
        world
            .sim
            .set_fault(Fault::new(kind).on_path("/api/files/").times(1));
    }
    world.receive_and_tell(&place, "A", &[7; 200]).await;
    for _ in 0..3 {
        world.fetch().await;
        assert_eq!(world.files(place.tenant).await[0].state, MediaState::Waiting);
        assert_eq!(world.kept(), []);
        // WAHA has it for three minutes; all of these attempts lie in them.
        world.clock.advance(Duration::from_secs(40));
    }
    world.fetch().await;
    assert_eq!(world.files(place.tenant).await[0].state, MediaState::Stored);
    assert_eq!(world.kept()[0].1, [7; 200]);
}

async fn what_cannot_be_had_expires_and_is_no_failed_job(db: &TestDatabase) {
    let world = World::new(db).await;
    let place = world.session().await;
    let gone = format!("/api/files/{}/gone.pdf", place.waha_name);
    world.tell(&place, "A", described(&gone)).await;
    loop {
        world.fetch().await;
        let job = world.jobs("fetch_media").await.remove(0);
        assert_ne!(job.state, JobState::Dead);
        if job.state == JobState::Done {
            break;
        }
        assert_eq!(world.files(place.tenant).await[0].state, MediaState::Waiting);
        world.clock.advance(Duration::from_hours(5));
    }
    let file = world.files(place.tenant).await.remove(0);
    assert_eq!((file.state, file.source), (MediaState::Expired, None));
    assert_eq!(world.kept(), []);
}

async fn what_is_too_large_is_not_kept(db: &TestDatabase) {
    let world = World::new(db).await;
    let place = world.session().await;
    let most = usize::try_from(FILE_BYTES).unwrap();
    world.receive_and_tell(&place, "A", &vec![1; most + 1]).await;
    world.receive_and_tell(&place, "B", &vec![1; most]).await;
    world.fetch().await;
    let states: Vec<_> = world
        .files(place.tenant)
        .await
        .iter()
        .map(|file| file.state)
        .collect();
    assert_eq!(states, [MediaState::Failed, MediaState::Stored]);
    assert_eq!(world.kept().len(), 1);
    let jobs = world.jobs("fetch_media").await;
    assert!(
        jobs.iter().all(|job| job.state == JobState::Done),
        "it is not tried again"
    );
}

async fn slow_files_keep_up_no_other_work(db: &TestDatabase) {
    let world = World::new(db).await;
    let place = world.session().await;
    for number in 0..20 {
        world
            .receive_and_tell(&place, &format!("A{number}"), b"slow")
            .await;
    }
    // Longer than the test looks, and shorter than it may take.
    world
        .sim
        .set_fault(Fault::slow(Duration::from_secs(5)).on_path("/api/files/"));
    let mut has_begun = false;
    world
        .work_until(async || {
            if !has_begun && world.asked("/api/files/") >= 8 {
                wahana_service::jobs::begin_periodic(&world.services)
                    .await
                    .unwrap();
                has_begun = true;
            }
            let retention = world.jobs("retention").await;
            retention.iter().any(|job| job.state == JobState::Done)
        })
        .await;
}

async fn what_is_fetched_for_a_job_that_is_gone_does_not_stay(db: &TestDatabase) {
    let world = World::new(db).await;
    let place = world.session().await;
    world.receive_and_tell(&place, "A", b"bytes").await;
    world
        .sim
        .set_fault(Fault::slow(Duration::from_millis(200)).on_path("/api/files/"));
    world
        .work_until(async || {
            let is_asked = world.asked("/api/files/") > 0;
            if is_asked {
                // As when everything of the organization is erased.
                db.execute_unguarded("DELETE FROM jobs").await;
            }
            is_asked
        })
        .await;
    assert_eq!(world.kept(), []);
}
