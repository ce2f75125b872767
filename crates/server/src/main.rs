//! The binary `gatehouse`.
fn main() {}
