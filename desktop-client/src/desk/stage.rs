//! The stage: scenes are read on a thread, and looked at by a process of their own, so that neither
//! a scene nor a driver that hangs takes the window with it.

mod import;
mod ladder;
mod lookout;

use std::path::PathBuf;
use std::sync::Arc;

use scene::Scene;
use tokio::sync::mpsc;

use super::Outlet;
use crate::state::Event;
use crate::state::stage::{Event as News, Sighting, Surroundings};
use lookout::Lookout;

/// What this desk is asked.
pub(super) enum Ask {
    Import(PathBuf),
    Surround(Option<Surroundings>),
    Look(Box<Sighting>),
    LookAway,
    Clear,
}

/// What came of reading something.
struct Done {
    news: News,
    /// The scene as its file has it, where that was read.
    scene: Option<Arc<Scene>>,
}

pub(super) async fn run(program: Option<PathBuf>, mut asks: mpsc::Receiver<Ask>, outlet: Outlet) {
    let lookout = Lookout::open(program, outlet.clone());
    let mut scene: Option<Arc<Scene>> = None;
    // The newest is wanted: what else is being read is read for nothing.
    let mut reading: Option<tokio::task::JoinHandle<Done>> = None;
    loop {
        let read = async {
            match &mut reading {
                Some(task) => task.await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            ask = asks.recv() => match ask {
                None => return,
                Some(Ask::Import(path)) => {
                    reading = Some(tokio::task::spawn_blocking(move || import(path)));
                }
                Some(Ask::Surround(surroundings)) => {
                    if let Some(scene) = scene.clone() {
                        reading = Some(tokio::task::spawn_blocking(move || {
                            surround(&scene, surroundings)
                        }));
                    }
                }
                Some(Ask::Look(sighting)) => lookout.look(*sighting),
                Some(Ask::LookAway) => lookout.rest(),
                Some(Ask::Clear) => {
                    (reading, scene) = (None, None);
                    lookout.clear();
                }
            },
            done = read => {
                reading = None;
                // A panic of the importer was said by its hook.
                let Ok(done) = done else { continue };
                if done.scene.is_some() {
                    scene = done.scene;
                }
                match &done.news {
                    News::Imported(imported) => {
                        let package = &imported.package;
                        lookout.show(package.id(), package.bytes().clone());
                    }
                    News::Surrounded { package: Ok(package), .. } => {
                        lookout.show(package.id(), package.bytes().clone());
                    }
                    _nothing_to_see => {}
                }
                outlet.send(Event::Stage(done.news)).await;
            }
        }
    }
}

fn import(path: PathBuf) -> Done {
    match import::read(path) {
        Ok((imported, scene)) => {
            Done { news: News::Imported(Box::new(imported)), scene: Some(Arc::new(scene)) }
        }
        Err(trouble) => Done { news: News::NotImported(trouble), scene: None },
    }
}

fn surround(scene: &Scene, surroundings: Option<Surroundings>) -> Done {
    let package = import::surrounded(scene, surroundings.as_ref()).map(Arc::new);
    Done { news: News::Surrounded { surroundings, package }, scene: None }
}
