//! While the shutter is open: which nodes move, and the scene at each key.
//!
//! The scene is looked at at [`LOOKS`] times, evenly from the opening to the closing. Between keys
//! everything moves in straight lines, so what turns needs more of them: as many as are needed for
//! no node to turn by more than [`TURN_MAX`] from key to key, 2, 3, 5, 9 or 17. A node turns where
//! its axes do, where the direction in which it travels does, and where that of its morph weights
//! does. What turns by more than half a turn from look to look is not seen to turn so much. Where
//! bending meshes are so large that so many keys would not fit, there are fewer.

use std::borrow::Cow;

use protocol::RenderSettings;
use scene::{Camera, Scene};

use super::PrepareError;
use super::motion::Motion;
use super::place::{Place, unit, world_places};
use super::vary;

/// Times at which motion is looked at: a power of two and one.
const LOOKS: usize = 17;
/// How far a unit vector goes from key to key, radians, where there are keys enough.
const TURN_MAX: f64 = 0.25;
/// Changes by this share are roundings: a node that is held still by keys stands still.
const STILL: f64 = 1e-7;
/// Vertices of bending meshes, over all keys, beyond which there are fewer keys.
const BENT_VERTICES_MAX: usize = 1 << 26;
/// Steps shorter than this share of the whole way have no direction.
const STEP_MIN: f64 = 1e-3;

/// The scene at one time.
pub struct Pose<'s> {
    pub motion: Motion,
    pub places: Vec<Place>,
    pub cameras: Cow<'s, [Camera]>,
}

/// The scene at each key, and what moves from one to the next.
pub struct Shutter<'s> {
    /// Evenly from the opening to the closing, at least two.
    pub keys: Vec<Pose<'s>>,
    /// Of each node, whether its place in the world changes.
    pub moves: Vec<bool>,
    /// Of each node, whether what bends its mesh changes, or where that is placed.
    pub bends: Vec<bool>,
}

/// Whether anything could move while the shutter is open: else the settings might as well have none.
pub fn may_blur(scene: &Scene, settings: &RenderSettings) -> bool {
    let is_open = settings.shutter.is_some_and(|shutter| shutter.open_s > 0.0);
    is_open && (!scene.channels.is_empty() || vary::cameras_vary(scene))
}

/// Looks at the scene while the shutter is open around `time_s`; nothing where no node and no
/// camera changes.
pub fn open<'s>(
    scene: &'s Scene,
    settings: &RenderSettings,
    time_s: f64,
) -> Result<Option<Shutter<'s>>, PrepareError> {
    let Some(shutter) = settings.shutter.filter(|_| may_blur(scene, settings)) else {
        return Ok(None);
    };
    let mut looks = Vec::with_capacity(LOOKS);
    for look in 0..LOOKS {
        let share = look as f64 / (LOOKS - 1) as f64;
        let time_s = time_s + shutter.opens_s() + f64::from(shutter.open_s) * share;
        let motion = Motion::at(scene, time_s);
        let places = world_places(scene, &motion)?;
        looks.push(Pose { motion, places, cameras: vary::cameras_at(scene, time_s) });
    }
    let turn = (0..scene.nodes.len()).map(|node| turn_of(scene, &looks, node)).fold(0.0, f64::max);
    let bent = scene.bent_nodes();
    let bent_meshes = scene.nodes.iter().zip(&bent).filter(|(_, bent)| **bent);
    let vertices: usize = bent_meshes
        .filter_map(|(node, _)| node.mesh)
        .map(|mesh| scene.meshes[mesh as usize].primitives.iter().map(|p| p.positions.len()).sum())
        .fold(0, |sum: usize, count: usize| sum.saturating_add(count));
    let mut steps = 1;
    while steps < LOOKS - 1
        && turn > TURN_MAX * steps as f64
        && vertices.saturating_mul(2 * steps + 1) <= BENT_VERTICES_MAX
    {
        steps *= 2;
    }
    let stride = (LOOKS - 1) / steps;
    let keys: Vec<Pose> =
        looks.into_iter().enumerate().filter(|(look, _)| look % stride == 0).map(|l| l.1).collect();

    let changes = |node: usize, is_changed: &dyn Fn(&Pose, &Pose, usize) -> bool| {
        keys.iter().skip(1).any(|key| is_changed(&keys[0], key, node))
    };
    let places = |a: &Pose, b: &Pose, node: usize| is_moved(&a.places[node], &b.places[node]);
    let weights = |a: &Pose, b: &Pose, node: usize| {
        let [a, b] = [a, b].map(|pose| pose.motion.weights(scene, node));
        a.iter().zip(&b).any(|(a, b)| (a - b).abs() > STILL)
    };
    let moves: Vec<bool> = (0..scene.nodes.len()).map(|node| changes(node, &places)).collect();
    let bends = (0..scene.nodes.len()).map(|node| {
        let pulled = scene.nodes[node].skin.map(|skin| &scene.skins[skin as usize].joints);
        let is_pulled = pulled.is_some_and(|joints| joints.iter().any(|&at| moves[at as usize]));
        bent[node] && (moves[node] || is_pulled || changes(node, &weights))
    });
    let bends = bends.collect();
    Ok(Some(Shutter { keys, moves, bends }))
}

