//! A small synthetic run, for the tests of every format.

use std::collections::BTreeMap;

use leakcheck_model::event::{Attribution, EngineFacts, GrownFds, GrownTasks, SampleCost, SelfCost, TargetFacts};
use leakcheck_model::facts::FaultSpan;
use leakcheck_model::lines::EmitterLines;
use leakcheck_model::result::{Checkpoint, EngineResult, Growth, LimitResult, MetricResult, SCHEMA};
use leakcheck_model::{Facts, LineCounts, Phase, Reason, ReasonCode, Record, RunResult, Sample, Samples, Verdict};
use leakcheck_model::{MetricInfo, RunPlan, Unit};

/// Durations of idle, launch, warm-up, measure and drain, in seconds.
pub(crate) type Durations = [f64; 5];

/// A run that measures for five minutes.
pub(crate) const FIVE_MINUTES: Durations = [5.0, 8.0, 30.0, 300.0, 15.0];

/// A run to which metrics, limits and faults are added.
pub(crate) struct SampleRun {
    pub(crate) result: RunResult,
    pub(crate) record: Record,
    durations: Durations,
}

impl SampleRun {
    pub(crate) fn new(durations: Durations) -> Self {
        let mut samples = Samples::new(Vec::new());
        let phases = [Phase::Idle, Phase::Launch, Phase::WarmUp, Phase::Measure, Phase::Drain];
        let mut begins = 0.0;
        let mut facts = Facts {
            run_id: Some("20260102-030405-a1b2".into()),
            started_at: Some("2026-01-02T03:04:05Z".into()),
            command: Some("leakcheck run scenarios/example.toml".into()),
            host: [("kernel", "6.8.0"), ("cores", "2"), ("leakcheck", "0.1.0")]
                .map(|(k, v)| (k.to_owned(), v.to_owned()))
                .into(),
            engine: Some(EngineFacts {
                kind: "docker".into(),
                version: "27.3.1".into(),
                api: "1.47".into(),
                host: "unix:///var/run/docker.sock".into(),
                ..EngineFacts::default()
            }),
            launched: Some((55, 55)),
            target: Some(TargetFacts {
                kind: "capture".into(),
                pid: Some(4711),
                command: Some("leakcheck capture --rotate-every 30s".into()),
                version: Some("0.1.0".into()),
                commit: Some("0123abc".into()),
                build: Some("fresh".into()),
                build_notes: Vec::new(),
                ..TargetFacts::default()
            }),
            ready: true,
            finished: true,
            ..Facts::default()
        };
        for (phase, duration) in phases.into_iter().zip(durations) {
            facts.phases.push((phase, begins));
            let mut t_s = begins;
            while t_s < begins + duration {
                let values = Vec::new();
                samples.push(&Sample { t_s, phase, values });
                t_s += 1.0;
            }
            begins += duration;
        }
        let record = Record {
            name: "example".into(),
            limits: Vec::new(),
            metrics: BTreeMap::new(),
            samples,
            facts,
            plan: Some(RunPlan {
                measure_s: durations[3],
                max_s: durations[3],
                early_stop: true,
                sample_every_s: 1.0,
                checkpoint_every_s: 30.0,
                containers: 55,
                rotations_per_s: Some(55.0 / 30.0),
                lines_checked: true,
            }),
            rotation_period_s: Some(30.0),
        };
        let result = RunResult {
            schema: SCHEMA,
            run_id: "20260102-030405-a1b2".into(),
            scenario: "example".into(),
            verdict: Verdict::Pass,
            exit_code: 0,
            reasons: Vec::new(),
            warnings: Vec::new(),
            started_at: Some("2026-01-02T03:04:05Z".into()),
            duration_s: begins,
            stopped_early: false,
            saved_s: None,
            engine: record.facts.engine.as_ref().map(EngineResult::from),
            containers: Some(55),
            expected_rotations: Some(550.0),
            target: record.facts.target.clone(),
            metrics: BTreeMap::new(),
            limits: Vec::new(),
            checkpoints: Vec::new(),
            lines: None,
            attribution: None,
            origins: Vec::new(),
            self_cost: None,
            command: record.facts.command.clone(),
        };
        Self {
            result,
            record,
            durations,
        }
    }

