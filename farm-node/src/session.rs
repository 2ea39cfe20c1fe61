//! One connection to the scheduler, from its welcome to its end.

mod rest;

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use protocol::chain;
use protocol::message::RefusedCode;
use protocol::{Findings, GivenBack, LeaseId, PublicKey, Reply, Request, Signed, Verdict, limits};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};
use transport::{Backoff, CallError, Connection, FetchError, SceneError};

use crate::RunError;
use crate::agent::Agent;
use crate::config::Cheat;
use crate::event::NodeEvent;
use crate::hello::{Greeted, greet, tell_looked, unexpected};
use crate::lease;
use crate::manners::Pause;
use crate::wishes::Hold;
use crate::witness::{Seen, WitnessError};
use crate::work::{Finished, WorkError};

/// Leases held: one to render, one prefetched.
const LEASES_HELD: usize = 2;
/// A sixth of the time that a lease lives without a sign.
const BEAT: Duration = Duration::from_secs(5);
/// The node looks at its standing every so many beats.
const BEATS_PER_STANDING: u32 = 6;
/// And at the farm's ledger every so many: once a minute.
const BEATS_PER_LOOK: u32 = 12;
/// Wait before the next poll after the scheduler said it was busy.
const BUSY_WAIT: Duration = Duration::from_secs(2);
/// Wait before the next poll after the scheduler said that the node gets no work.
const BARRED_WAIT: Duration = Duration::from_secs(60);
/// Calls in a row without an answer, after which the connection is given up.
const SILENCES_MAX: u32 = 3;

type Answered = Result<Reply, CallError>;

/// What came of a call.
enum Answer {
    Leases(Answered),
    Beat(Answered),
    Submitted(LeaseId, Answered),
    Verification(Answered),
    Found(Answered),
    Released(Answered),
    Verdicts(Answered),
    Standing(Answered),
    Looked(Result<Seen, WitnessError>),
}

struct Session<'a> {
    agent: &'a mut Agent,
    connection: Connection,
    scheduler: PublicKey,
    calls: JoinSet<Answer>,
    polling: bool,
    poll_after: Instant,
    /// A verification lease is asked for, or being worked on.
    verifying: bool,
    verify_after: Instant,
    verifications: JoinSet<Result<Signed<Findings>, WorkError>>,
    submitting: BTreeSet<LeaseId>,
    /// Films that were not taken; they go again with the next beat.
    resting: BTreeSet<LeaseId>,
    /// Whether no work is to be taken.
    at_rest: bool,
    /// Since when the worker is halted.
    halted: Option<Instant>,
    /// What the owner wishes of the leases.
    hold: Option<Hold>,
    /// The machine is about to sleep: its leases go back at once.
    sleeps: bool,
    /// Leases are being given back, in so many calls.
    releasing: u32,
    /// What the machine had slept when it was last looked at.
    slept: Duration,
    asking_verdicts: bool,
    silences: u32,
    beats: u32,
    looking: bool,
}

/// Connects and works until the connection ends; returns why it ended.
pub(crate) async fn run(agent: &mut Agent, backoff: &mut Backoff) -> Result<String, RunError> {
    let (connection, scheduler) = match greet(agent).await? {
        Greeted::Welcome(connection, scheduler) => (connection, scheduler),
        Greeted::Not(reason) => return Ok(reason),
    };
    backoff.reset();
    let slept = agent.watched.borrow().slept;
    Session {
        agent,
        connection,
        scheduler,
        calls: JoinSet::new(),
        polling: false,
        poll_after: Instant::now(),
        verifying: false,
        verify_after: Instant::now(),
        verifications: JoinSet::new(),
        submitting: BTreeSet::new(),
        resting: BTreeSet::new(),
        at_rest: false,
        halted: None,
        hold: None,
        sleeps: false,
        releasing: 0,
        slept,
        asking_verdicts: false,
        silences: 0,
        beats: 0,
        looking: false,
    }
    .serve()
    .await
}

