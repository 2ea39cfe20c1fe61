//! Every bound in one place. Decoders check them before they allocate.

use std::time::Duration;

use crate::tokens::Tokens;

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
/// Largest tile side where films hold light passes, in pixels: 192 bytes a pixel then fit
/// [`FILM_BYTES_MAX`].
pub const TILE_SIDE_PX_MAX_WITH_PASSES: u32 = 256;
/// Frames of one job.
pub const FRAMES_MAX: u32 = 100_000;
/// Cameras of one job: a quote looks through each of them.
pub const VIEWS_MAX: u32 = 32;
/// Tokens per billion metered rays that a node may ask or a job may bid: products with any count
/// of rays stay far below 2^128.
pub const PRICE_PER_GRAY_MAX: Tokens = Tokens::from_whole(1_000_000);
/// Jobs that one may wait for.
pub const AFTER_MAX: usize = 64;
/// Earlier jobs whose samples one may keep, each the base of the next.
pub const BASES_MAX: usize = 64;
/// Characters of a pool's name.
pub const POOL_CHARS_MAX: usize = 32;
/// Pools that a node may be in.
pub const POOLS_MAX: usize = 16;
/// Nodes and owners of nodes that an artist may keep off his jobs.
pub const BLOCKS_MAX: usize = 100;
/// Owners of nodes that a job may name.
pub const OWNERS_MAX: usize = 64;
/// Different needs of a farm's jobs that are not over: each is looked at in every poll of a node that
/// meets it.
pub const NEEDS_MAX: usize = 256;
/// The same of one artist's jobs.
pub const NEEDS_OF_ONE_MAX: usize = 16;
/// Characters of a name that a person chose.
pub const NAME_CHARS_MAX: usize = 200;
/// Characters of what a node's owner tells the operator of a job.
pub const REPORT_CHARS_MAX: usize = 500;
/// Bytes of one encoded message, its body not counted.
pub const MESSAGE_BYTES_MAX: usize = 1 << 20;
/// Bytes of a film on the wire.
pub const FILM_BYTES_MAX: usize = 64 * (TILE_SIDE_PX_MAX * TILE_SIDE_PX_MAX) as usize;
/// Bytes of a scene package.
pub const SCENE_BYTES_MAX: u64 = 4 << 30;
/// Parts of a scene package: one of 4 GiB has at most some two thousand.
pub const SCENE_PARTS_MAX: usize = 4_096;
/// Nodes named to one that fetches a scene.
pub const HOLDERS_NAMED_MAX: usize = 3;
/// Scenes that a node says it gives.
pub const SCENES_GIVEN_MAX: usize = 256;
/// Bytes of a pass for a scene.
pub const PASS_BYTES_MAX: usize = 512;
/// Nodes that one gives scenes to at a time.
pub const GUESTS_MAX: usize = 4;
/// Leases handed to a node at a time.
pub const LEASES_PER_REQUEST_MAX: u32 = 16;
/// Pixels of one verification lease: seconds of work, and far below a message.
pub const VERIFICATION_PIXELS_MAX: usize = 8_192;
/// Bytes of a co-signature's line in a signed note: a name with a key, a time and a signature.
pub const COSIGNATURE_LINE_BYTES_MAX: usize = 256;
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

/// How long dialling a peer may take.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long dialling a node that gives scenes may take: the scheduler has them, too.
pub const HOLDER_TIMEOUT: Duration = Duration::from_secs(3);
/// How long a pass for a scene is good, to begin with.
pub const PASS_LIFE: Duration = Duration::from_secs(600);
/// How long a node gives a scene to another: 4 GiB at little more than a megabyte a second.
pub const GIVING_MAX: Duration = Duration::from_secs(3600);
/// How long a new connection may wait before it says hello.
pub const HELLO_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a transfer may stand still before it is given up.
pub const STALL_TIMEOUT: Duration = Duration::from_secs(15);
/// How long a connection lives without a sign of its peer: three lost keep-alives, and longer
/// than the 12 s partition that was tried.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(15);
/// Bytes of the hello, the only words taken from a stranger.
pub const HELLO_BYTES_MAX: usize = 16 << 10;
/// Calls under way on one connection.
pub const STREAMS_PER_CONNECTION_MAX: u32 = 32;
/// Calls with a film on one connection, in either direction.
pub const BODIES_PER_CONNECTION_MAX: u32 = 4;
/// Bytes of films under way over all connections of a peer.
pub const BODY_BYTES_HELD_MAX: usize = 512 << 20;
/// Connections of a peer: about 100 kB each.
pub const CONNECTIONS_MAX: u32 = 20_000;
/// Connections of one key: its old ones may take a while to lapse.
pub const CONNECTIONS_PER_KEY_MAX: u32 = 8;
/// Connections that have not said hello yet; one more, and one of them must go.
pub const HANDSHAKES_MAX: u32 = 256;
/// Addresses in a ticket.
pub const TICKET_ADDRESSES_MAX: usize = 16;
