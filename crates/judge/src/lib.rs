//! Record in, verdict out.

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
pub use assessment::{Assessment, Code, Growth, LateLeak, Noise, Outcome, Reason, Shape, WeightedShape};
pub use blocks::whole_rotations;
pub use judgement::{Judgement, certain_failures, final_analysis, judge, limit_results, needs_extension, summarize};
pub use series::{Series, SeriesError};
pub use test_spec::{Analysis, TestSpec};
