//! The vocabulary of Tessera: ids, tokens, geometry, settings, jobs, leases, messages, signatures
//! and limits, shared by every room of the house.
//!
//! **Architecture invariant:** this crate does no I/O, reads no clock and draws no randomness.
//! Whatever varies comes in as an argument, so that every value here can be replayed.
//!
//! ```
//! use protocol::{Batch, RenderSettings, Size, TileGrid};
//!
//! let settings = RenderSettings { size: Size::new(640, 360), samples: 64, ..Default::default() };
//! settings.validate()?;
//! let grid = TileGrid::new(settings.window(), 128);
//! assert_eq!(grid.tile_count(), 5 * 3);
//! let batches: Vec<Batch> = Batch::cover(settings.chunk_count(), 4).collect();
//! assert_eq!(batches.len(), 1); // 64 samples are four chunks of 16: one batch of four
//! # Ok::<(), protocol::SettingsError>(())
//! ```

pub mod batch;
pub mod challenge;
pub mod evidence;
pub mod footprint;
pub mod geometry;
pub mod id;
pub mod invitation;
pub mod job;
pub mod lease;
pub mod limits;
pub mod message;
pub mod needs;
pub mod noise;
pub mod offer;
pub mod order;
pub mod pass;
pub mod piece;
pub mod receipt;
pub mod settings;
pub mod sign;
pub mod tokens;
pub mod verification;
pub mod view;
pub mod voucher;
pub mod wire;
pub mod words;

pub use batch::{Batch, BatchLengths};
pub use challenge::Challenge;
pub use evidence::{EVIDENCE_PIXELS_MAX, Evidence};
pub use footprint::Footprint;
pub use geometry::{Rect, Size, TileGrid};
pub use id::{
    AccountId, Digest, JobId, LeaseId, NodeId, ParseIdError, PublicKey, QuoteId, SceneId,
    TransferId,
};
pub use invitation::Invitation;
pub use job::{
    FrameRange, JobSpec, RayCount, Shot, ShotIndex, SpecError, TileIndex, Unit, ViewIndex,
};
pub use lease::{Class, Commitment, Engine, Lease, OwnerBinding, Refusal, Verdict, VerdictKind};
pub use message::{GivenBack, NodeHello, Reply, Request, Role};
pub use needs::{BackendKind, Equipment, Needs, NeedsError, Pool, PoolError, PoolsError, Reach};
pub use noise::{NoiseError, NoiseTarget};
pub use offer::{Assurance, AssuranceError, Offer, PriceError};
pub use order::{
    Order, Priority, PriorityError, Probed, Quote, Schedule, ScheduleError, Selection, Steering,
};
pub use pass::{Holder, Holders, ScenePass};
pub use piece::Piece;
pub use receipt::{JobReceipt, Payment, RECEIPT_UNITS_MAX, Receipt, UnitReceipt};
pub use settings::{
    CameraChoice, Crop, Lens, Lighting, Opening, PixelFilter, RenderSettings, SettingsError,
    Shutter, ShutterPosition, Sun,
};
pub use sign::{SignError, Signable, Signed, SigningKey};
pub use tokens::{Tokens, TokensError};
pub use verification::{Findings, Spots, SpotsError, Testimony, TestimonyError, VerificationLease};
pub use voucher::{ParseVoucherError, Voucher, VoucherText};
pub use wire::{DecodeError, decode, encode};
pub use words::chain;

/// Version of the messages between peers. Another version gets [`Reply::Refused`] at the hello.
pub const PROTOCOL_VERSION: u32 = 15;
