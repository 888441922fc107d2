//! What belongs to another organization, or is not visible to a token, does not exist: the answer is the same
//! as for what never was, and so is the work behind it.

use wahana_domain::Role;
use wahana_testkit::{
    app::{Actor, Answer, By, Home, Sees, TestApp, Work},
    database::TestDatabase,
};

use crate::{
    answers::comparable,
    document::{Operation, operations},
    expected::Target,
    lines::{Place, Who},
    matrix::line_of,
    things::{self, Thing},
};

/// Compares what each operation answers, and does, for something foreign and for something missing.
pub(crate) async fn compare(database: &TestDatabase) {
    let app = TestApp::start(database).await;
    for operation in &operations() {
        let line = line_of(operation);
        let Some(parameter) = operation.parameters().first().map(ToString::to_string) else {
            continue;
        };
        let Who::Members { .. } = line.who else { continue };
        for spelling in 0..things::spellings(&parameter) {
            for actor in [
                Actor::Member(Home::A, Role::Owner, By::Token),
                Actor::Member(Home::A, Role::Viewer, By::Cookie),
                Actor::LimitedToThatSession,
            ] {
                let foreign = things::make(&app, Target::OfB, &parameter, 1, line.session_is)
                    .await
                    .remove(0);
                let foreign = call(&app, operation, actor, &foreign, spelling).await;
                let missing = call(&app, operation, actor, &things::missing(&parameter), spelling).await;

                let what = format!("{} by {actor}", operation.id);
                assert_eq!(foreign.0.named(), missing.0.named(), "{what}");
                if foreign.0.status.is_success() {
                    assert!(spelling > 0 && line.makes_what_is_missing.is_some(), "{what}");
                    continue;
                }
                assert_eq!(comparable(&foreign.0), comparable(&missing.0), "{what}");
                assert_eq!(foreign.1, missing.1, "{what}");
                assert!(
                    !foreign.1.statements.is_empty(),
                    "{what}: the statements are not counted"
                );
                assert_eq!(foreign.1.upstream_calls, 0, "{what}");
            }
        }
    }
}

/// Calls as somebody whom wahana has not seen yet, so that what it remembers makes no difference.
async fn call(
    app: &TestApp,
    operation: &Operation,
    actor: Actor,
    thing: &Thing,
    spelling: usize,
) -> (Answer, Work) {
    let session = app.session(Home::A).await.id;
    let sees = Sees {
        that: session,
        another: session,
    };
    let client = app.actors(&[(actor, Some(sees))]).await.remove(0);
    let parameter = operation.parameters()[0];
    let line = line_of(operation);
    let mut target = operation
        .path
        .replace(&format!("{{{parameter}}}"), &thing.spellings[spelling]);
    target += line.query;
    let body = line.body.map(|body| body(&Place::of(app, Home::A, session)));
    let exchange = client.send(operation.method.clone(), &target, body.as_ref());
    app.work_of(exchange).await
}
