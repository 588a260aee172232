//! The capture core: follow every container, rotate, deliver, expose metrics.
