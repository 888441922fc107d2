//! What routes take as arguments. Each checks its part, in the order in which refusals are told: who
//! calls, in which organization, what is meant, whether it is allowed, and then the input.

mod allowed;
mod body;
mod cursor;
mod identity;
mod input;
mod media;
mod objects;
mod operated;
mod patch;
mod preferences;

pub(crate) use allowed::{
    Allowed, OfDelivery, OfErasure, OfExport, OfInvitation, OfKnownMessage, OfMember, OfMessage,
    OfOrganization, OfSession, OfStart, OfToken, OfWebhook, Resource,
};
pub(crate) use body::{Json, OptionalJson, read as read_body};
pub(crate) use cursor::{NextCursor, id_after, position};
pub(crate) use identity::{InPerson, SIGN_IN_COOKIE, SignedIn, Visitor, presented};
pub(crate) use input::{Page, Paging, Query, limit, within};
pub(crate) use media::{Base64, MediaBody, MediaForm, NotBase64};
pub(crate) use operated::{OfAnyOrganization, OfAnySession, OfPlatformToken, OfServer, OfUser, Operated};
pub(crate) use patch::Patch;
pub(crate) use preferences::SendPreferences;
