//! Generated traces: healthy targets, leaking ones, and shapes made to deceive.
//!
//! All numbers are assumptions about daemons that follow container logs. No historic series exists, only tables.

use crate::random::Random;
use leakcheck_judge::Series;

/// The behaviour of a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Const,
    Ar1,
    WarmUp,
    WarmDown,
    Fill,
    SawRotation,
    SawCollector,
    BoundedWalk,
    PoolStep,
    Burst,
    Churn,
    ChurnKnown,
    // Leaks.
    Linear,
    Stair,
    Late,
    Masked,
    SawLinear,
    StepLinear,
    BurstLinear,
    ChurnLinear,
    ChurnKnownLinear,
    // A leak that begins near the end of the run.
    VeryLate,
    // Counts of a quiet daemon in a short run: noise of 0.3, rounded.
    Quiet,
    QuietLinear,
    QuietLate,
    // Healthy, and made to deceive.
    TwoSteps,
    UpAndDown,
    StepDown,
    JitteredSaw,
    HeavyTails,
    Quantum16,
    Uneven,
    UnitRoot,
    Wave4,
    Wave10,
    Wave20,
    SlowWarmUp,
    LateFill,
    ThreeSteps,
    Logarithmic,
}

impl Kind {
    pub(crate) const SOUND: [Self; 12] = [
        Self::Const,
        Self::Ar1,
        Self::WarmUp,
        Self::WarmDown,
        Self::Fill,
        Self::SawRotation,
        Self::SawCollector,
        Self::BoundedWalk,
        Self::PoolStep,
        Self::Burst,
        Self::Churn,
        Self::ChurnKnown,
    ];
    pub(crate) const LEAKING: [Self; 9] = [
        Self::Linear,
        Self::Stair,
        Self::Late,
        Self::Masked,
        Self::SawLinear,
        Self::StepLinear,
        Self::BurstLinear,
        Self::ChurnLinear,
        Self::ChurnKnownLinear,
    ];
    pub(crate) const DECEIVING: [Self; 15] = [
        Self::TwoSteps,
        Self::UpAndDown,
        Self::StepDown,
        Self::JitteredSaw,
        Self::HeavyTails,
        Self::Quantum16,
        Self::Uneven,
        Self::UnitRoot,
        Self::Wave4,
        Self::Wave10,
        Self::Wave20,
        Self::SlowWarmUp,
        Self::LateFill,
        Self::ThreeSteps,
        Self::Logarithmic,
    ];
}

/// The setting of a trace.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Setting {
    pub kind: Kind,
    /// Leak per minute; 0 for healthy kinds.
    pub rate: f64,
    pub minutes: f64,
    pub spacing_s: f64,
    pub period_s: f64,
    /// True for noise laws that nothing was tuned on.
    pub held_out: bool,
    /// Additional length; the shape depends on `minutes` alone.
    pub extra_minutes: f64,
}

/// A trace and its true growth.
pub(crate) struct Trace {
    pub series: Series,
    /// True growth per minute at the end.
    pub growth: f64,
    /// Onset of the leak, seconds.
    pub onset_s: f64,
    pub containers: Option<Vec<f64>>,
}

/// The state of a trace under construction.
struct Maker<'a> {
    random: &'a mut Random,
    setting: Setting,
    times: Vec<f64>,
    value: Vec<f64>,
}

pub(crate) fn make(setting: Setting, seed: u64) -> Trace {
    let mut random = Random::new(seed);
    let length_s = setting.minutes * 60.0;
    let samples = ((length_s + setting.extra_minutes * 60.0) / setting.spacing_s).floor() as usize + 1;
    let times: Vec<f64> = (0..samples).map(|i| i as f64 * setting.spacing_s).collect();
    let value = vec![1400.0; samples];
    let mut maker = Maker {
        random: &mut random,
        setting,
        times,
        value,
    };
    let onset_s = match setting.kind {
        Kind::Late | Kind::QuietLate => length_s * maker.random.between(0.4, 0.7),
        Kind::VeryLate => length_s * maker.random.between(0.85, 0.97),
        _ => 0.0,
    };
    let containers = maker.shape(onset_s);
    maker.noise();
    let quantum = if setting.kind == Kind::Quantum16 { 16.0 } else { 1.0 };
    let value = maker.value.iter().map(|v| (v / quantum).round() * quantum).collect();
    let times = maker.times;
    let series = Series::new(times, value).expect("made in order and finite");
    Trace {
        series,
        growth: setting.rate,
        onset_s,
        containers,
    }
}