    /// Returns the second at which the judged part begins.
    pub(crate) fn start(&self) -> f64 {
        self.durations[..3].iter().sum()
    }

    /// Adds a metric with the value `value(seconds since the judged part began)`.
    pub(crate) fn metric(mut self, name: &str, unit: &'static str, value: impl Fn(f64) -> Option<f64>) -> Self {
        let start = self.start();
        let samples = &mut self.record.samples;
        let column: Vec<Option<f64>> = samples.t_s.iter().map(|t| value(t - start)).collect();
        let judged: Vec<f64> = samples.rows(Phase::is_judged).filter_map(|r| column[r]).collect();
        samples.names.push(name.into());
        samples.columns.push(column);
        let counter = name == "rotations" || name == "cpu";
        self.record.metrics.insert(
            name.into(),
            MetricInfo {
                source: "proc".into(),
                counter,
                quantum: 1.0,
                unit: if unit == "B" { Unit::Bytes } else { Unit::Count },
                moves_with_load: false,
            },
        );
        let rows = samples.rows(Phase::is_judged).count() as u64;
        self.result.metrics.insert(
            name.into(),
            MetricResult {
                source: "proc".into(),
                samples: judged.len() as u64,
                missing: rows - judged.len() as u64,
                baseline: judged.first().copied(),
                last: judged.last().copied(),
                min: judged.iter().copied().min_by(f64::total_cmp),
                max: judged.iter().copied().max_by(f64::total_cmp),
                endpoint_per_min: Some((judged[judged.len() - 1] - judged[0]) / ((judged.len() - 1) as f64 / 60.0)),
                ..MetricResult::default()
            },
        );
        self
    }

    /// Sets the growth of a metric.
    pub(crate) fn growth(mut self, name: &str, estimate: f64, low: f64, high: f64) -> Self {
        let metric = self.result.metrics.get_mut(name).expect("metric is there");
        metric.growth_per_min = Some(Growth { estimate, low, high });
        self
    }

    /// Adds a limit with its outcome.
    pub(crate) fn limit(mut self, metric: &str, rule: &str, measured: f64, outcome: Verdict) -> Self {
        let parsed: leakcheck_model::Limit = rule.parse().expect(rule);
        let bound = match parsed.bound {
            leakcheck_model::Bound::Number(n) => n,
            leakcheck_model::Bound::OfExpected(share) => share * 550.0,
        };
        self.record.limits.push((metric.into(), parsed));
        let growth = self.result.metrics.get(metric).and_then(|m| m.growth_per_min);
        let growth = growth.filter(|_| rule.starts_with("growth_per_min"));
        let reason = (outcome != Verdict::Pass).then(|| {
            let code = match outcome {
                Verdict::Fail => ReasonCode::LimitExceeded,
                Verdict::Invalid => ReasonCode::MetricSparse,
                _ => ReasonCode::Straddles,
            };
            Reason::of(code, metric, format!("{metric}: {measured} does not keep `{rule}`"))
        });
        self.result.reasons.extend(reason.clone());
        self.result.limits.push(LimitResult {
            metric: metric.into(),
            rule: rule.into(),
            bound: Some(bound),
            measured: Some(measured),
            low: growth.map(|g| g.low),
            high: growth.map(|g| g.high),
            outcome,
            reason,
        });
        self.result.verdict = Verdict::worst(self.result.limits.iter().map(|l| l.outcome));
        self.result.exit_code = self.result.verdict.exit_code();
        self
    }

    /// Adds a checkpoint every `every_s` seconds of the judged part.
    pub(crate) fn checkpoints(mut self, every_s: f64) -> Self {
        let (start, samples) = (self.start(), &self.record.samples);
        let mut next = start;
        for row in samples.rows(Phase::is_judged) {
            if samples.t_s[row] < next {
                continue;
            }
            next += every_s;
            let named = samples.names.iter().zip(&samples.columns);
            let values: BTreeMap<_, _> = named.filter_map(|(n, c)| Some((n.clone(), c[row]?))).collect();
            let minutes = (samples.t_s[row] - start) / 60.0;
            let endpoint_per_min = values
                .iter()
                .filter(|_| minutes > 0.0)
                .filter_map(|(n, v)| Some((n.clone(), (v - self.result.metrics[n].baseline?) / minutes)))
                .collect();
            self.result.checkpoints.push(Checkpoint {
                t_s: samples.t_s[row],
                phase: samples.phase[row],
                values,
                endpoint_per_min,
            });
        }
        self
    }

