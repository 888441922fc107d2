//! What routes take as arguments. Each checks its part, in the order in which refusals are told: who
//! calls, in which organization, what is meant, whether it is allowed, and then the input.

mod allowed;
mod body;
mod identity;
mod input;
mod media;
mod operated;
mod patch;

pub(crate) use allowed::{Allowed, OfOrganization, OfSession, OfStart, OfToken};
pub(crate) use body::{Json, OptionalJson};
pub(crate) use identity::{SIGN_IN_COOKIE, SignedIn};
pub(crate) use input::{Page, Paging, Query, within};
pub(crate) use media::{MediaBody, MediaForm};
pub(crate) use operated::Operated;
pub(crate) use patch::Patch;
