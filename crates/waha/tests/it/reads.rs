//! Reads: chats, messages, contacts, groups, the server.

use serde_json::json;
use waha_client::{
    ChatSort, ChatsQuery, Group, GroupsQuery, MessageKind, MessagesQuery, Page, SortOrder, WahaError,
};

use crate::fake::FakeWaha;

const ALL: Page = Page {
    limit: None,
    offset: None,
};

#[tokio::test]
async fn chats_have_one_spelling_of_ids() {
    let waha = FakeWaha::with_fixture(200, "chats/noweb.json").await;
    let query = ChatsQuery {
        page: Page {
            limit: Some(6),
            offset: Some(0),
        },
        sort_by: Some(ChatSort::LastMessage),
        order: Some(SortOrder::Descending),
    };
    let chats = waha.client.chats("main", &query).await.unwrap();
    assert_eq!(
        waha.request().target,
        "/api/main/chats?limit=6&offset=0&sortBy=conversationTimestamp&sortOrder=desc"
    );
    let ids: Vec<&str> = chats.iter().map(|chat| chat.id.as_str()).collect();
    assert_eq!(
        ids,
        [
            "15550001111@c.us",
            "120363999999999999@newsletter",
            "123456789012345@lid",
            "120363000000000001@g.us",
            "15550003333@c.us",
            "15550002222@c.us",
        ]
    );
    assert_eq!(
        (chats[4].name.as_deref(), chats[4].last_message_at),
        (Some("Contact 3"), Some(1_795_408_821))
    );
    assert!(!format!("{chats:?}").contains("1555000"));
}

#[tokio::test]
async fn the_overview_has_names_pictures_and_times() {
    let waha = FakeWaha::with_fixture(200, "chats/overview-noweb.json").await;
    let chats = waha
        .client
        .chats_overview(
            "main",
            Page {
                limit: Some(2),
                offset: None,
            },
        )
        .await
        .unwrap();
    assert_eq!(waha.request().target, "/api/main/chats/overview?limit=2");
    assert_eq!(chats[0].name.as_deref(), Some("Contact 1"));
    assert_eq!(
        chats[0].picture_url.as_deref(),
        Some("https://pps.whatsapp.net/v/picture.jpg")
    );
    assert_eq!(chats[0].last_message_at, Some(1_795_412_436));
    assert_eq!(
        (chats[1].id.as_str(), chats[1].name.as_deref()),
        ("123456789012345@lid", None)
    );
}

#[tokio::test]
async fn the_other_engines_chats_have_the_same_shape() {
    let gows = FakeWaha::with_fixture(200, "chats/gows.json").await;
    let chats = gows.client.chats("main", &ChatsQuery::default()).await.unwrap();
    assert_eq!(gows.request().target, "/api/main/chats");
    assert_eq!(
        (chats[0].last_message_at, chats[1].last_message_at),
        (Some(1_795_412_436), None)
    );
    assert_eq!(chats[1].name, None);

    let webjs = FakeWaha::with_fixture(200, "chats/webjs.json").await;
    let chats = webjs.client.chats("main", &ChatsQuery::default()).await.unwrap();
    assert_eq!(
        (chats[0].id.as_str(), chats[0].unread_count),
        ("15550001111@c.us", Some(2))
    );
    // whatsapp-web.js says -1 for a chat that was marked as unread by hand.
    assert_eq!(
        (chats[1].unread_count, chats[1].last_message_at),
        (None, Some(1_795_412_435))
    );
}

#[tokio::test]
async fn a_list_of_nothing_recognisable_is_broken_and_a_single_odd_element_is_left_out() {
    let waha = FakeWaha::answering(200, json!([{"jid": "1@c.us"}, {"jid": "2@c.us"}]).to_string()).await;
    let error = waha
        .client
        .chats("main", &ChatsQuery::default())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), "broken_answer");
    let waha = FakeWaha::answering(200, json!([{"id": null}, {"id": "2@c.us"}]).to_string()).await;
    assert_eq!(
        waha.client
            .chats("main", &ChatsQuery::default())
            .await
            .unwrap()
            .len(),
        1
    );
    let waha = FakeWaha::answering(200, "[]").await;
    assert_eq!(
        waha.client.chats("main", &ChatsQuery::default()).await.unwrap(),
        []
    );
}

