//! How the whole installation stands, as whoever watches it wants to know.

use std::time::Duration;

use wahana_domain::{DesiredStatus, SessionStatus, reconciliation::Halt};
pub use wahana_store::LastSnapshot;
use wahana_store::SessionCount;

use crate::{Operator, ServiceError, Services};

/// How the installation stands.
#[derive(Clone, Debug)]
pub struct Standing {
    /// How many living sessions do what.
    pub sessions: [(SessionStatus, u64); SessionStatus::ALL.len()],
    /// How many are not as their organizations want them, and why.
    pub not_as_wanted: [(Obstacle, u64); Obstacle::ALL.len()],
    /// For how long the event has waited that is to be applied first; zero if none waits.
    pub oldest_waiting_event: Duration,
    /// How many deliveries wait that are to be made to webhooks, those that failed and are tried again among them.
    pub waiting_deliveries: u64,
    /// For how long the delivery has waited that is due longest; zero if none is.
    pub oldest_due_delivery: Duration,
    /// When each WAHA server last gave its session list.
    pub snapshots: Vec<LastSnapshot>,
}

/// Why a session is not as its organization wants it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// An operator paused its WAHA server.
    ServerPaused,
    /// WhatsApp restricts its number, and wahana leaves it alone.
    Restricted,
    /// It failed again after every restart.
    FailsAgain,
    /// Somebody must scan its QR code, or do something else on the phone.
    PhoneNeeded,
    /// wahana is about to put it right.
    BeingPutRight,
}

impl Obstacle {
    /// Every obstacle, the first that applies to a session being its.
    pub const ALL: [Self; 5] = [
        Self::ServerPaused,
        Self::Restricted,
        Self::FailsAgain,
        Self::PhoneNeeded,
        Self::BeingPutRight,
    ];

    /// The obstacle as programs know it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ServerPaused => "server_paused",
            Self::Restricted => "restricted",
            Self::FailsAgain => "fails_again",
            Self::PhoneNeeded => "phone_needed",
            Self::BeingPutRight => "being_put_right",
        }
    }

    /// Why sessions of this standing are not as wanted; `None` if they are.
    fn of(count: &SessionCount) -> Option<Self> {
        let should_run = count.desired_status == DesiredStatus::Running && count.is_organization_active;
        let is_as_wanted = match count.desired_status {
            DesiredStatus::Deleted => false,
            _ if should_run => count.status == SessionStatus::Working,
            _ => count.status == SessionStatus::Disconnected,
        };
        if is_as_wanted {
            return None;
        }
        let asks_for_phone = matches!(
            count.status,
            SessionStatus::ScanQr | SessionStatus::ActionRequired
        );
        Some(match count.halt {
            _ if count.is_server_paused => Self::ServerPaused,
            _ if count.is_restricted => Self::Restricted,
            Some(Halt::FailsAgain) if should_run => Self::FailsAgain,
            Some(Halt::PhoneNeeded) if should_run => Self::PhoneNeeded,
            _ if should_run && asks_for_phone => Self::PhoneNeeded,
            _ => Self::BeingPutRight,
        })
    }
}

/// Looks how the installation stands, in the database alone.
pub async fn look(services: &Services, _: &Operator) -> Result<Standing, ServiceError> {
    let tx = services.store.platform_read().await?;
    let counts = tx.session_counts().await?;
    let oldest = tx.oldest_waiting_event().await?;
    let waiting = tx.waiting_deliveries().await?;
    let snapshots = tx.last_snapshots().await?;
    let now = tx.now();
    drop(tx);
    let sum = |is_meant: &dyn Fn(&SessionCount) -> bool| {
        let meant = counts.iter().filter(|count| is_meant(count));
        meant.map(|count| count.sessions).sum()
    };
    Ok(Standing {
        sessions: SessionStatus::ALL.map(|status| (status, sum(&|count| count.status == status))),
        not_as_wanted: Obstacle::ALL
            .map(|obstacle| (obstacle, sum(&|count| Obstacle::of(count) == Some(obstacle)))),
        oldest_waiting_event: oldest.map_or(Duration::ZERO, |received| now.since(received)),
        waiting_deliveries: waiting.deliveries,
        oldest_due_delivery: waiting.oldest_due.map_or(Duration::ZERO, |due| now.since(due)),
        snapshots,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORKING: SessionCount = SessionCount {
        status: SessionStatus::Working,
        desired_status: DesiredStatus::Running,
        is_organization_active: true,
        is_server_paused: false,
        is_restricted: false,
        halt: None,
        sessions: 1,
    };

    #[test]
    fn what_is_as_wanted_has_no_obstacle_whatever_else_is_so() {
        let stopped = SessionCount {
            status: SessionStatus::Disconnected,
            desired_status: DesiredStatus::Stopped,
            ..WORKING
        };
        let suspended = SessionCount {
            status: SessionStatus::Disconnected,
            is_organization_active: false,
            ..WORKING
        };
        for count in [WORKING, stopped, suspended] {
            assert_eq!(Obstacle::of(&count), None);
            let disturbed = SessionCount {
                is_server_paused: true,
                is_restricted: true,
                halt: Some(Halt::FailsAgain),
                ..count
            };
            assert_eq!(Obstacle::of(&disturbed), None);
        }
    }

    #[test]
    fn the_first_obstacle_is_said() {
        let failed = SessionCount {
            status: SessionStatus::Error,
            ..WORKING
        };
        assert_eq!(Obstacle::of(&failed), Some(Obstacle::BeingPutRight));
        let again = SessionCount {
            halt: Some(Halt::FailsAgain),
            ..failed
        };
        assert_eq!(Obstacle::of(&again), Some(Obstacle::FailsAgain));
        let restricted = SessionCount {
            is_restricted: true,
            ..again
        };
        assert_eq!(Obstacle::of(&restricted), Some(Obstacle::Restricted));
        let paused = SessionCount {
            is_server_paused: true,
            ..restricted
        };
        assert_eq!(Obstacle::of(&paused), Some(Obstacle::ServerPaused));
        for (status, halt) in [
            (SessionStatus::ScanQr, None),
            (SessionStatus::ActionRequired, None),
            (SessionStatus::Disconnected, Some(Halt::PhoneNeeded)),
        ] {
            let waiting = SessionCount {
                status,
                halt,
                ..WORKING
            };
            assert_eq!(Obstacle::of(&waiting), Some(Obstacle::PhoneNeeded));
            // Whoever wants it gone or stopped needs no phone for that.
            let unwanted = SessionCount {
                desired_status: DesiredStatus::Deleted,
                ..waiting
            };
            assert_eq!(Obstacle::of(&unwanted), Some(Obstacle::BeingPutRight));
        }
    }
}
