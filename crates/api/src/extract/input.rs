//! Query strings.

use axum::{
    extract::{FromRequestParts, MatchedPath},
    http::request::Parts,
};
use serde::{Deserialize, de::DeserializeOwned};
use utoipa::IntoParams;
use wahana_domain::InvalidText;
use wahana_service::FieldErrors;

use crate::{error::ApiError, state::ApiState};

/// The query string, strictly: unknown, repeated and faulty parameters are 422. So are texts with a zero
/// character, whatever they are for: PostgreSQL can neither store nor compare them.
#[derive(Debug)]
pub(crate) struct Query<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequestParts<ApiState> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &ApiState) -> Result<Self, ApiError> {
        let query = parts.uri.query().unwrap_or_default();
        let with_zero = url::form_urlencoded::parse(query.as_bytes()).find(|(_, value)| value.contains('\0'));
        if let Some((name, _)) = with_zero {
            return Err(FieldErrors::one(&name, InvalidText::ControlCharacter).into());
        }
        let deserializer = serde_urlencoded::Deserializer::new(url::form_urlencoded::parse(query.as_bytes()));
        match serde_path_to_error::deserialize(deserializer) {
            Ok(value) => Ok(Self(value)),
            Err(error) => {
                let text = error.inner().to_string();
                let named = text.split('`').nth(1).filter(|_| text.contains("field `"));
                let path = error.path().to_string();
                let field = named.map_or(path, str::to_owned);
                let fault = if text.starts_with("unknown field") {
                    "is not a parameter of this request".to_owned()
                } else if text.starts_with("duplicate field") {
                    "is given twice".to_owned()
                } else if text.starts_with("missing field") {
                    "is required".to_owned()
                } else {
                    "has a value of the wrong kind".to_owned()
                };
                Err(FieldErrors::one(&field, fault).into())
            }
        }
    }
}

/// Refuses a query that the operation does not take, also where no route reads it: whoever sends one
/// believes that it does something.
pub(super) fn refuse_unknown_parameters(parts: &Parts, state: &ApiState) -> Result<(), ApiError> {
    let (Some(query), Some(route)) = (parts.uri.query(), parts.extensions.get::<MatchedPath>()) else {
        return Ok(());
    };
    match state
        .operations()
        .unknown_parameter(&parts.method, route.as_str(), query)
    {
        Some(name) => Err(FieldErrors::one(&name, "is not a parameter of this request").into()),
        None => Ok(()),
    }
}

/// Which page of a list that wahana keeps.
#[derive(Clone, Copy, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Paging {
    /// Which page, from 1.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 1_000_000, default = 1)]
    page: Option<i64>,
    /// How many on a page.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 100, default = 15)]
    per_page: Option<i64>,
}

/// A page within bounds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Page {
    pub(crate) number: u64,
    pub(crate) size: u64,
}

/// How many of a list that has a cursor, within bounds.
pub(crate) fn limit(given: Option<i64>, errors: &mut FieldErrors) -> Option<u64> {
    errors.take("limit", within(given, DEFAULT_LIMIT, MAX_PAGE_SIZE))
}

const DEFAULT_LIMIT: u64 = 50;
const DEFAULT_PAGE_SIZE: u64 = 15;
const MAX_PAGE_SIZE: u64 = 100;
const MAX_PAGE: u64 = 1_000_000;

impl Paging {
    /// Checks both numbers.
    pub(crate) fn check(self) -> Result<Page, ApiError> {
        let mut errors = FieldErrors::default();
        let page = Page::check(self.page, self.per_page, &mut errors);
        Ok(errors.finish(page)?)
    }
}

impl Page {
    /// Checks both numbers of a request that has other parameters too.
    pub(crate) fn check(page: Option<i64>, per_page: Option<i64>, errors: &mut FieldErrors) -> Option<Self> {
        let number = errors.take("page", within(page, 1, MAX_PAGE));
        let size = errors.take("per_page", within(per_page, DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE));
        Some(Self {
            number: number?,
            size: size?,
        })
    }

    pub(crate) const fn offset(self) -> u64 {
        (self.number - 1) * self.size
    }
}

/// A number within bounds, or the default.
pub(crate) fn within(given: Option<i64>, default: u64, max: u64) -> Result<u64, String> {
    let Some(given) = given else { return Ok(default) };
    let in_bounds = u64::try_from(given)
        .ok()
        .filter(|number| (1..=max).contains(number));
    in_bounds.ok_or_else(|| format!("must be from 1 to {max}"))
}
