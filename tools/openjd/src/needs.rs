//! Host requirements and the needs of jobs.

use client::description::{BackendName, NeedsWords};
use openjd_model::job::{AmountRequirement, AttributeRequirement, HostRequirements};

use crate::note::NoteKind;
use crate::refusal::Problem;

/// Bytes of a mebibyte, in which hosts' memory is counted.
const MEBIBYTE: f64 = 1_048_576.0;
/// Bytes of a gigabyte, in which nodes' memory is counted.
const GIGABYTE: f64 = 1_000_000_000.0;
/// The attribute that names a pool of nodes.
pub(crate) const POOL: &str = "attr.tessera.pool";
/// Graphics cards.
pub(crate) const GPU: &str = "amount.worker.gpu";
/// Memory of a graphics card.
pub(crate) const GPU_MEMORY: &str = "amount.worker.gpu.memory";
/// Memory of a host.
pub(crate) const MEMORY: &str = "amount.worker.memory";

/// What of host requirements nodes can be asked for, and what is not.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    pub needs: NeedsWords,
    pub notes: Vec<NoteKind>,
    pub problems: Vec<Problem>,
}

impl Asked {
    /// What a step's requirements ask for.
    pub fn of(requirements: Option<&HostRequirements>) -> Self {
        let mut asked = Self::default();
        let Some(requirements) = requirements else { return asked };
        let amounts = requirements.amounts.as_deref().unwrap_or_default();
        // On which device a scene must fit is known when the device is.
        let of_gpus = amounts.iter().any(|amount| {
            matches!(name(&amount.name).as_str(), GPU | GPU_MEMORY) && is_wanted(amount)
        });
        if of_gpus {
            asked.needs.backend = Some(BackendName::Gpu);
        }
        for amount in amounts {
            asked.amount(amount, of_gpus);
        }
        for attribute in requirements.attributes.as_deref().unwrap_or_default() {
            asked.attribute(attribute);
        }
        asked
    }

    fn amount(&mut self, amount: &AmountRequirement, of_gpus: bool) {
        match name(&amount.name).as_str() {
            GPU => {
                if amount.min.is_some_and(|min| min > 1.0) {
                    self.note(
                        &amount.name,
                        "a node renders on one graphics card, and one is asked for",
                    );
                }
            }
            GPU_MEMORY => self.memory(amount),
            MEMORY if of_gpus => {
                self.note(&amount.name, "a node with a graphics card is asked for the card's memory, amount.worker.gpu.memory");
            }
            MEMORY => self.memory(amount),
            "amount.worker.vcpu" => {
                self.note(&amount.name, "a node of few threads gets less work, not none");
            }
            "amount.worker.disk.scratch" => self.note(&amount.name, "nothing is written to disks"),
            _ => self.refuse(&amount.name, "a farm's nodes do not count it; leave it out"),
        }
        let is_known = [GPU, GPU_MEMORY, MEMORY].contains(&name(&amount.name).as_str());
        if is_known && amount.max.is_some() {
            self.note(&amount.name, "nodes are asked for no less, and never for no more");
        }
    }

    /// Gigabytes, so that no node with less is asked.
    fn memory(&mut self, amount: &AmountRequirement) {
        let gigabytes = (amount.min.unwrap_or(0.0) * MEBIBYTE / GIGABYTE).ceil();
        if gigabytes > 0.0 {
            self.needs.memory_gb = Some(gigabytes.min(f64::from(u32::MAX)) as u32);
        }
    }

    fn attribute(&mut self, attribute: &AttributeRequirement) {
        match name(&attribute.name).as_str() {
            "attr.worker.os.family" | "attr.worker.cpu.arch" => {
                self.note(&attribute.name, "nodes of all kinds render the same");
            }
            POOL => {
                let lists = [&attribute.any_of, &attribute.all_of];
                let pools: Vec<&String> = lists.into_iter().flatten().flatten().collect();
                match pools.as_slice() {
                    [pool] => self.needs.pool = Some((*pool).clone()),
                    _ => self.refuse(&attribute.name, "a job is for one pool; name one"),
                }
            }
            _ => self.refuse(&attribute.name, "a farm's nodes have pools only; put those that have it into one, and name that as attr.tessera.pool"),
        }
    }

