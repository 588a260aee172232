//! Record in, verdict out: pure arithmetic, sources cited.
