//! The hashes of the tree over all entries, on disk: what proofs are made of without reading the
//! journal.
//!
//! They are cut as in C2SP's tlog-tiles (c2sp.org/tlog-tiles): a tile is 256 hashes, of leaves on
//! level 0, of whole tiles of the level below on the others. A level is one file, its tiles one
//! after the other. Beside them lies where each tile's first entry is:
//!
//! ```text
//! tree/
//! ├── 0            32 bytes an entry
//! ├── 1            32 bytes for 256 entries
//! ├── 2 …          32 bytes for 65 536
//! ├── places       8 bytes for 256 entries: where in its segment the record begins
//! └── head         size u64 | chain 32: how far they are, and of which journal
//! ```
//!
//! Nothing of it is synced: whoever makes a proof checks it against a signed root before he hands
//! it out, and what is wrong is made again from the journal.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use proof::merkle::{self, Hash};

/// Hashes of a tile, as a power of two.
pub(super) const TILE_LEVELS: u32 = 8;
/// Hashes of a tile.
pub(super) const TILE: u64 = 1 << TILE_LEVELS;
/// Bytes of a hash.
const HASH_BYTES: u64 = 32;
/// Bytes of a place.
const PLACE_BYTES: u64 = 8;
/// Bytes of the head.
const HEAD_BYTES: usize = 40;
/// Tiles that are held in memory while proofs are made: 16 KiB each.
const TILES_HELD_MAX: usize = 512;

/// Writes tiles at the end.
#[derive(Debug)]
pub(super) struct Writer {
    dir: PathBuf,
    head: File,
    places: File,
    levels: Vec<Level>,
    size: u64,
}

/// The file of a level, and the hashes of its last tile.
#[derive(Debug)]
struct Level {
    file: File,
    count: u64,
    last: Vec<Hash>,
    unwritten: Vec<u8>,
}

impl Writer {
    /// Opens the tiles in `dir`; those of another journal, or damaged ones, begin anew. `is_here`
    /// says whether a size and its chain are the journal's.
    pub(super) fn open(dir: &Path, is_here: impl FnOnce(u64, Hash) -> bool) -> io::Result<Self> {
        fs::create_dir_all(dir)?;
        let mut head = open(&dir.join("head"))?;
        let mut bytes = Vec::new();
        head.read_to_end(&mut bytes)?;
        let known = bytes.first_chunk::<HEAD_BYTES>().map(|head| {
            let (size, chain) = head.split_first_chunk::<8>().expect("invariant: 40 bytes");
            let mut hash = [0; 32];
            hash.copy_from_slice(chain);
            (u64::from_le_bytes(*size), hash)
        });
        let size = known.filter(|(size, chain)| is_here(*size, *chain)).map_or(0, |(size, _)| size);
        let places = open(&dir.join("places"))?;
        let mut writer = Self { dir: dir.to_owned(), head, places, levels: Vec::new(), size };
        if !writer.resume()? {
            writer.clear()?;
        }
        Ok(writer)
    }

    /// Finds the last tile of every level; `false` when one is too short.
    fn resume(&mut self) -> io::Result<bool> {
        let mut count = self.size;
        while count > 0 {
            let mut level = Level::open(&self.dir, self.levels.len())?;
            if level.file.metadata()?.len() < HASH_BYTES * count {
                return Ok(false);
            }
            level.count = count;
            let from = count / TILE * TILE;
            level.last = read_hashes(&mut level.file, from, count - from)?;
            self.levels.push(level);
            count /= TILE;
        }
        Ok(self.places.metadata()?.len() >= PLACE_BYTES * self.size.div_ceil(TILE))
    }

    /// Entries whose hashes are written.
    pub(super) const fn size(&self) -> u64 {
        self.size
    }

    /// Forgets all.
    pub(super) fn clear(&mut self) -> io::Result<()> {
        // First, so that whatever cuts this short leaves tiles that nobody reads.
        self.head.set_len(0)?;
        self.places.set_len(0)?;
        self.levels.clear();
        for number in 0.. {
            match fs::remove_file(self.dir.join(number.to_string())) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => break,
                removed => removed?,
            }
        }
        self.size = 0;
        Ok(())
    }

    /// Adds the hash of the next entry, whose record begins at `offset` of its segment. It is
    /// there after [`Writer::write`].
    pub(super) fn push(&mut self, leaf: Hash, offset: u64) -> io::Result<()> {
        if self.size.is_multiple_of(TILE) {
            self.places.seek(SeekFrom::Start(PLACE_BYTES * (self.size / TILE)))?;
            self.places.write_all(&offset.to_le_bytes())?;
        }
        let (mut hash, mut number) = (leaf, 0);
        loop {
            if self.levels.len() == number {
                self.levels.push(Level::open(&self.dir, number)?);
            }
            match self.levels[number].push(hash) {
                Some(above) => (hash, number) = (above, number + 1),
                None => break,
            }
        }
        self.size += 1;
        Ok(())
    }

    /// Writes what was added; `chain` is the journal's after it.
    pub(super) fn write(&mut self, chain: Hash) -> io::Result<()> {
        for level in &mut self.levels {
            level.write()?;
        }
        let mut bytes = self.size.to_le_bytes().to_vec();
        bytes.extend_from_slice(&chain);
        self.head.seek(SeekFrom::Start(0))?;
        self.head.write_all(&bytes)
    }
}

