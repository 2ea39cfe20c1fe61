//! Memory that a job's scene takes, which decides the nodes that it is given to.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::needs::{BackendKind, Equipment};

/// What footprints are counted in: 64 of them are a gigabyte.
const UNIT_BYTES: u64 = 1_000_000_000 / 64;
/// What every node has that is started by the command line, where memory is given in whole gigabytes: a
/// job that takes no more stands in the one line.
const COMMON_BYTES: u64 = 500_000_000;
/// What most nodes have. A scene that takes more may have been made so large for the few that say
/// they can hold it.
const USUAL_BYTES: u64 = 8_000_000_000;

/// Memory that the frames of a job take at most, by what renders them; nothing where it is not known.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct Footprint {
    /// On a CPU, bytes: what a node must give to prepared scenes.
    pub cpu_bytes: u64,
    /// On a GPU, bytes of the device's.
    pub gpu_bytes: u64,
}

impl Footprint {
    /// Rounded up to one of four steps between powers of two, in gigabytes 1, 1.25, 1.5, 1.75, 2, 2.5
    /// and so on: so that few jobs differ, and with up to a quarter of room for frames that were not
    /// looked at.
    #[must_use]
    pub const fn in_steps(cpu_bytes: u64, gpu_bytes: u64) -> Self {
        Self { cpu_bytes: in_steps(cpu_bytes), gpu_bytes: in_steps(gpu_bytes) }
    }

    /// Bytes on this.
    #[must_use]
    pub const fn on(&self, backend: BackendKind) -> u64 {
        match backend {
            BackendKind::Cpu => self.cpu_bytes,
            BackendKind::Gpu => self.gpu_bytes,
        }
    }

    /// Whether a node with this equipment can hold it. One that does not know its memory is tried.
    #[must_use]
    pub fn fits(&self, equipment: &Equipment) -> bool {
        equipment.memory_bytes.is_none_or(|bytes| bytes >= self.on(equipment.backend))
    }

    /// Whether every node has so much that is set up as usual: then it is looked at last and not first.
    #[must_use]
    pub const fn is_common(&self) -> bool {
        self.cpu_bytes <= COMMON_BYTES && self.gpu_bytes <= COMMON_BYTES
    }

    /// Whether most nodes can hold it, whatever they render on: then nobody has picked his nodes by it.
    #[must_use]
    pub const fn is_usual(&self) -> bool {
        self.cpu_bytes <= USUAL_BYTES && self.gpu_bytes <= USUAL_BYTES
    }
}

impl fmt::Display for Footprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let gigabytes = |bytes: u64| {
            let gigabytes = bytes as f64 / 1e9;
            // Steps have up to six places below a gigabyte, and no more than two above.
            if gigabytes < 1.0 { format!("{gigabytes:.2}") } else { gigabytes.to_string() }
        };
        let (cpu, gpu) = (gigabytes(self.cpu_bytes), gigabytes(self.gpu_bytes));
        write!(f, "{cpu} GB on a CPU, {gpu} GB on a GPU")
    }
}

const fn in_steps(bytes: u64) -> u64 {
    let units = bytes.div_ceil(UNIT_BYTES);
    // Beyond any device there is no next step.
    let Some(above) = units.checked_next_power_of_two() else { return bytes };
    let step = if above < 8 { 1 } else { above / 8 };
    units.div_ceil(step).saturating_mul(step).saturating_mul(UNIT_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIGABYTE: u64 = 1_000_000_000;

    #[test]
    fn steps_are_few_and_never_below() {
        let check = |bytes, expected| assert_eq!(in_steps(bytes), expected, "{bytes}");
        check(0, 0);
        check(1, UNIT_BYTES);
        check(GIGABYTE, GIGABYTE);
        check(GIGABYTE + 1, GIGABYTE / 4 * 5);
        check(2 * GIGABYTE, 2 * GIGABYTE);
        check(7 * GIGABYTE + 1, 8 * GIGABYTE);
        check(9 * GIGABYTE, 10 * GIGABYTE);
        check(21 * GIGABYTE, 24 * GIGABYTE);
        let mut steps = std::collections::BTreeSet::new();
        for bytes in (0..64 * GIGABYTE).step_by(7_654_321) {
            let step = in_steps(bytes);
            assert!(
                step >= bytes && step - bytes <= (bytes / 4).max(UNIT_BYTES),
                "{bytes}: {step}"
            );
            assert_eq!(in_steps(step), step, "a step is its own");
            steps.insert(step);
        }
        assert!(steps.range(GIGABYTE + 1..).count() == 24, "{steps:?}");
        assert!(in_steps(u64::MAX) >= u64::MAX / 2, "no overflow");
    }

    #[test]
    fn a_node_holds_what_fits_its_backend_and_is_tried_where_it_does_not_know() {
        let footprint = Footprint::in_steps(4 * GIGABYTE, 2 * GIGABYTE);
        let check = |backend, memory_bytes, expected| {
            let equipment = Equipment { backend, memory_bytes, ..Equipment::default() };
            assert_eq!(footprint.fits(&equipment), expected, "{equipment:?}");
        };
        check(BackendKind::Cpu, Some(4 * GIGABYTE), true);
        check(BackendKind::Cpu, Some(4 * GIGABYTE - 1), false);
        check(BackendKind::Gpu, Some(4 * GIGABYTE - 1), true);
        check(BackendKind::Gpu, Some(2 * GIGABYTE - 1), false);
        check(BackendKind::Cpu, None, true);
        check(BackendKind::Gpu, None, true);
        // Either counts: a node renders on one.
        let of = |cpu, gpu| Footprint { cpu_bytes: cpu, gpu_bytes: gpu };
        let half = GIGABYTE / 2;
        assert!(of(half, half).is_common());
        assert!(!of(half + 1, 0).is_common() && !of(0, half + 1).is_common());
        assert!(of(8 * GIGABYTE, 8 * GIGABYTE).is_usual());
        assert!(!of(8 * GIGABYTE + 1, 0).is_usual() && !of(0, 8 * GIGABYTE + 1).is_usual());
    }

    #[test]
    fn it_is_said_in_gigabytes() {
        let footprint = Footprint::in_steps(4 * GIGABYTE + 1, 200_000_000);
        assert_eq!(footprint.to_string(), "5 GB on a CPU, 0.22 GB on a GPU");
        let footprint = Footprint::in_steps(GIGABYTE + 1, 0);
        assert_eq!(footprint.to_string(), "1.25 GB on a CPU, 0.00 GB on a GPU");
    }
}
