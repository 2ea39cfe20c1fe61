//! `tessera-scheduler [SETTINGS.toml]`: a scheduler by itself. `tessera scheduler` is the same
//! with options.

use std::path::Path;

use anyhow::Context as _;
use scheduler::{Config, News};

fn main() -> anyhow::Result<()> {
    let config = match std::env::args_os().nth(1) {
        Some(path) => Config::read(Path::new(&path))?,
        None => Config::default(),
    };
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_unset| tracing_subscriber::EnvFilter::new("info"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let (stop, stopped) = tokio::sync::oneshot::channel();
    let mut stop = Some(stop);
    ctrlc::set_handler(move || {
        // The second signal finds nothing left to send.
        stop.take().map(|stop| stop.send(()));
    })
    .context("the stop signal cannot be listened to")?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().context("no runtime")?;
    let tell = |news| match news {
        News::Open(ready) | News::Moved(ready) => println!("{}", ready.ticket),
        News::StandingBy(leader) => eprintln!("standing by while {leader} leads"),
    };
    runtime.block_on(scheduler::run(config, tell, async move { drop(stopped.await) }))
}
