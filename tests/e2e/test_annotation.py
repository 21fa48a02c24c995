"""Asking a model through faults and kills: every request ends once, nothing answered is paid for twice, the books cover the bill."""

from bench.annotation_bench import CONCURRENCY, STORM, storm


def test_a_storm_with_a_kill():
    seen = storm(250, kills=1, seed=3, faults=STORM | {"latency_s": 0.03})
    assert seen["states"] == {"replied": 250}
    assert seen["answered_again"] <= seen["lost_in_flight"]
    assert seen["most_lost_at_once"] <= CONCURRENCY
    assert seen["booked_usd"] >= seen["bill_usd"] > 0
