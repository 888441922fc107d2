//! Having sessions that are on a WAHA server already tell wahana their events too.
//!
//! wahana's webhook is added to what the session has there; everything else of its configuration stays, other
//! receivers among it. It can be repeated: what has the webhook is not touched.

use waha_client::SessionStatus;
use wahana_domain::{AuditOutcome, OrganizationId, ServerId, Session, SessionId, WahaServer};
use wahana_store::{
    Tenant, hooks, sessions as stored,
    upkeep::{self, Restriction},
};

use crate::{
    Operator, ServiceError, Services, audit,
    events::{MissingHookUrl, Webhook},
    reconcile,
    upstream::{may_have_happened, refused_by_waha},
};

/// Which sessions; what is `None` does not matter.
#[derive(Clone, Debug, Default)]
pub struct TakeOverFilter {
    /// Those of this WAHA server.
    pub server: Option<ServerId>,
    /// Those of this organization.
    pub organization: Option<OrganizationId>,
    /// The ones with this id or name.
    pub session: Option<String>,
}

/// A session that may be taken over.
#[derive(Clone, Debug)]
pub struct Candidate {
    tenant: Tenant,
    session: Session,
    server_name: String,
}

impl Candidate {
    /// The session.
    #[must_use]
    pub const fn session(&self) -> &Session {
        &self.session
    }

    /// What operators call its WAHA server.
    #[must_use]
    pub fn server_name(&self) -> &str {
        &self.server_name
    }
}

/// What became of a session, or would.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TakeOver {
    /// It has the webhook already.
    Unchanged,
    /// The webhook is to be added.
    Possible {
        /// Whether the session runs, so that WAHA restarts it for about three seconds.
        restarts: bool,
    },
    /// The webhook was added.
    Done {
        /// Whether WAHA restarted the session.
        restarted: bool,
    },
    /// It is left alone, for this reason.
    Skipped(String),
    /// WAHA did not do it, for this reason.
    Failed(String),
}

const OPERATION: &str = "platform.sessions.take_over";

/// The sessions that a filter means, by server and name.
pub async fn candidates(
    services: &Services,
    _: &Operator,
    filter: &TakeOverFilter,
) -> Result<Vec<Candidate>, ServiceError> {
    if services.settings.hook_url.is_none() {
        return Err(MissingHookUrl.into());
    }
    let tx = services.store.platform_read().await?;
    let mut found = Vec::new();
    for load in tx.servers().await? {
        let WahaServer { id, name, .. } = load.server;
        if filter.server.is_some_and(|wanted| wanted != id) {
            continue;
        }
        let mut on_server = tx.sessions_on_server(id).await?;
        on_server.sort_by(|a, b| (&a.session.name, a.session.id).cmp(&(&b.session.name, b.session.id)));
        found.extend(on_server.into_iter().map(|one| Candidate {
            tenant: one.tenant,
            session: one.session,
            server_name: name.clone(),
        }));
    }
    found.retain(|candidate| filter.means(&candidate.session));
    if filter.session.is_some() && found.is_empty() {
        return Err(ServiceError::NotFound("Session"));
    }
    Ok(found)
}

impl TakeOverFilter {
    fn means(&self, session: &Session) -> bool {
        self.organization
            .is_none_or(|organization| organization == session.organization_id)
            && self.session.as_deref().is_none_or(|named| {
                named == session.name.as_str() || named.parse() == Ok::<SessionId, _>(session.id)
            })
    }
}

/// Says what taking a session over would do, and changes nothing.
pub async fn examine(
    services: &Services,
    _: &Operator,
    candidate: &Candidate,
) -> Result<TakeOver, ServiceError> {
    Ok(match plan(services, candidate).await? {
        Plan::Write { restarts, .. } => TakeOver::Possible { restarts },
        Plan::Nothing(what) => what,
    })
}

