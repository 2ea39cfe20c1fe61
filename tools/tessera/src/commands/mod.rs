//! One module a command.

pub mod compare;
pub mod completions;
pub mod config;
pub mod doctor;
pub mod farm;
pub mod jobs;
pub mod ledger;
pub mod man;
pub mod node;
pub mod nodes;
pub mod openjd;
pub mod order;
pub mod quote;
pub mod render;
pub mod scenes;
pub mod scheduler;
pub mod studio;
pub mod submit;
pub mod verdicts;
pub mod verify;
pub mod video;
pub mod wallet;
