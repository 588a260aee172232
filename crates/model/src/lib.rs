//! The shared words: scenario, units, samples, the stamp of a noise line, record and verdict. No I/O, no clock.
