//! Every operation, called by everybody.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;

use wahana_domain::SessionId;
use wahana_testkit::{
    app::{Actor, Answer, Client, Home, Sees, TestApp},
    database::TestDatabase,
};

use crate::{
    answers::{self, Exchange},
    document::{Operation, operations},
    expected::{Path, Target, expected},
    lines::{LINES, Line, Place, Who},
    things::{self, Thing},
};

/// What is called: an operation, and in which way its path names what.
struct Call<'a> {
    operation: &'a Operation,
    line: &'a Line,
    target: Target,
    spelling: usize,
}

/// A call that was made.
struct Called<'a> {
    actor: Actor,
    exchange: Exchange,
    operation: &'a Operation,
    /// Whether who calls makes no difference; then what is logged is not looked at here.
    is_for_anybody: bool,
}

/// Calls everything as everybody, and gives back who got what, as text.
pub(crate) async fn call_everything(database: &TestDatabase) -> String {
    // So that each caller has an address of their own, and none uses up what another may try.
    let app = TestApp::start_with(database, |settings| {
        settings.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    })
    .await;
    let operations = operations();
    let mut matrix = String::new();
    let mut faults = Vec::new();
    let mut exchanges = Vec::new();
    for operation in &operations {
        let line = line_of(operation);
        writeln!(
            matrix,
            "{}: {} {}",
            operation.id, operation.method, operation.path
        )
        .unwrap();
        for call in calls(operation, line) {
            let answers = call_as_everybody(&app, &call).await;
            app.tidy_up().await;
            writeln!(matrix, "  {}", call.heading()).unwrap();
            matrix += &grouped(&answers);
            for (actor, exchange) in answers {
                let expected = expected(line, actor, call.path());
                let got = exchange.answer.named();
                if got != expected {
                    faults.push(format!(
                        "{} {}: {actor} got {got}, not {expected}",
                        operation.id,
                        call.heading()
                    ));
                }
                answers::check(&app, line.who, &exchange);
                exchanges.push(Called {
                    actor,
                    exchange,
                    operation,
                    is_for_anybody: matches!(line.who, Who::Anybody),
                });
            }
        }
        matrix.push('\n');
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    check_audit_log(database, &exchanges).await;
    matrix
}

pub(crate) fn line_of(operation: &Operation) -> &'static Line {
    let line = LINES.iter().find(|line| line.operation == operation.id);
    line.unwrap_or_else(|| panic!("{} has no line in lines.rs", operation.id))
}

fn calls<'a>(operation: &'a Operation, line: &'a Line) -> Vec<Call<'a>> {
    let call = |target, spelling| Call {
        operation,
        line,
        target,
        spelling,
    };
    let parameters = operation.parameters();
    let Some(parameter) = parameters.first() else {
        return vec![call(Target::Nothing, 0)];
    };
    assert_eq!(
        parameters.len(),
        1,
        "{}: nobody said what these are",
        operation.path
    );
    let targets = match line.who {
        Who::Members { .. } => vec![Target::OfA, Target::OfB, Target::Missing],
        _ => vec![Target::OfInstallation, Target::Missing],
    };
    let spellings = 0..things::spellings(parameter);
    targets
        .into_iter()
        .flat_map(|target| spellings.clone().map(move |spelling| (target, spelling)))
        .map(|(target, spelling)| call(target, spelling))
        .collect()
}

impl Call<'_> {
    fn parameter(&self) -> Option<&str> {
        self.operation.parameters().first().copied()
    }

    fn path(&self) -> Path<'_> {
        Path {
            target: self.target,
            parameter: self.parameter(),
            is_by_name: self.spelling > 0,
        }
    }

    fn heading(&self) -> String {
        let parameter = self.parameter().unwrap_or_default();
        let named = if self.spelling == 0 { "id" } else { "name" };
        match self.target {
            Target::Nothing => "as it is".to_owned(),
            Target::OfA => format!("{parameter} is the {named} of one of A"),
            Target::OfB => format!("{parameter} is the {named} of one of B"),
            Target::OfInstallation => format!("{parameter} is the {named} of one"),
            Target::Missing => format!("{parameter} is the {named} of none"),
        }
    }

    /// Who calls. Abilities that make no difference are lacked by nobody.
    fn everybody(&self) -> Vec<Actor> {
        let may_differ = matches!(self.target, Target::Nothing | Target::OfA);
        let needed = match self.line.who {
            Who::Members { .. } if may_differ => return Actor::all(),
            Who::Members { abilities, .. } => abilities,
            _ => &[],
        };
        let mut everybody = Actor::all();
        everybody.retain(|actor| actor.lacks().is_none_or(|lacked| needed.contains(&lacked)));
        everybody
    }

    /// The things that the actors call for, one each: the first call may use it up.
    async fn things(&self, app: &TestApp, count: usize) -> Vec<Option<Thing>> {
        let Some(parameter) = self.parameter() else {
            return vec![None; count];
        };
        let made = things::make(app, self.target, parameter, count, self.line.session_is).await;
        made.into_iter().map(Some).collect()
    }

    async fn make(&self, client: &Client, thing: Option<&Thing>, place: &Place) -> Answer {
        let mut target = self.operation.path.clone();
        if let (Some(parameter), Some(thing)) = (self.parameter(), thing) {
            target = target.replace(&format!("{{{parameter}}}"), &thing.spellings[self.spelling]);
        }
        target += self.line.query;
        if self.line.is_endless {
            return client.open_stream(&target).await.into_beginning().await;
        }
        let body = self.line.body.map(|body| body(place));
        client
            .send(self.operation.method.clone(), &target, body.as_ref())
            .await
    }
}

