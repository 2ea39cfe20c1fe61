//! What a node tells its program, for display and logs.

use std::fmt;
use std::time::Duration;

use protocol::view::NodeView;
use protocol::{Class, LeaseId, NodeId, PublicKey, RayCount, SceneId, Unit, Verdict, VerdictKind};
use sandbox::Confinement;

use crate::manners::Pause;
use crate::vitals::Vitals;

/// Something happened on the node.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum NodeEvent {
    /// The node has its key and its backend.
    Started {
        /// The node.
        node: NodeId,
        /// What it renders on.
        backend: String,
    },
    /// Where scenes are read and rendered.
    Confined {
        /// What the process that does it is locked in with; `None` when the node's own does it.
        confinement: Option<Confinement>,
    },
    /// The built-in scene was timed.
    Benchmarked {
        /// Metered rays a second.
        rays_per_second: u64,
    },
    /// The scheduler welcomed the node.
    Connected {
        /// The scheduler.
        scheduler: PublicKey,
    },
    /// The farm's ledger was looked at, and goes on from what was seen before.
    Witnessed {
        /// Entries of it.
        entries: u64,
        /// How many others have co-signed its checkpoint.
        others: usize,
    },
    /// The golden film was judged.
    Qualified {
        /// How the node's films are compared from now on.
        class: Class,
    },
    /// A scene is on its way.
    Fetching {
        /// The scene.
        scene: SceneId,
        /// Bytes that were here already, of other scenes or of an earlier attempt.
        found_bytes: u64,
        /// Bytes that are here, the found ones included.
        received_bytes: u64,
        /// Bytes of the scene.
        size_bytes: u64,
    },
    /// A lease has its turn.
    Rendering {
        /// The lease.
        lease: LeaseId,
        /// What is rendered.
        unit: Unit,
    },
    /// A lease is rendered.
    Rendered {
        /// The lease.
        lease: LeaseId,
        /// What was rendered.
        unit: Unit,
        /// Rays traced.
        rays: RayCount,
        /// How long it took, `prepare` included.
        took: Duration,
    },
    /// The scheduler has the film.
    Submitted {
        /// The lease.
        lease: LeaseId,
        /// What was rendered.
        unit: Unit,
    },
    /// A lease ended without a film.
    Dropped {
        /// The lease.
        lease: LeaseId,
        /// Why.
        reason: String,
    },
    /// Pixels of others' films were rendered for the scheduler.
    Verified {
        /// Films.
        films: u32,
        /// Pixels in all.
        pixels: u32,
        /// How long it took, `prepare` included.
        took: Duration,
    },
    /// A result was judged.
    Verdict {
        /// Its number.
        number: u64,
        /// The decision.
        verdict: Verdict,
    },
    /// How the farm sees the node.
    Standing(NodeView),
    /// The node does what is at hand and takes nothing more: a pause that its owner wishes begins
    /// when that is handed in.
    Finishing,
    /// The node takes no work for now. Told again where the reason changes, or what is known of its
    /// end.
    Paused {
        /// Why, and how it ends.
        pause: Pause,
    },
    /// A pause is over, or the wish for one.
    Resumed,
    /// A person took the machine while something was rendered, and now nothing is any more.
    Yielded {
        /// Why.
        pause: Pause,
        /// From the look that saw it, which is at most a twentieth of a second after it could be
        /// seen, until every thread of the worker had stopped, as the system says; without a worker
        /// process, until what was being rendered had ended. What a graphics device was given before
        /// ends on the device, which does not tell.
        after: Duration,
    },
    /// How the node and its machine are.
    Vitals(Box<Vitals>),
    /// Something went wrong that time may heal.
    Error {
        /// What happened.
        message: String,
        /// When the node tries again.
        retry_in: Option<Duration>,
    },
    /// The node has given its leases back and is closed.
    Stopped,
}

