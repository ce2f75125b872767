//! Metrics of parts that know no metrics library: read when the page is asked for.

use gatehouse_store::Store;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::registry::Registry;

struct StoreMetrics(Store);

impl std::fmt::Debug for StoreMetrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("StoreMetrics")
    }
}

/// Registers the store's counts.
pub(crate) fn register_store(registry: &mut Registry, store: &Store) {
    registry.register_collector(Box::new(StoreMetrics(store.clone())));
}

impl Collector for StoreMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let metrics = self.0.metrics();
        let counts = [
            ("gatehouse_store_commits", "Commits flushed to disk", metrics.commits),
            ("gatehouse_store_batches", "Batches of changes committed", metrics.batches),
            ("gatehouse_store_conflicts", "Batches that lost a race", metrics.conflicts),
            ("gatehouse_store_reads", "Queries", metrics.reads),
            ("gatehouse_store_failures", "Queries and commits that failed", metrics.failures),
        ];
        for (name, help, value) in counts {
            let counter = ConstCounter::new(value);
            let metric = encoder.encode_descriptor(name, help, None, counter.metric_type())?;
            counter.encode(metric)?;
        }
        Ok(())
    }
}
