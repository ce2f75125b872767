//! The control API: operations, SigV4 and the REST-JSON door
