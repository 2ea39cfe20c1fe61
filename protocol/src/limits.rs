//! Every bound in one place. Decoders check them before they allocate.

use std::time::Duration;

/// A frame's sides, in pixels: the widest film scan in use is half of it.
pub const FRAME_SIDE_PX_MAX: u32 = 32_768;
/// A frame's pixels: 16 K × 16 K.
pub const FRAME_PIXELS_MAX: u64 = 1 << 28;
/// Samples per pixel.
pub const SAMPLES_MAX: u32 = 65_536;
/// Path length: scattering events after the camera ray.
pub const BOUNCES_MAX: u32 = 64;
/// Smallest tile side, in pixels: below it a lease costs more than its work.
pub const TILE_SIDE_PX_MIN: u32 = 16;
/// Largest tile side, in pixels: a film of 64 bytes a pixel then fits [`FILM_BYTES_MAX`].
pub const TILE_SIDE_PX_MAX: u32 = 512;
/// Frames of one job.
pub const FRAMES_MAX: u32 = 100_000;
/// Characters of a name that a person chose.
pub const NAME_CHARS_MAX: usize = 200;
/// Bytes of one encoded message, its body not counted.
pub const MESSAGE_BYTES_MAX: usize = 1 << 20;
/// Bytes of a film on the wire.
pub const FILM_BYTES_MAX: usize = 64 * (TILE_SIDE_PX_MAX * TILE_SIDE_PX_MAX) as usize;
/// Bytes of a scene package.
pub const SCENE_BYTES_MAX: u64 = 4 << 30;
/// Leases handed to a node at a time.
pub const LEASES_PER_REQUEST_MAX: u32 = 16;
/// Rows of one page of a listing.
pub const PAGE_ROWS_MAX: u32 = 500;

/// How long a caller waits for an ordinary answer.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(20);
/// How long the scheduler keeps a poll open when it has nothing to say.
pub const POLL_WAIT_MAX: Duration = Duration::from_secs(10);
/// How long a caller waits for a quote: the scene is fetched and probed first.
pub const QUOTE_TIMEOUT: Duration = Duration::from_secs(300);
/// How long a caller waits for a film or a scene piece to travel.
pub const TRANSFER_TIMEOUT: Duration = Duration::from_secs(120);
