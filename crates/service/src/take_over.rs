//! Having sessions that are on a WAHA server already tell wahana their events too.
//!
//! wahana's webhook is added to what the session has there; everything else of its configuration stays, other
//! receivers among it, unless they are to be imported: then wahana delivers to them, and WAHA does not any more. It can
//! be repeated: what has the webhook, and nothing to be imported, is not touched.

use waha_client::{SessionConfig, SessionStatus};
use wahana_domain::{AuditOutcome, OrganizationId, ServerId, Session, SessionId, WahaServer};
use wahana_store::{
    Tenant, TenantTx, hooks, organizations, sessions as stored,
    upkeep::{self, Restriction},
    webhooks,
};

use crate::{
    Operator, ServiceError, Services, audit,
    events::{MissingHookUrl, Webhook, foreign_webhooks, set_foreign_webhooks},
    reconcile,
    upstream::{may_have_happened, refused_by_waha},
    webhooks::{ImportPlan, Offered, WebhookImport, plan_import, read_offered, withdraw},
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

/// What is to become of the other webhooks that a session has at WAHA.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OtherWebhooks {
    /// WAHA goes on with them.
    Stay,
    /// They become webhooks of the session's organization as far as that is possible.
    Import,
}

/// What became of a session and of its other webhooks, or would.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// What became of the session.
    pub outcome: TakeOver,
    /// What became of its other webhooks, if they were to be imported and the session was not left alone.
    pub webhooks: Vec<WebhookImport>,
}

impl From<TakeOver> for Report {
    fn from(outcome: TakeOver) -> Self {
        Self {
            outcome,
            webhooks: Vec::new(),
        }
    }
}

const OPERATION: &str = "platform.sessions.take_over";
const IMPORT: &str = "platform.sessions.import_webhooks";

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
    others: OtherWebhooks,
) -> Result<Report, ServiceError> {
    let found = match find(services, candidate, others).await? {
        Ok(found) => found,
        Err(outcome) => return Ok(outcome.into()),
    };
    let restarts = found.restarts;
    let tx = services.store.read(candidate.tenant).await?;
    let plan = found.plan(&tx, candidate).await?;
    Ok(Report {
        outcome: if plan.is_change {
            TakeOver::Possible { restarts }
        } else {
            TakeOver::Unchanged
        },
        webhooks: plan.import.imports,
    })
}

/// Takes a session over.
pub async fn take_over(
    services: &Services,
    operator: &Operator,
    candidate: &Candidate,
    others: OtherWebhooks,
) -> Result<Report, ServiceError> {
    let found = match find(services, candidate, others).await? {
        Ok(found) => found,
        Err(outcome) => return Ok(outcome.into()),
    };
    let (restarts, version) = (found.restarts, found.webhook.version());
    let (tenant, session) = (candidate.tenant, &candidate.session);
    let upstream = services.upstreams.get(session.waha.server).await?;
    let tx = services.store.write(tenant).await?;
    if others == OtherWebhooks::Import {
        // So that two who make the last webhook at the same moment do not make two.
        organizations::get_locked(&tx).await?;
        // What people change of one meanwhile is there before it is joined, or waits until it is.
        webhooks::lock_all(&tx).await?;
    }
    let mut plan = found.plan(&tx, candidate).await?;
    let imports = std::mem::take(&mut plan.import.imports);
    if !plan.is_change {
        drop(tx);
        note(services, candidate).await?;
        return Ok(Report {
            outcome: TakeOver::Unchanged,
            webhooks: imports,
        });
    }
    let intent = AuditOutcome::Intent;
    reconcile::hold(&tx, session.id).await?;
    audit::record_by_operator_in(&tx, operator, OPERATION, Some(session.id), intent).await?;
    if plan.import.has_steps() {
        let intent = AuditOutcome::Intent;
        audit::record_by_operator_in(&tx, operator, IMPORT, Some(session.id), intent).await?;
    }
    // Before WAHA is told: what happens in between is delivered twice rather than not at all.
    let imported = plan.import.apply(&tx).await?;
    tx.commit().await?;
    let updated = upstream
        .waha()
        .update_session(session.waha.name.as_str(), &plan.config)
        .await;
    services.sync.outdate(session.waha.server);
    let tx = services.store.write(tenant).await?;
    let may_be_going_on = updated.as_ref().err().is_some_and(may_have_happened);
    reconcile::resume(&tx, session.id, may_be_going_on).await?;
    let (outcome, report) = match updated {
        Ok(_) => {
            hooks::set_applied(&tx, session.id, version).await?;
            let outcome = TakeOver::Done { restarted: restarts };
            let report = Report {
                outcome,
                webhooks: imports,
            };
            (AuditOutcome::Success, report)
        }
        Err(error) => {
            let failure = refused_by_waha(&error);
            let why = if may_be_going_on {
                "WAHA did not say whether it took the configuration; try again".to_owned()
            } else {
                withdraw(&tx, session.id, &imported).await?;
                failure.to_string()
            };
            (audit::failure(failure.code()), TakeOver::Failed(why).into())
        }
    };
    if !imported.is_empty() {
        audit::record_by_operator_in(&tx, operator, IMPORT, Some(session.id), outcome.clone()).await?;
    }
    audit::record_by_operator_in(&tx, operator, OPERATION, Some(session.id), outcome).await?;
    tx.commit().await?;
    Ok(report)
}

/// A session that may be taken over, as WAHA has it.
struct Found {
    config: SessionConfig,
    restarts: bool,
    /// wahana's, which it is to have.
    webhook: Webhook,
    /// The others, if they are to be imported.
    offered: Vec<Offered>,
}

/// What is to be done with it.
struct Plan {
    /// The configuration that WAHA is to have.
    config: SessionConfig,
    import: ImportPlan,
    /// Whether that is another than it has.
    is_change: bool,
}

impl Found {
    async fn plan(self, tx: &TenantTx, candidate: &Candidate) -> Result<Plan, ServiceError> {
        let mut config = self.config;
        let mut import = plan_import(tx, candidate.session.id, self.offered).await?;
        let mut is_change = import.is_change();
        if is_change {
            set_foreign_webhooks(&mut config, std::mem::take(&mut import.left));
        }
        is_change |= self.webhook.lay_over(&mut config);
        Ok(Plan {
            config,
            import,
            is_change,
        })
    }
}

/// Looks what WAHA has; or says why nothing may be done.
async fn find(
    services: &Services,
    candidate: &Candidate,
    others: OtherWebhooks,
) -> Result<Result<Found, TakeOver>, ServiceError> {
    let session = &candidate.session;
    let tx = services.store.read(candidate.tenant).await?;
    let upkeep = upkeep::get(&tx, session.id).await?;
    let is_there = !stored::with_ids(&tx, &[session.id]).await?.is_empty();
    drop(tx);
    let skipped = |why: String| Ok(Err(TakeOver::Skipped(why)));
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
    Ok(match upstream.waha().session(session.waha.name.as_str()).await {
        Ok(found) => {
            let restarts = found.status != SessionStatus::Stopped;
            let config = found.config.unwrap_or_default();
            let offered = match others {
                OtherWebhooks::Import => read_offered(services, foreign_webhooks(&config)).await,
                OtherWebhooks::Stay => Vec::new(),
            };
            Ok(Found {
                config,
                restarts,
                webhook,
                offered,
            })
        }
        Err(waha_client::WahaError::UnknownSession) => {
            return skipped(
                "its WAHA server does not know it; its next start makes it there again".to_owned(),
            );
        }
        Err(error) => Err(TakeOver::Failed(refused_by_waha(&error).to_string())),
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
