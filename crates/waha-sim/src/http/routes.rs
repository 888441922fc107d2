//! Which path leads where.

use axum::{
    Router, middleware,
    routing::{get, post, put},
};

use super::{around, chats, contacts, groups, keys, legacy, pairing, sending, server, sessions};

/// WAHA's paths, each counted, guarded and open to faults.
pub(crate) fn router() -> Router {
    Router::new()
        .merge(server_routes())
        .merge(session_routes())
        .merge(sending_routes())
        .merge(chat_routes())
        .merge(contact_and_group_routes())
        .fallback(server::no_route)
        .method_not_allowed_fallback(server::no_route)
        .layer(middleware::from_fn(around))
}

fn server_routes() -> Router {
    Router::new()
        .route("/ping", get(server::ping))
        .route("/health", get(server::health))
        .route("/api/version", get(server::version))
        .route("/api/server/version", get(server::version))
        .route("/api/server/status", get(server::status))
        .route("/api/server/environment", get(server::environment))
        .route("/api/server/stop", post(server::stop))
        .route("/api/apps", get(server::apps))
        .route("/api/files/{session}/{file}", get(server::file))
        .route("/api/keys", get(keys::list).post(keys::create))
        .route("/api/keys/{id}", put(keys::update).delete(keys::delete))
}

fn session_routes() -> Router {
    Router::new()
        .route("/api/sessions", get(sessions::list).post(sessions::create))
        .route("/api/sessions/start", post(legacy::start))
        .route("/api/sessions/stop", post(legacy::stop))
        .route("/api/sessions/logout", post(legacy::logout))
        .route(
            "/api/sessions/{session}",
            get(sessions::get).put(sessions::update).delete(sessions::delete),
        )
        .route("/api/sessions/{session}/me", get(sessions::me))
        .route("/api/sessions/{session}/timelock", get(sessions::time_lock))
        .route("/api/sessions/{session}/capping", get(sessions::capping))
        .route("/api/sessions/{session}/start", post(sessions::start))
        .route("/api/sessions/{session}/stop", post(sessions::stop))
        .route("/api/sessions/{session}/restart", post(sessions::restart))
        .route("/api/sessions/{session}/logout", post(sessions::logout))
        .route("/api/{session}/auth/qr", get(pairing::qr_code))
        .route("/api/{session}/auth/request-code", post(pairing::request_code))
        .route(
            "/api/{session}/auth/passkey/challenge",
            get(pairing::passkey_challenge),
        )
        .route("/api/{session}/auth/passkey", post(pairing::passkey_answer))
        .route(
            "/api/{session}/auth/passkey/confirmation",
            get(pairing::passkey_confirmation),
        )
        .route(
            "/api/{session}/auth/passkey/confirm",
            post(pairing::passkey_confirm),
        )
        .route("/api/screenshot", get(pairing::screenshot))
}

fn sending_routes() -> Router {
    Router::new()
        .route("/api/sendText", post(sending::text).get(sending::text_by_query))
        .route("/api/sendImage", post(sending::image))
        .route("/api/sendFile", post(sending::file))
        .route("/api/sendVoice", post(sending::voice))
        .route("/api/sendVideo", post(sending::video))
        .route("/api/sendLocation", post(sending::location))
        .route("/api/sendPoll", post(sending::poll))
        .route("/api/sendContactVcard", post(sending::contact_vcard))
        .route("/api/reaction", put(sending::reaction))
        .route("/api/sendSeen", post(sending::seen))
        .route("/api/startTyping", post(sending::start_typing))
        .route("/api/stopTyping", post(sending::stop_typing))
        .route("/api/forwardMessage", post(sending::forward))
        .route("/api/{session}/new-message-id", get(sending::new_message_id))
}

fn chat_routes() -> Router {
    Router::new()
        .route("/api/{session}/chats", get(chats::list))
        .route(
            "/api/{session}/chats/overview",
            get(chats::overview).post(chats::overview_by_body),
        )
        .route("/api/{session}/chats/{chat}/messages", get(chats::messages))
        .route("/api/{session}/chats/{chat}/messages/read", post(chats::read))
        .route(
            "/api/{session}/chats/{chat}/messages/{message}",
            get(chats::message),
        )
        .route("/api/{session}/chats/{chat}/picture", get(chats::picture))
        .route("/api/messages", get(chats::messages_by_query))
}

fn contact_and_group_routes() -> Router {
    Router::new()
        .route("/api/contacts/all", get(contacts::all))
        .route("/api/contacts", get(contacts::one_by_query))
        .route("/api/contacts/check-exists", get(contacts::check_exists))
        .route("/api/checkNumberStatus", get(contacts::check_exists))
        .route("/api/contacts/profile-picture", get(contacts::picture))
        .route("/api/{session}/contacts/{contact}", get(contacts::one))
        .route("/api/{session}/profile", get(contacts::profile))
        .route(
            "/api/{session}/presence",
            get(contacts::presences).post(contacts::set_presence),
        )
        .route("/api/{session}/presence/{chat}", get(contacts::presence))
        .route("/api/{session}/lids", get(contacts::lids))
        .route("/api/{session}/lids/count", get(contacts::lid_count))
        .route("/api/{session}/labels", get(contacts::none))
        .route("/api/{session}/channels", get(contacts::none))
        .route("/api/{session}/groups", get(groups::list))
        .route("/api/{session}/groups/count", get(groups::count))
        .route("/api/{session}/groups/{group}", get(groups::one))
        .route(
            "/api/{session}/groups/{group}/participants",
            get(groups::participants),
        )
        .route(
            "/api/{session}/groups/{group}/participants/v2",
            get(groups::participants_v2),
        )
        .route(
            "/api/{session}/groups/{group}/invite-code",
            get(groups::invite_code),
        )
}
