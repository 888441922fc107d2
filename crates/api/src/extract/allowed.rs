//! Whether the caller may do what the route does, to what its path names.

use std::collections::HashMap;

use axum::{
    extract::{FromRequestParts, RawPathParams},
    http::request::Parts,
};
use serde::Serialize;
use wahana_domain::{
    AccessToken, Erasure, Export, Invitation, Member, OutgoingMessage, Session, SessionId, WebhookDelivery,
    WebhookEndpoint,
};
use wahana_service::{
    Caller, ServiceError, Services,
    access::{Granted, Owned, Permission},
    limits,
    messages::KnownMessage,
    sessions::{self, StartTarget},
};

use super::{
    identity::{SignedIn, scope},
    input::refuse_unknown_parameters,
};
use crate::{envelope::Reply, error::ApiError, request::RequestScope, state::ApiState};

/// What a path names inside the caller's organization.
pub(crate) trait Resource: Send + 'static {
    /// What was found.
    type Found: Send;

    /// Finds it; for whoever may not see it, it does not exist.
    fn find(
        services: &Services,
        caller: &Caller,
        path: &PathParams,
        scope: &RequestScope,
    ) -> impl Future<Output = Result<Self::Found, ServiceError>> + Send;
}

/// A caller who has permission `P`, and what they may do it to. A handler gets to its service only
/// with this, so none can forget the check.
pub(crate) struct Allowed<R: Resource, P> {
    pub(crate) found: R::Found,
    pub(crate) access: Granted<P>,
    scope: RequestScope,
}

impl<R: Resource, P: Permission> FromRequestParts<ApiState> for Allowed<R, P> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> Result<Self, ApiError> {
        let signed_in = <SignedIn as FromRequestParts<ApiState>>::from_request_parts(parts, state).await?;
        let context = signed_in.context(parts, state)?;
        let scope = scope(parts)?;
        // Before any work, so that too many requests cost little.
        limits::count_request(state.services(), &context).await?;
        let path = PathParams::read(parts).await;
        let found = R::find(state.services(), &context.caller, &path, &scope).await?;
        let access = Granted::check(context)?;
        refuse_unknown_parameters(parts, state)?;
        Ok(Self { found, access, scope })
    }
}

impl<R: Resource, P> Allowed<R, P> {
    /// Notes for the log which session was made.
    pub(crate) fn note_session(&self, session: SessionId) {
        self.scope.set_session(session);
    }

    /// The request.
    pub(crate) const fn scope(&self) -> &RequestScope {
        &self.scope
    }

    /// A success.
    pub(crate) fn reply<'a, T: Serialize>(&'a self, message: &'a str, data: T) -> Reply<'a, T> {
        Reply::new(&self.scope, message, data)
    }
}

/// The parts of the path that have names, percent-decoded once.
pub(crate) struct PathParams(HashMap<String, String>);

impl PathParams {
    pub(super) async fn read(parts: &mut Parts) -> Self {
        // A part that is no UTF-8 names nothing.
        let params = RawPathParams::from_request_parts(parts, &()).await;
        let params = params
            .iter()
            .flatten()
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        Self(params.collect())
    }

    /// The text of a part; empty, which names nothing, if there is none.
    pub(crate) fn get(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }
}

/// The organization itself.
pub(crate) enum OfOrganization {}

impl Resource for OfOrganization {
    type Found = ();

    async fn find(_: &Services, _: &Caller, _: &PathParams, _: &RequestScope) -> Result<(), ServiceError> {
        Ok(())
    }
}

/// Resources that are found by one part of the path, and the session of each for the log.
macro_rules! named_in_path {
    ($($(#[$doc:meta])* $resource:ident: $found:ty, $part:literal, of $session:expr;)+) => {$(
        $(#[$doc])*
        pub(crate) enum $resource {}

        impl Resource for $resource {
            type Found = Owned<$found>;

            async fn find(
                services: &Services,
                caller: &Caller,
                path: &PathParams,
                scope: &RequestScope,
            ) -> Result<Self::Found, ServiceError> {
                let found = Owned::<$found>::find(services, caller, path.get($part)).await?;
                let session: fn(&$found) -> Option<SessionId> = $session;
                if let Some(session) = session(&found) {
                    scope.set_session(session);
                }
                Ok(found)
            }
        }
    )+};
}

named_in_path! {
    /// The session that the path names.
    OfSession: Session, "sessionId", of |session| Some(session.id);
    /// The message that the path names, sent or received.
    OfKnownMessage: KnownMessage, "messageId", of |message| Some(message.session_id);
    /// The message that the path names, by wahana's id, which was handed to wahana.
    OfMessage: OutgoingMessage, "messageId", of |message| Some(message.session_id);
    /// The access token that the path names.
    OfToken: AccessToken, "tokenId", of |_| None;
    /// The webhook that the path names.
    OfWebhook: WebhookEndpoint, "webhookId", of |_| None;
    /// The delivery of a webhook that the path names.
    OfDelivery: WebhookDelivery, "deliveryId", of |_| None;
    /// The member that the path names, by their user's id.
    OfMember: Member, "userId", of |_| None;
    /// The erasure that the path names.
    OfErasure: Erasure, "erasureId", of |_| None;
    /// The export that the path names.
    OfExport: Export, "exportId", of |_| None;
    /// The open invitation that the path names.
    OfInvitation: Invitation, "invitationId", of |_| None;
}

/// What a call to start names: a session, or one to be made.
pub(crate) enum OfStart {}

impl Resource for OfStart {
    type Found = StartTarget;

    async fn find(
        services: &Services,
        caller: &Caller,
        path: &PathParams,
        scope: &RequestScope,
    ) -> Result<StartTarget, ServiceError> {
        let target = sessions::find_or_plan(services, caller, path.get("sessionId")).await?;
        if let StartTarget::There(session) = &target {
            scope.set_session(session.id);
        }
        Ok(target)
    }
}