/// How far the node's axes, the direction of its travel or that of its weights turn in all,
/// radians: chords of the unit sphere, added up.
fn turn_of(scene: &Scene, looks: &[Pose], node: usize) -> f64 {
    let first = &looks[0].places[node];
    let mut turn = 0.0_f64;
    if looks.iter().any(|look| look.places[node] != *first) {
        for axis in 0..3 {
            let column = |look: &Pose| unit(look.places[node].0.map(|row| row[axis]));
            let axes: Vec<_> = looks.iter().filter_map(column).collect();
            turn = turn.max(axes.windows(2).map(|pair| distance(&pair[0], &pair[1])).sum());
        }
        let travel: Vec<_> =
            looks.iter().map(|look| look.places[node].0.map(|row| row[3])).collect();
        turn = turn.max(turn_of_way(&travel));
    }
    if looks.iter().any(|look| look.motion.has_weights(node)) {
        let weights: Vec<_> = looks.iter().map(|look| look.motion.weights(scene, node)).collect();
        turn = turn.max(turn_of_way(&weights));
    }
    turn
}

/// How far the direction of a way through some points turns.
fn turn_of_way<P: AsRef<[f64]>>(points: &[P]) -> f64 {
    let steps = || points.windows(2).map(|pair| distance(pair[0].as_ref(), pair[1].as_ref()));
    let whole: f64 = steps().sum();
    let mut directions: Vec<Vec<f64>> = Vec::new();
    for (pair, length) in points.windows(2).zip(steps()) {
        if length > whole * STEP_MIN {
            let sides = pair[1].as_ref().iter().zip(pair[0].as_ref());
            directions.push(sides.map(|(to, from)| (to - from) / length).collect());
        }
    }
    directions.windows(2).map(|pair| distance(&pair[0], &pair[1])).sum()
}

fn distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum::<f64>().sqrt()
}

/// Whether two places differ by more than roundings.
fn is_moved(a: &Place, b: &Place) -> bool {
    let largest = |columns: std::ops::Range<usize>| {
        let values = [a, b].into_iter().flat_map(|place| &place.0);
        values.flat_map(|row| &row[columns.clone()]).fold(0.0_f64, |most, v| most.max(v.abs()))
    };
    let apart = |columns: std::ops::Range<usize>| {
        let rows = a.0.iter().zip(&b.0);
        let pairs = rows.flat_map(|(a, b)| a[columns.clone()].iter().zip(&b[columns.clone()]));
        pairs.fold(0.0_f64, |most, (a, b)| most.max((a - b).abs()))
    };
    let size = largest(0..3);
    apart(0..3) > size * STILL || apart(3..4) > size.max(largest(3..4)) * STILL
}

#[cfg(test)]
mod tests {
    use protocol::{Shutter as Setting, ShutterPosition};
    use scene::{Channel, Interpolation, Node, Property};

    use super::*;

    fn channel(property: Property, values: &[&[f32]]) -> Channel {
        let times = (0..values.len()).map(|key| key as f32).collect();
        let interpolation = Interpolation::Linear;
        Channel { node: 1, property, interpolation, times, values: values.concat() }
    }

    fn opened(channels: Vec<Channel>, open_s: f32) -> Option<(usize, Vec<bool>)> {
        let scene = Scene { nodes: vec![Node::default(); 3], channels, ..Scene::default() };
        assert_eq!(scene.validate(), Ok(()));
        let shutter = Some(Setting { open_s, position: ShutterPosition::Start });
        let settings = RenderSettings { shutter, ..RenderSettings::default() };
        let open = open(&scene, &settings, 0.0).expect("in range");
        open.map(|open| (open.keys.len(), open.moves))
    }

    #[test]
    fn keys_are_as_many_as_turns_need() {
        let line = channel(Property::Translation, &[&[0.0; 3], &[5.0, 0.0, 0.0]]);
        assert_eq!(opened(vec![line.clone()], 1.0), Some((2, vec![false, true, false])));
        // A third of a turn, 2.09 radians, is eight steps of a quarter and a bit: sixteen.
        let (sin, cos) = (std::f32::consts::PI / 3.0).sin_cos();
        let turn = channel(Property::Rotation, &[&[0.0, 0.0, 0.0, 1.0], &[0.0, sin, 0.0, cos]]);
        assert_eq!(opened(vec![turn.clone()], 1.0).map(|open| open.0), Some(17));
        assert_eq!(opened(vec![turn.clone()], 0.4).map(|open| open.0), Some(5));
        assert_eq!(opened(vec![turn], 0.1).map(|open| open.0), Some(2));
        // There and back in a straight line.
        let back = channel(Property::Translation, &[&[0.0; 3], &[5.0, 0.0, 0.0], &[0.0; 3]]);
        assert_eq!(opened(vec![back], 2.0), Some((9, vec![false, true, false])));
    }

    #[test]
    fn what_is_held_still_by_keys_stands_still() {
        let held = [0.1_f32, 0.7, -0.1, 0.7].map(|value| value / 1.0_f32.hypot(0.0));
        let unit = held.iter().map(|v| v * v).sum::<f32>().sqrt();
        let held = held.map(|value| value / unit);
        let still = channel(Property::Rotation, &[&held, &held]);
        assert_eq!(opened(vec![still.clone()], 1.0), Some((2, vec![false; 3])));
        assert_eq!(opened(vec![still], 0.0), None);
        assert_eq!(opened(Vec::new(), 1.0), None);
    }
}
