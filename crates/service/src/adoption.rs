//! Sessions that were on a WAHA server before wahana was: seeing those that belong to nobody, and
//! giving them to organizations. Nothing changes on WAHA.

use std::collections::HashMap;

use waha_client::WahaSession;
use wahana_domain::{
    AuditOutcome, BusinessProfile, DesiredStatus, OrganizationId, OrganizationState, PhoneNumber, ServerId,
    Session, SessionConfiguration, SessionCounters, SessionId, SessionName, SessionOrigin, SessionStatus,
    Timestamp, WahaAddress, WahaName,
};
use wahana_store::{StoreError, Tenant, organizations, sessions as stored};

use crate::{Operator, ServiceError, Services, audit, sync::observation, upstream::unreadable_for_operator};

/// A session on a WAHA server that belongs to no organization.
#[derive(Clone, Debug)]
pub struct UnassignedSession {
    /// The server.
    pub server_id: ServerId,
    /// The server's name.
    pub server_name: String,
    /// The session's name there.
    pub waha_name: String,
    /// WAHA's word for what it is doing.
    pub waha_status: String,
    /// The number that is paired.
    pub phone_number: Option<PhoneNumber>,
}

/// A session to be given to an organization.
#[derive(Clone, Debug)]
pub struct Assignment {
    /// The server's name.
    pub server: String,
    /// The session's name there.
    pub waha_name: String,
    /// To whom.
    pub organization: OrganizationId,
    /// Its name in that organization.
    pub name: SessionName,
}

/// What became of an assignment, or would.
#[derive(Clone, Debug)]
pub struct AssignmentOutcome {
    /// The assignment.
    pub assignment: Assignment,
    /// The session's id, if it was assigned; why not, if it cannot be; `Ok(None)` if it could be.
    pub outcome: Result<Option<SessionId>, String>,
}

const OPERATION: &str = "platform.sessions.assign";
const CLOSED: &str = "the organization is closed";
const ERASED: &str = "a session with this name was erased with its organization less than three days ago, and WAHA may \
                      still tell of that one";

/// The sessions that belong to nobody, on one server or on all of them.
pub async fn unassigned(
    services: &Services,
    _: &Operator,
    server: Option<&str>,
) -> Result<Vec<UnassignedSession>, ServiceError> {
    let mut found = Vec::new();
    for (id, name) in servers(services, server).await? {
        let listed = list(services, id).await?;
        let tx = services.store.platform_read().await?;
        let assigned = tx.waha_names_on_server(id).await?;
        drop(tx);
        for session in listed
            .sessions
            .iter()
            .filter(|session| !assigned.contains(&session.name))
        {
            let seen = observation(Some(session), listed.asked_at);
            found.push(UnassignedSession {
                server_id: id,
                server_name: name.clone(),
                waha_name: session.name.clone(),
                waha_status: session.status.as_str().to_owned(),
                phone_number: seen.phone_number,
            });
        }
    }
    Ok(found)
}

/// Gives sessions to organizations: all of them, or none if one of them cannot be given. With
/// `is_dry_run`, only says what would happen.
pub async fn assign(
    services: &Services,
    operator: &Operator,
    assignments: Vec<Assignment>,
    is_dry_run: bool,
) -> Result<Vec<AssignmentOutcome>, ServiceError> {
    let plans = plan(services, assignments).await?;
    let is_sound = plans.iter().all(|plan| plan.session.is_ok());
    let mut outcomes = Vec::with_capacity(plans.len());
    for Plan { assignment, session } in plans {
        let outcome = match session {
            Err(why) => Err(why),
            Ok(_) if is_dry_run => Ok(None),
            Ok(_) if !is_sound => Err("not assigned, because another line cannot be".to_owned()),
            Ok((tenant, session)) => give(services, operator, tenant, &session).await?.map(Some),
        };
        outcomes.push(AssignmentOutcome { assignment, outcome });
    }
    Ok(outcomes)
}

struct Listed {
    asked_at: Timestamp,
    sessions: Vec<WahaSession>,
}

struct Plan {
    assignment: Assignment,
    session: Result<(Tenant, Session), String>,
}

async fn servers(services: &Services, named: Option<&str>) -> Result<Vec<(ServerId, String)>, ServiceError> {
    let tx = services.store.platform_read().await?;
    let servers: Vec<_> = tx
        .servers()
        .await?
        .into_iter()
        .map(|load| (load.server.id, load.server.name))
        .filter(|(_, name)| named.is_none_or(|named| named == name))
        .collect();
    if named.is_some() && servers.is_empty() {
        return Err(ServiceError::NotFound("WAHA server"));
    }
    Ok(servers)
}

async fn list(services: &Services, server: ServerId) -> Result<Listed, ServiceError> {
    let upstream = services.upstreams.get(server).await?;
    let asked_at = services.now();
    let sessions = upstream
        .waha()
        .list_sessions()
        .await
        .map_err(|error| unreadable_for_operator(&upstream.server, &error))?;
    Ok(Listed { asked_at, sessions })
}

