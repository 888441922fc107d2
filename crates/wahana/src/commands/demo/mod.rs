//! `wahana demo`: everything embedded, to be looked at and played with. It is thrown away at the next
//! start, and its WAHA is a simulator.

mod environment;
mod lock;
mod receiver;
mod world;

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context as _;
use clap::Args;
use tokio::net::{TcpListener, TcpStream};
use waha_sim::{RestartLoss, WahaSim};
use wahana_domain::Secret;
use wahana_store::migrate;

use self::receiver::Receiver;
use super::serve;
use crate::{
    config::{Given, Settings, create_key_file},
    output::print,
};

#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// Where to listen; another port is taken if this one is in use.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Where to write addresses and tokens once everything is ready. The demo's own files lie in the
    /// folder `demo` beside it.
    #[arg(long, value_name = "FILE", default_value = "target/demo.env")]
    env_file: PathBuf,
    /// Lets the simulated WAHA restart every minute and lose all its sessions; the log tells how they come back.
    #[arg(long)]
    chaos: bool,
}

/// How long a simulated phone takes to scan a QR code.
const PAIRS_AFTER: Duration = Duration::from_secs(20);
/// How many messages come in, over all sessions.
const MESSAGES_PER_MINUTE: f64 = 12.0;
/// Besides warnings, what wahana does by itself.
const TELLING: &str = "warn,wahana_service::reconcile=info";
/// How often a chaotic WAHA loses all its sessions.
const CHAOS_EVERY: Duration = Duration::from_mins(1);
/// How often is looked whether wahana answers.
const READY_POLL: Duration = Duration::from_millis(50);

pub(super) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let env_file = arguments.env_file;
    let folder = env_file.parent().unwrap_or(Path::new(".")).join("demo");
    // Before anything of a demo that may be running is touched.
    let _held = lock::hold(&folder)?;
    remove(&env_file)?;
    let listen = free_address(arguments.listen).await?;
    let (receiver, listeners) = Receiver::bind().await?;
    let settings = set_up(&folder, listen, &receiver, arguments.chaos)?;
    migrate(&settings.database).await?;

    let key = Secret::generate();
    let waha = WahaSim::builder()
        .api_key(key.expose())
        .auto_pair_after(PAIRS_AFTER)
        .contacts_per_session(5)
        .start()
        .await
        .context("the simulated WAHA cannot start")?;
    let world = world::populate(&settings, &waha, &key, &receiver.hook_url()).await?;
    let secret = world.webhook_secret.clone();
    receiver.serve(listeners, secret, settings.limits).await?;
    waha.set_traffic(MESSAGES_PER_MINUTE);

    let url = format!("http://{listen}");
    let variables = environment::variables(&url, (&waha.base_url(), &key), &world, &receiver, &folder);
    let announce = tokio::spawn({
        let env_file = env_file.clone();
        async move {
            while TcpStream::connect(listen).await.is_err() {
                tokio::time::sleep(READY_POLL).await;
            }
            environment::write(&env_file, &variables)?;
            print(&environment::banner(&url, &env_file, &variables))
        }
    });
    tokio::select! {
        served = serve::run(settings) => served?,
        () = chaos(&waha), if arguments.chaos => {}
    }
    announce.await.context("the demo could not say what it made")??;
    // Its addresses and tokens are worth nothing any more.
    remove(&env_file)
}

/// Restarts WAHA again and again. Phones stay paired, as they do when WAHA keeps its files.
async fn chaos(waha: &WahaSim) {
    let mut interval = tokio::time::interval(CHAOS_EVERY);
    interval.tick().await;
    loop {
        interval.tick().await;
        tracing::warn!("chaos: the simulated WAHA restarts and has lost all its sessions");
        waha.restart(RestartLoss::Configuration).await;
    }
}

/// The wanted address, or another port of it if somebody has that one.
async fn free_address(wanted: SocketAddr) -> anyhow::Result<SocketAddr> {
    let listener = match TcpListener::bind(wanted).await {
        Ok(listener) => listener,
        Err(_) => TcpListener::bind((wanted.ip(), 0))
            .await
            .with_context(|| format!("the demo cannot listen on {}", wanted.ip()))?,
    };
    Ok(listener.local_addr()?)
}

/// Makes the demo's folder anew, with keys and a configuration, so that the command line works on it:
/// `wahana --config target/demo/wahana.toml …`.
fn set_up(
    folder: &Path,
    listen: SocketAddr,
    receiver: &Receiver,
    is_chaotic: bool,
) -> anyhow::Result<Settings> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("{} cannot be emptied", folder.display()))?;
    }
    fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    let folder = folder.canonicalize()?;
    create_key_file(&folder.join("wahana.keys"))?;
    let configuration = folder.join("wahana.toml");
    let database = folder.join("wahana.db");
    let text = format!(
        "listen = {listen:?}\npublic_url = {url:?}\nhook_url = {url:?}\n\n[database]\nurl = {database:?}\n\n[keys]\nfile = {keys:?}\n\n[log]\nlevel = {level:?}\n\n[webhooks]\nallow = [{receiver:?}]\n",
        level = if is_chaotic { TELLING } else { "warn" },
        receiver = receiver.address().to_string(),
        listen = listen.to_string(),
        url = format!("http://{listen}"),
        database = format!("sqlite://{}", database.display()),
        keys = folder.join("wahana.keys").display().to_string(),
    );
    fs::write(&configuration, text)?;
    Ok(Given::file_alone(&configuration).check()?)
}

fn remove(file: &Path) -> anyhow::Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("{} cannot be removed", file.display()))
        }
        _ => Ok(()),
    }
}
