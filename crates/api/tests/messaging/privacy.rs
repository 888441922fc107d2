//! What is written for WhatsApp alone is neither kept nor logged.

use std::{
    fs,
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

#[tokio::test]
async fn texts_captions_and_files_stay_out_of_database_log_and_errors() {
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
    let mut kept = Vec::new();
    for file in fs::read_dir(wahana.folder.path()).unwrap() {
        kept.extend(fs::read(file.unwrap().path()).unwrap());
    }
    let kept = String::from_utf8_lossy(&kept);
    assert!(kept.contains("messages.send_text"), "the database was not read");
    for secret in secrets {
        assert!(!answers.contains(secret), "{answers}");
        assert!(!kept.contains(secret), "{secret} is in the database");
        assert!(!logged.contains(secret), "{secret} is in the log");
    }
    for inner in [
        wahana.session.waha.name.as_str(),
        WAHA_KEY,
        &wahana.sim.base_url(),
    ] {
        assert!(!answers.contains(inner), "{answers}");
    }
}
