//! Deletes what is past its time. In batches with pauses between them, so that requests hardly notice.

use std::time::Duration;

use wahana_domain::{AuditOutcome, Month, Organization, OrganizationId, Timestamp};
use wahana_store::PlatformTx;

use super::running::{Ended, JobError, Running};
use crate::{Services, audit::record_by_system_on_platform, media};

/// How many days the platform keeps things. What organizations keep, they say themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetentionSettings {
    /// Events from WAHA that were applied or ignored.
    pub events_days: u32,
    /// What was told to organizations by streams and webhooks; four at least, because deliveries are repeated for
    /// more than three days if their receiver asks for time.
    pub organization_events_days: u32,
    /// Deliveries of webhooks that ended, with their attempts.
    pub webhook_deliveries_days: u32,
    /// Jobs that were done or given up.
    pub jobs_days: u32,
    /// What sessions went through: changes of their status, and counts of what they sent and received. Also
    /// how much organizations sent in each month.
    pub history_days: u32,
    /// Audit entries that belong to no organization; ninety at least.
    pub audit_days: u32,
    /// Sign-ins and password links after they ended.
    pub sign_ins_days: u32,
}

impl Default for RetentionSettings {
    fn default() -> Self {
        Self {
            events_days: 7,
            organization_events_days: 7,
            webhook_deliveries_days: 30,
            jobs_days: 30,
            history_days: 400,
            audit_days: 400,
            sign_ins_days: 30,
        }
    }
}

/// How many rows one transaction deletes.
pub(super) const BATCH: u64 = 500;
/// How long others have the database between two batches.
const PAUSE: Duration = Duration::from_millis(50);
/// Silent processes are kept for so long, for whoever looks into what happened.
const SILENT_PROCESSES_DAYS: u32 = 1;
/// Longer than WAHA tells of the same thing again: events that are older than a day and a bit are refused.
const ERASED_DAYS: u32 = 3;
const DAY: Duration = Duration::from_hours(24);
/// The operation under which the audit log says that entries of it were deleted.
const AUDIT_OPERATION: &str = "retention.audit_entries";
/// How many organizations are looked at in one transaction.
const ORGANIZATIONS: u64 = 100;

/// What is deleted.
#[derive(Clone, Copy)]
enum What {
    Events,
    OrganizationEvents,
    WebhookDeliveries,
    Jobs,
    Transitions,
    Activity,
    Usage,
    SignIns,
    PasswordResets,
    Processes,
    IdempotencyKeys,
    Erasures,
    ErasedMessages,
    ErasedWahaNames,
    Exports,
    Messages(OrganizationId),
    /// What messages say, of an organization that does not keep it.
    Texts(OrganizationId),
    /// What receivers answered when they were told of messages, of such an organization.
    Answers(OrganizationId),
    /// What messages say that no organization keeps, and that was told.
    ToldTexts,
    /// Of an organization, or of none.
    AuditEntries(Option<OrganizationId>),
}

/// What is deleted after how many days.
type Rule = (What, u32);

pub(super) async fn run(services: &Services, job: &Running) -> Result<Ended, JobError> {
    for rule in own_rules(&services.settings.retention) {
        if !keep(job, rule).await? {
            return Ok(Ended::Interrupted);
        }
    }
    let mut offset = 0;
    loop {
        let organizations = organizations(services, offset).await?;
        for rule in organizations.iter().flat_map(rules_of) {
            if !keep(job, rule).await? {
                return Ok(Ended::Interrupted);
            }
        }
        for organization in &organizations {
            if !media::retention::end(services, job, organization).await? {
                return Ok(Ended::Interrupted);
            }
        }
        if organizations.is_empty() {
            break;
        }
        offset += ORGANIZATIONS;
    }
    empty_log(services).await?;
    // What needs the media store comes last: it may be away while the database is not.
    delete_files(services, job).await
}

/// Deletes texts that are not kept and were told.
pub(super) async fn forget_texts(services: &Services, job: &Running) -> Result<Ended, JobError> {
    // They say themselves when they end.
    let is_done = keep(job, (What::ToldTexts, 0)).await?;
    empty_log(services).await?;
    Ok(if is_done { Ended::Done } else { Ended::Interrupted })
}

/// Lets the database's log have nothing of what was deleted. Where somebody is in the way, the next round does it.
async fn empty_log(services: &Services) -> Result<(), JobError> {
    if !services.store.empty_log().await? {
        tracing::debug!("the database's log could not be emptied, because somebody reads");
    }
    Ok(())
}

/// Deletes the bytes of files that have ended, and those that nobody knows of. What cannot be deleted keeps up nothing
/// else.
async fn delete_files(services: &Services, job: &Running) -> Result<Ended, JobError> {
    let mut failure = match media::retention::delete(services, job).await {
        Ok(true) => None,
        Ok(false) => return Ok(Ended::Interrupted),
        Err(error) => Some(error),
    };
    let mut offset = 0;
    loop {
        let organizations = organizations(services, offset).await?;
        for organization in &organizations {
            if job.is_stopping() {
                return Ok(Ended::Interrupted);
            }
            if let Err(error) = media::retention::delete_orphans(services, organization.id).await {
                failure = Some(error.into());
            }
        }
        if organizations.is_empty() {
            return failure.map_or(Ok(Ended::Done), Err);
        }
        offset += ORGANIZATIONS;
    }
}

