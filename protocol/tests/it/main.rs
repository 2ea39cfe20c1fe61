//! Hostile and arbitrary input for every decoder and validator of the vocabulary.

mod messages;
mod numbers;
