//! The door: arguments, progress, exit code.
fn main() {}
