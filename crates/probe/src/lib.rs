//! The only reader of /proc, of /metrics, and of what the target wrote.
