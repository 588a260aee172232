//! A Docker Engine API with no containers behind it.
