//! What a template's steps and environments run: a few commands, and nothing else.

use openjd_model::FormatString;
use openjd_model::template::{Action, Environment, JobTemplate, StepTemplate};

use crate::note::{Note, NoteKind};
use crate::refusal::{Place, Problem, Refusal};

/// Tessera's name as a command.
const TESSERA: &str = "tessera";

/// What a step runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Command {
    /// `tessera render`: work for the farm.
    Render,
    /// A command that runs with whoever imports.
    Client(crate::import::ClientCommand),
}

/// Text as far as it is known.
pub(crate) type Resolve<'a> = &'a dyn Fn(&FormatString) -> Option<String>;

/// What is refused of a template, whatever values its parameters have.
pub(crate) fn refusals(job: &JobTemplate) -> Vec<Refusal> {
    let literal = |text: &FormatString| text.is_literal().then(|| text.raw().to_owned());
    let mut refusals = of_job(job, &literal);
    for step in &job.steps {
        refusals.extend(inspect(step, &literal).1);
    }
    refusals
}

/// What is refused of a template beside its steps.
pub(crate) fn of_job(job: &JobTemplate, resolve: Resolve<'_>) -> Vec<Refusal> {
    environments(job.job_environments.as_deref(), None, resolve)
}

/// What a step runs, where that is allowed, and what of it is refused.
pub(crate) fn inspect(
    step: &StepTemplate,
    resolve: Resolve<'_>,
) -> (Option<Command>, Vec<Refusal>) {
    let name = Some(step.name.as_str());
    let mut refusals = environments(step.step_environments.as_deref(), name, resolve);
    let mut refuse = |command: &str, problem: Problem| {
        let (step, command) = (step.name.clone(), command.to_owned());
        refusals.push(Refusal { place: Place::Action { step, action: "onRun", command }, problem });
    };
    let sugar = [
        ("bash", &step.bash),
        ("python", &step.python),
        ("cmd", &step.cmd),
        ("powershell", &step.powershell),
        ("node", &step.node),
    ];
    let mut command = None;
    for (interpreter, _) in sugar.iter().filter(|(_, script)| script.is_some()) {
        refuse(interpreter, Problem::Command);
    }
    if let Some(script) = &step.script {
        let action = &script.actions.on_run;
        let shown = resolve(&action.command).unwrap_or_else(|| action.command.raw().to_owned());
        match allowed(action, resolve) {
            Ok(allowed) => command = allowed,
            Err(problem) => refuse(&shown, problem),
        }
        let files = script.embedded_files.as_deref().unwrap_or_default();
        if !files.is_empty() {
            let names = files.iter().map(|file| file.name.clone()).collect();
            refuse(&shown, Problem::EmbeddedFiles(names));
        }
    }
    let command = command.filter(|_| refusals.is_empty());
    (command, refusals)
}

/// The command of an action; none where it is not known yet.
fn allowed(action: &Action, resolve: Resolve<'_>) -> Result<Option<Command>, Problem> {
    use crate::import::ClientCommand;
    let Some(command) = resolve(&action.command) else { return Ok(None) };
    if command != TESSERA {
        return Err(Problem::Command);
    }
    let Some(first) = action.args.iter().flatten().next() else {
        return Err(Problem::Subcommand(String::new()));
    };
    let Some(word) = resolve(first) else { return Ok(None) };
    match word.as_str() {
        "render" => Ok(Some(Command::Render)),
        other => match ClientCommand::ALL.into_iter().find(|known| known.word() == other) {
            Some(known) => Ok(Some(Command::Client(known))),
            None => Err(Problem::Subcommand(other.chars().take(60).collect())),
        },
    }
}

fn environments(
    environments: Option<&[Environment]>,
    step: Option<&str>,
    resolve: Resolve<'_>,
) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    for environment in environments.unwrap_or_default() {
        let Some(script) = &environment.script else { continue };
        for (action, what) in script.actions.iter_named() {
            let command = resolve(&what.command).unwrap_or_else(|| what.command.raw().to_owned());
            let place = Place::Environment {
                environment: environment.name.clone(),
                step: step.map(str::to_owned),
            };
            refusals
                .push(Refusal { place, problem: Problem::EnvironmentAction { action, command } });
        }
    }
    refusals
}

/// What of a template's environments and of a step's action is left out.
pub(crate) fn notes(job: &JobTemplate) -> Vec<Note> {
    let mut notes = Vec::new();
    let variables = |environments: &Option<Vec<Environment>>| -> Vec<NoteKind> {
        let environments = environments.iter().flatten();
        let with = environments.filter(|environment| environment.variables.is_some());
        with.map(|environment| NoteKind::Variables(environment.name.clone())).collect()
    };
    let kinds = variables(&job.job_environments).into_iter();
    notes.extend(kinds.map(|kind| Note { step: None, kind }));
    for step in &job.steps {
        let mut kinds = variables(&step.step_environments);
        if let Some(script) = &step.script {
            let action = &script.actions.on_run;
            kinds.extend(action.timeout.is_some().then_some(NoteKind::Timeout));
            kinds.extend(action.cancelation.is_some().then_some(NoteKind::Cancelation));
        }
        notes.extend(kinds.into_iter().map(|kind| Note { step: Some(step.name.clone()), kind }));
    }
    notes
}