#[tokio::test]
async fn messages_of_noweb_say_what_they_are() {
    let waha = FakeWaha::with_fixture(200, "messages/noweb.json").await;
    let query = MessagesQuery {
        limit: 3,
        offset: 1,
        order: Some(SortOrder::Ascending),
        since: Some(1),
        until: Some(2_000_000_000),
        from_me: Some(true),
        download_media: false,
    };
    let messages = waha
        .client
        .messages("main", "15550001111@c.us", &query)
        .await
        .unwrap();
    assert_eq!(
        waha.request().target,
        "/api/main/chats/15550001111@c.us/messages?limit=3&offset=1&downloadMedia=false&sortOrder=asc\
         &filter.timestamp.gte=1&filter.timestamp.lte=2000000000&filter.fromMe=true"
    );
    let [image, _, document] = messages.as_slice() else {
        panic!("{messages:?}")
    };
    assert_eq!(image.id, "true_15550001111@c.us_3EB092B47680CDB9092EB8");
    assert_eq!(
        (image.key.as_str(), image.chat_id.as_str()),
        ("3EB092B47680CDB9092EB8", "15550001111@c.us")
    );
    assert_eq!(
        (image.kind, image.body.as_deref(), image.ack),
        (MessageKind::Image, Some("cap"), Some(2))
    );
    assert_eq!((image.from_me, image.sender.as_deref()), (true, None));
    let media = document.media.as_ref().unwrap();
    assert_eq!(
        (document.kind, media.filename.as_deref()),
        (MessageKind::Document, Some("a.pdf"))
    );
    assert_eq!(
        (media.mimetype.as_deref(), media.size_bytes),
        (Some("application/pdf"), Some(70))
    );
    assert!(media.file.is_none());

    let waha = FakeWaha::with_fixture(200, "messages/noweb-page2.json").await;
    let messages = waha
        .client
        .messages("main", "15550001111@c.us", &MessagesQuery::default())
        .await
        .unwrap();
    let received = &messages[0];
    assert_eq!(
        (received.kind, received.from_me, received.has_media),
        (MessageKind::Text, false, false)
    );
    assert_eq!(
        (received.sender.as_deref(), received.timestamp),
        (Some("15550001111@c.us"), Some(1_795_408_822))
    );
    assert!(received.media.is_none() && received.body.is_some());
    let shown = format!("{messages:?}");
    assert!(
        !shown.contains("1555000") && !shown.contains("history"),
        "{shown}"
    );
}

#[tokio::test]
async fn messages_of_gows_and_webjs_have_the_same_shape() {
    let waha = FakeWaha::with_fixture(200, "messages/gows.json").await;
    let messages = waha
        .client
        .messages("main", "all", &MessagesQuery::default())
        .await
        .unwrap();
    let [document, voice] = messages.as_slice() else {
        panic!("{messages:?}")
    };
    assert_eq!(
        (document.key.as_str(), document.chat_id.as_str()),
        ("3A18A8ADD7B214069DA1", "120363000000000001@g.us")
    );
    assert_eq!(
        (document.kind, document.sender.as_deref()),
        (MessageKind::Document, Some("15550002222@c.us"))
    );
    let media = document.media.as_ref().unwrap();
    assert_eq!(media.file.as_ref().unwrap().session(), Some("main"));
    assert_eq!(
        (media.filename.as_deref(), media.size_bytes),
        (Some("plan.pdf"), Some(2048))
    );
    let reply_to = document.reply_to.as_ref().unwrap();
    assert_eq!(
        (reply_to.id.as_str(), reply_to.body.as_deref()),
        ("3EB0CCCCCCCCCCCCCCCCCC", Some("the plan?"))
    );
    assert_eq!(
        (voice.kind, voice.sender.as_deref(), voice.ack),
        (MessageKind::Voice, None, Some(3))
    );
    assert_eq!(voice.media.as_ref().unwrap().size_bytes, Some(4096));

    let waha = FakeWaha::with_fixture(200, "messages/webjs.json").await;
    let messages = waha
        .client
        .messages("main", "all", &MessagesQuery::default())
        .await
        .unwrap();
    let [image, location] = messages.as_slice() else {
        panic!("{messages:?}")
    };
    assert_eq!(
        (image.kind, image.chat_id.as_str()),
        (MessageKind::Image, "15550001111@c.us")
    );
    assert_eq!(
        image.media.as_ref().unwrap().mimetype.as_deref(),
        Some("image/jpeg")
    );
    assert_eq!(
        (location.kind, location.timestamp),
        (MessageKind::Location, Some(1_795_412_437))
    );
    assert_eq!((location.body.as_deref(), location.ack), (None, Some(0)));
}

