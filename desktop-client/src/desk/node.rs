//! One's own node: a process of its own, so that a driver that hangs never takes the window. It is
//! steered over its standard input and says what it does over its standard output.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use farm_node::Wishes;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::Outlet;
use super::member::Member;
use crate::state::{Event, node};

/// What a node is started with.
#[derive(Debug, Clone)]
pub struct NodeStart {
    /// The farm's ticket, or `@FILE`.
    pub ticket: String,
    /// What the farm calls it.
    pub name: String,
    /// What its owner wishes from the beginning.
    pub wishes: Wishes,
    /// How long to wait before, after it has ended by itself.
    pub after: Duration,
}

/// What this desk is asked.
pub(super) enum Ask {
    Start(Box<NodeStart>),
    Wish(Box<Wishes>),
    Stop,
}

/// Where a node is at home.
pub(super) struct Home {
    /// The program `tessera`.
    pub(super) program: Option<PathBuf>,
    /// The key whose wallet is paid; what the node keeps lies beside it.
    pub(super) key_path: PathBuf,
}

pub(super) async fn run(home: Home, mut asks: mpsc::Receiver<Ask>, outlet: Outlet) {
    let mut running: Option<Member> = None;
    let mut due: Option<(Instant, Box<NodeStart>)> = None;
    loop {
        let waiting = async {
            match &due {
                Some((at, _)) => tokio::time::sleep_until(*at).await,
                None => std::future::pending().await,
            }
        };
        let ask = tokio::select! {
            ask = asks.recv() => ask,
            () = waiting => {
                let Some((_, wanted)) = due.take() else { continue };
                match start(&home, &wanted, &outlet) {
                    Ok(started) => running = Some(started),
                    Err(why) => {
                        let event = node::Event::Ended { trouble: Some(why) };
                        outlet.send(Event::Node(event)).await;
                    }
                }
                continue;
            }
        };
        match ask {
            None => return,
            Some(Ask::Start(wanted)) => {
                if let Some(old) = running.take() {
                    old.stop();
                }
                due = Some((Instant::now() + wanted.after, wanted));
            }
            Some(Ask::Wish(wishes)) => match (&mut due, &mut running) {
                (Some((_, wanted)), _) => wanted.wishes = *wishes,
                (None, Some(node)) => {
                    // A node that does not listen any more has ended, which its listener says.
                    if let Err(error) = wish(node, &wishes) {
                        tracing::debug!(%error, "a wish was not heard");
                    }
                }
                (None, None) => {}
            },
            Some(Ask::Stop) => {
                if due.take().is_some() {
                    let event = node::Event::Ended { trouble: None };
                    outlet.send(Event::Node(event)).await;
                }
                if let Some(node) = running.take() {
                    node.stop();
                }
            }
        }
    }
}

fn wish(node: &mut Member, wishes: &Wishes) -> std::io::Result<()> {
    node.tell(&serde_json::to_string(wishes).map_err(std::io::Error::other)?)
}

fn start(home: &Home, wanted: &NodeStart, outlet: &Outlet) -> Result<Member, String> {
    let program = home
        .program
        .as_ref()
        .ok_or("The program that renders is missing: tessera, beside this app or on the PATH")?;
    let data = home.key_path.with_file_name("node");
    let ticket = ticket_file(&data, &wanted.ticket).map_err(|error| {
        format!("The node's folder cannot be used: {error}: {}", data.display())
    })?;
    let mut command = Command::new(program);
    command
        .arg("node")
        .args(["--farm", &ticket, "--name", &wanted.name, "--json"])
        .args(["--wishes-on-stdin", "--stop-on-stdin-eof"])
        .arg("--data")
        .arg(&data)
        .arg("--owner")
        .arg(&home.key_path);
    let (saying, ending) = (outlet.clone(), outlet.clone());
    let on_line = move |line: String| {
        if let Ok(said) = serde_json::from_str(&line) {
            saying.send_blocking(Event::Node(node::Event::Said(said)));
        }
    };
    let on_end = move |trouble| {
        ending.send_blocking(Event::Node(node::Event::Ended { trouble }));
    };
    let mut node = Member::start("node", command, on_line, on_end)?;
    if let Err(error) = wish(&mut node, &wanted.wishes) {
        tracing::debug!(%error, "the first wish was not heard");
    }
    Ok(node)
}

/// The ticket as the node is told it: a ticket on a command line is read by everybody on the
/// machine, and that of a private farm is a secret.
fn ticket_file(data: &Path, ticket: &str) -> std::io::Result<String> {
    if ticket.starts_with('@') {
        return Ok(ticket.to_owned());
    }
    std::fs::create_dir_all(data)?;
    let mut file = tempfile::NamedTempFile::new_in(data)?;
    file.write_all(ticket.as_bytes())?;
    let path = data.join("ticket");
    file.persist(&path)?;
    Ok(format!("@{}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_is_no_word_of_a_command_line() {
        let folder = tempfile::tempdir().expect("a folder");
        let data = folder.path().join("node");
        let told = ticket_file(&data, "farmsecret").expect("written");
        assert!(!told.contains("farmsecret"), "{told}");
        let path = data.join("ticket");
        let text = std::fs::read_to_string(&path).expect("it is there");
        assert_eq!((text.as_str(), told), ("farmsecret", format!("@{}", path.display())));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = std::fs::metadata(&path).expect("it is there").permissions().mode();
            assert_eq!(mode & 0o077, 0, "nobody else reads it");
        }
        assert_eq!(ticket_file(&data, "@/a/file").expect("as it is"), "@/a/file");
    }
}
