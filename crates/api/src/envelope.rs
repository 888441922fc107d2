//! The shape of every success.

use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;
use wahana_domain::Timestamp;

use crate::{
    error::ApiError,
    json::{self, JsonError},
    request::RequestScope,
};

/// The shape of every success.
#[derive(Serialize, ToSchema)]
pub(crate) struct Envelope<'a, T, M = Nothing> {
    /// Always `true`.
    pub(crate) success: bool,
    /// What was done, for people.
    pub(crate) message: &'a str,
    pub(crate) data: T,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) pagination: Option<Pagination>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) meta: Option<M>,
    #[schema(value_type = String, format = DateTime)]
    pub(crate) timestamp: Timestamp,
    pub(crate) request_id: &'a str,
}

/// What a success says that has nothing to tell: null.
#[derive(Serialize, ToSchema)]
pub(crate) struct Nothing;

/// Which part of a list is on the page.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub(crate) struct Pagination {
    current_page: u64,
    last_page: u64,
    per_page: u64,
    total: u64,
    /// The number of the first thing on the page, from 1; null if the page is empty.
    from: Option<u64>,
    /// The number of the last thing on the page; null if the page is empty.
    to: Option<u64>,
    has_more_pages: bool,
}

impl Pagination {
    /// Of page `current_page` with `on_page` things on it.
    pub(crate) fn of(current_page: u64, per_page: u64, total: u64, on_page: usize) -> Self {
        let on_page = u64::try_from(on_page).unwrap_or(u64::MAX);
        let first = (current_page - 1).saturating_mul(per_page) + 1;
        let last_page = total.div_ceil(per_page).max(1);
        Self {
            current_page,
            last_page,
            per_page,
            total,
            from: (on_page > 0).then_some(first),
            to: (on_page > 0).then(|| first + on_page - 1),
            has_more_pages: current_page < last_page,
        }
    }
}

/// A success on its way to the caller.
pub(crate) struct Reply<'a, T, M = ()> {
    status: StatusCode,
    /// How long the body is expected to be, in bytes.
    expected_length: usize,
    envelope: Envelope<'a, T, M>,
}

impl<'a, T: Serialize> Reply<'a, T> {
    pub(crate) fn new(scope: &'a RequestScope, message: &'a str, data: T) -> Self {
        Self {
            status: StatusCode::OK,
            expected_length: EXPECTED_LENGTH,
            envelope: Envelope {
                success: true,
                message,
                data,
                pagination: None,
                meta: None,
                timestamp: scope.begun_at(),
                request_id: &scope.origin().request_id,
            },
        }
    }

    pub(crate) fn with_meta<M: Serialize>(self, meta: M) -> Reply<'a, T, M> {
        let Envelope {
            success,
            message,
            data,
            pagination,
            timestamp,
            request_id,
            ..
        } = self.envelope;
        Reply {
            status: self.status,
            expected_length: self.expected_length,
            envelope: Envelope {
                success,
                message,
                data,
                pagination,
                meta: Some(meta),
                timestamp,
                request_id,
            },
        }
    }
}

impl<T: Serialize, M: Serialize> Reply<'_, T, M> {
    pub(crate) fn with_pagination(mut self, pagination: Pagination) -> Self {
        self.envelope.pagination = Some(pagination);
        self
    }

    /// With so much more in it than an answer about one thing: a body that grows as it is written is
    /// copied again and again.
    pub(crate) const fn with_expected_length(mut self, more: usize) -> Self {
        self.expected_length = self.expected_length.saturating_add(more);
        self
    }

    pub(crate) fn with_status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    pub(crate) fn created(self) -> Self {
        self.with_status(StatusCode::CREATED)
    }
}

/// How long a body is expected to be; it grows from there.
const EXPECTED_LENGTH: usize = 1024;

impl<T: Serialize, M: Serialize> Reply<'_, T, M> {
    /// The body, as it is sent.
    pub(crate) fn body(&self) -> Result<Vec<u8>, JsonError> {
        let mut body = Vec::with_capacity(self.expected_length);
        json::write(&mut body, &self.envelope)?;
        Ok(body)
    }
}

impl<T: Serialize, M: Serialize> IntoResponse for Reply<'_, T, M> {
    fn into_response(self) -> Response {
        let body = match self.body() {
            Ok(body) => body,
            Err(error) => {
                return ApiError::internal(format!("an answer cannot be written: {error}")).into_response();
            }
        };
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = self.status;
        response
            .headers_mut()
            .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_numbered_from_one_and_an_empty_one_has_no_numbers() {
        let second = Pagination::of(2, 15, 20, 5);
        assert_eq!(
            (second.from, second.to, second.last_page),
            (Some(16), Some(20), 2)
        );
        assert!(!second.has_more_pages);
        let beyond = Pagination::of(7, 15, 20, 0);
        assert_eq!(
            (beyond.from, beyond.to, beyond.has_more_pages),
            (None, None, false)
        );
        let none = Pagination::of(1, 15, 0, 0);
        assert_eq!((none.last_page, none.from, none.total), (1, None, 0));
    }
}
