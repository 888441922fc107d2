//! Links that carry a secret: invitations, and choosing a new password.

use std::{fmt::Display, str::FromStr};

use secrecy::SecretString;
use url::Url;
use wahana_domain::{Secret, SecretHash};

/// Where on the web app a link leads.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Page {
    Invitation,
    PasswordReset,
}

impl Page {
    const fn path(self) -> &'static str {
        match self {
            Self::Invitation => "invitation",
            Self::PasswordReset => "password-reset",
        }
    }
}

/// `<public_url>/<page>#<id>.<secret>`. What is behind the `#` is sent to no server when the link is
/// opened, so no proxy's log has it. Never made from what a request says about its host.
pub(crate) fn link(public_url: &Url, page: Page, id: impl Display, secret: &Secret) -> SecretString {
    let base = public_url.as_str().trim_end_matches('/');
    format!("{base}/{}#{id}.{}", page.path(), secret.expose()).into()
}

/// What a link carries, as it came back: `<id>.<secret>`. Whether it is right shows when it is looked
/// up by its id and compared with the hash that is kept.
#[derive(Clone, Copy, Debug)]
pub struct PresentedLink<Id> {
    pub(crate) id: Id,
    pub(crate) secret: SecretHash,
}

impl<Id: FromStr> PresentedLink<Id> {
    /// Reads the part of a link behind the `#`; `None` if it has not the shape of one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (id, secret) = text.split_once('.')?;
        Some(Self {
            id: id.parse().ok()?,
            secret: SecretHash::of(secret),
        })
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;
    use wahana_domain::InvitationId;

    use super::*;

    #[test]
    fn a_link_leads_to_the_public_address_and_is_read_again() {
        let (id, secret) = (InvitationId::new(), Secret::generate());
        for (public, begins) in [
            ("https://wahana.example/", "https://wahana.example/invitation#"),
            ("https://example.com/waha", "https://example.com/waha/invitation#"),
        ] {
            let link = link(&public.parse().unwrap(), Page::Invitation, id, &secret);
            let token = link.expose_secret().strip_prefix(begins).unwrap();
            let presented = PresentedLink::<InvitationId>::parse(token).unwrap();
            assert_eq!(presented.id, id);
            assert_eq!(presented.secret, secret.hash());
            assert!(!format!("{link:?}").contains(secret.expose()));
        }
        assert!(PresentedLink::<InvitationId>::parse("nothing").is_none());
    }
}
