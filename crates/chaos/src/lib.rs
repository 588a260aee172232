//! A Unix-socket proxy in front of any Docker engine that breaks streams on purpose.
