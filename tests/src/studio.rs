//! A studio's door as a process, and scripts that speak HTTP with it.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use reqwest::Method;
use reqwest::header::HeaderMap;
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::{Farm, PATIENCE, Process};

/// A running door with an owner's token.
pub struct Studio {
    process: Option<Process>,
    url: String,
    token: String,
    client: reqwest::Client,
    runtime: Runtime,
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Headers.
    pub headers: HeaderMap,
    /// Body.
    pub body: Vec<u8>,
}

impl Answer {
    /// The body as JSON; null where it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The answer, unless its status is another.
    ///
    /// # Errors
    /// Another status.
    pub fn is(self, status: u16) -> Result<Self> {
        let body = String::from_utf8_lossy(&self.body[..self.body.len().min(500)]);
        ensure!(self.status == status, "{} instead of {status}: {body}", self.status);
        Ok(self)
    }

    /// The problem's type without its prefix.
    #[must_use]
    pub fn problem(&self) -> String {
        let kind = self.json()["type"].as_str().unwrap_or_default().to_owned();
        kind.trim_start_matches("urn:tessera:problem:").to_owned()
    }
}

impl Farm {
    /// A line of `tessera studio` with the door's folder.
    fn studio_line(&self, words: &[&str]) -> Vec<String> {
        let mut line: Vec<String> =
            ["studio"].iter().chain(words).map(|&it| it.to_owned()).collect();
        line.extend(["--data".to_owned(), self.path("studio").display().to_string()]);
        line
    }

    /// Runs a command on the closed door's folder; returns what it printed.
    ///
    /// # Errors
    /// It fails.
    pub fn studio(&self, words: &[&str]) -> Result<Vec<String>> {
        let home = self.path("");
        let outcome = Process::start("studio", &home, &self.studio_line(words))?.wait(PATIENCE)?;
        ensure!(outcome.code == Some(0), "studio {words:?} failed:\n{outcome}");
        Ok(outcome.stdout)
    }

    /// Opens a door with a token of an owner.
    ///
    /// # Errors
    /// It does not open.
    pub fn open_studio(&self) -> Result<Studio> {
        let token = self.studio(&["token", "add", "owner", "--role", "owner"])?;
        let token = token.first().context("no token was printed")?.clone();
        // Which cryptography is for processes that speak with more than one machine.
        let _chosen_before = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().no_proxy().tls_certs_only([]).build()?;
        let runtime = Runtime::new()?;
        let mut studio = Studio { process: None, url: String::new(), token, client, runtime };
        studio.start(self)?;
        Ok(studio)
    }
}

impl Studio {
    /// Starts the door, again after [`Studio::kill`].
    ///
    /// # Errors
    /// It does not open.
    pub fn start(&mut self, farm: &Farm) -> Result<()> {
        let ticket = format!("@{}", farm.path("ticket").display());
        let words = ["serve", "--farm", &ticket, "--bind", "127.0.0.1:0"];
        let process = Process::start("studio", &farm.path(""), &farm.studio_line(&words))?;
        let line: Value = serde_json::from_str(&process.wait_for_line(|_first| true)?)?;
        self.url = line["url"].as_str().context("no address was printed")?.to_owned();
        self.process = Some(process);
        Ok(())
    }

    /// Kills the door as `kill -9` does.
    ///
    /// # Errors
    /// It is not running.
    pub fn kill(&mut self) -> Result<()> {
        self.process.take().context("the door is not open")?.kill()
    }

