//! The stage: scenes are read on a thread, and looked at by a process of their own, so that neither
//! a scene nor a driver that hangs takes the window with it.

mod import;
mod ladder;
mod lookout;

use std::path::PathBuf;

use tokio::sync::mpsc;

use super::Outlet;
use crate::state::stage::Sighting;
use crate::state::{Event, stage};
use lookout::Lookout;

/// What this desk is asked.
pub(super) enum Ask {
    Import(PathBuf),
    Look(Box<Sighting>),
    Clear,
}

pub(super) async fn run(program: Option<PathBuf>, mut asks: mpsc::Receiver<Ask>, outlet: Outlet) {
    let lookout = Lookout::open(program, outlet.clone());
    // The newest file is wanted: what else is being read is read for nothing.
    let mut importing: Option<tokio::task::JoinHandle<_>> = None;
    loop {
        let imported = async {
            match &mut importing {
                Some(task) => task.await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            ask = asks.recv() => match ask {
                None => return,
                Some(Ask::Import(path)) => {
                    importing = Some(tokio::task::spawn_blocking(move || import::read(path)));
                }
                Some(Ask::Look(sighting)) => lookout.look(*sighting),
                Some(Ask::Clear) => {
                    importing = None;
                    lookout.clear();
                }
            },
            done = imported => {
                importing = None;
                let event = match done {
                    Ok(Ok(imported)) => {
                        lookout.show(imported.package.id(), imported.package.bytes().clone());
                        stage::Event::Imported(Box::new(imported))
                    }
                    Ok(Err(trouble)) => stage::Event::NotImported(trouble),
                    // A panic of the importer was said by its hook.
                    Err(_cut_off) => continue,
                };
                outlet.send(Event::Stage(event)).await;
            }
        }
    }
}
