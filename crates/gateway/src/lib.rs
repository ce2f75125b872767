//! What happens when a device connects
