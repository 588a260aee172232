//! The only writer of reports: a format is a pure function to bytes.