impl fmt::Display for NodeEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Started { node, backend } => write!(f, "{} on {backend}", node.short()),
            Self::Confined { confinement: Some(confinement) } => {
                write!(f, "renders in a process of its own, locked in: {confinement}")
            }
            Self::Confined { confinement: None } => f.write_str(
                "renders in its own process: a hostile scene that breaks the renderer has the node's keys and network",
            ),
            Self::Benchmarked { rays_per_second } => {
                write!(f, "{:.2} million rays a second", *rays_per_second as f64 / 1e6)
            }
            Self::Connected { scheduler } => write!(f, "welcomed by {}", scheduler.short()),
            Self::Witnessed { entries, others } => {
                write!(f, "the farm's ledger goes on: {entries} entries, {others} other witnesses")
            }
            Self::Qualified { class: Class::Exact } => {
                f.write_str("qualified: films equal the reference bit for bit")
            }
            Self::Qualified { class: Class::Tolerant } => {
                f.write_str("qualified: films agree with the reference within tolerance")
            }
            Self::Fetching { scene, found_bytes, received_bytes, size_bytes } => {
                let come = received_bytes.saturating_sub(*found_bytes);
                let wanted = size_bytes.saturating_sub(*found_bytes);
                write!(f, "fetching {}: {come} of {wanted} bytes", scene.short())?;
                match found_bytes {
                    0 => Ok(()),
                    _ => write!(f, ", {found_bytes} were here"),
                }
            }
            Self::Rendering { unit, .. } => write!(f, "rendering {}", Named(unit)),
            Self::Rendered { unit, rays, took, .. } => {
                let rate = rays.total() as f64 / took.as_secs_f64().max(1e-9) / 1e6;
                let seconds = took.as_secs_f64();
                write!(f, "rendered {} in {seconds:.2} s, {rate:.2} Mrays/s", Named(unit))
            }
            Self::Submitted { unit, .. } => write!(f, "submitted {}", Named(unit)),
            Self::Dropped { lease, reason } => write!(f, "dropped {}: {reason}", lease.short()),
            Self::Verified { films, pixels, took } => {
                let seconds = took.as_secs_f64();
                let of = if *films == 1 { "film" } else { "films" };
                write!(f, "verified {pixels} pixels of {films} {of} in {seconds:.2} s")
            }
            Self::Verdict { verdict, .. } => {
                let unit = Named(&verdict.unit);
                match &verdict.kind {
                    VerdictKind::Accepted { pixels_checked, pay, .. } => {
                        write!(f, "accepted {unit}: {pixels_checked} pixels checked, {pay} tokens")
                    }
                    VerdictKind::Refused(refusal) => write!(f, "refused {unit}: {refusal}"),
                    VerdictKind::Disputed { .. } => {
                        write!(f, "disputed {unit}: another node's film differs")
                    }
                    VerdictKind::WrongFinding { agreed: true } => {
                        write!(f, "wrong about {unit}: a film that you vouched for is bad")
                    }
                    VerdictKind::WrongFinding { agreed: false } => {
                        write!(f, "wrong about {unit}: a film that you found fault with is good")
                    }
                    VerdictKind::Overturned { returned, stake, pay } => write!(
                        f,
                        "appeal won for {unit}: {returned} tokens returned, {stake} at risk again, {pay} paid"
                    ),
                }
            }
            Self::Standing(view) => {
                let NodeView { reputation: name, earned, .. } = view;
                write!(
                    f,
                    "{} accepted, {} refused, {earned} tokens earned",
                    name.accepted, name.refused
                )?;
                let NodeView { ask_per_gray: ask, base_per_gray: base, .. } = view;
                if ask > base {
                    write!(
                        f,
                        "; you ask {ask} per billion rays and the farm pays {base}: only jobs that bid more come"
                    )?;
                }
                Ok(())
            }
            Self::Resumed => f.write_str("resumed"),
            Self::Finishing => f.write_str("finishes what is at hand, then pauses"),
            Self::Paused { pause } => write!(f, "paused: {pause}"),
            Self::Yielded { after, .. } => {
                write!(f, "nothing renders any more, {:.1} ms after it was seen", after.as_secs_f64() * 1e3)
            }
            Self::Vitals(vitals) => write!(f, "{vitals}"),
            Self::Error { message, retry_in: Some(wait) } => {
                write!(f, "{message}; trying again in {:.1} s", wait.as_secs_f64())
            }
            Self::Error { message, retry_in: None } => f.write_str(message),
            Self::Stopped => f.write_str("stopped"),
        }
    }
}

/// A unit in a few words.
struct Named<'a>(&'a Unit);

impl fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Unit { job, shot, tile, batch } = self.0;
        write!(f, "{} shot {} tile {} batch {batch}", job.short(), shot.0, tile.0)
    }
}
