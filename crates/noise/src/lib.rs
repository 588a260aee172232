//! Lines at a pace, each stamped with who, which and how many.
