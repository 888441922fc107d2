//! The port: connections taken, refused or cut.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use axum::{Router, body::Body};
use http::{Request, Response};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use crate::{
    http::{self as waha, Outcome},
    life,
    sessions::Status,
    sim::{self, Sim},
};

/// What the port does with new connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Door {
    /// Takes them.
    Open,
    /// Nobody listens: the system refuses them.
    Refusing,
    /// Takes them and closes them at once.
    Slamming,
}

/// What a restarted WAHA has forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RestartLoss {
    /// Nothing but what was on its way: sessions that ran start again.
    Nothing,
    /// The sessions and their configuration, which old WAHA Core keeps in memory only. Pairings are on disk: a session
    /// that is made again under its old name needs no new scan.
    Configuration,
    /// Sessions, pairings, keys and files.
    Everything,
}

/// Serves the port until the simulator ends.
pub(crate) async fn serve(sim: Arc<Sim>, listener: TcpListener) {
    let router = waha::router();
    let mut wanted = sim.door_wanted.subscribe();
    let address = sim.address;
    let mut listener = Some(listener);
    let work = async {
        loop {
            let door = *wanted.borrow_and_update();
            match listener.take() {
                Some(open) if door != Door::Refusing => {
                    sim.door.send_replace(door);
                    tokio::select! {
                        accepted = open.accept() => match accepted {
                            Ok((stream, _)) if door == Door::Open => connect(&sim, &router, stream),
                            // Dropping the stream closes it.
                            Ok(_) => {}
                            Err(error) => {
                                tracing::warn!(%error, "a connection could not be taken");
                                tokio::time::sleep(Duration::from_millis(20)).await;
                            }
                        },
                        _ = wanted.changed() => {}
                    }
                    listener = Some(open);
                }
                closing => {
                    drop(closing);
                    listener = Some(refuse(&sim, address, &mut wanted).await);
                }
            }
        }
    };
    sim.lifetime.run_until_cancelled(work).await;
}

/// Keeps the port's number without listening on it, until the door shall open again.
async fn refuse(
    sim: &Sim,
    address: SocketAddr,
    wanted: &mut tokio::sync::watch::Receiver<Door>,
) -> TcpListener {
    let mut held = hold(address).ok();
    sim.door.send_replace(Door::Refusing);
    while *wanted.borrow_and_update() == Door::Refusing {
        if wanted.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
    loop {
        let opened = match held.take() {
            Some(socket) => socket.listen(1024),
            None => hold(address).and_then(|socket| socket.listen(1024)),
        };
        match opened {
            Ok(listener) => return listener,
            Err(error) => {
                tracing::warn!(%error, "the simulator's port is not free yet");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

fn hold(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

fn connect(sim: &Arc<Sim>, router: &Router, stream: TcpStream) {
    let connections = sim.lock().connections.clone();
    let (sim, router) = (Arc::clone(sim), router.clone());
    tokio::spawn(async move {
        let service = service_fn(move |request| answer(Arc::clone(&sim), router.clone(), request));
        let connection = http1::Builder::new()
            .title_case_headers(true)
            .timer(TokioTimer::new())
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades();
        if let Some(Err(error)) = connections.run_until_cancelled(connection).await {
            tracing::trace!(%error, "a connection ended early");
        }
    });
}

/// Answers in a task of its own: a client that gives up does not cancel what it asked for, as with WAHA.
async fn answer(sim: Arc<Sim>, router: Router, request: Request<Incoming>) -> io::Result<Response<Body>> {
    let run = sim.lock().run.clone();
    let work = tokio::spawn(run.run_until_cancelled_owned(waha::handle(sim, router, request)));
    match work.await {
        Ok(Some(Outcome::Answer(response))) => Ok(response),
        Ok(Some(Outcome::Silence)) => std::future::pending().await,
        // An error makes the server close the connection without a word.
        Ok(Some(Outcome::Close) | None) | Err(_) => Err(io::ErrorKind::ConnectionAborted.into()),
    }
}

impl Sim {
    /// Cuts all open connections.
    pub(crate) fn cut_connections(&self) {
        let mut state = self.lock();
        state.connections.cancel();
        state.connections = self.lifetime.child_token();
    }

    /// Ends the process: timers, retries and connections are gone, and nobody listens.
    pub(crate) fn stop_process(&self) {
        self.door_wanted.send_replace(Door::Refusing);
        self.cut_connections();
        // Last, because it may end the task that is running this.
        let run = self.lock().run.clone();
        run.cancel();
    }

    /// Ends the process and starts it again, with what it has on disk.
    pub(crate) fn restart_process(self: &Arc<Self>, loss: RestartLoss) {
        self.cut_connections();
        let mut state = self.lock();
        state.run.cancel();
        state.run = self.lifetime.child_token();
        state.started_ms = self.clock.now_ms();
        match loss {
            RestartLoss::Nothing => {}
            RestartLoss::Configuration => state.sessions = sim::first_sessions(&self.options),
            RestartLoss::Everything => {
                state.sessions = sim::first_sessions(&self.options);
                state.phones.clear();
                state.keys.clear();
                state.files = crate::files::Files::default();
            }
        }
        let ran: Vec<String> = state
            .sessions
            .values()
            .filter(|session| session.is_running())
            .map(|session| session.name.clone())
            .collect();
        for name in ran {
            if let Some(session) = state.sessions.get_mut(&name) {
                session.status = Status::Stopped;
            }
            life::start(self, &mut state, &name);
        }
        let rate = state.messages_per_minute;
        crate::incoming::set_traffic(self, &mut state, rate);
        drop(state);
        self.notify_changed();
        self.door_wanted.send_replace(Door::Open);
    }

    /// Changes what the port does and waits until it does it.
    pub(crate) async fn set_door(&self, door: Door) {
        self.door_wanted.send_replace(door);
        if door != Door::Open {
            self.cut_connections();
        }
        let mut now = self.door.subscribe();
        tokio::select! {
            _ = now.wait_for(|now| *now == door) => {}
            () = self.lifetime.cancelled() => {}
        }
    }
}
