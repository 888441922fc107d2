//! Which sessions may need something done: the same judgement as `Situation::decide` of the domain, as far as
//! indexes can give it. A test holds the two together.

use std::time::Duration;

use sea_orm::{
    Condition,
    sea_query::{Expr, ExprTrait, JoinType, Query, SelectStatement, SimpleExpr},
};
use wahana_domain::{
    DesiredStatus, OrganizationState, ServerId, SessionStatus, Timestamp,
    reconciliation::{Halt, REPAIR_AT_MOST_EVERY, STABLE_AFTER, latest_wait},
    silence,
};

use crate::entity::{
    organization,
    session::{self, Column as Of},
    session_upkeep::{self, Column as Upkeep},
};

const RUNNING: [SessionStatus; 4] = [
    SessionStatus::Working,
    SessionStatus::Connecting,
    SessionStatus::ScanQr,
    SessionStatus::ActionRequired,
];

/// What the sessions of a server need at a moment.
#[derive(Clone, Copy)]
pub(crate) struct Needs {
    pub(crate) server: ServerId,
    pub(crate) now: Timestamp,
}

impl Needs {
    /// The ids of those that need something, each kind of need by itself.
    pub(crate) fn ids(self) -> [SelectStatement; 8] {
        [
            self.to_be_started(),
            self.to_be_restarted_or_halted(),
            self.to_be_explained(),
            self.to_be_stopped(),
            self.to_be_deleted(),
            self.to_be_put_to_rest(),
            self.to_be_forgotten_or_repaired(),
            self.to_be_woken(),
        ]
        .map(select)
    }

    fn to_be_started(self) -> Condition {
        let halted_for_good = upkeep(Upkeep::HaltedReason).eq(Halt::FailsAgain.as_str());
        let may_be = any([upkeep(Upkeep::HaltedReason).is_null(), halted_for_good.not()]);
        self.wanted(&[SessionStatus::Disconnected])
            .add(self.is_due())
            .add(may_be)
    }

    fn to_be_restarted_or_halted(self) -> Condition {
        let statuses = [
            SessionStatus::Error,
            SessionStatus::ScanQr,
            SessionStatus::ActionRequired,
        ];
        self.wanted(&statuses)
            .add(self.is_due())
            .add(upkeep(Upkeep::HaltedAt).is_null())
    }

    /// They failed, and do not say yet why nothing more is done about it.
    fn to_be_explained(self) -> Condition {
        let is_explained = of(Of::LastError).eq(upkeep(Upkeep::HaltedReason));
        self.wanted(&[SessionStatus::Error])
            .add(upkeep(Upkeep::HaltedAt).is_not_null())
            .add(any([of(Of::LastError).is_null(), is_explained.not()]))
    }

    fn to_be_stopped(self) -> Condition {
        self.of_wish(DesiredStatus::Stopped, &RUNNING).add(self.is_due())
    }

    fn to_be_deleted(self) -> Condition {
        self.of_wish(DesiredStatus::Deleted, &SessionStatus::ALL)
            .add(of(Of::WahaStatus).is_not_null())
            .add(self.is_due())
    }

    /// Their organization was suspended.
    fn to_be_put_to_rest(self) -> Condition {
        self.of_wish(DesiredStatus::Running, &RUNNING)
            .add(of_organizations(is_inactive()))
            .add(self.is_unrestricted())
            .add(self.is_due())
    }

    fn to_be_forgotten_or_repaired(self) -> Condition {
        let next_at = || upkeep(Upkeep::NextAttemptAt);
        let is_over = any([
            upkeep(Upkeep::HaltedAt).is_not_null(),
            self.is_long_ago(Upkeep::NextAttemptAt, STABLE_AFTER),
            next_at().gt(latest_wait(self.now).as_micros()),
        ]);
        let to_be_forgotten = Condition::all().add(next_at().is_not_null()).add(is_over);
        let to_be_repaired = Condition::all()
            .add(upkeep(Upkeep::Drift).is_not_null())
            .add(self.is_due())
            .add(self.never_or_long_ago(Upkeep::RepairedAt, REPAIR_AT_MOST_EVERY));
        let either = Condition::any().add(to_be_forgotten).add(to_be_repaired);
        self.wanted(&[SessionStatus::Working]).add(either)
    }

    fn to_be_woken(self) -> Condition {
        let wants_that = Expr::col(organization::Column::RestartsSilentSessions).eq(true);
        self.wanted(&[SessionStatus::Working])
            .add(of(Of::Warning).is_not_null())
            .add(of_organizations(wants_that))
            .add(self.is_due())
            .add(self.never_or_long_ago(Upkeep::SilentRestartAt, silence::RESTART_AT_MOST_EVERY))
    }

    /// Those that should run, and may be made to.
    fn wanted(self, statuses: &[SessionStatus]) -> Condition {
        self.of_wish(DesiredStatus::Running, statuses)
            .add(of_organizations(is_inactive()).not())
            .add(self.is_unrestricted())
    }

    fn of_wish(self, wish: DesiredStatus, statuses: &[SessionStatus]) -> Condition {
        Condition::all()
            .add(of(Of::WahaServerId).eq(self.server.as_uuid()))
            .add(of(Of::DeletedAt).is_null())
            .add(of(Of::ObservedAt).is_not_null())
            .add(of(Of::DesiredStatus).eq(wish.as_str()))
            .add(of(Of::Status).is_in(statuses.iter().map(|status| status.as_str())))
    }

    fn is_due(self) -> Condition {
        any([
            upkeep(Upkeep::NextAttemptAt).is_null(),
            upkeep(Upkeep::NextAttemptAt).lte(self.now.as_micros()),
            upkeep(Upkeep::NextAttemptAt).gt(latest_wait(self.now).as_micros()),
        ])
    }

    fn is_unrestricted(self) -> Condition {
        any([
            upkeep(Upkeep::Restriction).is_null(),
            upkeep(Upkeep::RestrictedUntil).lte(self.now.as_micros()),
        ])
    }

    fn is_long_ago(self, column: Upkeep, passed: Duration) -> SimpleExpr {
        upkeep(column).lte(self.now.minus(passed).as_micros())
    }

    fn never_or_long_ago(self, column: Upkeep, passed: Duration) -> Condition {
        any([upkeep(column).is_null(), self.is_long_ago(column, passed)])
    }
}

fn of(column: Of) -> Expr {
    Expr::col((session::Entity, column))
}

fn upkeep(column: Upkeep) -> Expr {
    Expr::col((session_upkeep::Entity, column))
}

fn any<const N: usize>(conditions: [SimpleExpr; N]) -> Condition {
    conditions.into_iter().fold(Condition::any(), Condition::add)
}

fn is_inactive() -> SimpleExpr {
    Expr::col(organization::Column::State).ne(OrganizationState::Active.as_str())
}

fn of_organizations(condition: SimpleExpr) -> SimpleExpr {
    let organizations = Query::select()
        .column(organization::Column::Id)
        .from(organization::Entity)
        .and_where(condition)
        .take();
    of(Of::OrganizationId).in_subquery(organizations)
}

fn select(condition: Condition) -> SelectStatement {
    let same_session = upkeep(Upkeep::SessionId).equals((session::Entity, Of::Id));
    Query::select()
        .column((session::Entity, Of::Id))
        .from(session::Entity)
        .join(JoinType::LeftJoin, session_upkeep::Entity, same_session)
        .cond_where(condition)
        .take()
}
