//! The renderer's promises: light that is right, bits that are the same.

mod bits;
mod camera;
mod golden;
mod layers;
mod make;
mod motion;
mod truth;
