//! `/api/platform`: for those who operate the installation.

mod audit;
mod erasures;
mod organizations;
mod servers;
mod sessions;
mod tokens;
mod users;

use utoipa_axum::{router::OpenApiRouter, routes};

use crate::state::ApiState;

pub(super) fn described() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(audit::list))
        .routes(routes!(organizations::list, organizations::create))
        .routes(routes!(organizations::get, organizations::update))
        .routes(routes!(organizations::close))
        .routes(routes!(erasures::create, erasures::get))
        .routes(routes!(organizations::resume))
        .routes(routes!(organizations::suspend))
        .routes(routes!(servers::list, servers::create))
        .routes(routes!(servers::get, servers::update, servers::remove))
        .routes(routes!(servers::bind))
        .routes(routes!(servers::check))
        .routes(routes!(servers::drain))
        .routes(routes!(servers::hook))
        .routes(routes!(servers::pause))
        .routes(routes!(servers::resume))
        .routes(routes!(servers::unbind))
        .routes(routes!(servers::undrain))
        .routes(routes!(sessions::assign))
        .routes(routes!(sessions::move_to))
        .routes(routes!(sessions::unassigned))
        .routes(routes!(tokens::list, tokens::create))
        .routes(routes!(tokens::revoke))
        .routes(routes!(users::list, users::create))
        .routes(routes!(users::get))
        .routes(routes!(users::add_membership))
        .routes(routes!(users::disable))
        .routes(routes!(users::enable))
        .routes(routes!(users::set_password))
}