async fn organizations(services: &Services, offset: u64) -> Result<Vec<Organization>, JobError> {
    let tx = services.store.platform_read().await?;
    Ok(tx.organizations(offset, ORGANIZATIONS).await?)
}

/// What the platform keeps for how long.
fn own_rules(settings: &RetentionSettings) -> [Rule; 16] {
    [
        (What::Events, settings.events_days),
        (What::OrganizationEvents, settings.organization_events_days),
        (What::WebhookDeliveries, settings.webhook_deliveries_days),
        (What::Jobs, settings.jobs_days),
        (What::Transitions, settings.history_days),
        (What::Activity, settings.history_days),
        (What::Usage, settings.history_days),
        (What::SignIns, settings.sign_ins_days),
        (What::PasswordResets, settings.sign_ins_days),
        (What::Processes, SILENT_PROCESSES_DAYS),
        // They say themselves when they end.
        (What::IdempotencyKeys, 0),
        (What::Erasures, settings.jobs_days),
        (What::ErasedMessages, ERASED_DAYS),
        (What::ErasedWahaNames, ERASED_DAYS),
        (What::Exports, settings.jobs_days),
        (What::AuditEntries(None), settings.audit_days),
    ]
}

/// What an organization keeps for how long; what it keeps for ever has no rule.
fn rules_of(organization: &Organization) -> impl Iterator<Item = Rule> {
    let kept = organization.retention;
    [
        (What::Messages(organization.id), kept.messages_days),
        (What::AuditEntries(Some(organization.id)), kept.audit_days),
    ]
    .into_iter()
    .filter_map(|(what, days)| Some((what, u32::try_from(days?).ok()?)))
    .chain(
        [What::Texts(organization.id), What::Answers(organization.id)]
            .into_iter()
            .filter(|_| !organization.keeps_message_texts)
            .map(|what| (what, 0)),
    )
}

/// Deletes until nothing is left to delete, each batch in a transaction of its own; says whether it came to
/// that before the process was told to stop.
async fn keep(job: &Running, rule: Rule) -> Result<bool, JobError> {
    loop {
        if job.is_stopping() {
            return Ok(false);
        }
        let tx = job.write().await?;
        let deleted = delete(&tx, rule).await?;
        tx.commit().await?;
        if deleted < BATCH {
            return Ok(true);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn delete(tx: &PlatformTx, (what, days): Rule) -> Result<u64, JobError> {
    let before = tx.now().minus(DAY * days);
    let deleted = match what {
        What::Events => tx.delete_settled_events(before, BATCH).await,
        What::OrganizationEvents => tx.delete_organization_events(before, BATCH).await,
        What::WebhookDeliveries => tx.delete_ended_deliveries(before, BATCH).await,
        What::Jobs => tx.delete_finished_jobs(before, BATCH).await,
        What::Transitions => tx.delete_session_transitions(before, BATCH).await,
        What::Activity => tx.delete_session_activity(before, BATCH).await,
        What::Usage => tx.delete_message_usage(Month::of(before), BATCH).await,
        What::SignIns => tx.delete_ended_sign_ins(before, BATCH).await,
        What::PasswordResets => tx.delete_ended_password_resets(before, BATCH).await,
        What::Processes => tx.delete_silent_processes(before, BATCH).await,
        What::IdempotencyKeys => tx.delete_idempotency_keys(before, BATCH).await,
        What::Erasures => tx.delete_ended_erasures(before, BATCH).await,
        What::Exports => tx.delete_exports(before, BATCH).await,
        What::ErasedMessages => tx.forget_erased_messages(before, BATCH).await,
        What::ErasedWahaNames => tx.forget_erased_waha_names(before, BATCH).await,
        What::Messages(organization) => tx.delete_messages(organization, before, BATCH).await,
        What::Texts(organization) => tx.delete_unkept_contents(organization, BATCH).await,
        What::Answers(organization) => tx.forget_unkept_answers(organization, BATCH).await,
        What::ToldTexts => tx.delete_told_texts(before, BATCH).await,
        What::AuditEntries(organization) => {
            // Whole days, so that the log has one entry about a day and not one for each hour.
            let deleted = tx
                .delete_audit_entries(organization, beginning_of_day(before), BATCH)
                .await?;
            if deleted > 0 {
                record_by_system_on_platform(tx, organization, AUDIT_OPERATION, AuditOutcome::Success)
                    .await?;
            }
            Ok(deleted)
        }
    };
    Ok(deleted?)
}

/// When the day of this moment began, in UTC.
fn beginning_of_day(moment: Timestamp) -> Timestamp {
    const SECONDS: i64 = 86_400;
    Timestamp::from_seconds(moment.as_seconds().div_euclid(SECONDS) * SECONDS)
}