    fn note(&mut self, name: &str, why: &'static str) {
        self.notes.push(NoteKind::Requirement { name: name.to_owned(), why });
    }

    fn refuse(&mut self, name: &str, why: &'static str) {
        self.problems.push(Problem::Requirement { name: name.to_owned(), why });
    }
}

/// A capability's name: they are the same in any case.
fn name(name: &str) -> String {
    name.to_ascii_lowercase()
}

fn is_wanted(amount: &AmountRequirement) -> bool {
    amount.min.is_some_and(|min| min > 0.0)
}

/// Gigabytes as a host's memory that asks for the same when it is read again.
pub(crate) fn mebibytes(gigabytes: u32) -> u64 {
    (f64::from(gigabytes) * GIGABYTE / MEBIBYTE).floor() as u64
}

/// Whether a pool's name can be an attribute's value.
pub(crate) fn is_attribute(pool: &str) -> bool {
    pool.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(
        amounts: &[(&str, Option<f64>, Option<f64>)],
        attributes: &[(&str, &[&str])],
    ) -> Asked {
        let amounts = amounts.iter().map(|&(name, min, max)| AmountRequirement {
            name: name.to_owned(),
            min,
            max,
        });
        let attributes = attributes.iter().map(|(name, values)| AttributeRequirement {
            name: (*name).to_owned(),
            any_of: Some(values.iter().map(|value| (*value).to_owned()).collect()),
            all_of: None,
        });
        let requirements = HostRequirements {
            amounts: Some(amounts.collect()),
            attributes: Some(attributes.collect()),
        };
        Asked::of(Some(&requirements))
    }

    #[test]
    fn memory_is_of_the_device_that_renders() {
        let gb = |amounts: &[(&str, Option<f64>, Option<f64>)]| {
            let needs = asked(amounts, &[]).needs;
            (needs.backend, needs.memory_gb)
        };
        assert_eq!(gb(&[(MEMORY, Some(8_192.0), None)]), (None, Some(9)));
        assert_eq!(gb(&[(MEMORY, None, Some(8_192.0))]), (None, None));
        let gpu = Some(BackendName::Gpu);
        assert_eq!(gb(&[("AMOUNT.worker.GPU", Some(1.0), None)]), (gpu, None));
        assert_eq!(gb(&[(GPU, Some(0.0), None)]), (None, None));
        assert_eq!(gb(&[(GPU, Some(1.0), None), (MEMORY, Some(65_536.0), None)]), (gpu, None));
        assert_eq!(gb(&[(GPU_MEMORY, Some(8_192.0), None)]), (gpu, Some(9)));
        assert_eq!(gb(&[(MEMORY, Some(1e300), None)]), (None, Some(u32::MAX)));
        for gigabytes in 1..=1_024 {
            let again = gb(&[(MEMORY, Some(mebibytes(gigabytes) as f64), None)]);
            assert_eq!(again, (None, Some(gigabytes)));
        }
    }

    #[test]
    fn what_nodes_do_not_say_is_refused_and_what_is_no_matter_noted() {
        let asked = asked(
            &[("amount.worker.vcpu", Some(4.0), None), ("amount.licence.nuke", Some(1.0), None)],
            &[
                ("attr.worker.os.family", &["linux"]),
                ("Attr.Tessera.Pool", &["studio"]),
                ("attr.custom.config", &["a"]),
            ],
        );
        assert_eq!(asked.needs.pool.as_deref(), Some("studio"));
        assert_eq!((asked.notes.len(), asked.problems.len()), (2, 2));
        let two = self::asked(&[], &[(POOL, &["a", "b"])]);
        assert!(two.problems[0].to_string().contains("one pool"), "{:?}", two.problems);
    }
}
