//! Statistics: the record of a run in, a verdict out.
//!
//! The method is Bayesian model averaging. [`assess`] judges one series in these steps:
//!
//! 1. Remove the effect of the number of containers (`covariate`) and short bursts (`despike`).
//! 2. Reduce the run to some sixty block medians, aligned with rotations (`blocks`).
//! 3. Fit two thousand models (lines, steps, changepoints, warm-ups) at ten correlation times (`models`, `fit`).
//! 4. Test the posterior distribution of the growth against the limit (`posterior`, `decision`).
//!
//! [`judge`] applies the limits of a whole [`Record`](leakcheck_model::Record). Some statistics need no fit: sampling
//! ([`aliasing`]), few checkpoints (`sparse`), net growth, the drain check, the stationarity of a baseline
//! ([`stationarity`]) and the bounds of any method ([`power`]).
//!
//! Everything is pure arithmetic without I/O; formulas cite their sources.

pub mod aliasing;
mod assess;
mod assessment;
mod blocks;
mod covariate;
mod decision;
mod despike;
mod drain;
pub mod endpoint;
mod fit;
pub mod interim_analysis;
mod judgement;
mod late_onset;
mod median;
mod models;
mod net_growth;
mod normal;
mod posterior;
pub mod power;
mod projection;
mod quantized_steps;
mod rolling_rank;
mod series;
mod shape;
mod sparse;
pub mod stationarity;
mod student;
mod test_spec;
mod whitening;

pub use assess::{assess, assess_per_rotation};
pub use assessment::{Assessment, Code, Growth, LateLeak, NoiseEstimate, Outcome, Reason, Shape, WeightedShape};
pub use blocks::whole_rotations;
pub use judgement::{Judgement, certain_failures, final_analysis, judge, limit_results, needs_extension, summarize};
pub use series::{Series, SeriesError};
pub use test_spec::{Analysis, TestSpec};
