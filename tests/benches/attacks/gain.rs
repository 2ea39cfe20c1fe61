//! How much an attack brings, by a few tries.

/// How often a bound holds, of one.
const CONFIDENCE: f64 = 0.95;

/// What one life of an attack brought, micro-tokens: what was kept, and what rendering was saved.
pub(crate) struct Gain {
    pub(crate) gained: f64,
    /// The most that it could have brought: all that the job has paid to anybody.
    pub(crate) most: f64,
}

pub(crate) fn mean(gains: &[Gain]) -> f64 {
    gains.iter().map(|gain| gain.gained).sum::<f64>() / gains.len().max(1) as f64
}

/// A bound that the mean of all lives keeps with 95 % confidence, whatever their distribution; none
/// from one life.
///
/// A life brings more than the best of n seen with a probability of at most 1 - 0.05^(1/n), or that none
/// did was a chance below 5 %; and then it brings all there is.
pub(crate) fn at_most(gains: &[Gain]) -> Option<f64> {
    if gains.len() < 2 {
        return None;
    }
    let greatest = |of: fn(&Gain) -> f64| gains.iter().map(of).fold(0.0, f64::max);
    let (best, most) = (greatest(|gain| gain.gained), greatest(|gain| gain.most));
    let share = 1.0 - (1.0 - CONFIDENCE).powf(1.0 / gains.len() as f64);
    Some(best + (most - best).max(0.0) * share)
}
