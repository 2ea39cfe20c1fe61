//! The tasks of a step, told apart by what they ask for beside their frames.

use std::collections::{BTreeMap, BTreeSet};

use client::description::FrameNumbers;
use openjd_model::job::{Step, StepParameterSpace, TaskParameter};
use openjd_model::template::StepTemplate;
use openjd_model::{FormatString, StepParameterSpaceIterator, TaskParameterSet};

use crate::arguments::{Arguments, Subject, Token, Word};
use crate::frames;
use crate::note::NoteKind;
use crate::options::{FrameWord, Role};
use crate::refusal::Problem;
use crate::text::of_model;
use crate::values::{Values, put, resolve};

/// Jobs, and runs of client steps, that a template may become.
pub(super) const JOBS_MAX: usize = 256;
/// Tasks of a template that are looked at: as many as a job has frames.
const TASKS_MAX: usize = 100_000;
/// Bytes of what varies in their arguments, and a few for each argument.
const BYTES_MAX: usize = 64 << 20;
/// What an argument counts beside its bytes.
const ARGUMENT_BYTES: usize = 16;

/// What is left of what a template may make us do.
#[derive(Debug)]
pub(super) struct Budget {
    tasks: usize,
    bytes: usize,
}

impl Budget {
    pub const fn new() -> Self {
        Self { tasks: TASKS_MAX, bytes: BYTES_MAX }
    }

    fn task(&mut self) -> Result<(), Problem> {
        let left = self.tasks.checked_sub(1);
        self.tasks = left.ok_or(Problem::TaskCount { max: TASKS_MAX })?;
        Ok(())
    }

    fn text(&mut self, text: &str) -> Result<(), Problem> {
        let left = self.bytes.checked_sub(text.len() + ARGUMENT_BYTES);
        self.bytes = left.ok_or(Problem::TextSize { max: BYTES_MAX })?;
        Ok(())
    }
}

/// Tasks that ask for the same, frames aside.
#[derive(Debug)]
pub(super) struct Group {
    /// What is said, in order: of frames and of how pictures are written nothing.
    pub said: Vec<(Subject, Word)>,
    /// Their frames; none of a still.
    pub frames: Option<Vec<FrameNumbers>>,
}

/// What the tasks of a render step ask for.
#[derive(Debug, Default)]
pub(super) struct Groups {
    pub groups: Vec<Group>,
    pub notes: Vec<NoteKind>,
}

/// The tasks of a step, one after the other.
struct Tasks<'a> {
    space: Option<&'a StepParameterSpace>,
}

impl<'a> Tasks<'a> {
    fn of(step: &'a Step) -> Self {
        Self { space: step.parameter_space.as_ref() }
    }

    /// Whether they have frames in chunks.
    fn has_chunks(&self) -> bool {
        let parameters = self.space.map(|space| space.task_parameter_definitions.values());
        parameters.into_iter().flatten().any(|one| matches!(one, TaskParameter::ChunkInt { .. }))
    }

    /// Shows each of them, with its values set, until one is a problem. Chunks have one frame.
    fn each(
        &self,
        values: &mut Values,
        budget: &mut Budget,
        mut show: impl FnMut(&Values, &mut Budget) -> Result<(), Problem>,
    ) -> Result<(), Problem> {
        let Some(space) = self.space else {
            budget.task()?;
            return show(values, budget);
        };
        let failed = |error: openjd_model::ModelError| Problem::Model(of_model(&error));
        let tasks = StepParameterSpaceIterator::new_with_chunk_override(space, Some(1));
        let tasks = tasks.map_err(failed)?;
        if tasks.len() > budget.tasks {
            return Err(Problem::TaskCount { max: TASKS_MAX });
        }
        for task in tasks {
            budget.task()?;
            set(values, &task);
            show(values, budget)?;
        }
        Ok(())
    }
}