impl Level {
    fn open(dir: &Path, number: usize) -> io::Result<Self> {
        let file = open(&dir.join(number.to_string()))?;
        Ok(Self { file, count: 0, last: Vec::new(), unwritten: Vec::new() })
    }

    /// Adds a hash; the tile's own when it is whole.
    fn push(&mut self, hash: Hash) -> Option<Hash> {
        self.unwritten.extend_from_slice(&hash);
        self.count += 1;
        self.last.push(hash);
        if self.last.len() < TILE as usize {
            return None;
        }
        let whole = merkle::root(&self.last);
        self.last.clear();
        Some(whole)
    }

    fn write(&mut self) -> io::Result<()> {
        let at = HASH_BYTES * self.count - self.unwritten.len() as u64;
        self.file.seek(SeekFrom::Start(at))?;
        self.file.write_all(&self.unwritten)?;
        self.unwritten.clear();
        Ok(())
    }
}

/// Reads tiles, of which those of the first `size` entries are written.
#[derive(Debug)]
pub(super) struct Reader {
    dir: PathBuf,
    size: u64,
    files: Vec<File>,
    /// By level and number: its hashes, and those over them.
    held: BTreeMap<(usize, u64), Vec<Vec<Hash>>>,
}

impl Reader {
    pub(super) const fn new(dir: PathBuf, size: u64) -> Self {
        Self { dir, size, files: Vec::new(), held: BTreeMap::new() }
    }

    /// The hash over the leaves `index << level .. (index + 1) << level`.
    pub(super) fn perfect(&mut self, level: u32, index: u64) -> io::Result<Hash> {
        let (number, within) = ((level / TILE_LEVELS) as usize, level % TILE_LEVELS);
        let tile = index >> (TILE_LEVELS - within);
        let at = (index - (tile << (TILE_LEVELS - within))) as usize;
        let hashes = self.tile(number, tile)?.get(within as usize);
        let hash = hashes.and_then(|hashes| hashes.get(at)).copied();
        hash.ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))
    }

    /// Where the record with the first entry of a tile begins in its segment.
    pub(super) fn place(&self, tile: u64) -> io::Result<u64> {
        let mut file = File::open(self.dir.join("places"))?;
        file.seek(SeekFrom::Start(PLACE_BYTES * tile))?;
        let mut bytes = [0; PLACE_BYTES as usize];
        file.read_exact(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn tile(&mut self, number: usize, tile: u64) -> io::Result<&[Vec<Hash>]> {
        if self.held.len() >= TILES_HELD_MAX {
            self.held.clear();
        }
        let key = (number, tile);
        if !self.held.contains_key(&key) {
            let there = self.size >> (u64::from(TILE_LEVELS) * number as u64);
            let from = tile * TILE;
            let count = there.saturating_sub(from).min(TILE);
            while self.files.len() <= number {
                self.files.push(File::open(self.dir.join(self.files.len().to_string()))?);
            }
            let mut levels = vec![read_hashes(&mut self.files[number], from, count)?];
            for level in 0..TILE_LEVELS as usize {
                let pairs = levels[level].as_chunks::<2>().0.iter();
                let above = pairs.map(|[left, right]| merkle::node(left, right)).collect();
                levels.push(above);
            }
            self.held.insert(key, levels);
        }
        Ok(&self.held[&key])
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).truncate(false).read(true).write(true).open(path)
}

fn read_hashes(file: &mut File, from: u64, count: u64) -> io::Result<Vec<Hash>> {
    file.seek(SeekFrom::Start(HASH_BYTES * from))?;
    let mut bytes = vec![0; (HASH_BYTES * count) as usize];
    file.read_exact(&mut bytes)?;
    Ok(bytes.as_chunks::<32>().0.to_vec())
}
