//! Expositions of the official client library are read back with any labels.

use leakcheck_model::scenario::Aggregate;
use leakcheck_probe::exposition::{Scan, Selector};
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use proptest::prelude::*;

proptest! {
    #[test]
    fn a_series_is_found_by_any_labels(
        names in proptest::collection::btree_set("[ -~é\\n\\\\\"{},=#]{0,12}", 1..6),
        count in 1u64..1_000_000,
    ) {
        // Given a counter with a series for each name, and a gauge and a histogram beside it
        let mut registry = Registry::default();
        let family = Family::<Vec<(String, String)>, Counter>::default();
        let level = Gauge::<f64, std::sync::atomic::AtomicU64>::default();
        let sizes = Histogram::new([1.0, 2.0]);
        registry.register("rotations", "How often.", family.clone());
        registry.register("level", "How high, with a \"quote\".", level.clone());
        registry.register("sizes", "How large.", sizes.clone());
        level.set(-2.5e-3);
        sizes.observe(1.5);
        for (i, name) in names.iter().enumerate() {
            let labels = vec![("name".to_owned(), name.clone()), ("other".to_owned(), "x".to_owned())];
            family.get_or_create_owned(&labels).inc_by(count + i as u64);
        }
        let mut body = String::new();
        encode(&mut body, &registry).expect("encoded");
        // When each is selected by its label, and all together
        let one = |name: &String| Selector {
            labels: vec![("name".into(), name.clone())],
            ..Selector::of("rotations_total")
        };
        let mut wanted: Vec<Selector> = names.iter().map(one).collect();
        wanted.push(Selector { aggregate: Aggregate::Count, ..Selector::of("rotations_total") });
        wanted.extend([Selector::of("level"), Selector::of("sizes_count"), Selector::of("sizes_sum")]);
        let scanned = Scan::new(wanted).read(body.as_bytes());
        // Then each has its own value, and every line was read
        let mut expected: Vec<Option<f64>> = (0..names.len()).map(|i| Some((count + i as u64) as f64)).collect();
        expected.extend([Some(names.len() as f64), Some(-2.5e-3), Some(1.0), Some(1.5)]);
        prop_assert_eq!((scanned.values, scanned.unread, scanned.repeated), (expected, 0, 0), "{}", body);
    }
}
