//! Integration tests of the scene crate.

mod animation; // What moves arrives, and what cannot is named.
mod build; // Small glTF files, made in memory.
mod draco; // Draco streams.
mod extras; // What our add-on says, and the units of lamps.
mod hostile; // Mutated files: no panic, bounded memory.
mod import; // What a file says is what the scene holds; what it cannot hold is named.
mod ktx; // KTX 2 images of Basis Universal.
mod meshopt; // Compressed buffer views.
mod parts; // Where packages are cut, and what scenes share.
mod pointer; // Factors that change with time.
mod robust; // What files in the wild are like.
mod shared; // Real scenes that others made, where they are at hand.
