//! A build script must be here for cargo to look at the build dependencies.

fn main() {}