#[tokio::test]
async fn one_message_is_there_or_not_found() {
    let one =
        json!({"id": "false_15550001111@c.us_3A", "timestamp": 5, "from": "15550001111@c.us", "body": "x"});
    let waha = FakeWaha::answering(200, one.to_string()).await;
    let id = "false_15550001111@c.us_3A";
    assert_eq!(
        waha.client
            .message("main", "15550001111@c.us", id, true)
            .await
            .unwrap()
            .kind,
        MessageKind::Text
    );
    let target = "/api/main/chats/15550001111@c.us/messages/false_15550001111@c.us_3A?downloadMedia=true";
    assert_eq!(waha.request().target, target);
    let missing = FakeWaha::with_fixture(404, "errors/message-not-found.json").await;
    assert_eq!(
        missing.client.message("main", "1@c.us", id, false).await,
        Err(WahaError::NotFound)
    );
    let empty = FakeWaha::answering(200, "").await;
    assert_eq!(
        empty.client.message("main", "1@c.us", id, false).await,
        Err(WahaError::NotFound)
    );
    // Whether it is there, such an answer does not say.
    let strange = FakeWaha::answering(200, "{}").await;
    let error = strange.client.message("main", "1@c.us", id, false).await;
    assert!(matches!(error, Err(WahaError::BrokenAnswer { .. })), "{error:?}");
}

#[tokio::test]
async fn contacts_of_every_engine_have_one_shape() {
    let waha = FakeWaha::with_fixture(200, "contacts/noweb.json").await;
    let contacts = waha
        .client
        .contacts(
            "main",
            Page {
                limit: Some(2),
                offset: Some(0),
            },
        )
        .await
        .unwrap();
    assert_eq!(
        waha.request().target,
        "/api/contacts/all?session=main&limit=2&offset=0"
    );
    assert_eq!(contacts[0].id, "15550001111@c.us");
    assert_eq!(
        (contacts[0].name.as_deref(), contacts[0].push_name.as_deref()),
        (Some("Contact 1"), Some("c1"))
    );
    assert_eq!(
        (contacts[0].number.as_deref(), contacts[0].is_business),
        (Some("15550001111"), None)
    );

    let waha = FakeWaha::with_fixture(200, "contacts/webjs.json").await;
    let contacts = waha.client.contacts("main", ALL).await.unwrap();
    assert_eq!(
        (contacts[0].is_business, contacts[1].is_business),
        (Some(true), Some(false))
    );
    // What WEBJS calls the number of a hidden id is not a phone number.
    assert_eq!(
        (contacts[1].id.as_str(), contacts[1].number.as_deref()),
        ("123456789012345@lid", None)
    );
}

#[tokio::test]
async fn one_contact_is_there_or_not_found() {
    let waha = FakeWaha::with_fixture(200, "contacts/noweb-one.json").await;
    assert_eq!(
        waha.client
            .contact("main", "15550001111@c.us")
            .await
            .unwrap()
            .push_name
            .as_deref(),
        Some("c1")
    );
    assert_eq!(
        waha.request().target,
        "/api/contacts?contactId=15550001111%40c.us&session=main"
    );
    for body in ["", "null", "{}"] {
        let waha = FakeWaha::answering(200, body).await;
        assert_eq!(
            waha.client.contact("main", "1@c.us").await,
            Err(WahaError::NotFound),
            "{body:?}"
        );
    }
}

