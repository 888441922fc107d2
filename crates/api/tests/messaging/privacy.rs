//! What is written for WhatsApp alone is kept in one place, and not logged.

use std::{
    io::{self, Write},
    sync::{Arc, Mutex, PoisonError},
};

use serde_json::json;
use waha_sim::{Fault, FaultKind};

use crate::wahana::{WAHA_KEY, Wahana};

/// Everything that was logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Everything in the database but what messages say, which lies in one table.
async fn outside_of_contents(wahana: &Wahana) -> String {
    let columns = "SELECT 'SELECT quote(' || c.name || ') FROM ' || t.name
        FROM sqlite_master t JOIN pragma_table_info(t.name) c
        WHERE t.type = 'table' AND t.name <> 'message_contents'";
    let mut all = String::new();
    for query in wahana.database.texts_unguarded(columns).await {
        all.extend(wahana.database.texts_unguarded(&query).await);
    }
    all
}

#[tokio::test]
async fn texts_captions_and_files_stay_in_one_table_and_out_of_log_and_errors() {
    let log = Log::default();
    let writer = log.clone();
    tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_writer(move || writer.clone())
        .init();
    let wahana = Wahana::start().await;
    let secrets = [
        "SecretTextOfATest",
        "SecretCaptionOfATest",
        "SecretFileNameOfATest.png",
    ];
    let text = json!({"to": "+6281234567890", "text": secrets[0]});
    let media = json!({
        "to": "+6281234567890", "caption": secrets[1],
        "media": {"data": "c2VjcmV0", "mimetype": "image/png", "filename": secrets[2]},
    });
    let mut answers = Vec::new();
    for fault in [
        None,
        Some(FaultKind::Status(500)),
        Some(FaultKind::Status(422)),
        Some(FaultKind::CloseAfter),
    ] {
        wahana.sim.clear_faults();
        if let Some(kind) = fault {
            wahana.sim.set_fault(Fault::new(kind).on_path("/api/send"));
        }
        answers.push(wahana.post("send-text", &text).await.text);
        answers.push(wahana.post("send-media", &media).await.text);
    }
    let answers = answers.concat();
    let logged = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(logged.contains("request answered"), "the log was not captured");
    let kept = outside_of_contents(&wahana).await;
    assert!(kept.contains("messages.send_text"), "the database was not read");
    for secret in secrets {
        assert!(!answers.contains(secret), "{answers}");
        assert!(!kept.contains(secret), "{secret} is in the database");
        assert!(!logged.contains(secret), "{secret} is in the log");
    }
    let contents = wahana
        .database
        .texts_unguarded("SELECT text FROM message_contents")
        .await;
    assert!(contents.iter().any(|text| text == secrets[0]), "{contents:?}");
    for inner in [
        wahana.session.waha.name.as_str(),
        WAHA_KEY,
        &wahana.sim.base_url(),
    ] {
        assert!(!answers.contains(inner), "{answers}");
    }
}
