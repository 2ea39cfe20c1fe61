//! A PostgreSQL server of a test's own, which answers over encrypted connections only.

use std::fs;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

use crate::PATIENCE;

/// Who may come in: whoever is on this machine, encrypted unless over its socket.
const GUESTS: &str = "local all all trust\nhostssl all all 127.0.0.1/32 trust\n";

/// Who runs the server where the test is root, which it refuses to be run by.
const NOBODY: &str = "nobody";

/// Files of its folder: who vouches for it, its certificate and its key.
const AUTHORITY: &str = "authority.pem";
const CERTIFICATE: &str = "server.pem";
const KEY: &str = "server.key";

/// A running server with an empty database; gone when dropped.
pub struct Postgres {
    dir: tempfile::TempDir,
    programs: PathBuf,
    port: u16,
    server: Child,
}

impl Postgres {
    /// Starts one on this machine.
    ///
    /// # Errors
    /// It is not installed, or does not start.
    pub fn start() -> Result<Self> {
        let programs = programs().context("PostgreSQL is not installed")?;
        let dir = tempfile::tempdir()?;
        if is_root() {
            run(Command::new("chown").arg(NOBODY).arg(dir.path()))?;
        }
        let data = dir.path().join("data");
        let mut init = as_somebody(&programs.join("initdb"));
        run(init.arg("-D").arg(&data).args(["-U", "farm", "--auth", "trust", "--no-sync"]))?;
        fs::write(data.join("pg_hba.conf"), GUESTS)?;
        certify(dir.path())?;
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let server = serve(&programs, dir.path(), port)?;
        let mut postgres = Self { dir, programs, port, server };
        postgres.wait()?;
        Ok(postgres)
    }

    /// Its address, as a scheduler is told it.
    #[must_use]
    pub fn url(&self) -> String {
        self.url_vouched_for_by(&self.authority())
    }

    /// The file with the certificate of who vouches for it.
    #[must_use]
    pub fn authority(&self) -> PathBuf {
        self.dir.path().join(AUTHORITY)
    }

    /// Its address for who trusts the certificates of another file.
    #[must_use]
    pub fn url_vouched_for_by(&self, authority: &Path) -> String {
        format!("{}?sslmode=verify-full&sslrootcert={}", self.plain_url(), authority.display())
    }

    /// Its address for who does not encrypt.
    #[must_use]
    pub fn plain_url(&self) -> String {
        format!("postgres://farm@127.0.0.1:{}/postgres", self.port)
    }

    /// Ends it as a crash does: it keeps what it has confirmed, and nothing else.
    ///
    /// # Errors
    /// It has ended already.
    pub fn crash(&mut self) -> Result<()> {
        run(Command::new("kill").args(["-QUIT", &self.server.id().to_string()]))?;
        self.server.wait()?;
        Ok(())
    }

    /// Starts it again.
    ///
    /// # Errors
    /// It does not start.
    pub fn restart(&mut self) -> Result<()> {
        self.server = serve(&self.programs, self.dir.path(), self.port)?;
        self.wait()
    }

    /// Waits until it takes calls.
    fn wait(&mut self) -> Result<()> {
        let (start, socket) = (Instant::now(), self.dir.path().display().to_string());
        while start.elapsed() < PATIENCE {
            if let Some(status) = self.server.try_wait()? {
                let log = fs::read_to_string(self.dir.path().join("log")).unwrap_or_default();
                bail!("PostgreSQL ended ({status}):\n{log}");
            }
            let mut ask = Command::new(self.programs.join("pg_isready"));
            ask.args(["-q", "-h", &socket, "-p", &self.port.to_string()]);
            let port_is_open = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_ok();
            if port_is_open && ask.status()?.success() {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(50));
        }
        bail!("PostgreSQL does not answer")
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // It may have ended; there is nobody left to tell.
        let _crashed = self.crash();
    }
}

fn serve(programs: &Path, dir: &Path, port: u16) -> Result<Child> {
    let log = fs::File::options().create(true).append(true).open(dir.join("log"))?;
    let mut server = as_somebody(&programs.join("postgres"));
    server.arg("-D").arg(dir.join("data")).arg("-k").arg(dir);
    // What a crash of the machine would lose is not tested here: without syncs it is faster.
    server.args(["-h", "127.0.0.1", "-F", "-p", &port.to_string(), "-c", "ssl=on"]);
    for (name, file) in [("ssl_cert_file", CERTIFICATE), ("ssl_key_file", KEY)] {
        server.arg("-c").arg(format!("{name}={}", dir.join(file).display()));
    }
    let server = server.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
    server.spawn().context("PostgreSQL does not start")
}

/// Writes a certificate for this machine, and that of an authority which vouches for it and nobody else.
fn certify(dir: &Path) -> Result<()> {
    let (own, signed_by) = (KeyPair::generate()?, KeyPair::generate()?);
    let mut authority = CertificateParams::new(Vec::new())?;
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    fs::write(dir.join(AUTHORITY), authority.self_signed(&signed_by)?.pem())?;
    let named = CertificateParams::new(vec!["127.0.0.1".to_owned()])?;
    let signed = named.signed_by(&own, &Issuer::new(authority, signed_by))?;
    fs::write(dir.join(CERTIFICATE), signed.pem())?;
    let key = dir.join(KEY);
    fs::write(&key, own.serialize_pem())?;
    run(Command::new("chmod").arg("600").arg(&key))?;
    if is_root() {
        run(Command::new("chown").arg(NOBODY).arg(&key))?;
    }
    Ok(())
}

/// Where its programs are: on Debian not where others are.
fn programs() -> Option<PathBuf> {
    let on_path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&on_path).collect();
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    folders.extend(versions.map(|version| version.path().join("bin")));
    let all = ["initdb", "postgres", "pg_isready"];
    folders.into_iter().find(|folder| all.iter().all(|name| folder.join(name).is_file()))
}

fn as_somebody(program: &Path) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid", NOBODY, "--clear-groups", "--"]).arg(program);
    command
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output();
    id.is_ok_and(|id| id.stdout.trim_ascii() == b"0")
}

fn run(command: &mut Command) -> Result<()> {
    let done = command.output().with_context(|| format!("{command:?} cannot be run"))?;
    let said = String::from_utf8_lossy(&done.stderr);
    ensure!(done.status.success(), "{command:?} failed: {said}");
    Ok(())
}
