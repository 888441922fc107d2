//! Erasing a whole organization: the database, the media store and WAHA are searched for what was its own.

use std::time::Duration;

use wahana_domain::{EmailAddress, MediaState, Membership, OrganizationId, Role, Secret, TokenId, UserId};
use wahana_service::{
    Operator,
    platform::{erasures, organizations},
};
use wahana_store::{
    NewPlatformToken, NewUser, PlatformTx, access_tokens, media_files,
    messages::{self, HistoryQuery},
};
use wahana_testkit::{database::TestDatabase, on_both_databases, rows};

use crate::{
    erasure::{FILE, NUMBER, RECEIVED, SENT, everything, found, send},
    export::{ROOM, export},
    world::{Place, World},
};

on_both_databases!(nothing_is_left_of_an_organization_that_was_erased);

pub(crate) const ORGANIZATION: &str = "Warung Terhapus";
/// When nobody acts for an organization any more who was let in before it was closed.
pub(crate) const SETTLED: Duration = Duration::from_secs(10);
pub(crate) const LEAVES: &str = "leaves@wahana.test";
const STAYS: &str = "stays@wahana.test";
const OPERATES: &str = "operates@wahana.test";
const OPERATED: &str = "operated@wahana.test";
const LEFT_ELSEWHERE: &str = "left-elsewhere@wahana.test";

/// A person who is a member of these organizations.
pub(crate) async fn join(tx: &PlatformTx, email: &str, organizations: &[OrganizationId]) -> UserId {
    let user_id = UserId::new();
    tx.insert_user(&NewUser {
        id: user_id,
        email: EmailAddress::parse(email).unwrap(),
        display_name: email.to_owned(),
        is_platform_administrator: email == OPERATES,
    })
    .await
    .unwrap();
    for organization_id in organizations {
        tx.insert_membership(&Membership {
            organization_id: *organization_id,
            user_id,
            role: Role::Owner,
            created_at: tx.now(),
        })
        .await
        .unwrap();
    }
    user_id
}

/// A file of an organization is not kept any more, while its message is.
async fn end_one_file(world: &World<'_>, place: &Place) {
    let tx = world.store.write(place.tenant).await.unwrap();
    let kept = messages::history(&tx, &HistoryQuery::default(), 100)
        .await
        .unwrap();
    let file = kept.iter().find_map(|message| message.media.as_ref()).unwrap();
    media_files::give_up(&tx, file.id, MediaState::Expired)
        .await
        .unwrap();
    tx.commit().await.unwrap();
}

/// People who go with the organization of the first place, and people who stay; it also gets its name.
async fn add_people(world: &World<'_>, place: &Place, foreign: &Place) {
    let (id, elsewhere) = (place.tenant.organization_id(), foreign.tenant.organization_id());
    let tx = world.store.platform_write().await.unwrap();
    join(&tx, LEAVES, &[id]).await;
    join(&tx, STAYS, &[id, elsewhere]).await;
    join(&tx, OPERATES, &[id]).await;
    let left_elsewhere = join(&tx, LEFT_ELSEWHERE, &[id]).await;
    let operated = join(&tx, OPERATED, &[id]).await;
    tx.insert_platform_token(&NewPlatformToken {
        id: TokenId::generate_platform(),
        user_id: operated,
        name: "from before".to_owned(),
        secret: Secret::generate().hash(),
        expires_at: None,
    })
    .await
    .unwrap();
    tx.rename_organization(id, ORGANIZATION).await.unwrap();
    tx.commit().await.unwrap();

    let tx = world.store.write(foreign.tenant).await.unwrap();
    let token = rows::token(elsewhere, left_elsewhere, tx.now());
    access_tokens::insert(&tx, &token, &Secret::generate().hash())
        .await
        .unwrap();
    tx.commit().await.unwrap();
}

async fn nothing_is_left_of_an_organization_that_was_erased(db: &TestDatabase) {
    let world = World::with_room(db, ROOM).await;
    let (place, foreign) = (world.session().await, world.session().await);
    for place in [&place, &foreign] {
        send(&world, place).await;
        world.receive_and_tell(place, "A", FILE.as_bytes()).await;
    }
    world.fetch().await;
    // A file that is not kept any more, of a message that is.
    world.receive_and_tell(&place, "B", FILE.as_bytes()).await;
    world.fetch().await;
    end_one_file(&world, &place).await;
    assert!(export(&world, place.tenant).await.file.is_some());
    let id = place.tenant.organization_id();
    add_people(&world, &place, &foreign).await;

    let operator = Operator::CommandLine;
    let ask = async |name| erasures::create(&world.services, &operator, id, name).await;
    assert!(ask(ORGANIZATION).await.is_err(), "it is not closed");
    organizations::close(&world.services, &operator, id)
        .await
        .unwrap();
    assert!(ask("another").await.is_err(), "it has another name");
    let asked = ask(ORGANIZATION).await.unwrap();
    assert_eq!((asked.rows, asked.finished_at), (0, None));
    world.clock.advance(SETTLED);

    let has_session = |name: &str| world.sim.session_status(name).is_some();
    let so_far = async || erasures::get(&world.services, &operator, id).await.unwrap();
    world
        .work_until(async || so_far().await.finished_at.is_some())
        .await;

    assert!(so_far().await.rows > 5, "{:?}", so_far().await);
    assert!(!has_session(&place.waha_name));
    assert!(has_session(&foreign.waha_name));
    let text = String::from_utf8_lossy(&everything(&world).await).into_owned();
    for (text_of, is_there) in [
        (ORGANIZATION, false),
        (LEAVES, false),
        (STAYS, true),
        (OPERATES, true),
    ] {
        assert_eq!(text.contains(text_of), is_there, "{text_of}");
    }
    assert_eq!(world.kept().len(), 1, "the other organization's file");
    assert_eq!(
        found(&world).await,
        [SENT, RECEIVED, FILE, NUMBER],
        "of the other organization"
    );
    let again = ask("whatever").await.unwrap();
    assert!(again.finished_at.is_some());
}
