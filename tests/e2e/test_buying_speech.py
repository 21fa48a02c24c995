"""Buying speech through faults and kills: every text ends as a clip, nothing answered is paid for twice, the books cover the bill."""

import pytest

from bench.speech_bench import CONCURRENCY, storm


@pytest.mark.parametrize("engine", ["openai_speech", pytest.param("gemini_speech", marks=pytest.mark.slow)])
def test_a_storm_with_a_kill(engine):
    seen = storm(engine, 60, kills=1, seed=3)
    assert seen["states"] == {"replied": 60}
    assert seen["clips"] == seen["clips_again"] == seen["whole_audio"] == 60
    assert seen["asked_afterwards"] == 0
    assert seen["answered_again"] <= seen["lost_in_flight"]
    assert seen["most_lost_at_once"] <= CONCURRENCY
    assert seen["booked_usd"] >= seen["bill_usd"] > 0
