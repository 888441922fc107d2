//! Sends.

use serde_json::json;
use waha_client::{FileContent, FileToSend, MediaToSend, Outcome, TextToSend};

use crate::fake::FakeWaha;

fn text<'a>(chat_id: &'a str, text: &'a str) -> TextToSend<'a> {
    TextToSend {
        chat_id,
        text,
        ..TextToSend::default()
    }
}

#[tokio::test]
async fn a_text_is_sent_with_what_was_given_and_nothing_else() {
    let waha = FakeWaha::with_fixture(201, "sends/noweb-text.json").await;
    waha.client
        .send_text("main", &text("15550001111@c.us", "Hi there!"))
        .await
        .unwrap();
    let request = waha.request();
    assert_eq!(
        (request.method.as_str(), request.target.as_str()),
        ("POST", "/api/sendText")
    );
    assert_eq!(
        request.json(),
        json!({"session": "main", "chatId": "15550001111@c.us", "text": "Hi there!"})
    );

    let waha = FakeWaha::with_fixture(201, "sends/noweb-text.json").await;
    let full = TextToSend {
        reply_to: Some("false_15550001111@c.us_3AAA"),
        mentions: &["15550002222@c.us"],
        link_preview: Some(false),
        key: Some("3EB0CHOSEN"),
        ..text("15550001111@c.us", "reply @15550002222")
    };
    waha.client.send_text("main", &full).await.unwrap();
    let body = json!({
        "session": "main",
        "chatId": "15550001111@c.us",
        "text": "reply @15550002222",
        "reply_to": "false_15550001111@c.us_3AAA",
        "mentions": ["15550002222@c.us"],
        "linkPreview": false,
        "id": "3EB0CHOSEN",
    });
    assert_eq!(waha.request().json(), body);
}

#[tokio::test]
async fn every_engines_answer_becomes_the_same_shape() {
    let people = "15550001111@c.us";
    let group = "120363000000000001@g.us";
    for (name, chat_id, key) in [
        ("sends/noweb-text.json", people, "3EB0B7317DBDC29AC2398E"),
        ("sends/noweb-group.json", group, "3EB01042774E9A8D2EE19A"),
        ("sends/noweb-image.json", people, "3EB092B47680CDB9092EB8"),
        ("sends/wamessage-poll.json", people, "3EB070E20C0FFFD85FA5ED"),
        ("sends/gows.json", group, "3EB0AAAAAAAAAAAAAAAAAA"),
        ("sends/webjs.json", people, "3EB0BBBBBBBBBBBBBBBBBB"),
    ] {
        let waha = FakeWaha::with_fixture(201, name).await;
        let sent = waha
            .client
            .send_text("main", &text(chat_id, "Hi there!"))
            .await
            .unwrap();
        assert_eq!(sent.id, format!("true_{chat_id}_{key}"), "{name}");
        assert_eq!(
            (sent.chat_id.as_str(), sent.key.as_str()),
            (chat_id, key),
            "{name}"
        );
        assert!(
            (1_795_412_435..=1_795_412_436).contains(&sent.timestamp.unwrap()),
            "{name}"
        );
        assert!(!format!("{sent:?}").contains("1555000"));
    }
}

#[tokio::test]
async fn a_bare_key_belongs_to_the_chat_that_was_sent_to() {
    let waha = FakeWaha::answering(201, r#"{"id":"3EB0AA"}"#).await;
    let sent = waha
        .client
        .send_text("main", &text("15550001111@s.whatsapp.net", "x"))
        .await
        .unwrap();
    assert_eq!(
        (sent.id.as_str(), sent.timestamp),
        ("true_15550001111@c.us_3EB0AA", None)
    );
}

#[tokio::test]
async fn success_without_a_message_leaves_the_outcome_unknown() {
    for body in ["{}", "", "null", r#"{"key":{}}"#] {
        let waha = FakeWaha::answering(201, body).await;
        let error = waha
            .client
            .send_text("main", &text("1@c.us", "x"))
            .await
            .unwrap_err();
        assert_eq!(
            (error.kind(), error.outcome()),
            ("broken_answer", Outcome::Unknown),
            "{body:?}"
        );
    }
}

#[tokio::test]
async fn empty_texts_chats_sessions_and_files_are_not_sent() {
    let waha = FakeWaha::answering(201, "{}").await;
    for (session, chat_id, words) in [("main", "1@c.us", ""), ("main", "", "x"), ("", "1@c.us", "x")] {
        let error = waha
            .client
            .send_text(session, &text(chat_id, words))
            .await
            .unwrap_err();
        assert_eq!(
            (error.kind(), error.outcome()),
            ("not_sendable", Outcome::NotHandedOver)
        );
    }
    for (mimetype, data) in [("", "data"), ("image/png", "")] {
        let file = FileToSend {
            mimetype,
            filename: None,
            content: FileContent::from(data.as_bytes().to_vec()),
        };
        let media = MediaToSend {
            chat_id: "1@c.us",
            file,
            caption: None,
            reply_to: None,
            convert: false,
        };
        assert_eq!(
            waha.client.send_image("main", media).await.unwrap_err().kind(),
            "not_sendable"
        );
    }
    assert_eq!(waha.count(), 0);
}

#[tokio::test]
async fn files_go_as_base64_to_the_call_of_their_kind() {
    let media = || MediaToSend {
        chat_id: "15550001111@c.us",
        file: FileToSend {
            mimetype: "audio/ogg",
            filename: Some("a.ogg"),
            content: FileContent::from(b"\x00\xff\x10binary".to_vec()),
        },
        caption: Some("cap"),
        reply_to: Some("false_15550001111@c.us_3AAA"),
        convert: true,
    };
    for (operation, convert) in [
        ("sendImage", None),
        ("sendVideo", Some(true)),
        ("sendVoice", Some(true)),
        ("sendFile", None),
    ] {
        let waha = FakeWaha::with_fixture(201, "sends/noweb-image.json").await;
        let sent = match operation {
            "sendImage" => waha.client.send_image("main", media()).await,
            "sendVideo" => waha.client.send_video("main", media()).await,
            "sendVoice" => waha.client.send_voice("main", media()).await,
            _ => waha.client.send_file("main", media()).await,
        };
        assert_eq!(sent.unwrap().key, "3EB092B47680CDB9092EB8");
        let request = waha.request();
        assert_eq!(request.target, format!("/api/{operation}"));
        let body = request.json();
        assert_eq!(
            body["file"],
            json!({"mimetype": "audio/ogg", "filename": "a.ogg", "data": "AP8QYmluYXJ5"})
        );
        assert_eq!(
            (&body["caption"], &body["reply_to"]),
            (&json!("cap"), &json!("false_15550001111@c.us_3AAA"))
        );
        assert_eq!(
            body.get("convert"),
            convert.map(|convert| json!(convert)).as_ref()
        );
    }
}

#[tokio::test]
async fn typing_is_shown_and_ended_in_a_chat() {
    let chat = "15550001111@c.us";
    for (path, is_shown) in [("/api/startTyping", true), ("/api/stopTyping", false)] {
        let waha = FakeWaha::answering(201, r#"{"result":true}"#).await;
        if is_shown {
            waha.client.start_typing("main", chat).await.unwrap();
        } else {
            waha.client.stop_typing("main", chat).await.unwrap();
        }
        let request = waha.request();
        assert_eq!((request.method.as_str(), request.target.as_str()), ("POST", path));
        assert_eq!(request.json(), json!({"session": "main", "chatId": chat}));
    }
}