#[tokio::test]
async fn numbers_are_checked_and_pictures_found() {
    let waha = FakeWaha::with_fixture(200, "contacts/check-exists.json").await;
    let check = waha.client.check_exists("main", "15550001111").await.unwrap();
    assert_eq!(
        (check.exists, check.chat_id.as_deref()),
        (true, Some("15550001111@c.us"))
    );
    assert_eq!(
        waha.request().target,
        "/api/contacts/check-exists?phone=15550001111&session=main"
    );
    let waha = FakeWaha::with_fixture(200, "contacts/check-missing.json").await;
    let check = waha.client.check_exists("main", "15550000000").await.unwrap();
    assert_eq!((check.exists, check.chat_id), (false, None));

    let picture = Some("https://pps.whatsapp.net/v/picture.jpg".to_owned());
    let waha = FakeWaha::with_fixture(200, "contacts/picture.json").await;
    assert_eq!(
        waha.client.profile_picture("main", "1@c.us").await,
        Ok(picture.clone())
    );
    let waha = FakeWaha::with_fixture(200, "chats/picture.json").await;
    assert_eq!(waha.client.chat_picture("main", "1@c.us").await, Ok(picture));
    for body in ["", r#"{"url":null,"profilePictureURL":null}"#] {
        let waha = FakeWaha::answering(200, body).await;
        assert_eq!(waha.client.chat_picture("main", "1@c.us").await, Ok(None));
        assert_eq!(waha.client.profile_picture("main", "1@c.us").await, Ok(None));
    }
}

#[tokio::test]
async fn groups_are_the_same_from_an_object_and_from_a_list() {
    let expected = |description: Option<&str>, owner: Option<&str>| Group {
        id: "120363000000000001@g.us".to_owned(),
        name: Some("Team".to_owned()),
        description: description.map(str::to_owned),
        participant_count: Some(2),
        created_at: Some(1_700_000_000),
        owner: owner.map(str::to_owned),
    };
    let owned = expected(Some("What the team talks about"), Some("15550001111@c.us"));
    for (name, group) in [
        ("groups/noweb.json", expected(None, None)),
        ("groups/noweb-without-participants.json", expected(None, None)),
        ("groups/gows.json", owned.clone()),
        ("groups/webjs.json", owned),
    ] {
        let waha = FakeWaha::with_fixture(200, name).await;
        assert_eq!(
            waha.client.groups("main", &GroupsQuery::default()).await,
            Ok(vec![group]),
            "{name}"
        );
    }
    let waha = FakeWaha::answering(200, "{}").await;
    let query = GroupsQuery {
        page: Page {
            limit: Some(1),
            offset: None,
        },
        without_participants: true,
    };
    assert_eq!(waha.client.groups("main", &query).await, Ok(vec![]));
    assert_eq!(
        waha.request().target,
        "/api/main/groups?limit=1&exclude=participants"
    );
    let waha = FakeWaha::answering(200, r#"{"error":{"reason":"none"}}"#).await;
    assert_eq!(
        waha.client.groups("main", &query).await.unwrap_err().kind(),
        "broken_answer"
    );
}

#[tokio::test]
async fn one_group_is_there_or_not_found() {
    let waha = FakeWaha::with_fixture(200, "groups/noweb-one.json").await;
    let group = waha
        .client
        .group("main", "120363000000000001@g.us")
        .await
        .unwrap();
    assert_eq!(
        (group.participant_count, group.created_at),
        (Some(2), Some(1_700_000_000))
    );
    assert_eq!(waha.request().target, "/api/main/groups/120363000000000001@g.us");
    let empty = FakeWaha::answering(200, "").await;
    assert_eq!(
        empty.client.group("main", "1@g.us").await,
        Err(WahaError::NotFound)
    );
}

#[tokio::test]
async fn the_version_needs_the_key_and_the_ping_does_not() {
    let waha = FakeWaha::with_fixture(200, "server/version.json").await;
    let version = waha.client.version().await.unwrap();
    assert_eq!(
        (version.version.as_str(), version.engine.as_deref()),
        ("2026.2.1", Some("NOWEB"))
    );
    assert_eq!((version.tier.as_deref(), version.worker_id), (Some("CORE"), None));
    assert!(waha.request().headers.contains_key("x-api-key"));

    let waha = FakeWaha::answering(200, r#"{"message":"pong"}"#).await;
    waha.client.ping().await.unwrap();
    let request = waha.request();
    assert_eq!(request.target, "/ping");
    assert!(!request.headers.contains_key("x-api-key"));
    let other = FakeWaha::answering(200, r#"{"message":"hello"}"#).await;
    assert_eq!(other.client.ping().await.unwrap_err().kind(), "broken_answer");
}