async fn call_as_everybody(app: &TestApp, call: &Call<'_>) -> Vec<(Actor, Exchange)> {
    let everybody = call.everybody();
    let things = call.things(app, everybody.len()).await;
    let (of_a, of_b) = (app.session(Home::A).await.id, app.session(Home::B).await.id);
    let recipes: Vec<_> = everybody
        .iter()
        .zip(&things)
        .map(|(actor, thing)| (*actor, Some(sees(thing.as_ref(), call.target, of_a))))
        .collect();
    let clients = app.actors(&recipes).await;

    let mut answers = Vec::new();
    for (((actor, client), thing), number) in everybody.into_iter().zip(clients).zip(&things).zip(1..) {
        let place = match actor.home() {
            Some(Home::B) => Place::of(app, Home::B, of_b),
            _ => Place::of(app, Home::A, of_a),
        };
        let request_id = format!("matrix-{}", SessionId::new());
        let client = client
            .with("x-request-id", &request_id)
            .with("x-forwarded-for", &format!("198.51.100.{number}"));
        let answer = call.make(&client, thing.as_ref(), &place).await;
        answers.push((actor, Exchange { request_id, answer }));
    }
    answers
}

fn sees(thing: Option<&Thing>, target: Target, of_a: SessionId) -> Sees {
    let that = thing
        .and_then(|thing| thing.session)
        .filter(|_| target == Target::OfA);
    Sees {
        that: that.unwrap_or(of_a),
        another: of_a,
    }
}

/// Who got what, a line for each answer.
fn grouped(answers: &[(Actor, Exchange)]) -> String {
    let mut groups: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (actor, exchange) in answers {
        groups
            .entry(exchange.answer.named())
            .or_default()
            .push(actor.to_string());
    }
    let mut text = String::new();
    for (answer, actors) in groups {
        let who = if actors.len() == answers.len() {
            "everybody".to_owned()
        } else {
            actors.join(", ")
        };
        writeln!(text, "    {answer}: {who}").unwrap();
    }
    text
}

/// Every change, and every refusal of one to an authenticated caller, leaves a row that says what came of
/// it; what is only read, or asked without a valid credential, leaves none.
async fn check_audit_log(database: &TestDatabase, calls: &[Called<'_>]) {
    let rows = database
        .texts_unguarded(
            "SELECT request_id || ' ' || operation || ' ' || COALESCE(error_code, outcome) FROM audit_entries",
        )
        .await;
    let mut by_request: HashMap<&str, Vec<&str>> = HashMap::new();
    for row in &rows {
        let (request_id, rest) = row.split_once(' ').unwrap();
        by_request.entry(request_id).or_default().push(rest);
    }
    let mut faults = Vec::new();
    for call in calls {
        let (actor, exchange) = (call.actor, &call.exchange);
        let found = by_request
            .remove(exchange.request_id.as_str())
            .unwrap_or_default();
        if call.is_for_anybody {
            continue;
        }
        let outcome = exchange
            .answer
            .error_code()
            .unwrap_or_else(|| "success".to_owned());
        let wanted = (call.operation.is_audited() && actor.is_recognized()).then_some(&call.operation.id);
        let is_right = match wanted {
            Some(operation) => {
                let outcome = format!("{operation} {outcome}");
                let intent = format!("{operation} intent");
                found.iter().filter(|row| **row == outcome).count() == 1
                    && found.iter().all(|row| **row == outcome || **row == intent)
            }
            None => found.is_empty(),
        };
        if !is_right {
            faults.push(format!(
                "{actor} got {}, and the audit log says {found:?} of {wanted:?}",
                exchange.answer.named()
            ));
        }
    }
    faults.extend(by_request.keys().map(|id| format!("a row of no request: {id}")));
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
