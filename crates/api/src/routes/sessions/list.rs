//! `GET /api/waha/sessions`

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use wahana_domain::{HealthStatus, OrganizationId, StatusFilter};
use wahana_service::{
    FieldErrors,
    access::ReadSessions,
    sessions::{self, SessionQuery, SessionSort},
};

use super::{SessionResource, SyncMeta};
use crate::{
    envelope::{Envelope, Pagination},
    error::{ApiError, ErrorBody},
    extract::{Allowed, OfOrganization, Page, Query},
    state::ApiState,
};

/// Which sessions are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListSessions {
    /// Which page, from 1.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 1_000_000, default = 1)]
    page: Option<i64>,
    /// How many on a page.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 100, default = 15)]
    per_page: Option<i64>,
    /// What must occur in name, display name, phone number or business name.
    #[param(max_length = 100)]
    search: Option<String>,
    /// A status, or a group: `all`, `connected`, `connecting` (also `scan_qr` and `action_required`),
    /// `disconnected`, `error`.
    status: Option<String>,
    /// `healthy`, `warning`, `critical` or `unknown`.
    health_status: Option<String>,
    /// `created_at`, `updated_at`, `session_name`, `display_name`, `status` or `last_message_at`.
    #[param(default = "created_at")]
    sort_by: Option<String>,
    /// `asc` or `desc`.
    #[param(default = "desc")]
    sort_direction: Option<String>,
}

/// What the list says besides the sessions.
#[derive(Serialize, ToSchema)]
pub(crate) struct ListMeta<'a> {
    organization: OrganizationName<'a>,
    sync: SyncMeta,
}

/// Whose sessions they are.
#[derive(Serialize, ToSchema)]
pub(crate) struct OrganizationName<'a> {
    #[schema(value_type = String, format = Uuid)]
    id: OrganizationId,
    name: &'a str,
}

const MAX_SEARCH: usize = 100;
/// How long a session is in an answer, in bytes, if people wrote something about it.
const EXPECTED_LENGTH: usize = 1024;

impl ListSessions {
    fn check(self) -> Result<(Page, SessionQuery), FieldErrors> {
        let mut errors = FieldErrors::default();
        let page = Page::check(self.page, self.per_page, &mut errors);
        let status = self
            .status
            .map(|text| errors.take("status", text.parse::<StatusFilter>()));
        let health = self
            .health_status
            .map(|text| errors.take("health_status", text.parse::<HealthStatus>()));
        let sort = match self.sort_by.as_deref() {
            None => Some(SessionSort::CreatedAt),
            Some(word) => errors.take("sort_by", sort(word)),
        };
        let descending = match self.sort_direction.as_deref() {
            None | Some("desc") => true,
            Some("asc") => false,
            Some(_) => {
                errors.add("sort_direction", "must be asc or desc");
                true
            }
        };
        let search = self
            .search
            .map(|search| search.trim().to_owned())
            .filter(|search| !search.is_empty());
        if search
            .as_ref()
            .is_some_and(|search| search.chars().count() > MAX_SEARCH)
        {
            errors.add("search", format!("must be at most {MAX_SEARCH} characters long"));
        }
        let complete = page.zip(sort).map(|(page, sort)| {
            let query = SessionQuery {
                search,
                status: status.flatten().unwrap_or(StatusFilter::All),
                health: health.flatten(),
                sort,
                descending,
                page: page.number,
                per_page: page.size,
                only: None,
            };
            (page, query)
        });
        errors.finish(complete)
    }
}

fn sort(word: &str) -> Result<SessionSort, String> {
    let found = SessionSort::ALL
        .iter()
        .find(|(name, _)| *name == word)
        .map(|(_, sort)| *sort);
    found.ok_or_else(|| {
        let words: Vec<_> = SessionSort::ALL.iter().map(|(name, _)| *name).collect();
        format!("must be one of {}", words.join(", "))
    })
}

/// The organization's sessions, as new as WAHA allows.
#[utoipa::path(
    get, path = "/api/waha/sessions", operation_id = "sessions.list", tag = "sessions", params(ListSessions),
    responses((status = OK, body = Envelope<Vec<SessionResource>, ListMeta>), (status = "4XX", body = ErrorBody)),
)]
pub(crate) async fn list(
    State(state): State<ApiState>,
    allowed: Allowed<OfOrganization, ReadSessions>,
    Query(query): Query<ListSessions>,
) -> Result<Response, ApiError> {
    let (page, query) = query.check()?;
    let services = state.services();
    let query = SessionQuery {
        only: allowed.access.session_limit(),
        ..query
    };
    let listing = sessions::list(services, &allowed.access, &query).await?;
    let resources: Vec<SessionResource<'_>> = listing
        .sessions
        .iter()
        .map(|session| SessionResource::of(session, sessions::synced_at(services, session)))
        .collect();
    let organization = allowed.access.organization();
    let meta = ListMeta {
        organization: OrganizationName {
            id: organization.id,
            name: &organization.name,
        },
        sync: SyncMeta::of(&listing.sync, services.now()),
    };
    let pagination = Pagination::of(page.number, page.size, listing.total, resources.len());
    let expected_length = resources.len() * EXPECTED_LENGTH;
    Ok(allowed
        .reply("Sessions retrieved.", resources)
        .with_expected_length(expected_length)
        .with_pagination(pagination)
        .with_meta(meta)
        .into_response())
}
