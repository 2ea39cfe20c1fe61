//! What a run comes to.

use std::fmt;

use super::farm::Farm;

/// Why work came to nothing.
#[derive(Debug, Clone, Copy)]
pub enum Waste {
    /// The node left or hung.
    Left,
    /// Its lease was gone when it asked: another's film was taken.
    Raced,
    /// Its lease was gone when its film was done.
    Late,
}

/// Rays by what became of them, and counts.
#[derive(Debug, Default)]
pub struct Tally {
    left: f64,
    raced: f64,
    late: f64,
    forged: f64,
    twins: f64,
    films: f64,
    pub checks: u64,
    pub found: u64,
    pub line_max: usize,
}

impl Tally {
    pub fn waste(&mut self, why: Waste, rays: f64) {
        *match why {
            Waste::Left => &mut self.left,
            Waste::Raced => &mut self.raced,
            Waste::Late => &mut self.late,
        } += rays;
    }

    /// A film that was handed in.
    pub fn film(&mut self, is_forged: bool, is_twin: bool, rays: f64) {
        *match (is_forged, is_twin) {
            (true, _) => &mut self.forged,
            (false, true) => &mut self.twins,
            (false, false) => &mut self.films,
        } += rays;
    }
}

/// What a run comes to.
#[derive(Debug, Clone)]
pub struct Report {
    pub nodes: u32,
    pub jobs: u32,
    pub units: u64,
    pub seed: u64,
    pub makespan_s: f64,
    pub ideal_s: f64,
    /// Rays rendered that came to nothing, of a hundred, by cause.
    pub wasted: Vec<(&'static str, f64)>,
    /// Speed that lay idle, of a hundred of all that was there: while units waited that nobody had begun,
    /// what of that the ideal farm let lie, and since.
    pub idle: [f64; 3],
    /// Pay for what an honest node has rendered beside that of the middle one: lowest, 1 %, 99 %.
    pub fairness: [f64; 3],
    /// From order to first lease, seconds: 50 %, 99 %.
    pub first_s: [f64; 2],
    /// From order to end, seconds: 50 %, 99 %.
    pub whole_s: [f64; 2],
    /// From 99 % to the end, in films' mean times: 50 %, 99 %.
    pub tail: [f64; 2],
    pub barred: usize,
    pub forged_left: u64,
    pub checks: u64,
    pub found: u64,
    pub line_max: usize,
    pub events: u64,
    pub transfers: u64,
    pub granted: u64,
    /// Leases granted in a second of granting.
    pub decisions_per_second: f64,
    /// Polls that got nothing, and how long one took, microseconds.
    pub refused: (u64, f64),
    pub memory_bytes_max: Option<u64>,
    pub digest: String,
}

impl Report {
    pub fn of(farm: &mut Farm) -> Self {
        let start_ms = farm.orders.iter().map(|order| order.ordered_ms).min().unwrap_or(0);
        let end_ms = farm.orders.iter().filter_map(|order| order.ended_ms).max().unwrap_or(0);
        let ideal_ms = farm.ideal.done_ms(farm.now_ms);
        let useful: f64 = farm.orders.iter().map(super::orders::Order::all_rays).sum();
        let Tally { left, raced, late, forged, twins, films, .. } = farm.tally;
        let all = left + raced + late + forged + twins + films;
        let share = |rays: f64| 100.0 * rays / all;
        let wasted = vec![
            ("nodes that left or hung", share(left)),
            ("raced, and stopped", share(raced)),
            ("raced, and late", share(late)),
            ("forged", share(forged)),
            ("twins, and second films of raced units", share(twins + films - useful)),
        ];
        let since = farm.idleness.since(farm.now_ms);
        let idle = [farm.idleness.while_work, farm.ideal.idle(), since];
        let there = all + farm.idleness.while_work + since;
        let seconds = |ms: u64| ms as f64 / 1e3;
        let orders = || farm.orders.iter();
        let waits = orders().filter_map(|it| Some(seconds(it.begun_ms? - it.ordered_ms)));
        let wholes = orders().filter_map(|it| Some(seconds(it.ended_ms? - it.ordered_ms)));
        let tails = orders().filter_map(|it| {
            let ended_ms = it.ended_ms?;
            Some((ended_ms - it.nearly_ms.unwrap_or(ended_ms).min(ended_ms)) as f64 / it.usual_ms)
        });
        let book = &farm.state.book;
        let units = book.jobs.values().flat_map(|job| &job.units);
        let wrong = units.filter(|unit| {
            let accepted = unit.accepted.as_ref();
            accepted.is_some_and(|it| it.film.root != super::nodes::truth(&unit.unit))
        });
        Self {
            nodes: farm.settings.nodes,
            jobs: farm.settings.jobs,
            units: book.jobs.values().map(|job| job.units.len() as u64).sum(),
            seed: farm.settings.seed,
            makespan_s: seconds(end_ms - start_ms),
            ideal_s: (ideal_ms - start_ms as f64) / 1e3,
            wasted,
            idle: idle.map(|rays| 100.0 * rays / there),
            fairness: fairness(farm),
            first_s: parts(waits.collect(), [0.5, 0.99]),
            whole_s: parts(wholes.collect(), [0.5, 0.99]),
            tail: parts(tails.collect(), [0.5, 0.99]),
            barred: book.nodes.values().filter(|node| node.barred).count(),
            forged_left: wrong.count() as u64,
            checks: farm.tally.checks,
            found: farm.tally.found,
            line_max: farm.tally.line_max,
            events: farm.events,
            transfers: farm.bank.transfers,
            granted: farm.granted,
            decisions_per_second: farm.granted as f64 / farm.granting.as_secs_f64(),
            refused: (farm.refused, farm.refusing.as_secs_f64() * 1e6 / farm.refused as f64),
            memory_bytes_max: memory_bytes_max(),
            digest: farm.digest(),
        }
    }
}

/// Tokens for a ray of what each honest node has rendered, of those with eight films at least.
fn fairness(farm: &Farm) -> [f64; 3] {
    let unit_rays = farm.settings.unit_ms * super::nodes::SPEED;
    let honest = farm.nodes.iter().filter(|node| !node.is_cheat);
    let worked = honest.filter(|node| node.rendered > 8.0 * unit_rays);
    let rates = worked.map(|node| {
        let record = &farm.state.book.nodes[&node.id];
        (record.earned.micro() + record.held().micro()) as f64 / node.rendered
    });
    let [lowest, low, middle, high] = parts(rates.collect(), [0.0, 0.01, 0.5, 0.99]);
    [lowest, low, high].map(|rate| rate / middle)
}

/// Values at these parts of a sorted list.
fn parts<const N: usize>(mut values: Vec<f64>, parts: [f64; N]) -> [f64; N] {
    values.sort_by(f64::total_cmp);
    let last = values.len().saturating_sub(1) as f64;
    parts.map(|part| values.get((part * last).ceil() as usize).copied().unwrap_or(f64::NAN))
}

/// The most memory that this process has had, where the system tells.
fn memory_bytes_max() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? << 10)
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { nodes, jobs, units, seed, makespan_s, ideal_s, .. } = self;
        writeln!(f, "{nodes} nodes, {jobs} jobs of {units} units in all, seed {seed}")?;
        let ratio = makespan_s / ideal_s;
        writeln!(f, "makespan      {makespan_s:.1} s, ideal {ideal_s:.1} s: {ratio:.3}")?;
        let [half, most] = self.tail;
        writeln!(f, "tail          {half:.2} films' times (50 %), {most:.2} (99 %)")?;
        let sum: f64 = self.wasted.iter().map(|(_, share)| share).sum();
        writeln!(f, "not used      {sum:.2} % of the rays rendered")?;
        for (why, share) in &self.wasted {
            writeln!(f, "              {share:.2} % {why}")?;
        }
        let [early, ideal, late] = self.idle;
        writeln!(
            f,
            "idle          {early:.2} % (ideal {ideal:.2} %) while units waited, {late:.2} % since"
        )?;
        let [lowest, low, high] = self.fairness;
        writeln!(
            f,
            "pay for a ray {low:.3} (1 %) to {high:.3} (99 %) of the middle node's, lowest {lowest:.3}"
        )?;
        let [half, most] = self.first_s;
        writeln!(f, "first lease   {half:.1} s after the order (50 %), {most:.1} s (99 %)")?;
        let [half, most] = self.whole_s;
        writeln!(f, "whole job     {half:.1} s after the order (50 %), {most:.1} s (99 %)")?;
        let Self { barred, forged_left, checks, found, line_max, .. } = self;
        writeln!(f, "checks        {checks} trusted, {found} by verifiers, line of {line_max}")?;
        writeln!(f, "cheats        {barred} barred, {forged_left} forged films left")?;
        let Self { events, transfers, granted, decisions_per_second, .. } = self;
        writeln!(f, "events        {events}, {transfers} transfers")?;
        writeln!(f, "leases        {granted}, {decisions_per_second:.0} decisions a second")?;
        let (refused, each_us) = self.refused;
        writeln!(f, "polls         {refused} in vain, {each_us:.1} us each")?;
        if let Some(bytes) = self.memory_bytes_max {
            writeln!(f, "memory        {:.2} GB at most", bytes as f64 / 1e9)?;
        }
        write!(f, "decisions     {}", self.digest)
    }
}
