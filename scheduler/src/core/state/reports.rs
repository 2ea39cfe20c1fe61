//! What owners of nodes that do not want a job tell the operator of it.

use protocol::{JobId, NodeId};

use super::Book;

/// Reports of one job that are kept: more say no more.
const REPORTS_MAX: usize = 20;

impl Book {
    /// Whether a word of a node's owner on a job is kept: one of each owner, and of those of nodes
    /// without a name no more than somebody reads.
    #[must_use]
    pub fn may_report(&self, job: JobId, node: NodeId) -> bool {
        let (Some(job), Some(node)) = (self.jobs.get(&job), self.nodes.get(&node)) else {
            return false;
        };
        let owners = job.reports.keys().filter_map(|id| self.nodes.get(id));
        let has_said = owners.clone().any(|other| other.facts.owner == node.facts.owner);
        let has_room = job.reports.len() < REPORTS_MAX;
        let displaces = || self.has_name(node) && owners.clone().any(|other| !self.has_name(other));
        !has_said && (has_room || displaces())
    }

    /// Keeps one, in the place of one of a node without a name where there is no room.
    pub(in crate::core) fn report(&mut self, job: JobId, node: NodeId, words: String) {
        let kept = self.jobs.get(&job).map_or(0, |job| job.reports.len());
        let unnamed = |id: &&NodeId| self.nodes.get(*id).is_none_or(|node| !self.has_name(node));
        let goes = self.jobs.get(&job).and_then(|job| job.reports.keys().find(unnamed).copied());
        let reports = &mut self.job_mut(job).reports;
        if let (true, Some(goes)) = (kept >= REPORTS_MAX, goes) {
            reports.remove(&goes);
        }
        reports.insert(node, words);
    }
}
