//! Organizations that send at the same time.

use std::time::Duration;

use waha_sim::{Fault, FaultKind, SessionSeed, WahaSim};
use wahana_domain::{
    EmailAddress, Membership, MessageId, OutgoingMessage, Role, Session, SessionStatus, UserId,
};
use wahana_store::{
    NewUser, Tenant,
    messages::{self, MessageContent, NewMessage, Requester},
    sessions,
};
use wahana_testkit::rows;

use crate::wahana::{Setup, Wahana};

/// An organization with sessions that work.
struct Sender<'a> {
    wahana: &'a Wahana,
    tenant: Tenant,
    owner: UserId,
    sessions: Vec<Session>,
}

impl<'a> Sender<'a> {
    async fn arrive(wahana: &'a Wahana, name: &str, sessions: usize) -> Self {
        let owner = UserId::new();
        let tx = wahana.store().platform_write().await.unwrap();
        let now = tx.now();
        let organization = rows::organization(name, now);
        tx.insert_organization(&organization).await.unwrap();
        tx.insert_user(&NewUser {
            id: owner,
            email: EmailAddress::parse(&format!("owner@{name}.test")).unwrap(),
            display_name: name.to_owned(),
            is_platform_administrator: false,
        })
        .await
        .unwrap();
        let membership = Membership {
            organization_id: organization.id,
            user_id: owner,
            role: Role::Owner,
            created_at: now,
        };
        tx.insert_membership(&membership).await.unwrap();
        let tenant = tx.tenant(organization.id).await.unwrap().unwrap();
        tx.commit().await.unwrap();

        let tx = wahana.store().write(tenant).await.unwrap();
        let server = wahana.session.waha.server;
        let mut made = Vec::new();
        for number in 0..sessions {
            let session = Session {
                status: SessionStatus::Working,
                waha_status: Some("WORKING".to_owned()),
                ..rows::session(organization.id, server, &format!("session_{number}"), now)
            };
            wahana
                .sim
                .add_session(SessionSeed::new(session.waha.name.as_str()));
            sessions::insert(&tx, &session).await.unwrap();
            made.push(session);
        }
        tx.commit().await.unwrap();
        Self {
            wahana,
            tenant,
            owner,
            sessions: made,
        }
    }

    /// Hands in so many texts through each of the first sessions.
    async fn hand_in(&self, sessions: usize, texts: usize, words: &str) {
        let tx = self.wahana.store().write(self.tenant).await.unwrap();
        let requester = Requester {
            user: self.owner,
            token: None,
            request_id: "request".to_owned(),
        };
        let content = MessageContent {
            text: Some(words.to_owned()),
            details: None,
        };
        for session in &self.sessions[..sessions] {
            for _ in 0..texts {
                let message = OutgoingMessage {
                    id: MessageId::new(),
                    is_asynchronous: true,
                    ..rows::message(session.id, tx.now())
                };
                let new = NewMessage {
                    message: &message,
                    content: &content,
                    requester: &requester,
                    key: None,
                };
                messages::enqueue(&tx, &new).await.unwrap();
            }
        }
        tx.commit().await.unwrap();
    }
}

#[tokio::test]
async fn one_message_does_not_wait_for_the_hundreds_of_another_organization() {
    let setup = Setup {
        // Longer than the test runs.
        send_timeout: Some(Duration::from_mins(10)),
        ..Setup::default()
    };
    let wahana = Wahana::with(WahaSim::builder(), setup).await;
    let (sessions, each) = (30, 10);
    let many = Sender::arrive(&wahana, "many", sessions).await;
    let one = Sender::arrive(&wahana, "one", 1).await;
    // The first session's message is never answered, and those behind it wait.
    wahana
        .sim
        .set_fault(Fault::new(FaultKind::Hang).on_path("/api/sendText").times(1));
    many.hand_in(1, 1, "hangs").await;
    let _dispatching = wahana.dispatch();
    while wahana.sends() == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    many.hand_in(sessions, each, "of many").await;
    one.hand_in(1, 1, "of one").await;
    let sent = loop {
        let sent = wahana.texts();
        if sent.len() > (sessions - 1) * each {
            break sent;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    let place = sent.iter().position(|text| text == "of one").unwrap();
    assert!(place < sent.len() / 3, "it was number {place} of {}", sent.len());
}
