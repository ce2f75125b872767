//! MQTT 3.1.1 and 5: packets and the connection's state machine, sans I/O