/// Sets a task's values.
fn set(values: &mut Values, task: &TaskParameterSet) {
    for (name, value) in task {
        let text = value.value.to_display_string();
        for scope in ["Task.Param", "Task.RawParam"] {
            let name = format!("{scope}.{name}");
            put(&mut values.all, &name, &text);
            put(&mut values.own, &name, &text);
        }
    }
}

/// The first of a step's arguments is the command; these are the others.
fn formats(step: &StepTemplate) -> &[FormatString] {
    let action = step.script.as_ref().map(|script| &script.actions.on_run);
    let args = action.and_then(|action| action.args.as_deref());
    args.and_then(|args| args.get(1..)).unwrap_or_default()
}

/// What the tasks of a render step ask for.
pub(super) fn groups(
    template: &StepTemplate,
    step: &Step,
    values: &Values,
    budget: &mut Budget,
) -> Result<Groups, Vec<Problem>> {
    let mut values = values.clone();
    let tasks = Tasks::of(step);
    let mut unsound = None;
    let mut gathered: Option<Gathered<'_>> = None;
    let shown = tasks.each(&mut values, budget, |values, budget| {
        if let Some(gathered) = &mut gathered {
            return gathered.take(values, budget);
        }
        match Arguments::parse(formats(template), values) {
            Ok(parsed) => gathered.insert(Gathered::new(parsed)).take(values, budget),
            Err(problems) => {
                unsound = Some(problems);
                // Ends the tasks; what is told is the others.
                Err(Problem::NoScene)
            }
        }
    });
    if let Some(problems) = unsound {
        return Err(problems);
    }
    shown.map_err(|problem| vec![problem])?;
    let mut groups = gathered.map(Gathered::finish).unwrap_or_default();
    if tasks.has_chunks() {
        groups.notes.push(NoteKind::Chunks);
    }
    Ok(groups)
}

/// Tasks as they are gathered.
struct Gathered<'a> {
    arguments: Arguments<'a>,
    /// What tells groups apart.
    apart: Vec<Token>,
    /// What names frames, with what it is.
    of_frames: Vec<(Token, FrameWord)>,
    notes: Vec<NoteKind>,
    groups: BTreeMap<Vec<String>, usize>,
    gathered: Vec<Gathering>,
    tasks: u64,
}

/// A group as it is gathered.
struct Gathering {
    said: Vec<(Subject, Word)>,
    frames: Vec<u32>,
}

impl<'a> Gathered<'a> {
    fn new(arguments: Arguments<'a>) -> Self {
        let (mut apart, mut of_frames) = (Vec::new(), Vec::new());
        let (mut output, mut machine) = (Vec::new(), Vec::new());
        for &token in arguments.tokens() {
            match token.subject {
                Subject::Option(opt) => match opt.role {
                    Role::Frames(word) => of_frames.push((token, word)),
                    Role::Output if output.contains(&opt.name) => {}
                    Role::Output => output.push(opt.name),
                    Role::Machine if machine.contains(&opt.name) => {}
                    Role::Machine => machine.push(opt.name),
                    _ => apart.push(token),
                },
                Subject::Scene => apart.push(token),
            }
        }
        let mut notes = Vec::new();
        notes.extend((!output.is_empty()).then_some(NoteKind::OutputOptions(output)));
        notes.extend((!machine.is_empty()).then_some(NoteKind::MachineOptions(machine)));
        let (groups, gathered) = (BTreeMap::new(), Vec::new());
        Self { arguments, apart, of_frames, notes, groups, gathered, tasks: 0 }
    }