impl Maker<'_> {
    fn length_s(&self) -> f64 {
        self.setting.minutes * 60.0
    }

    fn add(&mut self, f: impl Fn(f64) -> f64) {
        for (value, t) in self.value.iter_mut().zip(&self.times) {
            *value += f(*t);
        }
    }

    fn shape(&mut self, onset_s: f64) -> Option<Vec<f64>> {
        use Kind::*;
        let per_s = self.setting.rate / 60.0;
        let length_s = self.length_s();
        match self.setting.kind {
            Stair => {
                let (period_s, phase) = (self.setting.period_s, self.random.share());
                self.add(|t| per_s * period_s * (t / period_s + phase).floor());
            }
            _ => self.add(|t| per_s * (t - onset_s).max(0.0)),
        }
        match self.setting.kind {
            WarmUp => self.approach(1.0, 10.0, 163.0),
            WarmDown | Masked => self.approach(-1.0, 10.0, 163.0),
            SlowWarmUp => self.approach(1.0, 300.0, 300.0),
            Fill => self.fill(0.1, 0.45),
            LateFill => self.fill(0.5, 0.8),
            SawRotation | SawLinear => self.saw_rotation(),
            SawCollector => self.saw(20.0, 60.0, 10.0, 80.0, 0.2),
            JitteredSaw => self.saw(40.0, 90.0, 50.0, 250.0, 0.4),
            PoolStep | StepLinear => self.step(1.0, 0.05, 0.95),
            StepDown => self.step(-1.0, 0.05, 0.95),
            TwoSteps => (0..2).for_each(|_| self.step(1.0, 0.05, 0.95)),
            ThreeSteps => (0..3).for_each(|_| self.step(1.0, 0.05, 0.95)),
            UpAndDown => self.up_and_down(),
            Burst | BurstLinear => self.bursts(),
            BoundedWalk => self.walk(Some(self.length_s())),
            UnitRoot => self.walk(None),
            Wave4 => self.wave(240.0),
            Wave10 => self.wave(600.0),
            Wave20 => self.wave(1200.0),
            Logarithmic => {
                let size = self.random.between(20.0, 100.0);
                self.add(|t| size * (1.0 + t / 30.0).ln());
            }
            Churn | ChurnLinear => drop(self.churn()),
            ChurnKnown | ChurnKnownLinear => return Some(self.churn()),
            _ => {}
        }
        debug_assert!(length_s > 0.0);
        None
    }

    fn approach(&mut self, sign: f64, fastest_s: f64, slowest_s: f64) {
        let size = sign * self.random.between(50.0, 400.0);
        let slowest_s = if self.setting.held_out {
            slowest_s.max(200.0)
        } else {
            slowest_s
        };
        let tau_s = self.random.between(fastest_s, slowest_s);
        self.add(|t| -size * (-t / tau_s).exp());
    }

    fn fill(&mut self, earliest: f64, latest: f64) {
        let end_s = self.length_s() * self.random.between(earliest, latest);
        let per_s = self.random.between(20.0, 100.0) / 60.0;
        self.add(|t| per_s * t.min(end_s));
    }

    fn step(&mut self, sign: f64, earliest: f64, latest: f64) {
        let at_s = self.length_s() * self.random.between(earliest, latest);
        let size = sign * self.random.between(20.0, 250.0);
        self.add(|t| if t >= at_s { size } else { 0.0 });
    }

    fn up_and_down(&mut self) {
        let begin_s = self.length_s() * self.random.between(0.05, 0.5);
        let end_s = begin_s + self.length_s() * self.random.between(0.15, 0.45);
        let size = self.random.between(20.0, 250.0);
        self.add(|t| if t >= begin_s && t < end_s { size } else { 0.0 });
    }

    fn wave(&mut self, period_s: f64) {
        let (size, phase) = (self.random.between(5.0, 40.0), self.random.share());
        self.add(|t| size * (std::f64::consts::TAU * (t / period_s + phase)).sin());
    }

    /// Adds a rise that falls back at each rotation, with heights that vary a little.
    fn saw_rotation(&mut self) {
        let most = if self.setting.held_out { 250.0 } else { 100.0 };
        let size = self.random.between(10.0, most);
        let phase = self.random.share();
        let last_s = self.times.last().copied().unwrap_or(0.0);
        let rotations = (last_s / self.setting.period_s) as usize + 3;
        let sizes: Vec<f64> = (0..rotations)
            .map(|_| size * (1.0 + 0.05 * self.random.normal()))
            .collect();
        let period_s = self.setting.period_s;
        self.add(|t| {
            let at = t / period_s + phase;
            sizes[at as usize] * at.fract()
        });
    }

    /// Adds a sawtooth with an unknown period.
    fn saw(&mut self, shortest_s: f64, longest_s: f64, least: f64, most: f64, jitter: f64) {
        let period_s = self.random.between(shortest_s, longest_s);
        let size = self.random.between(least, most);
        let mut begin_s = -period_s * self.random.share();
        let (mut end_s, mut height) = (begin_s + period_s, size);
        for (value, t) in self.value.iter_mut().zip(&self.times) {
            while *t >= end_s {
                begin_s = end_s;
                end_s = begin_s + period_s * (1.0 + jitter * self.random.between(-1.0, 1.0));
                height = size * (1.0 + jitter * self.random.between(-1.0, 1.0));
            }
            *value += height * (t - begin_s) / (end_s - begin_s);
        }
    }

    fn bursts(&mut self) {
        let longest_s = if self.setting.held_out { 60.0 } else { 45.0 };
        let mut at_s = self.random.exponential(120.0);
        let last_s = self.times.last().copied().unwrap_or(0.0);
        while at_s < last_s {
            let (end_s, size) = (
                at_s + self.random.between(5.0, longest_s),
                self.random.between(50.0, 300.0),
            );
            self.add(|t| if t >= at_s && t < end_s { size } else { 0.0 });
            at_s = end_s + self.random.exponential(120.0);
        }
    }

    /// Adds a random walk, reflected at a bound if there is one.
    fn walk(&mut self, bounded: Option<f64>) {
        let step = self.setting.spacing_s.sqrt() * self.random.between(0.2, 1.0);
        let bound = self.random.between(8.0, 20.0);
        let mut at = 0.0_f64;
        for value in &mut self.value {
            at += step * self.random.normal();
            if bounded.is_some() && at.abs() > bound {
                at = at.signum() * (2.0 * bound - at.abs());
            }
            *value += at;
        }
    }

    /// Adds five tasks per container. Containers come at random and stay for exponential times: sd about 12,
    /// correlation time about 120 s.
    fn churn(&mut self) -> Vec<f64> {
        let (mean, stay_s) = (self.random.between(3.0, 9.0), self.random.between(60.0, 180.0));
        let dt = self.setting.spacing_s;
        let mut running = mean.round();
        let mut containers = Vec::with_capacity(self.value.len());
        for value in &mut self.value {
            let left = (0..running as usize)
                .filter(|_| self.random.happens(dt / stay_s))
                .count() as f64;
            let mut came = 0.0;
            let mut next = self.random.exponential(stay_s / mean);
            while next < dt {
                came += 1.0;
                next += self.random.exponential(stay_s / mean);
            }
            running += came - left;
            containers.push(running);
            *value += 5.0 * running;
        }
        containers
    }

    fn noise(&mut self) {
        if self.setting.kind == Kind::Const {
            return self.flicker();
        }
        if matches!(self.setting.kind, Kind::Quiet | Kind::QuietLinear | Kind::QuietLate) {
            let (level, sd) = (self.random.share(), 0.3);
            for value in &mut self.value {
                *value += level + sd * self.random.normal();
            }
            return;
        }
        let dt = self.setting.spacing_s;
        let held_out = self.setting.held_out;
        let (least, most) = if held_out { (0.5, 15.0) } else { (1.0, 8.0) };
        let sd = self.random.between(least, most);
        let tau_s = self.random.log_between(1.0, 30.0);
        let slow_s = self.random.between(60.0, 150.0);
        let fast_share = if held_out { self.random.between(0.4, 1.0) } else { 1.0 };
        let mut fast = Correlated::new(self.random, sd * fast_share.sqrt(), tau_s, dt);
        let mut slow = Correlated::new(self.random, sd * (1.0 - fast_share).sqrt(), slow_s, dt);
        let samples = self.value.len() as f64;
        for (i, value) in self.value.iter_mut().enumerate() {
            let heavy = match self.setting.kind {
                Kind::HeavyTails => (3.0 / (0..3).map(|_| self.random.normal().powi(2)).sum::<f64>())
                    .sqrt()
                    .min(30.0),
                Kind::Uneven => 0.3 + 2.0 * i as f64 / samples,
                _ => 1.0,
            };
            *value += fast.next(self.random, heavy) + slow.next(self.random, 1.0);
            if held_out && self.random.happens(0.005) {
                *value += 10.0 * sd * self.random.normal();
            }
        }
    }

    /// Adds a task that comes and goes.
    fn flicker(&mut self) {
        let (often, most) = (self.random.one_of(&[0.0, 0.02, 0.1]), self.random.one_of(&[1.0, 2.0]));
        for value in &mut self.value {
            if self.random.happens(often) {
                *value += most;
            }
        }
    }
}

/// AR(1) noise with a standard deviation and a correlation time.
struct Correlated {
    at: f64,
    keep: f64,
    kick: f64,
}

impl Correlated {
    fn new(random: &mut Random, sd: f64, tau_s: f64, dt: f64) -> Self {
        let keep = (-dt / tau_s).exp();
        Self {
            at: sd * random.normal(),
            keep,
            kick: sd * (1.0 - keep * keep).sqrt(),
        }
    }

    fn next(&mut self, random: &mut Random, times: f64) -> f64 {
        let now = self.at;
        self.at = self.keep * self.at + self.kick * times * random.normal();
        now
    }
}
