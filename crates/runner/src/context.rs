//! The state of one run.

use std::path::PathBuf;
use std::time::Duration;

use leakcheck_model::Scenario;
use leakcheck_model::verdict::ReasonCode;
use tokio_util::sync::CancellationToken;

use crate::abort::RunAbort;
use crate::docker::Docker;
use crate::engine::counts::EngineCounts;
use crate::process::Process;
use crate::recorder::RunRecorder;
use crate::sampling::{Sampling, Sources};
use crate::scratch::Scratch;

/// The state that the phases of a run share.
pub(crate) struct RunContext {
    /// The scenario.
    pub scenario: Scenario,
    /// The run's id, which labels everything that is created.
    pub run_id: String,
    /// Cancelled when the user ends the run.
    pub stop: CancellationToken,
    /// The record.
    pub recorder: RunRecorder,
    /// The client of the engine, if the run needs one.
    pub docker: Option<Docker>,
    /// The process of a simulated engine.
    pub engine: Option<Process>,
    /// Folder for sockets.
    pub scratch: Scratch,
    /// Folder for what the target collects.
    pub output: PathBuf,
    /// The parts that samples are taken of.
    pub sources: Sources,
    /// The sampling loop.
    pub sampling: Sampling,
}

impl RunContext {
    /// Samples until `work` is done.
    ///
    /// # Errors
    /// [`RunAbort`]: the user may stop the run, or the target may end meanwhile.
    pub(crate) async fn sample_while<T>(
        &mut self,
        activity: &str,
        work: impl Future<Output = T>,
    ) -> Result<T, RunAbort> {
        let (sources, recorder) = (&mut self.sources, &mut self.recorder);
        self.sampling
            .run_while(sources, recorder, &self.stop, activity, work)
            .await
    }

    /// Samples for `length`.
    ///
    /// # Errors
    /// As [`RunContext::sample_while`].
    pub(crate) async fn sample_for(&mut self, activity: &str, length: Duration) -> Result<(), RunAbort> {
        self.sample_while(activity, tokio::time::sleep(length)).await
    }

    /// Starts to sample the target.
    ///
    /// # Errors
    /// As [`Sampling::start`].
    pub(crate) async fn start_sampling(&mut self) -> Result<(), RunAbort> {
        let (sources, recorder) = (&mut self.sources, &mut self.recorder);
        self.sampling
            .start(&self.scenario, self.docker.as_ref(), sources, recorder)
            .await
    }

    /// Refreshes those counts of the engine that are too costly for every tick.
    ///
    /// # Errors
    /// As [`RunContext::sample_while`].
    pub(crate) async fn refresh_engine_counts(&mut self) -> Result<(), RunAbort> {
        let Some(refresh) = self.sampling.engine_mut().map(|counts| EngineCounts::refresh(counts)) else {
            return Ok(());
        };
        let refreshed = self.sample_while("querying the engine", refresh).await?;
        let message = self.sampling.engine_mut().and_then(|counts| counts.apply(refreshed));
        if let Some(message) = message {
            self.recorder.impaired(ReasonCode::EngineLost, message)?;
        }
        Ok(())
    }
}