    fn take(&mut self, values: &Values, budget: &mut Budget) -> Result<(), Problem> {
        self.tasks += 1;
        let mut key = Vec::new();
        let mut words = Vec::new();
        for &token in self.apart.iter().filter(|token| self.arguments.varies(**token)) {
            let word = self.arguments.of_task(token, values)?;
            budget.text(&word.text)?;
            key.push(word.text.clone());
            words.push(word);
        }
        let index = match self.groups.get(&key) {
            Some(&index) => index,
            None if self.gathered.len() == JOBS_MAX => {
                return Err(Problem::JobCount { max: JOBS_MAX });
            }
            None => {
                let mut words = words.into_iter();
                let said = self.apart.iter().map(|&token| {
                    let word = self.arguments.varies(token).then(|| words.next()).flatten();
                    (token.subject, word.unwrap_or_else(|| self.arguments.first(token)))
                });
                self.gathered.push(Gathering { said: said.collect(), frames: Vec::new() });
                self.groups.insert(key, self.gathered.len() - 1);
                self.gathered.len() - 1
            }
        };
        for range in self.frames_of(values, budget)? {
            frames::gather(range, &mut self.gathered[index].frames)?;
        }
        Ok(())
    }

    /// The frames of a task.
    fn frames_of(
        &self,
        values: &Values,
        budget: &mut Budget,
    ) -> Result<Vec<FrameNumbers>, Problem> {
        let (mut ranges, mut step) = (Vec::new(), None);
        for &(token, word) in &self.of_frames {
            let text = self.arguments.of_task(token, values)?.text;
            budget.text(&text)?;
            match word {
                FrameWord::Frames => ranges = frames::parse(&text)?,
                FrameWord::Step => step = Some(text),
            }
        }
        let Some(step) = step else { return Ok(ranges) };
        let wanted = "a whole number from 1 on";
        let number = step.trim().parse().ok().filter(|&number: &u32| number > 0);
        let Some(number) = number else {
            return Err(Problem::Value { option: "--step", value: step, wanted });
        };
        match ranges.as_mut_slice() {
            [one] if one.step == 1 => one.step = number,
            _ => {
                return Err(Problem::Together(
                    "--step needs --frames with one range; write 1-240:2, or leave it out",
                ));
            }
        }
        Ok(ranges)
    }

    fn finish(self) -> Groups {
        let has_frames = self.of_frames.iter().any(|(_, word)| *word == FrameWord::Frames);
        let mut notes = self.notes;
        let mut shots = 0;
        let mut groups = Vec::with_capacity(self.gathered.len());
        for Gathering { said, frames } in self.gathered {
            let ranges = has_frames.then(|| frames::ranges(frames));
            let of_them =
                ranges.as_deref().map(|ranges| ranges.iter().map(|&one| frames::count(one)));
            shots += of_them.map_or(1, Iterator::sum);
            groups.push(Group { said, frames: ranges });
        }
        let needless = self.tasks.saturating_sub(shots);
        notes.extend((needless > 0).then_some(NoteKind::SameTasks(needless)));
        Groups { groups, notes }
    }
}

/// The arguments of each run of a client step: tasks that say the same run once.
pub(super) fn runs(
    template: &StepTemplate,
    step: &Step,
    values: &Values,
    budget: &mut Budget,
) -> Result<Vec<Vec<String>>, Problem> {
    let mut values = values.clone();
    let formats = formats(template);
    let of_session = formats
        .iter()
        .find(|format| format.expression_names().iter().any(|name| name.starts_with("Session.")));
    if let Some(format) = of_session {
        return Err(Problem::Session(format.raw().to_owned()));
    }
    let mut seen = BTreeSet::new();
    let mut runs = Vec::new();
    Tasks::of(step).each(&mut values, budget, |values, budget| {
        let mut run = Vec::with_capacity(formats.len());
        for format in formats {
            let argument = || format.raw().to_owned();
            let text = resolve(format, &values.all)
                .map_err(|message| Problem::Argument { argument: argument(), message })?;
            budget.text(&text)?;
            run.push(text);
        }
        if seen.insert(run.clone()) {
            if runs.len() == JOBS_MAX {
                return Err(Problem::JobCount { max: JOBS_MAX });
            }
            runs.push(run);
        }
        Ok(())
    })?;
    Ok(runs)
}
