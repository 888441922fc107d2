//! `GET /media/…`: files by links that need no credential, for as long as they are valid.
//!
//! Links are made by wahana and opened as they are, so they are no part of the API's description.

use axum::{
    Router,
    extract::{Path, RawQuery, State, rejection::PathRejection},
    http::{HeaderMap, HeaderValue, header},
    response::Response,
    routing::get,
};
use wahana_service::media::{MediaLink, PresentedMediaLink, open_link};

use crate::{error::ApiError, file_response::file_response, state::ApiState};

/// Whoever the file leads to must not learn the link.
const NO_REFERRER: HeaderValue = HeaderValue::from_static("no-referrer");

pub(super) fn router() -> Router<ApiState> {
    Router::new().route("/media/{organization}/{file}", get(open))
}

async fn open(
    State(state): State<ApiState>,
    path: Result<Path<(String, String)>, PathRejection>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let Path((organization, file)) = path.map_err(|_| ApiError::nothing_here())?;
    let query = query.unwrap_or_default();
    let (expires, signature) = parameters(&query).ok_or_else(ApiError::nothing_here)?;
    let presented = PresentedMediaLink {
        link: MediaLink {
            organization: organization.parse().map_err(|_| ApiError::nothing_here())?,
            file: file.parse().map_err(|_| ApiError::nothing_here())?,
            expires,
        },
        signature,
    };
    let media = open_link(state.services(), presented).await?;
    let mut response = file_response(state.services(), &media, &headers).await?;
    response
        .headers_mut()
        .insert(header::REFERRER_POLICY, NO_REFERRER);
    Ok(response)
}

/// The two parameters of a link, in the order in which they were written and nothing else.
fn parameters(query: &str) -> Option<(i64, &str)> {
    let (expires, signature) = query.split_once('&')?;
    let expires = expires.strip_prefix("expires=")?.parse().ok()?;
    Some((expires, signature.strip_prefix("signature=")?))
}
