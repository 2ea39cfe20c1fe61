//! The order of a template's jobs, and their names.

use std::collections::{BTreeMap, BTreeSet};

use client::{Description, SceneImport};
use openjd_model::template::{JobTemplate, StepTemplate};

use super::{ClientCommand, ClientStep, Import, ImportedJob};
use crate::export;
use crate::note::{Note, NoteKind};
use crate::paths::stem;
use crate::refusal::{Place, Problem, Refusal};

/// Characters of a job's name.
const NAME_CHARS_MAX: usize = 200;

/// Jobs that one can wait for, as the protocol's limit has it.
const AFTER_MAX: usize = 64;

/// What a step became.
pub(super) enum Became {
    /// Jobs, with how their scenes are read.
    Jobs(Vec<(Description, SceneImport)>),
    /// Runs of a command.
    Client(ClientCommand, Vec<Vec<String>>),
}

/// Where a step's jobs, or what it runs, came to stand.
type Placed = (Vec<usize>, Vec<usize>);

/// Puts what the steps became in order, and names it.
pub(super) fn put_together(
    job: &JobTemplate,
    name: String,
    became: Vec<Became>,
    mut notes: Vec<Note>,
) -> Result<Import, Vec<Refusal>> {
    let render_steps = became.iter().filter(|one| matches!(one, Became::Jobs(_))).count();
    let mut became: Vec<Option<Became>> = became.into_iter().map(Some).collect();
    let mut placed: BTreeMap<&str, Placed> = BTreeMap::new();
    let mut jobs = Vec::new();
    let mut client_steps: Vec<ClientStep> = Vec::new();
    for index in in_order(&job.steps) {
        let template = &job.steps[index];
        let Some(one) = became[index].take() else { continue };
        let (after_jobs, after_steps) = before(template, &placed);
        let here = match one {
            Became::Jobs(described) => {
                notes.extend(after_steps.iter().map(|&step| Note {
                    step: Some(template.name.clone()),
                    kind: NoteKind::AfterClientStep(client_steps[step].step.clone()),
                }));
                let first = jobs.len();
                let earlier = described.iter().map(|(job, _)| job.after.len()).max().unwrap_or(0);
                let count = after_jobs.len() + earlier;
                if count > AFTER_MAX {
                    let problem = Problem::AfterCount { count, max: AFTER_MAX };
                    let place = Place::Step(template.name.clone());
                    return Err(vec![Refusal { place, problem }]);
                }
                for (mut description, scene_import) in described {
                    if description.name.is_none() {
                        description.name = match render_steps {
                            1 => name_of_one(&name, &description.scene),
                            _ => Some(name_of_several(&name, &template.name)),
                        };
                    }
                    let (step, after) = (template.name.clone(), after_jobs.clone());
                    jobs.push(ImportedJob { step, description, scene_import, after });
                }
                ((first..jobs.len()).collect(), Vec::new())
            }
            Became::Client(command, runs) => {
                let (step, after_jobs_too) = (template.name.clone(), after_jobs.clone());
                client_steps.push(ClientStep { step, command, runs, after_jobs, after_steps });
                // Who waits for it waits for what it waits for.
                (after_jobs_too, vec![client_steps.len() - 1])
            }
        };
        placed.insert(&template.name, here);
    }
    Ok(Import { name, jobs, client_steps, notes })
}

/// The name of the jobs of a template with one step: none where they are called like their scene.
fn name_of_one(name: &str, scene: &str) -> Option<String> {
    (name != export::job_name(stem(scene))).then(|| name.to_owned())
}

fn name_of_several(name: &str, step: &str) -> String {
    format!("{name}: {step}").chars().take(NAME_CHARS_MAX).collect()
}

/// Jobs and client steps that a step comes after.
fn before(template: &StepTemplate, placed: &BTreeMap<&str, Placed>) -> Placed {
    let (mut jobs, mut steps) = (BTreeSet::new(), BTreeSet::new());
    for dependency in template.dependencies.iter().flatten() {
        if let Some((of_jobs, of_steps)) = placed.get(dependency.depends_on.as_str()) {
            jobs.extend(of_jobs);
            steps.extend(of_steps);
        }
    }
    (jobs.into_iter().collect(), steps.into_iter().collect())
}

/// The steps, each after those that it depends on, in the template's order otherwise. The model has
/// refused circles.
fn in_order(steps: &[StepTemplate]) -> Vec<usize> {
    let mut order = Vec::with_capacity(steps.len());
    let mut done: BTreeSet<&str> = BTreeSet::new();
    while order.len() < steps.len() {
        let ready = steps.iter().enumerate().find(|(_, step)| {
            let mut depends = step.dependencies.iter().flatten();
            !done.contains(step.name.as_str())
                && depends.all(|one| done.contains(one.depends_on.as_str()))
        });
        let Some((index, step)) = ready else { break };
        order.push(index);
        done.insert(&step.name);
    }
    order
}
