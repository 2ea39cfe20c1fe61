//! What is said to the farm only, as parameters that no action reads.

use client::Description;

use super::write::Writer;

/// The job's terms, but for its name and its needs.
pub(super) fn terms(writer: &mut Writer, description: &Description) {
    let after = (!description.after.is_empty()).then(|| description.after.join(","));
    let terms = [
        ("--tile", description.tile.map(|side| side.to_string())),
        ("--bid", description.bid.clone()),
        ("--assurance", description.assurance.clone()),
        ("--max-cost", description.max_cost.clone()),
        ("--priority", description.priority.map(|priority| priority.to_string())),
        ("--after", after),
        ("--paused", description.paused.map(|paused| paused.to_string())),
        ("--progressive", description.progressive.map(|soon| soon.to_string())),
        ("--stop-after", description.stop_after_s.map(|seconds| format!("{seconds}s"))),
        ("--by", description.wanted_by.clone()),
    ];
    for (option, value) in terms {
        if let Some(value) = value {
            writer.term(option, &value);
        }
    }
}
