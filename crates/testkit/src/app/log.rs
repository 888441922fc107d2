//! What wahana logs and asks its database while it answers, kept apart by the app that answers.

use std::{
    collections::HashMap,
    fmt::{self, Write as _},
    sync::{
        Mutex, Once, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tracing::{
    Event, Id, Level, Subscriber,
    field::{Field, Visit},
    level_filters::LevelFilter,
    span::Attributes,
};
use tracing_subscriber::{
    Layer, Registry,
    filter::Targets,
    layer::{Context, SubscriberExt as _},
    registry::LookupSpan,
};

/// Where sqlx says which statements it ran.
const STATEMENTS: &str = "sqlx::query";
/// The span around every request of a test.
pub(super) const REQUEST_SPAN: &str = "request of a test";

static RECORDS: Mutex<Option<HashMap<u64, Records>>> = Mutex::new(None);
static INSTALLED: Once = Once::new();
static NEXT_APP: AtomicU64 = AtomicU64::new(1);

#[derive(Default)]
struct Records {
    /// Requests whose span is held by somebody.
    open: usize,
    statements: Vec<String>,
    lines: Vec<String>,
}

/// What is recorded of one app. A process has one subscriber, which all apps share.
#[derive(Debug)]
pub(super) struct RequestLog {
    app: u64,
}

#[expect(clippy::expect_used, reason = "only tests call this")]
impl RequestLog {
    pub(super) fn start() -> Self {
        INSTALLED.call_once(|| {
            let targets = Targets::new()
                .with_default(LevelFilter::INFO)
                .with_target(STATEMENTS, Level::DEBUG);
            let subscriber = Registry::default().with(Recorder.with_filter(targets));
            tracing::subscriber::set_global_default(subscriber)
                .expect("a test that records requests has no other subscriber");
        });
        Self {
            app: NEXT_APP.fetch_add(1, Ordering::Relaxed),
        }
    }

    pub(super) const fn app(&self) -> u64 {
        self.app
    }

    /// The statements since the last time that this was asked, without their values.
    pub(super) fn take_statements(&self) -> Vec<String> {
        with_records(self.app, |records| std::mem::take(&mut records.statements))
    }

    /// Waits until everything that was done for the requests so far is recorded: SQLite's thread says what it
    /// ran a moment after the answer is there, and holds the request's span until then.
    pub(super) async fn settle(&self) {
        while with_records(self.app, |records| records.open) > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Every log line so far with all its fields.
    pub(super) fn lines(&self) -> Vec<String> {
        with_records(self.app, |records| records.lines.clone())
    }
}

fn with_records<R>(app: u64, act: impl FnOnce(&mut Records) -> R) -> R {
    let mut records = RECORDS.lock().unwrap_or_else(PoisonError::into_inner);
    act(records.get_or_insert_default().entry(app).or_default())
}

struct Recorder;

/// The app that a span belongs to.
struct App(u64);

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Recorder {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if attributes.metadata().name() != REQUEST_SPAN {
            return;
        }
        let mut app = AppField(None);
        attributes.record(&mut app);
        if let (Some(span), Some(app)) = (context.span(id), app.0) {
            span.extensions_mut().insert(App(app));
            with_records(app, |records| records.open += 1);
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let app = context
            .span(&id)
            .and_then(|span| span.extensions().get::<App>().map(|app| app.0));
        if let Some(app) = app {
            with_records(app, |records| records.open -= 1);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let app = context
            .event_scope(event)
            .and_then(|mut scope| scope.find_map(|span| span.extensions().get::<App>().map(|app| app.0)));
        let Some(app) = app else { return };
        if event.metadata().target() == STATEMENTS {
            let mut statement = Statement::default();
            event.record(&mut statement);
            let text = statement.text();
            // What a new connection of the pool is told is no part of the answer.
            if !text.starts_with("PRAGMA ") {
                with_records(app, |records| records.statements.push(text));
            }
        } else {
            let mut line = Line(event.metadata().target().to_owned());
            event.record(&mut line);
            with_records(app, |records| records.lines.push(line.0));
        }
    }
}

struct AppField(Option<u64>);

impl Visit for AppField {
    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() == "app" {
            self.0 = Some(value);
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn fmt::Debug) {}
}

/// sqlx puts a short statement into one field, and a long one shortened there and whole into another.
#[derive(Default)]
struct Statement {
    summary: String,
    whole: String,
}

impl Statement {
    fn text(self) -> String {
        let text = if self.whole.trim().is_empty() {
            self.summary
        } else {
            self.whole
        };
        text.trim().to_owned()
    }
}

impl Visit for Statement {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "summary" => value.clone_into(&mut self.summary),
            "db.statement" => value.clone_into(&mut self.whole),
            _ => {}
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn fmt::Debug) {}
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing into a string does not fail.
        let _ = write!(self.0, " {field}={value:?}");
    }
}
