//! From a template to jobs, with everything that is refused of it.

use std::collections::BTreeSet;

use client::description::{FrameNumbers, NeedsWords};
use client::{Description, SceneImport};
use openjd_model::template::{JobTemplate, StepTemplate};
use openjd_model::types::DataFlow;
use openjd_model::{FormatString, create_job};

use super::order::{self, Became};
use super::tasks::{self, Budget, Group, JOBS_MAX};
use super::{Import, ImportOptions};
use crate::arguments::{Subject, Word};
use crate::draft::Draft;
use crate::needs::Asked;
use crate::note::{Note, NoteKind};
use crate::options::{Opt, Role, Said, Wrong};
use crate::paths::{is_inside, is_scene_id, tidied};
use crate::refusal::{Place, Problem, Refusal};
use crate::steps::{self, Command};
use crate::terms;
use crate::text::of_model;
use crate::values::{Values, is_foreign};

/// Refusals that are told.
const REFUSALS_MAX: usize = 100;
/// Deadline Cloud's setting that is read.
const FOREIGN_PRIORITY: &str = "deadline:priority";

/// The jobs of a template, or everything that is refused of it.
pub(super) fn import(job: &JobTemplate, options: &ImportOptions) -> Result<Import, Vec<Refusal>> {
    let values = match Values::bind(job, options) {
        Ok(values) => values,
        Err(mut refusals) => {
            refusals.extend(steps::refusals(job));
            return Err(refusals);
        }
    };
    let mut importer = Importer {
        job,
        values,
        budget: Budget::new(),
        refusals: Vec::new(),
        notes: steps::notes(job),
        terms: Vec::new(),
        name: String::new(),
        job_count: 0,
    };
    importer.look_around(options);
    let became: Vec<Option<Became>> = job.steps.iter().map(|step| importer.step(step)).collect();
    let became: Option<Vec<Became>> = became.into_iter().collect();
    match became {
        Some(became) if importer.refusals.is_empty() => {
            order::put_together(job, importer.name, became, importer.notes)
        }
        _ => Err(importer.refusals),
    }
}

struct Importer<'a> {
    job: &'a JobTemplate,
    values: Values,
    budget: Budget,
    refusals: Vec<Refusal>,
    notes: Vec<Note>,
    /// What parameters say to the farm, with their names.
    terms: Vec<(String, &'static Opt, String)>,
    /// The job's name.
    name: String,
    /// Jobs that there are so far.
    job_count: usize,
}