impl Session<'_> {
    async fn serve(mut self) -> Result<String, RunError> {
        // What was held through a loss of the connection: which of it still counts?
        self.beat();
        self.ask_standing();
        self.ask_verdicts();
        if let Some(reason) = self.heed() {
            return Ok(reason);
        }
        let mut ticks = interval(BEAT);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ticks.tick().await;
        loop {
            self.submit();
            self.agent.note_at_hand(!self.verifications.is_empty());
            let awake = !self.at_rest;
            let room = awake && !self.polling && self.agent.unfinished() < LEASES_HELD;
            let verifies = awake && self.agent.config.verify && !self.verifying;
            tokio::select! {
                reason = self.connection.closed() => {
                    return Ok(format!("the connection was lost ({reason})"));
                }
                Some(worked) = self.agent.works.join_next() => {
                    // A task that was let go is no news.
                    if let Ok((lease, outcome)) = worked {
                        self.worked(lease, outcome)?;
                    }
                }
                Some(answer) = self.calls.join_next() => {
                    if let Ok(answer) = answer {
                        self.answered(answer)?;
                    }
                    if self.silences >= SILENCES_MAX {
                        self.connection.close("no answers");
                        return Ok("the scheduler does not answer".to_owned());
                    }
                }
                Some(found) = self.verifications.join_next() => {
                    self.verifying = false;
                    if let Ok(found) = found {
                        self.found(found)?;
                    }
                }
                () = sleep_until(self.poll_after), if room => self.poll(),
                () = sleep_until(self.verify_after), if verifies => self.ask_verification(),
                // The watch lasts as long as the agent.
                Ok(()) = self.agent.watched.changed() => {
                    if let Some(reason) = self.heed() {
                        return Ok(reason);
                    }
                }
                _now = ticks.tick() => self.tick(),
            }
        }
    }

    fn call(
        &mut self,
        request: Request,
        body: Bytes,
        timeout: Duration,
        answer: impl FnOnce(Answered) -> Answer + Send + 'static,
    ) {
        let connection = self.connection.clone();
        self.calls.spawn(async move {
            let replied = connection.call(&request, body, timeout).await;
            answer(replied.map(|(reply, _body)| reply))
        });
    }

    fn poll(&mut self) {
        self.polling = true;
        let room = LEASES_HELD - self.agent.unfinished().min(LEASES_HELD);
        let wait_ms = limits::POLL_WAIT_MAX.as_millis() as u32;
        let timeout = limits::POLL_WAIT_MAX + limits::CALL_TIMEOUT;
        let request = Request::Leases { max: room as u32, wait_ms };
        self.call(request, Bytes::new(), timeout, Answer::Leases);
    }

    /// Asks for pixels of others' films.
    fn ask_verification(&mut self) {
        self.verifying = true;
        let wait_ms = limits::POLL_WAIT_MAX.as_millis() as u32;
        let timeout = limits::POLL_WAIT_MAX + limits::CALL_TIMEOUT;
        let request = Request::VerificationLease { wait_ms };
        self.call(request, Bytes::new(), timeout, Answer::Verification);
    }

    fn submit(&mut self) {
        let ready: Vec<(LeaseId, Finished)> = self
            .agent
            .held
            .iter()
            .filter(|(id, _)| !self.submitting.contains(id))
            .filter_map(|(id, held)| Some((*id, held.finished.clone()?)))
            .collect();
        for (lease, Finished { commitment, film }) in ready {
            self.submitting.insert(lease);
            let request = Request::Submit { commitment };
            let answer = move |answered| Answer::Submitted(lease, answered);
            self.call(request, film, limits::TRANSFER_TIMEOUT, answer);
        }
    }

    fn tick(&mut self) {
        self.beats = self.beats.wrapping_add(1);
        for lease in std::mem::take(&mut self.resting) {
            self.submitting.remove(&lease);
        }
        self.give_back();
        self.beat();
        self.ask_verdicts();
        if self.beats.is_multiple_of(BEATS_PER_STANDING) {
            self.ask_standing();
        }
        if self.beats.is_multiple_of(BEATS_PER_LOOK) {
            self.look();
        }
    }

    fn look(&mut self) {
        if !std::mem::replace(&mut self.looking, true) {
            let (witness, connection) = (self.agent.witness.clone(), self.connection.clone());
            let farm = self.agent.config.farm.key();
            let looked = async move { witness.look(&connection, farm).await };
            self.calls.spawn(async { Answer::Looked(looked.await) });
        }
    }

    fn beat(&mut self) {
        let leases: Vec<LeaseId> = self.agent.held.keys().copied().collect();
        if !leases.is_empty() && self.agent.config.cheat != Some(Cheat::Silent) {
            let request = Request::Heartbeat { leases };
            self.call(request, Bytes::new(), limits::CALL_TIMEOUT, Answer::Beat);
        }
    }

    fn ask_standing(&mut self) {
        self.call(Request::MyNode, Bytes::new(), limits::CALL_TIMEOUT, Answer::Standing);
    }

    fn ask_verdicts(&mut self) {
        if !self.asking_verdicts {
            self.asking_verdicts = true;
            let after = self.agent.seen.after(self.scheduler);
            let request = Request::MyVerdicts { after };
            self.call(request, Bytes::new(), limits::CALL_TIMEOUT, Answer::Verdicts);
        }
    }

    /// Keeps what came of a lease, or gives it back.
    ///
    /// # Errors
    /// [`RunError::Store`]: leases would only be taken to be dropped.
    fn worked(
        &mut self,
        lease: LeaseId,
        outcome: Result<Finished, WorkError>,
    ) -> Result<(), RunError> {
        match outcome {
            Ok(finished) => {
                self.agent.workshop.bench.forget(lease);
                if let Some(held) = self.agent.held.get_mut(&lease) {
                    held.finished = Some(finished);
                }
                self.works_again(&Pause::BackendLost);
            }
            Err(WorkError::Silent) => self.agent.let_go(lease, "kept silent about it"),
            Err(error) => {
                let reason = chain(&error);
                if self.agent.held.contains_key(&lease) {
                    let why = match error.is_too_large() {
                        true => GivenBack::TooLarge,
                        false => GivenBack::Undone,
                    };
                    self.release(vec![lease], reason.clone(), why);
                }
                self.agent.let_go(lease, reason);
                // What failed at once would do so again, as often as the farm can grant leases.
                self.poll_after = Instant::now() + BUSY_WAIT;
                if matches!(&error, WorkError::Render(fault) if fault.is_of_backend()) {
                    // Without a backend, leases would only be taken to be dropped.
                    self.pause(Pause::BackendLost);
                }
                self.keeps_scenes(error)?;
            }
        }
        Ok(())
    }

    /// Ends the node whose store of scenes has failed.
    fn keeps_scenes(&self, error: WorkError) -> Result<(), RunError> {
        match error {
            WorkError::Fetch(FetchError::Scene(source @ SceneError::Store(_)))
            | WorkError::Scene(source @ SceneError::Store(_)) => {
                let path = self.agent.config.data_dir.clone();
                Err(RunError::Store { path, source })
            }
            _other => Ok(()),
        }
    }

    fn answered(&mut self, answer: Answer) -> Result<(), RunError> {
        let replied = match &answer {
            Answer::Leases(replied)
            | Answer::Beat(replied)
            | Answer::Submitted(_, replied)
            | Answer::Verification(replied)
            | Answer::Found(replied)
            | Answer::Released(replied)
            | Answer::Verdicts(replied)
            | Answer::Standing(replied) => Some(replied),
            Answer::Looked(_) => None,
        };
        match replied {
            Some(Err(CallError::Timeout { .. })) => self.silences += 1,
            Some(_any_word) => self.silences = 0,
            None => {}
        }
        if matches!(answer, Answer::Released(_)) {
            self.releasing = self.releasing.saturating_sub(1);
            self.may_sleep();
        }
        match answer {
            Answer::Leases(replied) => self.leased(replied),
            Answer::Verification(replied) => self.entrusted(replied),
            Answer::Beat(Ok(Reply::Lapsed(leases))) => {
                // A film under way gets its own answer: it may just have been taken.
                for lease in leases.iter().filter(|lease| !self.submitting.contains(lease)) {
                    self.agent.let_go(*lease, "the scheduler says that it has lapsed");
                }
            }
            Answer::Submitted(lease, replied) => self.submitted(lease, replied),
            Answer::Verdicts(replied) => self.judged(replied),
            Answer::Standing(Ok(Reply::Node(view))) => {
                let barred = view.barred;
                self.agent.tell(NodeEvent::Standing(view));
                if barred { self.pause(Pause::Barred) } else { self.works_again(&Pause::Barred) }
            }
            Answer::Beat(Err(error))
            | Answer::Found(Err(error))
            | Answer::Released(Err(error))
            | Answer::Standing(Err(error)) => {
                tracing::debug!(%error, "a call failed");
            }
            Answer::Beat(Ok(_))
            | Answer::Found(Ok(_))
            | Answer::Released(Ok(_))
            | Answer::Standing(Ok(_)) => {}
            Answer::Looked(looked) => {
                self.looking = false;
                tell_looked(self.agent, looked)?;
            }
        }
        Ok(())
    }

    fn leased(&mut self, replied: Answered) {
        self.polling = false;
        match replied {
            Ok(Reply::Leases(leases)) if self.at_rest => {
                // They were asked for before the pause.
                let scheduler = self.scheduler;
                let ours = leases.iter().filter_map(|signed| signed.open_from(scheduler).ok());
                let leases = ours.collect();
                self.decline(leases);
            }
            Ok(Reply::Leases(leases)) => {
                self.is_not_refused();
                for signed in &leases {
                    let node = self.agent.workshop.node;
                    match lease::verify(signed, self.scheduler, node, renderer::ENGINE) {
                        Ok(lease) if self.agent.held.contains_key(&lease.id) => {}
                        Ok(lease) => self.agent.take(lease, self.scheduler),
                        Err(error) => self.error(chain(&error)),
                    }
                }
                self.give_back_unwanted();
            }
            Ok(other) => {
                self.error(unexpected("poll", &other));
                self.poll_after = Instant::now() + BUSY_WAIT;
            }
            Err(CallError::Refused(refused)) => match refused.code {
                RefusedCode::Busy => self.poll_after = Instant::now() + BUSY_WAIT,
                _other => self.pause(Pause::Refused { message: refused.message }),
            },
            // A lost connection ends the session; a timeout is counted.
            Err(error) => {
                tracing::debug!(%error, "a poll failed");
                self.poll_after = Instant::now() + BUSY_WAIT;
            }
        }
    }

    /// Begins the work on a verification lease, if there is one.
    fn entrusted(&mut self, replied: Answered) {
        self.verifying = false;
        match replied {
            Ok(Reply::VerificationLease(None)) => {}
            // Asked for before the hold: it lapses, and the scheduler looks itself.
            Ok(Reply::VerificationLease(Some(_))) if self.hold.is_some() => {}
            Ok(Reply::VerificationLease(Some(signed))) => {
                let (workshop, scheduler) = (self.agent.workshop.clone(), self.scheduler);
                let engine = renderer::ENGINE;
                match lease::verify_verification(&signed, scheduler, workshop.node, engine) {
                    Ok(lease) => {
                        self.verifying = true;
                        self.verifications.spawn(workshop.verify(lease, scheduler));
                    }
                    Err(error) => self.error(chain(&error)),
                }
            }
            Ok(other) => {
                self.error(unexpected("question for a verification lease", &other));
                self.verify_after = Instant::now() + BARRED_WAIT;
            }
            Err(error) => {
                tracing::debug!(%error, "no verification lease came");
                let refused =
                    matches!(&error, CallError::Refused(it) if it.code != RefusedCode::Busy);
                let wait = if refused { BARRED_WAIT } else { BUSY_WAIT };
                self.verify_after = Instant::now() + wait;
            }
        }
    }

    /// Sends what was found; a lease that yields nothing lapses, and the scheduler looks itself.
    fn found(&mut self, found: Result<Signed<Findings>, WorkError>) -> Result<(), RunError> {
        match found {
            Ok(findings) => {
                let request = Request::Findings { findings };
                self.call(request, Bytes::new(), limits::CALL_TIMEOUT, Answer::Found);
            }
            Err(error) => {
                self.error(chain(&error));
                self.verify_after = Instant::now() + BUSY_WAIT;
                self.keeps_scenes(error)?;
            }
        }
        Ok(())
    }

    fn submitted(&mut self, lease: LeaseId, replied: Answered) {
        match replied {
            Ok(_done) => {
                if let Some(held) = self.agent.held.remove(&lease) {
                    self.agent.tell(NodeEvent::Submitted { lease, unit: held.lease.piece.unit });
                }
                self.submitting.remove(&lease);
                self.ask_verdicts();
            }
            Err(CallError::Refused(refused)) if refused.code != RefusedCode::Busy => {
                self.submitting.remove(&lease);
                self.agent.let_go(lease, refused.message);
            }
            // Busy, or no answer: the film is kept and goes again, here or over the next
            // connection. The scheduler takes one film a lease, so that twice does no harm.
            Err(error) => {
                tracing::debug!(%error, "a film was not taken");
                self.resting.insert(lease);
            }
        }
    }

    fn judged(&mut self, replied: Answered) {
        self.asking_verdicts = false;
        let verdicts = match replied {
            Ok(Reply::Verdicts(verdicts)) => verdicts,
            Ok(other) => return self.error(unexpected("question for verdicts", &other)),
            Err(error) => {
                tracing::debug!(%error, "no verdicts came");
                return;
            }
        };
        let last = verdicts.last().map(|(number, _)| *number);
        for (number, signed) in verdicts {
            match self.verdict(&signed) {
                Ok(verdict) => self.agent.tell(NodeEvent::Verdict { number, verdict }),
                Err(message) => self.error(message),
            }
        }
        if let Some(last) = last {
            self.agent.seen.note(self.scheduler, last);
            // There may be more than fitted in one reply.
            self.ask_verdicts();
        }
    }

    fn verdict(&self, signed: &Signed<Verdict>) -> Result<Verdict, String> {
        let verdict = signed.open_from(self.scheduler);
        verdict.map_err(|error| format!("a verdict is not the scheduler's: {error}"))
    }

    fn error(&self, message: String) {
        self.agent.tell(NodeEvent::Error { message, retry_in: None });
    }
}
