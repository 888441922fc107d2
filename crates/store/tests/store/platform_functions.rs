//! The whole list of what sees more than one organization.

/// The sources of `PlatformTx`.
const SOURCES: [(&str, &str); 24] = [
    ("mod", include_str!("../../src/platform/mod.rs")),
    ("erasures", include_str!("../../src/platform/erasures.rs")),
    ("events", include_str!("../../src/platform/events.rs")),
    ("exports", include_str!("../../src/platform/exports.rs")),
    ("hooks", include_str!("../../src/platform/hooks.rs")),
    ("identities", include_str!("../../src/platform/identities.rs")),
    ("jobs", include_str!("../../src/platform/jobs.rs")),
    ("leases", include_str!("../../src/platform/leases.rs")),
    ("leftovers", include_str!("../../src/platform/leftovers.rs")),
    ("media", include_str!("../../src/platform/media.rs")),
    ("messages", include_str!("../../src/platform/messages.rs")),
    (
        "organization_events",
        include_str!("../../src/platform/organization_events.rs"),
    ),
    (
        "organizations",
        include_str!("../../src/platform/organizations.rs"),
    ),
    ("people", include_str!("../../src/platform/people.rs")),
    ("placement", include_str!("../../src/platform/placement.rs")),
    ("processes", include_str!("../../src/platform/processes.rs")),
    ("retention", include_str!("../../src/platform/retention.rs")),
    ("secrets", include_str!("../../src/platform/secrets.rs")),
    ("servers", include_str!("../../src/platform/servers.rs")),
    ("sessions", include_str!("../../src/platform/sessions.rs")),
    ("standing", include_str!("../../src/platform/standing.rs")),
    ("tokens", include_str!("../../src/platform/tokens.rs")),
    ("upkeep", include_str!("../../src/platform/upkeep.rs")),
    ("webhooks", include_str!("../../src/platform/webhooks.rs")),
];

/// A line is added here when a function truly cannot be one of a `TenantTx`.
const FUNCTIONS: &str = "
mod::audit_entries
mod::commit
mod::now
mod::record
mod::tenant
erasures::begin_organization_erasure
erasures::count_erased_rows
erasures::delete_of_organization
erasures::end_media_of_organization
erasures::finish_organization_erasure
erasures::forget_organization
erasures::has_leftovers
erasures::is_organization_sending
erasures::is_waha_name_erased
erasures::organization_erasure
erasures::set_organization_erasure_wait
events::sessions_with_waiting_events
events::store_events
exports::give_up_export
hooks::begin_event_gap
hooks::hooked_servers
hooks::hooked_sessions
hooks::note_server_event
hooks::raise_hook_versions
identities::identity_of_access_token
identities::identity_of_platform_token
identities::identity_of_sign_in
identities::memberships_of
jobs::claim_job
jobs::enqueue
jobs::expired_jobs
jobs::extend_job
jobs::fail_job
jobs::finish_job
jobs::has_open_job
jobs::holds_job
jobs::job
jobs::job_counts
jobs::jobs
jobs::postpone_job
jobs::retry_job
leases::holds_lease
leases::release_lease
leases::renew_lease
leases::standing_lease
leases::take_lease
leases::take_standing_lease
leftovers::due_leftovers
media::end_abandoned_media
media::end_old_media
media::end_oldest_media
media::ended_media
media::forget_ended_media
media::known_storage_keys
media::media_bytes
media::waiting_media_bytes
messages::sessions_with_due_messages
organization_events::last_event_numbers
organizations::insert_membership
organizations::insert_organization
organizations::is_member
organizations::organization
organizations::organization_count
organizations::organizations
organizations::organizations_named
organizations::rename_organization
organizations::set_organization_limits
organizations::set_organization_state
people::insert_password_reset
people::insert_sign_in
people::insert_user
people::invitation
people::password
people::revoke_sign_in
people::revoke_sign_ins
people::set_password
people::update_user
people::use_invitation
people::use_password_reset
people::user
people::user_by_email
people::user_count
people::users
placement::with_place
processes::processes
processes::remove_process
processes::see_process
retention::delete_audit_entries
retention::delete_ended_deliveries
retention::delete_ended_erasures
retention::delete_ended_password_resets
retention::delete_ended_sign_ins
retention::delete_exports
retention::delete_finished_jobs
retention::delete_idempotency_keys
retention::delete_message_usage
retention::delete_messages
retention::delete_organization_events
retention::delete_session_activity
retention::delete_session_transitions
retention::delete_settled_events
retention::delete_silent_processes
retention::delete_told_texts
retention::delete_unkept_contents
retention::forget_erased_messages
retention::forget_erased_waha_names
retention::forget_unkept_answers
secrets::keys_in_use
secrets::reencrypt_secrets
servers::insert_server
servers::remove_server
servers::server
servers::servers
servers::set_last_snapshot
servers::update_server
sessions::session
sessions::session_changes
sessions::sessions_on_server
sessions::waha_names_on_server
standing::last_snapshots
standing::oldest_waiting_event
standing::session_counts
tokens::insert_platform_token
tokens::platform_tokens
tokens::revoke_platform_token
tokens::touch_tokens
upkeep::servers_in_care
upkeep::sessions_in_need
upkeep::upkeep_on_server
webhooks::endpoints_with_due_deliveries
webhooks::endpoints_with_stranded_deliveries
webhooks::organizations_with_new_events
webhooks::waiting_deliveries
";

/// The public functions of a source, and whether each has a comment for its users.
fn functions(source: &str) -> Vec<(&str, bool)> {
    let lines: Vec<&str> = source.lines().map(str::trim).collect();
    let mut found = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let Some(rest) = ["pub async fn ", "pub const fn ", "pub fn "]
            .iter()
            .find_map(|start| line.strip_prefix(start))
        else {
            continue;
        };
        let above = lines[..index].iter().rev().find(|line| !line.starts_with("#["));
        let name = rest.split(['(', '<']).next().unwrap_or(rest);
        found.push((name, above.is_some_and(|line| line.starts_with("///"))));
    }
    found.sort_unstable();
    found
}

#[test]
fn the_functions_that_see_every_organization_are_these_and_each_says_why() {
    let mut listed = String::from("\n");
    for (module, source) in SOURCES {
        for (name, has_comment) in functions(source) {
            assert!(has_comment, "{module}::{name} has no comment");
            listed.extend([module, "::", name, "\n"]);
        }
    }
    assert_eq!(listed, FUNCTIONS);
}

#[test]
fn every_source_of_theirs_is_looked_at() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/platform");
    assert_eq!(std::fs::read_dir(folder).unwrap().count(), SOURCES.len());
}