impl Importer<'_> {
    /// What is about all of the template: its name, its environments, its parameters.
    fn look_around(&mut self, options: &ImportOptions) {
        match self.values.resolve(&self.job.name) {
            Ok(name) => self.name = name,
            Err(message) => self.refuse(Place::Template, Problem::Model(message)),
        }
        let resolve = |text: &FormatString| self.values.resolve(text).ok();
        let of_job = steps::of_job(self.job, &resolve);
        self.refusals.extend(of_job);
        for (name, value) in options.values.iter().filter(|(name, _)| is_foreign(name)) {
            match terms::option("TesseraPriority") {
                Some(opt) if name == FOREIGN_PRIORITY => {
                    // Theirs begin at 0.
                    let value = if value == "0" { "1" } else { value };
                    self.terms.push((name.clone(), opt, value.to_owned()));
                }
                _ => self.note(None, NoteKind::ForeignSetting(name.clone())),
            }
        }
        self.parameters();
    }

    fn parameters(&mut self) {
        let used: BTreeSet<String> = names(self.job);
        let mut files = Vec::new();
        for definition in self.job.parameter_definitions_list() {
            let name = definition.name().to_owned();
            match terms::option(&name) {
                Some(opt) => {
                    let value = self.values.value(&name).unwrap_or_default();
                    if !value.is_empty() {
                        self.terms.push((name, opt, value));
                    }
                    continue;
                }
                None if used.contains(&name) => continue,
                None if terms::looks_like_one(&name) => {
                    self.note(None, NoteKind::UnknownTerm(name.clone()));
                }
                None => {}
            }
            if matches!(definition.path_properties().1, Some(DataFlow::In | DataFlow::Inout)) {
                files.push(name);
            }
        }
        if !files.is_empty() {
            self.note(None, NoteKind::Files(files));
        }
    }

    /// What a step becomes; none where something of it is refused.
    fn step(&mut self, template: &StepTemplate) -> Option<Became> {
        let resolve = |text: &FormatString| self.values.resolve(text).ok();
        let (command, refusals) = steps::inspect(template, &resolve);
        let is_told = !refusals.is_empty();
        for Refusal { place, problem } in refusals {
            self.refuse(place, problem);
        }
        let place = Place::Step(template.name.clone());
        let Some(command) = command else {
            if !is_told {
                let words = "its command is another one in each task; write one".to_owned();
                self.refuse(place, Problem::Model(words));
            }
            return None;
        };
        // The model is asked for one step at a time, so that each tells its own problem.
        let alone = StepTemplate { dependencies: None, ..template.clone() };
        let alone = JobTemplate { steps: vec![alone], ..self.job.clone() };
        let made = create_job(&alone, &self.values.model, &alone.default_validation_context());
        let step = match made {
            Ok(mut job) if !job.steps.is_empty() => job.steps.remove(0),
            Ok(_nothing) => return None,
            Err(error) => {
                self.refuse(place, Problem::Model(of_model(&error)));
                return None;
            }
        };
        match command {
            Command::Client(command) => {
                let runs = tasks::runs(template, &step, &self.values, &mut self.budget);
                let runs = runs.map_err(|problem| self.refuse(place, problem)).ok()?;
                Some(Became::Client(command, runs))
            }
            Command::Render => self.render(template, &step).map(Became::Jobs),
        }
    }

    fn render(
        &mut self,
        template: &StepTemplate,
        step: &openjd_model::job::Step,
    ) -> Option<Vec<(Description, SceneImport)>> {
        let place = Place::Action {
            step: template.name.clone(),
            action: "onRun",
            command: "tessera render".to_owned(),
        };
        let before = self.refusals.len();
        let asked = Asked::of(step.host_requirements.as_ref());
        for problem in asked.problems {
            self.refuse(Place::Step(template.name.clone()), problem);
        }
        for kind in asked.notes {
            self.note(Some(&template.name), kind);
        }
        let groups = match tasks::groups(template, step, &self.values, &mut self.budget) {
            Ok(groups) => groups,
            Err(problems) => {
                problems.into_iter().for_each(|problem| self.refuse(place.clone(), problem));
                return None;
            }
        };
        for kind in groups.notes {
            self.note(Some(&template.name), kind);
        }
        let mut jobs = Vec::new();
        for group in &groups.groups {
            match self.described(group, &asked.needs) {
                Ok((description, scene_import)) => {
                    let frames = split(group.frames.as_deref());
                    self.job_count += frames.len();
                    if self.job_count > JOBS_MAX {
                        self.refuse(place, Problem::JobCount { max: JOBS_MAX });
                        return None;
                    }
                    jobs.extend(frames.into_iter().map(|frames| {
                        (Description { frames, ..description.clone() }, scene_import.clone())
                    }));
                }
                Err(problems) => {
                    problems.into_iter().for_each(|problem| self.refuse(place.clone(), problem));
                }
            }
        }
        (self.refusals.len() == before).then_some(jobs)
    }

    /// What a group of tasks asks for, frames aside.
    fn described(
        &self,
        group: &Group,
        needs: &NeedsWords,
    ) -> Result<(Description, SceneImport), Vec<Problem>> {
        let mut draft = Draft { needs: needs.clone(), ..Draft::default() };
        let mut problems = Vec::new();
        for (name, opt, value) in &self.terms {
            let said = Said { text: value, own: value };
            if let Err(Problem::Value { wanted, .. }) = say(&mut draft, opt, said) {
                let words = format!("parameter {name}: expected {wanted}");
                problems.push(Problem::Parameters(words));
            }
        }
        // An argument says it anew.
        let mut said_anew = BTreeSet::new();
        for (subject, word) in &group.said {
            let Word { text, own } = word;
            let said = Said { text, own };
            let result = match subject {
                Subject::Scene if is_scene_id(text) => {
                    draft.description.scene.clone_from(text);
                    Ok(())
                }
                Subject::Scene if is_inside(own) => {
                    draft.description.scene = tidied(text);
                    Ok(())
                }
                Subject::Scene => Err(Problem::Outside(text.clone())),
                Subject::Option(opt) => {
                    if opt.name == "--after" && said_anew.insert(opt.name) {
                        draft.description.after.clear();
                    }
                    say(&mut draft, opt, said)
                }
            };
            problems.extend(result.err());
        }
        // One range stands for all of them: what is wrong with a rate is told once.
        draft.description.frames = group.frames.as_ref().and_then(|ranges| ranges.first().copied());
        if problems.is_empty() { draft.finish() } else { Err(problems) }
    }

    fn refuse(&mut self, place: Place, problem: Problem) {
        let refusal = Refusal { place, problem };
        if self.refusals.len() < REFUSALS_MAX && !self.refusals.contains(&refusal) {
            self.refusals.push(refusal);
        }
    }

    fn note(&mut self, step: Option<&str>, kind: NoteKind) {
        self.notes.push(Note { step: step.map(str::to_owned), kind });
    }
}

/// Says something to an option.
fn say(draft: &mut Draft, opt: &Opt, said: Said<'_>) -> Result<(), Problem> {
    let (Role::Set(setter) | Role::Add(setter) | Role::Term(setter)) = opt.role else {
        return Ok(());
    };
    setter(draft, said).map_err(|wrong| match wrong {
        Wrong::Wanted(wanted) => {
            Problem::Value { option: opt.name, value: said.text.to_owned(), wanted }
        }
        Wrong::Problem(problem) => problem,
    })
}

/// Frames of each job: a job has one range, or none.
fn split(frames: Option<&[FrameNumbers]>) -> Vec<Option<FrameNumbers>> {
    match frames {
        Some(ranges) => ranges.iter().copied().map(Some).collect(),
        None => vec![None],
    }
}

/// Names of the parameters that actions and the job's name use.
fn names(job: &JobTemplate) -> BTreeSet<String> {
    let actions = job.steps.iter().filter_map(|step| step.script.as_ref());
    let texts = actions.flat_map(|script| {
        let action = &script.actions.on_run;
        action.args.iter().flatten().chain([&action.command])
    });
    let names = texts.chain([&job.name]).flat_map(FormatString::expression_names);
    names.filter_map(|name| name.split('.').nth(1)).map(str::to_owned).collect()
}
