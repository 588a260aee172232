//! Decimates a series for drawing and keeps everything visible: peaks, steps and gaps.

/// A point of a chart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// Seconds.
    pub t_s: f64,
    /// Value.
    pub value: f64,
    /// True if values are missing before it, so no line leads here from the previous point.
    pub breaks: bool,
}

/// A period without values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gap {
    /// Time of the last value before it, or of the first row.
    pub from_s: f64,
    /// Time of the first value after it, or of the last row.
    pub to_s: f64,
}

/// Rows further apart than this many median intervals have a gap between them; one late sample makes no gap.
const LATE_INTERVALS: f64 = 3.0;
/// Points kept per bucket: first, lowest, highest, last (M4 aggregation, Jugel et al., VLDB 2014; it draws the same pixels as all
/// points if a bucket is a column of pixels).
const PER_BUCKET: usize = 4;

/// Returns at most about `max_points` points of a series, and its gaps.
#[must_use]
pub fn decimate(t_s: &[f64], values: &[Option<f64>], max_points: usize) -> (Vec<Point>, Vec<Gap>) {
    let (points, gaps) = with_gaps(t_s, values);
    if points.len() <= max_points {
        return (points, gaps);
    }
    let buckets = (max_points / PER_BUCKET).max(1);
    let (start, end) = (points[0].t_s, points[points.len() - 1].t_s);
    let width = (end - start) / buckets as f64;
    let bucket_of = |p: &Point| (((p.t_s - start) / width) as usize).min(buckets - 1);
    let mut kept: Vec<Point> = Vec::with_capacity(max_points + PER_BUCKET);
    for bucket in points.chunk_by(|a, b| bucket_of(a) == bucket_of(b)) {
        let at = |better: fn(f64, f64) -> bool| {
            (1..bucket.len()).fold(0, |best, i| {
                if better(bucket[i].value, bucket[best].value) {
                    i
                } else {
                    best
                }
            })
        };
        let mut selected = [0, at(|a, b| a < b), at(|a, b| a > b), bucket.len() - 1];
        selected.sort_unstable();
        for (nth, i) in selected.into_iter().enumerate() {
            if nth > 0 && i == selected[nth - 1] {
                continue;
            }
            // A gap narrower than a bucket is narrower than a pixel.
            let before = if nth == 0 {
                kept.last().map(|p| p.t_s)
            } else {
                Some(bucket[selected[nth - 1]].t_s)
            };
            let from = if nth == 0 { 0 } else { selected[nth - 1] + 1 };
            let breaks = bucket[from..=i].iter().any(|p| p.breaks)
                && before.is_some_and(|before| bucket[i].t_s - before > width);
            kept.push(Point { breaks, ..bucket[i] });
        }
    }
    (
        kept,
        gaps.into_iter().filter(|g| g.to_s - g.from_s > width / 2.0).collect(),
    )
}

fn with_gaps(t_s: &[f64], values: &[Option<f64>]) -> (Vec<Point>, Vec<Gap>) {
    let late = median_interval(t_s) * LATE_INTERVALS;
    let mut points: Vec<Point> = Vec::with_capacity(values.len());
    let mut gaps = Vec::new();
    let mut missing = false;
    let mut last_t: Option<f64> = None;
    for (t, value) in t_s.iter().copied().zip(values) {
        missing |= last_t.is_some_and(|last| t - last > late);
        last_t = Some(t);
        let Some(value) = *value else {
            missing = true;
            continue;
        };
        if missing {
            let from_s = points.last().map_or(t_s[0], |p| p.t_s);
            gaps.push(Gap { from_s, to_s: t });
        }
        points.push(Point {
            t_s: t,
            value,
            breaks: missing && !points.is_empty(),
        });
        missing = false;
    }
    if let (true, Some(to_s)) = (missing, last_t) {
        let from_s = points.last().map_or(t_s[0], |p| p.t_s);
        gaps.push(Gap { from_s, to_s });
    }
    (points, gaps)
}

/// Returns the median time between rows.
fn median_interval(t_s: &[f64]) -> f64 {
    let mut steps: Vec<f64> = t_s.windows(2).map(|w| w[1] - w[0]).filter(|s| *s > 0.0).collect();
    if steps.is_empty() {
        return f64::INFINITY;
    }
    let middle = steps.len() / 2;
    *steps.select_nth_unstable_by(middle, f64::total_cmp).1
}
