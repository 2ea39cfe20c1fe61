//! Chromium, by its own protocol over a pipe: <https://chromedevtools.github.io/devtools-protocol>.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};

use anyhow::{Context as _, Result, bail, ensure};
use farm_tests::{PATIENCE, Place};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Programs that are Chromium under some name.
const NAMES: &str = "chromium chromium-browser google-chrome";

/// A browser, ended when dropped.
pub struct Browser {
    child: Child,
    stdin: ChildStdin,
    words: Receiver<Value>,
    last: u64,
    _home: TempDir,
}

/// A page of it.
pub struct Tab<'a> {
    browser: &'a mut Browser,
    session: String,
    complaints: Vec<String>,
}

impl Browser {
    /// Starts the browser of this machine.
    pub fn start() -> Result<Self> {
        let found = Place::default().run(&format!("command -v {NAMES} | head -n 1"));
        let program = found.unwrap_or_default().trim().to_owned();
        ensure!(!program.is_empty(), "no Chromium here");
        let home = tempfile::tempdir().context("no temporary folder")?;
        // It reads from descriptor 3 and writes to 4.
        let line = "exec \"$0\" \"$@\" 3<&0 4>&1 0</dev/null 1>/dev/null";
        let mut command = Command::new("sh");
        command.args(["-c", line, &program, "--headless=new", "--remote-debugging-pipe"]);
        command.arg(format!("--user-data-dir={}", home.path().display()));
        // Its own walls need rights that a container does not give.
        command.args([
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-first-run",
        ]);
        command.args(["--disable-background-networking", "--disable-sync", "about:blank"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().context("there is no shell")?;
        let stdin = child.stdin.take().context("no standard input")?;
        let stdout = child.stdout.take().context("no standard output")?;
        let (sender, words) = channel();
        std::thread::spawn(move || {
            // Each message ends with a zero.
            for message in BufReader::new(stdout).split(0).map_while(Result::ok) {
                let Ok(message) = serde_json::from_slice(&message) else { break };
                if sender.send(message).is_err() {
                    break;
                }
            }
        });
        let mut browser = Self { child, stdin, words, last: 0, _home: home };
        browser.ask(None, "Browser.getVersion", json!({}), &mut Vec::new())?;
        Ok(browser)
    }

    /// Opens a page.
    pub fn open(&mut self, address: &str) -> Result<Tab<'_>> {
        let mut complaints = Vec::new();
        let blank = json!({ "url": "about:blank" });
        let target = self.ask(None, "Target.createTarget", blank, &mut complaints)?;
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let attached = self.ask(None, "Target.attachToTarget", attach, &mut complaints)?;
        let session = attached["sessionId"].as_str().context("no session")?.to_owned();
        let mut tab = Tab { browser: self, session, complaints };
        for domain in ["Page", "Runtime", "Log"] {
            tab.ask(&format!("{domain}.enable"), json!({}))?;
        }
        tab.go(address)?;
        Ok(tab)
    }

    /// Asks, and waits for the answer; what is said meanwhile is listened to for complaints.
    fn ask(
        &mut self,
        session: Option<&str>,
        method: &str,
        params: Value,
        complaints: &mut Vec<String>,
    ) -> Result<Value> {
        self.last += 1;
        let mut asked = json!({ "id": self.last, "method": method, "params": params });
        if let Some(session) = session {
            asked["sessionId"] = session.into();
        }
        let mut message = asked.to_string().into_bytes();
        message.push(0);
        self.stdin.write_all(&message).context("the browser has ended")?;
        loop {
            let said = self.words.recv_timeout(PATIENCE);
            let said = said.with_context(|| format!("the browser does not answer {method}"))?;
            if said["id"] == self.last {
                ensure!(said["error"].is_null(), "{method}: {}", said["error"]);
                return Ok(said["result"].clone());
            }
            complaints.extend(complaint(&said));
        }
    }
}

/// What a page has to complain of: errors of its script, words on its console, and loads that
/// failed.
fn complaint(said: &Value) -> Option<String> {
    let params = &said["params"];
    let kind = |levels: &[&str], level: &Value| levels.iter().any(|it| level == it);
    let bad = match said["method"].as_str()? {
        "Runtime.exceptionThrown" => true,
        "Runtime.consoleAPICalled" => kind(&["error", "warning", "assert"], &params["type"]),
        "Log.entryAdded" => kind(&["error", "warning"], &params["entry"]["level"]),
        _other => false,
    };
    bad.then(|| params.to_string())
}

impl Drop for Browser {
    fn drop(&mut self) {
        // It may have ended; there is nobody left to tell.
        let _killed = self.child.kill();
        let _reaped = self.child.wait();
    }
}

impl Tab<'_> {
    fn ask(&mut self, method: &str, params: Value) -> Result<Value> {
        self.browser.ask(Some(&self.session), method, params, &mut self.complaints)
    }

    /// Goes to an address; the page is there when it returns, its pictures perhaps not.
    pub fn go(&mut self, address: &str) -> Result<()> {
        let gone = self.ask("Page.navigate", json!({ "url": address }))?;
        ensure!(gone["errorText"].is_null(), "{address}: {}", gone["errorText"]);
        let ready = "new Promise(ready => document.readyState === 'complete'
            ? ready(true) : addEventListener('load', () => ready(true)))";
        self.evaluate(ready).map(drop)
    }

    /// Makes the window so many pixels wide.
    pub fn resize(&mut self, width: u32) -> Result<()> {
        let size =
            json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600 });
        self.ask("Emulation.setDeviceMetricsOverride", size).map(drop)
    }

    /// The value of an expression on the page, also one that is only promised.
    pub fn evaluate(&mut self, expression: &str) -> Result<Value> {
        let how = json!({ "expression": expression, "returnByValue": true, "awaitPromise": true });
        let said = self.ask("Runtime.evaluate", how)?;
        if !said["exceptionDetails"].is_null() {
            bail!("{expression}: {}", said["exceptionDetails"]);
        }
        Ok(said["result"]["value"].clone())
    }

    /// What the pages complained of so far.
    pub fn complaints(&self) -> &[String] {
        &self.complaints
    }
}
