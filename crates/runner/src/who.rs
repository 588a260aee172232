//! Who leaked: the target looked at closely at the baseline, when growth is suspected, and at the end.

use leakcheck_model::event::Happening;
use leakcheck_probe::attribution::{Circumstances, MOST_FDS, Snapshot, fetch_tasks};

use crate::stage::Stage;

/// The target at its baseline.
pub(crate) struct Before {
    snapshot: Snapshot,
    rotations: Option<f64>,
    at_s: f64,
}

/// A close look at the target; `None` if it has no process here.
async fn look(stage: &Stage) -> Option<Snapshot> {
    let target = stage.target.as_ref()?;
    let process = leakcheck_probe::Process::open(target.pid?).ok()?;
    // Reading thousands of links blocks; the sampler's clock must not.
    let mut snapshot = tokio::task::spawn_blocking(move || Snapshot::take(&process, MOST_FDS))
        .await
        .ok()?;
    if let Some(url) = &target.metrics_url {
        snapshot.tasks = fetch_tasks(url).await;
    }
    Some(snapshot)
}

/// The last value of `rotations`.
fn rotations(stage: &Stage) -> Option<f64> {
    stage
        .journal
        .samples()
        .column("rotations")?
        .iter()
        .rev()
        .find_map(|v| *v)
}

/// Looks at the target for later comparison.
pub(crate) async fn before(stage: &Stage) -> Option<Before> {
    let snapshot = look(stage).await?;
    Some(Before {
        snapshot,
        rotations: rotations(stage),
        at_s: stage.journal.now(),
    })
}

/// Says what there is more of than at the baseline.
pub(crate) async fn attribute(stage: &mut Stage, before: Option<&Before>) -> Result<(), leakcheck_report::Error> {
    let Some(before) = before else { return Ok(()) };
    let Some(now) = look(stage).await else { return Ok(()) };
    let circumstances = Circumstances {
        rotations: rotations(stage)
            .zip(before.rotations)
            .map(|(now, then)| now - then)
            .filter(|r| *r > 0.0),
        when: Some(format!(
            "in the {:.0} s since the baseline",
            stage.journal.now() - before.at_s
        )),
    };
    let attribution = now.since(&before.snapshot, &circumstances);
    stage.journal.event(Happening::Attributed(attribution))
}
