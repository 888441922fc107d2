//! The rows behind actors, and what they send.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, header};
use wahana_domain::{
    Abilities, Ability, AccessToken, Membership, OrganizationId, Role, Secret, SessionId, SignInId,
    Timestamp, TokenId, UserId,
};
use wahana_store::{
    NewPlatformToken, NewUser, PlatformTx, Store, Tenant, UserChange, access_tokens, members,
};

use super::{Actor, By, Home};
use crate::rows;

const HOUR: Duration = Duration::from_hours(1);

/// A person, and what they show who they are with.
pub(super) struct Person {
    actor: Actor,
    pub(super) user: UserId,
    secret: Secret,
    token: TokenId,
    sign_in: SignInId,
    sees: Option<Sees>,
}

/// The organizations by which an actor can be at home.
pub(super) trait Homes {
    fn tenant(&self, home: Home) -> Tenant;
}

#[expect(clippy::expect_used, reason = "only tests call this")]
impl Person {
    /// Makes those rows that belong to no organization or come before one.
    pub(super) async fn arrive(
        actor: Actor,
        sees: Option<Sees>,
        tx: &PlatformTx,
        homes: &impl Homes,
    ) -> Self {
        let token = match actor {
            Actor::PlatformAdministrator(_) => TokenId::generate_platform(),
            _ => TokenId::generate(),
        };
        let person = Self {
            actor,
            user: UserId::new(),
            secret: Secret::generate(),
            token,
            sign_in: SignInId::new(),
            sees,
        };
        person.make_user(tx).await;
        if let Some((home, role)) = person.membership() {
            let membership = Membership {
                organization_id: homes.tenant(home).organization_id(),
                user_id: person.user,
                role,
                created_at: tx.now(),
            };
            tx.insert_membership(&membership).await.expect("a membership");
        }
        match actor.by() {
            Some(By::Cookie) => person.make_sign_in(tx).await,
            Some(By::Token) if matches!(actor, Actor::PlatformAdministrator(_)) => {
                let new = NewPlatformToken {
                    id: person.token.clone(),
                    user_id: person.user,
                    name: actor.to_string(),
                    secret: person.secret.hash(),
                    expires_at: None,
                };
                tx.insert_platform_token(&new).await.expect("a platform token");
            }
            Some(By::Token) | None => {}
        }
        person
    }

    async fn make_user(&self, tx: &PlatformTx) {
        let email = format!("{}@wahana.test", self.user);
        let new = NewUser {
            id: self.user,
            email: wahana_domain::EmailAddress::parse(&email).expect("an address"),
            display_name: self.actor.to_string(),
            is_platform_administrator: matches!(
                self.actor,
                Actor::PlatformAdministrator(_) | Actor::ViewerWhoOperates
            ),
        };
        tx.insert_user(&new).await.expect("a user");
        if let Actor::Disabled(_) = self.actor {
            let change = UserChange {
                disabled_at: Some(Some(tx.now())),
                ..UserChange::default()
            };
            tx.update_user(self.user, &change).await.expect("a user");
        }
    }

    async fn make_sign_in(&self, tx: &PlatformTx) {
        let expires_at = self.expiry(tx.now()).unwrap_or_else(|| tx.now().plus(HOUR));
        tx.insert_sign_in(self.sign_in, self.user, &self.secret.hash(), expires_at)
            .await
            .expect("a sign-in");
        if let Actor::Revoked(_) = self.actor {
            tx.revoke_sign_in(self.sign_in).await.expect("a sign-in");
        }
    }

    /// Makes the rows that belong to an organization.
    pub(super) async fn settle(people: &[Self], home: Home, tenant: Tenant, store: &Store) {
        let tx = store.write(tenant).await.expect("a transaction");
        for person in people {
            if person.membership().is_none_or(|(at, _)| at != home) {
                continue;
            }
            if person.actor.by() == Some(By::Token) {
                let token = person.access_token(tenant.organization_id(), tx.now());
                access_tokens::insert(&tx, &token, &person.secret.hash())
                    .await
                    .expect("a token");
                if let Actor::Revoked(_) = person.actor {
                    access_tokens::revoke(&tx, &token.id).await.expect("a token");
                }
            }
            if let Actor::FormerMember(_) = person.actor {
                members::remove(&tx, person.user).await.expect("a member");
            }
        }
        tx.commit().await.expect("a commit");
    }

    fn access_token(&self, organization_id: OrganizationId, now: Timestamp) -> AccessToken {
        let abilities = match self.actor.lacks() {
            Some(lacking) => {
                let others: Vec<_> = Ability::ALL.into_iter().filter(|a| *a != lacking).collect();
                Abilities::of(&others)
            }
            None => Abilities::All,
        };
        let sees = self
            .actor
            .is_limited()
            .then(|| self.sees.expect("a limited actor sees something"));
        let sessions = sees.map(|sees| match self.actor {
            Actor::LimitedToThatSession => vec![sees.that],
            _ => vec![sees.another],
        });
        AccessToken {
            id: self.token.clone(),
            name: self.actor.to_string(),
            abilities,
            sessions,
            expires_at: self.expiry(now),
            ..rows::token(organization_id, self.user, now)
        }
    }

    fn expiry(&self, now: Timestamp) -> Option<Timestamp> {
        matches!(self.actor, Actor::Expired(_)).then(|| now.minus(Duration::from_secs(1)))
    }

    /// Of which organization they are a member, or were, or would be.
    fn membership(&self) -> Option<(Home, Role)> {
        match self.actor {
            Actor::Nobody | Actor::NeverMember | Actor::PlatformAdministrator(_) => None,
            Actor::OwnerOfBNamingA => Some((Home::B, Role::Owner)),
            actor => Some((actor.home().unwrap_or(Home::A), actor.role())),
        }
    }

    /// What they send with every request.
    pub(super) fn headers(&self, public_url: &str, homes: &impl Homes) -> HeaderMap {
        let secret = match self.actor {
            Actor::WrongSecret(_) => Secret::generate(),
            _ => self.secret.clone(),
        };
        let mut headers = HeaderMap::new();
        let mut add = |name: HeaderName, value: &str| {
            let value = HeaderValue::from_str(value).expect("a header's value");
            headers.insert(name, value);
        };
        match self.actor.by() {
            None => {}
            Some(By::Token) => {
                let bearer = format!("Bearer {}|{}", self.token, secret.expose());
                add(header::AUTHORIZATION, &bearer);
            }
            Some(By::Cookie) => {
                let cookie = format!("wahana_sign_in={}.{}", self.sign_in, secret.expose());
                add(header::COOKIE, &cookie);
                add(header::ORIGIN, public_url.trim_end_matches('/'));
                add(HeaderName::from_static("x-requested-with"), "wahana");
            }
        }
        if self.actor == Actor::OwnerOfBNamingA {
            let named = homes.tenant(Home::A).organization_id().to_string();
            add(HeaderName::from_static("x-organization-id"), &named);
        }
        headers
    }
}

/// What the tokens that are limited to sessions may see.
#[derive(Clone, Copy, Debug)]
pub struct Sees {
    /// The session that is called for.
    pub that: SessionId,
    /// Another session of the same organization.
    pub another: SessionId,
}