    /// Adds a fault; times are seconds since the judged part began.
    pub(crate) fn fault(mut self, what: &str, at_s: f64, duration_s: f64) -> Self {
        let from_s = self.start() + at_s;
        self.record.facts.faults.push(FaultSpan {
            index: self.record.facts.faults.len(),
            what: what.into(),
            from_s,
            to_s: Some(from_s + duration_s),
            hits: Some(55),
        });
        self
    }
}

/// Returns a run that leaks file descriptors, with everything that a report can show.
pub(crate) fn leaking() -> SampleRun {
    let leak = |t: f64| (t.max(0.0) / 15.0).floor();
    let mut example = SampleRun::new([2.0, 3.0, 5.0, 120.0, 5.0])
        .metric("fds", "", move |t| Some(if t < -5.0 { 12.0 } else { 67.0 } + leak(t)))
        .metric("rss", "B", |t| Some(6_291_456.0 + (t * 0.7).sin() * 8192.0))
        .metric("streams", "", |t| {
            (t > -6.0 && !(40.0..44.0).contains(&t)).then_some(55.0)
        })
        .growth("fds", 4.02, 3.9, 4.1)
        .growth("rss", 120.0, -900.0, 1100.0)
        .limit("fds", "growth_per_min < 1", 4.02, Verdict::Fail)
        .limit("fds", "drained <= 2", 1.0, Verdict::Pass)
        .limit("rss", "growth_per_min < 1 MiB", 120.0, Verdict::Pass)
        .limit("streams", "min >= 53", 55.0, Verdict::Inconclusive)
        .limit("streams", "max <= 57", 55.0, Verdict::Pass)
        .fault("stall on idle", 60.0, 20.0)
        .checkpoints(30.0);
    let metrics = &mut example.result.metrics;
    if let Some(fds) = metrics.get_mut("fds") {
        fds.shape = Some("a ramp".into());
        fds.drained = Some(1.0);
    }
    example.result.lines = Some(LineCounts {
        sent: 96_000,
        delivered: 95_997,
        lost: 3,
        worst: vec![EmitterLines {
            emitter: "noisy-07".into(),
            sent: 2400,
            lost: 3,
            missing: vec!["o 17..19".into()],
            ..EmitterLines::default()
        }],
        groups: vec![
            EmitterLines {
                emitter: "idle".into(),
                ..EmitterLines::default()
            },
            EmitterLines {
                emitter: "noisy".into(),
                sent: 96_000,
                lost: 3,
                ..EmitterLines::default()
            },
        ],
        each: (1..=40)
            .map(|n| EmitterLines {
                emitter: format!("noisy-{n:02}"),
                sent: 2400,
                lost: if n == 7 { 3 } else { 0 },
                ..EmitterLines::default()
            })
            .collect(),
        ..LineCounts::default()
    });
    example.result.attribution = Some(Attribution {
        sentences: vec!["8 more connections to docker.sock than at the baseline".into()],
        fds: vec![GrownFds {
            kind: "unix-socket".into(),
            peer: Some("docker.sock".into()),
            grew_by: 8,
        }],
        tasks: vec![GrownTasks {
            name: "stream <reader>".into(),
            state: Some("futex_wait".into()),
            grew_by: 8,
        }],
        ..Attribution::default()
    });
    example.result.self_cost = Some(SelfCost {
        cpu_s: 1.25,
        max_rss_bytes: 18 << 20,
        sample_us: SampleCost {
            median: 180.0,
            max: 950.0,
        },
        missed_samples: 0,
        failed_scrapes: 4,
    });
    example.result.warnings.push(Reason::new(
        ReasonCode::SamplesMissed,
        "4 scrapes of /metrics failed & were not repeated",
    ));
    example
}
