//! What each actor must get, worked out from the table alone.

use wahana_domain::{Ability, Role};
use wahana_testkit::app::{Actor, By, Home};

use crate::{
    lines::{Line, Who},
    things,
};

/// What the path of a call names, as organization A sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// Nothing but the organization itself.
    Nothing,
    /// Something of A.
    OfA,
    /// Something of B.
    OfB,
    /// Something of the installation.
    OfInstallation,
    /// Something that does not exist.
    Missing,
}

impl Target {
    fn home(self) -> Option<Home> {
        match self {
            Self::OfA => Some(Home::A),
            Self::OfB => Some(Home::B),
            Self::Nothing | Self::OfInstallation | Self::Missing => None,
        }
    }
}

/// How the path of a call names its target.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Path<'a> {
    pub(crate) target: Target,
    /// The name of the part that names it.
    pub(crate) parameter: Option<&'a str>,
    /// Whether by a name that people gave it, and not by its id.
    pub(crate) is_by_name: bool,
}

/// Status and error code that the actor must get.
pub(crate) fn expected(line: &Line, actor: Actor, path: Path<'_>) -> &'static str {
    if let Who::Anybody = line.who {
        return line.answer;
    }
    if !actor.is_recognized() {
        return "401 UNAUTHENTICATED";
    }
    match line.who {
        Who::Anybody => line.answer,
        Who::Recognized { heeds_organization } => match actor {
            Actor::OwnerOfBNamingA if heeds_organization => "403 NO_ORGANIZATION",
            _ => line.answer,
        },
        Who::InPerson => match actor.by() {
            Some(By::Cookie) => line.answer,
            _ => "403 FORBIDDEN",
        },
        Who::Operators => match (actor, path.target, path.parameter) {
            (Actor::PlatformAdministrator(_), Target::Missing, Some(parameter)) => {
                things::missing_code(parameter)
            }
            (Actor::PlatformAdministrator(_), ..) => line.answer,
            _ => "403 FORBIDDEN",
        },
        Who::Members {
            role,
            abilities,
            whole_organization,
        } => expected_of_members(line, actor, path, (role, abilities, whole_organization)),
    }
}

fn expected_of_members(
    line: &Line,
    actor: Actor,
    path: Path<'_>,
    (role, abilities, whole_organization): (Role, &[Ability], bool),
) -> &'static str {
    let home = match actor.home() {
        None | Some(Home::Closed) => return "403 NO_ORGANIZATION",
        Some(Home::Suspended) => return "403 ORGANIZATION_SUSPENDED",
        Some(home) => home,
    };
    let mut answer = line.answer;
    if let Some(parameter) = path.parameter {
        let is_seen = match actor {
            Actor::LimitedToAnotherSession => !things::is_of_session(parameter),
            _ => true,
        };
        if path.target.home() != Some(home) || !is_seen {
            // Who sees some sessions only does not learn that a name is free.
            match line.makes_what_is_missing {
                Some(made) if path.is_by_name && !actor.is_limited() => answer = made,
                _ => return things::missing_code(parameter),
            }
        }
    }
    let lacks = actor.lacks().is_some_and(|lacked| abilities.contains(&lacked));
    if actor.role() < role || lacks || (whole_organization && actor.is_limited()) {
        return "403 FORBIDDEN";
    }
    answer
}
