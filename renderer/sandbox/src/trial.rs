//! Attempts to break out, made by the worker itself: only what was tried is known to be refused.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read as _};
use std::net::{TcpStream, UdpSocket};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::wire::Trial;

/// An attempt and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// What was attempted.
    pub what: String,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of an attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// The system refused: the wall holds.
    Refused(String),
    /// It went through.
    Done,
    /// It failed for another reason, which proves nothing.
    Unclear(String),
}

/// Attempts everything that a worker must not do, and harms nothing where it succeeds.
pub(crate) fn attempts(trial: &Trial) -> Vec<Attempt> {
    let mut attempts = Vec::new();
    let mut attempt = |what: &str, outcome: io::Result<()>| {
        attempts.push(Attempt { what: what.to_owned(), outcome: judge(outcome) });
    };
    let wait = Duration::from_secs(1);
    attempt("open a TCP connection", TcpStream::connect_timeout(&trial.address, wait).map(drop));
    attempt("open a UDP socket", UdpSocket::bind((trial.address.ip(), 0)).map(drop));
    attempt("read its keeper's file", read_some(&trial.file));
    attempt("list its keeper's folder", fs::read_dir(&trial.folder).map(drop));
    let path = trial.folder.join("written-by-the-worker");
    attempt("write a file", fs::write(&path, "out"));
    drop(fs::remove_file(&path));
    let mut program = Command::new("/bin/sh");
    program.args(["-c", "exit 0"]).stdin(Stdio::null()).stdout(Stdio::null());
    attempt("start a program", program.status().map(drop));
    #[cfg(unix)]
    unix(&mut attempt);
    attempts
}

#[cfg(unix)]
fn unix(attempt: &mut impl FnMut(&str, io::Result<()>)) {
    use std::os::unix::net::UnixDatagram;

    attempt("open a Unix socket", UnixDatagram::unbound().map(drop));
    let Some(parent) = rustix::process::getppid() else { return };
    attempt("signal its keeper", rustix::process::test_kill_process(parent).map_err(Into::into));
    #[cfg(target_os = "linux")]
    {
        let memory = format!("/proc/{}/mem", parent.as_raw_nonzero());
        attempt("look into its keeper's memory", File::open(memory).map(drop));
        attempt("make a namespace", namespace());
    }
}

#[cfg(target_os = "linux")]
fn namespace() -> io::Result<()> {
    #[expect(unsafe_code, reason = "the call is unsafe for file descriptors and the file system")]
    // SAFETY: only host names are parted, which nothing here reads.
    let parted = unsafe { rustix::thread::unshare_unsafe(rustix::thread::UnshareFlags::NEWUTS) };
    parted.map_err(Into::into)
}

fn read_some(path: &std::path::Path) -> io::Result<()> {
    File::open(path)?.read_exact(&mut [0])
}

/// Only a refusal by the system is one: a port where nobody listens, or a file that is not there,
/// proves nothing.
fn judge(outcome: io::Result<()>) -> Outcome {
    let Err(error) = outcome else { return Outcome::Done };
    match error.kind() {
        ErrorKind::PermissionDenied | ErrorKind::NetworkUnreachable => {
            Outcome::Refused(error.to_string())
        }
        _other => Outcome::Unclear(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn without_walls_the_attempts_succeed() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("key");
        fs::write(&file, "secret").expect("written");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("bound");
        let trial = Trial { address, file, folder: folder.path().to_owned() };
        for Attempt { what, outcome } in attempts(&trial) {
            // These two depend on whose process this is.
            if what != "look into its keeper's memory" && what != "make a namespace" {
                assert_eq!(outcome, Outcome::Done, "{what}");
            }
        }
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1, "nothing is left");
    }

    #[test]
    fn what_fails_for_other_reasons_is_not_refused() {
        let error = |kind: ErrorKind| judge(Err(kind.into()));
        assert!(matches!(error(ErrorKind::ConnectionRefused), Outcome::Unclear(_)));
        assert!(matches!(error(ErrorKind::NotFound), Outcome::Unclear(_)));
        assert!(matches!(error(ErrorKind::PermissionDenied), Outcome::Refused(_)));
    }
}
