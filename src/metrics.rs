//! Set-up of the metrics exporter; each part declares its own metrics beside its code.
//!
//! Does not know what the metrics mean.

use std::time::Duration;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

/// Renders the metrics of the process.
#[derive(Clone)]
pub struct Metrics(PrometheusHandle);

/// Seconds: from a sync on a fast disk to one that hangs.
const SECONDS: &[f64] =
    &[0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

impl Metrics {
    /// Installs the process's recorder; a second call (in tests) gives a recorder of its own that nothing writes to.
    pub fn install() -> Metrics {
        let builder = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), SECONDS)
            .unwrap_or_else(|_| PrometheusBuilder::new());
        let recorder = builder.build_recorder();
        let handle = recorder.handle();
        // Fails only where another recorder is installed already.
        let _ = metrics::set_global_recorder(recorder);
        metrics::gauge!("callrated_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
        Metrics(handle)
    }

    /// The exposition text.
    pub fn render(&self) -> String {
        self.0.render()
    }

    /// Drains histograms that nobody scrapes, or they would keep every sample.
    pub async fn upkeep(self) {
        let mut every = tokio::time::interval(Duration::from_secs(5));
        loop {
            every.tick().await;
            self.0.run_upkeep();
        }
    }
}
