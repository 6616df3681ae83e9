"""What of a measurement becomes metrics of a run."""

from __future__ import annotations

from sigverify.evaluation.result import BenchmarkResult
from sigverify.measurement.tracking import metrics_of

FIGURES = {
    "counts": {},
    "skilled": {"eer": 12.5, "eer_interval": [10.0, 15.0], "auc": 94.0, "auc_interval": [92.0, 96.0]},
    "random": {"eer": 1.5, "eer_interval": None, "note": "in words"},
    "evidence": {"skilled": {"cllr_bits": 0.7, "min_cllr_bits": 0.4, "ece": 0.1}},
}


def test_rates_intervals_ranking_and_evidence_are_metrics_and_what_is_missing_is_not():
    result = BenchmarkResult({}, {"writers": 8}, {5: FIGURES}, {}, ())
    assert metrics_of(result) == {
        "writers": 8.0,
        "skilled_eer_5": 12.5,
        "skilled_eer_5_low": 10.0,
        "skilled_eer_5_high": 15.0,
        "random_eer_5": 1.5,
        "skilled_auc_5": 94.0,
        "skilled_auc_5_low": 92.0,
        "skilled_auc_5_high": 96.0,
        "skilled_cllr_bits_5": 0.7,
        "skilled_min_cllr_bits_5": 0.4,
    }
