//! What is asked of a record, each question once: a limit and its metric put the same, and an answer takes milliseconds.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use leakcheck_model::Record;
use leakcheck_model::verdict::{Reason, ReasonCode};

use super::{Judged, growth};
use crate::{Answer, Look, Series, assess, assess_per_rotation};

/// What growth is measured against.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Over {
    Minutes,
    Rotations,
}

/// A record, the look that is taken at it, and what was answered so far by metric, abscissa and limit.
pub(super) struct Asked<'a> {
    pub(super) record: &'a Record,
    pub(super) look: Look,
    pub(super) judged: Judged,
    series: RefCell<BTreeMap<String, Rc<Series>>>,
    answers: RefCell<BTreeMap<(String, Over, u64), Rc<Answer>>>,
}

impl<'a> Asked<'a> {
    pub(super) fn new(record: &'a Record, look: Look) -> Self {
        Self {
            record,
            look,
            judged: Judged::of(record),
            series: RefCell::default(),
            answers: RefCell::default(),
        }
    }

    /// The judged values of a metric.
    pub(super) fn series(&self, metric: &str) -> Result<Rc<Series>, Reason> {
        if let Some(known) = self.series.borrow().get(metric) {
            return Ok(Rc::clone(known));
        }
        let series = Rc::new(growth::series(self.record, metric)?);
        self.series.borrow_mut().insert(metric.to_owned(), Rc::clone(&series));
        Ok(series)
    }

    /// Growth per minute of a metric, held against a limit.
    pub(super) fn per_minute(&self, metric: &str, bound: f64) -> Result<Rc<Answer>, Reason> {
        self.once(metric, Over::Minutes, bound, || {
            let question = growth::question(self, metric, bound);
            Ok(assess(&*self.series(metric)?, &question))
        })
    }

    /// The same per rotation, where rotations are counted.
    pub(super) fn per_rotation(&self, metric: &str, bound: f64) -> Result<Rc<Answer>, Reason> {
        self.once(metric, Over::Rotations, bound, || {
            let series = self.series(metric)?;
            let rotations = growth::rotations(self, metric).ok_or_else(|| {
                let message = "there is no `rotations` metric in the same samples to count rotations by";
                Reason::of(ReasonCode::NotComputable, metric, message)
            })?;
            let question = growth::question(self, metric, bound);
            Ok(assess_per_rotation(&series, &rotations, &question))
        })
    }

    fn once(
        &self,
        metric: &str,
        over: Over,
        bound: f64,
        answer: impl FnOnce() -> Result<Answer, Reason>,
    ) -> Result<Rc<Answer>, Reason> {
        let key = (metric.to_owned(), over, bound.to_bits());
        if let Some(known) = self.answers.borrow().get(&key) {
            return Ok(Rc::clone(known));
        }
        let answer = Rc::new(answer()?);
        self.answers.borrow_mut().insert(key, Rc::clone(&answer));
        Ok(answer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judgement::made::Made;

    #[test]
    fn the_same_question_is_answered_once_and_another_anew() {
        let made = Made::run(300, 5)
            .metric("fds", |t| Some((1000.0 + t / 6.0).round()))
            .metric("rotations", |t| Some((t.max(0.0) / 30.0).floor()));
        let record = made.record();
        let asked = Asked::new(&record, Look::Final);
        let of = |bound: f64| asked.per_minute("fds", bound).expect("sampled");
        assert!(Rc::ptr_eq(&of(2.0), &of(2.0)));
        assert!(!Rc::ptr_eq(&of(2.0), &of(3.0)));
        let each = asked.per_rotation("fds", 2.0).expect("counted");
        assert!(!Rc::ptr_eq(&each, &of(2.0)));
        assert!(Rc::ptr_eq(&each, &asked.per_rotation("fds", 2.0).expect("counted")));
        assert_ne!(each.growth, of(2.0).growth);
    }
}
