//! The shared state of one judgement. Assessments take milliseconds, so a limit and its metric share them.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use leakcheck_model::Record;
use leakcheck_model::verdict::{Reason, ReasonCode};

use super::judged_part::JudgedPart;
use super::{rotations, spec};
use crate::assess::{assess, assess_per_rotation};
use crate::assessment::Assessment;
use crate::series::Series;
use crate::test_spec::{Analysis, TestSpec};

/// The regressor of growth.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Abscissa {
    Minutes,
    Rotations,
}

/// A record with the kind of analysis, and the assessments so far by metric, abscissa and limit.
pub(super) struct JudgementContext<'a> {
    pub(super) record: &'a Record,
    pub(super) analysis: Analysis,
    pub(super) judged: JudgedPart,
    series: RefCell<BTreeMap<String, Rc<Series>>>,
    assessments: RefCell<BTreeMap<(String, Abscissa, u64), Rc<Assessment>>>,
}

impl<'a> JudgementContext<'a> {
    pub(super) fn new(record: &'a Record, analysis: Analysis) -> Self {
        Self {
            record,
            analysis,
            judged: JudgedPart::of(record),
            series: RefCell::default(),
            assessments: RefCell::default(),
        }
    }

    /// Returns the judged values of a metric.
    pub(super) fn series(&self, metric: &str) -> Result<Rc<Series>, Reason> {
        if let Some(known) = self.series.borrow().get(metric) {
            return Ok(Rc::clone(known));
        }
        let series = Rc::new(spec::series(self.record, metric)?);
        self.series.borrow_mut().insert(metric.to_owned(), Rc::clone(&series));
        Ok(series)
    }

    /// Assesses the growth per minute of a metric against `bound`.
    pub(super) fn per_minute(&self, metric: &str, bound: f64) -> Result<Rc<Assessment>, Reason> {
        self.cached(metric, Abscissa::Minutes, bound, || {
            let spec = self.test_spec(metric, bound);
            Ok(assess(&*self.series(metric)?, &spec))
        })
    }

    /// Assesses the growth per rotation of a metric against `bound`. Fails if rotations are not counted.
    pub(super) fn per_rotation(&self, metric: &str, bound: f64) -> Result<Rc<Assessment>, Reason> {
        self.cached(metric, Abscissa::Rotations, bound, || {
            let series = self.series(metric)?;
            let rotations = rotations::at_samples_of(self.record, &self.judged, metric).ok_or_else(|| {
                let message = "there is no `rotations` metric in the same samples to count rotations by";
                Reason::of(ReasonCode::NotComputable, metric, message)
            })?;
            let spec = self.test_spec(metric, bound);
            Ok(assess_per_rotation(&series, &rotations, &spec))
        })
    }

    fn test_spec(&self, metric: &str, bound: f64) -> TestSpec {
        spec::test_spec(self.record, &self.judged, self.analysis, metric, bound)
    }

    fn cached(
        &self,
        metric: &str,
        abscissa: Abscissa,
        bound: f64,
        assessment: impl FnOnce() -> Result<Assessment, Reason>,
    ) -> Result<Rc<Assessment>, Reason> {
        let key = (metric.to_owned(), abscissa, bound.to_bits());
        if let Some(known) = self.assessments.borrow().get(&key) {
            return Ok(Rc::clone(known));
        }
        let assessment = Rc::new(assessment()?);
        self.assessments.borrow_mut().insert(key, Rc::clone(&assessment));
        Ok(assessment)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judgement::tests::test_support::RunBuilder;

    #[test]
    fn assessments_are_shared_by_metric_abscissa_and_bound() {
        let builder = RunBuilder::run(300, 5)
            .metric("fds", |t| Some((1000.0 + t / 6.0).round()))
            .metric("rotations", |t| Some((t.max(0.0) / 30.0).floor()));
        let record = builder.record();
        let context = JudgementContext::new(&record, Analysis::Single);
        let of = |bound: f64| context.per_minute("fds", bound).expect("sampled");
        assert!(Rc::ptr_eq(&of(2.0), &of(2.0)));
        assert!(!Rc::ptr_eq(&of(2.0), &of(3.0)));
        let each = context.per_rotation("fds", 2.0).expect("counted");
        assert!(!Rc::ptr_eq(&each, &of(2.0)));
        assert!(Rc::ptr_eq(&each, &context.per_rotation("fds", 2.0).expect("counted")));
        assert_ne!(each.growth, of(2.0).growth);
    }
}
