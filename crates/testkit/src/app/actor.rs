//! Everybody who might call.

use std::fmt;

use wahana_domain::{Ability, Role};

/// With what an actor shows who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum By {
    /// `Authorization: Bearer …`.
    Token,
    /// The cookie of a sign-in, with what wahana's own pages send along.
    Cookie,
}

/// An organization of the tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Home {
    /// The one whose things are called for.
    A,
    /// Another one.
    B,
    /// One that the platform suspended.
    Suspended,
    /// One that the platform closed.
    Closed,
}

/// Somebody who calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Actor {
    /// Without any credential.
    Nobody,
    /// With a credential that is as it should be but for its secret.
    WrongSecret(By),
    /// An owner of A whose credential has ended.
    Expired(By),
    /// An owner of A whose credential was taken back.
    Revoked(By),
    /// An owner of A whom the platform disabled.
    Disabled(By),
    /// Somebody who never belonged to an organization.
    NeverMember,
    /// Somebody whose membership of A was taken away, and whose credentials were left.
    FormerMember(By),
    /// An owner of B whose cookie call names A.
    OwnerOfBNamingA,
    /// A member.
    Member(Home, Role, By),
    /// A token of an owner of A with every ability but this one.
    Lacking(Ability),
    /// A token of an owner of A for which the session that is called for is the only one.
    LimitedToThatSession,
    /// A token of an owner of A for which another session is the only one.
    LimitedToAnotherSession,
    /// Somebody who operates the installation, and belongs to no organization.
    PlatformAdministrator(By),
    /// A viewer of A who also operates the installation, with their access token of A.
    ViewerWhoOperates,
}

impl Actor {
    /// Every actor there is.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let both = |actor: fn(By) -> Self| [By::Token, By::Cookie].map(actor);
        let mut all = vec![Self::Nobody];
        for by in [Self::WrongSecret, Self::Expired, Self::Revoked, Self::Disabled] {
            all.extend(both(by));
        }
        all.push(Self::NeverMember);
        all.extend(both(Self::FormerMember));
        all.push(Self::OwnerOfBNamingA);
        for home in [Home::Closed, Home::Suspended, Home::B] {
            all.extend([By::Token, By::Cookie].map(|by| Self::Member(home, Role::Owner, by)));
        }
        for role in Role::ALL {
            all.extend([By::Token, By::Cookie].map(|by| Self::Member(Home::A, role, by)));
        }
        all.extend(Ability::ALL.map(Self::Lacking));
        all.extend([Self::LimitedToThatSession, Self::LimitedToAnotherSession]);
        all.extend(both(Self::PlatformAdministrator));
        all.push(Self::ViewerWhoOperates);
        all
    }

    /// Whether their credential should be accepted.
    #[must_use]
    pub const fn is_recognized(self) -> bool {
        !matches!(
            self,
            Self::Nobody | Self::WrongSecret(_) | Self::Expired(_) | Self::Revoked(_) | Self::Disabled(_)
        )
    }

    /// In which organization they should act; `None` if in none.
    #[must_use]
    pub const fn home(self) -> Option<Home> {
        match self {
            Self::Member(home, ..) => Some(home),
            Self::Lacking(_)
            | Self::LimitedToThatSession
            | Self::LimitedToAnotherSession
            | Self::ViewerWhoOperates => Some(Home::A),
            _ => None,
        }
    }

    /// What they are in their organization.
    #[must_use]
    pub const fn role(self) -> Role {
        match self {
            Self::Member(_, role, _) => role,
            Self::ViewerWhoOperates => Role::Viewer,
            _ => Role::Owner,
        }
    }

    /// The ability that they lack, whatever their role.
    #[must_use]
    pub const fn lacks(self) -> Option<Ability> {
        match self {
            Self::Lacking(ability) => Some(ability),
            _ => None,
        }
    }

    /// Whether they see some sessions only.
    #[must_use]
    pub const fn is_limited(self) -> bool {
        matches!(self, Self::LimitedToThatSession | Self::LimitedToAnotherSession)
    }

    /// With what they show who they are; `None` if with nothing.
    #[must_use]
    pub const fn by(self) -> Option<By> {
        match self {
            Self::Nobody => None,
            Self::WrongSecret(by)
            | Self::Expired(by)
            | Self::Revoked(by)
            | Self::Disabled(by)
            | Self::FormerMember(by)
            | Self::Member(_, _, by)
            | Self::PlatformAdministrator(by) => Some(by),
            Self::NeverMember | Self::OwnerOfBNamingA => Some(By::Cookie),
            Self::Lacking(_)
            | Self::LimitedToThatSession
            | Self::LimitedToAnotherSession
            | Self::ViewerWhoOperates => Some(By::Token),
        }
    }
}

impl fmt::Display for By {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Token => "token",
            Self::Cookie => "cookie",
        })
    }
}

impl fmt::Display for Home {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::A => "A",
            Self::B => "B",
            Self::Suspended => "a suspended organization",
            Self::Closed => "a closed organization",
        })
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nobody => f.write_str("nobody"),
            Self::WrongSecret(by) => write!(f, "{by} with a wrong secret"),
            Self::Expired(by) => write!(f, "{by} that expired"),
            Self::Revoked(by) => write!(f, "{by} that was revoked"),
            Self::Disabled(by) => write!(f, "{by} of a disabled user"),
            Self::NeverMember => f.write_str("cookie of a user without organization"),
            Self::FormerMember(by) => write!(f, "{by} of a former member"),
            Self::OwnerOfBNamingA => f.write_str("cookie of owner of B naming A"),
            Self::Member(home, role, by) => write!(f, "{by} of {role} of {home}"),
            Self::Lacking(ability) => write!(f, "token without {ability}"),
            Self::LimitedToThatSession => f.write_str("token limited to that session"),
            Self::LimitedToAnotherSession => f.write_str("token limited to another session"),
            Self::PlatformAdministrator(by) => write!(f, "{by} of platform administrator"),
            Self::ViewerWhoOperates => f.write_str("token of A of a viewer who operates the platform"),
        }
    }
}
