//! How a message's file becomes something one can fetch.

use serde_json::{Value, json};
use tokio::time::Instant;

use crate::{
    files::{LIFETIME, StoredFile},
    messages::Message,
    sim::{Sim, State},
};

/// Puts the file where `/api/files` finds it, for WAHA's 180 seconds, and gives WAHA's `media`.
pub(crate) fn download(sim: &Sim, state: &mut State, session: &str, message: &Message) -> Value {
    let Some(media) = &message.media else {
        return Value::Null;
    };
    let name = format!("{}.{}", message.full_id(), media.extension());
    let file = StoredFile {
        mimetype: media.mimetype.clone(),
        bytes: media.bytes.clone(),
        stored_ms: sim.clock.now_ms(),
        expires: Instant::now() + sim.scaled(LIFETIME),
    };
    state.files.store(session, &name, file);
    json!({
        "url": format!("{}/api/files/{session}/{name}", sim.base_url()),
        "filename": media.filename,
        "mimetype": media.mimetype,
    })
}
