//! `/api/{session}/groups`.

use axum::{Extension, extract::Path};
use serde_json::{Value, json};

use super::{
    Answer, Called,
    answers::{html, ok},
    call::Call,
    errors::WahaError,
};
use crate::{content::Group, engine::Engine, messages::jid};

/// A group in the engine's own shape. Only NOWEB's was recorded.
fn shape(engine: Engine, group: &Group, with_participants: bool) -> Value {
    match engine {
        Engine::Noweb => group.to_noweb(with_participants),
        Engine::Gows => {
            let mut shaped = json!({"JID": group.id, "Name": group.subject, "OwnerJID": ""});
            if with_participants {
                shaped["Participants"] = group
                    .participants
                    .iter()
                    .enumerate()
                    .map(|(index, id)| json!({"JID": jid(id), "IsAdmin": index == 0, "IsSuperAdmin": index == 0}))
                    .collect();
            }
            shaped
        }
        Engine::Webjs => {
            let user = group.id.split('@').next().unwrap_or_default();
            let mut shaped = json!({
                "id": {"server": "g.us", "user": user, "_serialized": group.id},
                "name": group.subject,
                "isGroup": true,
                "timestamp": group.creation,
            });
            if with_participants {
                shaped["groupMetadata"] =
                    json!({"subject": group.subject, "participants": group.participants_v2()});
            }
            shaped
        }
    }
}

/// One group, found by its id.
async fn found<R>(
    call: &Call,
    session: &str,
    id: &str,
    read: impl FnOnce(&Group) -> R,
) -> Result<R, WahaError> {
    call.working(session).await?;
    call.with_phone(session, |content| content.group(id).map(read))?
        .ok_or_else(|| WahaError::exception("Error", "item-not-found"))
}

pub(super) async fn list(Extension(call): Called, Path(session): Path<String>) -> Answer {
    let (limit, offset) = (call.number("limit", usize::MAX)?, call.number("offset", 0)?);
    call.working(&session).await?;
    let with_participants = !call
        .query("exclude")
        .is_some_and(|left_out| left_out.contains("participants"));
    let engine = call.sim.options.engine;
    let groups = call.with_phone(&session, |content| {
        let page = content.groups.iter().skip(offset).take(limit);
        page.map(|group| (group.id.clone(), shape(engine, group, with_participants)))
            .collect::<Vec<_>>()
    })?;
    // NOWEB gives an object by id, the others a list.
    Ok(ok(&match engine {
        Engine::Noweb => groups.into_iter().collect(),
        Engine::Gows | Engine::Webjs => groups.into_iter().map(|(_, group)| group).collect(),
    }))
}

pub(super) async fn count(Extension(call): Called, Path(session): Path<String>) -> Answer {
    call.working(&session).await?;
    let count = call.with_phone(&session, |content| content.groups.len())?;
    Ok(ok(&json!({"count": count})))
}

pub(super) async fn one(Extension(call): Called, Path((session, id)): Path<(String, String)>) -> Answer {
    let engine = call.sim.options.engine;
    Ok(ok(&found(&call, &session, &id, |group| {
        shape(engine, group, true)
    })
    .await?))
}

pub(super) async fn participants(
    Extension(call): Called,
    Path((session, id)): Path<(String, String)>,
) -> Answer {
    let participants = found(&call, &session, &id, |group| {
        group.to_noweb(true)["participants"].take()
    })
    .await?;
    Ok(ok(&participants))
}

pub(super) async fn participants_v2(
    Extension(call): Called,
    Path((session, id)): Path<(String, String)>,
) -> Answer {
    Ok(ok(&found(&call, &session, &id, Group::participants_v2).await?))
}

pub(super) async fn invite_code(
    Extension(call): Called,
    Path((session, id)): Path<(String, String)>,
) -> Answer {
    let code = found(&call, &session, &id, |group| {
        let digits: String = group.id.chars().filter(char::is_ascii_digit).collect();
        format!("INVITE{digits}")
    })
    .await?;
    Ok(html(code))
}