/// Looks at every assignment, and at all of them together.
async fn plan(services: &Services, assignments: Vec<Assignment>) -> Result<Vec<Plan>, ServiceError> {
    let servers: HashMap<String, ServerId> = servers(services, None)
        .await?
        .into_iter()
        .map(|(id, name)| (name, id))
        .collect();
    let mut lists: HashMap<ServerId, Listed> = HashMap::new();
    for assignment in &assignments {
        if let Some(server) = servers.get(&assignment.server)
            && !lists.contains_key(server)
        {
            lists.insert(*server, list(services, *server).await?);
        }
    }
    let mut plans: Vec<Plan> = Vec::with_capacity(assignments.len());
    for assignment in assignments {
        let server = servers.get(&assignment.server).copied();
        let listed = server.and_then(|server| lists.get(&server));
        let session = match server.zip(listed) {
            None => Err(format!("there is no WAHA server named {}", assignment.server)),
            Some((server, listed)) => plan_one(services, &assignment, server, listed, &plans).await?,
        };
        plans.push(Plan { assignment, session });
    }
    Ok(plans)
}

async fn plan_one(
    services: &Services,
    assignment: &Assignment,
    server: ServerId,
    listed: &Listed,
    earlier: &[Plan],
) -> Result<Result<(Tenant, Session), String>, ServiceError> {
    let Some(found) = listed
        .sessions
        .iter()
        .find(|session| session.name == assignment.waha_name)
    else {
        return Ok(Err("WAHA does not have this session".to_owned()));
    };
    let tx = services.store.platform_read().await?;
    let is_assigned = tx
        .waha_names_on_server(server)
        .await?
        .contains(&assignment.waha_name);
    let address = WahaAddress {
        server,
        name: WahaName::adopted(assignment.waha_name.clone()),
    };
    let was_erased = tx.is_waha_name_erased(&address).await?;
    let organization = tx.organization(assignment.organization).await?;
    let tenant = tx.tenant(assignment.organization).await?;
    drop(tx);
    let (Some(tenant), Some(organization)) = (tenant, organization) else {
        return Ok(Err("there is no such organization".to_owned()));
    };
    if organization.state == OrganizationState::Closed {
        return Ok(Err(CLOSED.to_owned()));
    }
    if is_assigned {
        return Ok(Err("this session is assigned already".to_owned()));
    }
    if was_erased {
        return Ok(Err(ERASED.to_owned()));
    }
    let session = adopted(assignment, tenant, server, found, listed.asked_at);
    let sooner = earlier
        .iter()
        .filter_map(|plan| plan.session.as_ref().ok())
        .map(|(_, session)| session);
    for sooner in sooner {
        if sooner.waha == session.waha {
            return Ok(Err("an earlier line assigns this session".to_owned()));
        }
        if sooner.organization_id == session.organization_id && sooner.name == session.name {
            return Ok(Err(
                "an earlier line uses this name in the organization".to_owned()
            ));
        }
    }
    let tx = services.store.read(tenant).await?;
    if stored::name_exists(&tx, &assignment.name).await? {
        return Ok(Err("the organization has a session with this name".to_owned()));
    }
    if let Some(number) = &session.phone_number
        && stored::number_is_taken(&tx, number, session.id).await?
    {
        return Ok(Err(
            "the organization has a session with this phone number".to_owned()
        ));
    }
    Ok(Ok((tenant, session)))
}

/// The session as the organization will see it. What it is doing now is what is wanted of it.
fn adopted(
    assignment: &Assignment,
    tenant: Tenant,
    server: ServerId,
    found: &WahaSession,
    asked_at: Timestamp,
) -> Session {
    let seen = observation(Some(found), asked_at);
    let is_stopped = SessionStatus::from_waha(found.status.as_str()) == SessionStatus::Disconnected;
    let mut session = Session {
        id: SessionId::new(),
        organization_id: tenant.organization_id(),
        waha: WahaAddress {
            server,
            name: WahaName::adopted(assignment.waha_name.clone()),
        },
        origin: SessionOrigin::Adopted,
        name: assignment.name.clone(),
        display_name: None,
        phone_number: None,
        configuration: SessionConfiguration::default(),
        status: SessionStatus::Connecting,
        waha_status: None,
        desired_status: if is_stopped {
            DesiredStatus::Stopped
        } else {
            DesiredStatus::Running
        },
        observed_at: None,
        error_count: 0,
        last_error: None,
        warning: None,
        business: BusinessProfile::default(),
        pacing: None,
        counters: SessionCounters::default(),
        last_message_at: None,
        created_at: asked_at,
        updated_at: asked_at,
    };
    // The same judgement as of every later snapshot.
    if let Some(change) = seen.change(&session) {
        session.phone_number = change.phone_number;
        session.status = change.status;
        session.waha_status = change.waha_status;
        session.last_error = change.last_error;
        session.error_count = i64::from(change.status == SessionStatus::Error);
        session.observed_at = Some(change.observed_at);
    }
    session
}

async fn give(
    services: &Services,
    operator: &Operator,
    tenant: Tenant,
    session: &Session,
) -> Result<Result<SessionId, String>, ServiceError> {
    let tx = services.store.write(tenant).await?;
    // Nobody closes it meanwhile.
    let organization = organizations::get_locked(&tx).await?;
    if organization.is_none_or(|organization| organization.state == OrganizationState::Closed) {
        return Ok(Err(CLOSED.to_owned()));
    }
    match stored::insert(&tx, session).await {
        Ok(()) => {}
        // Somebody was faster, or the name was used by a session that was deleted since.
        Err(StoreError::Conflict(rule)) => return Ok(Err(format!("{rule} exists already, or did"))),
        Err(error) => return Err(error.into()),
    }
    audit::record_by_operator_in(&tx, operator, OPERATION, Some(session.id), AuditOutcome::Success).await?;
    tx.commit().await?;
    Ok(Ok(session.id))
}