/// Takes a session over.
pub async fn take_over(
    services: &Services,
    operator: &Operator,
    candidate: &Candidate,
) -> Result<TakeOver, ServiceError> {
    let (config, restarts, version) = match plan(services, candidate).await? {
        Plan::Nothing(TakeOver::Unchanged) => {
            note(services, candidate).await?;
            return Ok(TakeOver::Unchanged);
        }
        Plan::Nothing(what) => return Ok(what),
        Plan::Write {
            config,
            restarts,
            version,
        } => (config, restarts, version),
    };
    let (tenant, session) = (candidate.tenant, &candidate.session);
    let tx = services.store.write(tenant).await?;
    let intent = AuditOutcome::Intent;
    reconcile::hold(&tx, session.id).await?;
    audit::record_by_operator_in(&tx, operator, OPERATION, Some(session.id), intent).await?;
    tx.commit().await?;
    let upstream = services.upstreams.get(session.waha.server).await?;
    let updated = upstream
        .waha()
        .update_session(session.waha.name.as_str(), &config)
        .await;
    services.sync.outdate(session.waha.server);
    let tx = services.store.write(tenant).await?;
    let may_be_going_on = updated.as_ref().err().is_some_and(may_have_happened);
    reconcile::resume(&tx, session.id, may_be_going_on).await?;
    let (outcome, what) = match updated {
        Ok(_) => {
            hooks::set_applied(&tx, session.id, version).await?;
            (AuditOutcome::Success, TakeOver::Done { restarted: restarts })
        }
        Err(error) => {
            let failure = refused_by_waha(&error);
            let why = if may_have_happened(&error) {
                "WAHA did not say whether it took the configuration; try again".to_owned()
            } else {
                failure.to_string()
            };
            (audit::failure(failure.code()), TakeOver::Failed(why))
        }
    };
    audit::record_by_operator_in(&tx, operator, OPERATION, Some(session.id), outcome).await?;
    tx.commit().await?;
    Ok(what)
}

enum Plan {
    /// The configuration is to be written.
    Write {
        config: waha_client::SessionConfig,
        restarts: bool,
        version: i64,
    },
    /// There is nothing to do, or nothing may be done.
    Nothing(TakeOver),
}

async fn plan(services: &Services, candidate: &Candidate) -> Result<Plan, ServiceError> {
    let session = &candidate.session;
    let tx = services.store.read(candidate.tenant).await?;
    let upkeep = upkeep::get(&tx, session.id).await?;
    let is_there = !stored::with_ids(&tx, &[session.id]).await?.is_empty();
    drop(tx);
    let skipped = |why: String| Ok(Plan::Nothing(TakeOver::Skipped(why)));
    if !is_there {
        return skipped("it was deleted meanwhile".to_owned());
    }
    if let Some(restriction) = upkeep.restriction_at(services.now()) {
        return skipped(restricted(restriction));
    }
    let webhook = Webhook::of(services, session, upkeep.hook.version)?.ok_or(MissingHookUrl)?;
    let upstream = services.upstreams.get(session.waha.server).await?;
    if upstream.server.paused_at.is_some() {
        return skipped("its WAHA server is paused".to_owned());
    }
    let found = match upstream.waha().session(session.waha.name.as_str()).await {
        Ok(found) => found,
        Err(waha_client::WahaError::UnknownSession) => {
            return skipped(
                "its WAHA server does not know it; its next start makes it there again".to_owned(),
            );
        }
        Err(error) => {
            let why = refused_by_waha(&error).to_string();
            return Ok(Plan::Nothing(TakeOver::Failed(why)));
        }
    };
    let restarts = found.status != SessionStatus::Stopped;
    let mut config = found.config.unwrap_or_default();
    Ok(if webhook.lay_over(&mut config) {
        Plan::Write {
            config,
            restarts,
            version: webhook.version(),
        }
    } else {
        Plan::Nothing(TakeOver::Unchanged)
    })
}

fn restricted(restriction: &Restriction) -> String {
    let until = restriction
        .until
        .map_or_else(|| "an unknown time".to_owned(), |until| until.to_string());
    let what = &restriction.reason;
    format!("WhatsApp restricts it ({what}) until {until}, and a restart could turn that into a ban")
}

/// Notes that a session has the webhook, if that is not known.
async fn note(services: &Services, candidate: &Candidate) -> Result<(), ServiceError> {
    let session = candidate.session.id;
    let tx = services.store.write(candidate.tenant).await?;
    let known = upkeep::get(&tx, session).await?.hook;
    if known.applied_version != Some(known.version) {
        hooks::set_applied(&tx, session, known.version).await?;
    }
    Ok(tx.commit().await?)
}
