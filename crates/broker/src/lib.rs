//! Live sessions, the subscription tree and the bus between them
