//! A farm of one's own on this machine: a private scheduler that runs beside the window.

use std::path::PathBuf;
use std::process::Command;

use tokio::sync::mpsc;

use super::Outlet;
use super::member::Member;
use crate::state::{Event, own_farm};

/// What this desk is asked.
pub(super) enum Ask {
    Start,
    Stop,
}

/// Runs `program` (`tessera`) as a scheduler whose books lie in `data`.
pub(super) async fn run(
    program: Option<PathBuf>,
    data: PathBuf,
    mut asks: mpsc::Receiver<Ask>,
    outlet: Outlet,
) {
    let mut running: Option<Member> = None;
    while let Some(ask) = asks.recv().await {
        match ask {
            Ask::Start if running.as_ref().is_some_and(|farm| !farm.has_ended()) => {}
            Ask::Start => match start(program.as_ref(), &data, &outlet) {
                Ok(started) => running = Some(started),
                Err(why) => {
                    let event = own_farm::Event::Ended { trouble: Some(why) };
                    outlet.send(Event::OwnFarm(event)).await;
                }
            },
            Ask::Stop => {
                if let Some(farm) = running.take() {
                    farm.stop();
                }
            }
        }
    }
}

fn start(program: Option<&PathBuf>, data: &PathBuf, outlet: &Outlet) -> Result<Member, String> {
    let program = program.ok_or(
        "The program that runs a farm is missing: tessera, beside this app or on the PATH",
    )?;
    let mut command = Command::new(program);
    // Any free port: the ticket's file says which, and is read at every attempt to connect.
    command
        .args(["scheduler", "--private", "--stop-on-stdin-eof", "--bind", "127.0.0.1:0"])
        .arg("--data")
        .arg(data);
    let ticket = format!("@{}", data.join("ticket").display());
    let (saying, ending) = (outlet.clone(), outlet.clone());
    // Its first line is the ticket, which is in the file by then.
    let mut ticket = Some(ticket);
    let on_line = move |_line: String| {
        if let Some(ticket) = ticket.take() {
            saying.send_blocking(Event::OwnFarm(own_farm::Event::Up { ticket }));
        }
    };
    let on_end = move |trouble| {
        ending.send_blocking(Event::OwnFarm(own_farm::Event::Ended { trouble }));
    };
    Member::start("farm", command, on_line, on_end)
}
