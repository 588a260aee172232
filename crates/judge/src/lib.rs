//! Record in, verdict out: pure arithmetic, sources cited.
//!
//! One series is judged by [`assess`] in this order: containers taken out ([`covariate`]), bursts taken out ([`despike`]), the run cut
//! into some sixty blocks of whole rotations or parts of them, two thousand explanations fitted (line, steps, kink, warm-up, pairs)
//! under ten correlation times, and the [`Belief`] that results held against the limit. Everything else judges without fitting:
//! aliasing ([`alias`]), a handful of checkpoints ([`sparse`]), budgets ([`budget`]), the drain ([`drain`]), settling ([`settle`]),
//! and what no judge can beat ([`plan`]).

pub mod alias;
mod answer;
mod assess;
mod belief;
mod blocks;
pub mod budget;
pub mod covariate;
pub mod despike;
pub mod drain;
pub mod endpoint;
mod explain;
mod fit;
pub mod judgement;
mod late;
pub mod looks;
mod median;
pub mod normal;
pub mod plan;
mod project;
mod question;
mod rank;
mod rises;
mod series;
pub mod settle;
mod shape;
pub mod sparse;
pub mod student;
mod verdict;
mod whiten;

pub use answer::{Answer, Code, Form, Growth, LateLeak, Noise, Outcome, Reason, Shape};
pub use assess::{assess, assess_per_rotation};
pub use belief::Belief;
pub use blocks::whole_rotations;
pub use judgement::{Judgement, certain_fails, judge, look_at_the_end, standing, sum_up, would_more_help};
pub use question::{Look, Question};
pub use series::{Series, SeriesError};
