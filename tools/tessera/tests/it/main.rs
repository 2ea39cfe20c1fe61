//! The command line as others meet it: the real binary, its words and its exit codes.

mod client;
mod demo;
mod doctor;
mod jobs;
mod ledger;
mod needs;
mod pictures;
mod preview;
mod quote;
mod run;
mod sandbox;
mod settings;
mod usage;
mod video;
