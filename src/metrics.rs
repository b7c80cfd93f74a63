//! Set-up of the metrics exporter; each part declares its own metrics beside its code.
//!
//! Does not know what the metrics mean.

use std::sync::OnceLock;
use std::time::Duration;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

/// Renders the metrics of the process.
#[derive(Clone)]
pub struct Metrics(PrometheusHandle);

/// Seconds: from a sync on a fast disk to one that hangs.
const SECONDS: &[f64] =
    &[0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

/// The process's recorder: there can be only one.
static INSTALLED: OnceLock<Metrics> = OnceLock::new();

impl Metrics {
    /// Installs the process's recorder, or gives the one that is installed.
    pub fn install() -> Metrics {
        INSTALLED.get_or_init(Metrics::first).clone()
    }

    fn first() -> Metrics {
        let builder = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), SECONDS)
            .unwrap_or_else(|_| PrometheusBuilder::new());
        let recorder = builder.build_recorder();
        let handle = recorder.handle();
        // Fails only where another recorder is installed already.
        let _ = metrics::set_global_recorder(recorder);
        metrics::describe_gauge!("callrated_build_info", "1, labelled with the version");
        metrics::gauge!("callrated_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
        Metrics(handle)
    }

    /// The exposition text.
    pub fn render(&self) -> String {
        mended(&self.0.render())
    }

    /// The values now, for those who show some of them.
    pub fn samples(&self) -> Samples {
        Samples(self.render())
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

/// Counters that are kept as gauges, since the recorder counts whole numbers only.
const DECIMAL_COUNTERS: &[&str] = &["callrated_charged_total"];
/// Gauges that say by a label what holds: a series at 0 says what holds no longer, and would stay for ever.
const INFOS: &[&str] = &["callrated_tariff_info"];

/// What the recorder cannot say: counters with decimals, and series that have ended.
fn mended(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let of = |name: &&str| line.strip_prefix(*name).is_some_and(|rest| rest.starts_with('{'));
        if line.trim_end().ends_with(" 0") && INFOS.iter().any(|name| of(&name)) {
            continue;
        }
        match line.strip_prefix("# TYPE ").and_then(|rest| rest.trim_end().strip_suffix(" gauge")) {
            Some(name) if DECIMAL_COUNTERS.contains(&name) => {
                out.push_str("# TYPE ");
                out.push_str(name);
                out.push_str(" counter\n");
            }
            _ => out.push_str(line),
        }
    }
    out
}

/// The metrics at one moment, found by name. Reads the exposition, so that what is shown is what is scraped.
pub struct Samples(String);

impl Samples {
    /// Sum over all labels; 0 if there is no such metric.
    pub fn sum(&self, name: &str) -> f64 {
        self.of(name).map(|(_, value)| value).sum()
    }

    /// Values by one label, in the order of the exposition.
    pub fn by<'a>(&'a self, name: &'a str, label: &'a str) -> impl Iterator<Item = (&'a str, f64)> {
        self.of(name).filter_map(move |(labels, value)| {
            let text = labels.split(',').find_map(|one| one.strip_prefix(label)?.strip_prefix("=\""))?;
            Some((text.trim_end_matches('"'), value))
        })
    }

    fn of<'a>(&'a self, name: &'a str) -> impl Iterator<Item = (&'a str, f64)> {
        self.0.lines().filter_map(move |line| {
            let rest = line.strip_prefix(name)?;
            let (labels, value) = match rest.strip_prefix('{') {
                Some(rest) => rest.rsplit_once("} ")?,
                None => ("", rest.strip_prefix(' ')?),
            };
            Some((labels, value.trim().parse().ok()?))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_may_have_decimals_and_what_ended_is_gone() {
        let text = "# TYPE callrated_charged_total gauge\ncallrated_charged_total{currency=\"EUR\"} 0\n\n\
                    # TYPE callrated_tariff_info gauge\ncallrated_tariff_info{digest=\"a\"} 0\n\
                    callrated_tariff_info{digest=\"b\"} 1\n\n# TYPE callrated_store_up gauge\ncallrated_store_up 0\n";
        let expected = "# TYPE callrated_charged_total counter\ncallrated_charged_total{currency=\"EUR\"} 0\n\n\
                        # TYPE callrated_tariff_info gauge\ncallrated_tariff_info{digest=\"b\"} 1\n\n\
                        # TYPE callrated_store_up gauge\ncallrated_store_up 0\n";
        assert_eq!(mended(text), expected);
    }

    #[test]
    fn samples_are_found_by_name_and_label() {
        let text =
            "# HELP a text\n# TYPE a counter\na{x=\"1\",reason=\"no_rate\"} 2\na{x=\"2\",reason=\"b\"} 0.5\nab 9\n";
        let samples = Samples(text.to_owned());
        assert_eq!(samples.sum("a"), 2.5);
        assert_eq!(samples.sum("ab"), 9.0);
        assert_eq!(samples.sum("abc"), 0.0);
        assert_eq!(samples.by("a", "reason").collect::<Vec<_>>(), [("no_rate", 2.0), ("b", 0.5)]);
    }
}
