"""Listeners voting at once while the server is killed."""

from pathlib import Path

from bench.listening_bench import raise_storm


def test_every_acknowledged_vote_outlives_kill_9_and_none_is_doubled(tmp_path: Path):
    storm = raise_storm(tmp_path, annotators=10, seconds=6, clip_s=0.1)
    assert len(storm.votes) > 10
    assert storm.again > 0  # the server was really gone for a while
    assert (storm.lost, storm.doubled) == (0, 0)
