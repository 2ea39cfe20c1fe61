//! The renderer's promises: light that is right, bits that are the same.

mod bits;
mod blue;
mod camera;
mod golden;
mod layers;
mod lights;
mod make;
mod motion;
mod orbit;
mod passes;
mod retake;
mod robust;
mod shutter;
mod sizes;
mod truth;
mod vectors;