    /// The owner's token.
    #[must_use]
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Where it answers.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Asks with a token, headers and a body.
    ///
    /// # Errors
    /// No answer.
    pub fn ask_as(
        &self,
        token: &str,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> Result<Answer> {
        let method = Method::from_bytes(method.as_bytes())?;
        let request = self.client.request(method, format!("{}{path}", self.url));
        let request = request.bearer_auth(token).body(body).timeout(PATIENCE);
        let request = headers.iter().fold(request, |it, (name, value)| it.header(*name, *value));
        self.runtime.block_on(async {
            let answer = request.send().await?;
            let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
            Ok(Answer { status, headers, body: answer.bytes().await?.to_vec() })
        })
    }

    /// Reads.
    ///
    /// # Errors
    /// No answer.
    pub fn get(&self, path: &str) -> Result<Answer> {
        self.ask_as(&self.token, "GET", path, &[], Vec::new())
    }

    /// Sends JSON.
    ///
    /// # Errors
    /// No answer.
    pub fn send(&self, method: &str, path: &str, body: &Value) -> Result<Answer> {
        let json = [("content-type", "application/json")];
        self.ask_as(&self.token, method, path, &json, body.to_string().into_bytes())
    }

    /// Orders under a key.
    ///
    /// # Errors
    /// No answer.
    pub fn order(&self, key: &str, job: &Value) -> Result<Answer> {
        self.order_as(&self.token, key, job)
    }

    /// Orders under a key, as somebody else.
    ///
    /// # Errors
    /// No answer.
    pub fn order_as(&self, token: &str, key: &str, job: &Value) -> Result<Answer> {
        let headers = [("content-type", "application/json"), ("idempotency-key", key)];
        self.ask_as(token, "POST", "/v1/jobs", &headers, job.to_string().into_bytes())
    }

    /// Sends a file whole, and makes a scene of it; its id.
    ///
    /// # Errors
    /// It is refused.
    pub fn scene(&self, file: &Path) -> Result<String> {
        let bytes = std::fs::read(file)?;
        let hash = sha256(&bytes);
        let sent = self.ask_as(&self.token, "PUT", &format!("/v1/files/{hash}"), &[], bytes)?;
        ensure!([200, 201].contains(&sent.status), "not taken: {sent:?}");
        let name = file.file_name().context("a name")?.to_string_lossy().into_owned();
        let new = serde_json::json!({ "root": name, "files": { name.clone(): hash } });
        let made = self.send("POST", "/v1/scenes", &new)?.is(201)?;
        Ok(made.json()["scene"].as_str().context("an id")?.to_owned())
    }

    /// Reads events from here on until one is of this type; all of them, with their ids.
    ///
    /// # Errors
    /// The stream ends before.
    pub fn events_until(
        &self,
        path: &str,
        after: Option<u64>,
        wanted: &str,
    ) -> Result<Vec<(u64, Value)>> {
        let request = self.client.get(format!("{}{path}", self.url)).bearer_auth(&self.token);
        let request = match after {
            Some(after) => request.header("last-event-id", after.to_string()),
            None => request,
        };
        self.runtime.block_on(async {
            let read = async {
                let mut answer = request.send().await?;
                let (mut text, mut events) = (String::new(), Vec::new());
                while let Some(bytes) = answer.chunk().await? {
                    text.push_str(&String::from_utf8_lossy(&bytes));
                    while let Some((event, rest)) = text.split_once("\n\n") {
                        let field = |name: &str| {
                            event.lines().find_map(|line| line.strip_prefix(name)).map(str::trim)
                        };
                        let told = field("data:").zip(field("id:"));
                        if let Some((data, id)) = told {
                            events.push((id.parse()?, serde_json::from_str(data)?));
                        }
                        let is_last = field("event:") == Some(wanted);
                        text = rest.to_owned();
                        if is_last {
                            return Ok(events);
                        }
                    }
                }
                bail!("the stream ended before {wanted}: {events:?}")
            };
            tokio::time::timeout(PATIENCE, read).await.context("the stream is stuck")?
        })
    }

    /// Waits until a job stands so; the job.
    ///
    /// # Errors
    /// It does not.
    pub fn wait_for(&self, job: &str, status: &str) -> Result<Value> {
        let start = Instant::now();
        loop {
            let found = self.get(&format!("/v1/jobs/{job}"))?.is(200)?.json();
            if found["status"] == status {
                return Ok(found);
            }
            ensure!(start.elapsed() < PATIENCE, "the job is not {status}: {found}");
            thread::sleep(Duration::from_millis(100));
        }
    }
}

/// Orders, whatever comes of it: the door may be killed meanwhile.
pub fn order_and_forget(url: &str, token: &str, key: &str, body: &str) {
    use std::io::{Read as _, Write as _};
    let Ok(mut line) = std::net::TcpStream::connect(url.trim_start_matches("http://")) else {
        return;
    };
    let request = format!(
        "POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer {token}\r\nIdempotency-Key: {key}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut answer = Vec::new();
    let _cut = line.write_all(request.as_bytes()).and_then(|()| line.read_to_end(&mut answer));
}

/// SHA-256, hexadecimal.
#[must_use]
pub fn sha256(bytes: &[u8]) -> String {
    use sha2::Digest as _;
    sha2::Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
