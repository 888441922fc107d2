//! `GET /api/waha/sessions/{sessionId}/qr` and `POST …/pairing-code`

use std::time::Duration;

use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, HeaderValue, header},
    response::{IntoResponse, Response},
};
use data_encoding::BASE64;
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use wahana_domain::{PhoneNumber, SessionStatus, Timestamp};
use wahana_service::{
    FieldErrors,
    access::ManageSessions,
    sessions::{self, QrCode, QrState},
};

use super::SessionMeta;
use crate::{
    envelope::Envelope,
    error::{ApiError, ErrorBody},
    extract::{Allowed, Json, OfSession, Query},
    qr_image,
    state::ApiState,
};

/// How long to wait for a code.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct QrQuery {
    /// How many seconds to wait for a code while the session starts.
    #[param(value_type = Option<u32>, minimum = 0, maximum = 20, default = 0)]
    wait: Option<i64>,
}

/// What can be shown to whoever wants to pair the session.
#[derive(Serialize, ToSchema)]
pub(crate) struct QrResource {
    /// Whether the session is paired and connected; then there is no code.
    connected: bool,
    #[schema(value_type = String)]
    status: SessionStatus,
    /// `image/png`, when there is a code.
    mimetype: Option<&'static str>,
    /// The code as a picture, in base64.
    data: Option<String>,
    /// The text that the code is a picture of.
    value: Option<String>,
    /// When the next code takes its place, about.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
    /// The same as `value`: null while the session starts.
    qr_code: Option<String>,
    /// While the session starts: after how many seconds to ask again.
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after: Option<u64>,
}

/// Which phone will be paired.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RequestPairingCode {
    /// In E.164, or national if the organization has set its country.
    phone_number: String,
}

/// A code to be typed on the phone.
#[derive(Serialize, ToSchema)]
pub(crate) struct PairingCodeResource<'a> {
    code: &'a str,
}

const MAX_WAIT: u64 = 20;
const PNG: HeaderValue = HeaderValue::from_static("image/png");

/// The code to be scanned, as JSON or, for `Accept: image/png`, the picture itself.
#[utoipa::path(
    get, path = "/api/waha/sessions/{sessionId}/qr", operation_id = "sessions.qr", tag = "sessions",
    params(("sessionId" = String, Path, description = "The session's name or id"), QrQuery),
    responses((status = OK, body = Envelope<QrResource, SessionMeta>), (status = "4XX", body = ErrorBody)),
)]
pub(crate) async fn qr(
    State(state): State<ApiState>,
    allowed: Allowed<OfSession, ManageSessions>,
    Query(query): Query<QrQuery>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let wait = query
        .wait
        .map_or(Ok(0), u64::try_from)
        .ok()
        .filter(|wait| *wait <= MAX_WAIT);
    let wait = wait.ok_or_else(|| FieldErrors::one("wait", format!("must be from 0 to {MAX_WAIT}")))?;
    let news = sessions::qr(
        state.services(),
        &allowed.access,
        &allowed.found,
        Duration::from_secs(wait),
    )
    .await?;
    let status = news.status;
    let resource = match news.state {
        QrState::Code(code) => {
            let picture = qr_image::png(code.value.expose_secret())
                .map_err(|error| ApiError::internal(format!("a QR code cannot be drawn: {error}")))?;
            if wants_png(&headers) {
                return Ok(([(header::CONTENT_TYPE, PNG)], Body::from(picture)).into_response());
            }
            QrResource::of_code(status, &code, &picture)
        }
        QrState::Connected => QrResource {
            connected: true,
            ..QrResource::without_code(status)
        },
        QrState::Starting(retry_after) => QrResource {
            retry_after: Some(retry_after.as_secs()),
            ..QrResource::without_code(status)
        },
    };
    let message = match (&resource.value, resource.connected) {
        (Some(_), _) => "Scan this code with WhatsApp on the phone.",
        (None, true) => "The session is connected already.",
        (None, false) => "The session is starting; ask again for its code.",
    };
    let meta = SessionMeta::of(&news.sync, state.services().now());
    Ok(allowed.reply(message, resource).with_meta(meta).into_response())
}

impl QrResource {
    const fn without_code(status: SessionStatus) -> Self {
        Self {
            connected: false,
            status,
            mimetype: None,
            data: None,
            value: None,
            qr_code: None,
            expires_at: None,
            retry_after: None,
        }
    }

    fn of_code(status: SessionStatus, code: &QrCode, picture: &[u8]) -> Self {
        Self {
            mimetype: Some("image/png"),
            data: Some(BASE64.encode(picture)),
            value: Some(code.value.expose_secret().to_owned()),
            qr_code: Some(code.value.expose_secret().to_owned()),
            expires_at: Some(code.expires_at),
            ..Self::without_code(status)
        }
    }
}

/// Whether the caller names PNG and not JSON: a picture is what they ask for.
fn wants_png(headers: &HeaderMap) -> bool {
    let accepted = headers
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .unwrap_or("");
    accepted
        .split(',')
        .any(|range| range.trim().starts_with("image/png"))
}

/// A code to be typed on the phone instead of scanning one.
#[utoipa::path(
    post, path = "/api/waha/sessions/{sessionId}/pairing-code", operation_id = "sessions.pairing_code",
    tag = "sessions", params(("sessionId" = String, Path, description = "The session's name or id")),
    request_body = RequestPairingCode,
    responses((status = OK, body = Envelope<PairingCodeResource>), (status = "4XX", body = ErrorBody)),
)]
pub(crate) async fn pairing_code(
    State(state): State<ApiState>,
    allowed: Allowed<OfSession, ManageSessions>,
    Json(body): Json<RequestPairingCode>,
) -> Result<Response, ApiError> {
    let country = allowed.access.organization().country;
    let number = PhoneNumber::parse_in(&body.phone_number, country)
        .map_err(|fault| FieldErrors::one("phone_number", fault))?;
    let code = sessions::pairing_code(state.services(), &allowed.access, &allowed.found, &number).await?;
    let resource = PairingCodeResource {
        code: code.0.expose_secret(),
    };
    Ok(allowed
        .reply("Type this code on the phone.", resource)
        .into_response())
}
